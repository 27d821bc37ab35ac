// SPDX-License-Identifier: MIT
/*
 * What is in a range of online pages, for whoever wants to know what an
 * offline would meet (ISOL-7, OFFLINE-5). Looks at the tables without a lock, and
 * changes nothing: what it finds is of the moment.
 */
#include "page/internal.h"

static void count(struct range_usage *usage, unsigned long pfn, unsigned long pages)
{
	const struct page *page = pfn_to_page(pfn);
	unsigned long *kind;
	bool stays = true;

	if (PageReserved(page))
		kind = &usage->reserved;
	else if (PageHWPoison(page) || (PageOffline(page) && !page_count(page)))
		kind = &usage->skipped, stays = false;
	else if (PageOffline(page))
		kind = &usage->offline;
	else if (!page_count(page) || __PageMovable(page))
		kind = page_count(page) ? &usage->movable : &usage->listed, stays = false;
	else
		kind = &usage->unmovable;
	*kind += pages;
	usage->used += pages;
	if (stays && usage->first == ~0UL)
		usage->first = pfn;
}

void range_usage(unsigned long pfn, unsigned long end, struct range_usage *usage)
{
	unsigned long step, pb;

	*usage = (struct range_usage){ .first = ~0UL };
	for (pb = pfn >> pageblock_order; pb << pageblock_order < end; pb++)
		usage->isolated += !!(pb_load(pb) & PB_ISOLATED);
	for (pfn = next_used(pfn, end, &step); pfn < end; pfn = next_used(pfn + step, end, &step))
		count(usage, pfn, min(step, end - pfn));
}
