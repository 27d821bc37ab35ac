/* SPDX-License-Identifier: MIT */
/* Sections: present, online, early, removed (SECT-1..7). */
#include "../buddy/harness.h"

static u32 flags(unsigned long pfn)
{
	return section_of(pfn)->flags;
}

TEST(SECT_1, "added is present with a node, online comes and goes with onlining, early is for boot")
{
	unsigned long pfn;

	harness_start();
	pfn = block_pfn(0);
	CHECK_EQ(backing_add(PFN_PHYS(pfn), harness_block), 0);
	CHECK_EQ(sections_add(pfn, block_pages(), 2, true), 0);
	CHECK_EQ(sections_add(pfn, block_pages(), 2, true), -EEXIST);
	CHECK_EQ(flags(pfn) & (SECTION_PRESENT | SECTION_ONLINE | SECTION_EARLY),
		 SECTION_PRESENT | SECTION_EARLY);
	CHECK_EQ(page_to_nid(pfn_to_page(pfn)), 2);
	block_online(0, NORMAL(2));
	CHECK(flags(pfn) & SECTION_ONLINE);
	CHECK_EQ(block_offline(0, NORMAL(2)), 0);
	CHECK(!(flags(pfn) & SECTION_ONLINE));
	CHECK(section_is_early(pfn));
	block_remove(0);
	CHECK_EQ(flags(pfn), 0);
	block_add(0, 2);
	CHECK(!section_is_early(pfn));
	harness_stop();
}

TEST(SECT_2, "subsections are taken one by one, misaligned ones are refused with a warning")
{
	unsigned long pfn;

	harness_start();
	pfn = block_pfn(0);
	CHECK_EQ(sections_add(pfn + 512, 1024, 0, false), 0);
	CHECK_EQ(sections_add(pfn, 512, 0, false), 0);
	CHECK_EQ(sections_add(pfn + 1024, 512, 0, false), -EEXIST);
	CHECK(pfn_valid(pfn) && pfn_valid(pfn + 1535));
	CHECK(!pfn_valid(pfn + 1536));
	sections_remove(pfn + 512, 512);
	CHECK(pfn_valid(pfn) && !pfn_valid(pfn + 512) && pfn_valid(pfn + 1024));
	allow_complaints();
	CHECK_EQ(sections_add(pfn + 2048, 100, 0, false), -EINVAL);
	CHECK_EQ(harness_warns, 1);
	sections_remove(pfn, 512);
	sections_remove(pfn + 1024, 512);
	CHECK_EQ(flags(pfn), 0);
	harness_stop();
}

TEST(SECT_3, "pfn_valid() asks for presence, pfn_to_online_page() for online and not device memory")
{
	struct zone *device;
	unsigned long pfn;

	harness_start();
	pfn = block_pfn(0);
	CHECK(!pfn_valid(pfn) && !pfn_valid(~0UL));
	CHECK(pfn_to_online_page(pfn) == NULL && pfn_to_online_page(~0UL) == NULL);
	block_add(0, 0);
	CHECK(pfn_valid(pfn));
	CHECK(pfn_to_online_page(pfn) == NULL);
	block_online(0, NORMAL(0));
	CHECK(pfn_to_online_page(pfn) == pfn_to_page(pfn));
	CHECK(pfn_to_online_page(block_pfn(1)) == NULL);
	/* Device memory that shares a boot section with RAM. */
	device = &NODE_DATA(0)->node_zones[ZONE_DEVICE];
	CHECK_EQ(sections_add(block_pfn(2), 1024, 0, false), 0);
	CHECK_EQ(zone_add_boot_range(NORMAL(0), block_pfn(2), 512), 0);
	CHECK_EQ(device_pages_enter(device, block_pfn(2) + 512, 512), 0);
	online_mem_sections(block_pfn(2), block_pfn(3));
	CHECK(pfn_to_online_page(block_pfn(2)) != NULL);
	CHECK(pfn_to_online_page(block_pfn(2) + 512) == NULL);
	CHECK(page_zone(pfn_to_page(block_pfn(2) + 512)) == device);
	CHECK(pfn_to_online_page(block_pfn(2) + 1024) == NULL);
	page_exit();
	backing_exit();
}

TEST(SECT_4, "a block that was never online has no zone; one that goes online has, and reads as taken")
{
	unsigned long pfn;

	harness_start();
	block_add(0, 1);
	pfn = block_pfn(0) + 77;
	CHECK(page_zone(pfn_to_page(pfn)) == NULL);
	move_pfn_range_to_zone(MOVABLE(1), block_pfn(0), block_pages());
	CHECK(page_zone(pfn_to_page(pfn)) == MOVABLE(1));
	CHECK_EQ(page_to_nid(pfn_to_page(pfn)), 1);
	/* EVENT-26: the state during MEM_GOING_ONLINE. */
	CHECK_EQ(page_count(pfn_to_page(pfn)), 1);
	CHECK(PageReserved(pfn_to_page(pfn)));
	CHECK_EQ(get_pageblock_migratetype(pfn_to_page(pfn)), MIGRATE_ISOLATE);
	CHECK_EQ(MOVABLE(1)->nr_isolate_pageblock, 0);
	CHECK(alloc_pages_node(1, GFP_MOVABLE_HERE, 0) == NULL);
	block_finish_online(0, MOVABLE(1));
	CHECK_EQ(page_count(pfn_to_page(pfn)), 0);
	CHECK(!PageReserved(pfn_to_page(pfn)));
	CHECK_EQ(get_pageblock_migratetype(pfn_to_page(pfn)), MIGRATE_MOVABLE);
	harness_stop();
}

TEST(SECT_5, "sections go online and offline one by one; those that are not there are warned of")
{
	harness_start();
	block_add(0, 0);
	block_add(2, 0);
	allow_complaints();
	online_mem_sections(block_pfn(0), block_pfn(3));
	CHECK_EQ(harness_warns, 1);
	CHECK(flags(block_pfn(0)) & SECTION_ONLINE);
	CHECK_EQ(flags(block_pfn(1)), 0);
	CHECK(flags(block_pfn(2)) & SECTION_ONLINE);
	offline_mem_sections(block_pfn(0), block_pfn(3));
	CHECK_EQ(harness_warns, 2);
	CHECK(!(flags(block_pfn(2)) & SECTION_ONLINE));
	harness_stop();
}

static void poison(unsigned long pfn)
{
	CHECK(buddy_take_page(pfn));
	pfn_to_page(pfn)->flags |= BIT(PG_hwpoison);
	page_poisoned++;
}

TEST(SECT_6, "removal takes the poison marks that are left out of the counter")
{
	harness_start();
	block_add_online(0, NORMAL(0));
	block_add_online(1, NORMAL(0));
	poison(block_pfn(0) + 5);
	poison(block_pfn(0) + 5000);
	poison(block_pfn(1) + 7);
	CHECK_EQ(block_offline(0, NORMAL(0)), 0);
	CHECK_EQ(page_poisoned, 3);
	block_remove(0);
	CHECK_EQ(page_poisoned, 1);
	CHECK_EQ(block_offline(1, NORMAL(0)), 0);
	block_remove(1);
	CHECK_EQ(page_poisoned, 0);
	harness_check();
	block_add_online(0, NORMAL(0));
	CHECK(!PageHWPoison(pfn_to_page(block_pfn(0) + 5)));
	CHECK(PageBuddy(pfn_to_page(block_pfn(0) + 5)));
	harness_stop();
}

TEST(SECT_7, "self-hosted pages are the zone's, marked, in unmovable pageblocks and never handed out")
{
	unsigned long pfn, own = 1024, at, counts[MIGRATE_TYPES];
	struct page *page;

	harness_start();
	block_add(0, 0);
	pfn = block_pfn(0);
	move_pfn_range_to_zone(NORMAL(0), pfn, own);
	pages_reserve_selfhosted(pfn, own);
	move_pfn_range_to_zone(NORMAL(0), pfn + own, block_pages() - own);
	for (at = pfn + own; at < pfn + block_pages(); at += 1024) {
		buddy_add_chunk(pfn_to_page(at), 10);
		adjust_managed_page_count(pfn_to_page(at), 1024);
	}
	online_mem_sections(pfn + own, pfn + block_pages());
	adjust_present_page_count(pfn, NORMAL(0), (long)block_pages());
	harness_masks(NORMAL(0));
	buddy_open_range(NORMAL(0), pfn + own, block_pages() - own);
	CHECK_EQ(NORMAL(0)->present_pages, block_pages());
	CHECK_EQ(zone_managed_pages(NORMAL(0)), block_pages() - own);
	CHECK_EQ(nr_free_pages(), block_pages() - own);
	CHECK(page_zone(pfn_to_page(pfn)) == NORMAL(0));
	CHECK(PageReserved(pfn_to_page(pfn)) && pfn_to_page(pfn)->flags & BIT(PG_selfhosted));
	zone_pageblock_counts(NORMAL(0), counts);
	CHECK_EQ(counts[MIGRATE_UNMOVABLE], 2);
	CHECK_EQ(counts[MIGRATE_MOVABLE], 62);
	CHECK_EQ(page_in_use(NULL), 0);
	while ((page = alloc_pages(GFP_KERNEL | __GFP_MEMALLOC, 0)) != NULL)
		CHECK_GE(page_to_pfn(page), pfn + own);
	CHECK_EQ(page_in_use(NULL), block_pages() - own);
	for (at = pfn + own; at < pfn + block_pages(); at++)
		__free_pages(pfn_to_page(at), 0);
	drain_pages_range(0, ~0UL);
	/* The rest leaves, then the descriptors' pages. */
	CHECK_EQ(start_isolate_page_range(pfn + own, pfn + block_pages(), MIGRATE_MOVABLE,
					  MEMORY_OFFLINE, 0), 0);
	offline_mem_sections(pfn + own, pfn + block_pages());
	buddy_close_range(NORMAL(0), pfn + own, block_pages() - own);
	adjust_managed_page_count(pfn_to_page(pfn), -(long)(block_pages() - own));
	adjust_present_page_count(pfn, NORMAL(0), -(long)block_pages());
	remove_pfn_range_from_zone(NORMAL(0), pfn + own, block_pages() - own);
	pages_release_selfhosted(pfn, own);
	remove_pfn_range_from_zone(NORMAL(0), pfn, own);
	CHECK(zone_is_empty(NORMAL(0)));
	CHECK_EQ(pfn_to_page(pfn)->flags, 0);
	harness_stop();
}
