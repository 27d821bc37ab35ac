// SPDX-License-Identifier: MIT
/*
 * Isolation of pageblocks: one atomic step on each word, after which the
 * allocator takes nothing from it and what is freed there stays (ISOL-1..12).
 * The word keeps the type that the pageblock had. Nothing here has a lock: two
 * isolators meet at the word, and the second one gives way (ISOL-11).
 */
#include "page/internal.h"
#include "os/os.h"

/* ---- waiting for pages that are freed in isolated pageblocks ---- */

static struct {
	u32 sequence; /* one step per free; slept on */
	u32 waiters;
} freed;
static __thread u32 freed_seen_sequence;

void freed_isolated(void)
{
	__atomic_fetch_add(&freed.sequence, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&freed.waiters, __ATOMIC_SEQ_CST))
		os_futex_wake(&freed.sequence, 0x7fffffff);
}

void freed_seen(void)
{
	freed_seen_sequence = __atomic_load_n(&freed.sequence, __ATOMIC_SEQ_CST);
}

void wait_for_freed_page(u64 ns)
{
	__atomic_fetch_add(&freed.waiters, 1, __ATOMIC_SEQ_CST);
	os_futex_wait(&freed.sequence, freed_seen_sequence, ns ? ns : 1);
	__atomic_fetch_sub(&freed.waiters, 1, __ATOMIC_SEQ_CST);
	freed_seen();
}

void isolation_exit(void)
{
	freed.waiters = 0;
}

/* ---- looking at used pages ---- */

static unsigned long next_bit(unsigned long pb, unsigned int from)
{
	unsigned int i = from / 64;
	u64 bits = __atomic_load_n(&page_layer.bits[pb][i], __ATOMIC_ACQUIRE) & (~0ULL << (from % 64));

	while (!bits) {
		if (++i == PB_WORDS)
			return PB_PAGES;
		bits = __atomic_load_n(&page_layer.bits[pb][i], __ATOMIC_ACQUIRE);
	}
	return i * 64 + (unsigned int)__builtin_ctzll(bits);
}

static unsigned long allocation_pages(unsigned long pfn)
{
	const struct page *page = pfn_to_page(pfn);
	u32 order = READ_ONCE(page->order);

	return READ_ONCE(page->flags) & BIT(PG_buddy_head) && order < MAX_ORDER ? 1UL << order : 1;
}

unsigned long next_used(unsigned long pfn, unsigned long end, unsigned long *step)
{
	*step = 1;
	while (pfn < end) {
		unsigned long pb = pfn >> pageblock_order, next = (pb + 1) << pageblock_order;
		u32 word = pb_load(pb);

		if (!pb_used(word)) {
			pfn = next;
			continue;
		}
		if (word & PB_HUGE) {
			*step = max(next - pfn, allocation_pages(pfn));
			return pfn;
		}
		pfn = (pb << pageblock_order) + next_bit(pb, pfn % PB_PAGES);
		if (pfn < next && pfn < end) {
			*step = allocation_pages(pfn);
			return pfn;
		}
		pfn = min(pfn, next);
	}
	return end;
}

/* ISOL-7, without what this machine does not have (hugetlb, LRU, CMA). */
enum unmovable_why page_unmovable(unsigned long pfn, int flags, unsigned long *step)
{
	struct page *page = pfn_to_page(pfn);
	struct zone *zone = pfn_zone(pfn);

	*step = allocation_pages(pfn);
	if (PageReserved(page))
		return PAGE_RESERVED;
	if (zone && zone_idx(zone) == ZONE_MOVABLE)
		return PAGE_MAY_MOVE;
	if (!page_count(page))
		return PAGE_MAY_MOVE;
	if ((flags & MEMORY_OFFLINE) && (PageHWPoison(page) || PageOffline(page)))
		return PAGE_MAY_MOVE;
	return __PageMovable(page) ? PAGE_MAY_MOVE : PAGE_UNMOVABLE;
}

static unsigned long find_refusing(unsigned long pfn, unsigned long end, int flags, bool lenient,
				   enum unmovable_why *why)
{
	unsigned long step, used;

	for (pfn = next_used(pfn, end, &used); pfn < end; pfn = next_used(pfn + step, end, &used)) {
		*why = page_unmovable(pfn, flags, &step);
		step = max(step, used);
		if (*why == PAGE_RESERVED || (*why == PAGE_UNMOVABLE && !lenient))
			return pfn;
	}
	*why = PAGE_MAY_MOVE;
	return ~0UL;
}

unsigned long find_unmovable(unsigned long pfn, unsigned long end_pfn, int flags,
			     enum unmovable_why *why)
{
	enum unmovable_why dummy;

	return find_refusing(pfn, end_pfn, flags, false, why ? why : &dummy);
}

/* ---- isolating ---- */

struct isolation {
	unsigned long start, end; /* as asked for */
	int flags;
	bool lenient;
	unsigned long bad_pfn;
	enum unmovable_why why;
	bool visit; /* pages or a reservation were there: threads must be told */
};

static bool pageblock_online(unsigned long pb)
{
	return pfn_to_online_page(pb << pageblock_order) && pfn_zone(pb << pageblock_order);
}

static void count_isolated(unsigned long pb, u32 word, int sign)
{
	struct zone *zone = pfn_zone(pb << pageblock_order);
	struct zone_part *part = pfn_part(pb << pageblock_order);
	long free = (long)pb_free(word) * -sign;

	__atomic_fetch_add(&zone->nr_free, free, __ATOMIC_RELAXED);
	__atomic_fetch_add(&part->nr_free, (u32)free, __ATOMIC_RELAXED);
	__atomic_fetch_add(&zone->nr_isolate_pageblock, (unsigned long)(long)sign, __ATOMIC_RELAXED);
}

/* Opens one pageblock as `type`, or (-1) as what it was. */
static void open_pageblock(unsigned long pb, int type)
{
	u32 *word = pb_word(pb), old = __atomic_load_n(word, __ATOMIC_RELAXED);

	if (!(old & PB_ISOLATED))
		return;
	if (type >= 0 && pb_type(old) != type)
		pageblock_set_type(pb, type);
	old = __atomic_load_n(word, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(word, &old, old & ~PB_ISOLATED, true, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED))
		;
	count_isolated(pb, old, -1);
	search_lower(pfn_zone(pb << pageblock_order), pb_type(old),
		     pfn_part(pb << pageblock_order));
}

/* An order-10 page that lies half outside: it goes away whole or refuses (ISOL-2). */
static bool straddles(unsigned long pb, const struct isolation *iso)
{
	unsigned long pfn = pb << pageblock_order, head = pfn;

	if (!(pb_load(pb) & PB_HUGE))
		return false;
	if ((pb & 1) && allocation_pages(pfn - PB_PAGES) > PB_PAGES &&
	    pb_load(pb - 1) & PB_HUGE)
		head = pfn - PB_PAGES;
	return head < ALIGN_DOWN(iso->start, pageblock_nr_pages) ||
	       head + allocation_pages(head) > ALIGN(iso->end, pageblock_nr_pages);
}

static bool move_away_straddling(unsigned long pb)
{
	unsigned long head = pb << pageblock_order;

	if ((pb & 1) && allocation_pages(head - PB_PAGES) > PB_PAGES)
		head -= PB_PAGES;
	return __PageMovable(pfn_to_page(head)) && migrate_straddling(head);
}

static int isolate_pageblock(unsigned long pb, struct isolation *iso)
{
	unsigned long pfn = max(pb << pageblock_order, iso->start);
	unsigned long end = min((pb + 1) << pageblock_order, iso->end);
	u32 *word = pb_word(pb), old;

	if (!pageblock_online(pb))
		return 0;
	iso->bad_pfn = pfn;
	iso->why = PAGE_BUSY_ISOLATED;
	if (straddles(pb, iso) && !move_away_straddling(pb)) {
		iso->why = PAGE_UNMOVABLE;
		return -EBUSY;
	}
	section_set(pfn_section(pfn), SECTION_DIRTY);
	/* ISOL-3. Isolated first and looked at then: nobody allocates in between. */
	old = __atomic_load_n(word, __ATOMIC_RELAXED);
	do {
		if (old & PB_ISOLATED)
			return -EBUSY;
	} while (!__atomic_compare_exchange_n(word, &old, old | PB_ISOLATED, true, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	count_isolated(pb, old, 1);
	iso->visit |= pb_used(old) || (old & PB_RESERVED);
	if (!pb_used(old))
		return 0;
	iso->bad_pfn = find_refusing(pfn, end, iso->flags, iso->lenient, &iso->why);
	if (iso->bad_pfn == ~0UL)
		return 0;
	open_pageblock(pb, page_follow_linux() ? mobility_type(MIGRATE_MOVABLE) : -1);
	return -EBUSY;
}

static void undo_pageblocks(unsigned long first, unsigned long end, int type)
{
	unsigned long pb;

	for (pb = first; pb < end; pb++)
		if (pageblock_online(pb))
			open_pageblock(pb, type);
}

/* ISOL-6: Linux forgets what the pageblocks were; by default their type comes back. */
static int undo_type(int migratetype)
{
	if (migratetype == MIGRATE_MOVABLE && !page_follow_linux())
		return -1;
	return mobility_type(migratetype);
}

static int isolate_all(unsigned long first, unsigned long end, int migratetype, struct isolation *iso)
{
	unsigned long pb;
	int ret;

	ret = isolate_pageblock(first, iso);
	if (ret || end - first == 1)
		return ret;
	ret = isolate_pageblock(end - 1, iso);
	if (ret) {
		undo_pageblocks(first, first + 1, undo_type(migratetype));
		return ret;
	}
	for (pb = first + 1; pb < end - 1; pb++) {
		ret = isolate_pageblock(pb, iso);
		if (ret) {
			undo_pageblocks(first, pb, undo_type(migratetype));
			undo_pageblocks(end - 1, end, undo_type(migratetype));
			return ret;
		}
	}
	return 0;
}

int isolate_page_range(unsigned long start, unsigned long end, int migratetype, int flags,
		       bool lenient, unsigned long *bad_pfn, enum unmovable_why *why)
{
	struct isolation iso = { .start = start, .end = end, .flags = flags, .lenient = lenient };
	unsigned long first = start >> pageblock_order;
	unsigned long last = DIV_ROUND_UP(end, pageblock_nr_pages);
	int ret;

	if (start >= end || end > page_layer.max_pfn)
		return -EINVAL;
	ret = isolate_all(first, last, migratetype, &iso);
	if (ret && (flags & REPORT_FAILURE) && iso.why != PAGE_BUSY_ISOLATED) {
		char holder[96], state[64];

		page_describe(iso.bad_pfn, holder, sizeof(holder), state, sizeof(state));
		pr_warn("unmovable page: pfn 0x%lx, %s, held by %s", iso.bad_pfn, state, holder);
	}
	/* Frees that began before are over, and no thread goes on allocating here. */
	if (!ret && iso.visit)
		drop_reservations(first << pageblock_order, last << pageblock_order);
	if (bad_pfn)
		*bad_pfn = ret ? iso.bad_pfn : ~0UL;
	if (why)
		*why = ret ? iso.why : PAGE_MAY_MOVE;
	return ret;
}

int start_isolate_page_range(unsigned long start, unsigned long end, int migratetype, int flags,
			     gfp_t gfp)
{
	(void)gfp;
	return isolate_page_range(start, end, migratetype, flags, false, NULL, NULL);
}

void undo_isolate_page_range(unsigned long start, unsigned long end, int migratetype)
{
	if (start < end && end <= page_layer.max_pfn)
		undo_pageblocks(start >> pageblock_order, DIV_ROUND_UP(end, pageblock_nr_pages),
				undo_type(migratetype));
}

/* ---- is it all free ---- */

/* ISOL-12: counts as free although the allocator does not have it. */
static bool as_good_as_free(unsigned long pfn, int flags)
{
	const struct page *page = pfn_to_page(pfn);

	if (!(flags & MEMORY_OFFLINE))
		return false;
	return PageHWPoison(page) || (PageOffline(page) && !page_count(page));
}

int test_pages_isolated(unsigned long start, unsigned long end, int flags)
{
	unsigned long pb, pfn, step;

	if (start >= end || end > page_layer.max_pfn)
		return -EBUSY;
	for (pb = start >> pageblock_order; pb < DIV_ROUND_UP(end, pageblock_nr_pages); pb++)
		if (pageblock_online(pb) && !(pb_load(pb) & PB_ISOLATED))
			return -EBUSY;
	for (pfn = next_used(start, end, &step); pfn < end; pfn = next_used(pfn + 1, end, &step))
		if (!as_good_as_free(pfn, flags))
			return -EBUSY;
	return 0;
}

unsigned long pages_not_free(unsigned long pfn, unsigned long end_pfn, unsigned long *first)
{
	unsigned long count = 0, step;

	freed_seen();
	for (pfn = next_used(pfn, end_pfn, &step); pfn < end_pfn;
	     pfn = next_used(pfn + step, end_pfn, &step)) {
		if (as_good_as_free(pfn, MEMORY_OFFLINE))
			continue;
		if (!count && first)
			*first = pfn;
		count += min(step, end_pfn - pfn);
	}
	return count;
}

void scan_movable_pages(unsigned long pfn, unsigned long end_pfn, struct scan_result *result)
{
	unsigned long step;

	result->candidate = ~0UL;
	result->offline_pfn = ~0UL;
	freed_seen();
	for (pfn = next_used(pfn, end_pfn, &step); pfn < end_pfn;
	     pfn = next_used(pfn + step, end_pfn, &step)) {
		struct page *page = pfn_to_page(pfn);

		if (__PageMovable(page) && page_count(page)) {
			result->candidate = pfn;
			return;
		}
		if (PageOffline(page) && page_count(page)) {
			result->offline_pfn = pfn;
			return;
		}
	}
}
