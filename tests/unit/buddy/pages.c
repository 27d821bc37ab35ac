/* SPDX-License-Identifier: MIT */
/* The allocator: orders, types, zones, lists, references (BUDDY-1, 3..5, 7..9, 11). */
#include "harness.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long free_of_order(struct zone *zone, int type, int order)
{
	unsigned long nr_free[MAX_ORDER];

	zone_free_counts(zone, type, nr_free);
	return nr_free[order];
}

static unsigned long free_in_counts(struct zone *zone)
{
	unsigned long nr_free[MAX_ORDER], sum = 0;
	int order;

	zone_free_counts(zone, -1, nr_free);
	for (order = 0; order < MAX_ORDER; order++)
		sum += nr_free[order] << order;
	return sum;
}

TEST(BUDDY_1, "pages of order o are aligned to 2^o, do not overlap, and come together again")
{
	struct page *page[MAX_ORDER][4];
	unsigned int order, i;

	harness_start();
	block_add_online(0, NORMAL(0));
	CHECK_EQ(free_of_order(NORMAL(0), -1, 10), 32);
	for (order = 0; order < MAX_ORDER; order++)
		for (i = 0; i < 4; i++) {
			page[order][i] = alloc_pages(GFP_KERNEL, order);
			CHECK(page[order][i] != NULL);
			CHECK_EQ(page_to_pfn(page[order][i]) & ((1UL << order) - 1), 0);
			memset(page_address(page[order][i]), (int)(order * 4 + i), PAGE_SIZE << order);
		}
	for (order = 0; order < MAX_ORDER; order++)
		for (i = 0; i < 4; i++) {
			const u8 *at = page_address(page[order][i]);

			CHECK_EQ(at[0], order * 4 + i);
			CHECK_EQ(at[(PAGE_SIZE << order) - 1], order * 4 + i);
			__free_pages(page[order][i], order);
		}
	drain_pages_range(0, ~0UL);
	CHECK_EQ(free_of_order(NORMAL(0), -1, 10), 32);
	CHECK_EQ(nr_free_pages(), block_pages());
	CHECK(alloc_pages(GFP_KERNEL, MAX_ORDER) == NULL);
	harness_stop();
}

TEST(BUDDY_1, "counts per order are of the largest aligned free runs")
{
	unsigned long pfn, nr_free[MAX_ORDER];
	int order;

	harness_start();
	block_add_online(0, NORMAL(0));
	pfn = block_pfn(0);
	/* One page taken out of a run of 2^10 leaves one run of each smaller order. */
	CHECK(buddy_take_page(pfn + 1024 + 333));
	zone_free_counts(NORMAL(0), -1, nr_free);
	for (order = 0; order < 10; order++)
		CHECK_EQ(nr_free[order], 1);
	CHECK_EQ(nr_free[10], 31);
	CHECK(!buddy_take_page(pfn + 1024 + 333));
	buddy_return_page(pfn + 1024 + 333);
	CHECK_EQ(free_of_order(NORMAL(0), -1, 10), 32);
	harness_stop();
}

TEST(BUDDY_1, "no page crosses a block: the largest order is that of a block")
{
	harness_start_with(SZ_2M, false);
	block_add_online(0, MOVABLE(0));
	block_add_online(1, MOVABLE(0));
	block_add_online(2, MOVABLE(0));
	CHECK(alloc_pages(GFP_HIGHUSER_MOVABLE, 10) == NULL);
	CHECK_EQ(free_of_order(MOVABLE(0), -1, 9), 3);
	harness_stop();
}

TEST(BUDDY_3, "NR_FREE_PAGES leaves isolated pages out, the counts per order do not")
{
	unsigned long pfn, pages;

	harness_start();
	block_add_online(0, NORMAL(0));
	pages = block_pages();
	pfn = block_pfn(0);
	CHECK_EQ(start_isolate_page_range(pfn, pfn + 2048, MIGRATE_MOVABLE, 0, 0), 0);
	CHECK_EQ(nr_free_pages(), pages - 2048);
	CHECK_EQ(NORMAL(0)->nr_free, (long)pages - 2048);
	CHECK_EQ(free_in_counts(NORMAL(0)), pages);
	CHECK_EQ(free_of_order(NORMAL(0), MIGRATE_ISOLATE, 10), 2);
	CHECK_EQ(free_of_order(NORMAL(0), MIGRATE_MOVABLE, 10), 30);
	undo_isolate_page_range(pfn, pfn + 2048, MIGRATE_MOVABLE);
	CHECK_EQ(nr_free_pages(), pages);
	harness_stop();
}

/* A page in use when its pageblock is isolated counts for the isolated ones once it is freed. */
TEST(BUDDY_3, "a page that is freed in an isolated pageblock counts when that is opened")
{
	enum unmovable_why why;
	unsigned long pfn;
	struct page *page;

	harness_start();
	block_add_online(0, NORMAL(0));
	page = alloc_pages(GFP_HIGHUSER_MOVABLE, 4);
	CHECK(page != NULL);
	pfn = pageblock_start_pfn(page_to_pfn(page));
	CHECK_EQ(isolate_page_range(pfn, pfn + 512, MIGRATE_MOVABLE, 0, true, NULL, &why), 0);
	CHECK_EQ(nr_free_pages(), block_pages() - 512);
	__free_pages(page, 4);
	CHECK_EQ(nr_free_pages(), block_pages() - 512);
	CHECK_EQ(NORMAL(0)->nr_free, (long)block_pages() - 512);
	CHECK_EQ(free_in_counts(NORMAL(0)), block_pages());
	undo_isolate_page_range(pfn, pfn + 512, MIGRATE_MOVABLE);
	CHECK_EQ(nr_free_pages(), block_pages());
	harness_stop();
}

TEST(BUDDY_4, "a freed page goes by the type that its pageblock has now")
{
	struct page *page[600];
	enum unmovable_why why;
	unsigned long pfn;
	int i;

	harness_start();
	block_add_online(0, NORMAL(0));
	for (i = 0; i < 600; i++)
		page[i] = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	pfn = pageblock_start_pfn(page_to_pfn(page[0]));
	CHECK_EQ(isolate_page_range(pfn, pfn + 512, MIGRATE_MOVABLE, 0, true, NULL, &why), 0);
	for (i = 0; i < 600; i++) {
		bool isolated = pageblock_start_pfn(page_to_pfn(page[i])) == pfn;
		unsigned long free = nr_free_pages() + zone_pcp_pages(NORMAL(0));

		__free_pages(page[i], 0);
		CHECK_EQ(nr_free_pages() + zone_pcp_pages(NORMAL(0)), free + !isolated);
	}
	undo_isolate_page_range(pfn, pfn + 512, MIGRATE_UNMOVABLE);
	CHECK_EQ(free_of_order(NORMAL(0), MIGRATE_UNMOVABLE, 9), 1);
	/* Kernel pages come from there now. */
	page[0] = alloc_pages(GFP_KERNEL, 0);
	CHECK_EQ(pageblock_start_pfn(page_to_pfn(page[0])), pfn);
	__free_pages(page[0], 0);
	harness_stop();
}

TEST(BUDDY_5, "each type has pageblocks of its own as long as there are free ones")
{
	static const gfp_t gfp[] = { GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_KERNEL | __GFP_RECLAIMABLE };
	static const int type[] = { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE };
	struct page *page[3][2000];
	int i, t;

	harness_start();
	block_add_online(0, NORMAL(0));
	for (i = 0; i < 2000; i++)
		for (t = 0; t < 3; t++) {
			page[t][i] = alloc_pages(gfp[t], i % 5 ? 0 : 4);
			CHECK(page[t][i] != NULL);
			CHECK_EQ(get_pageblock_migratetype(page[t][i]), type[t]);
		}
	CHECK_EQ(page_shared_pageblocks, 0);
	for (i = 0; i < 2000; i++)
		for (t = 0; t < 3; t++)
			__free_pages(page[t][i], i % 5 ? 0 : 4);
	harness_stop();
}

TEST(BUDDY_5, "without pageblocks of the type any other serves, but never an isolated one")
{
	struct page *page;
	unsigned long taken = 0, pages;

	harness_start();
	block_add_online(0, NORMAL(0));
	pages = block_pages();
	/* One kernel page in each pageblock but the isolated ones: no pageblock is movable or free. */
	CHECK_EQ(start_isolate_page_range(block_pfn(0), block_pfn(0) + 1024, MIGRATE_MOVABLE, 0, 0), 0);
	while ((page = alloc_pages(GFP_KERNEL | __GFP_MEMALLOC, 8)) != NULL)
		taken++;
	CHECK_EQ(taken, (pages - 1024) / 256);
	for (page = pfn_to_page(block_pfn(0) + 1024); page < pfn_to_page(block_pfn(0) + pages);
	     page += 512)
		__free_pages(page, 8);
	taken = 0;
	while ((page = alloc_pages(GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 0)) != NULL) {
		CHECK_EQ(get_pageblock_migratetype(page), MIGRATE_UNMOVABLE);
		taken++;
	}
	CHECK_EQ(taken, (pages - 1024) / 2);
	CHECK_GT(page_shared_pageblocks, 0);
	undo_isolate_page_range(block_pfn(0), block_pfn(0) + 1024, MIGRATE_MOVABLE);
	harness_check();
}

static int zone_of(gfp_t gfp)
{
	struct page *page = alloc_pages_node(0, gfp | __GFP_THISNODE, 0);
	int zone;

	if (!page)
		return -1;
	zone = page_zonenum(page);
	__free_pages(page, 0);
	return zone;
}

TEST(BUDDY_7, "a request goes up to NORMAL; MOVABLE wants movable and highmem; DMA and DMA32 stay low")
{
	struct page *page;

	harness_start();
	block_add_online(0, MOVABLE(0));
	CHECK_EQ(zone_of(GFP_KERNEL), -1);
	CHECK_EQ(zone_of(GFP_HIGHUSER), -1);
	CHECK_EQ(zone_of(GFP_KERNEL | __GFP_MOVABLE), -1);
	CHECK_EQ(zone_of(GFP_HIGHUSER_MOVABLE), ZONE_MOVABLE);
	block_add_online(1, NORMAL(0));
	CHECK_EQ(zone_of(GFP_KERNEL), ZONE_NORMAL);
	CHECK_EQ(zone_of(GFP_KERNEL | __GFP_MOVABLE), ZONE_NORMAL);
	CHECK_EQ(zone_of(GFP_HIGHUSER_MOVABLE), ZONE_MOVABLE);
	CHECK_EQ(zone_of(GFP_KERNEL | GFP_DMA32), -1);
	block_add_online(2, &NODE_DATA(0)->node_zones[ZONE_DMA32]);
	CHECK_EQ(zone_of(GFP_KERNEL | GFP_DMA32), ZONE_DMA32);
	CHECK_EQ(zone_of(GFP_KERNEL | GFP_DMA), -1);
	block_add_online(3, &NODE_DATA(0)->node_zones[ZONE_DMA]);
	CHECK_EQ(zone_of(GFP_KERNEL | GFP_DMA), ZONE_DMA);
	CHECK_EQ(zone_of(GFP_KERNEL), ZONE_NORMAL);
	page = alloc_pages(GFP_KERNEL | __GFP_RECLAIMABLE, 0);
	CHECK_EQ(get_pageblock_migratetype(page), MIGRATE_RECLAIMABLE);
	__free_pages(page, 0);
	page = alloc_pages(GFP_KERNEL | __GFP_MOVABLE, 0);
	CHECK_EQ(get_pageblock_migratetype(page), MIGRATE_MOVABLE);
	__free_pages(page, 0);
	page = alloc_pages(GFP_KERNEL, 0);
	CHECK_EQ(get_pageblock_migratetype(page), MIGRATE_UNMOVABLE);
	__free_pages(page, 0);
	harness_stop();
}

static unsigned long take_all(gfp_t gfp)
{
	unsigned long taken = 0;

	while (alloc_pages(gfp, 0))
		taken++;
	return taken;
}

TEST(BUDDY_8, "an ordinary request stops at the min watermark, a high one at half, memalloc at none")
{
	unsigned long low;

	harness_start();
	block_add_online(0, NORMAL(0));
	low = NORMAL(0)->_watermark[WMARK_MIN];
	CHECK_GT(low, 1);
	CHECK_EQ(take_all(GFP_KERNEL), block_pages() - low);
	CHECK_EQ(nr_free_pages(), low);
	CHECK_EQ(take_all(GFP_ATOMIC), low - low / 2);
	CHECK_EQ(take_all(GFP_KERNEL | __GFP_MEMALLOC), low / 2);
	CHECK_EQ(nr_free_pages(), 0);
	CHECK(alloc_pages(GFP_KERNEL | __GFP_MEMALLOC, 0) == NULL);
	harness_check();
}

TEST(BUDDY_8, "what could have used a higher zone leaves the lower one its reserve")
{
	unsigned long reserve, low;
	struct page *page;

	harness_start();
	block_add_online(0, NORMAL(0));
	block_add_online(1, MOVABLE(0));
	reserve = (unsigned long)NORMAL(0)->lowmem_reserve[ZONE_MOVABLE];
	low = NORMAL(0)->_watermark[WMARK_MIN];
	CHECK_GT(reserve, 0);
	take_all(GFP_HIGHUSER_MOVABLE);
	CHECK_EQ(NORMAL(0)->nr_free, (long)(low + reserve));
	page = alloc_pages(GFP_KERNEL, 0);
	CHECK(page != NULL);
	CHECK(page_zone(page) == NORMAL(0));
}

TEST(BUDDY_8, "nodes help each other out by distance, unless only this one is wanted")
{
	struct page *page;
	int nid, last = 1, changes = 0;

	harness_start();
	for (nid = 0; nid < NODES; nid++)
		block_add_online(nid, NORMAL(nid));
	while ((page = alloc_pages_node(1, GFP_KERNEL, 8)) != NULL) {
		nid = page_to_nid(page);
		if (nid == last)
			continue;
		/* Node 1 is 30 from node 0 and 40 from node 2; below the low marks it starts again. */
		CHECK_EQ(nid, changes % 3 == 0 ? 0 : changes % 3 == 1 ? 2 : 1);
		changes++;
		last = nid;
	}
	CHECK_GE(changes, 2);
	CHECK(alloc_pages_node(1, GFP_KERNEL_HERE, 8) == NULL);
	CHECK(alloc_pages_node(NODES, GFP_KERNEL, 0) == NULL);
	CHECK(alloc_pages_node(-7, GFP_KERNEL, 0) == NULL);
}

TEST(BUDDY_9, "disabling drains a zone's lists and keeps them empty until they are enabled")
{
	struct page *page[200];
	int i;

	harness_start();
	block_add_online(0, NORMAL(0));
	block_add_online(1, MOVABLE(0));
	for (i = 0; i < 100; i++)
		page[i] = alloc_pages(GFP_KERNEL, 0);
	for (i = 0; i < 100; i++)
		__free_pages(page[i], 0);
	CHECK_GT(zone_pcp_pages(NORMAL(0)), 0);
	zone_pcp_disable(NORMAL(0));
	CHECK_EQ(zone_pcp_pages(NORMAL(0)), 0);
	CHECK_EQ(nr_free_pages(), 2 * block_pages());
	for (i = 0; i < 100; i++) {
		page[i] = alloc_pages(GFP_KERNEL, i % 3 ? 0 : 9);
		CHECK_EQ(zone_pcp_pages(NORMAL(0)), 0);
		if (i % 3 == 0) {
			__free_pages(page[i], 9);
			page[i] = NULL;
		}
	}
	/* The other zone's lists work on. */
	__free_pages(alloc_pages(GFP_HIGHUSER_MOVABLE, 0), 0);
	CHECK_GT(zone_pcp_pages(MOVABLE(0)), 0);
	for (i = 0; i < 100; i++)
		if (page[i])
			__free_pages(page[i], 0);
	CHECK_EQ(zone_pcp_pages(NORMAL(0)), 0);
	zone_pcp_enable(NORMAL(0));
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	CHECK_GT(zone_pcp_pages(NORMAL(0)), 0);
	harness_stop();
}

struct disabler {
	bool entered, done;
};

static void *disable_other(void *arg)
{
	struct disabler *other = arg;

	__atomic_store_n(&other->entered, true, __ATOMIC_SEQ_CST);
	zone_pcp_disable(MOVABLE(0));
	__atomic_store_n(&other->done, true, __ATOMIC_SEQ_CST);
	zone_pcp_enable(MOVABLE(0));
	return NULL;
}

TEST(BUDDY_9, "one zone of the machine at a time can be disabled")
{
	struct disabler other = { false, false };
	pthread_t thread;

	harness_start();
	block_add_online(0, NORMAL(0));
	block_add_online(1, MOVABLE(0));
	zone_pcp_disable(NORMAL(0));
	CHECK_EQ(pthread_create(&thread, NULL, disable_other, &other), 0);
	while (!__atomic_load_n(&other.entered, __ATOMIC_SEQ_CST))
		sched_yield();
	CHECK_EQ(MOVABLE(0)->pcp_disabled, 0);
	CHECK(!__atomic_load_n(&other.done, __ATOMIC_SEQ_CST));
	zone_pcp_enable(NORMAL(0));
	pthread_join(thread, NULL);
	CHECK(other.done);
	harness_stop();
}

TEST(BUDDY_11, "total is free, used and isolated-free; a burst fails while isolated pages are free")
{
	unsigned long pages, used = 0, isolated;
	struct page *page;

	harness_start();
	block_add_online(0, NORMAL(0));
	pages = block_pages();
	isolated = pages / 2;
	CHECK_EQ(start_isolate_page_range(block_pfn(0), block_pfn(0) + isolated, MIGRATE_MOVABLE,
					  MEMORY_OFFLINE, 0), 0);
	while ((page = alloc_pages(GFP_KERNEL | __GFP_MEMALLOC, 0)) != NULL)
		used++;
	CHECK_EQ(nr_free_pages(), 0);
	CHECK_EQ(used + isolated, pages);
	CHECK_EQ(free_of_order(NORMAL(0), MIGRATE_ISOLATE, 10) * 1024, isolated);
	undo_isolate_page_range(block_pfn(0), block_pfn(0) + isolated, MIGRATE_MOVABLE);
	CHECK(alloc_pages(GFP_KERNEL, 0) != NULL);
}

TEST(zeroed_pages, "__GFP_ZERO clears all pages, addresses and pages are of one another")
{
	unsigned long addr;
	struct page *page;
	int i;

	harness_start();
	block_add_online(0, NORMAL(0));
	page = alloc_pages(GFP_KERNEL, 2);
	memset(page_address(page), 0xab, 4 * PAGE_SIZE);
	__free_pages(page, 2);
	page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 2);
	for (i = 0; i < (int)(4 * PAGE_SIZE); i++)
		CHECK_EQ(((u8 *)page_address(page))[i], 0);
	CHECK(virt_to_page((char *)page_address(page) + 5000) == page + 1);
	__free_pages(page, 2);
	addr = get_zeroed_page(GFP_KERNEL);
	CHECK(addr != 0);
	CHECK_EQ(*(u8 *)addr, 0);
	free_page(addr);
	addr = __get_free_pages(GFP_KERNEL, 3);
	CHECK(virt_to_page(addr)->order == 3);
	free_pages(addr, 3);
	free_pages(0, 3);
	CHECK_EQ(page_in_use(NULL), 0);
	harness_stop();
}

TEST(references, "the last reference frees what was allocated; a second free is caught")
{
	struct page *page, *example;

	harness_start();
	block_add_online(0, NORMAL(0));
	page = alloc_pages(GFP_KERNEL, 3);
	get_page(page);
	CHECK_EQ(page_count(page), 2);
	__free_pages(page, 3);
	CHECK_EQ(page_in_use(&example), 8);
	CHECK(example == page);
	CHECK(get_page_unless_zero(page));
	put_page(page);
	put_page(page);
	CHECK_EQ(page_in_use(NULL), 0);
	CHECK(!get_page_unless_zero(page));
	allow_complaints();
	page = alloc_pages(GFP_KERNEL, 0);
	__free_pages(page, 0);
	__free_pages(page, 0);
	CHECK_EQ(harness_fatals, 1);
	CHECK(strstr(harness_text, "freed twice") != NULL);
	harness_stop();
}

static void *take_and_leave(void *arg)
{
	struct page **page = arg;
	int i;

	for (i = 0; i < 50; i++)
		page[i] = alloc_pages(GFP_KERNEL, 0);
	for (i = 1; i < 50; i++)
		__free_pages(page[i], 0);
	return NULL;
}

TEST(thread_lists, "a thread that exits gives its lists back; pages may be freed by another thread")
{
	struct page *page[50];
	pthread_t thread;

	harness_start();
	block_add_online(0, NORMAL(0));
	CHECK_EQ(pthread_create(&thread, NULL, take_and_leave, page), 0);
	pthread_join(thread, NULL);
	CHECK_EQ(zone_pcp_pages(NORMAL(0)), 0);
	CHECK_EQ(nr_free_pages(), block_pages() - 1);
	__free_pages(page[0], 0);
	harness_stop();
}

TEST(second_machine, "after page_exit() another machine starts with nothing left of the first")
{
	struct page *page;

	harness_start();
	block_add_online(0, NORMAL(0));
	__free_pages(alloc_pages(GFP_KERNEL, 0), 0);
	harness_stop();
	CHECK(alloc_pages(GFP_KERNEL, 0) == NULL);
	CHECK(alloc_pages_node(0, GFP_KERNEL, 0) == NULL);
	harness_start_with(SZ_2M * 2, false);
	block_add_online(0, NORMAL(1));
	CHECK_EQ(nr_free_pages(), 1024);
	page = alloc_pages(GFP_KERNEL, 0);
	CHECK_EQ(page_to_nid(page), 1);
	__free_pages(page, 0);
	harness_stop();
}

TEST(fork_child, "a fork child has no machine, and can make its own")
{
	struct page *page;
	int status;
	pid_t pid;

	harness_start();
	block_add_online(0, NORMAL(0));
	page = alloc_pages(GFP_KERNEL, 0);
	pid = fork();
	if (!pid) {
		if (alloc_pages(GFP_KERNEL, 0) || mp_vmemmap || pfn_valid(block_pfn(0)))
			_exit(1);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	__free_pages(page, 0);
	harness_stop();
}

TEST(descriptors_stay_untouched, "an empty block goes online and offline without its descriptors")
{
	const struct page *page;
	int i;

	harness_start();
	block_add_online(0, MOVABLE(0));
	block_add_online(1, MOVABLE(0));
	for (i = 0; i < 10; i++) {
		CHECK_EQ(block_offline(1, MOVABLE(0)), 0);
		block_online(1, MOVABLE(0));
	}
	for (page = pfn_to_page(block_pfn(1)); page < pfn_to_page(block_pfn(2)); page += 4096)
		CHECK_EQ(page->flags | page->_refcount, 0);
	CHECK_EQ(nr_free_pages(), 2 * block_pages());
	harness_stop();
}

TEST(lowest_block_first, "pages come from the lowest block, so that high blocks run empty")
{
	static struct page *page[4 * 32768];
	int i, n, low = 0;

	harness_start();
	for (i = 0; i < 4; i++)
		block_add_online(i, MOVABLE(0));
	for (n = 0; n < 3 * 32768; n++)
		page[n] = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	/* Every other page goes; what is allocated then fills the gaps from below. */
	for (i = 0; i < n; i += 2)
		__free_pages(page[i], 0);
	for (i = 0; i < n; i += 2) {
		page[i] = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
		low += block_of(page[i]) < 2;
		if (i > n / 2)
			break;
	}
	CHECK_GT(low, n / 4 - 512);
}
