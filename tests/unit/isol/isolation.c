/* SPDX-License-Identifier: MIT */
/* Isolation of page ranges (ISOL-1..13), and what offlining builds on it (OFFLINE-5, 9, 15). */
#include "../buddy/harness.h"

#include <pthread.h>

#define PB 512UL

static int type_at(unsigned long pfn)
{
	return get_pageblock_migratetype(pfn_to_page(pfn));
}

/* Until the allocator gives a page of [pfn, end): it must. The others are kept in `kept`. */
static struct page *page_in(gfp_t gfp, unsigned long pfn, unsigned long end)
{
	struct page *page;

	while ((page = alloc_pages(gfp, 0)) != NULL)
		if (page_to_pfn(page) >= pfn && page_to_pfn(page) < end)
			return page;
	FAIL("no page of the range was to be had");
}

static int isolate(unsigned long start, unsigned long end, int flags)
{
	return start_isolate_page_range(start, end, MIGRATE_MOVABLE, flags, GFP_KERNEL);
}

TEST(ISOL_1, "the range is widened to pageblocks, and each of them is ISOLATE")
{
	unsigned long pfn;

	harness_start();
	block_add_online(0, NORMAL(0));
	pfn = block_pfn(0);
	CHECK_EQ(isolate(pfn + PB + 7, pfn + 3 * PB + 1, 0), 0);
	CHECK_EQ(type_at(pfn), MIGRATE_MOVABLE);
	CHECK_EQ(type_at(pfn + PB), MIGRATE_ISOLATE);
	CHECK_EQ(type_at(pfn + 2 * PB), MIGRATE_ISOLATE);
	CHECK_EQ(type_at(pfn + 3 * PB), MIGRATE_ISOLATE);
	CHECK_EQ(type_at(pfn + 4 * PB), MIGRATE_MOVABLE);
	undo_isolate_page_range(pfn + PB + 7, pfn + 3 * PB + 1, MIGRATE_MOVABLE);
	CHECK_EQ(type_at(pfn + 2 * PB), MIGRATE_MOVABLE);
	harness_stop();
}

TEST(ISOL_1, "a range that cannot be had is left as it was, first and last pageblock, too")
{
	unsigned long pfn;
	int i;

	harness_start();
	block_add_online(0, NORMAL(0));
	pfn = block_pfn(0);
	CHECK_EQ(isolate(pfn + 2 * PB, pfn + 3 * PB, 0), 0);
	CHECK_EQ(isolate(pfn, pfn + 4 * PB, 0), -EBUSY);
	for (i = 0; i < 4; i++)
		CHECK_EQ(type_at(pfn + (unsigned long)i * PB),
			 i == 2 ? MIGRATE_ISOLATE : MIGRATE_MOVABLE);
	CHECK_EQ(nr_free_pages(), block_pages() - PB);
	undo_isolate_page_range(pfn + 2 * PB, pfn + 3 * PB, MIGRATE_MOVABLE);
	CHECK_EQ(nr_free_pages(), block_pages());
	harness_stop();
}

TEST(ISOL_2, "the first pageblock is tried before the last, and the last before the inner ones")
{
	unsigned long pfn, bad;
	enum unmovable_why why;

	harness_start();
	block_add_online(0, NORMAL(0));
	pfn = block_pfn(0);
	/* Somebody else has the last and an inner one; who is met first is told. */
	CHECK_EQ(isolate(pfn + 3 * PB, pfn + 4 * PB, 0), 0);
	CHECK_EQ(isolate(pfn + PB, pfn + 2 * PB, 0), 0);
	CHECK_EQ(isolate_page_range(pfn, pfn + 4 * PB, MIGRATE_MOVABLE, 0, false, &bad, &why), -EBUSY);
	CHECK_EQ(bad, pfn + 3 * PB);
	CHECK_EQ(isolate_page_range(pfn + PB, pfn + 4 * PB, MIGRATE_MOVABLE, 0, false, &bad, &why),
		 -EBUSY);
	CHECK_EQ(bad, pfn + PB);
	undo_isolate_page_range(pfn + 3 * PB, pfn + 4 * PB, MIGRATE_MOVABLE);
	CHECK_EQ(isolate_page_range(pfn, pfn + 4 * PB, MIGRATE_MOVABLE, 0, false, &bad, &why), -EBUSY);
	CHECK_EQ(bad, pfn + PB);
	undo_isolate_page_range(pfn, pfn + 4 * PB, MIGRATE_MOVABLE);
	harness_stop();
}

TEST(ISOL_2, "a page that lies half outside the range moves away whole, or refuses")
{
	struct held_page held;
	struct page *fixed, *movable;
	unsigned long pfn;

	harness_start();
	block_add_online(0, NORMAL(0));
	fixed = alloc_pages(GFP_KERNEL, 10);
	pfn = page_to_pfn(fixed);
	CHECK_EQ(isolate(pfn, pfn + PB, MEMORY_OFFLINE), -EBUSY);
	CHECK_EQ(isolate(pfn + PB, pfn + 2 * PB, MEMORY_OFFLINE), -EBUSY);
	CHECK_EQ(NORMAL(0)->nr_isolate_pageblock, 0);
	__free_pages(fixed, 10);
	movable = alloc_pages(GFP_HIGHUSER_MOVABLE, 10);
	hold(&held, movable);
	pfn = page_to_pfn(movable);
	CHECK_EQ(isolate(pfn + PB, pfn + 2 * PB, MEMORY_OFFLINE), 0);
	CHECK_EQ(held.migrated, 1);
	CHECK_NE(page_to_pfn(held.page), pfn);
	CHECK_EQ(test_pages_isolated(pfn + PB, pfn + 2 * PB, MEMORY_OFFLINE), 0);
	undo_isolate_page_range(pfn + PB, pfn + 2 * PB, MIGRATE_MOVABLE);
	release(&held);
	harness_stop();
}

TEST(ISOL_3, "isolated already or an unmovable page in the part asked for: -EBUSY; else it counts")
{
	unsigned long pfn, free;
	struct page *page;

	harness_start();
	block_add_online(0, NORMAL(0));
	free = nr_free_pages();
	pfn = block_pfn(0);
	CHECK_EQ(isolate(pfn + PB, pfn + 2 * PB, 0), 0);
	CHECK_EQ(NORMAL(0)->nr_isolate_pageblock, 1);
	CHECK_EQ(nr_free_pages(), free - PB);
	CHECK_EQ(isolate(pfn + PB, pfn + 2 * PB, 0), -EBUSY);
	CHECK_EQ(NORMAL(0)->nr_isolate_pageblock, 1);
	undo_isolate_page_range(pfn + PB, pfn + 2 * PB, MIGRATE_MOVABLE);
	CHECK_EQ(nr_free_pages(), free);
	page = alloc_pages(GFP_KERNEL, 3);
	pfn = page_to_pfn(page) & ~(PB - 1);
	CHECK_EQ(isolate(pfn, pfn + PB, 0), -EBUSY);
	/* Only what lies inside the range is looked at. */
	CHECK_EQ(isolate(page_to_pfn(page) + 8, pfn + PB, 0), 0);
	undo_isolate_page_range(pfn, pfn + PB, MIGRATE_MOVABLE);
	__free_pages(page, 3);
	harness_stop();
}

static char log_text[512];

static void keep_log(int level, const char *text, void *arg)
{
	(void)level;
	(void)arg;
	snprintf(log_text, sizeof(log_text), "%s", text);
}

TEST(ISOL_4, "REPORT_FAILURE logs the page with \"unmovable page\"; without it nothing is said")
{
	unsigned long pfn;
	struct page *page;
	char want[32];

	harness_start();
	block_add_online(0, NORMAL(0));
	mp_set_log_hook(keep_log, NULL);
	page = alloc_pages(GFP_KERNEL, 0);
	pfn = page_to_pfn(page) & ~(PB - 1);
	CHECK_EQ(isolate(pfn, pfn + PB, MEMORY_OFFLINE), -EBUSY);
	CHECK_STR(log_text, "");
	CHECK_EQ(isolate(pfn, pfn + PB, MEMORY_OFFLINE | REPORT_FAILURE), -EBUSY);
	CHECK(strstr(log_text, "unmovable page") != NULL);
	snprintf(want, sizeof(want), "0x%lx", page_to_pfn(page));
	CHECK(strstr(log_text, want) != NULL);
	__free_pages(page, 0);
	harness_stop();
}

TEST(ISOL_5, "undo opens what is isolated as the type named, counts it free, and skips the rest")
{
	unsigned long pfn, free;

	harness_start();
	block_add_online(0, NORMAL(0));
	free = nr_free_pages();
	pfn = block_pfn(0);
	CHECK_EQ(isolate(pfn + PB, pfn + 3 * PB, 0), 0);
	undo_isolate_page_range(pfn, pfn + 4 * PB, MIGRATE_UNMOVABLE);
	CHECK_EQ(type_at(pfn), MIGRATE_MOVABLE);
	CHECK_EQ(type_at(pfn + PB), MIGRATE_UNMOVABLE);
	CHECK_EQ(type_at(pfn + 2 * PB), MIGRATE_UNMOVABLE);
	CHECK_EQ(type_at(pfn + 3 * PB), MIGRATE_MOVABLE);
	CHECK_EQ(nr_free_pages(), free);
	CHECK_EQ(NORMAL(0)->nr_isolate_pageblock, 0);
	harness_stop();
}

static void isolate_and_undo(bool follow_linux, int want)
{
	unsigned long pfn, bad;
	enum unmovable_why why;
	struct page *page;

	harness_start_with(SZ_128M, follow_linux);
	block_add_online(0, NORMAL(0));
	page = alloc_pages(GFP_KERNEL, 0);
	pfn = page_to_pfn(page) & ~(PB - 1);
	CHECK_EQ(type_at(pfn), MIGRATE_UNMOVABLE);
	CHECK_EQ(isolate_page_range(pfn, pfn + PB, MIGRATE_MOVABLE, MEMORY_OFFLINE, true, &bad, &why), 0);
	undo_isolate_page_range(pfn, pfn + PB, MIGRATE_MOVABLE);
	CHECK_EQ(type_at(pfn), want);
	/* Also when the isolation itself fails on its way. */
	undo_isolate_page_range(pfn, pfn + PB, MIGRATE_MOVABLE);
	__free_pages(page, 0);
	harness_stop();
}

TEST(ISOL_6, "contract=linux-6.1: undo forgets the type, the pageblock is MOVABLE")
{
	isolate_and_undo(true, MIGRATE_MOVABLE);
}

TEST(ISOL_6, "by default the type comes back")
{
	isolate_and_undo(false, MIGRATE_UNMOVABLE);
}

static enum unmovable_why why_not(struct page *page, int flags)
{
	unsigned long pfn = page_to_pfn(page) & ~(PB - 1), found;
	enum unmovable_why why = PAGE_BUSY_ISOLATED;

	found = find_unmovable(pfn, pfn + PB, flags, &why);
	CHECK_EQ(found, why == PAGE_MAY_MOVE ? ~0UL : page_to_pfn(page));
	return why;
}

TEST(ISOL_7, "reserved always refuses; free, poisoned, offline and movable do not; kernel pages do")
{
	struct held_page held;
	struct page *page;

	harness_start();
	block_add_online(0, NORMAL(0));
	page = alloc_pages(GFP_KERNEL, 0);
	CHECK_EQ(why_not(page, MEMORY_OFFLINE), PAGE_UNMOVABLE);
	SetPageReserved(page);
	CHECK_EQ(why_not(page, MEMORY_OFFLINE), PAGE_RESERVED);
	ClearPageReserved(page);
	__SetPageOffline(page);
	CHECK_EQ(why_not(page, MEMORY_OFFLINE), PAGE_MAY_MOVE);
	CHECK_EQ(why_not(page, 0), PAGE_UNMOVABLE);
	__ClearPageOffline(page);
	page->flags |= BIT(PG_hwpoison);
	CHECK_EQ(why_not(page, MEMORY_OFFLINE), PAGE_MAY_MOVE);
	CHECK_EQ(why_not(page, 0), PAGE_UNMOVABLE);
	page->flags &= ~BIT(PG_hwpoison);
	hold(&held, page);
	CHECK_EQ(why_not(page, 0), PAGE_MAY_MOVE);
	/* Free, in a thread's list: no reference. */
	release(&held);
	CHECK_EQ(why_not(page, 0), PAGE_MAY_MOVE);
	harness_stop();
}

TEST(ISOL_7, "in ZONE_MOVABLE only a reserved page refuses; a larger page answers as a whole")
{
	struct held_page held;
	struct page *page;

	harness_start();
	block_add_online(0, MOVABLE(0));
	block_add_online(1, NORMAL(0));
	page = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	CHECK_EQ(why_not(page, 0), PAGE_MAY_MOVE);
	SetPageReserved(page);
	CHECK_EQ(why_not(page, 0), PAGE_RESERVED);
	ClearPageReserved(page);
	__free_pages(page, 0);
	page = alloc_pages(GFP_KERNEL | __GFP_COMP, 4);
	CHECK_EQ(why_not(page, MEMORY_OFFLINE), PAGE_UNMOVABLE);
	CHECK(compound_head(page + 15) == page);
	hold(&held, page);
	CHECK_EQ(why_not(page, MEMORY_OFFLINE), PAGE_MAY_MOVE);
	release(&held);
	CHECK(compound_head(page + 15) == page + 15);
	harness_stop();
}

TEST(ISOL_8, "a pinned page of ZONE_MOVABLE passes isolation and is noticed later")
{
	struct page *page;
	unsigned long pfn;

	harness_start();
	block_add_online(0, MOVABLE(0));
	page = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	pfn = block_pfn(0);
	CHECK_EQ(isolate(pfn, pfn + block_pages(), MEMORY_OFFLINE), 0);
	CHECK_EQ(test_pages_isolated(page_to_pfn(page), page_to_pfn(page) + 1, MEMORY_OFFLINE), -EBUSY);
	undo_isolate_page_range(pfn, pfn + block_pages(), MIGRATE_MOVABLE);
	__free_pages(page, 0);
	harness_stop();
}

TEST(ISOL_9, "nothing comes out of an isolated pageblock, and what is freed there stays there")
{
	unsigned long pfn, end, free;
	struct page *held[64], *page;
	int i, order;

	harness_start();
	block_add_online(0, MOVABLE(0));
	block_add_online(1, MOVABLE(0));
	pfn = block_pfn(0);
	end = block_pfn(1);
	for (i = 0; i < 64; i++)
		held[i] = page_in(GFP_HIGHUSER_MOVABLE, pfn, end);
	CHECK_EQ(isolate(pfn, end, MEMORY_OFFLINE), 0);
	drain_pages_range(0, ~0UL);
	free = nr_free_pages();
	CHECK_EQ(free, block_pages());
	for (i = 0; i < 64; i++)
		__free_pages(held[i], 0);
	CHECK_EQ(nr_free_pages(), free);
	CHECK_EQ(zone_pcp_pages(MOVABLE(0)), 0);
	CHECK(PageBuddy(held[0]));
	for (order = 0; order < MAX_ORDER; order++)
		for (i = 0; i < 8; i++) {
			page = alloc_pages(GFP_HIGHUSER_MOVABLE, order);
			CHECK(page != NULL);
			CHECK_EQ(block_of(page), 1);
		}
	while ((page = alloc_pages(GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 0)) != NULL)
		CHECK_EQ(block_of(page), 1);
	undo_isolate_page_range(pfn, end, MIGRATE_MOVABLE);
	page = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	CHECK_EQ(block_of(page), 0);
	harness_check();
}

TEST(ISOL_10, "a page in a thread's list can still be handed out; disabling the lists prevents it")
{
	struct page *page;
	unsigned long pfn;

	harness_start();
	block_add_online(0, MOVABLE(0));
	block_add_online(1, NORMAL(0));
	page = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	pfn = page_to_pfn(page) & ~(PB - 1);
	__free_pages(page, 0);
	CHECK_EQ(isolate(pfn, pfn + PB, MEMORY_OFFLINE), 0);
	CHECK(alloc_pages(GFP_HIGHUSER_MOVABLE, 0) == page);
	__free_pages(page, 0);
	undo_isolate_page_range(pfn, pfn + PB, MIGRATE_MOVABLE);
	zone_pcp_disable(MOVABLE(0));
	CHECK_EQ(zone_pcp_pages(MOVABLE(0)), 0);
	CHECK_EQ(isolate(pfn, pfn + PB, MEMORY_OFFLINE), 0);
	CHECK_EQ(test_pages_isolated(pfn, pfn + PB, MEMORY_OFFLINE), 0);
	page = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	CHECK_NE(page_to_pfn(page) & ~(PB - 1), pfn);
	__free_pages(page, 0);
	CHECK_EQ(zone_pcp_pages(MOVABLE(0)), 0);
	undo_isolate_page_range(pfn, pfn + PB, MIGRATE_MOVABLE);
	zone_pcp_enable(MOVABLE(0));
	harness_stop();
}

struct race {
	unsigned long start, end;
	int result;
};

static void *race_isolate(void *arg)
{
	struct race *race = arg;

	race->result = isolate(race->start, race->end, MEMORY_OFFLINE);
	return NULL;
}

TEST(ISOL_11, "of two isolators the second gets -EBUSY and restores only what it took")
{
	unsigned long pfn, at;
	struct race race;
	pthread_t thread;

	harness_start();
	block_add_online(0, NORMAL(0));
	pfn = block_pfn(0);
	CHECK_EQ(isolate(pfn + 4 * PB, pfn + 8 * PB, 0), 0);
	race = (struct race){ pfn, pfn + 6 * PB, 0 };
	CHECK_EQ(pthread_create(&thread, NULL, race_isolate, &race), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(race.result, -EBUSY);
	for (at = pfn; at < pfn + 16 * PB; at += PB)
		CHECK_EQ(type_at(at), at >= pfn + 4 * PB && at < pfn + 8 * PB ? MIGRATE_ISOLATE :
										  MIGRATE_MOVABLE);
	CHECK_EQ(NORMAL(0)->nr_isolate_pageblock, 4);
	undo_isolate_page_range(pfn, pfn + 16 * PB, MIGRATE_MOVABLE);
	harness_stop();
}

TEST(ISOL_12, "all isolated and free; offline memory may also be poisoned, or offline unreferenced")
{
	struct page *page;
	unsigned long pfn;

	harness_start();
	block_add_online(0, NORMAL(0));
	page = alloc_pages(GFP_KERNEL, 0);
	pfn = page_to_pfn(page) & ~(PB - 1);
	__SetPageOffline(page);
	CHECK_EQ(test_pages_isolated(pfn + PB, pfn + 2 * PB, MEMORY_OFFLINE), -EBUSY);
	drain_pages_range(0, ~0UL);
	CHECK_EQ(isolate(pfn, pfn + 2 * PB, MEMORY_OFFLINE), 0);
	CHECK_EQ(test_pages_isolated(pfn + PB, pfn + 2 * PB, 0), 0);
	CHECK_EQ(test_pages_isolated(pfn, pfn + PB, MEMORY_OFFLINE), -EBUSY);
	CHECK(put_page_testzero(page));
	CHECK_EQ(test_pages_isolated(pfn, pfn + PB, MEMORY_OFFLINE), 0);
	CHECK_EQ(test_pages_isolated(pfn, pfn + PB, 0), -EBUSY);
	set_page_count(page, 1);
	__ClearPageOffline(page);
	CHECK_EQ(test_pages_isolated(pfn, pfn + PB, MEMORY_OFFLINE), -EBUSY);
	page->flags |= BIT(PG_hwpoison);
	CHECK_EQ(test_pages_isolated(pfn, pfn + PB, MEMORY_OFFLINE), 0);
	CHECK_EQ(test_pages_isolated(pfn, pfn + PB, 0), -EBUSY);
	page->flags &= ~BIT(PG_hwpoison);
	__free_pages(page, 0);
	CHECK_EQ(test_pages_isolated(pfn, pfn + PB, 0), 0);
	undo_isolate_page_range(pfn, pfn + 2 * PB, MIGRATE_MOVABLE);
	harness_stop();
}

TEST(ISOL_13, "alloc_contig_range() takes exactly the range, moving what lives there")
{
	unsigned long pfn, at, free;
	struct held_page held;

	harness_start();
	block_add_online(0, NORMAL(0));
	hold(&held, alloc_pages(GFP_HIGHUSER_MOVABLE, 0));
	drain_pages_range(0, ~0UL);
	free = nr_free_pages();
	pfn = page_to_pfn(held.page);
	CHECK_EQ(alloc_contig_range(pfn, pfn + 700, MIGRATE_MOVABLE, GFP_KERNEL), 0);
	CHECK_EQ(held.migrated, 1);
	for (at = pfn; at < pfn + 700; at++)
		CHECK_EQ(page_count(pfn_to_page(at)), 1);
	CHECK(page_to_pfn(held.page) < pfn || page_to_pfn(held.page) >= pfn + 700);
	drain_pages_range(0, ~0UL);
	CHECK_EQ(nr_free_pages(), free - 700);
	CHECK_EQ(type_at(pfn), MIGRATE_MOVABLE);
	CHECK_EQ(NORMAL(0)->nr_isolate_pageblock, 0);
	harness_check();
	free_contig_range(pfn, 700);
	drain_pages_range(0, ~0UL);
	CHECK_EQ(nr_free_pages(), free);
	release(&held);
	harness_stop();
}

TEST(ISOL_13, "it fails on pages that stay, skips no offline page, and leaves all open")
{
	unsigned long pfn;
	struct page *page;

	harness_start();
	block_add_online(0, NORMAL(0));
	block_add_online(1, MOVABLE(0));
	pfn = block_pfn(1);
	page = page_in(GFP_HIGHUSER_MOVABLE, pfn, pfn + block_pages());
	CHECK_EQ(alloc_contig_range(pfn, pfn + PB, MIGRATE_MOVABLE, GFP_KERNEL), -EBUSY);
	__SetPageOffline(page);
	CHECK_EQ(alloc_contig_range(pfn, pfn + PB, MIGRATE_MOVABLE, GFP_KERNEL), -EBUSY);
	CHECK_EQ(type_at(pfn), MIGRATE_MOVABLE);
	/* Two zones; a pageblock that somebody else has; a type that it does not serve. */
	CHECK_EQ(alloc_contig_range(pfn - PB, pfn + PB, MIGRATE_MOVABLE, GFP_KERNEL), -EINVAL);
	CHECK_EQ(alloc_contig_range(pfn, pfn + PB, MIGRATE_UNMOVABLE, GFP_KERNEL), -EINVAL);
	CHECK_EQ(isolate(pfn + PB, pfn + 2 * PB, 0), 0);
	CHECK_EQ(alloc_contig_range(pfn + PB, pfn + PB + 1, MIGRATE_MOVABLE, GFP_KERNEL), -EBUSY);
	undo_isolate_page_range(pfn + PB, pfn + 2 * PB, MIGRATE_MOVABLE);
	__ClearPageOffline(page);
	__free_pages(page, 0);
	harness_stop();
}

TEST(ISOL_13, "free_contig_range() warns of pages with more references")
{
	harness_start();
	block_add_online(0, NORMAL(0));
	allow_complaints();
	CHECK_EQ(alloc_contig_range(block_pfn(0), block_pfn(0) + 4, MIGRATE_MOVABLE, GFP_KERNEL), 0);
	get_page(pfn_to_page(block_pfn(0) + 2));
	free_contig_range(block_pfn(0), 4);
	CHECK_EQ(harness_warns, 1);
	put_page(pfn_to_page(block_pfn(0) + 2));
	CHECK_EQ(page_in_use(NULL), 0);
	harness_stop();
}

TEST(OFFLINE_5, "the scan finds movable pages and stops at a referenced offline page")
{
	struct held_page held;
	struct scan_result scan;
	struct page *kernel, *offline;
	unsigned long pfn;

	harness_start();
	block_add_online(0, NORMAL(0));
	pfn = block_pfn(0);
	kernel = alloc_pages(GFP_KERNEL, 5);
	scan_movable_pages(pfn, pfn + block_pages(), &scan);
	CHECK_EQ(scan.candidate, ~0UL);
	CHECK_EQ(scan.offline_pfn, ~0UL);
	hold(&held, alloc_pages(GFP_HIGHUSER_MOVABLE, 2));
	scan_movable_pages(pfn, pfn + block_pages(), &scan);
	CHECK_EQ(scan.candidate, page_to_pfn(held.page));
	offline = kernel;
	__SetPageOffline(offline);
	scan_movable_pages(page_to_pfn(offline), page_to_pfn(offline) + 1, &scan);
	CHECK_EQ(scan.candidate, ~0UL);
	CHECK_EQ(scan.offline_pfn, page_to_pfn(offline));
	CHECK(put_page_testzero(offline));
	scan_movable_pages(page_to_pfn(offline), page_to_pfn(offline) + 1, &scan);
	CHECK_EQ(scan.offline_pfn, ~0UL);
	set_page_count(offline, 1);
	__ClearPageOffline(offline);
	__free_pages(kernel, 5);
	release(&held);
	harness_stop();
}

TEST(OFFLINE_15, "free memory outside drops by the pages moved and the free pages isolated")
{
	unsigned long free, in_block, moved, failed;
	struct held_page held[100];
	unsigned long pfn;
	int i;

	harness_start();
	block_add_online(0, MOVABLE(0));
	block_add_online(1, MOVABLE(0));
	for (i = 0; i < 100; i++)
		hold(&held[i], alloc_pages(GFP_HIGHUSER_MOVABLE, 0));
	pfn = block_pfn(0);
	zone_pcp_disable(MOVABLE(0));
	free = nr_free_pages();
	CHECK_EQ(free, 2 * block_pages() - 100);
	in_block = block_pages() - 100;
	CHECK_EQ(isolate(pfn, pfn + block_pages(), MEMORY_OFFLINE), 0);
	CHECK_EQ(nr_free_pages(), free - in_block);
	moved = do_migrate_range(pfn, pfn + block_pages(), &failed);
	CHECK_EQ(moved, 100);
	CHECK_EQ(failed, 0);
	CHECK_EQ(nr_free_pages(), free - in_block - moved);
	CHECK_EQ(test_pages_isolated(pfn, pfn + block_pages(), MEMORY_OFFLINE), 0);
	undo_isolate_page_range(pfn, pfn + block_pages(), MIGRATE_MOVABLE);
	zone_pcp_enable(MOVABLE(0));
	for (i = 0; i < 100; i++)
		release(&held[i]);
	harness_stop();
}
