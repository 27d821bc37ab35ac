/* SPDX-License-Identifier: MIT */
/* What unit tests ask of the attribute tree and of the machine as a whole, as text that can be compared. */
#ifndef UNIT_TREE_H
#define UNIT_TREE_H

#include "machine.h"

#include <stdarg.h>

#include "block/block.h"
#include "device/bus.h"
#include "device/tree.h"
#include "hotplug/hotplug.h"
#include "page/page.h"

#define MEMORY "/sys/devices/system/memory"
#define NODE_ROOT "/sys/devices/system/node"
#define MEMMAP "/sys/firmware/memmap"

/* The two locks that adding and removing hold around the lower layers. */
static __maybe_unused void plug_lock(void)
{
	lock_device_hotplug();
	mem_hotplug_begin();
}

static __maybe_unused void plug_unlock(void)
{
	mem_hotplug_done();
	unlock_device_hotplug();
}

/* A file with its newline; lives until the next call. */
static __maybe_unused const char *raw(const char *path)
{
	static char text[65536];
	ssize_t len = mp_read(path, text, sizeof(text) - 1);

	if (len < 0)
		snprintf(text, sizeof(text), "error %zd", len);
	else
		text[len] = '\0';
	return text;
}

static __maybe_unused const char *raw_block(long block, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), MEMORY "/memory%ld/%s", block, file);
	return raw(path);
}

static __maybe_unused bool exists(const char *path)
{
	struct mp_entry entry;

	return mp_stat(path, &entry) == 0;
}

static __maybe_unused bool block_exists(long block)
{
	char path[64];

	snprintf(path, sizeof(path), MEMORY "/memory%ld", block);
	return exists(path);
}

struct text {
	char at[65536];
	size_t used;
};

static __maybe_unused __attribute__((format(printf, 2, 3)))
void text_add(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->used += (size_t)vsnprintf(text->at + text->used, sizeof(text->at) - text->used, format,
					args);
	va_end(args);
	if (text->used >= sizeof(text->at))
		FAIL("a text of %zu bytes is full", sizeof(text->at));
}

static int text_add_entry(const struct mp_entry *entry, void *arg)
{
	struct text *text = arg;

	if (text->used)
		text_add(text, "\n");
	if (entry->type == MP_ENTRY_DIR)
		text_add(text, "%s/", entry->name);
	else if (entry->type == MP_ENTRY_LINK)
		text_add(text, "%s -> %s", entry->name, entry->target);
	else
		text_add(text, "%s %04o %zu", entry->name, entry->mode, entry->size);
	return 0;
}

/* One line an entry: "power/", "state 0644 4096", "node1 -> ../../node/node1"; lives until the next call. */
static __maybe_unused const char *listing(const char *path)
{
	static struct text text;
	int ret;

	text.used = 0;
	text.at[0] = '\0';
	ret = mp_list(path, text_add_entry, &text);
	if (ret)
		text_add(&text, "error %d", ret);
	return text.at;
}

static int text_add_range(struct firmware_map_entry *entry, void *arg)
{
	text_add(arg, "firmware %d: %llx-%llx %s\n", entry->number, (unsigned long long)entry->start,
		 (unsigned long long)entry->end, entry->type);
	return 0;
}

/* All that an add that fails must leave alone. */
static __maybe_unused void snapshot(struct text *text)
{
	static const char *const files[] = {
		"/proc/iomem",		   "/proc/zoneinfo",	       "/proc/buddyinfo",
		NODE_ROOT "/possible",	   NODE_ROOT "/online",	       NODE_ROOT "/has_memory",
		NODE_ROOT "/has_normal_memory",
	};
	unsigned long section;
	size_t i;

	text->used = 0;
	for (i = 0; i < ARRAY_SIZE(files); i++)
		text_add(text, "%s:\n%s", files[i], raw(files[i]));
	text_add(text, "%s\n%s\n", listing(MEMORY), listing(NODE_ROOT));
	firmware_map_for_each(text_add_range, text);
	for (section = 0; section < 128; section++)
		text_add(text, "%d", pfn_valid(section_nr_to_pfn(section)));
	text_add(text, "\ntotal %lu\n", totalram_pages());
}

/* The entry that begins at `start`, in a level or below it, or NULL. */
static __maybe_unused struct resource *resource_at(struct resource *parent, u64 start)
{
	struct resource *res, *inner;

	for (res = parent->child; res; res = res->sibling) {
		if (res->start == start)
			return res;
		inner = resource_at(res, start);
		if (inner)
			return inner;
	}
	return NULL;
}

/* "100000000-107ffffff System RAM, ..." of the tree from 4 GiB up: what the test added. */
static __maybe_unused const char *hot_resources(void)
{
	static struct text text;
	struct resource *res;

	text.used = 0;
	text.at[0] = '\0';
	for (res = iomem_resource.child; res; res = res->sibling)
		if (res->start >= HOT)
			text_add(&text, "%s%llx-%llx %s", text.used ? ", " : "",
				 (unsigned long long)res->start, (unsigned long long)res->end, res->name);
	return text.at;
}

#endif
