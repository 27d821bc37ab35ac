/* SPDX-License-Identifier: MIT */
/* Spans, presence and ownership of zones (ZONE-1..9, 16). */
#include "../buddy/harness.h"

static void check_span(struct zone *zone, unsigned long start, unsigned long end)
{
	CHECK_EQ(zone->zone_start_pfn, start);
	CHECK_EQ(zone->spanned_pages, end - start);
}

static void check_node_span(int nid, unsigned long start, unsigned long end)
{
	CHECK_EQ(NODE_DATA(nid)->node_start_pfn, start);
	CHECK_EQ(NODE_DATA(nid)->node_spanned_pages, end - start);
}

TEST(ZONE_1, "every node has all zone slots; empty is a span of 0, populated is pages present")
{
	static const char *const names[] = { "DMA", "DMA32", "Normal", "Movable", "Device" };
	int nid, i;

	harness_start();
	for (nid = 0; nid < NODES; nid++)
		for (i = 0; i < MAX_NR_ZONES; i++) {
			struct zone *zone = &NODE_DATA(nid)->node_zones[i];

			CHECK_STR(zone->name, names[i]);
			CHECK_EQ(zone_idx(zone), i);
			CHECK_EQ(zone_to_nid(zone), nid);
			CHECK(zone_is_empty(zone) && !populated_zone(zone));
		}
	block_add(0, 1);
	move_pfn_range_to_zone(NORMAL(1), block_pfn(0), block_pages());
	CHECK(!zone_is_empty(NORMAL(1)) && !populated_zone(NORMAL(1)));
	block_finish_online(0, NORMAL(1));
	CHECK(!zone_is_empty(NORMAL(1)) && populated_zone(NORMAL(1)));
	harness_stop();
}

TEST(ZONE_2, "growing takes the minimum of starts and the maximum of ends, of zone and node")
{
	harness_start();
	block_add_online(4, NORMAL(0));
	check_span(NORMAL(0), block_pfn(4), block_pfn(5));
	block_add_online(2, NORMAL(0));
	check_span(NORMAL(0), block_pfn(2), block_pfn(5));
	block_add_online(3, NORMAL(0));
	check_span(NORMAL(0), block_pfn(2), block_pfn(5));
	block_add_online(7, MOVABLE(0));
	check_span(NORMAL(0), block_pfn(2), block_pfn(5));
	check_span(MOVABLE(0), block_pfn(7), block_pfn(8));
	check_node_span(0, block_pfn(2), block_pfn(8));
	harness_stop();
}

TEST(ZONE_3, "shrinking at an edge goes to the next online pages; nothing left: start 0, span 0")
{
	int i;

	harness_start();
	for (i = 0; i < 4; i++)
		block_add_online(i, i == 1 ? MOVABLE(0) : NORMAL(0));
	CHECK_EQ(block_offline(0, NORMAL(0)), 0);
	check_span(NORMAL(0), block_pfn(2), block_pfn(4));
	check_node_span(0, block_pfn(1), block_pfn(4));
	CHECK_EQ(block_offline(3, NORMAL(0)), 0);
	check_span(NORMAL(0), block_pfn(2), block_pfn(3));
	check_node_span(0, block_pfn(1), block_pfn(3));
	CHECK_EQ(block_offline(2, NORMAL(0)), 0);
	check_span(NORMAL(0), 0, 0);
	check_node_span(0, block_pfn(1), block_pfn(2));
	CHECK_EQ(block_offline(1, MOVABLE(0)), 0);
	check_node_span(0, 0, 0);
	harness_stop();
}

TEST(ZONE_3, "a block that goes online and is cancelled leaves the span as it was")
{
	harness_start();
	block_add_online(1, NORMAL(0));
	block_add(5, 0);
	move_pfn_range_to_zone(NORMAL(0), block_pfn(5), block_pages());
	check_span(NORMAL(0), block_pfn(1), block_pfn(6));
	remove_pfn_range_from_zone(NORMAL(0), block_pfn(5), block_pages());
	check_span(NORMAL(0), block_pfn(1), block_pfn(2));
	check_node_span(0, block_pfn(1), block_pfn(2));
	harness_stop();
}

TEST(ZONE_4, "a hole in the middle leaves the span; the next removal at the edge skips it at once")
{
	int i;

	harness_start();
	for (i = 0; i < 3; i++)
		block_add_online(i, NORMAL(0));
	CHECK_EQ(block_offline(1, NORMAL(0)), 0);
	check_span(NORMAL(0), block_pfn(0), block_pfn(3));
	CHECK_EQ(block_offline(0, NORMAL(0)), 0);
	check_span(NORMAL(0), block_pfn(2), block_pfn(3));
	harness_stop();
}

TEST(ZONE_5, "spans of a node's zones may interleave; presence decides whose a page is")
{
	int i;

	harness_start();
	for (i = 0; i < 4; i++)
		block_add_online(i, i & 1 ? MOVABLE(0) : NORMAL(0));
	for (i = 0; i < 4; i++) {
		CHECK(page_zone(pfn_to_page(block_pfn(i))) == (i & 1 ? MOVABLE(0) : NORMAL(0)));
		CHECK(range_zone(block_pfn(i), block_pages()) == (i & 1 ? MOVABLE(0) : NORMAL(0)));
	}
	CHECK(zone_spans_pfn(NORMAL(0), block_pfn(1)));
	CHECK(zone_spans_pfn(MOVABLE(0), block_pfn(2)));
	CHECK(range_zone(block_pfn(0), 2 * block_pages()) == NULL);
	harness_stop();
}

TEST(ZONE_6, "present follows online and offline in zone and node; early only for boot memory")
{
	unsigned long pages;

	harness_start();
	pages = block_pages();
	CHECK_EQ(backing_add(PFN_PHYS(block_pfn(0)), harness_block), 0);
	CHECK_EQ(sections_add(block_pfn(0), pages, 0, true), 0);
	block_online(0, NORMAL(0));
	block_add_online(1, NORMAL(0));
	CHECK_EQ(NORMAL(0)->present_pages, 2 * pages);
	CHECK_EQ(NORMAL(0)->present_early_pages, pages);
	CHECK_EQ(NODE_DATA(0)->node_present_pages, 2 * pages);
	CHECK_EQ(block_offline(1, NORMAL(0)), 0);
	CHECK_EQ(NORMAL(0)->present_pages, pages);
	CHECK_EQ(NORMAL(0)->present_early_pages, pages);
	CHECK_EQ(block_offline(0, NORMAL(0)), 0);
	CHECK_EQ(NORMAL(0)->present_pages, 0);
	CHECK_EQ(NORMAL(0)->present_early_pages, 0);
	CHECK_EQ(NODE_DATA(0)->node_present_pages, 0);
	harness_stop();
}

TEST(ZONE_7, "online counts what the callback hands over as managed; offline takes all pages off")
{
	unsigned long pages, kept = 1024, pfn, at;

	harness_start();
	pages = block_pages();
	block_add_online(0, NORMAL(0));
	block_add(1, 0);
	pfn = block_pfn(1);
	move_pfn_range_to_zone(NORMAL(0), pfn, pages);
	/* A callback that keeps the first chunk, logically offline and without a reference. */
	buddy_materialize_range(pfn, pages);
	for (at = pfn; at < pfn + kept; at++) {
		CHECK_EQ(page_count(pfn_to_page(at)), 1);
		CHECK(PageReserved(pfn_to_page(at)));
		ClearPageReserved(pfn_to_page(at));
		__SetPageOffline(pfn_to_page(at));
		CHECK(put_page_testzero(pfn_to_page(at)));
	}
	for (; at < pfn + pages; at += 1024) {
		buddy_add_chunk(pfn_to_page(at), 10);
		adjust_managed_page_count(pfn_to_page(at), 1024);
	}
	online_mem_sections(pfn, pfn + pages);
	count_block(NORMAL(0), pfn, 1);
	buddy_open_range(NORMAL(0), pfn, pages);
	CHECK_EQ(NORMAL(0)->present_pages, 2 * pages);
	CHECK_EQ(zone_managed_pages(NORMAL(0)), 2 * pages - kept);
	CHECK_EQ(totalram_pages(), 2 * pages - kept);
	CHECK_EQ(nr_free_pages(), 2 * pages - kept);
	CHECK_EQ(block_offline(1, NORMAL(0)), 0);
	CHECK_EQ(zone_managed_pages(NORMAL(0)), pages - kept);
	CHECK_EQ(totalram_pages(), pages - kept);
	adjust_managed_page_count(pfn_to_page(block_pfn(0)), (long)kept);
	/* The next life of the block begins clean. */
	block_online(1, NORMAL(0));
	CHECK_EQ(nr_free_pages(), 2 * pages);
	CHECK(!PageOffline(pfn_to_page(pfn)));
	CHECK_EQ(page_count(pfn_to_page(pfn)), 0);
	harness_stop();
}

TEST(ZONE_8, "ZONE_DEVICE has a span only, which never shrinks")
{
	struct zone *device;

	harness_start();
	device = &NODE_DATA(1)->node_zones[ZONE_DEVICE];
	CHECK_EQ(sections_add(block_pfn(0), block_pages(), 1, false), 0);
	move_pfn_range_to_zone(device, block_pfn(0), block_pages());
	CHECK_EQ(device->spanned_pages, block_pages());
	CHECK_EQ(device->present_pages, 0);
	CHECK_EQ(zone_managed_pages(device), 0);
	CHECK(page_zone(pfn_to_page(block_pfn(0))) == device);
	remove_pfn_range_from_zone(device, block_pfn(0), block_pages());
	check_span(device, block_pfn(0), block_pfn(1));
	check_node_span(1, block_pfn(0), block_pfn(1));
	sections_remove(block_pfn(0), block_pages());
	harness_stop();
}

TEST(ZONE_9, "zone_intersects() asks the span, so it is true inside a hole")
{
	harness_start();
	CHECK(!zone_intersects(NORMAL(0), 0, ~0UL));
	block_add_online(0, NORMAL(0));
	block_add_online(2, NORMAL(0));
	CHECK(zone_intersects(NORMAL(0), block_pfn(1), 1));
	CHECK(zone_intersects(NORMAL(0), block_pfn(2), 1));
	CHECK(zone_intersects(NORMAL(0), 0, block_pfn(0) + 1));
	CHECK(!zone_intersects(NORMAL(0), 0, block_pfn(0)));
	CHECK(!zone_intersects(NORMAL(0), block_pfn(3), block_pages()));
	harness_stop();
}

TEST(ZONE_16, "ZONE_MOVABLE serves what is movable and highmem, and nothing else")
{
	static const gfp_t kernel[] = { GFP_KERNEL, GFP_ATOMIC, GFP_USER, GFP_HIGHUSER,
					GFP_KERNEL | __GFP_MOVABLE, GFP_KERNEL | __GFP_RECLAIMABLE };
	unsigned int i, order;
	struct page *page;

	harness_start();
	block_add_online(0, MOVABLE(0));
	for (i = 0; i < sizeof(kernel) / sizeof(kernel[0]); i++)
		for (order = 0; order < MAX_ORDER; order++)
			CHECK(alloc_pages(kernel[i], order) == NULL);
	for (order = 0; order < MAX_ORDER; order++) {
		page = alloc_pages(GFP_HIGHUSER_MOVABLE, order);
		CHECK(page != NULL);
		CHECK(page_zone(page) == MOVABLE(0));
		__free_pages(page, order);
	}
	harness_stop();
}
