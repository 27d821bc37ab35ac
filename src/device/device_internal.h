/* SPDX-License-Identifier: MIT */
/* What the files of devices, buses and their locks share. */
#ifndef MEMPLUG_DEVICE_DEVICE_INTERNAL_H
#define MEMPLUG_DEVICE_DEVICE_INTERNAL_H

#include <linux/device.h>
#include "device/bus.h"

#define DEVPATH_MAX 96

struct bus_private {
	struct device root;	      /* bus->dev_root; frees this */
	struct mp_dir *bus_dir;	      /* /sys/bus/NAME */
	struct mp_dir *devices_dir;   /* /sys/bus/NAME/devices */
	u64 sequence;		      /* of the device registered last; bus->lock */
	bool autoprobe;		      /* atomic; text of drivers_autoprobe, no effect */
	struct tree_attr subsystem;   /* the link of each device */
	char subsystem_target[64];
	const struct tree_attr **dev_attrs;  /* generic ones, bus->dev_attrs */
	const struct tree_attr **root_attrs; /* generic ones, those given at registration */
	const struct tree_attr *attrs[];     /* room for both */
};

/* NULL-terminated: uevent, online, power/; uevent, power/ of a subsystem root; files of a bus. */
extern const struct tree_attr *const device_attrs[];
extern const struct tree_attr *const subsys_root_attrs[];
extern const struct tree_attr *const bus_attrs[];

void device_hotplug_lock_init(void);
/* By the calling thread. */
bool mutex_held(const struct mutex *mutex);
/* The device lock for a function that can fail: 0, or -EDEADLK after the fatal hook returned. */
int device_lock_or_fail(struct device *dev, const char *what, const void *site);

/* The actions of devm_add_action(), called and forgotten. No lock held. */
void devres_release_all(struct device *dev);

static inline bool device_supports_offline(const struct device *dev)
{
	return dev->bus && dev->bus->online && dev->bus->offline;
}
/* "/devices/system/BUS/NAME" */
void device_path(const struct device *dev, char *path);

#endif
