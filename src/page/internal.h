/* SPDX-License-Identifier: MIT */
/*
 * What the files of the page layer share: the tables indexed by position, the
 * parts of sections that zones search, each thread's lists.
 *
 * A pageblock's word counts its allocated pages; its line has one bit per
 * page, 1 allocated. Whoever allocates first raises the count (only while the
 * pageblock is not isolated) and then claims that many clear bits; whoever
 * frees first clears the bits and then lowers the count. So there are always
 * at least as many clear bits as claimers look for, and the one atomic step on
 * the word tells each side whether the pages count as free of their zone.
 */
#ifndef MEMPLUG_PAGE_INTERNAL_H
#define MEMPLUG_PAGE_INTERNAL_H

#include "page/page.h"
#include "sync/asym.h"

/* The word of a pageblock; 0: free, MIGRATE_MOVABLE, not isolated. */
#define PB_USED_MASK 0x3ffu
#define PB_TYPE_SHIFT 10 /* two bits: migratetype ^ MIGRATE_MOVABLE, kept while isolated */
#define PB_TYPE_MASK (3u << PB_TYPE_SHIFT)
#define PB_ISOLATED (1u << 12)
#define PB_HUGE (1u << 13)     /* allocated as a whole: its bits are clear */
#define PB_RESERVED (1u << 14) /* some thread allocates from it */
#define PB_ZONE_SHIFT 16       /* zone->id + 1, written when pages are first taken; 0: never */
#define PB_PAGES 512u
#define PB_WORDS 8

static inline unsigned int pb_used(u32 word)
{
	return word & PB_USED_MASK;
}
static inline unsigned int pb_free(u32 word)
{
	return PB_PAGES - pb_used(word);
}
static inline int pb_type(u32 word)
{
	return (int)((word & PB_TYPE_MASK) >> PB_TYPE_SHIFT) ^ MIGRATE_MOVABLE;
}
/* The word of a pageblock of `zone` from which pages were taken: its descriptors are used. */
static inline u32 pb_touched(u32 word, const struct zone *zone)
{
	return (word & ((1u << PB_ZONE_SHIFT) - 1)) | (zone->id + 1) << PB_ZONE_SHIFT;
}
static inline u32 pb_with_type(u32 word, int type)
{
	return (word & ~PB_TYPE_MASK) | ((u32)(type ^ MIGRATE_MOVABLE) << PB_TYPE_SHIFT);
}

/*
 * The pageblocks of one zone in one section. Part n + 1 is section n's own;
 * numbers above belong to boot sections that several zones share.
 */
struct zone_part {
	u32 next, prev;	   /* ascending; 0: none; zone->lock */
	u32 section;	   /* atomic, written before the part is listed */
	u32 nr_free;	   /* atomic: free pages in pageblocks that are not isolated; changed by
			    * adding only, since a free that was counted late may come in between */
	u16 nr_type[3];	   /* pageblocks by type, MIGRATE_MOVABLE not counted; atomic */
	u16 pad;
	struct zone *zone; /* in whose list it is; that zone's lock, atomic */
};
_Static_assert(sizeof(struct zone_part) == 32, "two parts a cache line");

#define SPLIT_ZONES 8
struct section_split {
	struct section_split *next, **link; /* page_layer.splits: found again from there */
	unsigned int nr;
	struct {
		struct zone *zone;
		u32 part;
	} at[SPLIT_ZONES];
	u8 of_pageblock[64]; /* index into at[], or SPLIT_NONE */
};
#define SPLIT_NONE 0xff
#define EXTRA_PARTS 256

struct page_layer {
	unsigned long max_pfn, nr_sections;
	unsigned int section_order; /* log2 of a section's pages */
	unsigned int max_order;	    /* the largest page order, inclusive */
	bool follow_linux;
	bool speculation; /* atomic: references are taken without holding one (pageref.c) */
	int default_nid;  /* atomic: where NUMA_NO_NODE begins, -1: nowhere */
	u8 gfp_type[4];	  /* atomic: migratetype by __GFP_MOVABLE and __GFP_RECLAIMABLE */
	u8 gfp_zone[16];  /* highest zone by the four zone bits of a request */
	u16 gfp_slot[16]; /* atomic: slot of the first zone, for requests without a node */
	int nr_nodes;
	pg_data_t **nodes;
	u32 zonelist_generation; /* atomic, raised by build_all_zonelists() */

	struct mem_section *sections;
	struct zone_part *parts;
	u32 *words;
	u64 (*bits)[PB_WORDS];

	size_t vmemmap_len, sections_len, parts_len, words_len, bits_len;
	void *nodes_memory;
	int *distance;
	u32 extra_parts; /* of EXTRA_PARTS, handed out */
	struct section_split *splits;
	unsigned long present_end; /* no section at or above this number is present */
};
extern struct page_layer page_layer;

/* ---- a thread's lists (lists.c) ---- */

#define LIST_CAPACITY 128 /* order-0 pages that can be handed out again */
#define LIST_BATCH 64
#define AWAY_CAPACITY 124 /* freed pages that go back to their pageblocks */
#define HUGE_CAPACITY 4

struct page_list {
	u32 count, away_count;
	u32 reserved; /* pageblock + 1 from which the list is refilled, 0: none */
	u32 keep;     /* freed pages below this pfn are handed out again; 0 while switched off */
	u32 pfn[LIST_CAPACITY];
	u32 away[AWAY_CAPACITY];
};
/* A list's offset is then its type's bits in the pageblock's word, MIGRATE_MOVABLE apart. */
_Static_assert(sizeof(struct page_list) == 1u << PB_TYPE_SHIFT, "one type after the other");
struct page_lists {
	struct page_list type[MIGRATE_PCPTYPES];
	u32 huge_count;
	u32 huge[HUGE_CAPACITY]; /* pfns of order-9 pages, of any type */
};
/*
 * The owner touches it inside an asym section, anybody else through
 * asym_visit_all(). Both tables are indexed by slots: a zone's id + 1, and 0,
 * where there is never a list. They always point somewhere: to a table of
 * nothing while there are no lists, and the second one also as long as frees
 * must be atomic (pageref.c).
 */
struct page_thread {
	struct sync_thread *thread;	 /* NULL: not known, or gone */
	struct page_lists **lists;	 /* for allocation */
	struct page_lists **free_lists; /* for frees of last references */
	u32 nr_slots;
};
#define ZONE_SLOTS (MAX_NUMNODES * MAX_NR_ZONES + 1)
extern struct page_lists *const page_no_lists[ZONE_SLOTS];
extern __thread struct page_thread page_self __attribute__((tls_model("initial-exec")));

/* ---- tables ---- */

/* Neighbours' words lie in different cache lines: threads allocate from neighbours. */
static inline u32 *pb_word(unsigned long pb)
{
	return &page_layer.words[pb];
}
/* Acquire pairs with the release of whoever changed the word: bits and descriptors follow it. */
static inline u32 pb_load(unsigned long pb)
{
	return __atomic_load_n(pb_word(pb), __ATOMIC_ACQUIRE);
}
static inline struct mem_section *pfn_section(unsigned long pfn)
{
	return &page_layer.sections[pfn >> page_layer.section_order];
}
static inline u32 section_flags(const struct mem_section *section)
{
	return __atomic_load_n(&section->flags, __ATOMIC_ACQUIRE);
}
static inline void section_set(struct mem_section *section, u32 flags)
{
	if ((READ_ONCE(section->flags) & flags) != flags)
		__atomic_fetch_or(&section->flags, flags, __ATOMIC_RELEASE);
}
static inline void section_clear(struct mem_section *section, u32 flags)
{
	__atomic_fetch_and(&section->flags, ~flags, __ATOMIC_RELEASE);
}
static inline unsigned long section_pages(void)
{
	return 1UL << page_layer.section_order;
}
static inline unsigned int section_pageblocks(void)
{
	return 1u << (page_layer.section_order - pageblock_order);
}
struct section_split *split_new(void);
void split_free(struct section_split *split); /* accepts NULL */
struct zone *split_zone(const struct section_split *split, unsigned long pfn);
struct zone_part *split_part(const struct section_split *split, unsigned long pfn);

static inline struct zone *pfn_zone(unsigned long pfn)
{
	struct mem_section *section = pfn_section(pfn);
	/* Acquire pairs with section_split_add(): without a zone the split is there. */
	struct zone *zone = __atomic_load_n(&section->zone, __ATOMIC_ACQUIRE);

	if (unlikely(!zone)) {
		struct section_split *split = READ_ONCE(section->split);

		if (split)
			zone = split_zone(split, pfn);
	}
	return zone;
}
static inline struct zone_part *pfn_part(unsigned long pfn)
{
	struct mem_section *section = pfn_section(pfn);

	if (likely(__atomic_load_n(&section->zone, __ATOMIC_ACQUIRE)) || !READ_ONCE(section->split))
		return &page_layer.parts[(pfn >> page_layer.section_order) + 1];
	return split_part(READ_ONCE(section->split), pfn);
}
static inline u32 part_id(const struct zone_part *part)
{
	return (u32)(part - page_layer.parts);
}

/* The next allocated page at or after pfn and below end by the tables, or end; *step: how many pages
 * to go on from it (a whole allocation). Free pages touch no descriptor. (scan.c) */
unsigned long next_used(unsigned long pfn, unsigned long end, unsigned long *step);
/* Poison marks of [pfn, end) (SECT-6). */
long count_poison(unsigned long pfn, unsigned long end);

/* ---- pageblocks (buddy.c): no lock, except where said ---- */

/* Up to n single pages, ascending; none when it is isolated or, with `must_be`, lacks these flags. */
unsigned int pageblock_take(struct zone *zone, unsigned long pb, unsigned int n, u32 must_be, u32 *pfn);
/* 2^order naturally aligned pages, order 1 to 8: pfn or ~0UL. */
unsigned long pageblock_take_run(struct zone *zone, unsigned long pb, unsigned int order, u32 must_be);
/* All of a free pageblock; with `steal` also one that a thread reserved. */
bool pageblock_take_whole(struct zone *zone, unsigned long pb, bool steal);
void pageblock_free(unsigned long pb, const u64 *mask, unsigned int n);
void pageblock_free_whole(unsigned long pb);
/* 2^order pages, any order. */
void pages_free_direct(unsigned long pfn, unsigned int order);
/* Exactly these free pages of one pageblock, isolated or not. */
bool pageblock_claim(unsigned long pb, unsigned int first, unsigned int n);
void pageblock_drop_reservation(u32 reserved);
void mask_range(u64 *mask, unsigned int first, unsigned int n);

/* ---- choice of pageblocks (choose.c) ---- */

/* A pageblock for the thread to refill from (now PB_RESERVED), or ~0UL. Takes zone->lock. */
unsigned long choose_pageblock(struct zone *zone, int type);
/* The last resorts when nothing can be reserved: up to n single pages. Takes zone->lock. */
unsigned int take_leftover(struct zone *zone, int type, unsigned int n, u32 *pfn);
/* Orders 1 to max_order: pfn or ~0UL. Takes zone->lock. */
unsigned long take_order(struct zone *zone, int type, unsigned int order);
/* Part list of the zone: insertion by section number; both with zone->lock held. */
void part_insert(struct zone *zone, struct zone_part *part);
void part_remove(struct zone *zone, struct zone_part *part);
void search_lower(struct zone *zone, int type, struct zone_part *part);
/* Sets the type of a pageblock; zone->lock held. */
void pageblock_set_type(unsigned long pb, int type);
#define for_each_part(zone, id) \
	for ((id) = (zone)->first_part; (id); (id) = page_layer.parts[id].next)
/* Pageblock numbers of a part: [first, end), those of other zones to be skipped by pageblock_in(). */
unsigned long part_first(const struct zone_part *part);
static inline unsigned long part_end(const struct zone_part *part)
{
	return part_first(part) + section_pageblocks();
}
static inline bool pageblock_in(const struct zone_part *part, unsigned long pb)
{
	return pfn_part(pb << pageblock_order) == part;
}

/* ---- lists.c ---- */

/* The calling thread, registered; NULL when memory is short. */
struct page_thread *page_thread_get(void);
/* The thread's lists of a zone, made at first; NULL when memory is short. Inside the asym section. */
struct page_lists *lists_get(struct page_thread *me, struct zone *zone);
/* From now on nobody drops a last reference without an atomic instruction. */
void lists_free_atomically(void);
/* Fills an empty list with at most `most` pages; true when there are some. */
bool list_refill(struct page_list *list, struct zone *zone, int type, long most);
void list_flush_bottom(struct page_list *list, unsigned int n);
void list_flush_away(struct page_list *list);
void pages_flush(u32 *pfn, unsigned int n);
/* All threads give up their reservations in the range (isolated before). */
void drop_reservations(unsigned long pfn, unsigned long end_pfn);
void page_thread_exit(struct sync_thread *thread);
void lists_exit(void);
void lists_forget(void);

/* ---- alloc.c, free.c, pageref.c ---- */

struct page *alloc_pages_mask(int nid, gfp_t gfp, unsigned int order, const nodemask_t *allowed,
			      const void *site);
/* The last reference is gone: back to the allocator. */
void page_free(struct page *page);
/* get_page_unless_zero() for pages of a range that was isolated and then visited. */
bool page_get_isolated(struct page *page);
/* isolate_movable_page() for those. */
int page_isolate(struct page *page, isolate_mode_t mode, bool in_isolated_range);
/* Moves the movable page at `pfn` (of any order) elsewhere; true when it is gone. */
bool migrate_straddling(unsigned long pfn);
/* One pass over [pfn, end), isolated; *failed: pages that did not move; *error: -ENOMEM or 0. */
unsigned long migrate_range(unsigned long pfn, unsigned long end, int reason, unsigned long *failed,
			    int *error);
/* Count and order of a descriptor in one step. */
typedef u64 __attribute__((__may_alias__)) count_order_t;
_Static_assert(offsetof(struct page, order) == offsetof(struct page, _refcount) + 4 &&
		       offsetof(struct page, _refcount) % 8 == 0,
	       "one word of both");
static inline count_order_t *page_count_order(struct page *page)
{
	return (count_order_t *)&page->_refcount;
}
static inline u64 count_order(u32 count, u32 order)
{
	return (u64)order << 32 | count;
}
/* A descriptor that nobody can reach becomes that of a free page. What its owner kept in lru, index
 * and private stays until the page is allocated or its block goes online again. */
static inline void page_clear(struct page *page)
{
	__atomic_store_n(&page->flags, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&page->mapping, 0, __ATOMIC_RELAXED);
	__atomic_store_n(page_count_order(page), 0, __ATOMIC_RELEASE);
}
/* Free pages handed to a new owner. */
void page_prepare(struct page *page, unsigned int order, gfp_t gfp, const void *site);

/* ---- isolation.c ---- */

/* A page was freed in an isolated pageblock. */
void freed_isolated(void);
void freed_seen(void);
void isolation_exit(void);
/* One page of ISOL-7. *step: pages that the answer covers. */
enum unmovable_why page_unmovable(unsigned long pfn, int flags, unsigned long *step);

/* ---- migrate.c ---- */

/* Called by put_page() and get_page() of a page that this thread migrates (MIGR-4). */
struct migrating {
	struct page *src, *dst;
	bool src_put, dst_got;
};
extern __thread struct migrating page_migrating __attribute__((tls_model("initial-exec")));

/* ---- node.c, zone.c, watermark.c ---- */

int nodes_init(const struct page_config *config);
void nodes_exit(void);
static inline pg_data_t *node_data(int nid)
{
	return nid >= 0 && nid < page_layer.nr_nodes ? page_layer.nodes[nid] : NULL;
}
#define for_each_zone(nid, i, zone) \
	for ((nid) = 0; (nid) < page_layer.nr_nodes; (nid)++) \
		for ((i) = 0; (i) < MAX_NR_ZONES && page_layer.nodes[nid] && \
		     ((zone) = &page_layer.nodes[nid]->node_zones[i]); (i)++)
/* zone.c: the section's pages of [pfn, end) belong to `zone`; `whole`: a section without a zone may
 * get this one for all of it. 0 or -ENOMEM. And the reverse. */
int section_join(struct mem_section *section, struct zone *zone, unsigned long pfn,
		 unsigned long end, bool whole);
void section_leave(struct mem_section *section, unsigned long pfn, unsigned long end);
/* device.c: what the boot left reserved in an early section is that again. */
void device_pages_to_hole(unsigned long pfn, unsigned long end);
#define for_each_section_in(section, pfn, to, end) \
	for (; (pfn) < (end) && ((section) = pfn_section(pfn), \
				 (to) = min((end), ALIGN_DOWN((pfn), section_pages()) + section_pages()), true); \
	     (pfn) = (to))
void zone_span_grow(struct zone *zone, unsigned long pfn, unsigned long nr_pages);
/* Page size lists of a zone (ZONE-11, 14). */
void zone_list_sizes(struct zone *zone);
/* ZONE-15, at boot and at each rebuild. */
void mobility_update(void);
/* The type that a request to set `type` really sets (ZONE-15). */
int mobility_type(int type);

#endif
