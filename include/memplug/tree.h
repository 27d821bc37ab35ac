/* SPDX-License-Identifier: MIT */
/*
 * The attribute tree: what Linux shows under /sys, /proc and debugfs, read and
 * written in-process. Paths begin at the root, as in Linux:
 * "/sys/devices/system/memory/memory7/state", "/proc/zoneinfo".
 * Text, modes and errno follow SPEC 2.3 to 2.5.
 */
#ifndef MEMPLUG_TREE_H
#define MEMPLUG_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MP_ATTR_SIZE 4096

/* Everywhere below, a NULL where something is needed is -EINVAL. */

/*
 * Reads a whole file. Returns its length (at most size; the text is
 * NUL-terminated when it fits), or -ENOENT, -ENOTDIR, -ELOOP, -EACCES (no read
 * bit, also for root), -EISDIR, -ENXIO, or the attribute's errno.
 */
ssize_t mp_read(const char *path, char *buf, size_t size);
/*
 * Writes `count` bytes as one write(2) would: cut at 4096, 0 bytes return 0
 * without reaching the attribute (SYSFS-4). Waits for device_hotplug_lock by
 * restarting (LOCK-16). Returns the bytes taken or -errno. Whole transactions
 * run inside: may sleep for as long as an offline takes.
 */
ssize_t mp_write(const char *path, const char *buf, size_t count);
/* mp_write() of a C string; 0 or -errno. */
int mp_write_string(const char *path, const char *text);

/* An open file: its text is generated at the first read and kept (SYSFS-1). */
struct mp_file;
/* `flags`: O_RDONLY, O_WRONLY or O_RDWR; O_TRUNC is ignored. 0 or -errno. */
int mp_open(const char *path, int flags, struct mp_file **file);
/* -ENODEV when the object is gone (SYSFS-6). Offset 0 generates the text again. */
ssize_t mp_file_read(struct mp_file *file, char *buf, size_t count, off_t offset);
ssize_t mp_file_write(struct mp_file *file, const char *buf, size_t count);
void mp_file_close(struct mp_file *file);

enum mp_entry_type { MP_ENTRY_FILE, MP_ENTRY_DIR, MP_ENTRY_LINK };
struct mp_entry {
	char name[64];
	enum mp_entry_type type;
	unsigned int mode; /* permission bits */
	bool waits;	   /* a file: reading it may wait for an operation that runs */
	bool steady;	   /* a file: its text changes only where struct mp_changes counts */
	size_t size;	   /* 4096 for attributes, 0 otherwise */
	uint64_t id;	   /* of this object: one that is made again has another; 0: the root */
	char target[128];  /* of a link, relative */
};
/* Looks at one path without following a final link. 0, -ENOENT, -ENOTDIR, -ENXIO. */
int mp_stat(const char *path, struct mp_entry *entry);
/*
 * Calls `fn` for each entry of a directory in name order; stops at non-zero
 * and returns it. Else 0, -ENOENT, -ENOTDIR, -ENOMEM, -ENXIO.
 */
int mp_list(const char *path, int (*fn)(const struct mp_entry *entry, void *arg), void *arg);

/*
 * Uevents: `text` is the message of UEVENT-1, `size` bytes with its NULs.
 * Listeners are called in emission order from the emitting thread, with
 * hotplug locks held: copy and return. 0, -ENOMEM, -ENOENT (unlisten).
 */
typedef void (*mp_uevent_fn)(const char *text, size_t size, void *arg);
int mp_uevent_listen(mp_uevent_fn fn, void *arg);
int mp_uevent_unlisten(mp_uevent_fn fn, void *arg);

/*
 * Notifier error injection (INJECT-1..8): what insmod and rmmod of the module
 * do; mp_shutdown() unloads it. 0, -ENXIO, -ENOMEM; load: -EEXIST when it is
 * there; unload: -ENOENT when it is not.
 */
int mp_inject_load(int priority);
int mp_inject_unload(void);

#ifdef __cplusplus
}
#endif
#endif
