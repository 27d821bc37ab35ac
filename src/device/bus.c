/* SPDX-License-Identifier: MIT */
/*
 * Buses and subsystem roots. Registering one makes its directories and joins
 * the generic files with the bus's own into one list that all its devices
 * share. bus->lock guards the list of devices.
 */
#include <stdio.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/list.h>
#include "device/device_internal.h"
#include "os/os.h"

static size_t list_len(const struct tree_attr *const *list)
{
	size_t len = 0;

	while (list && list[len])
		len++;
	return len;
}

static const struct tree_attr **append(const struct tree_attr **to,
				       const struct tree_attr *const *list)
{
	while (list && *list)
		*to++ = *list++;
	return to;
}

static void free_private(struct device *root)
{
	os_free(container_of(root, struct bus_private, root));
}

static struct bus_private *new_private(const struct bus_type *bus,
				       const struct tree_attr *const *root_attrs)
{
	size_t nr = list_len(device_attrs) + list_len(bus->dev_attrs) +
		    list_len(subsys_root_attrs) + list_len(root_attrs) + 3;
	const struct tree_attr **end;
	struct bus_private *p = os_alloc(sizeof(*p) + nr * sizeof(p->attrs[0]));

	if (!p)
		return NULL;
	device_initialize(&p->root);
	snprintf(p->root.name, sizeof(p->root.name), "%s", bus->name);
	p->root.release = free_private;
	p->autoprobe = true;
	snprintf(p->subsystem_target, sizeof(p->subsystem_target), "../../../../bus/%s",
		 bus->name);
	p->subsystem = (struct tree_attr){ .name = "subsystem", .link = p->subsystem_target };
	p->dev_attrs = p->attrs;
	end = append(append(p->dev_attrs, device_attrs), bus->dev_attrs);
	*end++ = &p->subsystem;
	p->root_attrs = end + 1;
	append(append(p->root_attrs, subsys_root_attrs), root_attrs);
	return p;
}

static int make_dirs(struct bus_type *bus, struct bus_private *p)
{
	struct mp_dir *parent;
	int error;

	parent = tree_mkpath(tree_root, "sys/bus", &error);
	if (!parent)
		return error;
	p->bus_dir = tree_mkdir(parent, bus->name, bus_attrs, bus, &error);
	if (!p->bus_dir)
		return error;
	p->devices_dir = tree_mkdir(p->bus_dir, "devices", NULL, NULL, &error);
	if (!p->devices_dir)
		goto undo;
	parent = tree_mkpath(tree_root, "sys/devices/system", &error);
	if (!parent)
		goto undo;
	p->root.dir = tree_mkdir(parent, bus->name, p->root_attrs, &p->root, &error);
	if (!p->root.dir)
		goto undo;
	return 0;
undo:
	tree_rmdir(p->bus_dir);
	return error;
}

int subsys_register(struct bus_type *bus, const struct tree_attr *const *root_attrs)
{
	struct bus_private *p;
	int error;

	if (!tree_root)
		return -ENXIO;
	if (bus->p)
		return -EEXIST;
	device_hotplug_lock_init();
	p = new_private(bus, root_attrs);
	if (!p)
		return -ENOMEM;
	mp_mutex_init(&bus->lock, bus->name);
	INIT_LIST_HEAD(&bus->devices);
	bus->p = p;
	bus->dev_root = &p->root;
	error = make_dirs(bus, p);
	if (error) {
		bus->p = NULL;
		bus->dev_root = NULL;
		put_device(&p->root);
	}
	return error;
}

void subsys_unregister(struct bus_type *bus)
{
	struct bus_private *p = bus->p;

	if (!p)
		return;
	WARN(!list_empty(&bus->devices), "bus %s goes with devices on it", bus->name);
	tree_rmdir(p->root.dir);
	tree_rmdir(p->bus_dir);
	bus->p = NULL;
	bus->dev_root = NULL;
	put_device(&p->root);
}

struct mp_dir *subsys_root(struct bus_type *bus)
{
	return bus->p ? bus->p->root.dir : NULL;
}

/* The device behind `last` in the list, with a reference; `last` may have left meanwhile. */
static struct device *next_device(struct bus_type *bus, struct device *last, u64 sequence)
{
	struct list_head *at = &bus->devices;
	struct device *dev, *found = NULL;

	mutex_lock(&bus->lock);
	if (last && !list_empty(&last->bus_node))
		at = &last->bus_node;
	for (at = at->next; at != &bus->devices && !found; at = at->next) {
		dev = list_entry(at, struct device, bus_node);
		if (dev->bus_sequence > sequence)
			found = get_device(dev);
	}
	mutex_unlock(&bus->lock);
	return found;
}

int bus_for_each_dev(struct bus_type *bus, int (*fn)(struct device *dev, void *arg), void *arg)
{
	struct device *dev, *next;
	int ret = 0;

	if (!bus->p)
		return 0;
	for (dev = next_device(bus, NULL, 0); dev; dev = next) {
		ret = fn(dev, arg);
		next = ret ? NULL : next_device(bus, dev, dev->bus_sequence);
		put_device(dev);
	}
	return ret;
}
