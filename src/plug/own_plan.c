// SPDX-License-Identifier: MIT
/*
 * /memplug/plan: what an offline of each block would meet, found without any
 * event. A line for each zone that has free pages, and one for each online block that
 * is not just free; `memplug plan` reads it. No state, no lock of an operation.
 */
#include <linux/kernel.h>
#include <linux/memory.h>
#include "block/block.h"
#include "device/text.h"
#include "hotplug/hotplug.h"
#include "page/page.h"
#include "plug/plug_files.h"

static void show_first(struct text *text, unsigned long pfn)
{
	char holder[96], state[64];

	if (pfn == ~0UL)
		return;
	page_describe(pfn, holder, sizeof(holder), state, sizeof(state));
	text_printf(text, " first 0x%lx (%s) held by %s", pfn, state, holder);
}

static int plan_block(struct memory_block *mem, void *arg)
{
	unsigned long pfn = memory_block_pfn(mem), pages = memory_block_pages();
	struct zone *zone = READ_ONCE(mem->zone);
	struct range_usage usage;
	unsigned long holes;

	if (READ_ONCE(mem->state) == MEM_OFFLINE)
		return 0;
	range_usage(pfn, pfn + pages, &usage);
	holes = pages - system_ram_pages(pfn, pages);
	if (zone && !usage.used && !usage.isolated && !holes)
		return 0;
	text_printf(arg,
		    "block %lu node %d zone %s used %lu movable %lu unmovable %lu reserved %lu offline %lu listed %lu skipped %lu isolated %lu holes %lu",
		    memory_block_id(mem), mem->nid, zone ? zone->name : "none", usage.used,
		    usage.movable, usage.unmovable, usage.reserved, usage.offline, usage.listed,
		    usage.skipped, usage.isolated, holes);
	show_first(arg, usage.first);
	text_printf(arg, "\n");
	return 0;
}

static void plan_zones(struct text *text)
{
	struct zone *zone;
	int nid, i;

	for_each_online_node(nid) {
		for (i = 0; i < MAX_NR_ZONES; i++) {
			zone = &NODE_DATA(nid)->node_zones[i];
			if (populated_zone(zone) && i != ZONE_DEVICE)
				text_printf(text, "node %d zone %s free %ld\n", nid, zone->name,
					    __atomic_load_n(&zone->nr_free, __ATOMIC_RELAXED));
		}
	}
}

static ssize_t plan_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct text text = { 0 };

	(void)owner;
	(void)attr;
	plan_zones(&text);
	for_each_memory_block(&text, plan_block);
	return text_take(&text, buf);
}

/* On a large machine looking takes long: not for the thread that answers everything else. */
const struct tree_attr own_plan_attr = { .name = "plan", .mode = 0444, .waits = true,
					 .show_long = plan_show };
