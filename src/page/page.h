/* SPDX-License-Identifier: MIT */
/*
 * The page layer's face to the layers above: sections, zones, allocator,
 * isolation and migration. Position-indexed: nothing here links through pages,
 * and zero-filled tables describe free memory (DESIGN D4).
 *
 * "mhw": the caller holds mem_hotplug_lock for writing (or boots).
 */
#ifndef MEMPLUG_PAGE_H
#define MEMPLUG_PAGE_H

#include <linux/mm.h>
#include <linux/migrate.h>
#include <linux/page-isolation.h>

/* ---- life (page/section.c, page/zone.c) ---- */

struct page_config {
	u64 max_phys;		/* what the direct map can hold */
	u64 block_size;		/* sections are min(128 MiB, block) */
	int nr_node_ids;
	const int *distance;	/* nr_node_ids * nr_node_ids */
	bool follow_linux;	/* contract=linux-6.1: migration targets as MIGR-12, reported by callers */
};
/* Reserves descriptors and pageblock tables, makes node data of possible nodes. 0 or -errno. */
int page_init(const struct page_config *config);
/* Frees all; every thread's lists are dropped. */
void page_exit(void);
/* Pages that are allocated or hold a reference now (reserved boot pages and holes not counted);
 * *example gets one. Drains the lists. */
unsigned long page_in_use(struct page **example);
/* Fork child: forget. */
void page_forget(void);
void page_set_follow_linux(bool yes);
bool page_follow_linux(void);

/* ---- sections (page/section.c) ---- */

#define SECTION_PRESENT 1u
#define SECTION_ONLINE 2u
#define SECTION_EARLY 4u
#define SECTION_ONLINING 8u /* between move_pfn_range_to_zone() and online_mem_sections() */
#define SECTION_DIRTY 16u   /* descriptors or tables were used since they were zero */

struct mem_section {
	u32 flags;		/* atomic */
	int nid;
	struct zone *zone;	/* of an online section with one zone */
	u8 *pageblock_zone;	/* boot sections across zones: zone index of each pageblock */
	u32 next, prev;		/* the zone's list of online sections (section number + 1; 0 none) */
	u32 nr_free;		/* atomic: free pages in the bitmaps of non-isolated pageblocks */
	u32 pad;
};
struct mem_section *section_of(unsigned long pfn); /* NULL beyond max_phys or without a machine */

/* Marks the sections of a block-aligned range PRESENT on `nid`. -EEXIST, -ENOMEM; undone on failure. mhw */
int sections_add(unsigned long pfn, unsigned long nr_pages, int nid, bool early);
/* Gives descriptors and tables back; poison marks leave the counter (SECT-6). mhw */
void sections_remove(unsigned long pfn, unsigned long nr_pages);
void online_mem_sections(unsigned long pfn, unsigned long end_pfn);  /* SECT-5, mhw */
void offline_mem_sections(unsigned long pfn, unsigned long end_pfn); /* SECT-5, mhw */
bool section_is_early(unsigned long pfn);
/* Pages of holes and firmware at boot: reserved, never handed out. Before they are onlined. */
void pages_reserve_boot(unsigned long pfn, unsigned long nr_pages);
bool page_is_boot_hole(unsigned long pfn); /* pfn inside a boot hole (not present) */

/* ---- zones and nodes (page/zone.c) ---- */

/* Zone and node span grow over the range; pages get the zone; their block reads as "going
 * online": count 1, reserved, ISOLATE. Clears descriptors dirtied in an earlier life. mhw. Never fails. */
void move_pfn_range_to_zone(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* Takes the range out of zone and node span (ZONE-3); the sections have no zone any more. mhw */
void remove_pfn_range_from_zone(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* present += nr (may be negative) of zone and node, present_early for early sections. mhw */
void adjust_present_page_count(unsigned long pfn, struct zone *zone, long nr_pages);
/* The one zone all pages of the range belong to, or NULL (holes are skipped). */
struct zone *range_zone(unsigned long pfn, unsigned long nr_pages);
void build_all_zonelists(void);		/* ZONE-10, mhw */
void init_per_zone_wmark_min(void);	/* ZONE-12..14, mhw */
bool mobility_grouping_disabled(void);	/* ZONE-15 */
/* Called when a node's span, present count etc. must be fresh (NODE-5). mhw */
void node_data_reset(int nid);
int node_distance(int from, int to);
/* Boot-time min_free_kbytes etc. */
unsigned long min_free_kbytes(void);

/* ---- allocator (page/buddy*.c) ---- */

/* Hands [pfn, pfn + 2^order) of an onlining block to the allocator's tables: not allocatable
 * before undo_isolate_page_range() or open. managed and totalram are the caller's. */
void buddy_add_chunk(struct page *page, unsigned int order);
/* The allocator sees the sections of an online range (they enter the zone's list). mhw */
void buddy_open_range(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* It sees them no more. All pages of the range are free or poisoned or PageOffline. mhw */
void buddy_close_range(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* Per-thread lists of the zone: frees into isolated pageblocks bypass them from now on; drained (BUDDY-9). */
void zone_pcp_disable(struct zone *zone);
void zone_pcp_enable(struct zone *zone);
/* Flushes from all threads' lists the pages of [pfn, end) (0, ~0UL: all). Sleeps. */
void drain_pages_range(unsigned long pfn, unsigned long end_pfn);
/* Free blocks per order of a zone (largest aligned free runs), all types or of one (-1: all).
 * `nr_free` has MAX_ORDER entries. */
void zone_free_counts(struct zone *zone, int migratetype, unsigned long *nr_free);
/* Online pageblocks of the zone by type; MIGRATE_TYPES entries. */
void zone_pageblock_counts(struct zone *zone, unsigned long *count);
/* Pages in threads' lists of this zone. */
unsigned long zone_pcp_pages(struct zone *zone);
/* Sleeps until some page is freed or `ns` passed. For retry loops. */
void wait_for_freed_page(u64 ns);

/* ---- isolation, the parts behind page-isolation.h (page/isolation.c) ---- */

enum unmovable_why { PAGE_MAY_MOVE, PAGE_RESERVED, PAGE_UNMOVABLE, PAGE_BUSY_ISOLATED };
/* As start_isolate_page_range(), but kernel-owned pages do not refuse (DESIGN D1.2) when
 * `lenient`; tells the page and the cause of a refusal. */
int isolate_page_range(unsigned long start, unsigned long end, int migratetype, int flags,
		       bool lenient, unsigned long *bad_pfn, enum unmovable_why *why);
/* The first unmovable page of the range by ISOL-7 (reserved ones included), or ~0UL. */
unsigned long find_unmovable(unsigned long pfn, unsigned long end_pfn, int flags,
			     enum unmovable_why *why);

/* ---- migration for offlining (page/migrate.c) ---- */

struct scan_result {
	unsigned long candidate;  /* pfn of the next movable page, or ~0UL */
	unsigned long offline_pfn; /* a referenced PageOffline page, or ~0UL */
};
/* OFFLINE-5. */
void scan_movable_pages(unsigned long pfn, unsigned long end_pfn, struct scan_result *result);
/* One pass over [pfn, end): isolates and migrates what it can (OFFLINE-6). Returns pages moved;
 * *failed gets those that did not move. */
unsigned long do_migrate_range(unsigned long pfn, unsigned long end_pfn, unsigned long *failed);
/* Pages of the range that are not free; *first gets the lowest. */
unsigned long pages_not_free(unsigned long pfn, unsigned long end_pfn, unsigned long *first);
/* "movable, held by F+0x10" etc.: holder and state of a page, for reasons. */
void page_describe(unsigned long pfn, char *holder, size_t holder_size, char *state,
		   size_t state_size);

/* Counters of /proc/vmstat (MIGR-13). Atomic. */
extern unsigned long page_migrate_success, page_migrate_fail;
extern long page_poisoned; /* HardwareCorrupted, in pages */

/* Whole-layer checker for mp_check(): returns inconsistencies, each said. */
int page_check(void (*say)(const char *text, void *arg), void *arg);

#endif
