/* SPDX-License-Identifier: MIT */
/*
 * The files that every device, every subsystem root and every bus has. The
 * owner of the first two is a struct device, of the last a struct bus_type.
 */
#include <string.h>
#include <linux/errno.h>
#include "device/device_internal.h"
#include "device/text.h"
#include "device/uevent.h"

static ssize_t online_show(void *owner, const struct tree_attr *attr, char *buf)
{
	struct device *dev = owner;
	bool online;
	int error = device_lock_or_fail(dev, "reading `online`", __builtin_return_address(0));

	if (error)
		return error;
	online = !dev->offline;
	device_unlock(dev);
	return page_printf(buf, 0, "%d\n", online);
}

static ssize_t online_store(void *owner, const struct tree_attr *attr, const char *buf,
			    size_t count)
{
	struct device *dev = owner;
	bool online;
	int ret = parse_bool(buf, &online);

	if (!ret)
		ret = lock_device_hotplug_sysfs();
	if (ret)
		return ret;
	ret = online ? device_online(dev) : device_offline(dev);
	unlock_device_hotplug();
	/* A deadline is memplug's own; a program behind the tree knows EINTR (DESIGN D14). */
	if (ret == -ETIMEDOUT)
		ret = -EINTR;
	/* 1, nothing to do, is success here, unlike in `state` (SYSFS-23). */
	return ret < 0 ? ret : (ssize_t)count;
}

static bool online_visible(void *owner, const struct tree_attr *attr)
{
	const struct device *dev = owner;

	return device_supports_offline(dev) && !dev->offline_disabled;
}

static bool device_busy(void *owner)
{
	return mutex_is_locked(&((struct device *)owner)->mutex);
}

/* Empty, but it waits for a transaction of the device as `online` does (LOCK-21). */
static ssize_t uevent_show(void *owner, const struct tree_attr *attr, char *buf)
{
	struct device *dev = owner;
	int error = device_lock_or_fail(dev, "reading `uevent`", __builtin_return_address(0));

	if (error)
		return error;
	device_unlock(dev);
	return 0;
}

static ssize_t device_uevent_store(void *owner, const struct tree_attr *attr, const char *buf,
				   size_t count)
{
	const struct device *dev = owner;
	char path[DEVPATH_MAX];

	device_path(dev, path);
	return uevent_store(path, dev->bus->name, buf, count);
}

static ssize_t root_uevent_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return 0;
}

static ssize_t root_uevent_store(void *owner, const struct tree_attr *attr, const char *buf,
				 size_t count)
{
	return uevent_store(NULL, NULL, buf, count);
}

static ssize_t control_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct device *dev = owner;

	return page_printf(buf, 0, "%s\n", READ_ONCE(dev->power_on) ? "on" : "auto");
}

/* One of two words. */
static ssize_t word_store(const char *buf, size_t count, const char *yes, const char *no, bool *value)
{
	bool is = sysfs_streq(buf, yes);

	if (!is && !sysfs_streq(buf, no))
		return -EINVAL;
	WRITE_ONCE(*value, is);
	return (ssize_t)count;
}

static ssize_t control_store(void *owner, const struct tree_attr *attr, const char *buf,
			     size_t count)
{
	return word_store(buf, count, "on", "auto", &((struct device *)owner)->power_on);
}

static ssize_t async_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct device *dev = owner;

	return page_printf(buf, 0, "%s\n", READ_ONCE(dev->power_async) ? "enabled" : "disabled");
}

static ssize_t async_store(void *owner, const struct tree_attr *attr, const char *buf,
			   size_t count)
{
	return word_store(buf, count, "enabled", "disabled", &((struct device *)owner)->power_async);
}

/* There is no run-time power management that `control` could forbid. */
static ssize_t enabled_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct device *dev = owner;

	return page_printf(buf, 0, "disabled%s\n", READ_ONCE(dev->power_on) ? " & forbidden" : "");
}

static ssize_t status_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "unsupported\n");
}

static ssize_t zero_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "0\n");
}

/* No device here uses autosuspend, and without it the file cannot be read or written. */
static ssize_t no_delay_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return -EIO;
}

static ssize_t no_delay_store(void *owner, const struct tree_attr *attr, const char *buf,
			      size_t count)
{
	return -EIO;
}

static const struct tree_attr online_attr = { .name = "online", .mode = 0644, .waits = true, .busy = device_busy, .show = online_show,
					      .store = online_store, .visible = online_visible };
static const struct tree_attr uevent_attr = { .name = "uevent", .mode = 0644, .waits = true, .busy = device_busy, .show = uevent_show,
					      .store = device_uevent_store };
static const struct tree_attr root_uevent_attr = { .name = "uevent", .mode = 0644,
						   .show = root_uevent_show,
						   .store = root_uevent_store };
static const struct tree_attr control_attr = { .name = "power/control", .mode = 0644,
					       .show = control_show, .store = control_store };
static const struct tree_attr status_attr = { .name = "power/runtime_status", .mode = 0444,
					      .show = status_show };
static const struct tree_attr active_attr = { .name = "power/runtime_active_time", .mode = 0444,
					      .show = zero_show };
static const struct tree_attr suspended_attr = { .name = "power/runtime_suspended_time",
						 .mode = 0444, .show = zero_show };
static const struct tree_attr delay_attr = { .name = "power/autosuspend_delay_ms", .mode = 0644,
					     .show = no_delay_show, .store = no_delay_store };

static const struct tree_attr async_attr = { .name = "power/async", .mode = 0644,
					     .show = async_show, .store = async_store };
static const struct tree_attr enabled_attr = { .name = "power/runtime_enabled", .mode = 0444,
					       .show = enabled_show };
static const struct tree_attr kids_attr = { .name = "power/runtime_active_kids", .mode = 0444,
					    .show = zero_show };
static const struct tree_attr usage_attr = { .name = "power/runtime_usage", .mode = 0444,
					     .show = zero_show };

#define POWER_ATTRS                                                                                \
	&control_attr, &status_attr, &active_attr, &suspended_attr, &delay_attr, &async_attr,      \
		&enabled_attr, &kids_attr, &usage_attr

const struct tree_attr *const device_attrs[] = { &uevent_attr, &online_attr, POWER_ATTRS, NULL };
const struct tree_attr *const subsys_root_attrs[] = { &root_uevent_attr, POWER_ATTRS, NULL };

static ssize_t autoprobe_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct bus_type *bus = owner;

	return page_printf(buf, 0, "%d\n", READ_ONCE(bus->p->autoprobe));
}

static ssize_t autoprobe_store(void *owner, const struct tree_attr *attr, const char *buf,
			       size_t count)
{
	struct bus_type *bus = owner;

	WRITE_ONCE(bus->p->autoprobe, buf[0] != '0');
	return (ssize_t)count;
}

static int has_name(struct device *dev, void *name)
{
	return sysfs_streq(name, dev_name(dev));
}

/* There are no drivers: a device that exists is probed by nobody. */
static ssize_t probe_store(void *owner, const struct tree_attr *attr, const char *buf,
			   size_t count)
{
	return bus_for_each_dev(owner, has_name, (void *)buf) ? (ssize_t)count : -EINVAL;
}

static ssize_t bus_uevent_store(void *owner, const struct tree_attr *attr, const char *buf,
				size_t count)
{
	const struct bus_type *bus = owner;
	char path[DEVPATH_MAX];

	snprintf(path, sizeof(path), "/bus/%s", bus->name);
	return uevent_store(path, "bus", buf, count);
}

static const struct tree_attr autoprobe_attr = { .name = "drivers_autoprobe", .mode = 0644,
						 .show = autoprobe_show,
						 .store = autoprobe_store };
static const struct tree_attr probe_attr = { .name = "drivers_probe", .mode = 0200,
					     .store = probe_store };
static const struct tree_attr bus_uevent_attr = { .name = "uevent", .mode = 0200,
						  .store = bus_uevent_store };
static const struct tree_attr drivers_dir = { .name = "drivers/" };

const struct tree_attr *const bus_attrs[] = { &autoprobe_attr, &probe_attr, &bus_uevent_attr,
					      &drivers_dir, NULL };
