// SPDX-License-Identifier: MIT
/*
 * One allocation becomes several, in place. Its pageblock, which counted as
 * taken whole, counts its pages from then on. The page lock and the reference
 * of the caller guard the descriptors; nobody else changes the word's count or
 * the bits of a pageblock that is taken whole.
 */
#include "page/internal.h"
#include "report/report.h"

unsigned int page_target_missed;

static void keep_count(struct page *page, unsigned int order)
{
	u64 old = __atomic_load_n(page_count_order(page), __ATOMIC_RELAXED);

	/* References may come and go meanwhile. */
	while (!__atomic_compare_exchange_n(page_count_order(page), &old,
					    count_order((u32)old, order), true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}

void page_split(struct page *page, unsigned int order, unsigned long stride)
{
	unsigned long pb = page_to_pfn(page) >> pageblock_order, i;

	mp_assert(READ_ONCE(page->order) == pageblock_order && PageLocked(page));
	for (i = 1; i < PB_PAGES >> order; i++) {
		struct page *part = page + (i << order);

		__atomic_store_n(&part->private, page->private, __ATOMIC_RELAXED);
		__atomic_store_n(&part->index, page->index + i * stride, __ATOMIC_RELAXED);
		__atomic_store_n(&part->owner, page->owner, __ATOMIC_RELAXED);
		__atomic_store_n(&part->mapping, page->mapping, __ATOMIC_RELAXED);
		__atomic_store_n(&part->flags, order ? BIT(PG_buddy_head) : 0, __ATOMIC_RELAXED);
		__atomic_store_n(page_count_order(part), count_order(1, order), __ATOMIC_RELEASE);
	}
	for (i = 0; i < PB_WORDS; i++)
		__atomic_store_n(&page_layer.bits[pb][i], ~0ULL, __ATOMIC_RELEASE);
	keep_count(page, order);
	/* Release: who sees it counted by pages sees bits and descriptors. */
	__atomic_fetch_and(pb_word(pb), ~PB_HUGE, __ATOMIC_RELEASE);
}
