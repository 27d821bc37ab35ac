/* SPDX-License-Identifier: MIT */
/*
 * The in-process door of the attribute tree: read and write whole files, open
 * files with a snapshot of their text, look at entries. An open file's own
 * mutex guards its text; what it points to is found as with any other door.
 */
#include <fcntl.h>
#include <string.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/mutex.h>
#include "device/tree_internal.h"
#include "os/os.h"
#include "sync/thread.h"

#define READABLE 0444
#define WRITABLE 0222

struct mp_file {
	struct mutex lock;
	struct mp_dir *dir; /* with a node reference */
	const struct tree_attr *attr;
	u32 generation;
	int flags;
	char *text; /* of the first read; os_alloc */
	size_t len;
};

/* Tree lock held. The file at `path`, checked against what the caller wants to do (SYSFS-2). */
static int find_file(const char *path, unsigned int wanted, struct tree_place *place)
{
	int error = tree_walk(path, true, place);

	if (error)
		return error;
	if (!place->attr)
		return -EISDIR;
	if ((wanted & READABLE && !(place->attr->mode & READABLE)) ||
	    (wanted & WRITABLE && !(place->attr->mode & WRITABLE)))
		return -EACCES;
	return 0;
}

/* The object is what the caller means: it is id, or id is 0 (SYSFS-6). */
static int check_id(int error, const struct tree_place *place, u64 id)
{
	if (id && (error == -ENOENT || error == -ENOTDIR || (!error && tree_place_id(place) != id)))
		return -ENODEV;
	return error;
}

static int enter_file(const char *path, u64 id, unsigned int wanted, struct tree_active *active,
		      const struct tree_attr **attr)
{
	struct tree_place place;
	int error;

	tree_lock();
	error = check_id(find_file(path, wanted, &place), &place, id);
	if (!error && !tree_enter(place.dir, active))
		error = -ENOENT;
	tree_unlock();
	*attr = error ? NULL : place.attr;
	return error;
}

/* The whole text: in `page` with *heap NULL, or in *heap. */
static ssize_t show(struct mp_dir *dir, const struct tree_attr *attr, char *page, char **heap)
{
	ssize_t len;

	*heap = NULL;
	if (attr->show_long)
		return attr->show_long(dir->owner, attr, heap);
	if (!attr->show)
		return -EIO;
	len = attr->show(dir->owner, attr, page);
	if (WARN(len > MP_ATTR_SIZE, "%s: text of %zd bytes", attr->name, len))
		len = MP_ATTR_SIZE;
	return len;
}

bool tree_read_waits(const char *path)
{
	struct tree_place place;
	bool waits;

	tree_lock();
	waits = !tree_walk(path, true, &place) && place.attr && place.attr->waits;
	tree_unlock();
	return waits;
}

ssize_t tree_read_steady(const char *path, u64 id, char *page)
{
	const struct tree_attr *attr;
	struct tree_active active;
	ssize_t len = -EAGAIN;
	int error = enter_file(path, id, READABLE, &active, &attr);
	char *heap;

	if (error)
		return error;
	if (attr->steady)
		len = show(active.dir, attr, page, &heap);
	tree_leave(&active);
	return len;
}

ssize_t tree_try_read(const char *path, u64 id, char *page, bool *busy)
{
	const struct tree_attr *attr;
	struct tree_active active;
	ssize_t len = -EFBIG;
	int error = enter_file(path, id, READABLE, &active, &attr);
	char *heap;

	*busy = false;
	if (error)
		return error;
	if (!attr->show_long) {
		*busy = attr->busy && attr->busy(active.dir->owner);
		len = *busy ? -ERESTARTNOINTR : show(active.dir, attr, page, &heap);
	}
	tree_leave(&active);
	return len;
}

/* mp_cancel() ends the waiting for device_hotplug_lock, too (MAP-2); from here on it knows the thread. */
static bool cancelled(void)
{
	struct sync_thread *self = sync_self();

	return self && __atomic_exchange_n(&self->cancel, 0, __ATOMIC_ACQ_REL);
}

ssize_t mp_read(const char *path, char *buf, size_t size)
{
	const struct tree_attr *attr;
	struct tree_active active;
	char page[MP_ATTR_SIZE], *heap;
	ssize_t len;
	int error;

	if (!buf && size)
		return -EINVAL;
	do {
		error = enter_file(path, 0, READABLE, &active, &attr);
		if (error)
			return error;
		len = show(active.dir, attr, page, &heap);
		tree_leave(&active);
	} while (len == -ERESTARTNOINTR && !cancelled());
	if (len == -ERESTARTNOINTR)
		len = -EINTR;
	if (len >= 0) {
		if ((size_t)len < size)
			buf[len] = '\0';
		else
			len = (ssize_t)size;
		if (len)
			memcpy(buf, heap ? heap : page, (size_t)len);
	}
	os_free(heap);
	return len;
}

/* One write as the attribute sees it: at most 4096 bytes, a NUL behind them (SYSFS-4). */
static size_t write_text(char *text, const char *buf, size_t count)
{
	if (count > MP_ATTR_SIZE)
		count = MP_ATTR_SIZE;
	if (count)
		memcpy(text, buf, count);
	text[count] = '\0';
	return count;
}

static ssize_t store(struct mp_dir *dir, const struct tree_attr *attr, const char *text,
		     size_t count)
{
	return attr->store ? attr->store(dir->owner, attr, text, count) : -EIO;
}

ssize_t tree_try_write(const char *path, u64 id, const char *buf, size_t count)
{
	const struct tree_attr *attr;
	struct tree_active active;
	char text[MP_ATTR_SIZE + 1];
	ssize_t done;
	int error = enter_file(path, id, WRITABLE, &active, &attr);

	if (error)
		return error;
	count = write_text(text, buf, count);
	done = count ? store(active.dir, attr, text, count) : 0;
	/* A restart gives the reference up, so that the file can be removed (LOCK-18). */
	tree_leave(&active);
	return done;
}

ssize_t mp_write(const char *path, const char *buf, size_t count)
{
	ssize_t done;

	if (!buf && count)
		return -EINVAL;
	do
		done = tree_try_write(path, 0, buf, count);
	while (done == -ERESTARTNOINTR && !cancelled());
	return done == -ERESTARTNOINTR ? -EINTR : done;
}

int mp_write_string(const char *path, const char *text)
{
	ssize_t done = text ? mp_write(path, text, strlen(text)) : -EINVAL;

	return done < 0 ? (int)done : 0;
}

int mp_open(const char *path, int flags, struct mp_file **result)
{
	return tree_open(path, 0, flags, result);
}

int tree_open(const char *path, u64 id, int flags, struct mp_file **result)
{
	int access = flags & O_ACCMODE;
	unsigned int wanted = (access != O_WRONLY ? READABLE : 0) |
			      (access != O_RDONLY ? WRITABLE : 0);
	struct tree_place place;
	struct mp_file *file;
	int error;

	if (!result)
		return -EINVAL;
	*result = NULL;
	if (access == O_ACCMODE)
		return -EINVAL;
	file = os_alloc(sizeof(*file));
	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	tree_lock();
	error = check_id(find_file(path, wanted, &place), &place, id);
	if (!error) {
		file->dir = place.dir;
		file->attr = place.attr;
		file->generation = tree_generation();
		file->flags = access;
		tree_get(&place.dir->node);
	}
	tree_unlock();
	if (error) {
		os_free(file);
		return error;
	}
	*result = file;
	return 0;
}

static bool enter_open_file(struct mp_file *file, struct tree_active *active)
{
	return file->generation == tree_generation() && tree_enter(file->dir, active);
}

/* File lock held. A new text for an open file. */
static int generate(struct mp_file *file)
{
	char *page = NULL, *heap;
	ssize_t len;

	os_free(file->text);
	file->text = NULL;
	if (!file->attr->show_long) {
		page = os_alloc(MP_ATTR_SIZE);
		if (!page)
			return -ENOMEM;
	}
	len = show(file->dir, file->attr, page, &heap);
	if (len < 0) {
		os_free(page);
		return (int)len;
	}
	file->text = heap ? heap : page;
	file->len = (size_t)len;
	return 0;
}

ssize_t tree_file_try_read(struct mp_file *file, char *buf, size_t count, off_t offset)
{
	struct tree_active active;
	ssize_t done = 0;

	mutex_lock(&file->lock);
	if (!enter_open_file(file, &active)) {
		mutex_unlock(&file->lock);
		return -ENODEV;
	}
	if (!offset || !file->text)
		done = generate(file);
	tree_leave(&active);
	if (!done && file->text && (size_t)offset < file->len) {
		done = (ssize_t)(file->len - (size_t)offset);
		if ((size_t)done > count)
			done = (ssize_t)count;
		if (done)
			memcpy(buf, file->text + offset, (size_t)done);
	}
	mutex_unlock(&file->lock);
	return done;
}

bool tree_file_busy(struct mp_file *file)
{
	struct tree_active active;
	bool busy = false;

	if (file->attr->busy && enter_open_file(file, &active)) {
		busy = file->attr->busy(file->dir->owner);
		tree_leave(&active);
	}
	return busy;
}

ssize_t mp_file_read(struct mp_file *file, char *buf, size_t count, off_t offset)
{
	ssize_t done;

	if (!file || (!buf && count))
		return -EINVAL;
	if (file->flags == O_WRONLY)
		return -EBADF;
	if (offset < 0)
		return -EINVAL;
	do
		done = tree_file_try_read(file, buf, count, offset);
	while (done == -ERESTARTNOINTR && !cancelled());
	return done == -ERESTARTNOINTR ? -EINTR : done;
}

ssize_t mp_file_write(struct mp_file *file, const char *buf, size_t count)
{
	char text[MP_ATTR_SIZE + 1];
	struct tree_active active;
	ssize_t done;

	if (!file || (!buf && count))
		return -EINVAL;
	if (file->flags == O_RDONLY)
		return -EBADF;
	count = write_text(text, buf, count);
	do {
		/* Writes through one open file come one after the other (SYSFS-5). */
		mutex_lock(&file->lock);
		if (enter_open_file(file, &active)) {
			done = count ? store(file->dir, file->attr, text, count) : 0;
			tree_leave(&active);
		} else {
			done = -ENODEV;
		}
		mutex_unlock(&file->lock);
	} while (done == -ERESTARTNOINTR && !cancelled());
	if (done == -ERESTARTNOINTR)
		done = -EINTR;
	return done;
}

void mp_file_close(struct mp_file *file)
{
	if (!file)
		return;
	tree_put(&file->dir->node);
	os_free(file->text);
	os_free(file);
}
