/* SPDX-License-Identifier: MIT */
/* Buses and subsystem roots: /sys/bus/NAME and /sys/devices/system/NAME. */
#ifndef MEMPLUG_DEVICE_BUS_H
#define MEMPLUG_DEVICE_BUS_H

#include <linux/device.h>
#include "device/tree.h"

/*
 * Makes /sys/bus/NAME (devices/, drivers/, drivers_autoprobe, drivers_probe,
 * uevent) and /sys/devices/system/NAME with uevent, power/ and `root_attrs`.
 * 0 or -errno, nothing left on failure.
 */
int subsys_register(struct bus_type *bus, const struct tree_attr *const *root_attrs);
void subsys_unregister(struct bus_type *bus);
/* /sys/devices/system/NAME of a registered bus. */
struct mp_dir *subsys_root(struct bus_type *bus);

/* device_hotplug_lock, for the layers that hold it over several steps. */
bool device_hotplug_lock_held(void);
/* Calls fn for each device of the bus in order of registration, with a reference, bus lock not
 * held during the call; stops at non-zero. */
int bus_for_each_dev(struct bus_type *bus, int (*fn)(struct device *dev, void *arg), void *arg);

/* Parsers of text attributes: 0 or -EINVAL / -ERANGE. One trailing newline is allowed. */
int parse_bool(const char *s, bool *value);		   /* SYSFS-22 */
int parse_u64(const char *s, u64 *value);		   /* decimal, 0x, 0; optional + (SYSFS-11) */
int parse_s64(const char *s, s64 *value);		   /* optional sign (INJECT-4) */
int parse_u32(const char *s, u32 *value);		   /* PARAM-3 */
bool sysfs_streq(const char *a, const char *word);	   /* whole word, one newline tolerated */

#endif
