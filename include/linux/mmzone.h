/* SPDX-License-Identifier: MIT */
/*
 * Nodes, zones and sections: who owns which pages and how many (ZONE-1..16,
 * SECT-1..7).
 *
 * | what                                    | changed under             | read                    |
 * | spans, present counts                   | mem_hotplug_lock (write)  | get_online_mems()       |
 * | watermarks, reserves, fallback order    | mem_hotplug_lock (write)  | any time, word by word  |
 * | free, managed, isolated counts          | nothing: atomic           | any time                |
 * | the allocator's list of parts           | zone->lock                | zone->lock              |
 */
#ifndef MEMPLUG_LINUX_MMZONE_H
#define MEMPLUG_LINUX_MMZONE_H

#include <linux/types.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/mm_types.h>

#define PAGE_SHIFT 12
#undef PAGE_SIZE
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#undef PAGE_MASK
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PFN_PHYS(pfn) ((phys_addr_t)(pfn) << PAGE_SHIFT)
#define PHYS_PFN(addr) ((unsigned long)((addr) >> PAGE_SHIFT))
#define PFN_UP(addr) (((addr) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(addr) ((addr) >> PAGE_SHIFT)

#define MAX_ORDER 11 /* exclusive */
#define pageblock_order 9
#define pageblock_nr_pages (1UL << pageblock_order)
#define pageblock_start_pfn(pfn) ALIGN_DOWN((unsigned long)(pfn), pageblock_nr_pages)

/* A section is min(128 MiB, block): fixed at boot (DESIGN D3). */
extern unsigned int mp_section_shift;
#define PAGES_PER_SECTION (1UL << (mp_section_shift - PAGE_SHIFT))
#define PAGES_PER_SUBSECTION 512UL
#define pfn_to_section_nr(pfn) ((unsigned long)(pfn) >> (mp_section_shift - PAGE_SHIFT))
#define section_nr_to_pfn(nr) ((unsigned long)(nr) << (mp_section_shift - PAGE_SHIFT))

enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_MOVABLE, ZONE_DEVICE, __MAX_NR_ZONES };
#define MAX_NR_ZONES 5

enum migratetype {
	MIGRATE_UNMOVABLE,
	MIGRATE_MOVABLE,
	MIGRATE_RECLAIMABLE,
	MIGRATE_PCPTYPES,
	MIGRATE_HIGHATOMIC = MIGRATE_PCPTYPES,
	MIGRATE_ISOLATE,
	MIGRATE_TYPES
};

enum zone_watermarks { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

struct pglist_data;

struct zone {
	/* Read by the allocator without a lock; changes are rare. */
	unsigned long _watermark[NR_WMARK];
	long lowmem_reserve[MAX_NR_ZONES];
	int index;		  /* enum zone_type */
	int node;
	u32 id;			  /* its lists' slot in a thread's table, less one */
	int pcp_disabled;	  /* atomic: lists bypassed while a block leaves (BUDDY-9) */
	struct pglist_data *zone_pgdat;
	const char *name;

	/* Written by whoever allocates or frees in bulk. */
	long nr_free __aligned(64);	    /* atomic: free pages outside isolated pageblocks */
	long managed_pages;		    /* atomic */
	unsigned long nr_isolate_pageblock; /* atomic */
	u32 search[MIGRATE_PCPTYPES];	    /* atomic: the part where a search for the type begins */
	unsigned long pgalloc, pgfree;	    /* pages that left and came back; approximate, in batches */

	/* Guarded by mem_hotplug_lock (write). */
	unsigned long zone_start_pfn __aligned(64);
	unsigned long spanned_pages;
	unsigned long present_pages;
	unsigned long present_early_pages;
	int pageset_high, pageset_batch; /* ZONE-14; 0 and 1 while unpopulated */

	/* The allocator's view: the zone's parts of online sections, ascending; `lock` guards it. */
	struct mutex lock;
	u32 first_part, last_part; /* 0: none */
	unsigned long nr_parts;
} __aligned(64);

typedef struct pglist_data {
	struct zone node_zones[MAX_NR_ZONES];
	int node_id;
	unsigned long node_start_pfn;
	unsigned long node_spanned_pages;
	unsigned long node_present_pages;
	short *fallback;	/* node ids, nearest first, nr_fallback of them; each atomic */
	int nr_fallback;
	/* By the four zone bits of a request: id + 1 of the highest populated zone for it, or 0; atomic. */
	u16 gfp_slot[16];
	int nr_cpus;		/* CPUs of the node that are online, for ZONE-14; set by the CPU layer */
	bool kswapd, kcompactd; /* would run here (NODE-12) */
} pg_data_t;

/* The data of a possible node, or NULL. Stays valid until mp_shutdown(). */
pg_data_t *mp_node_data(int nid);
#define NODE_DATA(nid) mp_node_data(nid)

static inline unsigned long zone_end_pfn(const struct zone *zone)
{
	return READ_ONCE(zone->zone_start_pfn) + READ_ONCE(zone->spanned_pages);
}
static inline bool zone_is_empty(const struct zone *zone)
{
	return READ_ONCE(zone->spanned_pages) == 0;
}
static inline bool populated_zone(const struct zone *zone)
{
	return READ_ONCE(zone->present_pages) != 0;
}
static inline unsigned long zone_managed_pages(const struct zone *zone)
{
	return (unsigned long)READ_ONCE(zone->managed_pages);
}
static inline bool zone_spans_pfn(const struct zone *zone, unsigned long pfn)
{
	return READ_ONCE(zone->zone_start_pfn) <= pfn && pfn < zone_end_pfn(zone);
}
static inline unsigned long node_pgalloc(const pg_data_t *pgdat)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		sum += READ_ONCE(pgdat->node_zones[i].pgalloc);
	return sum;
}
static inline unsigned long node_pgfree(const pg_data_t *pgdat)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		sum += READ_ONCE(pgdat->node_zones[i].pgfree);
	return sum;
}
#define zone_idx(zone) ((zone)->index)
#define zone_to_nid(zone) ((zone)->node)
/* Not empty and [pfn, pfn + nr) overlaps the span, holes included (ZONE-9). */
static inline bool zone_intersects(const struct zone *zone, unsigned long pfn, unsigned long nr)
{
	return !zone_is_empty(zone) && pfn < zone_end_pfn(zone) &&
	       pfn + nr > READ_ONCE(zone->zone_start_pfn);
}

/* SECT-3: the section is there; ... and online. No lock; stable under get_online_mems(). */
int pfn_valid(unsigned long pfn) MP_SYM(pfn_valid);

extern unsigned long mp_totalram_pages;
static inline unsigned long totalram_pages(void)
{
	return READ_ONCE(mp_totalram_pages);
}

#endif
