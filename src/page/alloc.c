// SPDX-License-Identifier: MIT
/*
 * The calls that allocate and free pages. The fast paths touch the calling
 * thread's lists and the page's descriptor only; everything else goes zone by
 * zone (BUDDY-7, 8). No call takes mem_hotplug_lock, none waits for a hotplug
 * operation; safety is per pageblock (DESIGN D6).
 */
#include "page/internal.h"

/* ---- descriptors ---- */

static void prepare_tails(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 1; i < 1UL << order; i++) {
		__atomic_store_n(&page[i].private, (unsigned long)page, __ATOMIC_RELAXED);
		__atomic_store_n(&page[i].flags, BIT(PG_tail), __ATOMIC_RELEASE);
	}
}

static __always_inline void prepare_head(struct page *page, unsigned long flags, unsigned int order,
					 const void *site)
{
	__atomic_store_n(&page->flags, flags, __ATOMIC_RELAXED);
	__atomic_store_n(&page->mapping, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&page->private, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&page->owner, site, __ATOMIC_RELAXED);
	/* Release: who sees the count sees the rest. */
	__atomic_store_n(page_count_order(page), count_order(1, order), __ATOMIC_RELEASE);
}

void page_prepare(struct page *page, unsigned int order, gfp_t gfp, const void *site)
{
	if (order && (gfp & __GFP_COMP))
		prepare_tails(page, order);
	prepare_head(page, order ? BIT(PG_buddy_head) : 0, order, site);
	if (gfp & __GFP_ZERO)
		memset(page_address(page), 0, PAGE_SIZE << order);
}

/* ---- one zone ---- */

static unsigned long take_single(struct page_thread *me, struct zone *zone, int type, long spare)
{
	struct page_lists *lists = me ? lists_get(me, zone) : NULL;
	struct page_list *list;
	u32 pfn;

	if (!lists)
		return take_leftover(zone, type, 1, &pfn) ? pfn : ~0UL;
	list = &lists->type[type];
	if (!list->count) {
		/* Switched off: no more than this request needs. */
		if (READ_ONCE(zone->pcp_disabled))
			spare = 1;
		if (!list_refill(list, zone, type, spare))
			return ~0UL;
	}
	return list->pfn[--list->count];
}

static unsigned long take_huge(struct page_thread *me, struct zone *zone, int type)
{
	struct page_lists *lists = me ? lists_get(me, zone) : NULL;

	if (lists && lists->huge_count)
		return lists->huge[--lists->huge_count];
	return take_order(zone, type, pageblock_order);
}

/* A run out of the pageblock that the thread has reserved anyway, or of the zone's lowest. */
static unsigned long take_run(struct page_thread *me, struct zone *zone, int type, unsigned int order)
{
	struct page_lists *lists = me ? lists_get(me, zone) : NULL;
	u32 reserved = lists ? lists->type[type].reserved : 0;
	unsigned long pfn = ~0UL;

	if (reserved)
		pfn = pageblock_take_run(zone, reserved - 1, order, PB_RESERVED);
	return pfn != ~0UL ? pfn : take_order(zone, type, order);
}

/* A pfn or ~0UL; `spare` pages may be taken before the watermark is reached. */
static unsigned long zone_take(struct zone *zone, int type, unsigned int order, long spare)
{
	struct page_thread *me = page_thread_get();
	unsigned long pfn;

	if (me)
		asym_enter(me->thread);
	if (!order)
		pfn = take_single(me, zone, type, spare);
	else if (order < pageblock_order)
		pfn = take_run(me, zone, type, order);
	else if (order == pageblock_order)
		pfn = take_huge(me, zone, type);
	else
		pfn = take_order(zone, type, order);
	if (me)
		asym_leave(me->thread);
	return pfn;
}

/* ---- which zone ---- */

struct request {
	int nid;
	gfp_t gfp;
	unsigned int order;
	const nodemask_t *allowed;
	int highest; /* zone index */
	int type;
};

/* Pages that the zone can give before the mark, 0 or less: none. */
static long zone_spare(const struct zone *zone, const struct request *req, enum zone_watermarks mark)
{
	long free = __atomic_load_n(&zone->nr_free, __ATOMIC_RELAXED);
	long keep;

	if (req->gfp & __GFP_MEMALLOC)
		return free;
	keep = (long)READ_ONCE(zone->_watermark[mark]);
	if (mark == WMARK_MIN && (req->gfp & __GFP_HIGH))
		keep /= 2;
	keep += READ_ONCE(zone->lowmem_reserve[req->highest]);
	return free - keep - ((1L << req->order) - 1);
}

static unsigned long node_take(pg_data_t *pgdat, const struct request *req, enum zone_watermarks mark)
{
	int i;

	for (i = req->highest; i >= 0; i--) {
		struct zone *zone = &pgdat->node_zones[i];
		unsigned long pfn;
		long spare;

		if (!zone_managed_pages(zone) || !populated_zone(zone))
			continue;
		spare = zone_spare(zone, req, mark);
		if (spare <= 0)
			continue;
		pfn = zone_take(zone, req->type, req->order, spare);
		if (pfn != ~0UL)
			return pfn;
	}
	return ~0UL;
}

static unsigned long nodes_take(const struct request *req, enum zone_watermarks mark)
{
	pg_data_t *local = node_data(req->nid);
	int i, n = req->gfp & __GFP_THISNODE ? 1 : READ_ONCE(local->nr_fallback);

	for (i = 0; i < n; i++) {
		int nid = i ? READ_ONCE(local->fallback[i]) : req->nid;
		unsigned long pfn;

		if (req->allowed && !mp_node_isset(nid, req->allowed))
			continue;
		pfn = node_take(node_data(nid), req, mark);
		if (pfn != ~0UL)
			return pfn;
	}
	return ~0UL;
}

static unsigned long try_hard(const struct request *req)
{
	u32 generation;
	unsigned long pfn;

	do {
		/* Pairs with build_all_zonelists(): an order that changed meanwhile is read again. */
		generation = __atomic_load_n(&page_layer.zonelist_generation, __ATOMIC_ACQUIRE);
		pfn = nodes_take(req, WMARK_LOW);
		if (pfn == ~0UL)
			pfn = nodes_take(req, WMARK_MIN);
		if (pfn == ~0UL && (req->gfp & __GFP_DIRECT_RECLAIM)) {
			/* What other threads keep in their lists. */
			drain_pages_range(0, ~0UL);
			pfn = nodes_take(req, WMARK_MIN);
		}
	} while (pfn == ~0UL && generation != __atomic_load_n(&page_layer.zonelist_generation,
							      __ATOMIC_ACQUIRE));
	return pfn;
}

static int request_type(gfp_t gfp)
{
	return READ_ONCE(page_layer.gfp_type[(gfp / __GFP_MOVABLE) & 3]);
}

struct page *alloc_pages_mask(int nid, gfp_t gfp, unsigned int order, const nodemask_t *allowed,
			      const void *site)
{
	struct request req = { .nid = nid, .gfp = gfp, .order = order, .allowed = allowed };
	unsigned long pfn;

	if (nid == NUMA_NO_NODE)
		req.nid = READ_ONCE(page_layer.default_nid);
	if (!node_data(req.nid) || order > page_layer.max_order)
		return NULL;
	req.highest = page_layer.gfp_zone[gfp & 15];
	req.type = request_type(gfp);
	pfn = try_hard(&req);
	if (pfn == ~0UL)
		return NULL;
	page_prepare(pfn_to_page(pfn), order, gfp, site);
	return pfn_to_page(pfn);
}

/* ---- the fast paths: one list, one descriptor ---- */

/* asym_enter() that gives up when somebody wants the owner to stay out; asym_leave() either way. */
static __always_inline bool fast_enter(struct sync_thread *self)
{
	__atomic_store_n(&self->busy, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return likely(!__atomic_load_n(&self->stop, __ATOMIC_ACQUIRE)); /* as in asym_enter() */
}

/* The half of asym_leave() before its test; true: the other half is due. */
static __always_inline bool fast_leave(struct sync_thread *self)
{
	mp_tsan_release(&self->busy);
	__atomic_store_n(&self->busy, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return unlikely(__atomic_load_n(&self->stop, __ATOMIC_RELAXED));
}

static __attribute__((noinline, cold)) struct page *leave_with_page(struct page *page)
{
	asym_leave_slow(page_self.thread);
	return page;
}

static __attribute__((noinline)) struct page *alloc_slow(int nid, gfp_t gfp, unsigned int order,
							 const void *site)
{
	return alloc_pages_mask(nid, gfp, order, NULL, site);
}

static __attribute__((noinline)) struct page *leave_alloc_slow(int nid, gfp_t gfp, unsigned int order,
							       const void *site)
{
	asym_leave(page_self.thread);
	return alloc_pages_mask(nid, gfp, order, NULL, site);
}

/* `slots`: page_layer.gfp_slot or the node's. */
static __always_inline struct page *alloc_fast(const u16 *slots, int nid, gfp_t gfp,
					       unsigned int order, const void *site)
{
	struct sync_thread *self = page_self.thread;
	struct page_lists *lists;
	struct page *page;
	u32 pfn;

	if (unlikely(!self || (order && order != pageblock_order) || (gfp & __GFP_ZERO)))
		return alloc_slow(nid, gfp, order, site);
	if (unlikely(!fast_enter(self)))
		return leave_alloc_slow(nid, gfp, order, site);
	lists = page_self.lists[READ_ONCE(slots[gfp & 15])];
	if (unlikely(!lists))
		return leave_alloc_slow(nid, gfp, order, site);
	if (likely(!order)) {
		struct page_list *list = &lists->type[request_type(gfp)];

		if (unlikely(!list->count))
			return leave_alloc_slow(nid, gfp, order, site);
		pfn = list->pfn[--list->count];
	} else {
		if (unlikely(!lists->huge_count || (gfp & __GFP_COMP)))
			return leave_alloc_slow(nid, gfp, order, site);
		pfn = lists->huge[--lists->huge_count];
	}
	page = pfn_to_page(pfn);
	prepare_head(page, order ? BIT(PG_buddy_head) : 0, order, site);
	return fast_leave(self) ? leave_with_page(page) : page;
}

struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	pg_data_t *pgdat = node_data(nid);

	return alloc_fast(pgdat ? pgdat->gfp_slot : page_layer.gfp_slot, nid,
			  pgdat || nid == NUMA_NO_NODE ? gfp : gfp | __GFP_ZERO, order,
			  __builtin_return_address(0));
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	return alloc_fast(page_layer.gfp_slot, NUMA_NO_NODE, gfp, order, __builtin_return_address(0));
}

unsigned long __get_free_pages(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_fast(page_layer.gfp_slot, NUMA_NO_NODE, gfp & ~__GFP_HIGHMEM, order,
				       __builtin_return_address(0));

	return page ? (unsigned long)page_address(page) : 0;
}

unsigned long get_zeroed_page(gfp_t gfp)
{
	struct page *page = alloc_slow(NUMA_NO_NODE, (gfp & ~__GFP_HIGHMEM) | __GFP_ZERO, 0,
				       __builtin_return_address(0));

	return page ? (unsigned long)page_address(page) : 0;
}

/* ---- free ---- */

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
