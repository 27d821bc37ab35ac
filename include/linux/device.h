/* SPDX-License-Identifier: MIT */
/*
 * Devices: named objects on a bus with a lock, attributes, a reference count
 * and, where the bus supports it, an online/offline life.
 *
 * | call                  | needs                        | takes        | may sleep |
 * | device_online/offline | device_hotplug_lock (advised)| device lock  | yes       |
 * | device_lock           | nothing                      | -            | yes       |
 * | get/put_device        | nothing / a reference        | -            | put: yes  |
 */
#ifndef MEMPLUG_LINUX_DEVICE_H
#define MEMPLUG_LINUX_DEVICE_H

#include <linux/types.h>
#include <linux/list.h>
#include <linux/mutex.h>

struct device;
struct mp_dir;

struct device_attribute {
	const char *name;
	unsigned short mode;
	/* Writes the text into `buf` of one page; its length or -errno. Never allocates. */
	ssize_t (*show)(struct device *dev, struct device_attribute *attr, char *buf);
	/* `buf` is NUL-terminated behind `count` bytes; `count` or -errno. */
	ssize_t (*store)(struct device *dev, struct device_attribute *attr, const char *buf,
			 size_t count);
};

struct bus_type {
	const char *name;     /* "memory" */
	const char *dev_name; /* name of its devices without the number, or NULL */
	int (*online)(struct device *dev);
	int (*offline)(struct device *dev);
	struct device *dev_root;
	struct list_head devices; /* in order of registration */
	struct mutex lock;	  /* guards devices */
	struct mp_dir *dir, *devices_dir;
};

struct device {
	struct device *parent;
	const char *init_name;	/* taken when set; else bus->dev_name and id */
	char name[24];
	u32 id;
	struct bus_type *bus;
	struct mutex mutex;	/* the device lock */
	const struct device_attribute *const *attrs; /* NULL-terminated, besides the bus's own */
	void (*release)(struct device *dev);	     /* the last reference is gone */
	void *driver_data;
	bool offline_disabled;
	bool offline;
	int refs;
	int nr_online_children; /* children that can go offline and have not */
	bool registered;
	struct list_head bus_node;
	struct mp_dir *dir;
};

#define to_dev_name(dev) ((dev)->name)
static inline const char *dev_name(const struct device *dev)
{
	return dev->name;
}

/* device_hotplug_lock (LOCK-1). Uninterruptible. Twice by one thread: fatal hook. */
void lock_device_hotplug(void) MP_SYM(lock_device_hotplug);
void unlock_device_hotplug(void) MP_SYM(unlock_device_hotplug);
/*
 * One try; 0, or after about 5 ms -ERESTARTNOINTR: the caller gives up what
 * it holds of the attribute and starts again (LOCK-15..19).
 */
int lock_device_hotplug_sysfs(void) MP_SYM(lock_device_hotplug_sysfs);

void device_lock(struct device *dev) MP_SYM(device_lock);
int device_trylock(struct device *dev) MP_SYM(device_trylock);
void device_unlock(struct device *dev) MP_SYM(device_unlock);

struct device *get_device(struct device *dev) MP_SYM(get_device);
/* Drops a reference; the last one calls dev->release. Accepts NULL. */
void put_device(struct device *dev) MP_SYM(put_device);

/* bus->online(), `online` uevent. 0, 1 when it was online already, or the bus's errno (BLOCK-19). */
int device_online(struct device *dev) MP_SYM(device_online);
/* bus->offline(), `offline` uevent. 0, 1, -EPERM (disabled), -EBUSY (child), errno (BLOCK-20). */
int device_offline(struct device *dev) MP_SYM(device_offline);
static inline bool device_is_registered(struct device *dev)
{
	return dev->registered;
}

/* First reference, lock, name. No error. */
void device_initialize(struct device *dev) MP_SYM(device_initialize);
/* Enters the tree, sends `add`. 0, -EEXIST, -ENOMEM, -EINVAL. On failure put_device(). */
int device_add(struct device *dev) MP_SYM(device_add);
int device_register(struct device *dev) MP_SYM(device_register);
/* Leaves the tree, sends `remove`, drops the first reference. */
void device_unregister(struct device *dev) MP_SYM(device_unregister);

static inline void *dev_get_drvdata(const struct device *dev)
{
	return dev->driver_data;
}
static inline void dev_set_drvdata(struct device *dev, void *data)
{
	dev->driver_data = data;
}

#endif
