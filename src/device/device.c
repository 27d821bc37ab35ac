/* SPDX-License-Identifier: MIT */
/*
 * Devices: references, the device lock, entering and leaving the tree, online
 * and offline. The device lock guards `offline` and `registered`; the bus's
 * lock its list; device_hotplug_lock, held by the callers, the rest.
 */
#include <stdio.h>
#include <string.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/list.h>
#include <linux/nodemask.h>
#include "device/device_internal.h"
#include "device/uevent.h"
#include "report/report.h"
#include "sync/changes.h"
#include "sync/lockorder.h"
#include "sync/thread.h"

/* ---- lock and references ---- */

static void lock_at(struct device *dev, const void *site)
{
	lockorder_acquire(LOCK_DEVICE, site);
	mutex_lock(&dev->mutex);
	dev->mutex.site = site;
}

void device_lock(struct device *dev)
{
	lock_at(dev, __builtin_return_address(0));
}

int device_trylock(struct device *dev)
{
	if (!mutex_trylock(&dev->mutex))
		return 0;
	lockorder_acquire(LOCK_DEVICE, __builtin_return_address(0));
	return 1;
}

void device_unlock(struct device *dev)
{
	lockorder_release(LOCK_DEVICE);
	mutex_unlock(&dev->mutex);
}

int device_lock_or_fail(struct device *dev, const char *what, const void *site)
{
	char here[128], there[128];

	if (!mutex_held(&dev->mutex)) {
		lock_at(dev, site);
		return 0;
	}
	mp_symbol_name(site, here, sizeof(here));
	mp_symbol_name(dev->mutex.site, there, sizeof(there));
	mp_fatal_at(__FILE__, __LINE__,
		    "%s of %s at %s by the thread that took its lock at %s: waits for itself", what,
		    dev->name, here, there);
	return -EDEADLK;
}

struct device *get_device(struct device *dev)
{
	if (dev)
		__atomic_fetch_add(&dev->refs, 1, __ATOMIC_RELAXED);
	return dev;
}

void put_device(struct device *dev)
{
	/* Release and acquire: what other holders did comes before release() frees it. */
	if (!dev || __atomic_fetch_sub(&dev->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	devres_release_all(dev);
	if (!WARN(!dev->release, "%s has no release function", dev->name))
		dev->release(dev);
}

/* ---- registration ---- */

void device_initialize(struct device *dev)
{
	dev->refs = 1;
	mp_mutex_init(&dev->mutex, "device");
	INIT_LIST_HEAD(&dev->bus_node);
	INIT_LIST_HEAD(&dev->actions);
	dev->numa_node = NUMA_NO_NODE;
}

void device_path(const struct device *dev, char *path)
{
	snprintf(path, DEVPATH_MAX, "/devices/system/%s/%s", dev->bus->name, dev->name);
}

static void send_uevent(const struct device *dev, const char *action)
{
	char path[DEVPATH_MAX];

	device_path(dev, path);
	uevent_send(action, path, dev->bus->name, NULL);
}

static int set_name(struct device *dev)
{
	int len = 0;

	if (dev->init_name)
		len = snprintf(dev->name, sizeof(dev->name), "%s", dev->init_name);
	else if (dev->bus->dev_name)
		len = snprintf(dev->name, sizeof(dev->name), "%s%u", dev->bus->dev_name, dev->id);
	return len > 0 && len < (int)sizeof(dev->name) ? 0 : -EINVAL;
}

/* The device went online (1) or offline (-1) for whatever is above it. */
static void count_online(struct device *dev, int change)
{
	struct device *above;

	if (!device_supports_offline(dev))
		return;
	for (above = dev->parent; above; above = above->parent)
		__atomic_fetch_add(&above->nr_online_children, change, __ATOMIC_RELAXED);
}

/* Directory, files and links; all or nothing. */
static int enter_tree(struct device *dev)
{
	struct bus_private *p = dev->bus->p;
	char target[DEVPATH_MAX];
	int error;

	dev->dir = tree_mkdir(p->root.dir, dev->name, p->dev_attrs, dev, &error);
	if (!dev->dir)
		return error;
	snprintf(target, sizeof(target), "../../../devices/system/%s/%s", dev->bus->name,
		 dev->name);
	error = tree_link(p->devices_dir, dev->name, target);
	if (error) {
		tree_rmdir(dev->dir);
		dev->dir = NULL;
	}
	return error;
}

int device_add(struct device *dev)
{
	struct bus_type *bus = dev->bus;
	int error;

	if (!bus || !bus->p)
		return -EINVAL;
	error = set_name(dev);
	if (error)
		return error;
	dev->parent = get_device(dev->parent ? dev->parent : bus->dev_root);
	error = enter_tree(dev);
	if (error) {
		put_device(dev->parent);
		dev->parent = NULL;
		return error;
	}
	mutex_lock(&bus->lock);
	dev->bus_sequence = ++bus->p->sequence;
	list_add_tail(&dev->bus_node, &bus->devices);
	mutex_unlock(&bus->lock);

	send_uevent(dev, "add");
	/*
	 * The one place where an adder, who holds mem_hotplug_lock, wants a device
	 * lock: only device_hotplug_lock keeps an onliner from holding it (LOCK-13).
	 */
	device_lock(dev);
	dev->registered = true;
	if (!dev->offline)
		count_online(dev, 1);
	device_unlock(dev);
	return 0;
}

int device_register(struct device *dev)
{
	device_initialize(dev);
	return device_add(dev);
}

void device_unregister(struct device *dev)
{
	struct bus_type *bus = dev->bus;
	bool registered;

	device_lock(dev);
	registered = dev->registered;
	dev->registered = false;
	if (registered && !dev->offline)
		count_online(dev, -1);
	device_unlock(dev);
	if (WARN(!registered, "%s is not registered", dev->name))
		return;

	tree_unlink(bus->p->devices_dir, dev->name);
	mutex_lock(&bus->lock);
	list_del_init(&dev->bus_node);
	mutex_unlock(&bus->lock);
	devres_release_all(dev);
	/* At `remove` only the empty directory is left (UEVENT-8); nobody keeps what he finds then. */
	tree_empty(dev->dir);
	changes_begin();
	send_uevent(dev, "remove");
	tree_rmdir(dev->dir);
	changes_end();
	dev->dir = NULL;
	put_device(dev->parent);
	dev->parent = NULL;
	put_device(dev);
}

/* ---- online and offline ---- */

static void set_offline(struct device *dev, bool offline)
{
	send_uevent(dev, offline ? "offline" : "online");
	/* Behind the event: whoever reads `online` waits for the device lock (UEVENT-7). */
	dev->offline = offline;
	if (dev->registered)
		count_online(dev, offline ? -1 : 1);
}

int device_online(struct device *dev)
{
	const void *site = __builtin_return_address(0);
	int ret;

	if (refuse_in_callback("device_online()", site))
		return -EDEADLK;
	ret = device_lock_or_fail(dev, "device_online()", site);
	if (ret)
		return ret;
	if (device_supports_offline(dev)) {
		ret = dev->offline ? dev->bus->online(dev) : 1;
		if (!ret)
			set_offline(dev, false);
	}
	device_unlock(dev);
	return ret;
}

int device_offline(struct device *dev)
{
	const void *site = __builtin_return_address(0);
	int ret;

	if (refuse_in_callback("device_offline()", site))
		return -EDEADLK;
	if (dev->offline_disabled)
		return reason_set(MP_REASON_STATE, -EPERM, dev->name,
				  "%s: offline refused: this device must stay online", dev->name);
	if (__atomic_load_n(&dev->nr_online_children, __ATOMIC_RELAXED))
		return reason_set(MP_REASON_STATE, -EBUSY, dev->name,
				  "%s: offline refused: devices below it are online; offline them first",
				  dev->name);
	ret = device_lock_or_fail(dev, "device_offline()", site);
	if (ret)
		return ret;
	if (device_supports_offline(dev)) {
		ret = dev->offline ? 1 : dev->bus->offline(dev);
		if (!ret)
			set_offline(dev, true);
	}
	device_unlock(dev);
	return ret;
}
