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
struct tree_attr;
struct bus_private;

struct bus_type {
	const char *name;     /* "memory" */
	const char *dev_name; /* name of its devices without the number, or NULL */
	int (*online)(struct device *dev);
	int (*offline)(struct device *dev);
	/* Files of each device besides the generic ones, NULL-terminated; their owner is the
	 * device. May be NULL. */
	const struct tree_attr *const *dev_attrs;
	/* Set while the bus is registered. */
	struct bus_private *p;
	struct device *dev_root;  /* what /sys/devices/system/NAME stands for: parent of its devices */
	struct list_head devices; /* in order of registration */
	struct mutex lock;	  /* guards devices */
};

struct device {
	struct device *parent;
	const char *init_name;	/* taken when set; else bus->dev_name and id */
	char name[24];
	u32 id;
	struct bus_type *bus;
	struct mutex mutex;	/* the device lock */
	void (*release)(struct device *dev); /* the last reference is gone */
	void *driver_data;
	const void *fwnode; /* the firmware's object behind it, or NULL; device_hotplug_lock */
	bool offline_disabled;
	bool offline;
	bool registered;	/* device lock */
	bool power_on;		/* text of power/control; no effect */
	bool power_async;	/* text of power/async; no effect */
	int numa_node;		/* or NUMA_NO_NODE; set by who made the device */
	int refs;		/* atomic */
	int nr_online_children; /* atomic; devices below that can go offline and have not */
	struct list_head bus_node;
	u64 bus_sequence;	/* grows along the bus's list */
	struct mp_dir *dir;	/* while registered */
	struct list_head actions; /* devm_add_action(), the latest first; a lock of its own */
};

static inline const char *dev_name(const struct device *dev)
{
	return dev->name;
}

/*
 * device_hotplug_lock (LOCK-1). Uninterruptible. Twice by one thread, or from
 * a memory event callback: fatal hook.
 */
void lock_device_hotplug(void) MP_SYM(lock_device_hotplug);
void unlock_device_hotplug(void) MP_SYM(unlock_device_hotplug);
/*
 * One try; 0, or after about 5 ms -ERESTARTNOINTR: the caller gives up what
 * it holds of the attribute and starts again (LOCK-15..19). By a thread that
 * holds the lock: fatal hook, -EDEADLK.
 */
int lock_device_hotplug_sysfs(void) MP_SYM(lock_device_hotplug_sysfs);

void device_lock(struct device *dev) MP_SYM(device_lock);
int device_trylock(struct device *dev) MP_SYM(device_trylock);
void device_unlock(struct device *dev) MP_SYM(device_unlock);

struct device *get_device(struct device *dev) MP_SYM(get_device);
/* Drops a reference; the last one calls dev->release. Accepts NULL. */
void put_device(struct device *dev) MP_SYM(put_device);

/*
 * bus->online(), `online` uevent. 0, 1 when it was online already, or the
 * bus's errno (BLOCK-19). From a memory event callback: fatal hook, -EDEADLK.
 */
int device_online(struct device *dev) MP_SYM(device_online);
/*
 * bus->offline(), `offline` uevent. 0, 1 when it was offline already, -EPERM
 * (offline_disabled), -EBUSY (a device below is online), or the bus's errno
 * (BLOCK-20). From a memory event callback: fatal hook, -EDEADLK.
 */
int device_offline(struct device *dev) MP_SYM(device_offline);
static inline bool device_is_registered(struct device *dev)
{
	return dev->registered;
}

/* First reference, lock, no actions, no node. No error. */
void device_initialize(struct device *dev) MP_SYM(device_initialize);
/*
 * Enters bus and tree, sends `add`. `bus` must be registered and set, with a
 * name or an id. 0, -EEXIST (nothing was created), -ENOMEM, -EINVAL (no bus, no
 * name). On failure the caller drops its reference with put_device().
 */
int device_add(struct device *dev) MP_SYM(device_add);
int device_register(struct device *dev) MP_SYM(device_register);
/* Leaves the tree, sends `remove`, drops the first reference. */
void device_unregister(struct device *dev) MP_SYM(device_unregister);

/*
 * Has fn(data) called when the device goes: by device_unregister(), or by the
 * last put_device() of one that was never registered; the latest first. It
 * may sleep. 0, -EINVAL (no dev or fn), -ENOMEM.
 */
int devm_add_action(struct device *dev, void (*fn)(void *data), void *data)
	MP_SYM(devm_add_action);
/* The same; on failure fn(data) is called at once. */
int devm_add_action_or_reset(struct device *dev, void (*fn)(void *data), void *data)
	MP_SYM(devm_add_action_or_reset);
/* Forgets the latest such action without calling it; WARNs when there is none. */
void devm_remove_action(struct device *dev, void (*fn)(void *data), void *data)
	MP_SYM(devm_remove_action);
/* Calls the latest such action now; WARNs when there is none. */
void devm_release_action(struct device *dev, void (*fn)(void *data), void *data)
	MP_SYM(devm_release_action);

static inline int dev_to_node(const struct device *dev)
{
	return dev->numa_node;
}
static inline void set_dev_node(struct device *dev, int nid)
{
	dev->numa_node = nid;
}
static inline void *dev_get_drvdata(const struct device *dev)
{
	return dev->driver_data;
}
static inline void dev_set_drvdata(struct device *dev, void *data)
{
	dev->driver_data = data;
}

#endif
