// SPDX-License-Identifier: MIT
/* Open directories: the listing of the moment when they were opened. */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct listing {
	struct node *node;
	size_t size; /* of the entries, as the machine sent them */
	char entries[];
};

/* All entries of a directory, in as many packets as it takes; 0 or -errno. */
static int list(struct link *link, const char *path, struct listing **result)
{
	struct listing *listing = calloc(1, sizeof(*listing)), *larger;
	int64_t count = 0, ret = listing ? 0 : -ENOMEM;

	while (!ret) {
		ret = link_call(link, MP_PACKET_LIST, count, path, 0);
		if (ret < 0)
			break;
		count += ret;
		larger = realloc(listing, sizeof(*listing) + listing->size + link->size);
		ret = larger ? 0 : -ENOMEM;
		if (ret)
			break;
		listing = larger;
		memcpy(listing->entries + listing->size, link->data, link->size);
		listing->size += link->size;
		if (!(link->flags & MP_PACKET_MORE))
			break;
	}
	if (ret) {
		free(listing);
		listing = NULL;
	}
	*result = listing;
	return (int)ret;
}

void directory_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *node = node_of(ino);
	struct link *link = link_get();
	struct listing *listing;
	int ret = link ? list(link, node->path, &listing) : -ENOTCONN;

	if (link)
		link_put(link);
	if (ret) {
		fuse_reply_err(req, ret == -ENOENT ? ESTALE : -ret);
		return;
	}
	listing->node = node;
	fi->fh = (uintptr_t)listing;
	if (fuse_reply_open(req, fi) == -ENOENT)
		free(listing);
}

/* One entry into the buffer; its size, or more than there is room. */
static size_t add(fuse_req_t req, char *at, size_t room, const struct listing *listing,
		  const char *name, const struct mp_packet_entry *entry, off_t next, bool plus)
{
	struct fuse_entry_param param;
	struct node *node = NULL;
	struct stat st;
	char path[512];
	size_t size;

	if (!plus) {
		fill_attr(&st, entry);
		return fuse_add_direntry(req, at, room, name, &st, next);
	}
	if (node_child_path(listing->node, name, path))
		node = node_look_up(path, entry, false);
	if (!node)
		return room + 1;
	fill_entry(&param, node, entry);
	size = fuse_add_direntry_plus(req, at, room, name, &param, next);
	if (size > room)
		node_forget(node, 1);
	return size;
}

/* The dots: the kernel counts no lookup of them. */
static size_t add_dot(fuse_req_t req, char *at, size_t room, off_t offset, bool plus)
{
	struct fuse_entry_param param = { .attr = { .st_mode = S_IFDIR, .st_ino = FUSE_ROOT_ID } };
	const char *name = &".."[!offset];

	return plus ? fuse_add_direntry_plus(req, at, room, name, &param, offset + 1) :
		      fuse_add_direntry(req, at, room, name, &param.attr, offset + 1);
}

/* The offset of an entry is where it ends, behind the two dots. */
static void read_entries(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi,
			 bool plus)
{
	struct listing *listing = (struct listing *)(uintptr_t)fi->fh;
	const char *end = listing->entries + listing->size, *at, *next, *name, *target;
	struct mp_packet_entry entry;
	char *buffer = malloc(size);
	size_t used = 0, length;

	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (; offset < 2; offset++) {
		length = add_dot(req, buffer + used, size - used, offset, plus);
		if (length > size - used)
			break;
		used += length;
	}
	for (at = listing->entries + offset - 2; offset >= 2 && at < end; at = next) {
		next = entry_parse(at, end, &entry, &name, &target);
		if (!next)
			break;
		length = add(req, buffer + used, size - used, listing, name, &entry,
			     next - listing->entries + 2, plus);
		if (length > size - used)
			break;
		used += length;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

void directory_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	(void)ino;
	read_entries(req, size, offset, fi, false);
}

void directory_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			 struct fuse_file_info *fi)
{
	(void)ino;
	read_entries(req, size, offset, fi, true);
}

void directory_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	free((struct listing *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}
