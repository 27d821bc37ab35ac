/* SPDX-License-Identifier: MIT */
/*
 * Movable pages and their migration (MIGR-1..13). An owner that sets
 * movable_operations on a page promises that the page's contents can move:
 * it is asked with the page locked, and updates its own pointers.
 */
#ifndef MEMPLUG_LINUX_MIGRATE_H
#define MEMPLUG_LINUX_MIGRATE_H

#include <linux/mm.h>

enum migrate_mode { MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT, MIGRATE_SYNC, MIGRATE_SYNC_NO_COPY };
typedef int isolate_mode_t;

enum migrate_reason {
	MR_COMPACTION,
	MR_MEMORY_FAILURE,
	MR_MEMORY_HOTPLUG,
	MR_SYSCALL,
	MR_MEMPOLICY_MBIND,
	MR_NUMA_MISPLACED,
	MR_CONTIG_RANGE,
	MR_LONGTERM_PIN,
	MR_DEMOTION,
	MR_TYPES
};

#define MIGRATEPAGE_SUCCESS 0
#define PAGE_MAPPING_MOVABLE 2UL

struct movable_operations {
	/* Page locked. True: the owner will not free or move it until migrate or putback. */
	bool (*isolate_page)(struct page *page, isolate_mode_t mode);
	/*
	 * Both pages locked. Copies, makes dst the owner's page, calls
	 * __ClearPageMovable(src) and returns 0; -EAGAIN: try later; any
	 * other negative: not in this call.
	 */
	int (*migrate_page)(struct page *dst, struct page *src, enum migrate_mode mode);
	/* Page locked. The migration did not happen; the page is the owner's again. */
	void (*putback_page)(struct page *page);
};

typedef struct page *new_page_t(struct page *page, unsigned long private);
typedef void free_page_t(struct page *page, unsigned long private);

/* The page is locked. */
void __SetPageMovable(struct page *page, const struct movable_operations *ops)
	MP_SYM(__SetPageMovable);
/* The page is locked. Keeps the tag, drops the operations (MIGR-2). */
void __ClearPageMovable(struct page *page) MP_SYM(__ClearPageMovable);
static inline bool __PageMovable(const struct page *page)
{
	return READ_ONCE(page->mapping) & PAGE_MAPPING_MOVABLE;
}
/* The page is locked. Tagged and with operations. */
bool PageMovable(struct page *page) MP_SYM(PageMovable);
static inline const struct movable_operations *page_movable_ops(struct page *page)
{
	return (const struct movable_operations *)(READ_ONCE(page->mapping) &
						   ~PAGE_MAPPING_MOVABLE);
}

/* Takes a movable page out of its owner's hands with a reference. 0 or -EBUSY (MIGR-3). */
int isolate_movable_page(struct page *page, isolate_mode_t mode) MP_SYM(isolate_movable_page);
/* Gives every page of the list (linked by lru) back to its owner (MIGR-6). */
void putback_movable_pages(struct list_head *pages) MP_SYM(putback_movable_pages);
/*
 * Moves the isolated pages of the list. `get_new` gives a target or NULL,
 * `put_new` (may be NULL) takes an unused one back. Returns 0, the number of
 * pages that did not move (they stay on the list), or a negative errno.
 * *succeeded (may be NULL) is increased by the pages moved. May sleep.
 */
int migrate_pages(struct list_head *from, new_page_t *get_new, free_page_t *put_new,
		  unsigned long private, enum migrate_mode mode, int reason,
		  unsigned int *succeeded) MP_SYM(migrate_pages);

#endif
