// SPDX-License-Identifier: MIT
/*
 * Memory devices: where the emulator puts a DIMM and into which slot. What the
 * firmware's driver then does is memplug's (mp_slot_plug, mp_slot_eject). Used
 * by the main thread only.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/memory_hotplug.h>
#include <linux/memory.h>
#include <memplug/slot.h>

#define SLOTS         8
#define FIRST_ADDRESS 0x100000000ull
#define ALIGNMENT     0x200000ull

struct dimm {
	char id[24];
	uint64_t start, size;
	int node; /* the emulator's number */
	int slot;
};

/* Sorted by address. */
static struct {
	struct dimm dimm[SLOTS];
	int count;
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

static int free_slot(void)
{
	int slot, i;

	for (slot = 0;; slot++) {
		for (i = 0; i < slots.count && slots.dimm[i].slot != slot; i++)
			;
		if (i == slots.count)
			return slot;
	}
}

static void forget(struct dimm *dimm)
{
	slots.count--;
	memmove(dimm, dimm + 1, (char *)&slots.dimm[slots.count] - (char *)dimm);
}

/* ", _OST source=1 status=0x0" behind the reply. */
static void note_status(int slot, int source, int status, void *arg)
{
	size_t length = strlen(slots.reply);

	(void)slot;
	(void)arg;
	snprintf(slots.reply + length, sizeof(slots.reply) - length, ", _OST source=%d status=0x%x",
		 source, status);
}

static const char *request_add(const char *id, const char *size_text, const char *node)
{
	uint64_t size = parse_size(size_text), start = free_address(size);
	struct dimm dimm = {.start = start, .size = size, .node = atoi(node)};
	int i = slots.count;

	if (i == SLOTS || !size)
		return "ERR no slot";
	dimm.slot = free_slot();
	strncpy(dimm.id, id, sizeof(dimm.id) - 1);
	slots.count++;
	for (; i > 0 && slots.dimm[i - 1].start > start; i--)
		slots.dimm[i] = slots.dimm[i - 1];
	slots.dimm[i] = dimm;
	snprintf(slots.reply, sizeof(slots.reply), "ok");
	mp_slot_on_status(note_status, NULL);
	/* A DIMM whose memory is of no use stays where it is, as recorded. */
	mp_slot_plug(dimm.slot, start, size, machine_node(dimm.node));
	mp_slot_on_status(NULL, NULL);
	return slots.reply;
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
	static char reply[sizeof(slots.reply) + 16];
	struct dimm *dimm = find(id);
	int rc;

	if (!dimm)
		return "ERR no such device";
	slots.reply[0] = 0;
	mp_slot_on_status(note_status, NULL);
	rc = mp_slot_eject(dimm->slot);
	mp_slot_on_status(NULL, NULL);
	snprintf(reply, sizeof(reply), "%s%s", rc ? "not deleted" : "deleted", slots.reply);
	if (!rc)
		forget(dimm);
	return reply;
}

/* The guest's own eject: the emulator takes a DIMM away whose slot is empty. */
static const char *request_wait_deleted(const char *id)
{
	struct dimm *dimm = find(id);
	struct mp_slot_info info;

	if (!dimm || mp_slot_get(dimm->slot, &info) != -ENOENT)
		return "not deleted";
	forget(dimm);
	return "deleted";
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
