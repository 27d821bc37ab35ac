/* SPDX-License-Identifier: MIT */
/*
 * The attribute tree: directories with groups of attributes, and links. It
 * knows no memory; owners hang their objects in and every door walks it.
 *
 * One lock guards its shape; show and store run without it, holding an active
 * reference on the directory that removal waits for (LOCK-18).
 */
#ifndef MEMPLUG_DEVICE_TREE_H
#define MEMPLUG_DEVICE_TREE_H

#include <linux/types.h>
#include <memplug/tree.h>

struct mp_dir;

/* One file of a directory; `owner` is what the directory was made with. */
struct tree_attr {
	const char *name;
	unsigned short mode;
	/* Into one page; length or -errno. `attr` lets one function serve several files. */
	ssize_t (*show)(void *owner, const struct tree_attr *attr, char *buf);
	/* NUL-terminated behind count (<= 4096) bytes; count, or -errno; -ERESTARTNOINTR restarts. */
	ssize_t (*store)(void *owner, const struct tree_attr *attr, const char *buf, size_t count);
	/* For files larger than a page (/proc): text from *pos on; instead of show. */
	ssize_t (*show_long)(void *owner, const struct tree_attr *attr, char **text);
	long data;			/* for the functions */
	bool (*visible)(void *owner, const struct tree_attr *attr); /* NULL: always */
};

extern struct mp_dir *tree_root; /* "/" ; lives from tree_init() to tree_exit() */

int tree_init(void);
void tree_exit(void);
/*
 * A directory `name` under `parent`, with a NULL-terminated list of attributes
 * (may be NULL; kept by reference). NULL: no memory or the name exists (*error).
 */
struct mp_dir *tree_mkdir(struct mp_dir *parent, const char *name,
			  const struct tree_attr *const *attrs, void *owner, int *error);
/* Existing directory or a new plain one for each component of a path under `parent`. */
struct mp_dir *tree_mkpath(struct mp_dir *parent, const char *path, int *error);
struct mp_dir *tree_lookup_dir(struct mp_dir *parent, const char *name);
/*
 * Takes a directory and everything below out of the tree: new opens fail
 * with -ENOENT, I/O on open files with -ENODEV; waits for show and store
 * calls that run (not the caller's own).
 */
void tree_rmdir(struct mp_dir *dir);
/* Relative link; 0, -EEXIST, -ENOMEM. */
int tree_link(struct mp_dir *parent, const char *name, const char *target);
void tree_unlink(struct mp_dir *parent, const char *name);

/* Walks one path; for doors. Same results as mp_read etc. */
#endif
