/* SPDX-License-Identifier: MIT */
/*
 * Pages: descriptor, pfn and address of one another, references, the page
 * lock and the flags that owners set.
 *
 * A reference keeps a page where it is readable; nothing here takes
 * mem_hotplug_lock. Reading a page one holds a reference to is always safe.
 */
#ifndef MEMPLUG_LINUX_MM_H
#define MEMPLUG_LINUX_MM_H

#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/gfp.h>
#include <linux/mmzone.h>
#include <linux/mm_types.h>

/* Bases of the direct map and of the descriptors; NULL without a machine. */
extern char *mp_direct_map;
extern struct page *mp_vmemmap;

#define pfn_to_page(pfn) (mp_vmemmap + (pfn))
#define page_to_pfn(page) ((unsigned long)((page) - mp_vmemmap))
#define page_to_phys(page) PFN_PHYS(page_to_pfn(page))
#define __va(phys) ((void *)(mp_direct_map + (phys)))
#define __pa(addr) ((phys_addr_t)((char *)(addr) - mp_direct_map))
#define page_address(page) ((void *)(mp_direct_map + PFN_PHYS(page_to_pfn(page))))
#define virt_to_page(addr) pfn_to_page(__pa(addr) >> PAGE_SHIFT)
#define virt_to_pfn(addr) (__pa(addr) >> PAGE_SHIFT)
#define pfn_to_nid(pfn) page_to_nid(pfn_to_page(pfn))

enum pageflags {
	PG_locked,
	PG_waiters,	/* someone sleeps on PG_locked */
	PG_reserved,
	PG_offline,	/* logically offline (EVENT-34) */
	PG_isolated,	/* taken by isolate_movable_page() */
	PG_hwpoison,
	PG_buddy_head,	/* first page of an allocation above order 0 */
	PG_tail,	/* any other page of such an allocation made with __GFP_COMP */
	PG_selfhosted,	/* holds its own block's descriptors (SECT-7) */
	PG_device,	/* of a device's page map (DEVMEM-7) */
	__NR_PAGEFLAGS
};

/* Zone and node of a page of an online (or going online) block (SECT-4). */
struct zone *page_zone(const struct page *page) MP_SYM(page_zone);
int page_to_nid(const struct page *page) MP_SYM(page_to_nid);
#define page_zonenum(page) zone_idx(page_zone(page))

/* References: 0 is free; 1 and reserved while its block is going online (EVENT-26). */
int page_count(const struct page *page) MP_SYM(page_count);
/* One more reference to a page that has one. */
void get_page(struct page *page) MP_SYM(get_page);
/* One more reference unless the page is free; true when taken. */
bool get_page_unless_zero(struct page *page) MP_SYM(get_page_unless_zero);
/* One reference less; frees the allocation when it was the last. */
void put_page(struct page *page) MP_SYM(put_page);
/* As put_page(), but never frees: true when the count reached 0. For PageOffline owners. */
bool put_page_testzero(struct page *page) MP_SYM(put_page_testzero);
/* Sets the count of a page that nobody else can reach. */
void set_page_count(struct page *page, int count) MP_SYM(set_page_count);
#define page_ref_count(page) page_count(page)
#define page_ref_inc(page) get_page(page)
#define page_ref_freeze(page, n) mp_page_ref_freeze(page, n)
#define page_ref_unfreeze(page, n) set_page_count(page, n)
/* Count n -> 0 in one step; false when it is not n. */
bool mp_page_ref_freeze(struct page *page, int count);

/* The page lock: sleeps, no signal ends it. */
void lock_page(struct page *page) MP_SYM(lock_page);
bool trylock_page(struct page *page) MP_SYM(trylock_page);
void unlock_page(struct page *page) MP_SYM(unlock_page);
static inline bool PageLocked(const struct page *page)
{
	return READ_ONCE(page->flags) & BIT(PG_locked);
}

/* Also true for every page of a block that is going online. */
bool PageReserved(const struct page *page) MP_SYM(PageReserved);
static inline void SetPageReserved(struct page *page)
{
	__atomic_fetch_or(&page->flags, BIT(PG_reserved), __ATOMIC_RELEASE);
}
static inline void ClearPageReserved(struct page *page)
{
	__atomic_fetch_and(&page->flags, ~BIT(PG_reserved), __ATOMIC_RELEASE);
}
static inline bool PageOffline(const struct page *page)
{
	return READ_ONCE(page->flags) & BIT(PG_offline);
}
static inline void __SetPageOffline(struct page *page)
{
	__atomic_fetch_or(&page->flags, BIT(PG_offline), __ATOMIC_RELEASE);
}
static inline void __ClearPageOffline(struct page *page)
{
	__atomic_fetch_and(&page->flags, ~BIT(PG_offline), __ATOMIC_RELEASE);
}
static inline bool PageHWPoison(const struct page *page)
{
	return READ_ONCE(page->flags) & BIT(PG_hwpoison);
}
static inline bool PageIsolated(const struct page *page)
{
	return READ_ONCE(page->flags) & BIT(PG_isolated);
}
/* Free in the allocator (not in a thread's list). */
bool PageBuddy(const struct page *page) MP_SYM(PageBuddy);

#define set_page_private(page, v) ((page)->private = (v))
#define page_private(page) ((page)->private)

/* Adds `count` pages to what the page's zone manages, and to totalram. */
void adjust_managed_page_count(struct page *page, long count) MP_SYM(adjust_managed_page_count);
/* The page if its section is online, else NULL (SECT-3). Stable under get_online_mems(). */
struct page *pfn_to_online_page(unsigned long pfn) MP_SYM(pfn_to_online_page);
/* The first page of the __GFP_COMP allocation that `page` belongs to; else `page` itself. */
static inline struct page *compound_head(const struct page *page)
{
	if (READ_ONCE(page->flags) & BIT(PG_tail))
		return (struct page *)READ_ONCE(page->private);
	return (struct page *)page;
}
/* What memory_failure() is told; only the last changes what happens. */
#define MF_COUNT_INCREASED (1 << 0)
#define MF_ACTION_REQUIRED (1 << 1)
#define MF_MUST_KILL (1 << 2)
#define MF_SOFT_OFFLINE (1 << 3)
#define MF_UNPOISON (1 << 4)
#define MF_SW_SIMULATED (1 << 5) /* no hardware failed: unpoison_memory() goes on working */

/*
 * Takes a page away that is about to fail; what lives in it is migrated, no
 * data is lost. 0 (also when it was taken before), -ENXIO (no such memory),
 * -EIO (its block is not online, or the page is the kernel's: without
 * movable_operations), -EBUSY (it cannot be isolated or does not move), -ENOMEM.
 * Takes mem_hotplug_lock shared: waits for an operation that runs; from a
 * memory event callback: fatal, then -EDEADLK (NOTIFY-35). POISON-1..6.
 */
int soft_offline_page(unsigned long pfn, int flags) MP_SYM(soft_offline_page);
/*
 * A page has failed, its contents are lost. It is marked and never handed out
 * again. 0: it was free, or its owner does without it (<memplug/failure.h>);
 * -EBUSY: it is in use still, the mark stays; -EHWPOISON: marked before;
 * -ENXIO: not online. Locks as above. POISON-7, 8.
 */
int memory_failure(unsigned long pfn, int flags) MP_SYM(memory_failure);
/* memory_failure() without the answer. May sleep. */
void memory_failure_queue(unsigned long pfn, int flags) MP_SYM(memory_failure_queue);
/*
 * Gives a page back that was taken away. 0; -EIO (not online), -EOPNOTSUPP
 * (after a failure that was not MF_SW_SIMULATED), -EBUSY (not poisoned, or in
 * use). POISON-15.
 */
int unpoison_memory(unsigned long pfn) MP_SYM(unpoison_memory);

/* Free pages of the machine outside isolated pageblocks. */
unsigned long nr_free_pages(void) MP_SYM(nr_free_pages);

#endif
