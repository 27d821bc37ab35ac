/* SPDX-License-Identifier: MIT */
/* Fallback orders, watermarks, reserves and list sizes (ZONE-10..15). */
#include "../buddy/harness.h"

static void check_fallback(int nid, int a, int b, int c)
{
	const pg_data_t *pgdat = NODE_DATA(nid);
	int want[] = { a, b, c }, n = 1 + (b >= 0) + (c >= 0), i;

	CHECK_EQ(pgdat->nr_fallback, n);
	for (i = 0; i < n; i++)
		CHECK_EQ(pgdat->fallback[i], want[i]);
}

/* Takes pages until none is left, and says which zone each block of answers came from. */
static int zones_in_order(gfp_t gfp, int nid, struct zone **zones, int max)
{
	struct page *page;
	int n = 0;

	while ((page = alloc_pages_node(nid, gfp, 9)) != NULL) {
		if (n && zones[n - 1] == page_zone(page))
			continue;
		CHECK_LT(n, max);
		zones[n++] = page_zone(page);
	}
	return n;
}

TEST(ZONE_10, "fallback is local first, then nodes with memory by distance")
{
	harness_start();
	block_add_online(0, NORMAL(0));
	check_fallback(0, 0, -1, -1);
	check_fallback(1, 1, 0, -1);
	block_add_online(1, NORMAL(1));
	block_add_online(2, NORMAL(2));
	check_fallback(0, 0, 2, 1);
	check_fallback(1, 1, 0, 2);
	check_fallback(2, 2, 0, 1);
	CHECK_EQ(block_offline(2, NORMAL(2)), 0);
	check_fallback(0, 0, 1, -1);
	harness_stop();
}

TEST(ZONE_10, "within a node zones come from the highest down, unpopulated ones not at all")
{
	struct zone *zones[8];

	harness_start();
	block_add_online(0, NORMAL(0));
	block_add_online(1, MOVABLE(0));
	block_add_online(2, MOVABLE(2));
	CHECK_EQ(zones_in_order(GFP_HIGHUSER_MOVABLE, 0, zones, 8), 3);
	CHECK(zones[0] == MOVABLE(0));
	CHECK(zones[1] == NORMAL(0));
	CHECK(zones[2] == MOVABLE(2));
}

TEST(ZONE_11, "a populated zone has list sizes of its own, an unpopulated one the boot ones")
{
	harness_start();
	CHECK_EQ(NORMAL(0)->pageset_high, 0);
	CHECK_EQ(NORMAL(0)->pageset_batch, 1);
	block_add_online(0, NORMAL(0));
	CHECK_GT(NORMAL(0)->pageset_high, 0);
	CHECK_GT(NORMAL(0)->pageset_batch, 1);
	CHECK_EQ(block_offline(0, NORMAL(0)), 0);
	CHECK_EQ(NORMAL(0)->pageset_high, 0);
	CHECK_EQ(NORMAL(0)->pageset_batch, 1);
	harness_stop();
}

static unsigned long whole_sqrt(unsigned long x)
{
	unsigned long root = 0;

	while ((root + 1) * (root + 1) <= x)
		root++;
	return root;
}

TEST(ZONE_12, "min_free_kbytes and the watermarks of each zone follow the formula")
{
	struct zone *zones[] = { NULL, NULL, NULL };
	unsigned long lowmem = 0, total = 0, pages_min, kbytes, step;
	int i;

	harness_start();
	for (i = 0; i < 4; i++)
		block_add_online(i, NORMAL(0));
	block_add_online(4, NORMAL(1));
	block_add_online(5, MOVABLE(1));
	zones[0] = NORMAL(0);
	zones[1] = NORMAL(1);
	zones[2] = MOVABLE(1);
	/* Kernel zones of the local list, what is above the marks they have now. */
	for (i = 0; i < 2; i++)
		lowmem += zone_managed_pages(zones[i]) - zones[i]->_watermark[WMARK_HIGH];
	for (i = 0; i < 3; i++)
		total += zone_managed_pages(zones[i]);
	init_per_zone_wmark_min();
	kbytes = whole_sqrt(16 * lowmem * 4);
	CHECK_GT(kbytes, 128);
	CHECK_EQ(min_free_kbytes(), kbytes);
	pages_min = kbytes / 4;
	for (i = 0; i < 3; i++) {
		unsigned long managed = zone_managed_pages(zones[i]);
		unsigned long low = pages_min * managed / total;

		step = max(low / 4, managed * 10 / 10000);
		CHECK_EQ(zones[i]->_watermark[WMARK_MIN], low);
		CHECK_EQ(zones[i]->_watermark[WMARK_LOW], low + step);
		CHECK_EQ(zones[i]->_watermark[WMARK_HIGH], low + 2 * step);
	}
	harness_stop();
}

TEST(ZONE_12, "min_free_kbytes is at least 128, however little kernel memory there is")
{
	harness_start();
	block_add_online(0, MOVABLE(0));
	CHECK_EQ(min_free_kbytes(), 128);
	harness_stop();
}

TEST(ZONE_13, "reserve[j] is what the zones above, up to j, manage, by the zone's ratio")
{
	unsigned long pages;
	struct zone *dma32;

	harness_start();
	pages = block_pages();
	block_add_online(0, NORMAL(0));
	block_add_online(1, NORMAL(0));
	block_add_online(2, MOVABLE(0));
	block_add_online(3, &NODE_DATA(0)->node_zones[ZONE_DMA32]);
	dma32 = &NODE_DATA(0)->node_zones[ZONE_DMA32];
	CHECK_EQ(dma32->lowmem_reserve[ZONE_DMA32], 0);
	CHECK_EQ(dma32->lowmem_reserve[ZONE_NORMAL], (long)(2 * pages / 256));
	CHECK_EQ(dma32->lowmem_reserve[ZONE_MOVABLE], (long)(3 * pages / 256));
	CHECK_EQ(NORMAL(0)->lowmem_reserve[ZONE_NORMAL], 0);
	CHECK_EQ(NORMAL(0)->lowmem_reserve[ZONE_MOVABLE], (long)(pages / 32));
	CHECK_EQ(MOVABLE(0)->lowmem_reserve[ZONE_MOVABLE], 0);
	/* Nothing managed, nothing reserved. */
	CHECK_EQ(NODE_DATA(0)->node_zones[ZONE_DMA].lowmem_reserve[ZONE_NORMAL], 0);
	harness_stop();
}

TEST(ZONE_14, "batch is a quarter of 0.1 % of the zone, one below a power of two; high follows low")
{
	unsigned long low;
	int i;

	harness_start();
	block_add_online(0, NORMAL(0));
	/* 32768 / 1024 / 4 = 8; 8 + 4 rounds down to 8. */
	CHECK_EQ(NORMAL(0)->pageset_batch, 7);
	low = NORMAL(0)->_watermark[WMARK_LOW];
	CHECK_EQ(NORMAL(0)->pageset_high, (int)max(low, 4UL * 7));
	for (i = 1; i < 16; i++)
		block_add_online(i, NORMAL(0));
	/* 512 is more than 1 MiB worth: 256 / 4 = 64, and 64 + 32 rounds down to 64. */
	CHECK_EQ(NORMAL(0)->pageset_batch, 63);
	NODE_DATA(0)->nr_cpus = 4;
	init_per_zone_wmark_min();
	low = NORMAL(0)->_watermark[WMARK_LOW];
	CHECK_EQ(NORMAL(0)->pageset_high, (int)max(low / 4, 4UL * 63));
	harness_stop();
}

TEST(ZONE_15, "with too few pages mobility grouping is off and pageblocks become unmovable")
{
	unsigned long counts[MIGRATE_TYPES];
	int i;

	harness_start_with(SZ_2M, false);
	for (i = 0; i < 3; i++)
		block_add_online(i, NORMAL(0));
	CHECK(mobility_grouping_disabled());
	zone_pageblock_counts(NORMAL(0), counts);
	CHECK_EQ(counts[MIGRATE_UNMOVABLE], 3);
	CHECK_EQ(counts[MIGRATE_MOVABLE], 0);
	for (i = 3; i < 9; i++)
		block_add_online(i, NORMAL(0));
	CHECK(!mobility_grouping_disabled());
	zone_pageblock_counts(NORMAL(0), counts);
	CHECK_GT(counts[MIGRATE_MOVABLE], 2);
	harness_stop();
}
