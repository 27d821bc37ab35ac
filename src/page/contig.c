// SPDX-License-Identifier: MIT
/*
 * Allocation of an exact range: isolate it, move what lives there, claim its
 * pages, open it again (ISOL-13). Offlining and this keep out of each other's
 * way pageblock by pageblock (ISOL-3).
 */
#include "page/internal.h"

#define ATTEMPTS 5

static int check_contig(unsigned long start, unsigned long end, unsigned int migratetype)
{
	unsigned long pfn;
	struct zone *zone;

	if (start >= end || end > page_layer.max_pfn || migratetype != MIGRATE_MOVABLE)
		return -EINVAL;
	zone = pfn_zone(start);
	if (!zone)
		return -EINVAL;
	for (pfn = ALIGN_DOWN(start, pageblock_nr_pages); pfn < end; pfn += PB_PAGES)
		if (!pfn_to_online_page(pfn) || pfn_zone(pfn) != zone)
			return -EINVAL;
	return 0;
}

static int empty_contig(unsigned long start, unsigned long end)
{
	unsigned long failed;
	int attempt, error = 0;

	/* Giving up is not an error yet: pages may be freed by their owners. */
	for (attempt = 0; attempt < ATTEMPTS; attempt++) {
		migrate_range(start, end, MR_CONTIG_RANGE, &failed, &error);
		if (error)
			return error;
		if (!failed)
			break;
	}
	drain_pages_range(start, end);
	return test_pages_isolated(start, end, 0);
}

static bool claim(unsigned long start, unsigned long end, const void *site)
{
	unsigned long pfn, to;

	for (pfn = start; pfn < end; pfn = to) {
		to = min(end, ALIGN_DOWN(pfn, pageblock_nr_pages) + PB_PAGES);
		if (!pageblock_claim(pfn >> pageblock_order, pfn % PB_PAGES,
				     (unsigned int)(to - pfn)))
			goto undo;
	}
	for (pfn = start; pfn < end; pfn++)
		page_prepare(pfn_to_page(pfn), 0, 0, site);
	return true;
undo:
	for (end = pfn, pfn = start; pfn < end; pfn++)
		pages_free_direct(pfn, 0);
	return false;
}

struct page *page_take_isolated(unsigned long pfn, unsigned int order, const void *site)
{
	if (!pageblock_claim(pfn >> pageblock_order, pfn % PB_PAGES, 1u << order))
		return NULL;
	page_prepare(pfn_to_page(pfn), order, 0, site);
	return pfn_to_page(pfn);
}

int alloc_contig_range(unsigned long start, unsigned long end, unsigned int migratetype, gfp_t gfp)
{
	unsigned long pfn;
	int ret;

	ret = check_contig(start, end, migratetype);
	if (ret)
		return ret;
	ret = start_isolate_page_range(start, end, (int)migratetype, 0, gfp);
	if (ret)
		return ret;
	drain_pages_range(start, end);
	ret = empty_contig(start, end);
	if (!ret && !claim(start, end, __builtin_return_address(0)))
		ret = -EBUSY;
	undo_isolate_page_range(start, end, (int)migratetype);
	for (pfn = start; !ret && (gfp & __GFP_ZERO) && pfn < end; pfn++)
		memset(page_address(pfn_to_page(pfn)), 0, PAGE_SIZE);
	return ret;
}

void free_contig_range(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long i, extra = 0;

	for (i = 0; i < nr_pages; i++) {
		struct page *page = pfn_to_page(pfn + i);

		extra += page_count(page) != 1;
		__free_pages(page, 0);
	}
	WARN(extra, "%lu pages of 0x%lx+%lu have more references", extra, pfn, nr_pages);
}
