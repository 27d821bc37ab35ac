// SPDX-License-Identifier: MIT
/*
 * Which zone a block goes to (POLICY-1..18). The settings change at any time
 * through the parameters' files and take effect at the next decision; spans
 * are read without a lock, as in Linux (POLICY-8).
 */
#include "hotplug/hotplug.h"
#include "page/page.h"

int online_policy = ONLINE_POLICY_CONTIG_ZONES;
u32 auto_movable_ratio = 301;
bool auto_movable_numa_aware = true;
bool memmap_on_memory;
bool movable_node_enabled;

static struct zone *zone_of(int nid, int index)
{
	return &NODE_DATA(nid)->node_zones[index];
}

/* POLICY-2 */
static struct zone *kernel_zone_for(int nid, unsigned long pfn, unsigned long nr_pages)
{
	int i;

	for (i = 0; i < ZONE_NORMAL; i++)
		if (zone_intersects(zone_of(nid, i), pfn, nr_pages))
			return zone_of(nid, i);
	return zone_of(nid, ZONE_NORMAL);
}

/* POLICY-4..6 */
static struct zone *contig_zone_for(int nid, unsigned long pfn, unsigned long nr_pages)
{
	struct zone *kernel = kernel_zone_for(nid, pfn, nr_pages);
	struct zone *movable = zone_of(nid, ZONE_MOVABLE);
	bool in_kernel = zone_intersects(kernel, pfn, nr_pages);
	bool in_movable = zone_intersects(movable, pfn, nr_pages);

	if (in_kernel != in_movable)
		return in_kernel ? kernel : movable;
	return movable_node_enabled ? movable : kernel;
}

struct auto_movable_sum {
	unsigned long kernel_early; /* KE of POLICY-11 */
	unsigned long movable;	    /* MV */
	unsigned long ratio;
	unsigned long need_kernel;  /* Q of POLICY-12 */
	unsigned long groups_movable; /* G */
};

static void sum_node(int nid, struct auto_movable_sum *sum)
{
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = zone_of(nid, i);

		if (!populated_zone(zone))
			continue;
		if (i == ZONE_MOVABLE)
			sum->movable += READ_ONCE(zone->present_pages);
		else
			sum->kernel_early += READ_ONCE(zone->present_early_pages);
	}
}

static int sum_group(struct memory_group *group, void *arg)
{
	struct auto_movable_sum *sum = arg;
	unsigned long movable = READ_ONCE(group->present_movable_pages);
	unsigned long kernel = READ_ONCE(group->present_kernel_pages);
	unsigned long need = movable * 100 / sum->ratio;

	if (need > kernel)
		sum->need_kernel += need - kernel;
	sum->groups_movable += movable;
	return 0;
}

/* T(node or all) of POLICY-11..13. */
static bool ratio_allows(int nid, struct memory_group *group, unsigned long wanted)
{
	struct auto_movable_sum sum = { .ratio = READ_ONCE(auto_movable_ratio) };
	int n;

	if (!sum.ratio)
		return false;
	if (nid == NUMA_NO_NODE) {
		for_each_online_node(n)
			sum_node(n, &sum);
	} else {
		sum_node(nid, &sum);
	}
	walk_dynamic_memory_groups(nid, sum_group, group, &sum);
	if (sum.kernel_early <= sum.need_kernel)
		return false;
	sum.kernel_early -= sum.need_kernel;
	sum.movable -= sum.groups_movable;
	if (group && group->is_dynamic)
		sum.kernel_early += READ_ONCE(group->present_kernel_pages);
	return sum.movable + wanted <= sum.ratio * sum.kernel_early / 100;
}

/*
 * W for a dynamic group whose unit is larger than a block. False: some online
 * page of the unit is not Movable; *pfn is left at the scan position (POLICY-17).
 */
static bool dynamic_unit_allows(struct memory_group *group, unsigned long *pfn,
				unsigned long *wanted)
{
	unsigned long unit = group->d.unit_pages;
	unsigned long at = ALIGN_DOWN(*pfn, unit), end = at + unit, online = 0;

	for (; at < end; at += PAGES_PER_SECTION) {
		struct page *page = pfn_to_online_page(at);

		if (!page)
			continue;
		if (page_zonenum(page) != ZONE_MOVABLE) {
			*pfn = at;
			return false;
		}
		online += PAGES_PER_SECTION;
	}
	*pfn = end;
	*wanted = unit - online;
	return true;
}

static struct zone *auto_movable_zone_for(int nid, struct memory_group *group, unsigned long pfn,
					  unsigned long nr_pages)
{
	unsigned long wanted = nr_pages, at = pfn;
	unsigned long fallback_pages = nr_pages;

	if (!READ_ONCE(auto_movable_ratio))
		goto kernel;
	if (group && !group->is_dynamic) {
		if (READ_ONCE(group->present_kernel_pages))
			goto kernel;
		wanted = group->s.max_pages - READ_ONCE(group->present_movable_pages);
	} else if (group && group->d.unit_pages != nr_pages) {
		if (!dynamic_unit_allows(group, &at, &wanted))
			goto kernel;
		fallback_pages = wanted;
	}
	if (!ratio_allows(NUMA_NO_NODE, group, wanted))
		goto kernel;
	if (READ_ONCE(auto_movable_numa_aware) && !ratio_allows(nid, group, wanted))
		goto kernel;
	return zone_of(nid, ZONE_MOVABLE);
kernel:
	return kernel_zone_for(nid, at, fallback_pages);
}

struct zone *zone_for_pfn_range(int online_type, int nid, struct memory_group *group,
				unsigned long pfn, unsigned long nr_pages)
{
	if (nid < 0 || nid >= nr_node_ids || !NODE_DATA(nid))
		return NULL;
	if (online_type == MMOP_ONLINE_KERNEL)
		return kernel_zone_for(nid, pfn, nr_pages);
	if (online_type == MMOP_ONLINE_MOVABLE)
		return zone_of(nid, ZONE_MOVABLE);
	if (READ_ONCE(online_policy) == ONLINE_POLICY_AUTO_MOVABLE)
		return auto_movable_zone_for(nid, group, pfn, nr_pages);
	return contig_zone_for(nid, pfn, nr_pages);
}
