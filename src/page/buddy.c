// SPDX-License-Identifier: MIT
/*
 * One pageblock: taking and freeing its pages, without a lock (DESIGN D4; the
 * protocol is told in internal.h). A zone's count of free pages moves with the
 * one atomic step on the word, so it never counts a page of an isolated
 * pageblock: a page freed there stays uncounted until the pageblock is opened.
 */
#include "page/internal.h"

void mask_range(u64 *mask, unsigned int first, unsigned int n)
{
	unsigned int i;

	memset(mask, 0, PB_WORDS * sizeof(*mask));
	for (i = first; i < first + n;) {
		unsigned int bits = min(first + n - i, 64 - i % 64);

		mask[i / 64] |= (bits == 64 ? ~0ULL : (1ULL << bits) - 1) << (i % 64);
		i += bits;
	}
}

static void count_free(struct zone_part *part, struct zone *zone, long n)
{
	/* Neighbours of nr_free, which is ours to write just now; a lost step does no harm. */
	if (n < 0)
		WRITE_ONCE(zone->pgalloc, READ_ONCE(zone->pgalloc) + (unsigned long)-n);
	else
		WRITE_ONCE(zone->pgfree, READ_ONCE(zone->pgfree) + (unsigned long)n);
	__atomic_fetch_add(&zone->nr_free, n, __ATOMIC_RELAXED);
	__atomic_fetch_add(&part->nr_free, (u32)n, __ATOMIC_RELAXED);
}

/* The first half of allocation: n of the pageblock's pages are ours to find. */
static unsigned int reserve(struct zone *zone, unsigned long pb, unsigned int least,
			    unsigned int most, u32 must_be)
{
	u32 *word = pb_word(pb), old = __atomic_load_n(word, __ATOMIC_RELAXED);
	unsigned int n;

	do {
		n = min(most, pb_free(old));
		if ((old & PB_ISOLATED) || n < least || (old & must_be) != must_be)
			return 0;
		/* Acquire pairs with the release of pageblock_free(): clear bits are seen. */
	} while (!__atomic_compare_exchange_n(word, &old, pb_touched(old + n, zone), true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	count_free(pfn_part(pb << pageblock_order), zone, -(long)n);
	return n;
}

/* The second half of free. The old word decides whom the pages count for. */
static void release(unsigned long pb, u32 what, unsigned int n)
{
	/* Looked up while the pages are still ours: afterwards the block may leave its zone. */
	struct zone_part *part = pfn_part(pb << pageblock_order);
	struct zone *zone = pfn_zone(pb << pageblock_order);
	u32 old = __atomic_fetch_sub(pb_word(pb), what, __ATOMIC_SEQ_CST);

	if (unlikely(old & PB_ISOLATED)) {
		freed_isolated();
		return;
	}
	count_free(part, zone, (long)n);
	search_lower(zone, pb_type(old), part);
}

/* Claims the lowest `want` of `free` that are still clear in the word; the bits it got. */
static u64 claim_bits(u64 *bits, u64 free, unsigned int want)
{
	u64 ask = free;

	if ((unsigned int)__builtin_popcountll(free) > want) {
		unsigned int i;

		for (i = 0, ask = 0; i < want; i++) {
			ask |= free & -free;
			free &= free - 1;
		}
	}
	return ask & ~__atomic_fetch_or(bits, ask, __ATOMIC_ACQUIRE);
}

unsigned int pageblock_take(struct zone *zone, unsigned long pb, unsigned int n, u32 must_be, u32 *pfn)
{
	u64 *bits = page_layer.bits[pb];
	u32 base = (u32)(pb << pageblock_order);
	unsigned int got = 0, i = 0;

	n = reserve(zone, pb, 1, n, must_be);
	/* Other claimers are after as many bits as they reserved: ours are there. */
	while (got < n) {
		u64 free = ~__atomic_load_n(&bits[i], __ATOMIC_RELAXED);
		u64 mine = free ? claim_bits(&bits[i], free, n - got) : 0;

		for (; mine; mine &= mine - 1)
			pfn[got++] = base + i * 64 + (u32)__builtin_ctzll(mine);
		i = (i + 1) % PB_WORDS;
	}
	return n;
}

/* An aligned run of up to 32 pages inside one word: its first bit, or -1. */
static int find_run(u64 used, unsigned int order)
{
	unsigned int n = 1u << order, i;
	u64 run = (1ULL << n) - 1;

	for (i = 0; i < 64; i += n)
		if (!(used & (run << i)))
			return (int)i;
	return -1;
}

static long claim_short_run(u64 *bits, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < PB_WORDS; i++) {
		u64 used = __atomic_load_n(&bits[i], __ATOMIC_RELAXED);
		int at;

		while ((at = find_run(used, order)) >= 0) {
			u64 run = ((1ULL << (1u << order)) - 1) << at;

			if (__atomic_compare_exchange_n(&bits[i], &used, used | run, true,
							__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				return (long)i * 64 + at;
		}
	}
	return -1;
}

static long claim_long_run(u64 *bits, unsigned int order)
{
	unsigned int words = 1u << (order - 6), i, j;

	for (i = 0; i < PB_WORDS; i += words) {
		for (j = 0; j < words; j++) {
			u64 clear = 0;

			if (!__atomic_compare_exchange_n(&bits[i + j], &clear, ~0ULL, false,
							 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
				break;
		}
		if (j == words)
			return (long)i * 64;
		while (j--)
			__atomic_store_n(&bits[i + j], 0, __ATOMIC_RELEASE);
	}
	return -1;
}

unsigned long pageblock_take_run(struct zone *zone, unsigned long pb, unsigned int order, u32 must_be)
{
	u64 *bits = page_layer.bits[pb];
	unsigned int n = 1u << order;
	long at;

	if (!reserve(zone, pb, n, n, must_be))
		return ~0UL;
	at = order < 6 ? claim_short_run(bits, order) : claim_long_run(bits, order);
	if (at < 0) {
		release(pb, n, n);
		return ~0UL;
	}
	return (pb << pageblock_order) + (unsigned long)at;
}

bool pageblock_take_whole(struct zone *zone, unsigned long pb, bool steal)
{
	u32 *word = pb_word(pb), old = __atomic_load_n(word, __ATOMIC_RELAXED);

	do {
		if (pb_used(old) || (old & PB_ISOLATED) || ((old & PB_RESERVED) && !steal))
			return false;
	} while (!__atomic_compare_exchange_n(word, &old,
					      pb_touched(old + PB_PAGES + PB_HUGE, zone), true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	count_free(pfn_part(pb << pageblock_order), zone, -(long)PB_PAGES);
	return true;
}

void pageblock_free(unsigned long pb, const u64 *mask, unsigned int n)
{
	u64 *bits = page_layer.bits[pb];
	unsigned int i;

	for (i = 0; i < PB_WORDS; i++)
		if (mask[i])
			__atomic_fetch_and(&bits[i], ~mask[i], __ATOMIC_RELEASE);
	release(pb, n, n);
}

void pageblock_free_whole(unsigned long pb)
{
	release(pb, PB_PAGES + PB_HUGE, PB_PAGES);
}

void pages_free_direct(unsigned long pfn, unsigned int order)
{
	unsigned long pb = pfn >> pageblock_order;
	u64 mask[PB_WORDS];

	if (order >= pageblock_order) {
		unsigned long i;

		for (i = 0; i < 1UL << (order - pageblock_order); i++)
			pageblock_free_whole(pb + i);
		return;
	}
	mask_range(mask, pfn % PB_PAGES, 1u << order);
	pageblock_free(pb, mask, 1u << order);
}

bool pageblock_claim(unsigned long pb, unsigned int first, unsigned int n)
{
	u32 *word = pb_word(pb), old = __atomic_load_n(word, __ATOMIC_RELAXED);
	struct zone *zone = pfn_zone(pb << pageblock_order);
	struct zone_part *part = pfn_part(pb << pageblock_order);
	u64 mask[PB_WORDS], got[PB_WORDS] = { 0 };
	bool all = true;
	unsigned int i;

	do {
		if (pb_free(old) < n || (old & PB_HUGE))
			return false;
	} while (!__atomic_compare_exchange_n(word, &old, zone ? pb_touched(old + n, zone) : old + n,
					      true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	/* Before the part is listed its pages are nobody's free pages. */
	if (!(old & PB_ISOLATED) && READ_ONCE(part->zone))
		count_free(part, zone, -(long)n);
	mask_range(mask, first, n);
	for (i = 0; i < PB_WORDS; i++) {
		if (!mask[i])
			continue;
		got[i] = mask[i] & ~__atomic_fetch_or(&page_layer.bits[pb][i], mask[i],
						      __ATOMIC_ACQUIRE);
		all &= got[i] == mask[i];
	}
	if (all)
		return true;
	pageblock_free(pb, got, n);
	return false;
}

void pageblock_drop_reservation(u32 reserved)
{
	if (reserved)
		__atomic_fetch_and(pb_word(reserved - 1), ~PB_RESERVED, __ATOMIC_RELEASE);
}

/* ---- single pages by name (poison) ---- */

bool buddy_take_page(unsigned long pfn)
{
	section_set(pfn_section(pfn), SECTION_DIRTY);
	return pageblock_claim(pfn >> pageblock_order, pfn % PB_PAGES, 1);
}

void buddy_return_page(unsigned long pfn)
{
	page_clear(pfn_to_page(pfn));
	pages_free_direct(pfn, 0);
}

bool PageBuddy(const struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	u32 word = pb_load(pfn >> pageblock_order);
	u64 bits;

	if (word & PB_HUGE || !(section_flags(pfn_section(pfn)) & SECTION_ONLINE))
		return false;
	bits = __atomic_load_n(&page_layer.bits[pfn >> pageblock_order][pfn % PB_PAGES / 64],
			       __ATOMIC_ACQUIRE);
	return !(bits & BIT(pfn % 64));
}

/* ---- a range enters and leaves the allocator ---- */

void buddy_materialize_range(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, pb;

	for (pb = pfn >> pageblock_order; pb < end >> pageblock_order; pb++) {
		memset(page_layer.bits[pb], 0xff, sizeof(page_layer.bits[pb]));
		__atomic_store_n(pb_word(pb), pb_touched(PB_PAGES, pfn_zone(pfn)), __ATOMIC_RELEASE);
	}
	for (; pfn < end; pfn++) {
		__atomic_store_n(&pfn_to_page(pfn)->flags, BIT(PG_reserved), __ATOMIC_RELAXED);
		__atomic_store_n(&pfn_to_page(pfn)->_refcount, 1, __ATOMIC_RELEASE);
		section_set(pfn_section(pfn), SECTION_DIRTY | SECTION_REAL);
	}
}

/* Pages of a chunk that was kept until now: their bits are set. */
static void add_real_chunk(unsigned long pfn, unsigned long nr_pages, bool onlining)
{
	unsigned long end = pfn + nr_pages, to;
	u64 mask[PB_WORDS];

	for (; pfn < end; pfn = to) {
		unsigned long pb = pfn >> pageblock_order, at;
		unsigned int i;

		to = min(end, (pb + 1) << pageblock_order);
		for (at = pfn; at < to; at++)
			page_clear(pfn_to_page(at));
		mask_range(mask, pfn % PB_PAGES, (unsigned int)(to - pfn));
		if (!onlining) {
			pageblock_free(pb, mask, (unsigned int)(to - pfn));
			continue;
		}
		/* buddy_open_range() counts what is free. */
		for (i = 0; i < PB_WORDS; i++)
			page_layer.bits[pb][i] &= ~mask[i];
		__atomic_fetch_sub(pb_word(pb), (u32)(to - pfn), __ATOMIC_RELEASE);
	}
}

void buddy_add_chunk(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	u32 flags = section_flags(pfn_section(pfn));

	/* An onlining block whose tables are still zero: its pages read as free already. */
	if ((flags & (SECTION_ONLINING | SECTION_REAL)) == SECTION_ONLINING)
		return;
	add_real_chunk(pfn, 1UL << order, flags & SECTION_ONLINING);
}

static void open_part(struct zone *zone, struct zone_part *part, bool dirty)
{
	unsigned long pb, isolated = 0;
	u32 free = 0;

	/* Tables that nobody wrote to are zero and need not be read. */
	if (!dirty && READ_ONCE(pfn_section(part_first(part) << pageblock_order)->zone)) {
		free = section_pageblocks() * PB_PAGES;
	} else {
		for (pb = part_first(part); pb < part_end(part); pb++) {
			u32 word = pageblock_in(part, pb) ? pb_load(pb) : PB_PAGES;

			if (word & PB_ISOLATED)
				isolated++;
			else
				free += pb_free(word);
		}
	}
	mutex_lock(&zone->lock);
	part_insert(zone, part);
	__atomic_fetch_add(&zone->nr_free, (long)free, __ATOMIC_RELAXED);
	__atomic_fetch_add(&part->nr_free, free, __ATOMIC_RELAXED);
	__atomic_fetch_add(&zone->nr_isolate_pageblock, isolated, __ATOMIC_RELAXED);
	mutex_unlock(&zone->lock);
}

static struct zone_part *section_part(unsigned long section, struct zone *zone)
{
	struct section_split *split = page_layer.sections[section].split;
	unsigned int i;

	for (i = 0; split && i < split->nr; i++)
		if (split->at[i].zone == zone)
			return &page_layer.parts[split->at[i].part];
	return &page_layer.parts[section + 1];
}

void buddy_open_range(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long first = pfn >> page_layer.section_order, nr;
	unsigned long last = (pfn + nr_pages - 1) >> page_layer.section_order;
	u32 dirty = mobility_grouping_disabled() ? SECTION_DIRTY : 0;

	for (nr = first; nr <= last; nr++) {
		struct mem_section *section = &page_layer.sections[nr];
		struct zone_part *part = section_part(nr, zone);
		unsigned long pb;

		if (dirty) {
			section_set(section, SECTION_DIRTY);
			for (pb = part_first(part); pb < part_end(part); pb++)
				if (pageblock_in(part, pb) && !pb_used(pb_load(pb)))
					pageblock_set_type(pb, mobility_type(MIGRATE_MOVABLE));
		}
		open_part(zone, part, section_flags(section) & SECTION_DIRTY);
	}
}

static unsigned long close_pageblock(unsigned long pb)
{
	u32 word = pb_load(pb);
	unsigned long first = ~0UL;

	if (WARN(!(word & PB_ISOLATED), "pageblock 0x%lx leaves while it is open",
		 pb << pageblock_order))
		return 0;
	if (pb_used(word) && pages_not_free(pb << pageblock_order, (pb + 1) << pageblock_order, &first))
		mp_fatal_at(__FILE__, __LINE__, "page 0x%lx leaves while it is in use", first);
	return 1;
}

void buddy_close_range(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, pb, isolated = 0, nr;

	for (pb = pfn >> pageblock_order; pb < end >> pageblock_order; pb++)
		isolated += close_pageblock(pb);
	mutex_lock(&zone->lock);
	for (nr = pfn >> page_layer.section_order; nr <= (end - 1) >> page_layer.section_order; nr++)
		part_remove(zone, section_part(nr, zone));
	__atomic_fetch_sub(&zone->nr_isolate_pageblock, isolated, __ATOMIC_RELAXED);
	mutex_unlock(&zone->lock);
}
