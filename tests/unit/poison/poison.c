/* SPDX-License-Identifier: MIT */
/* Failing pages: what is free, moves, is held or is the kernel's; blocks with such pages; the way back. */
#include "machine.h"

#include <memplug/failure.h>

#define NODE 1
#define MEMORY "/sys/devices/system/memory"
#define NR 32768UL
#define PFN (HOT >> PAGE_SHIFT)

static unsigned long kb_corrupted(void)
{
	const char *line = strstr(read_file("/proc/meminfo"), "HardwareCorrupted:");
	unsigned long kb = ~0UL;

	CHECK(line);
	CHECK_EQ(sscanf(line, "HardwareCorrupted: %lu kB", &kb), 1);
	return kb;
}

static void boot_movable(const char *extra)
{
	machine_boot(extra);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
}

static int write_address(const char *file, unsigned long address)
{
	char path[96], text[32];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/%s", file);
	snprintf(text, sizeof(text), "0x%lx", address);
	return mp_write_string(path, text);
}

/* Takes all of the node's memory: none of it is `page`. */
static void check_not_handed_out(struct page *page)
{
	static struct page *pages[NR];
	unsigned long n = take_all(NODE, MOVABLE, pages, NR);

	for (unsigned long i = 0; i < n; i++)
		CHECK(pages[i] != page);
	free_all(pages, n);
}

TEST(POISON_1, "not a page: ENXIO; not online: EIO; poisoned already: 0")
{
	CHECK_EQ(soft_offline_page(PFN, 0), -ENXIO);
	boot_movable(NULL);
	add_blocks(NODE, 33, 1);
	CHECK_EQ(soft_offline_page(1UL << 40, 0), -ENXIO);
	CHECK_EQ(soft_offline_page(PFN + 2 * NR, 0), -ENXIO);
	CHECK_EQ(soft_offline_page(PFN + NR, 0), -EIO);
	CHECK_EQ(soft_offline_page(PFN + 7, 0), 0);
	CHECK_EQ(soft_offline_page(PFN + 7, 0), 0);
	CHECK_EQ(kb_corrupted(), 4UL);
	machine_check();
}

TEST(POISON_2, "a free page is taken out of the allocator, marked, has one reference, and is counted")
{
	unsigned long free;
	struct page *page;

	boot_movable(NULL);
	page = pfn_to_page(PFN + 100);
	free = zone_of(NODE, ZONE_MOVABLE)->nr_free;
	CHECK_EQ(soft_offline_page(PFN + 100, 0), 0);
	CHECK(PageHWPoison(page));
	CHECK_EQ(page_count(page), 1);
	CHECK(!PageBuddy(page));
	CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->nr_free, free - 1);
	CHECK_EQ(kb_corrupted(), 4UL);
	check_not_handed_out(page);
	machine_check();
}

TEST(poison_shutdown, "pages that are kept for being poisoned do not keep the machine from shutting down; one in use does")
{
	struct mp_reason reason;
	struct page *page;

	boot_movable(NULL);
	CHECK_EQ(soft_offline_page(PFN + 100, 0), 0);
	CHECK_EQ(memory_failure(PFN + 200, 0), 0);
	page = stuck_take(NODE);
	CHECK_EQ(memory_failure(page_to_pfn(page), 0), -EBUSY);
	CHECK_EQ(mp_shutdown(), -EBUSY);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.left, 1);
	__free_page(page);
	CHECK_EQ(mp_shutdown(), 0);
	boot_movable(NULL);
	CHECK_EQ(kb_corrupted(), 0);
	machine_check();
}

static bool isolate_it(struct page *page, isolate_mode_t mode)
{
	return true;
}

static int never_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	return -EFAULT;
}

static void putback_it(struct page *page)
{
}

TEST(POISON_3, "a page that is isolated and then does not move stays as it was: EBUSY")
{
	static const struct movable_operations ops = {
		.isolate_page = isolate_it, .migrate_page = never_migrate, .putback_page = putback_it,
	};
	struct page *page;

	boot_movable(NULL);
	page = stuck_take(NODE);
	lock_page(page);
	__SetPageMovable(page, &ops);
	unlock_page(page);
	CHECK_EQ(soft_offline_page(page_to_pfn(page), 0), -EBUSY);
	CHECK(!PageHWPoison(page));
	CHECK(!PageIsolated(page));
	CHECK_EQ(page_count(page), 1);
	CHECK_EQ(kb_corrupted(), 0UL);
	machine_check();
}

TEST(POISON_3, "a movable page moves, also one of many; one that refuses stays: EBUSY, unmarked")
{
	struct moving me, stubborn;
	struct page *was;

	boot_movable(NULL);
	CHECK(moving_take(&me, NODE));
	fill(me.page, 5);
	was = me.page;
	CHECK_EQ(soft_offline_page(page_to_pfn(was), 0), 0);
	CHECK_EQ(me.moves, 1UL);
	CHECK(me.page != was);
	CHECK(holds(me.page, 5));
	CHECK(PageHWPoison(was) && !PageHWPoison(me.page));
	CHECK_EQ(page_count(was), 1);
	check_not_handed_out(was);
	moving_free(&me);
	CHECK(moving_take(&stubborn, NODE));
	stubborn.refuse = true;
	CHECK_EQ(soft_offline_page(page_to_pfn(stubborn.page), 0), -EBUSY);
	CHECK(!PageHWPoison(stubborn.page));
	CHECK_EQ(kb_corrupted(), 4UL);
	moving_free(&stubborn);
	machine_check();
}

TEST(POISON_4, "a page that nothing can move, reserved or the kernel's: EIO")
{
	struct page *page;

	boot_movable("reserve 0x9f000 4K\n");
	CHECK_EQ(soft_offline_page(0x9f, 0), -EIO);
	page = alloc_pages_node(0, GFP_KERNEL, 3);
	CHECK(page);
	CHECK_EQ(soft_offline_page(page_to_pfn(page), 0), -EIO);
	CHECK_EQ(soft_offline_page(page_to_pfn(page) + 5, 0), -EIO);
	CHECK(!PageHWPoison(page));
	CHECK_EQ(kb_corrupted(), 0UL);
	__free_pages(page, 3);
	machine_check();
}

TEST(POISON_6, "soft offlining keeps every byte of a page whose block then leaves")
{
	struct moving me[16];

	boot_movable(NULL);
	for (int i = 0; i < 16; i++) {
		CHECK(moving_take(&me[i], NODE));
		fill(me[i].page, (unsigned long)i);
	}
	for (int i = 0; i < 16; i++)
		CHECK_EQ(soft_offline_page(page_to_pfn(me[i].page), 0), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	for (int i = 0; i < 16; i++) {
		CHECK(holds(me[i].page, (unsigned long)i));
		moving_free(&me[i]);
	}
	machine_check();
}

TEST(POISON_7, "memory_failure: not online: ENXIO; marked already: EHWPOISON")
{
	CHECK_EQ(memory_failure(PFN, 0), -ENXIO);
	boot_movable(NULL);
	add_blocks(NODE, 33, 1);
	CHECK_EQ(memory_failure(PFN + NR, 0), -ENXIO);
	CHECK_EQ(memory_failure(~0UL, 0), -ENXIO);
	CHECK_EQ(memory_failure(PFN + 3, 0), 0);
	CHECK_EQ(memory_failure(PFN + 3, 0), -EHWPOISON);
	memory_failure_queue(PFN + 4, 0);
	CHECK(PageHWPoison(pfn_to_page(PFN + 4)));
	CHECK_EQ(kb_corrupted(), 8UL);
	machine_check();
}

static struct page *own;
static int asked;

static enum mp_failure_answer give_up(const struct mp_failure *told, void *arg)
{
	asked++;
	if (told->page != own)
		return MP_FAILURE_NOT_MINE;
	if (arg)
		return MP_FAILURE_LOST;
	__free_page(own);
	own = NULL;
	return MP_FAILURE_HANDLED;
}

TEST(POISON_8, "marked first: free 0; in use EBUSY, marked still; its owner gives it up: 0, never handed out")
{
	struct page *page, *lost;

	boot_movable("reserve 0x9f000 4K\n");
	CHECK_EQ(memory_failure(PFN + 9, 0), 0);
	check_not_handed_out(pfn_to_page(PFN + 9));
	/* Nobody knows it. */
	page = stuck_take(NODE);
	CHECK_EQ(memory_failure(page_to_pfn(page), 0), -EBUSY);
	CHECK(PageHWPoison(page));
	CHECK_EQ(page_count(page), 1);
	__free_page(page);
	CHECK(PageHWPoison(page));
	check_not_handed_out(page);
	CHECK_EQ(kb_corrupted(), 8UL);
	/* Reserved. */
	CHECK_EQ(memory_failure(0x9f, 0), -EBUSY);
	CHECK(PageHWPoison(pfn_to_page(0x9f)));
	/* With owners. */
	CHECK_EQ(mp_failure_register(give_up, NULL), 0);
	lost = own = stuck_take(NODE);
	CHECK_EQ(memory_failure(page_to_pfn(lost), 0), 0);
	CHECK_EQ(asked, 1);
	CHECK(PageHWPoison(lost));
	check_not_handed_out(lost);
	CHECK_EQ(mp_failure_unregister(give_up, NULL), 0);
	CHECK_EQ(mp_failure_register(give_up, &asked), 0);
	own = stuck_take(NODE);
	CHECK_EQ(memory_failure(page_to_pfn(own), 0), -EBUSY);
	__free_page(own);
	CHECK_EQ(kb_corrupted(), 20UL);
	CHECK_EQ(mp_failure_unregister(give_up, &asked), 0);
	machine_check();
}

TEST(POISON_8, "a poisoned page of a larger allocation stays away alone; whole pageblocks stay away whole")
{
	struct page *page;

	boot_movable(NULL);
	page = alloc_pages_node(NODE, MOVABLE, 4);
	CHECK(page);
	CHECK_EQ(memory_failure(page_to_pfn(page) + 5, 0), -EBUSY);
	__free_pages(page, 4);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(PageHWPoison(&page[i]), i == 5);
	check_not_handed_out(page + 5);
	CHECK_EQ(kb_corrupted(), 4UL);
	page = alloc_pages_node(NODE, MOVABLE | __GFP_COMP, pageblock_order);
	CHECK(page);
	CHECK_EQ(memory_failure(page_to_pfn(page) + 77, 0), -EBUSY);
	__free_pages(page, pageblock_order);
	CHECK_EQ(kb_corrupted(), 4UL + 2048UL);
	check_not_handed_out(page + 1);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(remove_memory(HOT, BLOCK_BYTES), 0);
	CHECK_EQ(kb_corrupted(), 0UL);
	machine_check();
}

TEST(POISON_9, "the files: what soft offlining and memory_failure answer, for a byte address")
{
	boot_movable("reserve 0x9f000 4K\n");
	CHECK_EQ(write_address("soft_offline_page", HOT + 5 * PAGE_SIZE + 17), 0);
	CHECK(PageHWPoison(pfn_to_page(PFN + 5)));
	CHECK_EQ(write_address("soft_offline_page", 1UL << 50), -ENXIO);
	CHECK_EQ(write_address("soft_offline_page", 0x9f000), -EIO);
	CHECK_EQ(write_address("hard_offline_page", HOT + 6 * PAGE_SIZE), 0);
	CHECK_EQ(write_address("hard_offline_page", HOT + 6 * PAGE_SIZE), -EHWPOISON);
	CHECK_EQ(write_address("hard_offline_page", 1UL << 50), -ENXIO);
	/* Simulated: the way back stays open. */
	CHECK_EQ(unpoison_memory(PFN + 6), 0);
}

TEST(SYSFS_12, "both files are 0200; any parse failure, also an overflow, is EINVAL")
{
	static const char *const files[] = { MEMORY "/soft_offline_page", MEMORY "/hard_offline_page" };
	static const char *const junk[] = { "", "zzz", "-1", "0x", "1 2", "0x10000000000000000", " 1" };
	struct mp_entry entry;
	char text[8];

	boot_movable(NULL);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CHECK_EQ(mp_stat(files[i], &entry), 0);
		CHECK_EQ(entry.mode, 0200U);
		CHECK_EQ(mp_read(files[i], text, sizeof(text)), -EACCES);
		for (size_t j = 1; j < ARRAY_SIZE(junk); j++)
			CHECK_EQ(mp_write_string(files[i], junk[j]), -EINVAL);
	}
	CHECK_EQ(kb_corrupted(), 0UL);
}

static long soft_offline_first(void *arg)
{
	return soft_offline_page(PFN + 1, 0);
}

TEST(POISON_10, "soft offlining waits for an operation that holds mem_hotplug_lock; in a callback it is fatal")
{
	struct worker worker;

	boot_movable(NULL);
	mem_hotplug_begin();
	worker_start(&worker, soft_offline_first, NULL);
	CHECK(!PageHWPoison(pfn_to_page(PFN + 1)));
	mem_hotplug_done();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK(PageHWPoison(pfn_to_page(PFN + 1)));
}

TEST(POISON_11, "a block with poisoned pages, taken or in use, goes offline")
{
	struct page *page;

	boot_movable(NULL);
	CHECK_EQ(soft_offline_page(PFN + 1, 0), 0);
	page = stuck_take(NODE);
	CHECK_EQ(memory_failure(page_to_pfn(page), 0), -EBUSY);
	CHECK_EQ(set_state(32, "offline"), 0);
	machine_check();
}

TEST(POISON_12, "managed is not lowered by poisoning; offlining subtracts all of the block")
{
	struct zone *zone;

	boot_movable(NULL);
	zone = zone_of(NODE, ZONE_MOVABLE);
	CHECK_EQ(zone->managed_pages, (long)NR);
	CHECK_EQ(soft_offline_page(PFN + 1, 0), 0);
	CHECK_EQ(memory_failure(PFN + 2, 0), 0);
	CHECK_EQ(zone->managed_pages, (long)NR);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(zone->managed_pages, 0L);
}

TEST(POISON_13, "onlining loses the marks and hands the pages out; Linux's counter keeps its value")
{
	boot_movable("contract = linux-6.1\n");
	CHECK_EQ(soft_offline_page(PFN + 1, 0), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK(PageHWPoison(pfn_to_page(PFN + 1)));
	CHECK_EQ(kb_corrupted(), 4UL);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK(!PageHWPoison(pfn_to_page(PFN + 1)));
	CHECK_EQ(kb_corrupted(), 4UL);
	CHECK_EQ(soft_offline_page(PFN + 1, 0), 0);
	CHECK_EQ(kb_corrupted(), 8UL);
}

TEST(POISON_14, "removal subtracts the marks that are there")
{
	boot_movable(NULL);
	CHECK_EQ(soft_offline_page(PFN + 1, 0), 0);
	CHECK_EQ(memory_failure(PFN + 2, 0), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(kb_corrupted(), 8UL);
	CHECK_EQ(remove_memory(HOT, BLOCK_BYTES), 0);
	CHECK_EQ(kb_corrupted(), 0UL);
}

TEST(POISON_15, "unpoisoned pages can be allocated again; in use, not poisoned: EBUSY; after a real failure: EOPNOTSUPP")
{
	struct page *page;
	unsigned long free;

	boot_movable(NULL);
	add_blocks(NODE, 33, 1);
	free = zone_of(NODE, ZONE_MOVABLE)->nr_free;
	CHECK_EQ(unpoison_memory(PFN + NR), -EIO);
	CHECK_EQ(unpoison_memory(PFN + 1), -EBUSY);
	CHECK_EQ(soft_offline_page(PFN + 1, 0), 0);
	CHECK_EQ(unpoison_memory(PFN + 1), 0);
	CHECK(!PageHWPoison(pfn_to_page(PFN + 1)));
	CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->nr_free, free);
	page = stuck_take(NODE);
	CHECK_EQ(memory_failure(page_to_pfn(page), MF_SW_SIMULATED), -EBUSY);
	CHECK_EQ(unpoison_memory(page_to_pfn(page)), -EBUSY);
	__free_page(page);
	CHECK_EQ(unpoison_memory(page_to_pfn(page)), 0);
	CHECK_EQ(kb_corrupted(), 0UL);
	CHECK_EQ(memory_failure(PFN + 2, 0), 0);
	CHECK_EQ(unpoison_memory(PFN + 2), -EOPNOTSUPP);
	machine_check();
}

TEST(none_failure_handlers, "registering twice, nothing, what is not there")
{
	CHECK_EQ(mp_failure_register(NULL, NULL), -EINVAL);
	CHECK_EQ(mp_failure_register(give_up, NULL), 0);
	CHECK_EQ(mp_failure_register(give_up, NULL), -EEXIST);
	CHECK_EQ(mp_failure_register(give_up, &asked), 0);
	CHECK_EQ(mp_failure_unregister(give_up, NULL), 0);
	CHECK_EQ(mp_failure_unregister(give_up, NULL), -ENOENT);
	CHECK_EQ(mp_failure_unregister(give_up, &asked), 0);
}

/* ---- beside everything else ---- */

static bool stop;

static long allocate_and_free(void *arg)
{
	struct page *pages[64];

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		int n = 0;

		while (n < 64 && (pages[n] = alloc_pages_node(NODE, MOVABLE, n % 3)))
			n++;
		while (n--)
			__free_pages(pages[n], (unsigned int)n % 3);
	}
	return 0;
}

static long offline_and_online(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		if (!set_state(33, "offline"))
			CHECK_EQ(set_state(33, "online_movable"), 0);
		uevents();
	}
	return 0;
}

TEST(none_poison_stress, "poisoning and back beside allocation, free and offlining")
{
	struct worker workers[3];
	unsigned int seed = (unsigned int)mptest_seed();

	boot_movable(NULL);
	add_blocks(NODE, 33, 1);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	worker_start(&workers[0], allocate_and_free, NULL);
	worker_start(&workers[1], allocate_and_free, NULL);
	worker_start(&workers[2], offline_and_online, NULL);
	for (int i = 0; i < 600; i++) {
		unsigned long pfn = PFN + (unsigned long)rand_r(&seed) % (2 * NR);

		if (i % 2)
			soft_offline_page(pfn, 0);
		else
			memory_failure(pfn, MF_SW_SIMULATED);
		if (i % 3)
			unpoison_memory(pfn);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(worker_join(&workers[i]), 0);
	machine_check();
}
