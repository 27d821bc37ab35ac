// SPDX-License-Identifier: MIT
/*
 * The steps that move a range between "online in its zone" and "out of the
 * allocator", in both directions; see range.h. State is the zone's, under
 * mem_hotplug_lock held for writing.
 */
#include "hotplug/range.h"
#include "page/page.h"
#include "report/report.h"

/* A full evacuation gives up after this many passes without progress. */
#define EVACUATE_IDLE_PASSES 10
#define EVACUATE_PAUSE_NS 1000000

static void count(struct range_move *move, int sign)
{
	long pages = sign * (long)move->nr_pages;
	long managed = sign * move->managed;

	adjust_present_page_count(move->pfn, move->zone, pages);
	group_adjust_present(move->group, move->zone, pages);
	if (managed) {
		__atomic_fetch_add(&move->zone->managed_pages, managed, __ATOMIC_RELAXED);
		__atomic_fetch_add(&mp_totalram_pages, (unsigned long)managed, __ATOMIC_RELAXED);
	}
}

static void daemons(struct range_move *move, bool run)
{
	struct pglist_data *pgdat = move->zone->zone_pgdat;

	if (!run && move->arg.status_change_nid < 0)
		return;
	pgdat->kcompactd = run;
	pgdat->kswapd = run;
}

/* Into the allocator's sight; the sections are ONLINE already. */
static void open_range(struct range_move *move, bool was_populated)
{
	node_states_set(zone_to_nid(move->zone), &move->arg);
	if (!was_populated)
		build_all_zonelists();
	buddy_open_range(move->zone, move->pfn, move->nr_pages);
	init_per_zone_wmark_min();
	daemons(move, true);
}

void range_enter(struct range_move *move)
{
	bool was_populated = populated_zone(move->zone);
	long managed = move->managed;

	online_mem_sections(move->pfn, move->pfn + move->nr_pages);
	move->managed = 0; /* the online callback counted them */
	count(move, 1);
	move->managed = managed;
	open_range(move, was_populated);
}

void range_leave(struct range_move *move)
{
	struct zone *zone = move->zone;

	offline_mem_sections(move->pfn, move->pfn + move->nr_pages);
	buddy_close_range(zone, move->pfn, move->nr_pages);
	zone_pcp_enable(zone);
	count(move, -1);
	init_per_zone_wmark_min();
	if (!populated_zone(zone))
		build_all_zonelists();
	node_states_clear(zone_to_nid(zone), &move->arg);
	daemons(move, false);
}

void range_return(struct range_move *move)
{
	bool was_populated = populated_zone(move->zone);

	online_mem_sections(move->pfn, move->pfn + move->nr_pages);
	count(move, 1);
	open_range(move, was_populated);
	undo_isolate_page_range(move->pfn, move->pfn + move->nr_pages, MIGRATE_MOVABLE);
}

int range_evacuate(struct range_move *move)
{
	unsigned long end = move->pfn + move->nr_pages, bad = ~0UL, left, failed, first = ~0UL;
	char holder[96] = "?", state[64] = "?";
	enum unmovable_why why;
	int idle = 0, ret;

	zone_pcp_disable(move->zone);
	ret = isolate_page_range(move->pfn, end, MIGRATE_MOVABLE, MEMORY_OFFLINE, true, &bad, &why);
	if (ret)
		goto enable;
	while ((left = pages_not_free(move->pfn, end, &first)) != 0 && idle < EVACUATE_IDLE_PASSES) {
		if (do_migrate_range(move->pfn, end, &failed)) {
			idle = 0;
		} else {
			idle++;
			wait_for_freed_page(EVACUATE_PAUSE_NS);
		}
		drain_pages_range(move->pfn, end);
	}
	if (!left)
		return 0;
	bad = first;
	undo_isolate_page_range(move->pfn, end, MIGRATE_MOVABLE);
enable:
	zone_pcp_enable(move->zone);
	if (bad != ~0UL)
		page_describe(bad, holder, sizeof(holder), state, sizeof(state));
	reason_set(MP_REASON_PAGE, -EBUSY, holder,
		   "pages 0x%lx+%lu: MEM_ONLINE was vetoed, but page 0x%lx (%s) held by %s cannot move; the block stays online",
		   move->pfn, move->nr_pages, bad, state, holder);
	reason_page(bad, ret ? 1 : left);
	return -EBUSY;
}
