// SPDX-License-Identifier: MIT
/*
 * Onlining a range: into the zone, GOING_ONLINE, to the allocator, ONLINE
 * (ONLINE-3..14). Runs under mem_hotplug_lock held for writing. What goes in
 * here comes out again through range.c, which offlining shares.
 */
#include "hotplug/hotplug.h"
#include "hotplug/range.h"
#include "page/page.h"
#include "report/report.h"

static struct {
	struct mutex lock;
	online_page_callback_t callback;
} online_page = { .callback = generic_online_page };

void online_page_callback_forget(void)
{
	mutex_init(&online_page.lock);
	online_page.callback = generic_online_page;
}

void generic_online_page(struct page *page, unsigned int order)
{
	buddy_add_chunk(page, order);
	adjust_managed_page_count(page, 1L << order);
}

/* get_online_mems() keeps the callback from changing while a block goes online. */
static int callback_replace(online_page_callback_t from, online_page_callback_t to)
{
	int ret = -EINVAL;

	get_online_mems();
	mutex_lock(&online_page.lock);
	if (online_page.callback == from) {
		WRITE_ONCE(online_page.callback, to);
		ret = 0;
	}
	mutex_unlock(&online_page.lock);
	put_online_mems();
	return ret;
}

int set_online_page_callback(online_page_callback_t cb)
{
	return cb ? callback_replace(generic_online_page, cb) : -EINVAL;
}

int restore_online_page_callback(online_page_callback_t cb)
{
	return cb ? callback_replace(cb, generic_online_page) : -EINVAL;
}

/* ONLINE-7: naturally aligned chunks, ascending. */
static void hand_over(unsigned long pfn, unsigned long nr_pages)
{
	online_page_callback_t callback = READ_ONCE(online_page.callback);
	unsigned long end = pfn + nr_pages;

	/* A callback of somebody's own may keep pages back: their descriptors must be real. */
	if (callback != generic_online_page)
		buddy_materialize_range(pfn, nr_pages);
	while (pfn < end) {
		unsigned int order = pfn ? min(MAX_ORDER - 1, __builtin_ctzl(pfn)) : MAX_ORDER - 1;

		while (pfn + (1UL << order) > end)
			order--;
		callback(pfn_to_page(pfn), order);
		pfn += 1UL << order;
	}
}

bool hotplug_range_ok(unsigned long pfn, unsigned long nr_pages)
{
	return !WARN_ONCE(!nr_pages || !IS_ALIGNED(pfn, pageblock_nr_pages) ||
				  !IS_ALIGNED(pfn + nr_pages, PAGES_PER_SECTION),
			  "pages 0x%lx+%lu are not whole blocks", pfn, nr_pages);
}

/* The late veto of MEM_ONLINE: everything out again, or nothing (DESIGN D1.1). */
static int online_undo(void *data)
{
	struct range_move *move = data;

	return range_evacuate(move) ?: (range_leave(move), 0);
}

int online_pages(unsigned long pfn, unsigned long nr_pages, struct zone *zone,
		 struct memory_group *group)
{
	struct range_move move = { .pfn = pfn, .nr_pages = nr_pages, .zone = zone, .group = group };
	bool undone;
	int ret;

	if (!zone || !hotplug_range_ok(pfn, nr_pages))
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "online_pages",
				  "pages 0x%lx+%lu are not whole blocks", pfn, nr_pages);
	move.arg.start_pfn = pfn;
	move.arg.nr_pages = nr_pages;
	move_pfn_range_to_zone(zone, pfn, nr_pages);
	nodes_check_online(nr_pages, zone, &move.arg);
	ret = event_notify(MEM_GOING_ONLINE, &move.arg);
	if (ret) {
		event_notify(MEM_CANCEL_ONLINE, &move.arg);
		remove_pfn_range_from_zone(zone, pfn, nr_pages);
		return ret;
	}
	move.managed = (long)zone_managed_pages(zone);
	hand_over(pfn, nr_pages);
	move.managed = (long)zone_managed_pages(zone) - move.managed;
	range_enter(&move);
	ret = event_notify_final(MEM_ONLINE, MEM_CANCEL_ONLINE, &move.arg, online_undo, &move,
				 &undone);
	if (undone)
		remove_pfn_range_from_zone(zone, pfn, nr_pages);
	return ret;
}
