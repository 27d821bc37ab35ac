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
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct handle {
	struct node *node;
	bool writes; /* counted among the node's writers */
	pthread_mutex_t lock;
	struct text *text;
	/* Atomic: the open file, and each request that is being answered: behind an answer may come
	 * the release before the one who answered has let go. */
	unsigned int refs;
	/* polled.lock: it has changed since it was read, and who is to be told. */
	struct handle *next, **at;
	bool changed;
	struct fuse_pollhandle *poll;
};

/* The open files that poll may wait for. */
static struct {
	pthread_mutex_t lock;
	struct handle *first;
} polled = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct handle *handle_get(struct fuse_file_info *fi)
{
	struct handle *handle = (struct handle *)(uintptr_t)fi->fh;

	__atomic_fetch_add(&handle->refs, 1, __ATOMIC_RELAXED);
	return handle;
}

/* Only a block's state tells when it has changed; a file that was never read counts as changed. */
static void polled_add(struct handle *handle)
{
	const char *name = strrchr(handle->node->path, '/');

	handle->changed = true;
	if (strcmp(name, "/state"))
		return;
	pthread_mutex_lock(&polled.lock);
	handle->next = polled.first;
	handle->at = &polled.first;
	if (handle->next)
		handle->next->at = &handle->next;
	polled.first = handle;
	pthread_mutex_unlock(&polled.lock);
}

static void polled_remove(struct handle *handle)
{
	pthread_mutex_lock(&polled.lock);
	if (handle->at) {
		*handle->at = handle->next;
		if (handle->next)
			handle->next->at = handle->at;
	}
	pthread_mutex_unlock(&polled.lock);
	if (handle->poll)
		fuse_pollhandle_destroy(handle->poll);
}

void handle_put(struct handle *handle)
{
	if (__atomic_sub_fetch(&handle->refs, 1, __ATOMIC_ACQ_REL))
		return;
	polled_remove(handle);
	__atomic_fetch_sub(&handle->node->writers, handle->writes, __ATOMIC_RELAXED);
	node_forget(handle->node, 1);
	pthread_mutex_destroy(&handle->lock);
	text_put(handle->text);
	free(handle);
}

/* What the file's mode does not have is refused to root, too (SYSFS-2); chmod adds nothing to what it can do. */
static int check_access(const struct mp_packet_entry *entry, int flags)
{
	int access = flags & O_ACCMODE;
	unsigned int mode;
	struct stat st;

	fill_attr(&st, entry);
	mode = entry->mode & st.st_mode;
	if ((access != O_WRONLY && !(mode & 0444)) ||
	    (access != O_RDONLY && !(mode & 0222)))
		return -EACCES;
	return 0;
}

/*
 * Who opens a file for writing that somebody else has open so is sent to look the path up again,
 * and gets a node of its own. Where that did not help (a file that is mounted by
 * itself) the same thread is let in. Atomic; a collision costs a node.
 */
static pid_t refused[256];

static pid_t *refused_at(fuse_req_t req)
{
	return &refused[(unsigned int)fuse_req_ctx(req)->pid % 256];
}

bool looks_up_again(fuse_req_t req)
{
	return __atomic_load_n(refused_at(req), __ATOMIC_RELAXED) == fuse_req_ctx(req)->pid;
}

/* Counts a writer in. */
static int add_writer(fuse_req_t req, struct node *node)
{
	bool again = looks_up_again(req);

	if (!__atomic_fetch_add(&node->writers, 1, __ATOMIC_RELAXED) || again) {
		if (again)
			__atomic_store_n(refused_at(req), 0, __ATOMIC_RELAXED);
		return 0;
	}
	__atomic_fetch_sub(&node->writers, 1, __ATOMIC_RELAXED);
	__atomic_store_n(refused_at(req), fuse_req_ctx(req)->pid, __ATOMIC_RELAXED);
	return -ESTALE;
}

static struct handle *new_handle(struct node *node, bool writes)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->node = node;
	handle->writes = writes;
	handle->refs = 1;
	node_get(node);
	pthread_mutex_init(&handle->lock, NULL);
	polled_add(handle);
	return handle;
}

int file_new_reader(struct node *node, const struct mp_packet_entry *entry, struct handle **handle)
{
	int error = check_access(entry, O_RDONLY);

	if (error)
		return error;
	*handle = new_handle(node, false);
	return *handle ? 0 : -ENOMEM;
}

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_open_out out = { .open_flags = FILE_OPEN_FLAGS };
	struct node *node = node_of(ino);
	struct mp_packet_entry entry;
	/* The kernel may know a name longer than it is good: it is told to look again. */
	int error = node_verify(node, &entry) ?: check_access(&entry, fi->flags);
	bool writes = (fi->flags & O_ACCMODE) != O_RDONLY;
	struct handle *handle;

	if (!error && writes)
		error = add_writer(req, node);
	handle = error ? NULL : new_handle(node, writes);
	if (!handle) {
		if (!error && writes)
			__atomic_fetch_sub(&node->writers, 1, __ATOMIC_RELAXED);
		fuse_reply_err(req, error ? -error : ENOMEM);
		return;
	}
	out.fh = (uintptr_t)handle;
	if (fuse_reply_buf(req, (const char *)&out, sizeof(out)) == -ENOENT)
		handle_put(handle);
}

void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_put((struct handle *)(uintptr_t)fi->fh);
	fuse_reply_err(req, 0);
}

/* ---- polling ---- */

void file_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *poll)
{
	struct handle *handle = handle_get(fi);
	unsigned int events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

	(void)ino;
	pthread_mutex_lock(&polled.lock);
	if (poll) {
		if (handle->poll)
			fuse_pollhandle_destroy(handle->poll);
		handle->poll = poll;
	}
	if (handle->changed)
		events |= POLLERR | POLLPRI;
	pthread_mutex_unlock(&polled.lock);
	fuse_reply_poll(req, events);
	handle_put(handle);
}

void files_changed(const char *path)
{
	struct handle *handle;

	pthread_mutex_lock(&polled.lock);
	for (handle = polled.first; handle; handle = handle->next) {
		if (path && strcmp(handle->node->path, path))
			continue;
		handle->changed = true;
		if (handle->poll) {
			fuse_lowlevel_notify_poll(handle->poll);
			fuse_pollhandle_destroy(handle->poll);
			handle->poll = NULL;
		}
	}
	pthread_mutex_unlock(&polled.lock);
}

/* Before the text is read, so that a change meanwhile is not missed. */
static void polled_read(struct handle *handle)
{
	pthread_mutex_lock(&polled.lock);
	handle->changed = false;
	pthread_mutex_unlock(&polled.lock);
}

/* ---- reading ---- */

struct piece {
	struct handle *handle;
	size_t size;
	size_t offset;
};

/* Handle locked. The reference to the text becomes the handle's. */
static void set_text(struct handle *handle, struct text *text)
{
	text_put(handle->text);
	handle->text = text;
}

/* Handle locked. */
static void reply_piece(fuse_req_t req, const struct handle *handle, size_t size, size_t offset)
{
	const struct text *text = handle->text;
	size_t left = offset < text->size ? text->size - offset : 0;

	fuse_reply_buf(req, left ? text->data + offset : NULL, left < size ? left : size);
}

/* Handle locked. The text of this moment: the one that is known, or a new one. */
static int renew(struct handle *handle)
{
	struct node *node = handle->node;
	bool steady = node->entry.how & MP_ENTRY_STEADY;
	uint64_t now = steady ? changes_now() : 0;
	struct text *text = node_text(node, now);
	int error = text ? 0 : text_fetch(node, &text);

	if (!error && now)
		node_set_text(node, text, now);
	/* What was read before stays when this fails. */
	if (!error)
		set_text(handle, text);
	return error;
}

struct text *file_known_text(struct handle *handle, uint64_t offset)
{
	struct node *node = handle->node;
	struct text *text;

	if (!offset) {
		if (!(node->entry.how & MP_ENTRY_STEADY))
			return NULL;
		polled_read(handle);
		text = node_text(node, changes_now());
		pthread_mutex_lock(&handle->lock);
		if (text)
			set_text(handle, text_get(text));
	} else {
		pthread_mutex_lock(&handle->lock);
		text = text_get(handle->text);
	}
	pthread_mutex_unlock(&handle->lock);
	return text;
}

static void read_done(struct waiting *w, int64_t value, const char *data, size_t size)
{
	struct piece *piece = w->context;
	struct handle *handle = piece->handle;
	struct text *text = value < 0 ? NULL : text_new(data, size);

	pthread_mutex_lock(&handle->lock);
	if (text)
		set_text(handle, text);
	else if (value >= 0)
		value = -ENOMEM;
	if (value < 0)
		fuse_reply_err(w->req, (int)-value);
	else
		reply_piece(w->req, handle, piece->size, piece->offset);
	pthread_mutex_unlock(&handle->lock);
	handle_put(handle);
	free(piece);
}

/* What may wait is answered when it comes. */
static void read_later(fuse_req_t req, struct handle *handle, size_t size, off_t offset)
{
	struct piece *piece = calloc(1, sizeof(*piece));

	if (!piece) {
		handle_put(handle);
		fuse_reply_err(req, ENOMEM);
		return;
	}
	*piece = (struct piece){ handle, size, (size_t)offset };
	waiting_start(req, MP_PACKET_READ, 0, handle->node->path, &handle->node->id,
		      sizeof(handle->node->id), read_done, piece);
}

void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct handle *handle = handle_get(fi);
	int error = 0;

	(void)ino;
	if (!offset)
		polled_read(handle);
	pthread_mutex_lock(&handle->lock);
	if ((!offset || !handle->text) && handle->node->entry.how & MP_ENTRY_WAITS) {
		pthread_mutex_unlock(&handle->lock);
		read_later(req, handle, size, offset);
		return;
	}
	if (!offset || !handle->text)
		error = renew(handle);
	if (error)
		fuse_reply_err(req, -error);
	else
		reply_piece(req, handle, size, (size_t)offset);
	pthread_mutex_unlock(&handle->lock);
	handle_put(handle);
}

/* ---- writing ---- */

static void write_done(struct waiting *w, int64_t value, const char *data, size_t size)
{
	struct handle *handle = w->context;

	(void)data;
	(void)size;
	if (value < 0)
		fuse_reply_err(w->req, (int)-value);
	else
		fuse_reply_write(w->req, (size_t)value);
	handle_put(handle);
}

/* The offset is ignored, and what is longer than 4096 bytes is cut (SYSFS-4). */
void file_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	struct handle *handle = handle_get(fi);

	(void)ino;
	(void)offset;
	waiting_start(req, MP_PACKET_WRITE, (int64_t)handle->node->id, handle->node->path, data,
		      size < MP_ATTR_SIZE ? size : MP_ATTR_SIZE, write_done, handle);
}
