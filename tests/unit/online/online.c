/* SPDX-License-Identifier: MIT */
/* Onlining a block: entry points, steps, the online-page callback (ONLINE-1..15). */
#include "machine.h"

#define NODE 1
#define AUTO_ONLINE "/sys/devices/system/memory/auto_online_blocks"

static const char online_pair[] = "A:GOING_ONLINE A:ONLINE";

TEST(ONLINE_1, "state, online, auto-online, roll-back and drivers all end in the same transaction")
{
	struct listener a = { 0 };
	struct memory_block *mem;

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, 32, 2);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_STR(heard(), online_pair);
	CHECK_EQ(write_block(33, "online", "1"), 0);
	CHECK_STR(heard(), online_pair);
	/* memory33 refuses, so memory32 comes back. */
	a.calls = 0;
	mem = get_block(33);
	mem->dev.offline_disabled = true;
	CHECK_EQ(offline_and_remove_memory(HOT, 2 * BLOCK_BYTES), -EPERM);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE A:GOING_ONLINE A:ONLINE");
	CHECK_STR(read_block(32, "state"), "online");
	CHECK_STR(read_block(32, "valid_zones"), "Movable");
	mem->dev.offline_disabled = false;
	CHECK_EQ(set_state(33, "offline"), 0);
	heard();
	lock_device_hotplug();
	CHECK_EQ(device_online(&mem->dev), 0);
	unlock_device_hotplug();
	CHECK_STR(heard(), online_pair);
	put_device(&mem->dev);
	CHECK_EQ(mp_write_string(AUTO_ONLINE, "online"), 0);
	add_blocks(NODE, 34, 1);
	CHECK_STR(heard(), online_pair);
	machine_check();
}

static struct memory_block *block;
static int steps;

static void look_at_steps(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct zone *zone = zone_of(NODE, ZONE_NORMAL);

	CHECK(percpu_is_write_locked(&mp_mem_hotplug_lock));
	CHECK(!block->zone);
	CHECK_EQ(block->state, MEM_OFFLINE);
	/* The self-hosted part is in the zone before the rest is announced, and counted after it. */
	CHECK_EQ(zone->zone_start_pfn, block_pfn(32));
	CHECK(page_zone(pfn_to_page(block_pfn(32))) == zone);
	CHECK_EQ(zone->present_pages, action == MEM_ONLINE ? BLOCK_PAGES - 512 : 0);
	steps++;
}

TEST(ONLINE_2, "zone, lock, self-hosted pages, online_pages, count, mem->zone, unlock, state")
{
	struct listener a = { .hook = look_at_steps };

	machine_boot("memmap_on_memory = Y\n");
	CHECK_EQ(add_memory(NODE, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	block = get_block(32);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(steps, 2);
	CHECK(!percpu_is_write_locked(&mp_mem_hotplug_lock));
	CHECK(block->zone == zone_of(NODE, ZONE_NORMAL));
	CHECK_EQ(block->state, MEM_ONLINE);
	CHECK_EQ(block->online_type, MMOP_OFFLINE);
	CHECK_EQ(block->zone->present_pages, BLOCK_PAGES);
	CHECK_EQ(zone_managed_pages(block->zone), BLOCK_PAGES - 512);
	put_device(&block->dev);
	machine_check();
}

static int choose_again(struct notifier_block *nb, unsigned long action, void *arg)
{
	/* Too late: the zone was chosen before the lock was taken. */
	if (action == MEM_GOING_ONLINE)
		block->online_type = MMOP_ONLINE_KERNEL;
	return NOTIFY_OK;
}

TEST(ONLINE_2, "on failure the block is OFFLINE again and in no zone; the zone is chosen once")
{
	struct notifier_block chooser = { .notifier_call = choose_again, .priority = 1 };
	struct listener a = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	block = get_block(32);
	CHECK_EQ(register_memory_notifier(&chooser), 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK(block->zone == zone_of(NODE, ZONE_MOVABLE));
	CHECK_EQ(set_state(32, "offline"), 0);
	listen_as(&a, "A", 0);
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online_movable"), -EPERM);
	CHECK_EQ(block->state, MEM_OFFLINE);
	CHECK(!block->zone);
	put_device(&block->dev);
	unregister_memory_notifier(&chooser);
}

static int online_range(unsigned long pfn, unsigned long nr_pages)
{
	int ret;

	mem_hotplug_begin();
	ret = online_pages(pfn, nr_pages, zone_of(NODE, ZONE_NORMAL), NULL);
	mem_hotplug_done();
	return ret;
}

TEST(ONLINE_3, "online_pages() under mem_hotplug_begin() refuses anything but whole sections, warning once")
{
	struct listener a = { 0 };

	machine_boot(NULL);
	allow_warnings();
	listen_as(&a, "A", 0);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(online_range(block_pfn(32), 0), -EINVAL);
	CHECK_EQ(online_range(block_pfn(32) + 511, BLOCK_PAGES - 511), -EINVAL);
	CHECK_EQ(online_range(block_pfn(32), BLOCK_PAGES - 1), -EINVAL);
	CHECK_EQ(warnings(), 1);
	CHECK_EQ(a.calls, 0);
	CHECK_EQ(zone_of(NODE, ZONE_NORMAL)->spanned_pages, 0);
	CHECK_EQ(zone_of(NODE, ZONE_NORMAL)->present_pages, 0);
	/* Pageblock-aligned at the start is enough: that is how self-hosted blocks look. */
	CHECK_EQ(online_range(block_pfn(32), BLOCK_PAGES), 0);
	CHECK_EQ(a.calls, 2);
}

static int descriptors;

static void look_at_descriptors(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct zone *zone = zone_of(NODE, ZONE_NORMAL);

	if (action != MEM_GOING_ONLINE)
		return;
	CHECK_EQ(zone->zone_start_pfn, block_pfn(32));
	CHECK_EQ(zone->spanned_pages, BLOCK_PAGES);
	CHECK_EQ(NODE_DATA(NODE)->node_spanned_pages, BLOCK_PAGES);
	CHECK_EQ(zone->nr_isolate_pageblock, 0);
	for (unsigned long pfn = arg->start_pfn; pfn < arg->start_pfn + arg->nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (page_zone(page) != zone || page_to_nid(page) != NODE || page_count(page) != 1 ||
		    !PageReserved(page) || page->private || page->mapping || page->index ||
		    PageLocked(page) || PageOffline(page) || PageHWPoison(page) ||
		    get_pageblock_migratetype(page) != MIGRATE_ISOLATE)
			FAIL("descriptor 0x%lx is not fresh", pfn);
		descriptors++;
	}
}

TEST(ONLINE_4, "before the first event spans grow and every descriptor is fresh, marks of an earlier life gone")
{
	struct listener a = { .hook = look_at_descriptors };
	struct page *pages[3], *poisoned;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	for (int i = 0; i < 3; i++) {
		pages[i] = stuck_take(NODE);
		set_page_private(pages[i], 0xabcdefUL);
		pages[i]->index = 77;
	}
	poisoned = pages[1];
	__atomic_fetch_or(&poisoned->flags, BIT(PG_hwpoison), __ATOMIC_RELAXED);
	__free_page(pages[0]);
	__free_page(pages[2]);
	CHECK_EQ(set_state(32, "offline"), 0);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(descriptors, (int)BLOCK_PAGES);
	CHECK(!PageHWPoison(poisoned));
	CHECK_EQ(page_count(poisoned), 0);
}

static void look_at_spans(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	CHECK_EQ(arg->status_change_nid, NODE);
	CHECK_EQ(arg->status_change_nid_normal, -1);
	CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->spanned_pages, BLOCK_PAGES);
}

TEST(ONLINE_5, "the nids are known at GOING_ONLINE; a veto is announced, then the spans shrink")
{
	struct listener a = { .hook = look_at_spans };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	listener_answer(&a, MEM_GOING_ONLINE, notifier_from_errno(-ENXIO));
	CHECK_EQ(set_state(32, "online_movable"), -ENXIO);
	CHECK_STR(heard(), "A:GOING_ONLINE A:CANCEL_ONLINE");
	CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->spanned_pages, 0);
	CHECK_EQ(NODE_DATA(NODE)->node_spanned_pages, 0);
}

static struct {
	unsigned int calls, orders[16];
	unsigned long next, managed, totalram;
	unsigned long keep; /* pages to keep back */
} chunks;

static void look_at_chunk(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page), managed = zone_managed_pages(page_zone(page));

	CHECK_EQ(pfn, chunks.next);
	CHECK(IS_ALIGNED(pfn, 1UL << order));
	CHECK(!pfn_to_online_page(pfn));
	CHECK_EQ(page_zone(page)->present_pages, 0);
	chunks.orders[order]++;
	chunks.calls++;
	chunks.next = pfn + (1UL << order);
	generic_online_page(page, order);
	CHECK_EQ(zone_managed_pages(page_zone(page)) - managed, 1UL << order);
}

TEST(ONLINE_6, "a zone that was unpopulated is in the fallback order when its first block is online")
{
	struct page *page;

	machine_boot(NULL);
	add_blocks(NODE, 32, 2);
	/* Nobody allocates from a zone without pages. */
	page = alloc_pages_node(NODE, GFP_HIGHUSER_MOVABLE, 0);
	CHECK(page);
	CHECK_EQ(page_to_nid(page), 0);
	__free_page(page);
	CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->pageset_high, 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->nr_isolate_pageblock, 0);
	CHECK_GT(zone_of(NODE, ZONE_MOVABLE)->pageset_high, 0);
	page = alloc_pages_node(NODE, GFP_HIGHUSER_MOVABLE, 0);
	CHECK(page);
	CHECK(in_block(page, 32));
	__free_page(page);
	/* A kernel request goes to the other node as long as only Movable is populated. */
	page = alloc_pages_node(NODE, GFP_KERNEL, 0);
	CHECK(page);
	CHECK_EQ(page_to_nid(page), 0);
	__free_page(page);
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	page = alloc_pages_node(NODE, GFP_KERNEL, 0);
	CHECK(page);
	CHECK(in_block(page, 33));
	__free_page(page);
	machine_check();
}

TEST(ONLINE_7, "the callback gets naturally aligned chunks of at most order 10, ascending, before ONLINE")
{
	machine_boot("memmap_on_memory = Y\n");
	CHECK_EQ(set_online_page_callback(look_at_chunk), 0);
	add_blocks(NODE, 32, 1);
	chunks.next = block_pfn(32);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(chunks.calls, BLOCK_PAGES >> 10);
	CHECK_EQ(chunks.orders[10], BLOCK_PAGES >> 10);
	CHECK_EQ(set_state(32, "offline"), 0);
	/* Behind 512 pages of its own descriptors the first chunk is smaller. */
	memset(&chunks, 0, sizeof(chunks));
	CHECK_EQ(add_memory(2, 40 * BLOCK_BYTES, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	chunks.next = block_pfn(40) + 512;
	CHECK_EQ(set_state(40, "online_kernel"), 0);
	CHECK_EQ(chunks.orders[9], 1);
	CHECK_EQ(chunks.orders[10], 31);
	CHECK_EQ(chunks.calls, 32);
	CHECK_EQ(chunks.next, block_pfn(41));
	CHECK_EQ(restore_online_page_callback(look_at_chunk), 0);
	machine_check();
}

static void all_done(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct zone *zone = zone_of(NODE, ZONE_NORMAL);

	if (action != MEM_ONLINE)
		return;
	CHECK_EQ(zone->present_pages, BLOCK_PAGES);
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, BLOCK_PAGES);
	CHECK(node_state(NODE, N_MEMORY) && node_state(NODE, N_NORMAL_MEMORY));
	CHECK_EQ(zone->nr_free, (long)BLOCK_PAGES);
	CHECK_EQ(get_pageblock_migratetype(pfn_to_page(arg->start_pfn)), MIGRATE_MOVABLE);
	CHECK_GT(zone->_watermark[WMARK_LOW], zone->_watermark[WMARK_MIN]);
	CHECK(NODE_DATA(NODE)->kswapd && NODE_DATA(NODE)->kcompactd);
	note("all", "done");
}

TEST(ONLINE_8, "present, masks, free pages, watermarks and daemons are there when ONLINE is sent")
{
	struct listener a = { .hook = all_done };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE all:done");
}

static void count_generic(struct page *page, unsigned int order)
{
	unsigned long managed = zone_managed_pages(page_zone(page)), totalram = totalram_pages();
	long nr_free = page_zone(page)->nr_free;

	CHECK_EQ(page_count(page), 1);
	CHECK(PageReserved(page));
	generic_online_page(page, order);
	CHECK_EQ(zone_managed_pages(page_zone(page)), managed + (1UL << order));
	CHECK_EQ(totalram_pages(), totalram + (1UL << order));
	CHECK_EQ(page_count(page), 0);
	CHECK(!PageReserved(page));
	/* Its pageblock is still isolated. */
	CHECK_EQ(page_zone(page)->nr_free, nr_free);
	chunks.calls++;
}

TEST(ONLINE_9, "generic_online_page() frees the chunk: not reserved, count 0, managed and totalram grow")
{
	machine_boot(NULL);
	CHECK_EQ(set_online_page_callback(count_generic), 0);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(chunks.calls, BLOCK_PAGES >> 10);
	CHECK_EQ(restore_online_page_callback(count_generic), 0);
	machine_check();
}

static void keep_first(struct page *page, unsigned int order)
{
	if (chunks.calls++) {
		generic_online_page(page, order);
		return;
	}
	for (unsigned long i = 0; i < 1UL << order; i++) {
		ClearPageReserved(page + i);
		__SetPageOffline(page + i);
	}
	chunks.keep = 1UL << order;
	chunks.next = page_to_pfn(page);
}

TEST(ONLINE_10, "pages that a callback keeps back are present, but not managed and not free")
{
	static struct page *pages[BLOCK_PAGES + 1];
	unsigned long taken, totalram;
	struct zone *zone;

	machine_boot(NULL);
	totalram = totalram_pages();
	zone = zone_of(NODE, ZONE_MOVABLE);
	CHECK_EQ(set_online_page_callback(keep_first), 0);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(chunks.keep, 1024);
	CHECK_EQ(zone->present_pages, BLOCK_PAGES);
	CHECK_EQ(zone_managed_pages(zone), BLOCK_PAGES - 1024);
	CHECK_EQ(totalram_pages(), totalram + BLOCK_PAGES - 1024);
	CHECK_EQ(zone->nr_free, (long)BLOCK_PAGES - 1024);
	CHECK_EQ(page_count(pfn_to_page(chunks.next)), 1);
	CHECK(PageOffline(pfn_to_page(chunks.next + 1023)));
	taken = take_all(NODE, MOVABLE | __GFP_MEMALLOC, pages, ARRAY_SIZE(pages));
	CHECK_EQ(taken, BLOCK_PAGES - 1024);
	for (unsigned long i = 0; i < taken; i++)
		CHECK(page_to_pfn(pages[i]) >= chunks.next + 1024 ||
		      page_to_pfn(pages[i]) < chunks.next);
	free_all(pages, taken);
	CHECK_EQ(restore_online_page_callback(keep_first), 0);
	machine_check();
}

static void other_callback(struct page *page, unsigned int order)
{
}

static long set_callback(void *arg)
{
	return set_online_page_callback(other_callback);
}

TEST(ONLINE_11, "one callback may replace the generic one and be taken back; both wait for hotplug")
{
	struct worker worker;

	machine_boot(NULL);
	CHECK_EQ(restore_online_page_callback(look_at_chunk), -EINVAL);
	CHECK_EQ(set_online_page_callback(look_at_chunk), 0);
	CHECK_EQ(set_online_page_callback(look_at_chunk), -EINVAL);
	CHECK_EQ(set_online_page_callback(other_callback), -EINVAL);
	CHECK_EQ(restore_online_page_callback(other_callback), -EINVAL);
	CHECK_EQ(restore_online_page_callback(look_at_chunk), 0);
	CHECK_EQ(restore_online_page_callback(look_at_chunk), -EINVAL);
	/* Shared: beside a reader, not beside a writer. */
	get_online_mems();
	worker_start(&worker, set_callback, NULL);
	CHECK_EQ(worker_join(&worker), 0);
	put_online_mems();
	CHECK_EQ(restore_online_page_callback(other_callback), 0);
	mem_hotplug_begin();
	worker_start(&worker, set_callback, NULL);
	worker_await_sleep(&worker);
	mem_hotplug_done();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_EQ(restore_online_page_callback(other_callback), 0);
}

TEST(ONLINE_12, "present, managed and free rise by the pages of the block, present also by the self-hosted")
{
	struct zone *zone;

	machine_boot("memmap_on_memory = Y\n");
	zone = zone_of(NODE, ZONE_MOVABLE);
	add_blocks(NODE, 32, 2);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(zone->present_pages, BLOCK_PAGES);
	CHECK_EQ(zone_managed_pages(zone), BLOCK_PAGES);
	CHECK_EQ(zone->nr_free, (long)BLOCK_PAGES);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_EQ(zone->present_pages, 2 * BLOCK_PAGES);
	CHECK_EQ(zone_managed_pages(zone), 2 * BLOCK_PAGES);
	CHECK_EQ(zone->nr_free, 2 * (long)BLOCK_PAGES);
	CHECK_EQ(add_memory(NODE, 40 * BLOCK_BYTES, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	CHECK_EQ(set_state(40, "online_movable"), 0);
	CHECK_EQ(zone->present_pages, 3 * BLOCK_PAGES);
	CHECK_EQ(zone_managed_pages(zone), 3 * BLOCK_PAGES - 512);
	CHECK_EQ(zone->nr_free, 3 * (long)BLOCK_PAGES - 512);
	CHECK_EQ(zone->present_early_pages, 0);
	machine_check();
}

static void snapshot(char *text, size_t size)
{
	static const char *const files[] = {
		"/proc/zoneinfo", "/proc/meminfo", "/proc/buddyinfo", "/proc/pagetypeinfo",
		"/sys/devices/system/memory/memory32/valid_zones",
		"/sys/devices/system/memory/memory33/valid_zones",
		"/sys/devices/system/node/has_memory",
		"/sys/devices/system/node/has_normal_memory",
	};
	size_t used = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(files); i++)
		used += (size_t)snprintf(text + used, size - used, "%s\n", read_file(files[i]));
	CHECK_LT(used, size);
}

TEST(ONLINE_13, "after a vetoed online everything is as before")
{
	static char before[1 << 18], after[1 << 18];
	struct listener a = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 2);
	listen_as(&a, "A", 0);
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_BAD);
	snapshot(before, sizeof(before));
	CHECK_EQ(set_state(32, "online_movable"), -EPERM);
	CHECK_EQ(set_state(33, "online_kernel"), -EPERM);
	snapshot(after, sizeof(after));
	CHECK_STR(after, before);
	/* And with something online around it. */
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_OK);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_BAD);
	snapshot(before, sizeof(before));
	CHECK_EQ(set_state(32, "online_kernel"), -EPERM);
	CHECK_EQ(set_state(32, "online_movable"), -EPERM);
	snapshot(after, sizeof(after));
	CHECK_STR(after, before);
	machine_check();
}

static int handled;

static void count_signal(int signal)
{
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static void signal_self(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE)
		CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
}

TEST(ONLINE_14, "no signal ends an online, nor does mp_cancel() or a deadline")
{
	struct sigaction action = { .sa_handler = count_signal };
	struct listener a = { .hook = signal_self };
	sigset_t set;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQ(pthread_kill(pthread_self(), SIGUSR2), 0);
	listen_as(&a, "A", 0);
	mp_set_deadline(1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(handled, 1);
	CHECK_STR(read_block(32, "state"), "online");
}

TEST(ONLINE_15, "an offlined boot block comes online again, also into another zone, and counts as early")
{
	struct zone *dma32, *movable;
	unsigned long early;

	machine_boot(NULL);
	dma32 = zone_of(0, ZONE_DMA32);
	movable = zone_of(0, ZONE_MOVABLE);
	early = dma32->present_early_pages;
	CHECK_EQ(dma32->present_pages, early);
	CHECK_EQ(set_state(2, "offline"), 0);
	CHECK_EQ(dma32->present_pages, early - BLOCK_PAGES);
	CHECK_EQ(dma32->present_early_pages, early - BLOCK_PAGES);
	CHECK_EQ(set_state(2, "online_movable"), 0);
	CHECK_STR(read_block(2, "valid_zones"), "Movable");
	CHECK_EQ(movable->present_pages, BLOCK_PAGES);
	CHECK_EQ(movable->present_early_pages, BLOCK_PAGES);
	CHECK_EQ(set_state(2, "offline"), 0);
	CHECK_EQ(movable->present_early_pages, 0);
	CHECK_EQ(set_state(2, "online_kernel"), 0);
	CHECK_EQ(zone_of(0, ZONE_DMA32)->present_early_pages +
		 zone_of(0, ZONE_NORMAL)->present_early_pages, early);
	/* A hot-added block never does. */
	add_blocks(0, 32, 1);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(zone_of(0, ZONE_DMA32)->present_early_pages +
		 zone_of(0, ZONE_NORMAL)->present_early_pages, early);
	machine_check();
}
