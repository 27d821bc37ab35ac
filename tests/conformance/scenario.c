// SPDX-License-Identifier: MIT
/* A scenario's first lines describe its machine, as the oracle's run-oracle reads them. No state. */
#include "conformance.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text behind `key` in `text` up to a comma or a blank; false: it is not there. */
static bool value_of(const char *text, const char *key, char *buf, size_t size)
{
	const char *found = strstr(text, key);

	if (!found)
		return false;
	found += strlen(key);
	snprintf(buf, size, "%.*s", (int)strcspn(found, ", \t"), found);
	return true;
}

/* Of the emulator's options: "-object memory-backend-ram,... -device virtio-mem-pci,...". */
static void read_qemu(struct guest *guest, const char *options)
{
	const char *device = strstr(options, "virtio-mem-pci"), *backend;
	char text[64], id[64];

	if (!device)
		return;
	value_of(device, "id=", guest->vmem.id, sizeof(guest->vmem.id));
	if (value_of(device, "node=", text, sizeof(text)))
		guest->vmem.node = atoi(text);
	if (value_of(device, "requested-size=", text, sizeof(text)))
		guest->vmem.requested = parse_size(text);
	if (!value_of(device, "memdev=", text, sizeof(text)))
		return;
	snprintf(id, sizeof(id), "id=%.60s", text);
	backend = strstr(options, id);
	if (backend && value_of(backend, "size=", text, sizeof(text)))
		guest->vmem.size = parse_size(text);
}

static void append(char *buf, size_t size, const char *text)
{
	size_t length = strlen(buf);

	snprintf(buf + length, size - length, "%s%s", length ? " " : "", text);
}

static void read_line(struct scenario *scenario, const char *key, const char *value)
{
	struct guest *guest = &scenario->guest;

	if (!strcmp(key, "title"))
		append(scenario->title, sizeof(scenario->title), value);
	else if (!strcmp(key, "mem"))
		snprintf(scenario->mem, sizeof(scenario->mem), "%s", value);
	else if (!strcmp(key, "maxmem"))
		snprintf(scenario->maxmem, sizeof(scenario->maxmem), "%s", value);
	else if (!strcmp(key, "numa"))
		guest->extra_nodes = atoi(value);
	else if (!strcmp(key, "smp"))
		guest->cpus = atoi(value);
	else if (!strcmp(key, "slots"))
		guest->slots = atoi(value);
	else if (!strcmp(key, "cmdline"))
		append(guest->cmdline, sizeof(guest->cmdline), value);
	else if (!strcmp(key, "machine"))
		snprintf(scenario->machine, sizeof(scenario->machine), "%s", value);
	else if (!strcmp(key, "timeout"))
		scenario->timeout = atoi(value);
	else if (!strcmp(key, "qemu"))
		read_qemu(guest, value);
}

/* "# key: value" with blanks around it gone; false for any other comment. */
static bool split_line(char *line, char **key, char **value)
{
	size_t length;

	line += 1 + strspn(line + 1, " \t");
	length = strspn(line, "abcdefghijklmnopqrstuvwxyz");
	if (!length || line[length] != ':')
		return false;
	line[length] = 0;
	*key = line;
	*value = line + length + 1;
	*value += strspn(*value, " \t");
	for (length = strlen(*value); length && strchr(" \t\r\n", (*value)[length - 1]);)
		(*value)[--length] = 0;
	return length > 0;
}

static void set_defaults(struct scenario *scenario)
{
	memset(scenario, 0, sizeof(*scenario));
	strcpy(scenario->machine, "q35");
	strcpy(scenario->mem, "512M");
	strcpy(scenario->maxmem, "16G");
	scenario->timeout = 60;
	scenario->guest.extra_nodes = 1;
	scenario->guest.cpus = 2;
	scenario->guest.slots = 8;
}

int scenario_read(struct scenario *scenario, const char *path)
{
	const char *base = strrchr(path, '/');
	FILE *file = fopen(path, "re");
	char *line = NULL, *key, *value, *dot;
	size_t size = 0;

	if (!file)
		return -errno;
	set_defaults(scenario);
	snprintf(scenario->name, sizeof(scenario->name), "%s", base ? base + 1 : path);
	dot = strrchr(scenario->name, '.');
	if (dot && dot > scenario->name)
		*dot = 0;
	while (getline(&line, &size, file) > 0 && line[0] == '#')
		if (split_line(line, &key, &value))
			read_line(scenario, key, value);
	free(line);
	fclose(file);
	if (!scenario->title[0])
		snprintf(scenario->title, sizeof(scenario->title), "%s", scenario->name);
	scenario->guest.mem = parse_size(scenario->mem);
	scenario->guest.maxmem = parse_size(scenario->maxmem);
	return scenario->guest.mem && scenario->guest.maxmem > scenario->guest.mem ? 0 : -EINVAL;
}
