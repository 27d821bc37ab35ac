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
#define SECTION_REAL 32u    /* onlining, and its descriptors already say so (a custom callback) */
#define SECTION_DEVICE 64u  /* has pages of ZONE_DEVICE (SECT-3) */

struct section_split;
struct mem_section {
	u32 flags;		/* atomic */
	int nid;
	struct zone *zone;	/* the one zone of its pages, or NULL (none, or split); atomic */
	struct section_split *split; /* boot sections across zones, device memory */
	u64 subsections;	/* populated 2 MiB parts (SECT-2); atomic */
};
struct mem_section *section_of(unsigned long pfn); /* NULL beyond max_phys or without a machine */

/* Marks the sections of a block-aligned range PRESENT on `nid`. -EEXIST, -ENOMEM; undone on failure. mhw */
int sections_add(unsigned long pfn, unsigned long nr_pages, int nid, bool early);
/* Gives descriptors and tables back; poison marks leave the counter (SECT-6). mhw */
void sections_remove(unsigned long pfn, unsigned long nr_pages);
/* Boot: no RAM in the whole subsections of [pfn, end), which are reserved; device memory may come there. */
void sections_hole(unsigned long pfn, unsigned long end);
void online_mem_sections(unsigned long pfn, unsigned long end_pfn);  /* SECT-5, mhw */
void offline_mem_sections(unsigned long pfn, unsigned long end_pfn); /* SECT-5, mhw */
bool section_is_early(unsigned long pfn);
/* Pages of holes and firmware at boot: reserved, never handed out. Before boot_open_sections(). */
void pages_reserve_boot(unsigned long pfn, unsigned long nr_pages);

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
/* The node has `nr` online CPUs: its lists' sizes follow (ZONE-14). cpu_hotplug_lock held. */
void node_set_nr_cpus(int nid, int nr);
/* Boot-time min_free_kbytes etc. */
unsigned long min_free_kbytes(void);

/*
 * Boot, in this order: sections_add(early), zone_add_boot_range() for each
 * run of RAM of one zone, pages_reserve_boot() for holes and firmware pages,
 * then boot_open_sections() over whole blocks.
 */
/* Boot RAM, page-granular: the zone's and node's span grows, present rises, pageblocks belong to
 * the zone (a section may hold several). 0 or -ENOMEM. */
int zone_add_boot_range(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* Boot: the zone and its node span this, too, whatever lies in it. */
void zone_span_boot(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* Sections go ONLINE and allocatable; managed and totalram rise by what is not reserved. */
void boot_open_sections(unsigned long pfn, unsigned long nr_pages);

/* ---- device memory (page/device.c) ---- */

/* The range joins the node's ZONE_DEVICE, whose span and the node's grow. 0, or -ENOMEM: undone. mhw */
int device_pages_enter(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* Descriptors of a range that entered (DEVMEM-7): reserved, of `pgmap`, with `count` references. */
void device_pages_init(unsigned long pfn, unsigned long nr_pages, struct dev_pagemap *pgmap,
		       int count);
/* Leaves the zone; spans stay (DEVMEM-10), poison marks leave the counter. sections_remove() next. mhw */
void device_pages_leave(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* The last reference of a device page is gone (DEVMEM-16). */
extern void (*page_device_hook)(struct page *page);

/* ---- allocator (page/buddy*.c) ---- */

/* SECT-7: pages that hold their own block's descriptors: marked, present, never managed. mhw */
void pages_reserve_selfhosted(unsigned long pfn, unsigned long nr_pages);
void pages_release_selfhosted(unsigned long pfn, unsigned long nr_pages);

/*
 * Onlining: move_pfn_range_to_zone(); with a custom online-page callback
 * buddy_materialize_range(), which writes into each descriptor what accessors
 * compute otherwise (count 1, reserved), so that the callback can keep pages;
 * the callback's buddy_add_chunk()s; online_mem_sections(); buddy_open_range().
 * Without buddy_materialize_range() all of the range must be handed over.
 */
void buddy_materialize_range(unsigned long pfn, unsigned long nr_pages);
/* Hands 2^order pages to the allocator: of an onlining block (not allocatable before
 * buddy_open_range()), or kept pages of an online one. managed and totalram are the caller's. */
void buddy_add_chunk(struct page *page, unsigned int order);
/* The allocator sees the sections of an online range: what is free in pageblocks that are not
 * isolated can be allocated. Also the reverse of buddy_close_range(). mhw */
void buddy_open_range(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* It sees them no more. All of the range is isolated, and free or poisoned or PageOffline. mhw */
void buddy_close_range(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* Takes one free page out of the allocator's hands as it is (poison), also from an isolated
 * pageblock; false when it is in use or in a thread's list. */
bool buddy_take_page(unsigned long pfn);
/* The reverse: the page becomes free; its descriptor is cleared. */
void buddy_return_page(unsigned long pfn);
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
/* Sleeps until a page of an isolated pageblock is freed or `ns` passed; a page freed since the
 * thread's last scan_movable_pages() or pages_not_free() counts. For retry loops. */
void wait_for_freed_page(u64 ns);
/* Pageblocks that serve pages of another mobility because nothing else was left (DESIGN D5). */
extern unsigned long page_shared_pageblocks;

/* ---- isolation, the parts behind page-isolation.h (page/isolation.c) ---- */

enum unmovable_why { PAGE_MAY_MOVE, PAGE_RESERVED, PAGE_UNMOVABLE, PAGE_BUSY_ISOLATED };
/* As start_isolate_page_range(), but kernel-owned pages do not refuse (DESIGN D1.2) when
 * `lenient`; tells the page and the cause of a refusal. */
int isolate_page_range(unsigned long start, unsigned long end, int migratetype, int flags,
		       bool lenient, unsigned long *bad_pfn, enum unmovable_why *why);
/* The first unmovable page of the range by ISOL-7 (reserved ones included), or ~0UL. */
unsigned long find_unmovable(unsigned long pfn, unsigned long end_pfn, int flags,
			     enum unmovable_why *why);

/* Takes these 2^order pages, below a pageblock, of an isolated pageblock; NULL: not all of them are free. */
struct page *page_take_isolated(unsigned long pfn, unsigned int order, const void *site);

/* ---- allocations above order 0 (page/split.c) ---- */

/*
 * An allocation of a whole pageblock becomes allocations of 2^order pages,
 * order below that; each is movable by the first one's operations, has one
 * reference and the first one's `private` and owner; `index` rises by `stride`
 * from one to the next. The first keeps its references. Page locked, not isolated.
 */
void page_split(struct page *page, unsigned int order, unsigned long stride);
/* No target was found for a page of this order (0: none missed). Atomic; whoever splits pages for
 * it, in isolate_page(), takes it. */
extern unsigned int page_target_missed;

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
/* Says what its owner knows about why a page stays, or NULL. */
extern const char *(*page_state_hook)(const struct page *page);
/* "movable, held by F+0x10" etc.: holder and state of a page, for reasons. */
void page_describe(unsigned long pfn, char *holder, size_t holder_size, char *state,
		   size_t state_size);

/* ---- what is in a range (page/usage.c), in pages but for `isolated` ---- */

struct range_usage {
	unsigned long used;	 /* all of those below */
	unsigned long movable;	 /* their owner lets them move */
	unsigned long unmovable; /* their owner does not */
	unsigned long reserved;
	unsigned long offline;	 /* logically offline, and referenced */
	unsigned long listed;	 /* free, in a thread's list */
	unsigned long skipped;	 /* poisoned, or logically offline: as good as free */
	unsigned long isolated;	 /* pageblocks that somebody works on */
	unsigned long first;	 /* pfn of the first that would not go away, or ~0UL */
};
/* Online pages. Of the moment: nothing is locked. */
void range_usage(unsigned long pfn, unsigned long end_pfn, struct range_usage *usage);

/*
 * A driver that moves several of its pages at once, of one order: as its migrate_page() with MIGRATE_SYNC for
 * each, *ret being what that returns; it takes and drops no references. Set before anything moves.
 */
struct page_move {
	struct page *src, *dst; /* both locked */
	int ret;
};
#define PAGE_MOVES_MAX 32u
struct page_mover {
	const struct movable_operations *ops;
	unsigned int order;
	void (*move)(struct page_move *moves, unsigned int count);
};
extern struct page_mover page_mover;

/* Counters of /proc/vmstat (MIGR-13). Atomic. */
extern unsigned long page_migrate_success, page_migrate_fail;
extern long page_poisoned; /* HardwareCorrupted, in pages */
/* A poisoned page that nobody uses: the machine keeps it, with one reference, from everybody. */
static inline bool page_kept_poisoned(const struct page *page)
{
	return PageHWPoison(page) && page_count(page) == 1 &&
	       READ_ONCE(page->owner) == (const void *)memory_failure;
}

/* Whole-layer checker for mp_check(): returns inconsistencies, each said. */
int page_check(void (*say)(const char *text, void *arg), void *arg);

#endif
