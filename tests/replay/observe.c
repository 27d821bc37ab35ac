// SPDX-License-Identifier: MIT
/*
 * The machine as the shell library of the oracle's guest prints it: every
 * value comes from the text of a file of the tree. Keeps what boot zones and
 * MemTotal were at the start, since the traces give those relative to it.
 */
#include "replay.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memplug/tree.h>

#define SYS               "/sys/devices/system"
#define FIRST_ADDED_BLOCK 32 /* at 4 GiB */
#define FILE_SIZE         (256 * 1024)

struct zone_line {
	char name[32];
	long spanned, present, managed, start;
};

struct zones {
	struct zone_line zone[32];
	int count;
};

static struct {
	struct zones zones;
	long total;
} at_start;

char *read_text(const char *path)
{
	char *text = malloc(FILE_SIZE);
	ssize_t length;

	if (!text)
		return NULL;
	length = mp_read(path, text, FILE_SIZE - 1);
	if (length < 0 || length >= FILE_SIZE) {
		free(text);
		return NULL;
	}
	text[length] = 0;
	return text;
}

const char *full_path(const char *path, char *buf, size_t size)
{
	if (path[0] == '/')
		snprintf(buf, size, "%s", path);
	else
		snprintf(buf, size, SYS "/%s", path);
	return buf;
}

bool path_exists(const char *path)
{
	struct mp_entry entry;

	return mp_stat(path, &entry) == 0;
}

/* The value of "KEY  value ..." or "KEY: value ..." in a text, or -1. */
static long value_of(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found ? strtol(found + strlen(key), NULL, 10) : -1;
}

static long meminfo(const char *key)
{
	char *text = read_text("/proc/meminfo");
	long value = text ? value_of(text, key) : -1;

	free(text);
	return value;
}

void show_file(struct lines *out, int number, const char *path)
{
	char full[512], *text, *at;

	if (!strcmp(path, "HardwareCorrupted")) {
		lines_add(out, number, "R %s = \"%ld kB\"", path, meminfo("HardwareCorrupted:"));
		return;
	}
	if (!path_exists(full_path(path, full, sizeof(full)))) {
		lines_add(out, number, "R %s : absent", path);
		return;
	}
	text = read_text(full);
	at = text ? text + strlen(text) : NULL;
	if (at > text && at[-1] == '\n')
		at[-1] = 0;
	for (at = text; at && *at; at++)
		if (*at == '\n')
			*at = ';';
	lines_add(out, number, "R %s = \"%s\"", path, text ? text : "?");
	free(text);
}

/* ---------------------------------------------------------------- blocks */

/* One attribute of a directory as `cat` in back quotes gives it. */
static const char *attribute(const char *folder, const char *name, char *buf, size_t size)
{
	char path[512], *text;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	text = read_text(path);
	snprintf(buf, size, "%s", text ? text : "?");
	while (*buf && buf[strlen(buf) - 1] == '\n')
		buf[strlen(buf) - 1] = 0;
	free(text);
	return buf;
}

static bool is_numbered(const char *name, const char *prefix)
{
	return starts_with(name, prefix) && isdigit((unsigned char)name[strlen(prefix)]);
}

static int by_number(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;

	return (x > y) - (x < y);
}

/* The numbers N >= from of entries PREFIXN of a directory, ascending. */
static int numbers_in(const char *folder, const char *prefix, long from, long *numbers, int max)
{
	struct names names;
	int i, count = 0;

	list_directory(folder, &names);
	for (i = 0; i < names.count && count < max; i++) {
		if (!is_numbered(names.name[i], prefix))
			continue;
		numbers[count] = strtol(names.name[i] + strlen(prefix), NULL, 10);
		if (numbers[count] >= from)
			count++;
	}
	qsort(numbers, count, sizeof(*numbers), by_number);
	return count;
}

static void join(const long *numbers, int count, const char *prefix, char *buf, size_t size)
{
	size_t length = 0;
	int i;

	buf[0] = 0;
	for (i = 0; i < count && length < size; i++)
		length += snprintf(buf + length, size - length, "%s%s%ld", i ? "," : "", prefix,
				   numbers[i]);
}

void show_block(struct lines *out, int number, const char *name)
{
	char folder[128], nodes[128], state[64], online[64], zones[64], removable[64], index[64],
		device[64];
	long nids[16];

	snprintf(folder, sizeof(folder), SYS "/memory/%s", name);
	if (!path_exists(folder)) {
		lines_add(out, number, "B %s absent", name);
		return;
	}
	join(nids, numbers_in(folder, "node", 0, nids, 16), "node", nodes, sizeof(nodes));
	lines_add(out, number,
		  "B %s state=%s online=%s valid_zones=\"%s\" removable=%s phys_index=%s "
		  "phys_device=%s nodes=%s",
		  name, attribute(folder, "state", state, sizeof(state)),
		  attribute(folder, "online", online, sizeof(online)),
		  attribute(folder, "valid_zones", zones, sizeof(zones)),
		  attribute(folder, "removable", removable, sizeof(removable)),
		  attribute(folder, "phys_index", index, sizeof(index)),
		  attribute(folder, "phys_device", device, sizeof(device)), nodes);
}

void show_blocks(struct lines *out, int number)
{
	long blocks[64];
	char name[32];
	int i, count = numbers_in(SYS "/memory", "memory", FIRST_ADDED_BLOCK, blocks, 64);

	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "memory%ld", blocks[i]);
		show_block(out, number + i, name);
	}
	if (!count)
		lines_add(out, number, "B none above 4 GiB");
}

/* ----------------------------------------------------------------- nodes */

void show_nodes(struct lines *out, int number)
{
	static const char *const masks[] = {"possible", "online", "has_normal_memory", "has_memory",
					    "has_cpu"};
	char line[512] = "G", value[64], folder[64], blocks[256];
	size_t i, length = 1;
	long nids[16], ids[64];
	int n, nodes;

	for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
		length += snprintf(line + length, sizeof(line) - length, " %s=%s", masks[i],
				   attribute(SYS "/node", masks[i], value, sizeof(value)));
	lines_add(out, number, "%s", line);
	nodes = numbers_in(SYS "/node", "node", 1, nids, 16);
	for (n = 0; n < nodes; n++) {
		snprintf(folder, sizeof(folder), SYS "/node/node%ld", nids[n]);
		join(ids, numbers_in(folder, "memory", 0, ids, 64), "", blocks, sizeof(blocks));
		lines_add(out, number + 1 + n, "G node%ld blocks=%s", nids[n], blocks);
	}
}

/* ----------------------------------------------------------------- zones */

/* One line of /proc/zoneinfo; `zone` gathers the values up to "start_pfn:", which ends a zone. */
static void parse_zoneinfo_line(char *line, struct zone_line *zone, struct zones *zones)
{
	char *words[8];
	bool is_node = starts_with(line, "Node");
	int count = split(line, words, 8);

	if (is_node && count >= 4) {
		words[1][strcspn(words[1], ",")] = 0;
		snprintf(zone->name, sizeof(zone->name), "node%.8s/%.16s", words[1], words[3]);
		return;
	}
	if (count < 2)
		return;
	if (!strcmp(words[0], "spanned"))
		zone->spanned = atol(words[1]);
	else if (!strcmp(words[0], "present"))
		zone->present = atol(words[1]);
	else if (!strcmp(words[0], "managed"))
		zone->managed = atol(words[1]);
	if (strcmp(words[0], "start_pfn:"))
		return;
	zone->start = atol(words[1]);
	if ((zone->spanned || zone->present || zone->managed) && zones->count < 32)
		zones->zone[zones->count++] = *zone;
	zone->spanned = zone->present = zone->managed = 0;
}

static void parse_zoneinfo(struct zones *zones)
{
	char *text = read_text("/proc/zoneinfo"), *line, *rest;
	struct zone_line zone = {.name = ""};

	zones->count = 0;
	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest))
		parse_zoneinfo_line(line, &zone, zones);
	free(text);
}

void observe_start(void)
{
	parse_zoneinfo(&at_start.zones);
	at_start.total = meminfo("MemTotal:");
}

static const struct zone_line *boot_zone(const char *name)
{
	const char *kind = strchr(name, '/');
	int i;

	if (!kind ||
	    (strcmp(kind, "/DMA") && strcmp(kind, "/DMA32") && strcmp(name, "node0/Normal")))
		return NULL;
	for (i = 0; i < at_start.zones.count; i++)
		if (!strcmp(at_start.zones.zone[i].name, name))
			return &at_start.zones.zone[i];
	return NULL;
}

void show_zones(struct lines *out, int number)
{
	const struct zone_line *zone, *boot;
	struct zones zones;
	char managed[32];
	int i;

	parse_zoneinfo(&zones);
	for (i = 0; i < zones.count; i++) {
		zone = &zones.zone[i];
		boot = boot_zone(zone->name);
		if (boot)
			snprintf(managed, sizeof(managed), "base%+ld",
				 zone->managed - boot->managed);
		else
			snprintf(managed, sizeof(managed), "%ld", zone->managed);
		lines_add(out, number + i,
			  "Z %s spanned=%ld present=%ld managed=%s start_pfn=0x%lx", zone->name,
			  zone->spanned, zone->present, managed, zone->start);
	}
	lines_add(out, number + i, "Z MemTotal=base%+ldkB", meminfo("MemTotal:") - at_start.total);
}

/* System RAM at or above 4 GiB: nine digits or more, the first of them not 0. */
static bool is_added_ram(const char *line)
{
	const char *digits = line + strspn(line, " ");
	size_t length = strspn(digits, "0123456789abcdef");

	return digits[0] != '0' && length >= 9 && digits[length] == '-' &&
	       strstr(digits, "System RAM");
}

void show_iomem(struct lines *out, int number)
{
	char *text = read_text("/proc/iomem"), *line, *rest;
	int count = 0;

	for (line = text ? strtok_r(text, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest))
		if (is_added_ram(line))
			lines_add(out, number + count++, "I %s", line);
	if (!count)
		lines_add(out, number, "I no System RAM above 4 GiB");
	free(text);
}
