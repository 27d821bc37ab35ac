/* SPDX-License-Identifier: MIT */
/*
 * A range on its way into or out of a zone: the steps that onlining,
 * offlining and their late vetoes share, in both directions. All under
 * mem_hotplug_lock held for writing.
 */
#ifndef MEMPLUG_HOTPLUG_RANGE_H
#define MEMPLUG_HOTPLUG_RANGE_H

#include "hotplug/hotplug.h"

struct range_move {
	unsigned long pfn, nr_pages;
	struct zone *zone;
	struct memory_group *group;
	struct memory_notify arg; /* the payload of this transaction */
	long managed;		  /* pages to take from or give to managed and totalram */
};

/* EVENT-35(d): WARNs once and returns false for a range that is not whole blocks. */
bool hotplug_range_ok(unsigned long pfn, unsigned long nr_pages);
/* Pages handed over become allocatable; counters, masks, zonelists, watermarks (ONLINE-6..8). */
void range_enter(struct range_move *move);
/* The range, isolated and free, leaves the allocator; counters, masks ... (OFFLINE-11). */
void range_leave(struct range_move *move);
/* The reverse of range_leave() with the range as it was: isolated pages come back. */
void range_return(struct range_move *move);
/*
 * Isolates a range that just went online and moves away what was taken since.
 * 0 with the range isolated and empty and the zone's lists disabled; or
 * -EBUSY with all as before and a reason.
 */
int range_evacuate(struct range_move *move);

#endif
