/* SPDX-License-Identifier: MIT */
/*
 * The attribute tree: directories with lists of attributes, and links. It
 * knows no memory; owners hang their objects in and every door walks it.
 *
 * One lock guards its shape; show and store run without it, holding an active
 * reference on the directory that removal waits for (LOCK-18).
 *
 * | call                      | needs                          | may sleep              |
 * | tree_mkdir, _link, ...    | no lock                        | yes                    |
 * | tree_empty, tree_rmdir    | no lock that a show or store   | until show and store   |
 * |                           | of the directory waits for     | calls there have ended |
 */
#ifndef MEMPLUG_DEVICE_TREE_H
#define MEMPLUG_DEVICE_TREE_H

#include <linux/types.h>
#include <memplug/tree.h>

struct mp_dir;

/*
 * One file of a directory; `owner` is what the directory was made with. A name
 * "power/control" puts the file into a subdirectory "power" that costs
 * nothing; "hugepages/" is such a directory without files.
 */
struct tree_attr {
	const char *name;
	unsigned short mode;
	/* Into one page; length or -errno (-ERESTARTNOINTR restarts, also show_long). `attr` lets one
	 * function serve several files. */
	ssize_t (*show)(void *owner, const struct tree_attr *attr, char *buf);
	/* NUL-terminated behind count (<= 4096) bytes; count, or -errno; -ERESTARTNOINTR restarts. */
	ssize_t (*store)(void *owner, const struct tree_attr *attr, const char *buf, size_t count);
	/* For files larger than a page (/proc), instead of show: *text from os_alloc, its length. */
	ssize_t (*show_long)(void *owner, const struct tree_attr *attr, char **text);
	bool waits; /* show may wait for an operation that runs */
	/* What show writes changes only between changes_begin() and changes_end() (sync/changes.h). */
	bool steady;
	bool (*busy)(void *owner); /* with waits: it would wait now; may be NULL */
	long data;  /* for the functions */
	/* NULL: always. Called with the tree locked: looks, and touches nothing of the tree. */
	bool (*visible)(void *owner, const struct tree_attr *attr);
	const char *link; /* a link with this target instead of a file */
};

extern struct mp_dir *tree_root; /* "/"; lives from tree_init() to tree_exit() */

/*
 * The page that counts changes of what steady files show and of the tree's
 * shape. Made and ended inside mem_hotplug_begin() when there is no machine; 0 or -errno.
 * Its descriptor, or -1 without one.
 */
int tree_changes_share(void);
void tree_changes_unshare(void);
int tree_changes_fd(void);
/* One more change, so that nobody trusts what he knows. */
void tree_changes_count(void);
/* Text of a steady file, one page, at a path; `id` as below. Its length; -EAGAIN: it is not steady. */
ssize_t tree_read_steady(const char *path, u64 id, char *page);
/*
 * One try to read the whole text of a file into a page, without the heap. Its length, 0 and more;
 * -EFBIG: its text may be longer, tree_open() it; *busy: nothing was done, it would wait now. `page` holds MP_ATTR_SIZE.
 */
ssize_t tree_try_read(const char *path, u64 id, char *page, bool *busy);

/* Reading this file may wait for an operation; false also for what is no file. */
bool tree_read_waits(const char *path);
/*
 * For doors that carry out many requests at a time: one try, -ERESTARTNOINTR
 * when device_hotplug_lock was taken (LOCK-16). `id` is 0, or the object that is
 * meant: another at that path, or none, is -ENODEV (SYSFS-6).
 */
ssize_t tree_try_write(const char *path, u64 id, const char *buf, size_t count);
int tree_open(const char *path, u64 id, int flags, struct mp_file **file);
ssize_t tree_file_try_read(struct mp_file *file, char *buf, size_t count, off_t offset);
/* Reading it would wait for an operation now. */
bool tree_file_busy(struct mp_file *file);

/* 0 or -ENOMEM. */
int tree_init(void);
/* Removes everything as tree_rmdir() does. */
void tree_exit(void);
/*
 * A directory `name` under `parent`, with a NULL-terminated list of attributes
 * (may be NULL; kept by reference). NULL with *error: -ENOMEM, -EEXIST (the
 * name exists), -ENOENT (the parent is being removed), -EINVAL (name).
 */
struct mp_dir *tree_mkdir(struct mp_dir *parent, const char *name,
			  const struct tree_attr *const *attrs, void *owner, int *error);
/* Existing directory or a new plain one for each component of a path under `parent`. */
struct mp_dir *tree_mkpath(struct mp_dir *parent, const char *path, int *error);
/* The child directory, or NULL. Valid as long as the caller knows that nobody removes it. */
struct mp_dir *tree_lookup_dir(struct mp_dir *parent, const char *name);
/*
 * Takes a directory and everything below out of the tree: new opens fail
 * with -ENOENT, I/O on open files with -ENODEV; waits for show and store
 * calls that run (not the caller's own). Accepts NULL.
 */
void tree_rmdir(struct mp_dir *dir);
/* The same, but the directory itself stays, empty, until tree_rmdir(). */
void tree_empty(struct mp_dir *dir);
/* Relative link; 0, -EEXIST, -ENOMEM, -ENOENT, -EINVAL. */
int tree_link(struct mp_dir *parent, const char *name, const char *target);
/* Takes a link away; no effect when there is none. */
void tree_unlink(struct mp_dir *parent, const char *name);

#endif
