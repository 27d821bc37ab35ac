// SPDX-License-Identifier: MIT
/*
 * Memory devices: where the emulator puts a DIMM and into which slot, and what
 * it says of a request that it cannot carry out. What the firmware's driver
 * then does is memplug's (mp_slot_plug, mp_slot_eject). Used by one thread only.
 */
#include "guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/slot.h>

#define MAX_SLOTS 256
#define GIB       (1ull << 30)
#define ALIGNMENT 0x200000ull

struct dimm {
	char id[24];
	uint64_t start, size;
	int node; /* the emulator's number */
	int slot;
};

/* Sorted by address. */
static struct {
	struct dimm dimm[MAX_SLOTS];
	int count, max, nodes;
	uint64_t base, end; /* of the addresses for memory devices */
	uint64_t room;	    /* how many bytes all of them may have */
	char reply[1024];
} slots;

void dimm_setup(const struct guest *guest)
{
	uint64_t above = guest->mem >= 0xb0000000 ? guest->mem - 2 * GIB : 0;

	slots.max = guest->slots < MAX_SLOTS ? guest->slots : MAX_SLOTS;
	slots.nodes = guest->extra_nodes + 1;
	slots.base = (4 * GIB + above + GIB - 1) / GIB * GIB;
	slots.room = guest->maxmem - guest->mem;
	/* A gap of 1 GiB for each, so that huge pages of that size can be aligned. */
	slots.end = slots.base + slots.room + slots.max * GIB;
}

static uint64_t used(void)
{
	uint64_t bytes = 0;
	int i;

	for (i = 0; i < slots.count; i++)
		bytes += slots.dimm[i].size;
	return bytes;
}

static uint64_t free_address(uint64_t size)
{
	uint64_t address = slots.base;
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

static struct dimm *find(const char *id)
{
	int i;

	for (i = 0; i < slots.count; i++)
		if (!strcmp(slots.dimm[i].id, id))
			return &slots.dimm[i];
	return NULL;
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

static const char *refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *refuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(slots.reply, sizeof(slots.reply), format, args);
	va_end(args);
	return slots.reply;
}

/* Why the emulator does not take this DIMM, or NULL. */
static const char *obstacle(const struct dimm *dimm)
{
	if (find(dimm->id))
		return refuse("ERR attempt to add duplicate property 'm-%s' to object (type "
			      "'container')",
			      dimm->id);
	if (dimm->node < 0 || dimm->node >= slots.nodes)
		return refuse("ERR 'DIMM property node has value %d' which exceeds the number of "
			      "numa nodes: %d",
			      dimm->node, slots.nodes);
	if (slots.count == slots.max)
		return refuse("ERR no free slots available");
	if (used() + dimm->size > slots.room)
		return refuse("ERR not enough space, currently 0x%llx in use of total space for "
			      "memory devices 0x%llx",
			      (unsigned long long)used(), (unsigned long long)slots.room);
	return NULL;
}

static void insert(const struct dimm *dimm)
{
	int i = slots.count++;

	for (; i > 0 && slots.dimm[i - 1].start > dimm->start; i--)
		slots.dimm[i] = slots.dimm[i - 1];
	slots.dimm[i] = *dimm;
}

static const char *request_add(char **words, int count)
{
	struct dimm dimm = {.size = parse_size(words[2])};
	int nid;

	strncpy(dimm.id, words[1], sizeof(dimm.id) - 1);
	dimm.node = count > 3 ? atoi(words[3]) : 1;
	dimm.start = count > 4 ? strtoull(words[4], NULL, 0) : free_address(dimm.size);
	if (obstacle(&dimm))
		return slots.reply;
	dimm.slot = free_slot();
	insert(&dimm);
	snprintf(slots.reply, sizeof(slots.reply), "ok");
	nid = guest_node(dimm.node);
	descriptors_take(nid, dimm.start, dimm.size);
	mp_slot_on_status(note_status, NULL);
	/* A DIMM whose memory is of no use stays where it is, as recorded. */
	if (mp_slot_plug(dimm.slot, dimm.start, dimm.size, nid))
		descriptors_give(dimm.start, dimm.size);
	mp_slot_on_status(NULL, NULL);
	return slots.reply;
}

static const char *request_delete(const char *id)
{
	static char reply[sizeof(slots.reply) + 16];
	struct dimm *dimm = find(id);
	int rc;

	if (!dimm)
		return refuse("ERR Device '%s' not found", id);
	slots.reply[0] = 0;
	mp_slot_on_status(note_status, NULL);
	rc = mp_slot_eject(dimm->slot);
	mp_slot_on_status(NULL, NULL);
	snprintf(reply, sizeof(reply), "%s%s", rc ? "not deleted" : "deleted", slots.reply);
	if (!rc) {
		descriptors_give(dimm->start, dimm->size);
		forget(dimm);
	}
	return reply;
}

/* The guest's own eject: the emulator takes a DIMM away whose slot is empty. */
static const char *request_wait_deleted(const char *id)
{
	struct dimm *dimm = find(id);
	struct mp_slot_info info;

	if (!dimm || mp_slot_get(dimm->slot, &info) != -ENOENT)
		return "not deleted";
	descriptors_give(dimm->start, dimm->size);
	forget(dimm);
	return "deleted";
}

static const char *request_list(void)
{
	size_t length = 0;
	int i;

	for (i = 0; i < slots.count && length < sizeof(slots.reply); i++)
		length +=
			snprintf(slots.reply + length, sizeof(slots.reply) - length,
				 "%s%s@0x%llx+%lluM node%d", i ? "; " : "", slots.dimm[i].id,
				 (unsigned long long)slots.dimm[i].start,
				 (unsigned long long)slots.dimm[i].size >> 20, slots.dimm[i].node);
	return slots.count ? slots.reply : "none";
}

const char *dimm_request(char **words, int count)
{
	if (count >= 3 && count <= 5 && !strcmp(words[0], "dimm-add"))
		return request_add(words, count);
	if (count == 2 && !strcmp(words[0], "dimm-del"))
		return request_delete(words[1]);
	if (count >= 2 && !strcmp(words[0], "wait-deleted"))
		return request_wait_deleted(words[1]);
	if (count == 1 && !strcmp(words[0], "dimms"))
		return request_list();
	return "ERR unknown request";
}
