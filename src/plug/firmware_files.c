/* SPDX-License-Identifier: MIT */
/*
 * /sys/firmware/memmap/N: one directory per entry of the firmware memory map
 * (RES-10). The entries belong to hotplug/firmware_map.c, which calls here when
 * one comes or goes.
 */
#include <stdio.h>
#include <linux/errno.h>
#include <linux/printk.h>
#include "device/text.h"
#include "device/tree.h"
#include "hotplug/hotplug.h"
#include "plug/plug_files.h"

static struct mp_dir *memmap_dir; /* changes at boot and shutdown only */

static ssize_t start_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct firmware_map_entry *entry = owner;

	return page_printf(buf, 0, "0x%llx\n", (unsigned long long)entry->start);
}

static ssize_t end_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct firmware_map_entry *entry = owner;

	return page_printf(buf, 0, "0x%llx\n", (unsigned long long)entry->end);
}

static ssize_t type_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct firmware_map_entry *entry = owner;

	return page_printf(buf, 0, "%s\n", entry->type);
}

static const struct tree_attr start_attr = { .name = "start", .mode = 0444, .show = start_show };
static const struct tree_attr end_attr = { .name = "end", .mode = 0444, .show = end_show };
static const struct tree_attr type_attr = { .name = "type", .mode = 0444, .show = type_show };
static const struct tree_attr *const entry_attrs[] = { &start_attr, &end_attr, &type_attr, NULL };

static int make_entry(struct firmware_map_entry *entry, void *arg)
{
	char name[16];
	int error;

	snprintf(name, sizeof(name), "%d", entry->number);
	tree_mkdir(memmap_dir, name, entry_attrs, entry, &error);
	return error;
}

/* The map is complete without its files: one that cannot be shown is only logged. */
static void entry_changed(struct firmware_map_entry *entry, bool added)
{
	char name[16];

	if (added) {
		if (make_entry(entry, NULL))
			pr_warn("firmware map: no memory for the files of entry %d\n",
				entry->number);
		return;
	}
	snprintf(name, sizeof(name), "%d", entry->number);
	tree_rmdir(tree_lookup_dir(memmap_dir, name));
}

int firmware_map_register(void)
{
	int error;

	memmap_dir = tree_mkpath(tree_root, "sys/firmware/memmap", &error);
	if (!memmap_dir)
		return error;
	error = firmware_map_for_each(make_entry, NULL);
	if (error)
		firmware_map_unregister();
	else
		firmware_map_hook = entry_changed;
	return error;
}

void firmware_map_unregister(void)
{
	firmware_map_hook = NULL;
	tree_rmdir(memmap_dir);
	memmap_dir = NULL;
}
