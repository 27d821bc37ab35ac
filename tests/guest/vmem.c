// SPDX-License-Identifier: MIT
/*
 * A paravirtual memory device: a region of which the host asks the guest to use
 * so many bytes. Plugged in parts of a block; parts of an online block that are
 * not plugged are taken from the allocator and marked PageOffline. Used by the
 * main thread only; the online-page callback and the notifier run on it, too.
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>

#define REGION_START 0x100000000ull
#define MOST_BYTES   (64ull << 30)
#define BLOCK_SIZE   (128ull << 20)
#define PART_SIZE    (2ull << 20)
#define MOST_BLOCKS  (MOST_BYTES / BLOCK_SIZE)
#define PARTS        (BLOCK_SIZE / PART_SIZE)
#define PART_PAGES   (PART_SIZE / 4096)
#define BLOCK_PAGES  (BLOCK_SIZE / 4096)
#define FIRST_PFN    (REGION_START / 4096)

static struct {
	bool loaded;
	char id[24];
	int node, group;
	uint64_t size, requested; /* of the region; what the host asks for */
	unsigned int blocks;
	struct {
		bool added, online, going_offline;
		bool plugged[PARTS];
	} block[MOST_BLOCKS];
} vmem;

static uint64_t plugged_bytes(void)
{
	uint64_t bytes = 0;
	unsigned int b, p;

	for (b = 0; b < vmem.blocks; b++)
		for (p = 0; p < PARTS; p++)
			bytes += vmem.block[b].plugged[p] ? PART_SIZE : 0;
	return bytes;
}

static unsigned long part_pfn(unsigned int b, unsigned int p)
{
	return FIRST_PFN + b * BLOCK_PAGES + p * PART_PAGES;
}

static bool is_ours(unsigned long pfn)
{
	return pfn >= FIRST_PFN && pfn < FIRST_PFN + vmem.blocks * BLOCK_PAGES;
}

/* ----------------------------------------------- pages that are not there */

static void mark_offline(unsigned long pfn, unsigned long nr)
{
	for (; nr--; pfn++)
		__SetPageOffline(pfn_to_page(pfn));
}

/* Takes a part of an online block from the allocator. */
static int take_part(unsigned long pfn)
{
	int rc = alloc_contig_range(pfn, pfn + PART_PAGES, MIGRATE_MOVABLE, GFP_KERNEL);

	if (rc)
		return rc;
	mark_offline(pfn, PART_PAGES);
	adjust_managed_page_count(pfn_to_page(pfn), -PART_PAGES);
	return 0;
}

static void give_part(unsigned long pfn)
{
	unsigned long i;

	for (i = 0; i < PART_PAGES; i++)
		__ClearPageOffline(pfn_to_page(pfn + i));
	adjust_managed_page_count(pfn_to_page(pfn), PART_PAGES);
	free_contig_range(pfn, PART_PAGES);
}

/* Pages of a block that goes online: plugged parts become free memory. */
static void online_page(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page), end = pfn + (1ul << order), step, part;

	if (!is_ours(pfn)) {
		generic_online_page(page, order);
		return;
	}
	for (; pfn < end; pfn += step) {
		part = (pfn - FIRST_PFN) / PART_PAGES;
		step = min(end - pfn, PART_PAGES);
		if (vmem.block[part / PARTS].plugged[part % PARTS]) {
			generic_online_page(pfn_to_page(pfn), __builtin_ctzl(step));
			continue;
		}
		mark_offline(pfn, step);
		for (part = pfn; part < pfn + step; part++)
			ClearPageReserved(pfn_to_page(part));
	}
}

/* For the time of an offline the absent pages have no reference, and count as managed. */
static void drop_parts(unsigned int b, bool drop)
{
	unsigned long pfn, i;
	unsigned int p;

	for (p = 0; p < PARTS; p++) {
		if (vmem.block[b].plugged[p])
			continue;
		pfn = part_pfn(b, p);
		adjust_managed_page_count(pfn_to_page(pfn), drop ? PART_PAGES : -PART_PAGES);
		for (i = 0; i < PART_PAGES; i++) {
			if (drop)
				put_page_testzero(pfn_to_page(pfn + i));
			else
				set_page_count(pfn_to_page(pfn + i), 1);
		}
	}
}

static int notified(struct notifier_block *nb, unsigned long action, void *data)
{
	const struct memory_notify *range = data;
	unsigned long b = (range->start_pfn - FIRST_PFN) / BLOCK_PAGES;

	(void)nb;
	if (!is_ours(range->start_pfn))
		return NOTIFY_DONE;
	/* A veto before us in the chain: the cancellation comes without the beginning. */
	if (action == MEM_GOING_OFFLINE ||
	    (action == MEM_CANCEL_OFFLINE && vmem.block[b].going_offline))
		drop_parts(b, action == MEM_GOING_OFFLINE);
	vmem.block[b].going_offline = action == MEM_GOING_OFFLINE;
	if (action == MEM_ONLINE || action == MEM_OFFLINE)
		vmem.block[b].online = action == MEM_ONLINE;
	return NOTIFY_OK;
}

static struct notifier_block notifier = {.notifier_call = notified};

/* ---------------------------------------------------------------- requests */

static uint64_t plug_parts(unsigned int b, uint64_t bytes)
{
	unsigned int p;

	for (p = 0; p < PARTS && bytes; p++) {
		if (vmem.block[b].plugged[p])
			continue;
		if (vmem.block[b].added && vmem.block[b].online)
			give_part(part_pfn(b, p));
		vmem.block[b].plugged[p] = true;
		bytes -= PART_SIZE;
	}
	return bytes;
}

/* Fills blocks that are there, then adds one after the other. */
static void plug(uint64_t bytes)
{
	uint64_t address;
	unsigned int b;

	for (b = 0; b < vmem.blocks && bytes; b++)
		if (vmem.block[b].added)
			bytes = plug_parts(b, bytes);
	for (b = 0; b < vmem.blocks && bytes; b++) {
		if (vmem.block[b].added)
			continue;
		bytes = plug_parts(b, bytes);
		vmem.block[b].added = true;
		address = REGION_START + b * BLOCK_SIZE;
		descriptors_take(vmem.node, address, BLOCK_SIZE);
		if (!add_memory_driver_managed(vmem.group, address, BLOCK_SIZE,
					       "System RAM (virtio_mem)",
					       MHP_MERGE_RESOURCE | MHP_NID_IS_MGID))
			continue;
		descriptors_give(address, BLOCK_SIZE);
		memset(&vmem.block[b], 0, sizeof(vmem.block[b]));
	}
}

static bool is_partial(unsigned int b)
{
	unsigned int p, count = 0;

	for (p = 0; p < PARTS; p++)
		count += vmem.block[b].plugged[p];
	return count < PARTS;
}

/* Takes parts away from the end; an empty block goes offline and leaves, if it may. */
static uint64_t unplug_block(unsigned int b, uint64_t bytes)
{
	uint64_t address = REGION_START + b * BLOCK_SIZE;
	unsigned int p, left = 0;
	int rc;

	for (p = PARTS; p-- && bytes;) {
		if (!vmem.block[b].plugged[p])
			continue;
		if (vmem.block[b].online && take_part(part_pfn(b, p)))
			continue;
		vmem.block[b].plugged[p] = false;
		bytes -= PART_SIZE;
	}
	for (p = 0; p < PARTS; p++)
		left += vmem.block[b].plugged[p];
	if (left)
		return bytes;
	rc = vmem.block[b].online ? offline_and_remove_memory(address, BLOCK_SIZE)
				  : remove_memory(address, BLOCK_SIZE);
	vmem.block[b].added = rc != 0;
	if (!rc)
		descriptors_give(address, BLOCK_SIZE);
	return bytes;
}

static void unplug(uint64_t bytes)
{
	unsigned int b;

	for (b = vmem.blocks; b-- && bytes;)
		if (vmem.block[b].added && is_partial(b))
			bytes = unplug_block(b, bytes);
	for (b = vmem.blocks; b-- && bytes;)
		if (vmem.block[b].added)
			bytes = unplug_block(b, bytes);
}

/* The driver does what the host asks for. */
static void follow(void)
{
	uint64_t have = plugged_bytes();

	if (vmem.requested > have)
		plug(vmem.requested - have);
	else
		unplug(have - vmem.requested);
}

void vmem_setup(const struct guest *guest)
{
	snprintf(vmem.id, sizeof(vmem.id), "%s", guest->vmem.id);
	vmem.node = guest_node(guest->vmem.node);
	vmem.size = min(guest->vmem.size, MOST_BYTES);
	vmem.requested = guest->vmem.requested;
	vmem.blocks = vmem.size / BLOCK_SIZE;
}

/* Without a device the driver has nothing to do. */
int vmem_load(void)
{
	struct resource *region;
	int rc;

	if (vmem.loaded)
		return -EEXIST;
	if (!vmem.size)
		return 0;
	region = request_mem_region(REGION_START, vmem.size, "virtio-mem");
	if (!region)
		return -EBUSY;
	/* Reserved for us, but the blocks that are added in it must not conflict. */
	region->flags &= ~IORESOURCE_BUSY;
	vmem.group = memory_group_register_dynamic(vmem.node, BLOCK_PAGES);
	rc = vmem.group < 0 ? vmem.group : register_memory_notifier(&notifier);
	if (!rc)
		rc = set_online_page_callback(online_page);
	vmem.loaded = !rc;
	if (!rc)
		follow();
	return rc;
}

const char *vmem_request(const char *id, const char *size_text)
{
	static char reply[128];
	uint64_t want = parse_size(size_text);

	if (!vmem.size || strcmp(id, vmem.id))
		return "ERR Device not found";
	if (want > vmem.size)
		return "ERR 'requested-size' cannot exceed the memory backend size";
	if (want % PART_SIZE)
		return "ERR 'requested-size' has to be multiples of 'block-size' (0x200000)";
	vmem.requested = want;
	if (vmem.loaded)
		follow();
	snprintf(reply, sizeof(reply), "requested=%lluM size=%lluM", (unsigned long long)want >> 20,
		 (unsigned long long)plugged_bytes() >> 20);
	return reply;
}
