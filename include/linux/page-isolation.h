/* SPDX-License-Identifier: MIT */
/*
 * Taking ranges of pages out of the allocator's reach, pageblock by pageblock
 * (ISOL-1..12). Free pages of an isolated pageblock cannot be allocated; pages
 * freed into it stay there.
 */
#ifndef MEMPLUG_LINUX_PAGE_ISOLATION_H
#define MEMPLUG_LINUX_PAGE_ISOLATION_H

#include <linux/mm.h>

#define MEMORY_OFFLINE 0x1
#define REPORT_FAILURE 0x2

/*
 * Isolates [start, end), widened to pageblocks. 0, or -EBUSY with the range
 * as it was (ISOL-5, 6). The caller keeps the range from vanishing.
 */
int start_isolate_page_range(unsigned long start, unsigned long end, int migratetype, int flags,
			     gfp_t gfp) MP_SYM(start_isolate_page_range);
/* Opens the isolated pageblocks of the range as `migratetype`. */
void undo_isolate_page_range(unsigned long start, unsigned long end, int migratetype)
	MP_SYM(undo_isolate_page_range);
/* 0 when all of the range is isolated and free (ISOL-12), else -EBUSY. */
int test_pages_isolated(unsigned long start, unsigned long end, int flags)
	MP_SYM(test_pages_isolated);
/* The pageblock's current type; MIGRATE_ISOLATE also while its block is going online. */
int get_pageblock_migratetype(struct page *page) MP_SYM(get_pageblock_migratetype);
#define is_migrate_isolate_page(page) (get_pageblock_migratetype(page) == MIGRATE_ISOLATE)

#endif
