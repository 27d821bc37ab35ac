// SPDX-License-Identifier: MIT
/*
 * What backs device memory: windows of the direct map onto files that were
 * given for them, or anonymous memory. The list of windows changes under
 * mem_hotplug_lock held for writing; files.lock guards the list of files, whose
 * use counts it, too.
 */
#include "backing/backing.h"
#include "backing/extent.h"
#include "report/report.h"
#include "sync/thread.h"
#include "os/os.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>

struct device_file {
	struct device_file *next;
	u64 start, end, offset;
	int fd;
	unsigned int users; /* windows */
};

struct window {
	struct window *next;
	u64 start, end;
	struct device_file *file; /* NULL: anonymous memory */
};

static struct window *windows;
static struct {
	struct mutex lock;
	struct device_file *first;
} files = { .lock = __MUTEX_INITIALIZER(files) };

static void reset_after_fork(void)
{
	mp_mutex_init(&files.lock, "files");
}

__attribute__((constructor)) static void device_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

/* ---- files ---- */

static struct device_file *file_meeting(u64 start, u64 end)
{
	struct device_file *file = files.first;

	while (file && (file->end <= start || file->start >= end))
		file = file->next;
	return file;
}

static int check_file(int fd, u64 end)
{
	s64 size = os_file_size(fd);

	if (size < 0)
		return (int)size;
	return (u64)size < end ? -EINVAL : 0;
}

int backing_file_add(u64 start, u64 size, int fd, u64 offset)
{
	struct device_file *file;
	int error;

	file = os_alloc(sizeof(*file));
	if (!file)
		return -ENOMEM;
	*file = (struct device_file){ .start = start, .end = start + size, .offset = offset };
	file->fd = os_take(fd);
	error = file->fd < 0 ? file->fd : check_file(file->fd, offset + size);
	if (error) {
		if (file->fd >= 0)
			os_close(file->fd);
		os_free(file);
		return error;
	}
	mutex_lock(&files.lock);
	if (file_meeting(start, start + size)) {
		error = -EEXIST;
	} else if (backing_device_meets(start, size)) {
		error = -EBUSY;
	} else {
		file->next = files.first;
		files.first = file;
	}
	mutex_unlock(&files.lock);
	if (error) {
		os_close(file->fd);
		os_free(file);
	}
	return error;
}

static void drop_file(struct device_file *file)
{
	int error = os_close(file->fd);

	/* Linux has closed it all the same. */
	if (error)
		pr_warn("backing: closing a device's file: error %d", error);
	os_free(file);
}

int backing_file_remove(u64 start)
{
	struct device_file **link, *file;
	int error = 0;

	mutex_lock(&files.lock);
	for (link = &files.first; *link && (*link)->start != start;)
		link = &(*link)->next;
	file = *link;
	if (!file)
		error = -ENOENT;
	else if (file->users)
		error = -EBUSY;
	else
		*link = file->next;
	mutex_unlock(&files.lock);
	if (!error)
		drop_file(file);
	return error;
}

void backing_device_exit(void)
{
	while (windows) {
		struct window *window = windows;

		windows = window->next;
		os_free(window);
	}
	while (files.first) {
		struct device_file *file = files.first;

		files.first = file->next;
		drop_file(file);
	}
}

/* ---- windows ---- */

bool backing_device_meets(u64 start, u64 size)
{
	struct window *window = __atomic_load_n(&windows, __ATOMIC_ACQUIRE);

	while (window && (window->end <= start || window->start >= start + size))
		window = window->next;
	return window;
}

/* The file for all of the range, used once more; NULL and 0: none. */
static int use_file(u64 start, u64 end, struct device_file **result)
{
	struct device_file *file;
	int error = 0;

	mutex_lock(&files.lock);
	file = file_meeting(start, end);
	if (file && (file->start > start || file->end < end))
		error = -EINVAL;
	else if (file)
		file->users++;
	mutex_unlock(&files.lock);
	*result = error ? NULL : file;
	return error;
}

static void unuse_file(struct device_file *file)
{
	mutex_lock(&files.lock);
	if (file)
		file->users--;
	mutex_unlock(&files.lock);
}

static int map_window(const struct window *window)
{
	void *at = mp_direct_map + window->start;
	u64 size = window->end - window->start, offset;
	struct device_file *file = window->file;
	int error;

	if (!file) {
		error = os_map_anonymous(at, size);
	} else {
		offset = file->offset + (window->start - file->start);
		error = check_file(file->fd, offset + size);
		/* Room on its disk now, or a later write is a SIGBUS. */
		if (!error)
			error = os_allocate(file->fd, offset, size);
		if (!error || error == -EOPNOTSUPP)
			error = os_map_fd(at, size, file->fd, offset);
	}
	return error ?: os_dontfork(at, size);
}

int backing_device_add(u64 start, u64 size)
{
	struct window *window = os_alloc(sizeof(*window));
	int error;

	if (!window)
		return -ENOMEM;
	window->start = start;
	window->end = start + size;
	error = use_file(start, window->end, &window->file);
	if (error)
		goto free;
	error = map_window(window);
	if (error)
		goto undo;
	window->next = windows;
	__atomic_store_n(&windows, window, __ATOMIC_RELEASE);
	return 0;
undo:
	backing_restore(start, size);
	unuse_file(window->file);
free:
	os_free(window);
	return error;
}

void backing_device_remove(u64 start, u64 size)
{
	struct window **link = &windows, *window;

	while (*link && (*link)->start != start)
		link = &(*link)->next;
	window = *link;
	if (!window)
		return;
	mutex_lock(&files.lock); /* who adds a file looks at the list under it */
	__atomic_store_n(link, window->next, __ATOMIC_RELEASE);
	mutex_unlock(&files.lock);
	backing_restore(start, size);
	unuse_file(window->file);
	os_free(window);
}
