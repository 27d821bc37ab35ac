// SPDX-License-Identifier: MIT
/*
 * The calls that allocate pages. The fast path touches the calling thread's
 * lists and the page's descriptor only; everything else goes zone by zone
 * (BUDDY-7, 8). No call takes mem_hotplug_lock, none waits for a hotplug
 * operation; safety is per pageblock (DESIGN D6).
 */
#include "page/fast.h"
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
