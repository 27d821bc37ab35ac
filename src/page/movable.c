// SPDX-License-Identifier: MIT
/*
 * Driver-movable pages: the tag in page->mapping, taking a page out of its
 * owner's hands and giving it back (MIGR-1..3, 6). The page lock guards the
 * tag and the isolated mark.
 */
#include "page/internal.h"

void __SetPageMovable(struct page *page, const struct movable_operations *ops)
{
	WARN(!PageLocked(page), "page 0x%lx becomes movable but is not locked", page_to_pfn(page));
	WARN((unsigned long)ops & PAGE_MAPPING_MOVABLE, "movable_operations are not aligned");
	__atomic_store_n(&page->mapping, (unsigned long)ops | PAGE_MAPPING_MOVABLE, __ATOMIC_RELEASE);
}

void __ClearPageMovable(struct page *page)
{
	WARN(!PageLocked(page), "page 0x%lx ceases to be movable but is not locked",
	     page_to_pfn(page));
	__atomic_store_n(&page->mapping, PAGE_MAPPING_MOVABLE, __ATOMIC_RELEASE);
}

bool PageMovable(struct page *page)
{
	WARN(!PageLocked(page), "PageMovable() of page 0x%lx, which is not locked",
	     page_to_pfn(page));
	return __PageMovable(page) && page_movable_ops(page);
}

int page_isolate(struct page *page, isolate_mode_t mode, bool in_isolated_range)
{
	/* Our reference keeps the owner from freeing it under the calls below. */
	if (!(in_isolated_range ? page_get_isolated(page) : get_page_unless_zero(page)))
		return -EBUSY;
	if (!__PageMovable(page) || !trylock_page(page))
		goto put;
	if (!PageMovable(page) || PageIsolated(page))
		goto unlock;
	if (!page_movable_ops(page)->isolate_page(page, mode))
		goto unlock;
	__atomic_fetch_or(&page->flags, BIT(PG_isolated), __ATOMIC_RELEASE);
	unlock_page(page);
	return 0;
unlock:
	unlock_page(page);
put:
	put_page(page);
	return -EBUSY;
}

int isolate_movable_page(struct page *page, isolate_mode_t mode)
{
	return page_isolate(page, mode, false);
}

void putback_movable_pages(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		lock_page(page);
		if (PageMovable(page))
			page_movable_ops(page)->putback_page(page);
		__atomic_fetch_and(&page->flags, ~BIT(PG_isolated), __ATOMIC_RELEASE);
		unlock_page(page);
		put_page(page);
	}
}
