// SPDX-License-Identifier: MIT
/*
 * What the mount knows by itself it answers at once, in the kernel's own words
 * and without the library's bookkeeping, which would cost as much as the answer:
 * opening to read, reading a text that is known, attributes, closing. No state.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/uio.h>

/* 0 or -errno: -ENOENT, who asked has gone. */
static int reply(struct fuse_session *session, const struct fuse_in_header *in, int error,
		 const void *data, size_t size)
{
	struct fuse_out_header out = { .len = (uint32_t)(sizeof(out) + size), .error = error,
				       .unique = in->unique };
	struct iovec parts[] = { { &out, sizeof(out) }, { (void *)data, size } };

	return writev(fuse_session_fd(session), parts, 1 + !!size) < 0 ? -errno : 0;
}

static bool open_known(struct fuse_session *session, const struct fuse_in_header *in,
		       const struct fuse_open_in *open)
{
	struct fuse_open_out out = { .open_flags = FILE_OPEN_FLAGS };
	struct node *node = node_of(in->nodeid);
	struct mp_packet_entry entry;
	struct handle *handle = NULL;
	int error;

	if ((open->flags & O_ACCMODE) != O_RDONLY || !node_known(node, changes_now(), &entry))
		return false;
	error = file_new_reader(node, &entry, &handle);
	out.fh = (uintptr_t)handle;
	if (reply(session, in, error, &out, error ? 0 : sizeof(out)) == -ENOENT && handle)
		handle_put(handle);
	return true;
}

static bool read_known(struct fuse_session *session, const struct fuse_in_header *in,
		       const struct fuse_read_in *read)
{
	struct text *text = file_known_text((struct handle *)(uintptr_t)read->fh, read->offset);
	size_t left;

	if (!text)
		return false;
	left = read->offset < text->size ? text->size - read->offset : 0;
	reply(session, in, 0, text->data + text->size - left, left < read->size ? left : read->size);
	text_put(text);
	return true;
}

static bool getattr_known(struct fuse_session *session, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr_valid = KEEP_SECONDS };
	struct mp_packet_entry entry;
	struct stat st;

	if (!node_known(node_of(in->nodeid), changes_now(), &entry))
		return false;
	fill_attr(&st, &entry);
	out.attr = (struct fuse_attr){
		.ino = st.st_ino, .size = (uint64_t)st.st_size, .mode = st.st_mode,
		.nlink = (uint32_t)st.st_nlink, .uid = st.st_uid, .gid = st.st_gid,
		.blksize = (uint32_t)st.st_blksize, .atime = (uint64_t)st.st_atime,
		.mtime = (uint64_t)st.st_mtime, .ctime = (uint64_t)st.st_ctime,
	};
	reply(session, in, 0, &out, sizeof(out));
	return true;
}

bool fast_answer(struct fuse_session *session, const struct fuse_buf *request)
{
	const struct fuse_in_header *in = request->mem;
	const struct fuse_release_in *release = (const void *)(in + 1);

	if (request->flags & FUSE_BUF_IS_FD || request->size < sizeof(*in))
		return false;
	switch (in->opcode) {
	case FUSE_OPEN:
		return open_known(session, in, (const void *)(in + 1));
	case FUSE_READ:
		return read_known(session, in, (const void *)(in + 1));
	case FUSE_GETATTR:
		return getattr_known(session, in);
	case FUSE_RELEASE:
		handle_put((struct handle *)(uintptr_t)release->fh);
		reply(session, in, 0, NULL, 0);
		return true;
	default:
		return false;
	}
}
