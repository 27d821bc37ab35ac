// SPDX-License-Identifier: MIT
/*
 * Open files: the text of the first read is kept, offset 0 reads it anew
 * (SYSFS-1); a write goes to the machine as it is. A handle's lock guards its
 * text.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

struct handle {
	struct node *node;
	pthread_mutex_t lock;
	char *text;
	size_t size;
};

static struct handle *handle_of(struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

/* What the file's mode does not have is refused to root, too (SYSFS-2). */
static int check_access(const char *path, int flags)
{
	int access = flags & O_ACCMODE;
	mode_t wanted = (access != O_WRONLY ? 0444 : 0) | (access != O_RDONLY ? 0222 : 0);
	struct mp_packet_entry entry;
	const char *name, *target;
	struct link *link = link_get();
	int64_t ret = link ? link_call(link, MP_PACKET_STAT, 0, path) : -ENOTCONN;

	if (!ret && !entry_parse(link->data, link->data + link->size, &entry, &name, &target))
		ret = -EIO;
	if (link)
		link_put(link);
	if (ret)
		return (int)ret;
	if ((wanted & 0444 && !(entry.mode & 0444)) || (wanted & 0222 && !(entry.mode & 0222)))
		return -EACCES;
	return 0;
}

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	/* The library has no name for the last flag yet: writers do not lock each other out. */
	struct fuse_open_out out = {
		.open_flags = FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES,
	};
	struct node *node = node_of(ino);
	int error = check_access(node->path, fi->flags);
	struct handle *handle = error ? NULL : calloc(1, sizeof(*handle));

	if (!error && handle)
		handle->node = node_look_up(node->path);
	if (!handle || !handle->node) {
		free(handle);
		fuse_reply_err(req, error ? -error : ENOMEM);
		return;
	}
	pthread_mutex_init(&handle->lock, NULL);
	out.fh = (uintptr_t)handle;
	fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);

	(void)ino;
	node_forget(handle->node, 1);
	pthread_mutex_destroy(&handle->lock);
	free(handle->text);
	free(handle);
	fuse_reply_err(req, 0);
}

/* ---- reading ---- */

struct piece {
	struct handle *handle;
	size_t size;
	size_t offset;
};

static bool set_text(struct handle *handle, const char *data, size_t size)
{
	char *text = realloc(handle->text, size + 1);

	if (!text)
		return false;
	memcpy(text, data, size);
	handle->text = text;
	handle->size = size;
	return true;
}

/* Handle locked. */
static void reply_piece(fuse_req_t req, const struct handle *handle, size_t size, size_t offset)
{
	size_t left = offset < handle->size ? handle->size - offset : 0;

	fuse_reply_buf(req, left ? handle->text + offset : NULL, left < size ? left : size);
}

/* Handle locked. The whole text, in as many packets as it takes; 0 or -errno. */
static int fetch(struct handle *handle)
{
	struct link *link = link_get();
	int64_t ret = -ENOTCONN;
	size_t size = 0;

	free(handle->text);
	handle->text = NULL;
	while (link) {
		char *text;

		ret = link_call(link, MP_PACKET_READ, (int64_t)size, handle->node->path);
		if (ret < 0)
			break;
		text = realloc(handle->text, size + link->size + 1);
		ret = text ? 0 : -ENOMEM;
		if (ret)
			break;
		memcpy(text + size, link->data, link->size);
		handle->text = text;
		handle->size = size += link->size;
		if (!(link->flags & MP_PACKET_MORE))
			break;
	}
	if (link)
		link_put(link);
	return (int)ret;
}

static void read_done(struct waiting *w, int64_t value, const char *data, size_t size)
{
	struct piece *piece = w->context;
	struct handle *handle = piece->handle;

	pthread_mutex_lock(&handle->lock);
	if (value >= 0 && !set_text(handle, data, size))
		value = -ENOMEM;
	if (value < 0)
		fuse_reply_err(w->req, (int)-value);
	else
		reply_piece(w->req, handle, piece->size, piece->offset);
	pthread_mutex_unlock(&handle->lock);
	free(piece);
}

/* Reading these may wait for an operation that runs (LOCK-21). */
static bool read_waits(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return !strcmp(name, "online") || !strcmp(name, "uevent");
}

void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);
	struct piece *piece;
	int error = 0;

	(void)ino;
	pthread_mutex_lock(&handle->lock);
	if (!offset || !handle->text) {
		if (read_waits(handle->node->path)) {
			pthread_mutex_unlock(&handle->lock);
			piece = calloc(1, sizeof(*piece));
			if (!piece) {
				fuse_reply_err(req, ENOMEM);
				return;
			}
			*piece = (struct piece){ handle, size, (size_t)offset };
			waiting_start(req, MP_PACKET_READ, 0, handle->node->path, NULL, 0,
				      read_done, piece);
			return;
		}
		error = fetch(handle);
	}
	if (error)
		fuse_reply_err(req, -error);
	else
		reply_piece(req, handle, size, (size_t)offset);
	pthread_mutex_unlock(&handle->lock);
}

/* ---- writing ---- */

static void write_done(struct waiting *w, int64_t value, const char *data, size_t size)
{
	(void)data;
	(void)size;
	if (value < 0)
		fuse_reply_err(w->req, (int)-value);
	else
		fuse_reply_write(w->req, (size_t)value);
}

/* The offset is ignored, and what is longer than 4096 bytes is cut (SYSFS-4). */
void file_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	(void)ino;
	(void)offset;
	waiting_start(req, MP_PACKET_WRITE, 0, handle_of(fi)->node->path, data,
		      size < MP_ATTR_SIZE ? size : MP_ATTR_SIZE, write_done, NULL);
}
