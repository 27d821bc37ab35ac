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
		ret = link_call(link, MP_PACKET_LIST, count, path);
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
		fuse_reply_err(req, -ret);
		return;
	}
	listing->node = node;
	fi->fh = (uintptr_t)listing;
	if (fuse_reply_open(req, fi) == -ENOENT)
		free(listing);
}

/* The offset of an entry is where it ends, behind the two dots. */
void directory_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	struct listing *listing = (struct listing *)(uintptr_t)fi->fh;
	const char *end = listing->entries + listing->size, *at, *next, *name, *target;
	struct stat st = { .st_mode = S_IFDIR, .st_ino = FUSE_ROOT_ID };
	struct mp_packet_entry entry;
	char *buffer = malloc(size), path[512];
	size_t used = 0, length;

	(void)ino;
	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (; offset < 2; offset++) {
		length = fuse_add_direntry(req, buffer + used, size - used, &".."[!offset], &st,
					   offset + 1);
		if (length > size - used)
			break;
		used += length;
	}
	for (at = listing->entries + offset - 2; offset >= 2 && at < end; at = next) {
		next = entry_parse(at, end, &entry, &name, &target);
		if (!next || !node_child_path(listing->node, name, path))
			break;
		fill_attr(&st, path, &entry);
		length = fuse_add_direntry(req, buffer + used, size - used, name, &st,
					   next - listing->entries + 2);
		if (length > size - used)
			break;
		used += length;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

void directory_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	free((struct listing *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}
