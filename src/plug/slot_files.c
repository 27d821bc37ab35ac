// SPDX-License-Identifier: MIT
/*
 * The devices of plugged DIMMs: /sys/devices/LNXSYSTM:00/LNXSYBUS:00/PNP0C80:NN,
 * NN being the slot, with a link on the acpi bus and links to and from the
 * blocks. Made and removed under device_hotplug_lock.
 */
#include <stdio.h>
#include <linux/errno.h>
#include "device/text.h"
#include "device/tree.h"
#include "plug/slot.h"

#define PARENT "LNXSYSTM:00/LNXSYBUS:00"

static struct {
	struct mp_dir *parent, *bus; /* change at boot and shutdown only */
} places;

static ssize_t hid_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "PNP0C80\n");
}

/* Present, enabled, shown, working. */
static ssize_t status_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "15\n");
}

static ssize_t path_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct slot *slot = owner;

	return page_printf(buf, 0, "\\_SB_.MHPC.MP%02X\n", (unsigned int)slot->number);
}

/* How it ends is told as a status, not to the writer. */
static ssize_t eject_store(void *owner, const struct tree_attr *attr, const char *buf,
			   size_t count)
{
	int ret;

	if (!count || buf[0] != '1')
		return -EINVAL;
	ret = lock_device_hotplug_sysfs();
	if (ret)
		return ret;
	slot_eject_locked(owner, MP_SLOT_SOURCE_OS);
	unlock_device_hotplug();
	return (ssize_t)count;
}

static const struct tree_attr hid_attr = { .name = "hid", .mode = 0444, .show = hid_show };
static const struct tree_attr status_attr = { .name = "status", .mode = 0444, .show = status_show };
static const struct tree_attr path_attr = { .name = "path", .mode = 0444, .show = path_show };
static const struct tree_attr eject_attr = { .name = "eject", .mode = 0200,
					     .store = eject_store };
static const struct tree_attr *const slot_attrs[] = { &hid_attr, &status_attr, &path_attr,
						      &eject_attr, NULL };

static void device_name(const struct slot *slot, char *name, size_t size)
{
	snprintf(name, size, "PNP0C80:%02x", (unsigned int)slot->number);
}

int slot_files_register(void)
{
	int error;

	places.parent = tree_mkpath(tree_root, "sys/devices/" PARENT, &error);
	if (!places.parent)
		return error;
	places.bus = tree_mkpath(tree_root, "sys/bus/acpi/devices", &error);
	return places.bus ? 0 : error;
}

int slot_files_add(struct slot *slot)
{
	char name[24], target[80];
	int error;

	device_name(slot, name, sizeof(name));
	slot->dir = tree_mkdir(places.parent, name, slot_attrs, slot, &error);
	if (!slot->dir)
		return error;
	snprintf(target, sizeof(target), "../../../devices/" PARENT "/%s", name);
	error = tree_link(places.bus, name, target);
	if (error)
		slot_files_remove(slot);
	return error;
}

void slot_files_remove(struct slot *slot)
{
	char name[24];

	device_name(slot, name, sizeof(name));
	tree_unlink(places.bus, name);
	tree_rmdir(slot->dir);
	slot->dir = NULL;
}

int slot_files_link(struct slot *slot, struct memory_block *mem)
{
	char name[32], target[96], device[24];
	int error;

	device_name(slot, device, sizeof(device));
	snprintf(target, sizeof(target), "../../../" PARENT "/%s", device);
	error = tree_link(mem->dev.dir, "firmware_node", target);
	if (error)
		return error;
	/* The first has no number. */
	snprintf(name, sizeof(name), "physical_node%.0lu", slot->linked);
	snprintf(target, sizeof(target), "../../../system/memory/%s", dev_name(&mem->dev));
	error = tree_link(slot->dir, name, target);
	if (!error)
		slot->linked++;
	return error;
}
