// SPDX-License-Identifier: MIT
/*
 * Watermarks, reserves and list sizes (ZONE-11..15), recomputed under
 * mem_hotplug_lock (write) after each online and offline; allocators read the
 * results word by word.
 */
#include "page/internal.h"

#define WATERMARK_SCALE_FACTOR 10 /* ten-thousandths of a zone */
#define MIN_FREE_KBYTES_LOW 128UL
#define MIN_FREE_KBYTES_HIGH 262144UL
#define KBYTES_PER_PAGE (PAGE_SIZE / 1024)

static const int reserve_ratio[MAX_NR_ZONES] = { 256, 256, 32, 0, 0 };

static struct {
	unsigned long min_free_kbytes;
	bool grouping_off;
} marks;

unsigned long min_free_kbytes(void)
{
	return READ_ONCE(marks.min_free_kbytes);
}

bool mobility_grouping_disabled(void)
{
	return READ_ONCE(marks.grouping_off);
}

int mobility_type(int type)
{
	return mobility_grouping_disabled() && type != MIGRATE_ISOLATE ? MIGRATE_UNMOVABLE : type;
}

static unsigned long integer_sqrt(unsigned long x)
{
	unsigned long root = 0, bit;

	for (bit = 1UL << 31; bit; bit >>= 1)
		if ((root + bit) * (root + bit) <= x)
			root += bit;
	return root;
}

/* Pages above the high watermarks in the zones up to `highest` that requests without a node see. */
static unsigned long pages_above_high(int highest)
{
	pg_data_t *local = node_data(READ_ONCE(page_layer.default_nid));
	unsigned long sum = 0;
	int i, z;

	for (i = 0; local && i < local->nr_fallback; i++) {
		pg_data_t *pgdat = node_data(local->fallback[i]);

		for (z = 0; pgdat && z <= highest; z++) {
			struct zone *zone = &pgdat->node_zones[z];
			unsigned long managed = zone_managed_pages(zone);

			if (populated_zone(zone) && managed > zone->_watermark[WMARK_HIGH])
				sum += managed - zone->_watermark[WMARK_HIGH];
		}
	}
	return sum;
}

void mobility_update(void)
{
	bool off = page_layer.default_nid >= 0 &&
		   pages_above_high(ZONE_MOVABLE) < pageblock_nr_pages * MIGRATE_TYPES;
	int i;

	WRITE_ONCE(marks.grouping_off, off);
	/* Index: bit 0 __GFP_MOVABLE, bit 1 __GFP_RECLAIMABLE (BUDDY-7). */
	for (i = 0; i < 4; i++) {
		int type = i & 1 ? MIGRATE_MOVABLE : i & 2 ? MIGRATE_RECLAIMABLE : MIGRATE_UNMOVABLE;

		WRITE_ONCE(page_layer.gfp_type[i], (u8)(off ? MIGRATE_UNMOVABLE : type));
	}
}

/* ZONE-12. */
static void zone_watermarks(struct zone *zone, unsigned long pages_min, unsigned long total)
{
	unsigned long managed = zone_managed_pages(zone);
	unsigned long min_pages = total ? (unsigned long)((unsigned __int128)pages_min * managed / total)
					: 0;
	unsigned long step = max(min_pages / 4, managed * WATERMARK_SCALE_FACTOR / 10000);

	WRITE_ONCE(zone->_watermark[WMARK_MIN], min_pages);
	WRITE_ONCE(zone->_watermark[WMARK_LOW], min_pages + step);
	WRITE_ONCE(zone->_watermark[WMARK_HIGH], min_pages + 2 * step);
}

/* ZONE-13. */
static void node_reserves(pg_data_t *pgdat)
{
	int i, j;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &pgdat->node_zones[i];
		unsigned long above = 0;

		for (j = i + 1; j < MAX_NR_ZONES; j++) {
			bool none = !reserve_ratio[i] || !zone_managed_pages(zone);

			above += zone_managed_pages(&pgdat->node_zones[j]);
			WRITE_ONCE(zone->lowmem_reserve[j],
				   none ? 0 : (long)above / reserve_ratio[i]);
		}
	}
}

/* ZONE-11, 14. */
void zone_list_sizes(struct zone *zone)
{
	unsigned long cpus = (unsigned long)max(zone->zone_pgdat->nr_cpus, 1), batch, top;

	if (!populated_zone(zone)) {
		WRITE_ONCE(zone->pageset_high, 0);
		WRITE_ONCE(zone->pageset_batch, 1);
		return;
	}
	batch = min(zone_managed_pages(zone) / 1024, (1UL << 20) / PAGE_SIZE) / 4;
	batch = max(batch, 1UL);
	batch += batch / 2;
	top = 1UL << (63 - __builtin_clzl(batch));
	batch = max(top - 1, 1UL);
	WRITE_ONCE(zone->pageset_batch, (int)batch);
	WRITE_ONCE(zone->pageset_high, (int)max(zone->_watermark[WMARK_LOW] / cpus, 4 * batch));
}

void init_per_zone_wmark_min(void)
{
	unsigned long lowmem_kbytes = pages_above_high(ZONE_NORMAL) * KBYTES_PER_PAGE;
	unsigned long kbytes = integer_sqrt(lowmem_kbytes * 16), total = 0;
	struct zone *zone;
	int nid, i;

	kbytes = clamp(kbytes, MIN_FREE_KBYTES_LOW, MIN_FREE_KBYTES_HIGH);
	WRITE_ONCE(marks.min_free_kbytes, kbytes);
	for_each_zone(nid, i, zone)
		total += zone_managed_pages(zone);
	for_each_zone(nid, i, zone) {
		zone_watermarks(zone, kbytes / KBYTES_PER_PAGE, total);
		zone_list_sizes(zone);
	}
	for (nid = 0; nid < page_layer.nr_nodes; nid++)
		if (page_layer.nodes[nid])
			node_reserves(page_layer.nodes[nid]);
}
