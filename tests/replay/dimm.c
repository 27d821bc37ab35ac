// SPDX-License-Identifier: MIT
/*
 * Memory devices: where the emulator puts a DIMM, and what the firmware's
 * driver then does with it. Used by the main thread only.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/memory_hotplug.h>
#include <linux/memory.h>

#define SLOTS         8
#define FIRST_ADDRESS 0x100000000ull
#define ALIGNMENT     0x200000ull
#define MOST_BLOCKS   64

struct dimm {
	char id[24];
	uint64_t start, size;
	int node;         /* the emulator's number */
	int group;        /* of the blocks; < 0: the kernel refused the memory */
	int instance;     /* NN of the device name PNP0C80:NN */
	bool eject_begun; /* by the guest */
};

/* Sorted by address. */
static struct {
	struct dimm dimm[SLOTS];
	int count, instances;
	char reply[512];
} slots;

static uint64_t free_address(uint64_t size)
{
	uint64_t address = FIRST_ADDRESS;
	int i;

	for (i = 0; i < slots.count; i++) {
		if (address + size <= slots.dimm[i].start)
			break;
		address = ALIGN(slots.dimm[i].start + slots.dimm[i].size, ALIGNMENT);
	}
	return address;
}

/* Adds the memory as a group of its own; what goes wrong stays between kernel and driver. */
static void enable(struct dimm *dimm)
{
	mhp_t flags = MHP_NID_IS_MGID;
	int rc;

	lock_device_hotplug();
	dimm->group = memory_group_register_static(machine_node(dimm->node), PFN_UP(dimm->size));
	if (dimm->group >= 0) {
		if (mhp_supports_memmap_on_memory(dimm->size))
			flags |= MHP_MEMMAP_ON_MEMORY;
		rc = __add_memory(dimm->group, dimm->start, dimm->size, flags);
		if (rc) {
			memory_group_unregister(dimm->group);
			dimm->group = rc;
		}
	}
	unlock_device_hotplug();
}

static const char *request_add(const char *id, const char *size_text, const char *node)
{
	uint64_t size = parse_size(size_text), start = free_address(size);
	int i = slots.count;

	if (i == SLOTS || !size)
		return "ERR no slot";
	slots.count++;
	for (; i > 0 && slots.dimm[i - 1].start > start; i--)
		slots.dimm[i] = slots.dimm[i - 1];
	slots.dimm[i] = (struct dimm){.start = start, .size = size, .node = atoi(node)};
	slots.dimm[i].instance = slots.instances++;
	strncpy(slots.dimm[i].id, id, sizeof(slots.dimm[i].id) - 1);
	enable(&slots.dimm[i]);
	return "ok, _OST source=1 status=0x0";
}

struct blocks {
	struct device *device[MOST_BLOCKS];
	bool put_offline[MOST_BLOCKS];
	int count;
};

static int collect_block(struct memory_block *block, void *arg)
{
	struct blocks *blocks = arg;

	if (blocks->count < MOST_BLOCKS)
		blocks->device[blocks->count++] = get_device(&block->dev);
	return 0;
}

static void release_blocks(struct blocks *blocks)
{
	while (blocks->count)
		put_device(blocks->device[--blocks->count]);
}

/*
 * All blocks are tried, those that refuse a second time; the first refusal
 * then puts back what this call took offline, with the default policy.
 */
static int offline_blocks(struct blocks *blocks)
{
	bool refused[MOST_BLOCKS] = {false};
	int i, rc;

	for (i = 0; i < blocks->count; i++) {
		rc = device_offline(blocks->device[i]);
		refused[i] = rc < 0;
		blocks->put_offline[i] = rc == 0;
	}
	for (i = 0; i < blocks->count; i++) {
		if (!refused[i])
			continue;
		rc = device_offline(blocks->device[i]);
		blocks->put_offline[i] = rc == 0;
		if (rc < 0)
			goto undo;
	}
	return 0;
undo:
	for (i = 0; i < blocks->count; i++)
		if (blocks->put_offline[i])
			device_online(blocks->device[i]);
	return -EBUSY;
}

static int eject(struct dimm *dimm)
{
	struct blocks blocks = {.count = 0};
	int rc;

	lock_device_hotplug();
	walk_memory_blocks(dimm->start, dimm->size, &blocks, collect_block);
	rc = offline_blocks(&blocks);
	release_blocks(&blocks);
	if (!rc && dimm->group >= 0) {
		__remove_memory(dimm->start, dimm->size);
		memory_group_unregister(dimm->group);
	}
	unlock_device_hotplug();
	if (rc)
		return rc;
	slots.count--;
	memmove(dimm, dimm + 1, (char *)&slots.dimm[slots.count] - (char *)dimm);
	return 0;
}

static struct dimm *find(const char *id)
{
	int i;

	for (i = 0; i < slots.count; i++)
		if (!strcmp(slots.dimm[i].id, id))
			return &slots.dimm[i];
	return NULL;
}

static const char *request_delete(const char *id)
{
	struct dimm *dimm = find(id);

	if (!dimm)
		return "ERR no such device";
	return eject(dimm) ? "not deleted, _OST source=3 status=0x84, _OST source=3 status=0x82"
			   : "deleted, _OST source=3 status=0x84, _OST source=3 status=0x0";
}

/* The guest's own eject runs from a work queue: here, when the emulator is asked about it. */
static const char *request_wait_deleted(const char *id)
{
	struct dimm *dimm = find(id);

	return dimm && dimm->eject_begun && !eject(dimm) ? "deleted" : "not deleted";
}

static const char *request_list(void)
{
	size_t length = 0;
	int i;

	for (i = 0; i < slots.count; i++)
		length +=
			snprintf(slots.reply + length, sizeof(slots.reply) - length,
				 "%s%s@0x%llx+%lluM node%d", i ? "; " : "", slots.dimm[i].id,
				 (unsigned long long)slots.dimm[i].start,
				 (unsigned long long)slots.dimm[i].size >> 20, slots.dimm[i].node);
	return slots.count ? slots.reply : "none";
}

const char *dimm_request(char **words, int count)
{
	if (count == 4 && !strcmp(words[0], "dimm-add"))
		return request_add(words[1], words[2], words[3]);
	if (count == 2 && !strcmp(words[0], "dimm-del"))
		return request_delete(words[1]);
	if (count == 3 && !strcmp(words[0], "wait-deleted"))
		return request_wait_deleted(words[1]);
	if (count == 1 && !strcmp(words[0], "dimms"))
		return request_list();
	return "ERR unknown request";
}

bool dimm_write(const char *path, const char *text, int *rc)
{
	int instance, i;

	if (sscanf(path, "/sys/bus/acpi/devices/PNP0C80:%d/eject", &instance) != 1)
		return false;
	*rc = -ENOENT;
	for (i = 0; i < slots.count; i++) {
		if (slots.dimm[i].instance != instance)
			continue;
		*rc = text[0] == '1' ? 0 : -EINVAL;
		slots.dimm[i].eject_begun |= !*rc;
	}
	return true;
}

void dimm_physical_nodes(char *buf, size_t size)
{
	struct blocks blocks = {.count = 0};
	size_t length = 0;
	int i;

	buf[0] = 0;
	if (!slots.count)
		return;
	lock_device_hotplug();
	walk_memory_blocks(slots.dimm[0].start, slots.dimm[0].size, &blocks, collect_block);
	for (i = 0; i < blocks.count && length < size; i++)
		length += snprintf(buf + length, size - length, "%s%s", i ? " " : "",
				   dev_name(blocks.device[i]));
	release_blocks(&blocks);
	unlock_device_hotplug();
}
