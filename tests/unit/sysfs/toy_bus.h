/* SPDX-License-Identifier: MIT */
/*
 * A bus without memory: devices toy0, toy1, ... that can go online and
 * offline, with a file `note`. What the methods shall answer and what happened
 * is in `toy`; guarded by nothing, the tests take turns.
 */
#ifndef TESTS_UNIT_TOY_BUS_H
#define TESTS_UNIT_TOY_BUS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <memplug/memplug.h>
#include "device/bus.h"
#include "device/tree.h"
#include "mptest.h"

#define TOY_PATH "/sys/devices/system/toy"

static struct {
	int answer;	 /* of the bus methods */
	int calls;	 /* of the bus methods */
	int released;	 /* devices freed */
	char log[4096];	 /* headers of the uevents, one per line */
	char last[4096]; /* the last uevent, newlines for NULs */
	size_t last_size;
	char seen[4096]; /* what `look` printed */
	void (*look)(void); /* called for each uevent */
	char note[64];
	int note_shows, note_stores;
	int note_answer;	  /* of store: 0 success */
	void (*note_hook)(void);  /* inside show and store */
	size_t note_count;
} toy;

static __maybe_unused int toy_method(struct device *dev)
{
	toy.calls++;
	return toy.answer;
}

static __maybe_unused ssize_t note_show(void *owner, const struct tree_attr *attr, char *buf)
{
	toy.note_shows++;
	if (toy.note_hook)
		toy.note_hook();
	return snprintf(buf, MP_ATTR_SIZE, "%s %d\n", toy.note, toy.note_shows);
}

static __maybe_unused ssize_t note_store(void *owner, const struct tree_attr *attr,
					 const char *buf, size_t count)
{
	toy.note_stores++;
	toy.note_count = count;
	snprintf(toy.note, sizeof(toy.note), "%s", buf);
	if (toy.note_hook)
		toy.note_hook();
	return toy.note_answer ? toy.note_answer : (ssize_t)count;
}

static const struct tree_attr note_attr = { .name = "note", .mode = 0644, .show = note_show,
					    .store = note_store };
static const struct tree_attr read_only_attr = { .name = "read_only", .mode = 0444,
						 .show = note_show };
static const struct tree_attr write_only_attr = { .name = "write_only", .mode = 0200,
						  .store = note_store };
static const struct tree_attr *const toy_attrs[] = { &note_attr, &read_only_attr,
						     &write_only_attr, NULL };

static struct bus_type toy_bus = {
	.name = "toy",
	.dev_name = "toy",
	.online = toy_method,
	.offline = toy_method,
	.dev_attrs = toy_attrs,
};

static __maybe_unused void toy_hear(const char *text, size_t size, void *arg)
{
	size_t i;

	snprintf(toy.log + strlen(toy.log), sizeof(toy.log) - strlen(toy.log), "%s\n", text);
	memcpy(toy.last, text, size);
	toy.last_size = size;
	for (i = 0; i < size; i++)
		if (!toy.last[i])
			toy.last[i] = '\n';
	toy.last[size] = '\0';
	if (toy.look)
		toy.look();
}

static __maybe_unused void toy_boot(void)
{
	CHECK_EQ(tree_init(), 0);
	CHECK_EQ(subsys_register(&toy_bus, NULL), 0);
	CHECK_EQ(mp_uevent_listen(toy_hear, NULL), 0);
}

static __maybe_unused void toy_release(struct device *dev)
{
	toy.released++;
	free(dev);
}

static __maybe_unused struct device *toy_new(u32 id, bool offline)
{
	struct device *dev = calloc(1, sizeof(*dev));

	device_initialize(dev);
	dev->bus = &toy_bus;
	dev->id = id;
	dev->offline = offline;
	dev->release = toy_release;
	return dev;
}

static __maybe_unused struct device *toy_add(u32 id, bool offline)
{
	struct device *dev = toy_new(id, offline);

	CHECK_EQ(device_add(dev), 0);
	return dev;
}

/* The file without its newline, or "error N"; lives until the thread's next call. */
static __maybe_unused const char *text_of(const char *path)
{
	static __thread char text[MP_ATTR_SIZE + 1];
	ssize_t len = mp_read(path, text, MP_ATTR_SIZE);

	if (len < 0)
		snprintf(text, sizeof(text), "error %zd", len);
	else
		text[len] = '\0';
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

static __maybe_unused int append_name(const struct mp_entry *entry, void *arg)
{
	static const char *const suffix[] = { [MP_ENTRY_FILE] = "", [MP_ENTRY_DIR] = "/",
					      [MP_ENTRY_LINK] = "@" };

	strcat(arg, *(char *)arg ? " " : "");
	strcat(arg, entry->name);
	strcat(arg, suffix[entry->type]);
	return 0;
}

/* The names in a directory, "file dir/ link@". */
static __maybe_unused const char *names_in(const char *path)
{
	static __thread char names[8192];
	int error;

	names[0] = '\0';
	error = mp_list(path, append_name, names);
	if (error)
		snprintf(names, sizeof(names), "error %d", error);
	return names;
}

static __maybe_unused unsigned int mode_of(const char *path)
{
	struct mp_entry entry;

	return mp_stat(path, &entry) ? 0 : entry.mode;
}

static __maybe_unused const char *target_of(const char *path)
{
	static __thread struct mp_entry entry;

	return mp_stat(path, &entry) ? "error" : entry.target;
}

#endif
