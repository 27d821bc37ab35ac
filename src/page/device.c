// SPDX-License-Identifier: MIT
/*
 * Pages of ZONE_DEVICE (DEVMEM-7, 10): how a range joins and leaves the zone
 * and what its descriptors say. Under mem_hotplug_lock held for writing, but
 * for the descriptors, which belong to whoever makes the page map.
 */
#include "page/internal.h"

void (*page_device_hook)(struct page *page);

int device_pages_enter(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long start = pfn, end = pfn + nr_pages, to;
	struct mem_section *section;
	int ret;

	for_each_section_in(section, pfn, to, end) {
		ret = section_join(section, zone, pfn, to, to - pfn == section_pages());
		if (ret)
			goto undo;
		section_set(section, SECTION_DEVICE | SECTION_DIRTY);
	}
	zone_span_grow(zone, start, nr_pages);
	return 0;
undo:
	end = pfn;
	pfn = start;
	for_each_section_in(section, pfn, to, end)
		section_leave(section, pfn, to);
	return ret;
}

void device_pages_init(unsigned long pfn, unsigned long nr_pages, struct dev_pagemap *pgmap,
		       int count)
{
	unsigned long end = pfn + nr_pages;

	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		memset(page, 0, sizeof(*page));
		page->pgmap = pgmap;
		__atomic_store_n(&page->_refcount, (u32)count, __ATOMIC_RELAXED);
		/* Release: who sees that it is a device's page sees whose. */
		__atomic_store_n(&page->flags, BIT(PG_reserved) | BIT(PG_device),
				 __ATOMIC_RELEASE);
	}
}

void device_pages_leave(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, i;
	long poisoned = 0;

	/* The allocator's tables do not know these pages, so sections_remove() sees no mark. */
	for (i = pfn; i < end; i++)
		poisoned += PageHWPoison(pfn_to_page(i));
	if (poisoned)
		__atomic_fetch_sub(&page_poisoned, poisoned, __ATOMIC_RELAXED);
	remove_pfn_range_from_zone(zone, pfn, nr_pages);
}

void device_pages_to_hole(unsigned long pfn, unsigned long end)
{
	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		memset(page, 0, sizeof(*page));
		page->flags = BIT(PG_reserved);
		set_page_count(page, 1);
	}
}
