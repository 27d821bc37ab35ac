// SPDX-License-Identifier: MIT
/*
 * Each thread's lists: pages it may hand out without asking anybody, and pages
 * on their way back. A list is its owner's inside an asym section, and a
 * visitor's while asym_visit_all() keeps the owner out. Freed pages of
 * sections above the one that the thread allocates from are not handed out
 * again: they go back to their pageblocks, so that high blocks run empty.
 */
#include "page/internal.h"
#include "os/os.h"

struct page_lists *const page_no_lists[ZONE_SLOTS];
/* Of nothing until the thread is known. */
#define NO_LISTS ((struct page_lists **)page_no_lists)
__thread struct page_thread page_self = { .lists = NO_LISTS, .free_lists = NO_LISTS };

/* ---- the thread ---- */

struct page_thread *page_thread_get(void)
{
	struct page_thread *me = &page_self;

	if (unlikely(!me->thread)) {
		struct sync_thread *thread = sync_self();

		if (!thread)
			return NULL;
		asym_enter(thread);
		thread->pages = me;
		asym_leave(thread);
		me->thread = thread;
	}
	return me;
}

static bool has_lists(const struct page_thread *owner)
{
	return owner->lists != NO_LISTS;
}

static bool table_make(struct page_thread *me)
{
	u32 nr_slots = (u32)page_layer.nr_nodes * MAX_NR_ZONES + 1;
	struct page_lists **lists = os_alloc(nr_slots * sizeof(*lists));

	if (!lists)
		return false;
	me->nr_slots = nr_slots;
	me->lists = lists;
	me->free_lists = READ_ONCE(page_layer.speculation) ? NO_LISTS : lists;
	return true;
}

struct page_lists *lists_get(struct page_thread *me, struct zone *zone)
{
	if (unlikely(!has_lists(me)) && !table_make(me))
		return NULL;
	if (unlikely(!me->lists[zone->id + 1]))
		me->lists[zone->id + 1] = os_alloc(sizeof(struct page_lists));
	return me->lists[zone->id + 1];
}

static void divert_frees(struct sync_thread *thread, void *arg)
{
	struct page_thread *owner = thread->pages;

	(void)arg;
	if (owner)
		owner->free_lists = NO_LISTS;
}

void lists_free_atomically(void)
{
	asym_visit_all(divert_frees, NULL);
}

/* ---- back to the pageblocks ---- */

/* Takes the pages of one pageblock out of pfn[0..n) and frees them; returns how many are left. */
static unsigned int flush_pageblock(u32 *pfn, unsigned int n)
{
	u64 mask[PB_WORDS] = { 0 };
	u32 pb = pfn[0] >> pageblock_order;
	unsigned int i, left = 0;

	for (i = 0; i < n; i++) {
		u32 at = pfn[i] % PB_PAGES;
		bool here = pfn[i] >> pageblock_order == pb;

		/* No branch: pages of two pageblocks come in any order. */
		mask[at / 64] |= (u64)here << (at % 64);
		pfn[left] = pfn[i];
		left += !here;
	}
	pageblock_free(pb, mask, n - left);
	return left;
}

void pages_flush(u32 *pfn, unsigned int n)
{
	unsigned int rounds = 0;

	/* Where many share few pageblocks, one step each; scattered ones go singly. */
	while (n && rounds++ < 8)
		n = flush_pageblock(pfn, n);
	while (n)
		pages_free_direct(pfn[--n], 0);
}

void list_flush_bottom(struct page_list *list, unsigned int n)
{
	pages_flush(list->pfn, n);
	list->count -= n;
	memmove(list->pfn, list->pfn + n, list->count * sizeof(list->pfn[0]));
}

void list_flush_away(struct page_list *list)
{
	pages_flush(list->away, list->away_count);
	list->away_count = 0;
}

static void huge_flush(struct page_lists *lists, unsigned long pfn, unsigned long end)
{
	u32 i, left = 0;

	for (i = 0; i < lists->huge_count; i++) {
		if (lists->huge[i] >= pfn && lists->huge[i] < end)
			pageblock_free_whole(lists->huge[i] >> pageblock_order);
		else
			lists->huge[left++] = lists->huge[i];
	}
	lists->huge_count = left;
}

/* The pages of [pfn, end) of an array; returns what is left of it. */
static u32 flush_range(u32 *at, u32 n, unsigned long pfn, unsigned long end)
{
	u32 i, left = 0;

	for (i = 0; i < n; i++) {
		if (at[i] >= pfn && at[i] < end)
			pages_free_direct(at[i], 0);
		else
			at[left++] = at[i];
	}
	return left;
}

struct drain {
	struct zone *zone; /* NULL: all */
	unsigned long pfn, end;
	bool disable; /* freed pages stay out of the lists from now on */
	unsigned long count;
};

static void list_drain(struct page_list *list, const struct drain *drain)
{
	unsigned long reserved = list->reserved ? ((unsigned long)list->reserved - 1)
							  << pageblock_order : ~0UL;

	if (drain->pfn == 0 && drain->end == ~0UL) {
		pages_flush(list->pfn, list->count);
		pages_flush(list->away, list->away_count);
		list->count = 0;
		list->away_count = 0;
	} else {
		list->count = flush_range(list->pfn, list->count, drain->pfn, drain->end);
		list->away_count = flush_range(list->away, list->away_count, drain->pfn, drain->end);
	}
	if (list->reserved && reserved >= drain->pfn && reserved < drain->end) {
		pageblock_drop_reservation(list->reserved);
		list->reserved = 0;
	}
	if (drain->disable)
		list->keep = 0;
}

static void lists_drain(struct page_lists *lists, const struct drain *drain)
{
	int type;

	for (type = 0; type < MIGRATE_PCPTYPES; type++)
		list_drain(&lists->type[type], drain);
	huge_flush(lists, drain->pfn, drain->end);
}

static void drain_thread(struct sync_thread *thread, void *arg)
{
	const struct drain *drain = arg;
	struct page_thread *owner = thread->pages;
	u32 i;

	if (!owner || !has_lists(owner))
		return;
	for (i = 1; i < owner->nr_slots; i++)
		if (owner->lists[i] && (!drain->zone || drain->zone->id + 1 == i))
			lists_drain(owner->lists[i], drain);
}

void drain_pages_range(unsigned long pfn, unsigned long end_pfn)
{
	struct drain drain = { .pfn = pfn, .end = end_pfn };

	asym_visit_all(drain_thread, &drain);
}

static void drop_in_list(struct page_list *list, const struct drain *drain)
{
	unsigned long reserved = ((unsigned long)list->reserved - 1) << pageblock_order;

	if (!list->reserved || reserved < drain->pfn || reserved >= drain->end)
		return;
	pageblock_drop_reservation(list->reserved);
	list->reserved = 0;
}

static void drop_in_thread(struct sync_thread *thread, void *arg)
{
	struct page_thread *owner = thread->pages;
	u32 i;
	int type;

	for (i = 1; owner && has_lists(owner) && i < owner->nr_slots; i++)
		for (type = 0; owner->lists[i] && type < MIGRATE_PCPTYPES; type++)
			drop_in_list(&owner->lists[i]->type[type], arg);
}

void drop_reservations(unsigned long pfn, unsigned long end_pfn)
{
	struct drain drain = { .pfn = pfn, .end = end_pfn };

	asym_visit_all(drop_in_thread, &drain);
}

/* ---- filling ---- */

/* What is freed below the end of the section that the list is filled from is kept (D5). */
static void set_keep(struct page_list *list, const struct zone *zone)
{
	unsigned long end = ALIGN((unsigned long)list->reserved << pageblock_order, section_pages());

	list->keep = READ_ONCE(zone->pcp_disabled) || !list->reserved ? 0 : (u32)min(end, 0xffffffffUL);
}

/* Descending, so that pages are handed out ascending. */
static void reverse(u32 *pfn, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n / 2; i++) {
		u32 swap = pfn[i];

		pfn[i] = pfn[n - 1 - i];
		pfn[n - 1 - i] = swap;
	}
}

bool list_refill(struct page_list *list, struct zone *zone, int type, long most)
{
	unsigned int n = (unsigned int)clamp(most, 1L, (long)LIST_BATCH), got = 0;
	unsigned long pb;
	int attempt;

	/* A pageblock chosen can be emptied or isolated before we come; then the next one. */
	for (attempt = 0; !got && attempt < 8; attempt++) {
		if (list->reserved) {
			got = pageblock_take(zone, list->reserved - 1, n, PB_RESERVED, list->pfn);
			if (got)
				break;
			pageblock_drop_reservation(list->reserved);
			list->reserved = 0;
		}
		pb = choose_pageblock(zone, type);
		if (pb == ~0UL)
			break;
		list->reserved = (u32)pb + 1;
	}
	if (!got)
		got = take_leftover(zone, type, n, list->pfn);
	if (!got && list->away_count) {
		/* What this thread freed itself last. */
		list_flush_away(list);
		got = take_leftover(zone, type, n, list->pfn);
	}
	set_keep(list, zone);
	reverse(list->pfn, got);
	list->count = got;
	return got;
}

/* ---- the lists of a zone are switched off while one of its blocks leaves (BUDDY-9) ---- */

static DEFINE_MUTEX(pcp_lock);

void zone_pcp_disable(struct zone *zone)
{
	struct drain drain = { .zone = zone, .pfn = 0, .end = ~0UL, .disable = true };

	mutex_lock(&pcp_lock);
	/* Sections entered after the visit see it; those before it are drained. */
	__atomic_store_n(&zone->pcp_disabled, 1, __ATOMIC_SEQ_CST);
	asym_visit_all(drain_thread, &drain);
}

void zone_pcp_enable(struct zone *zone)
{
	__atomic_store_n(&zone->pcp_disabled, 0, __ATOMIC_RELEASE);
	mutex_unlock(&pcp_lock);
}

static void count_thread(struct sync_thread *thread, void *arg)
{
	struct drain *drain = arg;
	struct page_thread *owner = thread->pages;
	struct page_lists *lists;
	int type;

	if (!owner || !has_lists(owner) || !owner->lists[drain->zone->id + 1])
		return;
	lists = owner->lists[drain->zone->id + 1];
	for (type = 0; type < MIGRATE_PCPTYPES; type++)
		drain->count += lists->type[type].count + lists->type[type].away_count;
	drain->count += lists->huge_count * PB_PAGES;
}

unsigned long zone_pcp_pages(struct zone *zone)
{
	struct drain drain = { .zone = zone };

	asym_visit_all(count_thread, &drain);
	return drain.count;
}

/* ---- ends ---- */

static void thread_free(struct page_thread *owner)
{
	u32 i;

	if (!has_lists(owner))
		return;
	for (i = 1; i < owner->nr_slots; i++)
		os_free(owner->lists[i]);
	os_free(owner->lists);
	owner->lists = NO_LISTS;
	owner->free_lists = NO_LISTS;
	owner->nr_slots = 0;
}

/* The thread frees directly from now on; a visitor finds nothing. */
void page_thread_exit(struct sync_thread *thread)
{
	struct drain drain = { .pfn = 0, .end = ~0UL };
	struct page_thread *owner = thread->pages;

	if (!owner)
		return;
	asym_enter(thread);
	drain_thread(thread, &drain);
	thread_free(owner);
	thread->pages = NULL;
	owner->thread = NULL;
	asym_leave(thread);
}

static void exit_thread(struct sync_thread *thread, void *arg)
{
	(void)arg;
	if (thread->pages)
		thread_free(thread->pages);
}

/* The machine goes: lists are dropped, threads stay known. */
void lists_exit(void)
{
	asym_visit_all(exit_thread, NULL);
}

/* In a fork child the only thread starts anew; others' lists are theirs in the parent. */
void lists_forget(void)
{
	if (page_self.thread)
		page_self.thread->pages = NULL;
	page_self = (struct page_thread){ .lists = NO_LISTS, .free_lists = NO_LISTS };
	mp_mutex_init(&pcp_lock, "pcp_disable");
}
