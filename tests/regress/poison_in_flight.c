/* SPDX-License-Identifier: MIT */
/*
 * A page that fails while a thread is just getting it: for a moment it is
 * neither free nor in use. The thread then wrote the page's flags over the
 * mark, so that the page stayed in use as if nothing had happened, and the
 * count of failed pages was too high for ever.
 */
#include "machine.h"

#include <memplug/failure.h>
#include <sched.h>

#include "page/internal.h"

static int answer;

static void *fail_it(void *arg)
{
	struct page *page = arg;

	answer = memory_failure(page_to_pfn(page), MF_SW_SIMULATED);
	return NULL;
}

TEST(POISON_8, "a page keeps its mark when it fails on its way from the allocator to an owner")
{
	static struct page *pages[BLOCK_PAGES];
	unsigned long n, i, pfn = block_pfn(32) + 1000;
	struct page *page;
	pthread_t thread;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	page = pfn_to_page(pfn);
	/* The two halves of an allocation, and the failure in between. */
	CHECK(buddy_take_page(pfn));
	CHECK_EQ(pthread_create(&thread, NULL, fail_it, page), 0);
	for (i = 0; i < 20000 && !PageHWPoison(page); i++)
		sched_yield();
	page_prepare(page, 0, MOVABLE, fail_it);
	pthread_join(thread, NULL);
	CHECK(PageHWPoison(page));
	CHECK_EQ(answer, -EBUSY);
	put_page(page);
	n = take_all(1, MOVABLE, pages, BLOCK_PAGES);
	for (i = 0; i < n; i++)
		CHECK(pages[i] != page);
	free_all(pages, n);
	machine_check();
}
