/* SPDX-License-Identifier: MIT */
/*
 * Allocation requests: which zones may serve a request, of which mobility
 * its pages are, and the calls that allocate and free pages.
 *
 * No call here takes mem_hotplug_lock and none waits for a hotplug operation;
 * all may be called from any thread, inside or outside a read section, and
 * from notifier callbacks (EVENT-30..33).
 */
#ifndef MEMPLUG_LINUX_GFP_H
#define MEMPLUG_LINUX_GFP_H

#include <linux/types.h>

#define __GFP_DMA ((gfp_t)0x01u)
#define __GFP_HIGHMEM ((gfp_t)0x02u)
#define __GFP_DMA32 ((gfp_t)0x04u)
#define __GFP_MOVABLE ((gfp_t)0x08u)
#define __GFP_RECLAIMABLE ((gfp_t)0x10u)
#define __GFP_HIGH ((gfp_t)0x20u)
#define __GFP_IO ((gfp_t)0x40u)
#define __GFP_FS ((gfp_t)0x80u)
#define __GFP_ZERO ((gfp_t)0x100u)
#define __GFP_DIRECT_RECLAIM ((gfp_t)0x400u)
#define __GFP_KSWAPD_RECLAIM ((gfp_t)0x800u)
#define __GFP_RECLAIM (__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)
#define __GFP_NOWARN ((gfp_t)0x2000u)
#define __GFP_RETRY_MAYFAIL ((gfp_t)0x4000u)
#define __GFP_NOFAIL ((gfp_t)0x8000u)
#define __GFP_NORETRY ((gfp_t)0x10000u)
#define __GFP_MEMALLOC ((gfp_t)0x20000u)
#define __GFP_COMP ((gfp_t)0x40000u)
#define __GFP_HARDWALL ((gfp_t)0x100000u)
#define __GFP_THISNODE ((gfp_t)0x200000u)
#define __GFP_ACCOUNT ((gfp_t)0x400000u)

#define GFP_ATOMIC (__GFP_HIGH | __GFP_KSWAPD_RECLAIM)
#define GFP_KERNEL (__GFP_RECLAIM | __GFP_IO | __GFP_FS)
#define GFP_NOWAIT (__GFP_KSWAPD_RECLAIM)
#define GFP_NOIO (__GFP_RECLAIM)
#define GFP_NOFS (__GFP_RECLAIM | __GFP_IO)
#define GFP_USER (__GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HARDWALL)
#define GFP_DMA __GFP_DMA
#define GFP_DMA32 __GFP_DMA32
#define GFP_HIGHUSER (GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)

struct page;

/*
 * Allocates 2^order pages (order 0..10, clipped to what a block holds),
 * naturally aligned, from `nid` first (NUMA_NO_NODE: the caller's node) and
 * then by distance; with __GFP_THISNODE from `nid` only. Zones: BUDDY-7. The
 * first page has reference count 1. Contents are undefined unless __GFP_ZERO.
 * Returns NULL when nothing fits, without a machine, for an order that does
 * not exist, and for a node that is not possible. Never sleeps.
 */
struct page *alloc_pages_node(int nid, gfp_t gfp, unsigned int order) MP_SYM(alloc_pages_node);
#define __alloc_pages_node(nid, gfp, order) alloc_pages_node(nid, gfp, order)
/* alloc_pages_node() on the caller's node. */
struct page *alloc_pages(gfp_t gfp, unsigned int order) MP_SYM(alloc_pages);
#define alloc_page(gfp) alloc_pages(gfp, 0)
/*
 * Drops the reference that allocation gave; the pages are free when it was
 * the last one. `order` is that of the allocation. Any thread may call it.
 */
void __free_pages(struct page *page, unsigned int order) MP_SYM(__free_pages);
#define __free_page(page) __free_pages(page, 0)
/* As __free_pages(), by address in the direct map; address 0 is ignored. */
void free_pages(unsigned long addr, unsigned int order) MP_SYM(free_pages);
#define free_page(addr) free_pages(addr, 0)
/* Address in the direct map of freshly allocated pages (never __GFP_HIGHMEM), or 0. */
unsigned long __get_free_pages(gfp_t gfp, unsigned int order) MP_SYM(__get_free_pages);
#define __get_free_page(gfp) __get_free_pages(gfp, 0)
unsigned long get_zeroed_page(gfp_t gfp) MP_SYM(get_zeroed_page);

/*
 * Allocates exactly the pages [start, end), all in one zone, migrating what
 * lives there (ISOL-13). `migratetype` is MIGRATE_MOVABLE. Returns 0, -EBUSY
 * (isolation refused or pages still in use), -EINTR (fatal signal), -ENOMEM,
 * -EINVAL. May sleep; the caller holds no allocator lock.
 */
int alloc_contig_range(unsigned long start, unsigned long end, unsigned int migratetype,
		       gfp_t gfp) MP_SYM(alloc_contig_range);
/* Returns the pages of alloc_contig_range() one by one; WARNs about extra references. */
void free_contig_range(unsigned long pfn, unsigned long nr_pages) MP_SYM(free_contig_range);

#endif
