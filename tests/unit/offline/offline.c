/* SPDX-License-Identifier: MIT */
/*
 * Offlining a block: entry points, steps, the loop, what is left after success and failure
 * (OFFLINE-1..19). A stuck page is one in Movable that has no movable_operations: it keeps the loop going
 * until it is freed.
 */
#include "machine.h"

#include "page/page.h"

#define NODE 1
#define AWAIT_STATE(block, text) AWAIT(!strcmp(read_block(block, "state"), text))

static const char offline_pair[] = "A:GOING_OFFLINE A:OFFLINE";
static const char cancelled_pair[] = "A:GOING_OFFLINE A:CANCEL_OFFLINE";

static void boot_with(int nid, int count, const char *text, const char *more)
{
	machine_boot(more);
	add_blocks(nid, 32, count);
	for (int i = 0; i < count; i++)
		CHECK_EQ(set_state(32 + i, text), 0);
}

static void start_offline(struct worker *worker, struct state_write *write, long block)
{
	*write = (struct state_write){ block, "offline" };
	worker_start(worker, write_state, write);
}

TEST(OFFLINE_1, "state, online, device_offline() and offline_and_remove_memory() end in the same transaction")
{
	struct listener a = { 0 };
	struct memory_block *mem;

	boot_with(NODE, 4, "online_movable", NULL);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_STR(heard(), offline_pair);
	CHECK_EQ(write_block(33, "online", "0"), 0);
	CHECK_STR(heard(), offline_pair);
	mem = get_block(34);
	lock_device_hotplug();
	CHECK_EQ(device_offline(&mem->dev), 0);
	unlock_device_hotplug();
	put_device(&mem->dev);
	CHECK_STR(heard(), offline_pair);
	CHECK_EQ(offline_and_remove_memory(35 * BLOCK_BYTES, BLOCK_BYTES), 0);
	CHECK_STR(heard(), offline_pair);
	machine_check();
}

TEST(OFFLINE_1, "the state is going-offline before mem_hotplug_lock is had, until the end")
{
	struct state_write write;
	struct worker worker;

	boot_with(NODE, 1, "online_movable", NULL);
	get_online_mems();
	start_offline(&worker, &write, 32);
	AWAIT_STATE(32, "going-offline");
	worker_await_sleep(&worker);
	CHECK_STR(read_block(32, "state"), "going-offline");
	put_online_mems();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(read_block(32, "state"), "offline");
}

static void self_hosted_uncounted(struct listener *me, unsigned long action,
				  struct memory_notify *arg)
{
	CHECK(percpu_is_write_locked(&mp_mem_hotplug_lock));
	CHECK_EQ(zone_of(NODE, ZONE_NORMAL)->present_pages,
		 action == MEM_OFFLINE ? 0 : BLOCK_PAGES - 512);
}

TEST(OFFLINE_2, "no zone: EINVAL; self-hosted pages leave present first and come back on failure")
{
	struct listener a = { .hook = self_hosted_uncounted };
	struct memory_block *mem;
	struct zone *zone;

	machine_boot("memmap_on_memory = Y\n");
	zone = zone_of(NODE, ZONE_NORMAL);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(0, "offline"), -EINVAL);
	CHECK_EQ(a.calls, 0);
	a.hook = NULL;
	CHECK_EQ(add_memory(NODE, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	a.hook = self_hosted_uncounted;
	mem = get_block(32);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_EQ(zone->present_pages, BLOCK_PAGES);
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, BLOCK_PAGES);
	CHECK(mem->zone == zone);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(zone->present_pages, 0);
	CHECK_EQ(zone->spanned_pages, 0);
	CHECK(!mem->zone);
	put_device(&mem->dev);
	machine_check();
}

static void closed_before_asked(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct zone *zone = zone_of(NODE, ZONE_NORMAL);

	if (action != MEM_GOING_OFFLINE)
		return;
	CHECK(zone->pcp_disabled);
	for (unsigned long pfn = arg->start_pfn; pfn < arg->start_pfn + arg->nr_pages; pfn += 512)
		CHECK(is_migrate_isolate_page(pfn_to_page(pfn)));
	CHECK_EQ(arg->status_change_nid, NODE);
	CHECK_EQ(zone_pcp_pages(zone), 0);
	note("closed", "yes");
}

TEST(OFFLINE_3, "checks, lists off and drained, isolation, nids, and only then GOING_OFFLINE")
{
	struct listener a = { .hook = closed_before_asked };
	struct page *page;

	boot_with(NODE, 1, "online_kernel", NULL);
	/* A page in this thread's list. */
	page = alloc_pages_node(NODE, KERNEL, 0);
	CHECK(page);
	__free_page(page);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE closed:yes A:OFFLINE");
	CHECK(!zone_of(NODE, ZONE_NORMAL)->pcp_disabled);
	machine_check();
}

TEST(OFFLINE_4, "a signal counts even when there is nothing to move; what is freed meanwhile ends the loop")
{
	struct listener a = { 0 };
	struct state_write write;
	struct worker worker;
	struct page *stuck[2];

	boot_with(NODE, 1, "online_movable", NULL);
	stuck[0] = stuck_take(NODE);
	stuck[1] = stuck_take(NODE);
	listen_as(&a, "A", 0);
	start_offline(&worker, &write, 32);
	AWAIT(__atomic_load_n(&a.calls, __ATOMIC_ACQUIRE) || worker_done(&worker));
	worker_await_sleep(&worker);
	__free_page(stuck[0]);
	worker_await_sleep(&worker);
	CHECK_STR(read_block(32, "state"), "going-offline");
	__free_page(stuck[1]);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(heard(), offline_pair);
	machine_check();
}

TEST(OFFLINE_5, "movable pages are moved, others stepped over, a referenced PageOffline page refuses")
{
	struct listener a = { 0 };
	struct moving pages[20];
	struct page *offline;

	boot_with(NODE, 1, "online_movable", NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		CHECK(moving_take(&pages[i], NODE));
		fill(pages[i].page, i);
	}
	offline = stuck_take(NODE);
	__SetPageOffline(offline);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	CHECK_STR(heard(), cancelled_pair);
	/* Without a reference it does not matter. */
	CHECK(put_page_testzero(offline));
	CHECK_EQ(set_state(32, "offline"), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		CHECK(!in_block(pages[i].page, 32));
		CHECK(holds(pages[i].page, i));
		CHECK_EQ(pages[i].moves, 1);
		moving_free(&pages[i]);
	}
	machine_check();
}

/* A page whose owner fails `failures` times with `error` before it lets it move. */
static struct {
	struct page *page;
	int failures, error;
	int tries, moved;
} obstinate;

static bool obstinate_isolate(struct page *page, isolate_mode_t mode)
{
	return true;
}

static int obstinate_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	int tries = __atomic_add_fetch(&obstinate.tries, 1, __ATOMIC_RELAXED);

	CHECK(PageLocked(dst) && PageLocked(src));
	CHECK_EQ(mode, MIGRATE_SYNC);
	if (tries <= obstinate.failures)
		return obstinate.error;
	memcpy(page_address(dst), page_address(src), PAGE_SIZE);
	get_page(dst);
	__SetPageMovable(dst, page_movable_ops(src));
	__ClearPageMovable(src);
	obstinate.page = dst;
	obstinate.moved++;
	put_page(src);
	return MIGRATEPAGE_SUCCESS;
}

static void obstinate_putback(struct page *page)
{
}

static const struct movable_operations obstinate_ops = {
	obstinate_isolate, obstinate_migrate, obstinate_putback
};

static void obstinate_take(int failures, int error)
{
	obstinate.failures = failures;
	obstinate.error = error;
	obstinate.tries = 0;
	obstinate.moved = 0;
	obstinate.page = stuck_take(NODE);
	fill(obstinate.page, 5);
	lock_page(obstinate.page);
	__SetPageMovable(obstinate.page, &obstinate_ops);
	unlock_page(obstinate.page);
}

TEST(OFFLINE_6, "a migration that fails, with whatever error, does not fail the offline")
{
	static const int errors[] = { -EAGAIN, -EINVAL, -EIO };

	boot_with(NODE, 1, "online_movable", NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		obstinate_take(15, errors[i]);
		CHECK_EQ(set_state(32, "offline"), 0);
		CHECK_EQ(obstinate.tries, 16);
		CHECK_EQ(obstinate.moved, 1);
		CHECK(holds(obstinate.page, 5));
		lock_page(obstinate.page);
		__ClearPageMovable(obstinate.page);
		unlock_page(obstinate.page);
		__free_page(obstinate.page);
		CHECK_EQ(set_state(32, "online_movable"), 0);
	}
	machine_check();
}

TEST(OFFLINE_7, "it retries without limit while a page can neither move nor be freed")
{
	struct state_write write;
	struct worker worker;

	boot_with(NODE, 1, "online_movable", NULL);
	obstinate_take(1 << 30, -EINVAL);
	start_offline(&worker, &write, 32);
	/* More passes than any limit of Linux's migration or a sane retry count. */
	AWAIT(__atomic_load_n(&obstinate.tries, __ATOMIC_RELAXED) > 30);
	CHECK(!worker_done(&worker));
	CHECK_STR(read_block(32, "state"), "going-offline");
	CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
	lock_page(obstinate.page);
	__ClearPageMovable(obstinate.page);
	unlock_page(obstinate.page);
	__free_page(obstinate.page);
	CHECK_EQ(worker_join(&worker), 0);
	machine_check();
}

static struct page *freed_by_callback[4];

static void free_mine(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE)
		for (int i = 0; i < 4; i++)
			__free_page(freed_by_callback[i]);
}

TEST(OFFLINE_9, "what callbacks or others free meanwhile needs no migration and is not handed out again")
{
	struct listener a = { .hook = free_mine };
	struct state_write write;
	struct worker worker;
	struct mp_stats stats;
	struct page *stuck;

	boot_with(NODE, 1, "online_movable", NULL);
	for (int i = 0; i < 4; i++)
		freed_by_callback[i] = stuck_take(NODE);
	stuck = stuck_take(NODE);
	listen_as(&a, "A", 0);
	start_offline(&worker, &write, 32);
	AWAIT(page_count(freed_by_callback[3]) == 0);
	CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->nr_free, 0);
	__free_page(stuck);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_EQ(mp_get_stats(&stats), 0);
	CHECK_EQ(stats.pages_migrated, 0);
	machine_check();
}

static void left_the_zone(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct zone *zone = zone_of(NODE, ZONE_MOVABLE);

	if (action != MEM_OFFLINE)
		return;
	CHECK(!pfn_to_online_page(arg->start_pfn));
	CHECK_EQ(zone->nr_isolate_pageblock, 0);
	CHECK(!zone->pcp_disabled);
	CHECK_EQ(zone_managed_pages(zone), BLOCK_PAGES);
	CHECK_EQ(zone->present_pages, BLOCK_PAGES);
	CHECK_EQ(zone->spanned_pages, 2 * BLOCK_PAGES);
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, BLOCK_PAGES);
}

TEST(OFFLINE_11, "success: counters, masks, lists, and after the event the spans")
{
	struct listener a = { .hook = left_the_zone };
	struct zone *zone;
	unsigned long totalram;

	boot_with(NODE, 2, "online_movable", NULL);
	zone = zone_of(NODE, ZONE_MOVABLE);
	totalram = totalram_pages();
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(totalram_pages(), totalram - BLOCK_PAGES);
	CHECK_EQ(zone->zone_start_pfn, block_pfn(33));
	CHECK_EQ(zone->spanned_pages, BLOCK_PAGES);
	CHECK_EQ(zone->nr_free, (long)BLOCK_PAGES);
	CHECK(node_state(NODE, N_MEMORY));
	CHECK(NODE_DATA(NODE)->kswapd);
	a.hook = NULL;
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK_EQ(zone->spanned_pages, 0);
	CHECK_EQ(zone->pageset_high, 0);
	CHECK(!node_state(NODE, N_MEMORY));
	CHECK(!NODE_DATA(NODE)->kswapd);
	machine_check();
}

static void reopened_before_told(struct listener *me, unsigned long action,
				 struct memory_notify *arg)
{
	struct zone *zone = zone_of(NODE, ZONE_MOVABLE);

	if (action != MEM_CANCEL_OFFLINE)
		return;
	CHECK_EQ(get_pageblock_migratetype(pfn_to_page(arg->start_pfn)), MIGRATE_MOVABLE);
	CHECK_EQ(zone->nr_isolate_pageblock, 0);
	CHECK(zone->pcp_disabled);
	note("opened", "yes");
}

TEST(OFFLINE_12, "failure: the range is opened, CANCEL_OFFLINE is sent, then the lists are on again")
{
	struct listener a = { .hook = reopened_before_told };
	struct zone *zone;
	struct page *page;
	long nr_free;

	boot_with(NODE, 1, "online_movable", LINUX);
	add_blocks(NODE, 33, 1);
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	zone = zone_of(NODE, ZONE_MOVABLE);
	nr_free = zone->nr_free;
	listen_as(&a, "A", 0);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE opened:yes");
	CHECK(!zone->pcp_disabled);
	CHECK_EQ(zone->nr_free, nr_free);
	/* Isolation itself failed: only the lists had to be put right. */
	page = alloc_pages_node(NODE, KERNEL, 0);
	CHECK(page);
	zone = zone_of(NODE, ZONE_NORMAL);
	CHECK_EQ(set_state(33, "offline"), -EBUSY);
	CHECK_STR(heard(), "");
	CHECK(!zone->pcp_disabled);
	CHECK_EQ(zone->nr_isolate_pageblock, 0);
	__free_page(page);
	machine_check();
}

static void take_signal(int signal)
{
}

static void signal_self(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE)
		CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
}

TEST(OFFLINE_13, "EINVAL structure, EBUSY pages, EINTR signal, EPERM or other veto; EAGAIN never")
{
	struct sigaction action = { .sa_handler = take_signal };
	struct listener a = { 0 };
	struct memory_block *mem;
	struct page *page;

	boot_with(NODE, 1, "online_kernel", LINUX);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(set_state(0, "offline"), -EINVAL);
	page = alloc_pages_node(NODE, KERNEL, 0);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	__free_page(page);
	mem = get_block(32);
	mem->dev.offline_disabled = true;
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	mem->dev.offline_disabled = false;
	put_device(&mem->dev);
	listen_as(&a, "A", 0);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	listener_answer(&a, MEM_GOING_OFFLINE, notifier_from_errno(-ENODEV));
	CHECK_EQ(set_state(32, "offline"), -ENODEV);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_OK);
	a.hook = signal_self;
	CHECK_EQ(set_state(32, "offline"), -EINTR);
	a.hook = NULL;
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(set_state(32, "offline"), -EINVAL);
	/* A page whose owner says "later" for ever: no EAGAIN comes out. */
	CHECK_EQ(set_state(32, "online_movable"), 0);
	obstinate_take(40, -EAGAIN);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(obstinate.moved, 1);
}

TEST(OFFLINE_14, "what was moved before a failure stays where it went")
{
	struct listener a = { 0 };
	struct state_write write;
	struct worker worker;
	struct moving page;
	struct page *stuck;

	boot_with(NODE, 1, "online_movable", NULL);
	CHECK(moving_take(&page, NODE));
	fill(page.page, 6);
	stuck = stuck_take(NODE);
	listen_as(&a, "A", 0);
	start_offline(&worker, &write, 32);
	AWAIT(__atomic_load_n(&page.moves, __ATOMIC_RELAXED) || worker_done(&worker));
	CHECK_EQ(mp_cancel(worker.thread), 0);
	CHECK_EQ(worker_join(&worker), -EINTR);
	CHECK_STR(heard(), cancelled_pair);
	CHECK_EQ(page.moves, 1);
	CHECK(!in_block(page.page, 32));
	CHECK(holds(page.page, 6));
	CHECK(in_block(stuck, 32));
	moving_free(&page);
	__free_page(stuck);
	machine_check();
}

static void take_in_event(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE) {
		CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
		CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->nr_free, 0);
	}
}

TEST(OFFLINE_15, "pages freed during offlining are not to be had; free memory falls by all of the block")
{
	struct listener a = { .hook = take_in_event };
	struct moving pages[100];
	unsigned long before;

	boot_with(NODE, 1, "online_movable", NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
		CHECK(moving_take(&pages[i], NODE));
	drain_pages_range(0, ~0UL);
	before = nr_free_pages();
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	drain_pages_range(0, ~0UL);
	/* The free pages of the block, and a page elsewhere for each that moved. */
	CHECK_EQ(before - nr_free_pages(), BLOCK_PAGES);
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++)
		moving_free(&pages[i]);
	machine_check();
}

TEST(OFFLINE_16, "poisoned pages do not hinder offlining")
{
	struct listener a = { 0 };
	struct page *page;

	boot_with(NODE, 1, "online_movable", NULL);
	page = stuck_take(NODE);
	__atomic_fetch_or(&page->flags, BIT(PG_hwpoison), __ATOMIC_RELAXED);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_STR(heard(), offline_pair);
}

TEST(OFFLINE_17, "contract=linux-6.1: a kernel page refuses a kernel zone at once; Movable passes isolation")
{
	struct listener a = { 0 };
	struct state_write write;
	struct worker worker;
	struct page *page;

	boot_with(NODE, 1, "online_kernel", LINUX);
	listen_as(&a, "A", 0);
	page = alloc_pages_node(NODE, KERNEL, 0);
	CHECK(page);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	CHECK_EQ(a.calls, 0);
	__free_page(page);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	heard();
	a.calls = 0;
	/* Nobody can move it, but isolation is passed and the callbacks are asked. */
	page = stuck_take(NODE);
	start_offline(&worker, &write, 32);
	worker_await_sleep(&worker);
	AWAIT(!strcmp(read_block(32, "state"), "going-offline"));
	__free_page(page);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(heard(), offline_pair);
	/* A reserved page refuses in Movable too. */
	CHECK_EQ(set_state(32, "online_movable"), 0);
	heard();
	page = stuck_take(NODE);
	SetPageReserved(page);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	CHECK_STR(heard(), "");
	ClearPageReserved(page);
	__free_page(page);
	machine_check();
}

static long add_other(void *arg)
{
	return add_memory(2, 40 * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE);
}

TEST(OFFLINE_18, "while it runs every other hotplug request waits")
{
	struct state_write write, other = { 33, "offline" };
	struct worker offliner, writer, adder;
	struct listener a = { 0 };
	struct page *stuck;

	boot_with(NODE, 2, "online_movable", NULL);
	stuck = stuck_take(NODE);
	listen_as(&a, "A", 0);
	start_offline(&offliner, &write, (long)(page_to_pfn(stuck) / BLOCK_PAGES));
	AWAIT_STATE(write.block, "going-offline");
	other.block = write.block == 32 ? 33 : 32;
	worker_start(&writer, write_state, &other);
	worker_start(&adder, add_other, NULL);
	worker_await_sleep(&writer);
	worker_await_sleep(&adder);
	CHECK_STR(read_block(other.block, "state"), "online");
	CHECK_STR(read_block(40, "state"), "error -2");
	__free_page(stuck);
	CHECK_EQ(worker_join(&offliner), 0);
	CHECK_EQ(worker_join(&writer), 0);
	CHECK_EQ(worker_join(&adder), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE A:GOING_OFFLINE A:OFFLINE");
	machine_check();
}

TEST(OFFLINE_19, "the range: a pageblock-aligned start, a section-aligned end, the block less its own pages")
{
	struct listener a = { 0 };

	machine_boot("memmap_on_memory = Y\n");
	listen_as(&a, "A", 0);
	CHECK_EQ(add_memory(NODE, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	add_blocks(NODE, 33, 1);
	for (long block = 32; block < 34; block++) {
		const struct memory_notify *said;

		CHECK_EQ(set_state(block, "online_movable"), 0);
		CHECK_EQ(set_state(block, "offline"), 0);
		said = &last_seen(&a).payload;
		CHECK_EQ(said->start_pfn % pageblock_nr_pages, 0);
		CHECK_EQ((said->start_pfn + said->nr_pages) % PAGES_PER_SECTION, 0);
		CHECK_EQ(said->start_pfn + said->nr_pages, block_pfn(block + 1));
		CHECK_EQ(said->nr_pages, block == 32 ? BLOCK_PAGES - 512 : BLOCK_PAGES);
	}
}
