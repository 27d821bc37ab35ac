/* SPDX-License-Identifier: MIT */
/*
 * An offline that takes long stops nobody: other threads allocate, free and read their pages, verified,
 * between GOING_OFFLINE and OFFLINE. The offline is held in its retry loop by a stuck page.
 */
#include "machine.h"

#define NODE 1
#define THREADS 3
#define ENOUGH 2000 /* operations per kind and thread that must complete */

static struct {
	int open;	/* between the two events; set by the callback */
	int stop;
	int read_errors;
	unsigned long allocated[THREADS], verified[THREADS];
} work;

static int follow(struct notifier_block *nb, unsigned long action, void *arg)
{
	if (action & (MEM_GOING_OFFLINE | MEM_OFFLINE))
		__atomic_store_n(&work.open, action == MEM_GOING_OFFLINE, __ATOMIC_SEQ_CST);
	return NOTIFY_OK;
}

static struct notifier_block follower = { .notifier_call = follow };

static void count(unsigned long *counter)
{
	/* Begun and completed while the block was leaving. */
	if (__atomic_load_n(&work.open, __ATOMIC_SEQ_CST))
		__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static long use_memory(void *arg)
{
	unsigned long me = (unsigned long)arg, round;
	/* One page in the block that leaves, held all the time. */
	struct page *held = alloc_pages_node(NODE, MOVABLE, 0), *page;
	bool closed;

	CHECK(held);
	fill(held, me);
	__atomic_fetch_add(&work.allocated[me], 1, __ATOMIC_RELEASE);
	for (round = 0; !__atomic_load_n(&work.stop, __ATOMIC_ACQUIRE); round++) {
		/* Asked for after GOING_OFFLINE began: never from the block that leaves. */
		closed = __atomic_load_n(&work.open, __ATOMIC_SEQ_CST);
		page = alloc_pages_node(NODE, round % 2 ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE, 0);
		CHECK(page);
		CHECK(!closed || !in_block(page, 32));
		fill(page, round);
		CHECK(holds(page, round));
		__free_page(page);
		count(&work.allocated[me]);
		CHECK(holds(held, me));
		count(&work.verified[me]);
	}
	__free_page(held);
	return 0;
}

static long offline_32(void *arg)
{
	return set_state(32, "offline");
}

static bool enough(void)
{
	for (int i = 0; i < THREADS; i++)
		if (__atomic_load_n(&work.allocated[i], __ATOMIC_RELAXED) < ENOUGH ||
		    __atomic_load_n(&work.verified[i], __ATOMIC_RELAXED) < ENOUGH)
			return false;
	return true;
}

TEST(progress_beside_offline, "others allocate, free and read beside an offline that is held in its loop")
{
	struct worker users[THREADS], offliner;
	struct page *stuck;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	stuck = stuck_take(NODE);
	CHECK_EQ(register_memory_notifier(&follower), 0);
	for (unsigned long i = 0; i < THREADS; i++) {
		worker_start(&users[i], use_memory, (void *)i);
		AWAIT(__atomic_load_n(&work.allocated[i], __ATOMIC_ACQUIRE));
	}
	worker_start(&offliner, offline_32, NULL);
	AWAIT(enough());
	CHECK(__atomic_load_n(&work.open, __ATOMIC_SEQ_CST));
	CHECK(!worker_done(&offliner));
	__atomic_store_n(&work.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(worker_join(&users[i]), 0);
	CHECK(!worker_done(&offliner));
	__free_page(stuck);
	CHECK_EQ(worker_join(&offliner), 0);
	CHECK(!__atomic_load_n(&work.open, __ATOMIC_SEQ_CST));
	machine_check();
}

static unsigned long read_sections;

static long read_pages(void *arg)
{
	/* A walker that was inside before waits for nobody; one that comes later waits for the writer. */
	get_online_mems();
	CHECK(!pfn_to_online_page(block_pfn(32)));
	put_online_mems();
	__atomic_fetch_add(&read_sections, 1, __ATOMIC_RELEASE);
	return 0;
}

TEST(walkers_wait, "only walkers under get_online_mems() wait for it, and see the block gone")
{
	struct worker offliner, walker;
	struct page *stuck;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	stuck = stuck_take(NODE);
	CHECK_EQ(register_memory_notifier(&follower), 0);
	worker_start(&offliner, offline_32, NULL);
	AWAIT(__atomic_load_n(&work.open, __ATOMIC_SEQ_CST));
	worker_start(&walker, read_pages, NULL);
	worker_await_sleep(&walker);
	CHECK_EQ(__atomic_load_n(&read_sections, __ATOMIC_ACQUIRE), 0);
	__free_page(stuck);
	CHECK_EQ(worker_join(&offliner), 0);
	CHECK_EQ(worker_join(&walker), 0);
	CHECK_EQ(read_sections, 1);
}
