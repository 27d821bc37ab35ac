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
	__atomic_store_n(&page->order, order, __ATOMIC_RELAXED);
	__atomic_store_n(&page->owner, site, __ATOMIC_RELAXED);
	/* Release: who sees the count sees the rest. */
	__atomic_store_n(&page->_refcount, 1, __ATOMIC_RELEASE);
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

/* A pfn or ~0UL; `spare` pages may be taken before the watermark is reached. */
static unsigned long zone_take(struct zone *zone, int type, unsigned int order, long spare)
{
	struct page_thread *me;
	unsigned long pfn;

	if (order && order != pageblock_order)
		return take_order(zone, type, order);
	me = page_thread_get();
	if (me)
		asym_enter(me->thread);
	pfn = order ? take_huge(me, zone, type) : take_single(me, zone, type, spare);
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

/* ---- allocation ---- */

static __always_inline struct page *alloc_fast(int nid, gfp_t gfp, unsigned int order,
					       const void *site)
{
	struct page_thread *me = &page_self;
	struct page_lists *lists = NULL;
	unsigned long pfn = ~0UL;
	pg_data_t *pgdat;

	if (unlikely(!me->thread || (order && order != pageblock_order)))
		goto slow;
	if (nid == NUMA_NO_NODE)
		nid = READ_ONCE(page_layer.default_nid);
	pgdat = node_data(nid);
	if (unlikely(!pgdat))
		goto slow;
	asym_enter(me->thread);
	if (likely(me->zones)) {
		unsigned int zone = READ_ONCE(pgdat->first_zone[page_layer.gfp_zone[gfp & 15]]);

		if (likely(zone < MAX_NR_ZONES))
			lists = me->zones[(unsigned int)nid * MAX_NR_ZONES + zone];
	}
	if (likely(lists)) {
		struct page_list *list = &lists->type[request_type(gfp)];

		if (!order && likely(list->count))
			pfn = list->pfn[--list->count];
		else if (order && lists->huge_count)
			pfn = lists->huge[--lists->huge_count];
	}
	asym_leave(me->thread);
	if (likely(pfn != ~0UL)) {
		struct page *page = pfn_to_page(pfn);

		if (likely(!order && !(gfp & __GFP_ZERO)))
			prepare_head(page, 0, 0, site);
		else
			page_prepare(page, order, gfp, site);
		return page;
	}
slow:
	return alloc_pages_mask(nid, gfp, order, NULL, site);
}

struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	return alloc_fast(nid, gfp, order, __builtin_return_address(0));
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	return alloc_fast(NUMA_NO_NODE, gfp, order, __builtin_return_address(0));
}

unsigned long __get_free_pages(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_fast(NUMA_NO_NODE, gfp & ~__GFP_HIGHMEM, order,
				       __builtin_return_address(0));

	return page ? (unsigned long)page_address(page) : 0;
}

unsigned long get_zeroed_page(gfp_t gfp)
{
	struct page *page = alloc_fast(NUMA_NO_NODE, (gfp & ~__GFP_HIGHMEM) | __GFP_ZERO, 0,
				       __builtin_return_address(0));

	return page ? (unsigned long)page_address(page) : 0;
}

/* ---- free ---- */

/* Inside the asym section: onto one of the thread's lists. */
static __always_inline void list_push(struct page_lists *lists, unsigned long pfn, u32 word)
{
	struct page_list *list = &lists->type[pb_type(word)];

	if (likely((pfn >> page_layer.section_order) < list->keep)) {
		if (unlikely(list->count == LIST_CAPACITY))
			list_flush_bottom(list, LIST_BATCH);
		list->pfn[list->count++] = (u32)pfn;
		return;
	}
	if (unlikely(list->away_count == AWAY_CAPACITY))
		list_flush_away(list);
	list->away[list->away_count++] = (u32)pfn;
}

static void clear_tails(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 1; i < 1UL << order; i++) {
		__atomic_store_n(&page[i].flags, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&page[i].private, 0, __ATOMIC_RELAXED);
	}
}

static void huge_free(struct page_thread *me, struct zone *zone, unsigned long pfn)
{
	struct page_lists *lists;

	if (!me || !zone)
		goto direct;
	asym_enter(me->thread);
	lists = lists_get(me, zone);
	/* Read inside the section: whoever isolates or switches off visits after it. */
	if (lists && lists->huge_count < HUGE_CAPACITY && !READ_ONCE(zone->pcp_disabled) &&
	    !(pb_load(pfn >> pageblock_order) & PB_ISOLATED)) {
		lists->huge[lists->huge_count++] = (u32)pfn;
		asym_leave(me->thread);
		return;
	}
	asym_leave(me->thread);
direct:
	pageblock_free_whole(pfn >> pageblock_order);
}

static bool single_free(struct page_thread *me, struct zone *zone, unsigned long pfn)
{
	struct page_lists *lists;
	u32 word;

	if (!me || !zone)
		return false;
	asym_enter(me->thread);
	lists = lists_get(me, zone);
	word = pb_load(pfn >> pageblock_order);
	if (!lists || READ_ONCE(zone->pcp_disabled) || (word & (PB_ISOLATED | PB_HUGE))) {
		asym_leave(me->thread);
		return false;
	}
	list_push(lists, pfn, word);
	asym_leave(me->thread);
	return true;
}

void page_free(struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned int order = READ_ONCE(page->order);
	unsigned long flags = READ_ONCE(page->flags);
	struct zone *zone = pfn_zone(pfn);

	if (WARN(flags & (BIT(PG_locked) | BIT(PG_isolated)),
		 "page 0x%lx is freed while it is %s", pfn,
		 flags & BIT(PG_locked) ? "locked" : "isolated"))
		flags &= ~(BIT(PG_locked) | BIT(PG_isolated));
	/* A poisoned page is never free (POISON-11). */
	if (flags & BIT(PG_hwpoison)) {
		page_clear(page);
		__atomic_store_n(&page->flags, BIT(PG_hwpoison), __ATOMIC_RELEASE);
		return;
	}
	if (order && (READ_ONCE(page[1].flags) & BIT(PG_tail)))
		clear_tails(page, order);
	page_clear(page);
	if (!order) {
		if (!single_free(page_thread_get(), zone, pfn))
			pages_free_direct(pfn, 0);
		return;
	}
	if (order == pageblock_order)
		huge_free(page_thread_get(), zone, pfn);
	else
		pages_free_direct(pfn, order);
}

/*
 * The last reference to a single page, dropped without an atomic instruction:
 * right as long as nobody can take one without holding one, that is outside
 * isolated pageblocks and before anybody began to speculate (pageref.c).
 */
static __always_inline bool free_fast(struct page *page)
{
	struct page_thread *me = &page_self;
	unsigned long pfn = page_to_pfn(page);
	struct page_lists *lists;
	struct zone *zone;
	u32 word;

	if (unlikely(!me->thread))
		return false;
	zone = READ_ONCE(pfn_section(pfn)->zone);
	if (unlikely(!zone))
		return false;
	asym_enter(me->thread);
	word = __atomic_load_n(pb_word(pfn >> pageblock_order), __ATOMIC_RELAXED);
	if (unlikely(!me->zones || !(lists = me->zones[zone->id]) ||
		     __atomic_load_n(&page->_refcount, __ATOMIC_ACQUIRE) != 1 ||
		     (READ_ONCE(page->flags) | READ_ONCE(page->order)) ||
		     (word & (PB_ISOLATED | PB_HUGE)) || READ_ONCE(zone->pcp_disabled) ||
		     READ_ONCE(page_layer.speculation))) {
		asym_leave(me->thread);
		return false;
	}
	page_clear(page);
	list_push(lists, pfn, word);
	asym_leave(me->thread);
	return true;
}

static void free_slow(struct page *page, unsigned int order)
{
	unsigned int stored = READ_ONCE(page->order);

	/* Of a page with more references the last one frees as much as was allocated. */
	WARN(stored != order && page_count(page) == 1, "page 0x%lx of order %u is freed with order %u",
	     page_to_pfn(page), stored, order);
	put_page(page);
}

void __free_pages(struct page *page, unsigned int order)
{
	if (likely(!order && free_fast(page)))
		return;
	free_slow(page, order);
}

void free_pages(unsigned long addr, unsigned int order)
{
	if (addr)
		__free_pages(virt_to_page(addr), order);
}

bool page_put_fast(struct page *page)
{
	return free_fast(page);
}
