// SPDX-License-Identifier: MIT
/*
 * References and the page lock. The thread that drops the last reference of a
 * page does so without an atomic instruction (free.c) until somebody takes
 * references without holding one; from then on all drops are atomic. In
 * isolated pageblocks they always are, so migration needs no such switch.
 */
#include "page/internal.h"
#include "os/os.h"

__thread struct migrating page_migrating;

/* Once per machine: every free that began before is over, later ones are atomic. */
static void speculate(void)
{
	if (__atomic_load_n(&page_layer.speculation, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&page_layer.speculation, true, __ATOMIC_SEQ_CST);
	lists_free_atomically();
}

void get_page(struct page *page)
{
	u32 old = __atomic_fetch_add(&page->_refcount, 1, __ATOMIC_RELAXED);

	if (unlikely(!old)) {
		__atomic_fetch_sub(&page->_refcount, 1, __ATOMIC_RELAXED);
		mp_fatal_at(__FILE__, __LINE__, "page 0x%lx is free: get_page() needs a reference",
			    page_to_pfn(page));
		return;
	}
	if (unlikely(page_migrating.dst == page))
		page_migrating.dst_got = true;
}

bool page_get_isolated(struct page *page)
{
	u32 count = __atomic_load_n(&page->_refcount, __ATOMIC_RELAXED);

	do {
		if (!count)
			return false;
		/* Acquire pairs with the release in prepare_head(). */
	} while (!__atomic_compare_exchange_n(&page->_refcount, &count, count + 1, true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

bool get_page_unless_zero(struct page *page)
{
	speculate();
	return page_get_isolated(page);
}

bool put_page_testzero(struct page *page)
{
	u32 old = __atomic_fetch_sub(&page->_refcount, 1, __ATOMIC_ACQ_REL);

	if (unlikely(!old)) {
		__atomic_fetch_add(&page->_refcount, 1, __ATOMIC_RELAXED);
		mp_fatal_at(__FILE__, __LINE__, "page 0x%lx freed twice", page_to_pfn(page));
		return false;
	}
	if (unlikely(page_migrating.src == page))
		page_migrating.src_put = true;
	if (old == 1 && PageOffline(page))
		freed_isolated(); /* an offline may wait for it (EVENT-34) */
	return old == 1;
}

void set_page_count(struct page *page, int count)
{
	__atomic_store_n(&page->_refcount, (u32)count, __ATOMIC_RELEASE);
}

bool mp_page_ref_freeze(struct page *page, int count)
{
	u32 old = (u32)count;

	return __atomic_compare_exchange_n(&page->_refcount, &old, 0, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* ---- the page lock ---- */

/* The futex word: the low half of the flags, where the lock's two bits are. */
static u32 *lock_word(struct page *page)
{
	return (u32 *)&page->flags;
}

bool trylock_page(struct page *page)
{
	/* Acquire pairs with unlock_page(). */
	return !(__atomic_fetch_or(&page->flags, BIT(PG_locked), __ATOMIC_ACQUIRE) & BIT(PG_locked));
}

void lock_page(struct page *page)
{
	while (!trylock_page(page)) {
		unsigned long flags = __atomic_or_fetch(&page->flags, BIT(PG_waiters),
							__ATOMIC_RELAXED);

		if (flags & BIT(PG_locked))
			os_futex_wait(lock_word(page), (u32)flags, 0);
	}
}

void unlock_page(struct page *page)
{
	unsigned long old = __atomic_fetch_and(&page->flags, ~(BIT(PG_locked) | BIT(PG_waiters)),
					       __ATOMIC_RELEASE);

	if (unlikely(!(old & BIT(PG_locked))))
		mp_fatal_at(__FILE__, __LINE__, "page 0x%lx is unlocked but was not locked",
			    page_to_pfn(page));
	if (old & BIT(PG_waiters))
		os_futex_wake(lock_word(page), 0x7fffffff);
}
