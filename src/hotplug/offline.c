// SPDX-License-Identifier: MIT
/*
 * Offlining a range: close it, ask the callbacks, move what lives there, take
 * it out (OFFLINE-3..19, EVENT-36). Runs under mem_hotplug_lock held for
 * writing; allocation and free go on meanwhile. Migration failure alone never
 * fails it: it retries, asleep, until the range is empty or somebody ends it.
 */
#include "hotplug/hotplug.h"
#include "hotplug/range.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"

/* How long a retry sleeps unless a page is freed: doubled from the first to the last. */
#define RETRY_FIRST_NS 100000ULL
#define RETRY_LAST_NS 50000000ULL

int (*offline_last_hook)(unsigned long pfn, unsigned long nr_pages);
int (*offline_empty_hook)(int error);

static long block_of(unsigned long pfn)
{
	return (long)(PFN_PHYS(pfn) / memory_block_size_bytes());
}

static int refuse_page(struct range_move *move, int error, unsigned long pfn, const char *what)
{
	unsigned long first = pfn, left;
	char holder[96] = "?", state[64] = "?";

	left = pages_not_free(move->pfn, move->pfn + move->nr_pages, &first);
	if (pfn == ~0UL)
		pfn = first;
	if (pfn != ~0UL)
		page_describe(pfn, holder, sizeof(holder), state, sizeof(state));
	reason_set(MP_REASON_PAGE, error, holder,
		   "memory%ld: offline refused: page 0x%lx (%s) held by %s %s, %lu pages in use; free it and retry",
		   block_of(move->pfn), pfn, state, holder, what, left);
	reason_page(pfn, left);
	return error;
}

static int refuse_interrupted(struct range_move *move, int error,
			      const struct interrupt_cause *cause)
{
	unsigned long first = ~0UL;
	unsigned long left = pages_not_free(move->pfn, move->pfn + move->nr_pages, &first);
	char holder[96], state[64];

	if (!left) {
		reason_set(cause->kind, error, cause->actor,
			   "memory%ld: offline ended: %s; repeat the request", block_of(move->pfn),
			   cause->text);
		return error;
	}
	page_describe(first, holder, sizeof(holder), state, sizeof(state));
	reason_set(cause->kind, error, cause->actor,
		   "memory%ld: offline ended: %s with %lu pages left, the first 0x%lx (%s) held by %s; free or unpin them and retry",
		   block_of(move->pfn), cause->text, left, first, state, holder);
	reason_page(first, left);
	return error;
}

/* EVENT-36 (f) to (h): failures before anything was touched. */
static int check_range(struct range_move *move)
{
	unsigned long end = move->pfn + move->nr_pages;

	if (!hotplug_range_ok(move->pfn, move->nr_pages))
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "offline_pages",
				  "pages 0x%lx+%lu are not whole blocks", move->pfn,
				  move->nr_pages);
	if (system_ram_pages(move->pfn, move->nr_pages) != move->nr_pages)
		return reason_set(MP_REASON_STATE, -EINVAL, "memory holes",
				  "memory%ld: offline refused: the block has holes; it can only stay online",
				  block_of(move->pfn));
	if (WARN_ONCE(!section_of(move->pfn) || page_zone(pfn_to_page(move->pfn)) != move->zone ||
			      page_zone(pfn_to_page(end - 1)) != move->zone,
		      "pages 0x%lx+%lu are not in the zone to leave", move->pfn, move->nr_pages))
		return reason_set(MP_REASON_STATE, -EINVAL, "zone",
				  "memory%ld: offline refused: its pages are not all in one zone",
				  block_of(move->pfn));
	return 0;
}

static int isolate(struct range_move *move)
{
	enum unmovable_why why = PAGE_MAY_MOVE;
	unsigned long bad = ~0UL;
	int ret;

	ret = isolate_page_range(move->pfn, move->pfn + move->nr_pages, MIGRATE_MOVABLE,
				 MEMORY_OFFLINE | REPORT_FAILURE, contract_is_document(), &bad,
				 &why);
	ring_record(MP_RING_ISOLATE, (s64)move->pfn, (s64)move->nr_pages, ret, NULL);
	if (!ret)
		return 0;
	if (why == PAGE_BUSY_ISOLATED)
		return reason_set(MP_REASON_ISOLATED, ret, "isolation",
				  "memory%ld: offline refused: page 0x%lx is in a range that somebody else isolated; retry later",
				  block_of(move->pfn), bad);
	return refuse_page(move, ret, bad,
			   why == PAGE_RESERVED ? "is reserved" : "cannot be moved");
}

/* One round over the range: moves what it finds. 0: nothing movable is left. */
static int migrate_round(struct range_move *move, u64 *pause)
{
	unsigned long end = move->pfn + move->nr_pages, failed = 0, moved;
	struct scan_result scan;
	struct interrupt_cause cause;
	u64 began;
	int ret;

	for (;;) {
		ret = interrupt_check(&cause);
		if (ret)
			return refuse_interrupted(move, ret, &cause);
		scan_movable_pages(move->pfn, end, &scan);
		if (scan.offline_pfn != ~0UL)
			return refuse_page(move, -EBUSY, scan.offline_pfn,
					   "is logically offline and still referenced");
		if (scan.candidate == ~0UL)
			return 0;
		began = os_now_ns();
		moved = do_migrate_range(scan.candidate, end, &failed);
		__atomic_fetch_add(&hotplug_counters.migrate_ns, os_now_ns() - began,
				   __ATOMIC_RELAXED);
		ring_record(MP_RING_MIGRATE, (s64)scan.candidate, (s64)moved, (s64)failed, NULL);
		__atomic_fetch_add(&hotplug_counters.pages_migrated, moved, __ATOMIC_RELAXED);
		__atomic_fetch_add(&hotplug_counters.pages_migrate_failed, failed,
				   __ATOMIC_RELAXED);
		if (moved) {
			*pause = RETRY_FIRST_NS;
			continue;
		}
		wait_for_freed_page(*pause);
		*pause = min(*pause * 2, (u64)RETRY_LAST_NS);
	}
}

/* What only the default contract finds out after the callbacks (DESIGN D1.2). */
static int check_kernel_pages(struct range_move *move)
{
	enum unmovable_why why = PAGE_MAY_MOVE;
	unsigned long bad;

	if (!contract_is_document())
		return 0;
	bad = find_unmovable(move->pfn, move->pfn + move->nr_pages, MEMORY_OFFLINE, &why);
	return bad == ~0UL ? 0 : refuse_page(move, -EBUSY, bad, "cannot be moved");
}

static int empty_range(struct range_move *move)
{
	unsigned long end = move->pfn + move->nr_pages, first;
	u64 pause = RETRY_FIRST_NS;
	int ret;

	for (;;) {
		ret = migrate_round(move, &pause);
		if (ret)
			return ret;
		if (!test_pages_isolated(move->pfn, end, MEMORY_OFFLINE))
			return 0;
		ret = check_kernel_pages(move);
		if (ret)
			return ret;
		/* Freed meanwhile into some thread's list, or held by somebody: look again. */
		drain_pages_range(move->pfn, end);
		if (!test_pages_isolated(move->pfn, end, MEMORY_OFFLINE))
			return 0;
		/* A pass in which nothing could move: in use, and nobody to ask. */
		ring_record(MP_RING_MIGRATE, (s64)move->pfn, 0,
			    (s64)pages_not_free(move->pfn, end, &first), NULL);
		wait_for_freed_page(pause);
		pause = min(pause * 2, (u64)RETRY_LAST_NS);
	}
}

/* The late veto of MEM_OFFLINE: always possible, nothing uses the range. */
static int offline_undo(void *data)
{
	range_return(data);
	return 0;
}

int offline_pages(unsigned long pfn, unsigned long nr_pages, struct zone *zone,
		  struct memory_group *group)
{
	struct range_move move = { .pfn = pfn, .nr_pages = nr_pages, .zone = zone, .group = group };
	bool undone;
	int ret;

	move.arg.start_pfn = pfn;
	move.arg.nr_pages = nr_pages;
	move.managed = (long)nr_pages; /* whatever was handed over (ZONE-7) */
	ret = check_range(&move);
	if (ret)
		return ret;
	ret = interrupt_begin();
	if (ret)
		return ret;
	zone_pcp_disable(zone);
	ret = isolate(&move);
	if (ret)
		goto enable;
	nodes_check_offline(nr_pages, zone, &move.arg);
	ret = event_notify(MEM_GOING_OFFLINE, &move.arg);
	if (!ret && offline_last_hook)
		ret = offline_last_hook(pfn, nr_pages);
	if (!ret)
		ret = empty_range(&move);
	if (offline_empty_hook)
		ret = offline_empty_hook(ret);
	if (ret)
		goto cancel;
	range_leave(&move);
	ret = event_notify_final(MEM_OFFLINE, MEM_CANCEL_OFFLINE, &move.arg, offline_undo, &move,
				 &undone);
	if (!ret)
		remove_pfn_range_from_zone(zone, pfn, nr_pages);
	interrupt_end();
	return ret;
cancel:
	undo_isolate_page_range(pfn, pfn + nr_pages, MIGRATE_MOVABLE);
	event_notify(MEM_CANCEL_OFFLINE, &move.arg);
enable:
	zone_pcp_enable(zone);
	interrupt_end();
	return ret;
}
