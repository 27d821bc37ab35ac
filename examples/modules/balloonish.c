// SPDX-License-Identifier: MIT
/*
 * Holds some pages away from everybody, as a balloon driver does, without keeping their block from
 * leaving: a page marked PageOffline whose count is 0 is skipped. So the reference is dropped in
 * MEM_GOING_OFFLINE and taken again in MEM_CANCEL_OFFLINE.
 * The same file is a module of Linux 6.1 and a part of a program that links memplug.
 *
 * balloon.lock guards everything in balloon.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>

#define BALLOON_PAGES 256

enum held { GONE, HELD, LET_GO };

static struct {
	struct notifier_block nb;
	struct mutex lock;
	struct {
		struct page *page;
		enum held held;
	} slot[BALLOON_PAGES];
} balloon;

/* The page leaves the zone's managed pages with the balloon, and comes back to them without it. */
static void hold(int i)
{
	struct page *page = balloon.slot[i].page;

	/* Nobody else can reach a page of count 0 that is not the allocator's. */
	set_page_count(page, 1);
	adjust_managed_page_count(page, -1);
	balloon.slot[i].held = HELD;
}

static void let_go(int i)
{
	struct page *page = balloon.slot[i].page;

	/* Success takes all pages of the block from the managed ones, so ours must be among them.
	 */
	adjust_managed_page_count(page, 1);
	put_page_testzero(page);
	balloon.slot[i].held = LET_GO;
}

static int balloon_callback(struct notifier_block *self, unsigned long action, void *arg)
{
	struct memory_notify *mem = arg;
	unsigned int count = 0;
	int i;

	mutex_lock(&balloon.lock);
	for (i = 0; i < BALLOON_PAGES; i++) {
		if (balloon.slot[i].held == GONE ||
		    page_to_pfn(balloon.slot[i].page) - mem->start_pfn >= mem->nr_pages)
			continue;
		if (action == MEM_GOING_OFFLINE && balloon.slot[i].held == HELD) {
			let_go(i);
			count++;
		} else if (action == MEM_CANCEL_OFFLINE && balloon.slot[i].held == LET_GO) {
			hold(i);
			count++;
		} else if (action == MEM_GOING_ONLINE) {
			/*
			 * The block begins a new life. Not forgotten in MEM_OFFLINE, since a
			 * MEM_CANCEL_OFFLINE can follow it where it may be refused.
			 */
			balloon.slot[i].held = GONE;
		}
	}
	mutex_unlock(&balloon.lock);
	if (count)
		pr_info("%s %u pages\n", action == MEM_GOING_OFFLINE ? "let go" : "took back",
			count);
	return NOTIFY_OK;
}

static void deflate(void)
{
	int i;

	mutex_lock(&balloon.lock);
	for (i = 0; i < BALLOON_PAGES; i++) {
		struct page *page = balloon.slot[i].page;

		if (balloon.slot[i].held == HELD) {
			adjust_managed_page_count(page, 1);
			__ClearPageOffline(page);
			__free_page(page);
		}
		balloon.slot[i].held = GONE;
	}
	mutex_unlock(&balloon.lock);
}

static int __init balloon_init(void)
{
	int i, ret;

	mutex_init(&balloon.lock);
	balloon.nb.notifier_call = balloon_callback;
	ret = register_memory_notifier(&balloon.nb);
	if (ret)
		return ret;
	for (i = 0; i < BALLOON_PAGES; i++) {
		struct page *page = alloc_page(GFP_KERNEL | __GFP_NOWARN);

		if (!page)
			break;
		mutex_lock(&balloon.lock);
		balloon.slot[i].page = page;
		balloon.slot[i].held = HELD;
		__SetPageOffline(page);
		adjust_managed_page_count(page, -1);
		mutex_unlock(&balloon.lock);
	}
	pr_info("holds %d pages\n", i);
	return 0;
}

static void __exit balloon_exit(void)
{
	unregister_memory_notifier(&balloon.nb);
	deflate();
}

module_init(balloon_init);
module_exit(balloon_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Pages held away that do not keep their block from leaving");
