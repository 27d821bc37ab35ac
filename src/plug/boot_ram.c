// SPDX-License-Identifier: MIT
/*
 * The memory that a machine is born with (BOOT-2, BLOCK-8, NODE-9): its backing,
 * sections, zones, resources, and the devices of its blocks. Runs in mp_boot() alone.
 */
#include "backing/backing.h"
#include "block/block.h"
#include "hotplug/hotplug.h"
#include "page/page.h"
#include "plug/boot_ram.h"
#include "report/report.h"

static u64 block_size;

static u64 block_down(u64 address)
{
	return address & ~(block_size - 1);
}

static u64 block_up(u64 address)
{
	return block_down(address + block_size - 1);
}

/* Calls fn for each run of blocks that RAM touches: [start, end), node of its last range. */
static int for_each_ram_block(const struct mp_desc *desc,
			      int (*fn)(const struct mp_desc *desc, u64 block, int nid))
{
	u64 next = 0;
	int i, j, ret;

	for (i = 0; i < desc->ram.count; i++) {
		const struct desc_range *range = &desc->ram.at[i];
		u64 block = max(block_down(range->start), next);

		for (; block < range->start + range->size; block += block_size) {
			int nid = range->nid;

			/* A block that several nodes share belongs to the last (BLOCK-8). */
			for (j = i + 1; j < desc->ram.count; j++)
				if (desc->ram.at[j].start < block + block_size)
					nid = desc->ram.at[j].nid;
			ret = fn(desc, block, nid);
			if (ret)
				return ret;
		}
		next = block;
	}
	return 0;
}

static int ram_back_block(const struct mp_desc *desc, u64 block, int nid)
{
	int ret = backing_add_node(block, block_size, nid) ?: backing_make_sure(block, block_size);

	(void)desc;
	if (ret)
		return reason_set(MP_REASON_SYSTEM, ret, "backing",
				  "boot refused: the host gives no mapping for boot RAM at 0x%llx (error %d)",
				  (unsigned long long)block, ret);
	return sections_add(PHYS_PFN(block), PHYS_PFN(block_size), nid, true);
}

/* ZONE_DMA below 16 MiB, ZONE_DMA32 below 4 GiB, ZONE_NORMAL above. */
static const u64 ends[] = { 16ULL << 20, 4ULL << 30, ~0ULL };

static int ram_zones(const struct desc_range *range)
{
	u64 at = range->start, end = range->start + range->size;
	int i, ret;

	for (i = ZONE_DMA; i <= ZONE_NORMAL && at < end; i++) {
		u64 to = min(end, ends[i]);

		if (range->movable)
			to = end;
		if (at >= to)
			continue;
		ret = zone_add_boot_range(
			&NODE_DATA(range->nid)->node_zones[range->movable ? ZONE_MOVABLE : i],
			PHYS_PFN(at), PHYS_PFN(to - at));
		if (ret)
			return ret;
		at = to;
	}
	return 0;
}

/*
 * At boot a kernel zone spans all that its limits leave of the node, from the
 * node's first RAM to its last (to ZONE_MOVABLE if that is all that follows),
 * holes and limits included: with RAM on both sides of it DMA32 reaches to 4 GiB.
 */
static void ram_spans(const struct mp_desc *desc, int nid)
{
	u64 start = ~0ULL, kernel_end = 0, movable = ~0ULL, from, to;
	int i;

	for (i = 0; i < desc->ram.count; i++) {
		const struct desc_range *range = &desc->ram.at[i];

		if (range->nid != nid)
			continue;
		start = min(start, range->start);
		if (range->movable)
			movable = min(movable, range->start);
		else
			kernel_end = range->start + range->size;
	}
	if (kernel_end && movable != ~0ULL)
		kernel_end = max(kernel_end, movable);
	for (i = ZONE_DMA; i <= ZONE_NORMAL; i++) {
		from = max(start, i ? ends[i - 1] : 0);
		to = min(kernel_end, ends[i]);
		if (from < to)
			zone_span_boot(&NODE_DATA(nid)->node_zones[i], PHYS_PFN(from), PHYS_PFN(to - from));
	}
}

static void ram_hole(u64 start, u64 end)
{
	pages_reserve_boot(PHYS_PFN(start), PHYS_PFN(end - start));
	sections_hole(PHYS_PFN(start), PHYS_PFN(end));
}

/* Only in RAM's blocks, since what a description reserves may be as long as the address space. */
static void reserve_in_ram(const struct mp_desc *desc, const struct desc_range *range)
{
	u64 begin = PHYS_PFN(range->start), end = begin + PHYS_PFN(range->size), pfn = begin;
	int i;

	for (i = 0; i < desc->ram.count; i++) {
		const struct desc_range *ram = &desc->ram.at[i];
		u64 last = min(end, PHYS_PFN(block_up(ram->start + ram->size)));

		pfn = max(pfn, PHYS_PFN(block_down(ram->start)));
		for (; pfn < last; pfn++)
			if (pfn_valid(pfn))
				pages_reserve_boot(pfn, 1);
	}
}

/* What lies in RAM's blocks but is no RAM, and what the firmware keeps. */
static void ram_reserve(const struct mp_desc *desc)
{
	u64 at = block_down(desc->ram.at[0].start);
	int i;

	for (i = 0; i < desc->ram.count; i++) {
		const struct desc_range *range = &desc->ram.at[i];

		if (block_down(range->start) > at) {
			if (block_up(at) > at)
				ram_hole(at, block_up(at));
			at = block_down(range->start);
		}
		if (range->start > at)
			ram_hole(at, range->start);
		at = range->start + range->size;
	}
	if (block_up(at) > at)
		ram_hole(at, block_up(at));
	for (i = 0; i < desc->reserved.count; i++)
		reserve_in_ram(desc, &desc->reserved.at[i]);
}

static int ram_open_block(const struct mp_desc *desc, u64 block, int nid)
{
	(void)desc;
	(void)nid;
	boot_open_sections(PHYS_PFN(block), PHYS_PFN(block_size));
	return 0;
}

static int ram_resources(const struct mp_desc *desc)
{
	int i, ret = 0;

	for (i = 0; i < desc->ram.count && !ret; i++) {
		u64 start = desc->ram.at[i].start, size = desc->ram.at[i].size;

		/* Adjacent ranges of one machine are one piece of RAM. */
		while (i + 1 < desc->ram.count && desc->ram.at[i + 1].start == start + size)
			size += desc->ram.at[++i].size;
		ret = resource_add_boot(start, size, "System RAM", true) ?:
			firmware_map_add(start, start + size - 1, "System RAM");
	}
	return ret;
}

static void ram_masks(void)
{
	int nid, i;

	for_each_online_node(nid) {
		for (i = 0; i <= ZONE_MOVABLE; i++) {
			if (!populated_zone(&NODE_DATA(nid)->node_zones[i]))
				continue;
			node_set_state(nid, N_MEMORY);
			if (i <= ZONE_NORMAL)
				node_set_state(nid, N_NORMAL_MEMORY);
			NODE_DATA(nid)->kswapd = true;
			NODE_DATA(nid)->kcompactd = true;
		}
	}
}

int ram_populate(const struct mp_desc *desc, u64 size)
{
	int i, nid, ret;

	block_size = size;
	ret = for_each_ram_block(desc, ram_back_block);
	for (i = 0; i < desc->ram.count && !ret; i++)
		ret = ram_zones(&desc->ram.at[i]);
	if (ret)
		return ret;
	for_each_online_node(nid)
		ram_spans(desc, nid);
	ram_reserve(desc);
	for_each_ram_block(desc, ram_open_block);
	ram_masks();
	build_all_zonelists();
	init_per_zone_wmark_min();
	return ram_resources(desc);
}

/* BLOCK-8: the only populated zone of the node whose span meets the block, or NULL. */
static struct zone *only_zone(int nid, unsigned long pfn)
{
	struct zone *found = NULL;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];

		if (!populated_zone(zone) || !zone_intersects(zone, pfn, memory_block_pages()))
			continue;
		if (found)
			return NULL;
		found = zone;
	}
	return found;
}

static int boot_block(const struct mp_desc *desc, u64 block, int nid)
{
	bool several = false;
	int i;

	for (i = 0; i < desc->ram.count; i++)
		if (desc->ram.at[i].start < block + block_size &&
		    desc->ram.at[i].start + desc->ram.at[i].size > block &&
		    desc->ram.at[i].nid != nid)
			several = true;
	return memory_block_create_boot(block / block_size, nid,
					several ? NULL : only_zone(nid, PHYS_PFN(block)));
}

/* NODE-9: a boot block is linked to every node that has a page in it. */
static int link_boot_block(const struct mp_desc *desc, u64 block, int nid)
{
	struct memory_block *mem = find_memory_block(pfn_to_section_nr(PHYS_PFN(block)));
	int i, ret = 0;

	for (i = 0; i < desc->ram.count && !ret; i++)
		if (desc->ram.at[i].start < block + block_size &&
		    desc->ram.at[i].start + desc->ram.at[i].size > block)
			ret = link_memory_block(mem, desc->ram.at[i].nid);
	mem->nid = nid;
	put_device(&mem->dev);
	return ret;
}

int ram_devices(const struct mp_desc *desc)
{
	return for_each_ram_block(desc, boot_block);
}

int ram_links(const struct mp_desc *desc)
{
	return for_each_ram_block(desc, link_boot_block);
}
