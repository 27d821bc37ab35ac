// SPDX-License-Identifier: MIT
/*
 * Remarks of a trace that state a fact about the machine: lists of files with
 * their modes, the firmware's memory map, a node's meminfo. They are made
 * again from the tree; the other remarks are text for the reader. No state.
 */
#include "replay.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memplug/tree.h>

#define SYS          "/sys/devices/system"
#define FIRMWARE_MAP "/sys/firmware/memmap"
#define FIRST_DIMM   "0x100000000"

static int add_name(const struct mp_entry *entry, void *arg)
{
	struct names *names = arg;

	if (names->count < 64)
		snprintf(names->name[names->count++], sizeof(names->name[0]), "%s", entry->name);
	return 0;
}

void list_directory(const char *path, struct names *names)
{
	names->count = 0;
	mp_list(path, add_name, names);
}

static bool numbered(const char *name, const char *prefix)
{
	return starts_with(name, prefix) && isdigit((unsigned char)name[strlen(prefix)]);
}

/* -------------------------------------------------------- files and modes */

static const char *type_text(const struct mp_entry *entry, char *buf, size_t size)
{
	const char *base = strrchr(entry->target, '/');

	switch (entry->type) {
	case MP_ENTRY_DIR:
		return "directory";
	case MP_ENTRY_FILE:
		return "regular_file";
	default:
		snprintf(buf, size, "symbolic_link:%s", base ? base + 1 : entry->target);
		return buf;
	}
}

/* `skip`: entries of this name with a number are not listed. */
static int show_inventory(struct lines *out, int number, const char *folder, const char *skip,
			  bool types)
{
	char path[256], type[160];
	struct mp_entry entry;
	struct names names;
	int i, shown = 0;

	snprintf(path, sizeof(path), SYS "/%s", folder);
	list_directory(path, &names);
	for (i = 0; i < names.count; i++) {
		if (skip && numbered(names.name[i], skip))
			continue;
		snprintf(path, sizeof(path), SYS "/%s/%s", folder, names.name[i]);
		if (mp_stat(path, &entry))
			continue;
		if (types)
			lines_add(out, number + shown++, "# %s/%s type=%s mode=%o", folder,
				  names.name[i], type_text(&entry, type, sizeof(type)), entry.mode);
		else
			lines_add(out, number + shown++, "# %s/%s mode=%o", folder, names.name[i],
				  entry.mode);
	}
	return shown;
}

/*
 * Files of a kernel with CONFIG_MEMORY_FAILURE. Compared where they are.
 */
static bool is_optional(const char *line)
{
	static const char *const optional[] = {"memory/hard_offline_page",
					       "memory/soft_offline_page"};
	char name[128] = "", full[512];
	size_t i;

	sscanf(line, "# %127s", name);
	for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		if (!strcmp(name, optional[i]))
			return !path_exists(full_path(name, full, sizeof(full)));
	return false;
}

/* The run of notes from line i that begin with `prefix` goes to `golden`; its length. */
static int take_run(struct lines *golden, const struct trace *trace, int i, const char *prefix)
{
	int n;

	for (n = i; n < trace->lines.count && starts_with(trace->lines.text[n], prefix); n++)
		if (!is_optional(trace->lines.text[n]))
			lines_add(golden, n + 1, "%s", trace->lines.text[n]);
	return n - i;
}

static int show_mode(struct lines *out, struct lines *golden, const struct trace *trace, int i,
		     const char *path, const char *format)
{
	struct mp_entry entry = {.mode = 0};
	char full[512];

	mp_stat(full_path(path, full, sizeof(full)), &entry);
	lines_add(out, i + 1, format, entry.mode);
	return take_run(golden, trace, i, trace->lines.text[i]);
}

/* -------------------------------------------------------- the first DIMM's device */

#define ACPI_DEVICE "/sys/bus/acpi/devices/PNP0C80:00"

static void show_acpi_device(struct lines *out, int number)
{
	static const char *const files[] = {"hid", "status", "path"};
	char path[128], line[256] = "# ACPI device PNP0C80:00", *text;
	size_t i, length;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), ACPI_DEVICE "/%s", files[i]);
		text = read_text(path);
		length = strlen(line);
		snprintf(line + length, sizeof(line) - length, " %s=%.*s", files[i],
			 text ? (int)strcspn(text, "\n") : 1, text ? text : "?");
		free(text);
	}
	lines_add(out, number, "%s", line);
}

static void show_physical_nodes(struct lines *out, int number)
{
	char path[256], line[256] = "";
	struct mp_entry entry;
	struct names names;
	size_t length;
	int i;

	list_directory(ACPI_DEVICE, &names);
	for (i = 0; i < names.count; i++) {
		if (!starts_with(names.name[i], "physical_node"))
			continue;
		snprintf(path, sizeof(path), ACPI_DEVICE "/%s", names.name[i]);
		if (mp_stat(path, &entry))
			continue;
		length = strlen(line);
		snprintf(line + length, sizeof(line) - length, " %s",
			 strrchr(entry.target, '/') + 1);
	}
	lines_add(out, number, "# physical nodes:%s", line);
}

/* -------------------------------------------------------- firmware memmap */

/* "FIELD" of one entry without its newline. */
static void memmap_field(const char *entry, const char *field, char *buf, size_t size)
{
	char path[256], *text;

	snprintf(path, sizeof(path), FIRMWARE_MAP "/%s/%s", entry, field);
	text = read_text(path);
	snprintf(buf, size, "%s", text ? text : "?");
	buf[strcspn(buf, "\n")] = 0;
	free(text);
}

/* Counts entries whose start contains the first DIMM's; with `out`, shows those that equal it. */
static int memmap_entries(struct lines *out, int number)
{
	char start[64], end[64], type[64];
	struct names names;
	int i, count = 0;

	list_directory(FIRMWARE_MAP, &names);
	for (i = 0; i < names.count; i++) {
		memmap_field(names.name[i], "start", start, sizeof(start));
		memmap_field(names.name[i], "end", end, sizeof(end));
		memmap_field(names.name[i], "type", type, sizeof(type));
		count += !!strstr(start, FIRST_DIMM);
		if (out && !strcmp(start, FIRST_DIMM))
			lines_add(out, number++, "# memmap start=%s end=%s type=%s", start, end,
				  type);
	}
	return count;
}

/* ----------------------------------------------------------------- others */

static void show_boot_blocks(struct lines *out, int number)
{
	char text[512] = "";
	struct names names;
	size_t length = 0;
	int block, i;

	list_directory(SYS "/memory", &names);
	for (block = 0; block < 64; block++)
		for (i = 0; i < names.count; i++)
			if (numbered(names.name[i], "memory") &&
			    atoi(names.name[i] + strlen("memory")) == block)
				length += snprintf(text + length, sizeof(text) - length, "%d ",
						   block);
	lines_add(out, number, "# blocks %s", text);
}

/* First line of node 1's meminfo, blanks squeezed, or what `head` says when it is not there. */
static void show_node_meminfo(struct lines *out, int number)
{
	char *text = read_text(SYS "/node/node1/meminfo"), *from, *to;

	if (!text) {
		lines_add(out, number,
			  "# head: " SYS "/node/node1/meminfo: No such file or directory");
		return;
	}
	text[strcspn(text, "\n")] = 0;
	for (from = to = text; *from; from++)
		if (*from != ' ' || to == text || to[-1] != ' ')
			*to++ = *from;
	*to = 0;
	lines_add(out, number, "# %s", text);
	free(text);
}

int show_note(struct lines *out, struct lines *golden, const struct trace *trace, int i,
	      const char *last_path)
{
	const char *line = trace->lines.text[i];
	char path[256], format[300];

	if (starts_with(line, "# mode "))
		return show_mode(out, golden, trace, i, last_path, "# mode %o");
	if (sscanf(line, "# file %150s mode", path) == 1) {
		snprintf(format, sizeof(format), "# file %s mode %%o", path);
		memmove(path + strlen("/sys/kernel/debug/"), path, strlen(path) + 1);
		memcpy(path, "/sys/kernel/debug/", strlen("/sys/kernel/debug/"));
		return show_mode(out, golden, trace, i, path, format);
	}
	if (starts_with(line, "# memory/")) {
		int shown = show_inventory(out, i + 1, "memory", "memory", true);

		show_inventory(out, i + 1 + shown, "memory/memory32", NULL, true);
		return take_run(golden, trace, i, "# memory/");
	}
	if (starts_with(line, "# node/")) {
		show_inventory(out, i + 1, "node", "node", false);
		return take_run(golden, trace, i, "# node/");
	}
	if (starts_with(line, "# hotplug entries in ")) {
		lines_add(out, i + 1, "# hotplug entries in " FIRMWARE_MAP ": %d",
			  memmap_entries(NULL, 0));
		return take_run(golden, trace, i, line);
	}
	if (starts_with(line, "# after removal: ")) {
		lines_add(out, i + 1, "# after removal: %d", memmap_entries(NULL, 0));
		return take_run(golden, trace, i, line);
	}
	if (starts_with(line, "# memmap ")) {
		memmap_entries(out, i + 1);
		return take_run(golden, trace, i, "# memmap ");
	}
	if (starts_with(line, "# blocks ")) {
		show_boot_blocks(out, i + 1);
		return take_run(golden, trace, i, line);
	}
	if (starts_with(line, "# Node 1 ") || starts_with(line, "# head: ")) {
		show_node_meminfo(out, i + 1);
		return take_run(golden, trace, i, line);
	}
	if (starts_with(line, "# physical nodes: ")) {
		show_physical_nodes(out, i + 1);
		return take_run(golden, trace, i, line);
	}
	if (starts_with(line, "# ACPI device ")) {
		show_acpi_device(out, i + 1);
		return take_run(golden, trace, i, line);
	}
	return 0;
}
