// SPDX-License-Identifier: MIT
/*
 * The calls that free pages. The fast path puts a page onto the calling
 * thread's list; what that list cannot have goes back to its pageblock, or
 * stays where it is if it is poisoned. As for locks, see alloc.c.
 */
#include "page/fast.h"
#include "page/internal.h"

static void clear_tails(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 1; i < 1UL << order; i++) {
		__atomic_store_n(&page[i].flags, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&page[i].private, 0, __ATOMIC_RELAXED);
	}
}

/*
 * Puts pages without a reference onto the thread's lists; false when they must
 * go back to their pageblock. Read inside the section: whoever isolates or
 * switches off visits after it.
 */
static bool list_free(struct page_lists *lists, unsigned long pfn, unsigned int order, u32 word,
		      const struct zone *zone)
{
	struct page_list *list = &lists->type[pb_type(word)];

	if (READ_ONCE(zone->pcp_disabled) || (word & PB_ISOLATED))
		return false;
	if (order) {
		if (lists->huge_count == HUGE_CAPACITY)
			return false;
		lists->huge[lists->huge_count++] = (u32)pfn;
		return true;
	}
	if (pfn < list->keep) {
		if (list->count == LIST_CAPACITY)
			list_flush_bottom(list, LIST_BATCH);
		list->pfn[list->count++] = (u32)pfn;
		return true;
	}
	if (list->away_count == AWAY_CAPACITY)
		list_flush_away(list);
	list->away[list->away_count++] = (u32)pfn;
	return true;
}

static void free_pages_of(unsigned long pfn, unsigned int order)
{
	struct zone *zone = pfn_zone(pfn);
	struct page_thread *me = page_thread_get();
	struct page_lists *lists;
	bool done = false;

	if (me && zone && (!order || order == pageblock_order)) {
		asym_enter(me->thread);
		lists = lists_get(me, zone);
		done = lists && list_free(lists, pfn, order, pb_load(pfn >> pageblock_order), zone);
		asym_leave(me->thread);
	}
	if (!done)
		pages_free_direct(pfn, order);
}

/*
 * An allocation of which some page is poisoned: the others go back one by one,
 * but of whole pageblocks nothing does. False: none is.
 */
static bool free_around_poison(struct page *page, unsigned int order)
{
	unsigned long i, nr = 1UL << order, poisoned = 0;

	for (i = 0; i < nr; i++)
		poisoned += PageHWPoison(&page[i]);
	if (!poisoned)
		return false;
	for (i = 0; i < nr; i++) {
		bool bad = PageHWPoison(&page[i]) || order >= pageblock_order;

		page_clear(&page[i]);
		if (bad)
			__atomic_store_n(&page[i].flags, BIT(PG_hwpoison), __ATOMIC_RELEASE);
		else
			pages_free_direct(page_to_pfn(&page[i]), 0);
	}
	if (order >= pageblock_order)
		__atomic_fetch_add(&page_poisoned, (long)(nr - poisoned), __ATOMIC_RELAXED);
	return true;
}

void page_free(struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned int order = READ_ONCE(page->order);
	unsigned long flags = READ_ONCE(page->flags);

	if (WARN(flags & (BIT(PG_locked) | BIT(PG_isolated)),
		 "page 0x%lx is freed while it is %s", pfn,
		 flags & BIT(PG_locked) ? "locked" : "isolated"))
		flags &= ~(BIT(PG_locked) | BIT(PG_isolated));
	if (unlikely(flags & BIT(PG_device))) {
		page_device_hook(page);
		return;
	}
	/* A poisoned page is never free (POISON-11). */
	if (!order && (flags & BIT(PG_hwpoison))) {
		page_clear(page);
		__atomic_store_n(&page->flags, BIT(PG_hwpoison), __ATOMIC_RELEASE);
		return;
	}
	if (order && __atomic_load_n(&page_poisoned, __ATOMIC_RELAXED) &&
	    free_around_poison(page, order))
		return;
	if (order && (READ_ONCE(page[1].flags) & BIT(PG_tail)))
		clear_tails(page, order);
	page_clear(page);
	free_pages_of(pfn, order);
}

/*
 * The last reference, dropped without an atomic instruction: right as long as
 * nobody can take one without holding one, that is outside isolated pageblocks
 * and before anybody began to speculate (pageref.c), after which free_lists
 * has none.
 */
static __always_inline bool free_fast(struct page *page, unsigned int order, bool *leave)
{
	struct sync_thread *self = page_self.thread;
	unsigned long pfn = page_to_pfn(page);
	struct page_lists *lists;
	struct page_list *list;
	u32 word;

	*leave = false;
	if (unlikely(!self))
		return false;
	*leave = true;
	if (unlikely(!fast_enter(self)))
		return false;
	word = __atomic_load_n(pb_word(pfn >> pageblock_order), __ATOMIC_RELAXED);
	lists = page_self.free_lists[word >> PB_ZONE_SHIFT];
	if (unlikely(!lists || (word & PB_ISOLATED) ||
		     /* Acquire pairs with the other holders' drops. */
		     __atomic_load_n(page_count_order(page), __ATOMIC_ACQUIRE) != count_order(1, order) ||
		     READ_ONCE(page->flags) != (order ? BIT(PG_buddy_head) : 0)))
		return false;
	list = &lists->type[pb_type(word)];
	if (unlikely(order)) {
		/* keep is 0 while the lists are switched off. */
		if (order != pageblock_order || !list->keep || lists->huge_count == HUGE_CAPACITY ||
		    (READ_ONCE(page[1].flags) & BIT(PG_tail)))
			return false;
		lists->huge[lists->huge_count++] = (u32)pfn;
	} else {
		if (unlikely(pfn >= list->keep || list->count == LIST_CAPACITY))
			return false;
		list->pfn[list->count++] = (u32)pfn;
	}
	__atomic_store_n(&page->mapping, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&page->flags, 0, __ATOMIC_RELAXED);
	__atomic_store_n(page_count_order(page), 0, __ATOMIC_RELEASE);
	*leave = false;
	if (fast_leave(self))
		asym_leave_slow(self);
	return true;
}

/* `leave`: still inside the asym section. */
static __attribute__((noinline)) void free_slow(struct page *page, unsigned int order, bool leave)
{
	unsigned int stored = READ_ONCE(page->order);

	if (leave)
		asym_leave(page_self.thread);
	/* Of a page with more references the last one frees as much as was allocated. */
	WARN(stored != order && page_count(page) == 1, "page 0x%lx of order %u is freed with order %u",
	     page_to_pfn(page), stored, order);
	if (put_page_testzero(page))
		page_free(page);
}

void __free_pages(struct page *page, unsigned int order)
{
	bool leave;

	if (likely(free_fast(page, order, &leave)))
		return;
	free_slow(page, order, leave);
}

void put_page(struct page *page)
{
	bool leave;

	page = compound_head(page);
	if (likely(free_fast(page, 0, &leave)))
		return;
	free_slow(page, READ_ONCE(page->order), leave);
}

void free_pages(unsigned long addr, unsigned int order)
{
	if (addr)
		__free_pages(virt_to_page(addr), order);
}
