/* SPDX-License-Identifier: MIT */
/* Driver-movable pages and their migration (MIGR-1..8, 11..13), OFFLINE-6. */
#include "../buddy/harness.h"

#include <pthread.h>

static struct page *fixed_target;
static int targets, returned;

static struct page *get_target(struct page *page, unsigned long private)
{
	(void)private;
	targets++;
	fixed_target = alloc_pages(GFP_HIGHUSER_MOVABLE, page->order);
	return fixed_target;
}

static struct page *no_target(struct page *page, unsigned long private)
{
	(void)page;
	(void)private;
	targets++;
	return NULL;
}

static void put_target(struct page *page, unsigned long private)
{
	(void)private;
	returned++;
	put_page(page);
}

static void start(void)
{
	harness_start();
	block_add_online(0, MOVABLE(0));
	block_add_online(1, MOVABLE(0));
}

static struct page *movable(struct held_page *held, unsigned int order)
{
	hold(held, alloc_pages(GFP_HIGHUSER_MOVABLE, order));
	memset(page_address(held->page), 0x5a, PAGE_SIZE << order);
	return held->page;
}

static int isolate_to(struct list_head *list, struct page *page)
{
	int ret = isolate_movable_page(page, 0);

	if (!ret)
		list_add_tail(&page->lru, list);
	return ret;
}

static int migrate(struct list_head *list, unsigned int *moved)
{
	return migrate_pages(list, get_target, put_target, 0, MIGRATE_SYNC, MR_MEMORY_HOTPLUG, moved);
}

TEST(MIGR_1, "a driver's operations are kept, tagged, in the mapping field of a locked page")
{
	struct held_page held;
	struct page *page;

	start();
	page = movable(&held, 0);
	CHECK(__PageMovable(page));
	CHECK(page_movable_ops(page) == &held_ops);
	CHECK_EQ(page->mapping, (unsigned long)&held_ops | PAGE_MAPPING_MOVABLE);
	allow_complaints();
	__SetPageMovable(page, &held_ops);
	CHECK_EQ(harness_warns, 1);
	release(&held);
	harness_stop();
}

TEST(MIGR_2, "clearing keeps the tag and drops the operations")
{
	struct held_page held;
	struct page *page;

	start();
	page = movable(&held, 0);
	lock_page(page);
	CHECK(PageMovable(page));
	__ClearPageMovable(page);
	CHECK(__PageMovable(page));
	CHECK(!PageMovable(page));
	CHECK(page_movable_ops(page) == NULL);
	unlock_page(page);
	release(&held);
	CHECK(!__PageMovable(page));
	harness_stop();
}

TEST(MIGR_3, "isolation takes a reference and marks the page; each obstacle gives -EBUSY")
{
	struct held_page held;
	struct page *page, *plain;
	LIST_HEAD(list);

	start();
	page = movable(&held, 0);
	plain = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	CHECK_EQ(isolate_movable_page(plain, 0), -EBUSY);
	CHECK_EQ(page_count(plain), 1);
	__free_pages(plain, 0);
	CHECK_EQ(isolate_movable_page(plain, 0), -EBUSY);
	lock_page(page);
	CHECK_EQ(isolate_movable_page(page, 0), -EBUSY);
	unlock_page(page);
	held.refuses = true;
	CHECK_EQ(isolate_movable_page(page, 0), -EBUSY);
	CHECK_EQ(held.isolated, 1);
	CHECK(!PageIsolated(page));
	CHECK_EQ(page_count(page), 1);
	held.refuses = false;
	CHECK_EQ(isolate_to(&list, page), 0);
	CHECK(PageIsolated(page) && !PageLocked(page));
	CHECK_EQ(page_count(page), 2);
	CHECK_EQ(isolate_movable_page(page, 0), -EBUSY);
	CHECK_EQ(page_count(page), 2);
	putback_movable_pages(&list);
	lock_page(page);
	__ClearPageMovable(page);
	unlock_page(page);
	CHECK_EQ(isolate_movable_page(page, 0), -EBUSY);
	release(&held);
	harness_stop();
}

TEST(MIGR_4, "the driver is called with both pages locked; contents and holder go along")
{
	struct held_page held;
	struct page *page;
	const void *owner;
	LIST_HEAD(list);
	unsigned int moved = 0, i;

	start();
	page = movable(&held, 1);
	owner = page->owner;
	CHECK_EQ(isolate_to(&list, page), 0);
	CHECK_EQ(migrate(&list, &moved), 0);
	CHECK_EQ(moved, 2);
	CHECK(list_empty(&list));
	CHECK_EQ(held.migrated, 1);
	CHECK(held.page == fixed_target);
	CHECK(held.page->owner == owner);
	CHECK_EQ(page_count(held.page), 1);
	CHECK_EQ(page_count(page), 0);
	for (i = 0; i < 2 * PAGE_SIZE; i++)
		CHECK_EQ(((u8 *)page_address(held.page))[i], 0x5a);
	CHECK_EQ(page_in_use(NULL), 2);
	release(&held);
	harness_stop();
}

/* A driver that leaves the references to the core. */
static int plain_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	struct held_page *held = (struct held_page *)src->private;

	(void)mode;
	dst->private = src->private;
	held->page = dst;
	held->migrated++;
	__SetPageMovable(dst, page_movable_ops(src));
	__ClearPageMovable(src);
	return MIGRATEPAGE_SUCCESS;
}

static const struct movable_operations plain_ops = { held_isolate, plain_migrate, held_putback };

TEST(MIGR_4, "a driver that does not move its reference itself has it moved")
{
	struct held_page held;
	struct page *page;
	LIST_HEAD(list);

	start();
	page = movable(&held, 0);
	lock_page(page);
	__SetPageMovable(page, &plain_ops);
	unlock_page(page);
	CHECK_EQ(isolate_to(&list, page), 0);
	CHECK_EQ(migrate(&list, NULL), 0);
	CHECK_EQ(page_count(page), 0);
	CHECK_EQ(page_count(held.page), 1);
	CHECK_EQ(page_in_use(NULL), 1);
	release(&held);
	harness_stop();
}

static int hasty_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	__atomic_fetch_and(&src->flags, ~BIT(PG_isolated), __ATOMIC_RELAXED);
	return plain_migrate(dst, src, mode);
}

static const struct movable_operations hasty_ops = { held_isolate, hasty_migrate, held_putback };

TEST(MIGR_4, "success of a source that is no longer isolated is warned of, once")
{
	struct held_page held;
	LIST_HEAD(list);
	int i;

	start();
	allow_complaints();
	for (i = 0; i < 2; i++) {
		movable(&held, 0);
		lock_page(held.page);
		__SetPageMovable(held.page, &hasty_ops);
		unlock_page(held.page);
		CHECK_EQ(isolate_to(&list, held.page), 0);
		CHECK_EQ(migrate(&list, NULL), 0);
		release(&held);
	}
	CHECK_EQ(harness_warns, 1);
	harness_stop();
}

TEST(MIGR_5, "a page that lost its movability after isolation counts as migrated")
{
	struct held_page held;
	struct page *page;
	LIST_HEAD(list);
	unsigned int moved = 0;

	start();
	page = movable(&held, 0);
	CHECK_EQ(isolate_to(&list, page), 0);
	lock_page(page);
	__ClearPageMovable(page);
	unlock_page(page);
	CHECK_EQ(migrate(&list, &moved), 0);
	CHECK_EQ(moved, 1);
	CHECK_EQ(held.migrated, 0);
	CHECK(!PageIsolated(page));
	CHECK_EQ(page_count(page), 1);
	CHECK_EQ(returned, 1);
	release(&held);
	harness_stop();
}

TEST(MIGR_6, "put-back asks the driver if it is still movable, unmarks, and drops the reference")
{
	struct held_page held[2];
	LIST_HEAD(list);
	int i;

	start();
	for (i = 0; i < 2; i++) {
		movable(&held[i], 0);
		CHECK_EQ(isolate_to(&list, held[i].page), 0);
	}
	lock_page(held[1].page);
	__ClearPageMovable(held[1].page);
	unlock_page(held[1].page);
	putback_movable_pages(&list);
	CHECK(list_empty(&list));
	CHECK_EQ(held[0].put_back, 1);
	CHECK_EQ(held[1].put_back, 0);
	for (i = 0; i < 2; i++) {
		CHECK(!PageIsolated(held[i].page));
		CHECK_EQ(page_count(held[i].page), 1);
		release(&held[i]);
	}
	harness_stop();
}

TEST(MIGR_7, "the result is 0 or the pages that did not move, which stay on the list")
{
	struct held_page held[10];
	LIST_HEAD(list);
	unsigned int moved = 3;
	struct list_head *at;
	int i, left = 0;

	start();
	for (i = 0; i < 10; i++) {
		movable(&held[i], 0);
		held[i].answer = i % 3 ? 0 : -EIO;
		CHECK_EQ(isolate_to(&list, held[i].page), 0);
	}
	CHECK_EQ(migrate(&list, &moved), 4);
	CHECK_EQ(moved, 3 + 6);
	list_for_each(at, &list) {
		CHECK(PageIsolated(list_entry(at, struct page, lru)));
		left++;
	}
	CHECK_EQ(left, 4);
	putback_movable_pages(&list);
	for (i = 0; i < 10; i++) {
		CHECK_EQ(held[i].put_back, i % 3 == 0);
		release(&held[i]);
	}
	harness_stop();
}

static int try_later(struct page *dst, struct page *src, enum migrate_mode mode)
{
	struct held_page *held = (struct held_page *)src->private;

	(void)dst;
	(void)mode;
	held->answer++;
	return -EAGAIN;
}

static const struct movable_operations later_ops = { held_isolate, try_later, held_putback };

TEST(MIGR_8, "-EAGAIN is tried ten times, other errors once, -ENOMEM ends the call")
{
	struct held_page held[3];
	LIST_HEAD(list);
	int i;

	start();
	for (i = 0; i < 3; i++) {
		movable(&held[i], 0);
		CHECK_EQ(isolate_to(&list, held[i].page), 0);
	}
	lock_page(held[0].page);
	__SetPageMovable(held[0].page, &later_ops);
	unlock_page(held[0].page);
	held[1].answer = -EIO;
	CHECK_EQ(migrate(&list, NULL), 2);
	CHECK_EQ(held[0].answer, 10);
	CHECK_EQ(targets, 10 + 1 + 1);
	CHECK_EQ(returned, 10 + 1);
	CHECK_EQ(held[2].migrated, 1);
	/* Two are left; the second is not even tried. */
	targets = 0;
	CHECK_EQ(migrate_pages(&list, no_target, NULL, 0, MIGRATE_SYNC, MR_SYSCALL, NULL), -ENOMEM);
	CHECK_EQ(targets, 1);
	putback_movable_pages(&list);
	for (i = 0; i < 3; i++)
		release(&held[i]);
	harness_stop();
}

struct locker {
	struct page *page;
	bool locked, may_go;
};

static void *lock_for_a_while(void *arg)
{
	struct locker *locker = arg;

	lock_page(locker->page);
	__atomic_store_n(&locker->locked, true, __ATOMIC_SEQ_CST);
	/* Until the fourth pass sleeps for the lock. */
	while (!(READ_ONCE(locker->page->flags) & BIT(PG_waiters)))
		sched_yield();
	unlock_page(locker->page);
	return NULL;
}

TEST(MIGR_8, "a locked page is passed over first and waited for later, but not in ASYNC mode")
{
	struct held_page held;
	struct locker locker = { 0 };
	pthread_t thread;
	LIST_HEAD(list);

	start();
	movable(&held, 0);
	CHECK_EQ(isolate_to(&list, held.page), 0);
	lock_page(held.page);
	CHECK_EQ(migrate_pages(&list, get_target, put_target, 0, MIGRATE_ASYNC, MR_COMPACTION, NULL), 1);
	unlock_page(held.page);
	CHECK_EQ(targets, 10);
	targets = 0;
	locker.page = held.page;
	CHECK_EQ(pthread_create(&thread, NULL, lock_for_a_while, &locker), 0);
	while (!__atomic_load_n(&locker.locked, __ATOMIC_SEQ_CST))
		sched_yield();
	CHECK_EQ(migrate(&list, NULL), 0);
	CHECK_EQ(targets, 4);
	pthread_join(thread, NULL);
	release(&held);
	harness_stop();
}

TEST(MIGR_9, "a source that only the isolation still refers to is freed without a target")
{
	struct held_page held;
	struct page *page;
	LIST_HEAD(list);
	unsigned int moved = 0;

	start();
	page = movable(&held, 0);
	CHECK_EQ(isolate_to(&list, page), 0);
	put_page(page);
	CHECK_EQ(migrate(&list, &moved), 0);
	CHECK_EQ(moved, 1);
	CHECK_EQ(targets, 0);
	CHECK_EQ(page_in_use(NULL), 0);
	harness_stop();
}

TEST(MIGR_10, "no target memory is -ENOMEM and nothing moves")
{
	struct held_page held;
	unsigned long failed, pfn;

	harness_start();
	block_add_online(0, MOVABLE(0));
	movable(&held, 0);
	pfn = block_pfn(0);
	zone_pcp_disable(MOVABLE(0));
	CHECK_EQ(start_isolate_page_range(pfn, pfn + block_pages(), MIGRATE_MOVABLE, MEMORY_OFFLINE, 0),
		 0);
	CHECK_EQ(do_migrate_range(pfn, pfn + block_pages(), &failed), 0);
	CHECK_EQ(failed, 1);
	CHECK_EQ(held.put_back, 1);
	undo_isolate_page_range(pfn, pfn + block_pages(), MIGRATE_MOVABLE);
	zone_pcp_enable(MOVABLE(0));
	release(&held);
	harness_stop();
}

static enum migrate_mode seen_mode;

static int note_mode(struct page *dst, struct page *src, enum migrate_mode mode)
{
	seen_mode = mode;
	return held_migrate(dst, src, mode);
}

static const struct movable_operations mode_ops = { held_isolate, note_mode, held_putback };

TEST(MIGR_11, "modes and reasons have their numbers; offlining is synchronous")
{
	struct held_page held;

	CHECK_EQ(MIGRATE_ASYNC, 0);
	CHECK_EQ(MIGRATE_SYNC_LIGHT, 1);
	CHECK_EQ(MIGRATE_SYNC, 2);
	CHECK_EQ(MIGRATE_SYNC_NO_COPY, 3);
	CHECK_EQ(MR_COMPACTION, 0);
	CHECK_EQ(MR_MEMORY_FAILURE, 1);
	CHECK_EQ(MR_MEMORY_HOTPLUG, 2);
	CHECK_EQ(MR_SYSCALL, 3);
	CHECK_EQ(MR_MEMPOLICY_MBIND, 4);
	CHECK_EQ(MR_NUMA_MISPLACED, 5);
	CHECK_EQ(MR_CONTIG_RANGE, 6);
	CHECK_EQ(MR_LONGTERM_PIN, 7);
	CHECK_EQ(MR_DEMOTION, 8);
	start();
	movable(&held, 0);
	lock_page(held.page);
	__SetPageMovable(held.page, &mode_ops);
	unlock_page(held.page);
	CHECK_EQ(block_offline(0, MOVABLE(0)), 0);
	CHECK_EQ(seen_mode, MIGRATE_SYNC);
	release(&held);
	harness_stop();
}

/* Where a page of node 1 goes when its block is emptied. */
static int target_node(bool follow_linux, bool room_on_own_node, bool other_nodes)
{
	struct held_page held;
	int nid;

	harness_start_with(SZ_128M, follow_linux);
	block_add_online(0, MOVABLE(1));
	if (room_on_own_node)
		block_add_online(1, MOVABLE(1));
	if (other_nodes) {
		block_add_online(2, MOVABLE(0));
		block_add_online(3, MOVABLE(2));
	}
	hold(&held, alloc_pages_node(1, GFP_MOVABLE_HERE, 3));
	CHECK_EQ(block_of(held.page), 0);
	CHECK_EQ(block_offline(0, MOVABLE(1)), 0);
	CHECK_EQ(held.page->order, 3);
	CHECK_NE(block_of(held.page), 0);
	nid = page_to_nid(held.page);
	release(&held);
	harness_stop();
	return nid;
}

TEST(MIGR_12, "contract=linux-6.1: other nodes with memory, the own one only if there is none")
{
	CHECK_EQ(target_node(true, true, true), 0);
	CHECK_EQ(target_node(true, false, true), 0);
	CHECK_EQ(target_node(true, true, false), 1);
}

TEST(MIGR_12, "by default: the own node first, then the nearest")
{
	CHECK_EQ(target_node(false, true, true), 1);
	CHECK_EQ(target_node(false, false, true), 0);
}

TEST(MIGR_13, "success and failure are counted in base pages")
{
	struct held_page held[2];
	LIST_HEAD(list);

	start();
	movable(&held[0], 3);
	movable(&held[1], 2);
	held[1].answer = -EIO;
	CHECK_EQ(isolate_to(&list, held[0].page), 0);
	CHECK_EQ(isolate_to(&list, held[1].page), 0);
	CHECK_EQ(migrate(&list, NULL), 1);
	CHECK_EQ(page_migrate_success, 8);
	CHECK_EQ(page_migrate_fail, 4);
	putback_movable_pages(&list);
	release(&held[0]);
	release(&held[1]);
	harness_stop();
}

TEST(OFFLINE_6, "a pass moves what it can, puts back what failed, and passes over the rest")
{
	struct held_page held[50];
	struct page *poisoned, *stuck;
	unsigned long pfn, failed;
	int i;

	start();
	poisoned = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	stuck = alloc_pages(GFP_HIGHUSER_MOVABLE, 0);
	for (i = 0; i < 50; i++) {
		movable(&held[i], 0);
		held[i].answer = i < 5 ? -EIO : 0;
		held[i].refuses = i >= 5 && i < 10;
	}
	poisoned->flags |= BIT(PG_hwpoison);
	pfn = block_pfn(0);
	zone_pcp_disable(MOVABLE(0));
	CHECK_EQ(start_isolate_page_range(pfn, pfn + block_pages(), MIGRATE_MOVABLE, MEMORY_OFFLINE, 0),
		 0);
	CHECK_EQ(do_migrate_range(pfn, pfn + block_pages(), &failed), 40);
	CHECK_EQ(failed, 10);
	for (i = 0; i < 50; i++) {
		CHECK_EQ(held[i].migrated, i >= 10);
		CHECK_EQ(held[i].put_back, i < 5);
		CHECK_EQ(block_of(held[i].page), i >= 10);
	}
	undo_isolate_page_range(pfn, pfn + block_pages(), MIGRATE_MOVABLE);
	zone_pcp_enable(MOVABLE(0));
	for (i = 0; i < 50; i++)
		release(&held[i]);
	__free_pages(stuck, 0);
	/* A poisoned page is never free again (POISON-11). */
	__free_pages(poisoned, 0);
	CHECK(!PageBuddy(poisoned));
	CHECK(PageHWPoison(poisoned));
	harness_stop();
}
