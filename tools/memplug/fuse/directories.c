// SPDX-License-Identifier: MIT
/*
 * Open directories: the listing of the moment when they were opened. The kernel
 * keeps the entries, too, and shows them as long as nothing has changed. A
 * directory's lock guards its listing.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>

struct directory {
	struct node *node;
	pthread_mutex_t lock;
	struct listing *listing; /* NULL: the kernel has it, until it asks */
	bool again; /* the kernel was told all of it before */
};

void directory_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *node = node_of(ino);
	struct directory *directory = calloc(1, sizeof(*directory));
	struct mp_packet_entry entry;
	uint64_t now = changes_now();
	int ret = directory ? 0 : -ENOMEM;

	fi->cache_readdir = 1;
	if (!ret && now && __atomic_load_n(&node->shown, __ATOMIC_RELAXED) == now) {
		fi->keep_cache = 1;
		directory->again = true;
	} else if (!ret) {
		ret = node_verify(node, &entry);
		directory->listing = ret ? NULL : listing_of(node, now);
		if (!ret && !directory->listing)
			ret = listing_fetch(node->path, &directory->listing);
		if (!ret)
			__atomic_store_n(&node->shown, directory->listing->stamp, __ATOMIC_RELAXED);
	}
	if (ret) {
		free(directory);
		fuse_reply_err(req, ret == -ENOENT ? ESTALE : -ret);
		return;
	}
	directory->node = node;
	pthread_mutex_init(&directory->lock, NULL);
	fi->fh = (uintptr_t)directory;
	if (fuse_reply_open(req, fi) == -ENOENT) {
		listing_put(directory->listing);
		free(directory);
	}
}

/* One entry into the buffer; its size, or more than there is room. */
static size_t add(fuse_req_t req, char *buffer, size_t room, const struct directory *directory,
		  size_t i, bool plus)
{
	const struct listing *listing = directory->listing;
	struct fuse_entry_param param;
	struct mp_packet_entry entry;
	const char *name, *text;
	struct node *node = NULL;
	struct stat st;
	char path[512];
	uint32_t length;
	size_t size;

	if (!listing_entry(listing->at[i], listing->entries + listing->size, &entry, &name, &text,
			   &length))
		return room + 1;
	if (!plus) {
		fill_attr(&st, &entry);
		return fuse_add_direntry(req, buffer, room, name, &st, (off_t)i + 3);
	}
	if (directory->again) {
		/* Number 0 says that there is nothing new, and costs less. */
		param = (struct fuse_entry_param){ 0 };
		fill_attr(&param.attr, &entry);
		return fuse_add_direntry_plus(req, buffer, room, name, &param, (off_t)i + 3);
	}
	if (node_child_path(directory->node, name, path))
		node = node_learn(path, &entry, text, length, listing->stamp);
	if (!node)
		return room + 1;
	fill_entry(&param, node, &entry, listing->stamp);
	size = fuse_add_direntry_plus(req, buffer, room, name, &param, (off_t)i + 3);
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

/* Offsets count the entries, behind the two dots. Directory locked. */
static size_t put_entries(fuse_req_t req, char *buffer, size_t size, off_t offset,
			  const struct directory *directory, bool plus)
{
	size_t used = 0, length;

	for (; offset < (off_t)directory->listing->count + 2; offset++) {
		if (offset < 2)
			length = add_dot(req, buffer + used, size - used, offset, plus);
		else
			length = add(req, buffer + used, size - used, directory, (size_t)offset - 2, plus);
		if (length > size - used)
			break;
		used += length;
	}
	return used;
}

static void read_entries(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi,
			 bool plus)
{
	struct directory *directory = (struct directory *)(uintptr_t)fi->fh;
	char *buffer = malloc(size);
	int error = buffer ? 0 : -ENOMEM;

	pthread_mutex_lock(&directory->lock);
	if (!error && !directory->listing)
		directory->listing = listing_of(directory->node, changes_now());
	if (!error && !directory->listing)
		error = listing_fetch(directory->node->path, &directory->listing);
	/* What the kernel has of it may be of another moment: not to be kept beyond this. */
	if (!error && directory->listing->stamp != __atomic_load_n(&directory->node->shown, __ATOMIC_RELAXED))
		__atomic_store_n(&directory->node->shown, 0, __ATOMIC_RELAXED);
	if (error)
		fuse_reply_err(req, error == -ENOENT ? ESTALE : -error);
	else
		fuse_reply_buf(req, buffer, put_entries(req, buffer, size, offset, directory, plus));
	pthread_mutex_unlock(&directory->lock);
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
	struct directory *directory = (struct directory *)(uintptr_t)fi->fh;

	(void)ino;
	listing_put(directory->listing);
	pthread_mutex_destroy(&directory->lock);
	free(directory);
	fuse_reply_err(req, 0);
}
