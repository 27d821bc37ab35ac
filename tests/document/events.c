/* SPDX-License-Identifier: MIT */
/*
 * The six events, sentence by sentence of the starting document, under the default contract: when
 * each is sent, and what can and cannot be had from the memory while it is.
 */
#include "document.h"

TEST(doc_01_events_are_sent, "hotplug events are sent to a queue of callbacks")
{
	struct listener a = {0}, b = {0};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	listen_as(&b, "B", 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_STR(heard(), "");
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE B:GOING_ONLINE A:ONLINE B:ONLINE");
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE B:GOING_OFFLINE A:OFFLINE B:OFFLINE");
	CHECK_EQ(remove_blocks(FIRST, 1), 0);
	CHECK_STR(heard(), "");
	machine_check();
}

TEST(doc_02_six_types, "there are six types of notification, distinct bits")
{
	const unsigned long all[] = {MEM_GOING_ONLINE,  MEM_CANCEL_ONLINE,  MEM_ONLINE,
				     MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE, MEM_OFFLINE};
	unsigned long bits = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		CHECK_EQ(__builtin_popcountl(all[i]), 1);
		bits |= all[i];
	}
	CHECK_EQ(__builtin_popcountl(bits), 6);
	CHECK_STR(mp_event_name(MEM_GOING_ONLINE), "MEM_GOING_ONLINE");
	CHECK_STR(mp_event_name(MEM_CANCEL_ONLINE), "MEM_CANCEL_ONLINE");
	CHECK_STR(mp_event_name(MEM_ONLINE), "MEM_ONLINE");
	CHECK_STR(mp_event_name(MEM_GOING_OFFLINE), "MEM_GOING_OFFLINE");
	CHECK_STR(mp_event_name(MEM_CANCEL_OFFLINE), "MEM_CANCEL_OFFLINE");
	CHECK_STR(mp_event_name(MEM_OFFLINE), "MEM_OFFLINE");
}

static void before_it_is_there(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_GOING_ONLINE)
		return;
	CHECK_STR(read_block(FIRST, "state"), "offline");
	CHECK(!pfn_to_online_page(arg->start_pfn));
	CHECK(!node_state(NODE, N_MEMORY));
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, 0);
}

TEST(doc_03_going_online_comes_before,
     "MEM_GOING_ONLINE is sent before the memory becomes available")
{
	struct listener a = {.hook = before_it_is_there};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	CHECK_STR(read_block(FIRST, "state"), "online");
	CHECK(pfn_to_online_page(HOT_PFN));
	CHECK(node_state(NODE, N_MEMORY));
	machine_check();
}

static void nothing_of_the_new(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	static struct page *taken[2 * BLOCK_PAGES];
	unsigned long n;
	struct page *page;

	if (action != MEM_GOING_ONLINE)
		return;
	/* All that the node has, and none of it is new. */
	n = take_all(NODE, MOVABLE, taken, ARRAY_SIZE(taken));
	CHECK_GT(n, BLOCK_PAGES / 2);
	CHECK_LE(n, BLOCK_PAGES);
	for (unsigned long i = 0; i < n; i++)
		CHECK(in_block(taken[i], FIRST));
	CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
	/* An allocation that may go elsewhere does. */
	page = alloc_pages_node(NODE, GFP_HIGHUSER_MOVABLE, 0);
	CHECK(page);
	CHECK(!in_block(page, SECOND));
	__free_page(page);
	free_all(taken, n);
}

TEST(doc_04_going_online_no_allocation,
     "in MEM_GOING_ONLINE the allocator cannot use the new memory")
{
	struct listener a = {.hook = nothing_of_the_new};

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 2);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(SECOND, "online_movable"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	machine_check();
}

TEST(doc_05_cancel_online, "MEM_CANCEL_ONLINE is sent when MEM_GOING_ONLINE failed, to everyone")
{
	struct listener a = {0}, c = {0};
	struct listener b = {0};

	machine_boot(NULL);
	answer_only(&b, MEM_GOING_ONLINE, notifier_from_errno(-ENOMEM));
	listen_as(&a, "A", 2);
	listen_as(&b, "B", 1);
	listen_as(&c, "C", 0);
	add_blocks(NODE, FIRST, 1);
	uevents();
	CHECK_EQ(set_state(FIRST, "online"), -ENOMEM);
	CHECK_STR(heard(), "A:GOING_ONLINE B:GOING_ONLINE "
			   "A:CANCEL_ONLINE B:CANCEL_ONLINE C:CANCEL_ONLINE");
	CHECK_EQ(last_seen(&a).payload.start_pfn, HOT_PFN);
	CHECK_EQ(last_seen(&a).payload.nr_pages, BLOCK_PAGES);
	CHECK_EQ(last_seen(&c).payload.start_pfn, HOT_PFN);
	CHECK_EQ(last_seen(&c).payload.status_change_nid, NODE);
	CHECK_STR(uevents(), "");
	CHECK_STR(read_block(FIRST, "state"), "offline");
	CHECK(!node_state(NODE, N_MEMORY));
	CHECK_EQ(NODE_DATA(NODE)->node_spanned_pages, 0);
	machine_check();
}

static void when_it_is_there(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_ONLINE)
		return;
	CHECK(pfn_to_online_page(arg->start_pfn));
	CHECK(pfn_to_online_page(arg->start_pfn + arg->nr_pages - 1));
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, BLOCK_PAGES);
	CHECK(node_state(NODE, N_MEMORY));
	CHECK_EQ(page_to_nid(pfn_to_page(arg->start_pfn)), NODE);
}

TEST(doc_06_online, "MEM_ONLINE is sent when the memory has come online")
{
	struct listener a = {.hook = when_it_is_there};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 1);
	uevents();
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	CHECK_STR(uevents(), "online@memory32");
	CHECK_STR(read_block(FIRST, "online"), "1");
	machine_check();
}

static struct page *taken_in_online;

static void take_in_online(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_ONLINE)
		return;
	taken_in_online = alloc_pages_node(NODE, MOVABLE, 0);
	CHECK(taken_in_online);
	CHECK(in_block(taken_in_online, FIRST));
	fill(taken_in_online, 7);
	/* A kernel allocation never comes from the movable zone. */
	CHECK(!alloc_pages_node(NODE, KERNEL, 0));
}

TEST(doc_07_online_allocation, "the MEM_ONLINE callback may allocate from the new memory")
{
	struct listener a = {.hook = take_in_online};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK(holds(taken_in_online, 7));
	CHECK_EQ(page_count(taken_in_online), 1);
	CHECK_GE(mp_block_resident(HOT_BLOCK), (int64_t)PAGE_SIZE);
	__free_page(taken_in_online);
	machine_check();
}

static void when_it_begins(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_GOING_OFFLINE)
		return;
	CHECK_STR(read_block(FIRST, "state"), "going-offline");
	CHECK(pfn_to_online_page(arg->start_pfn));
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, BLOCK_PAGES);
	CHECK(node_state(NODE, N_MEMORY));
}

TEST(doc_08_going_offline, "MEM_GOING_OFFLINE begins the taking offline of memory")
{
	struct listener a = {.hook = when_it_begins};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	heard();
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE");
	machine_check();
}

static struct moving in_use[2];

static void closed_but_in_use(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_GOING_OFFLINE)
		return;
	CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
	for (int i = 0; i < 2; i++) {
		CHECK(in_block(in_use[i].page, FIRST));
		CHECK_EQ(page_count(in_use[i].page), 1);
		CHECK(holds(in_use[i].page, i));
		fill(in_use[i].page, i + 10);
	}
	/* What is freed now stays out of reach. */
	moving_free(&in_use[1]);
	CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
}

TEST(doc_09_going_offline_no_allocation,
     "in MEM_GOING_OFFLINE nothing can be allocated from the memory, though some is in use")
{
	struct listener a = {.hook = closed_but_in_use};

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	for (int i = 0; i < 2; i++) {
		CHECK(moving_take(&in_use[i], NODE));
		fill(in_use[i].page, i);
	}
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE");
	/* The one that stayed in use moved, with what the callback wrote. */
	CHECK_EQ(in_use[0].moves, 1);
	CHECK(!in_block(in_use[0].page, FIRST));
	CHECK(holds(in_use[0].page, 10));
	moving_free(&in_use[0]);
	machine_check();
}

static struct page *subsystem[64];

static void free_what_it_knows(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_GOING_OFFLINE)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(subsystem); i++) {
		CHECK(subsystem[i]);
		CHECK(holds(subsystem[i], i));
		__free_page(subsystem[i]);
		subsystem[i] = NULL;
	}
}

TEST(doc_10_going_offline_can_free,
     "the MEM_GOING_OFFLINE callback can free memory of its subsystem, also a kernel's own")
{
	struct listener a = {.hook = free_what_it_knows};

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_kernel"), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(subsystem); i++) {
		subsystem[i] = alloc_pages_node(NODE, KERNEL, 0);
		CHECK(subsystem[i]);
		CHECK(in_block(subsystem[i], FIRST));
		fill(subsystem[i], i);
	}
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE");
	CHECK(!subsystem[0]);
	CHECK_STR(read_block(FIRST, "state"), "offline");
	machine_check();
}

TEST(doc_10_what_nobody_frees,
     "a kernel's page that no callback frees fails the offline after all were asked")
{
	struct listener a = {0}, b = {0};
	struct mp_reason reason;
	struct page *page;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_kernel"), 0);
	page = alloc_pages_node(NODE, KERNEL, 0);
	CHECK(page);
	fill(page, 3);
	listen_as(&a, "A", 1);
	listen_as(&b, "B", 0);
	CHECK_EQ(set_state(FIRST, "offline"), -EBUSY);
	CHECK_STR(heard(), "A:GOING_OFFLINE B:GOING_OFFLINE A:CANCEL_OFFLINE B:CANCEL_OFFLINE");
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_PAGE);
	CHECK_EQ(reason.pfn, page_to_pfn(page));
	CHECK(holds(page, 3));
	__free_page(page);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	machine_check();
}

TEST(doc_11_cancel_offline, "MEM_CANCEL_OFFLINE is sent when MEM_GOING_OFFLINE failed, to everyone")
{
	struct listener a = {0}, c = {0};
	struct listener b = {0};

	machine_boot(NULL);
	answer_only(&b, MEM_GOING_OFFLINE, notifier_from_errno(-EBUSY));
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	uevents();
	listen_as(&a, "A", 2);
	listen_as(&b, "B", 1);
	listen_as(&c, "C", 0);
	CHECK_EQ(set_state(FIRST, "offline"), -EBUSY);
	CHECK_STR(heard(), "A:GOING_OFFLINE B:GOING_OFFLINE "
			   "A:CANCEL_OFFLINE B:CANCEL_OFFLINE C:CANCEL_OFFLINE");
	CHECK_EQ(last_seen(&c).payload.start_pfn, HOT_PFN);
	CHECK_EQ(last_seen(&c).payload.nr_pages, BLOCK_PAGES);
	CHECK_EQ(last_seen(&c).payload.status_change_nid, NODE);
	CHECK_STR(uevents(), "");
	CHECK_STR(read_block(FIRST, "state"), "online");
	machine_check();
}

static int taken_in_cancel;

static void take_in_cancel(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct page *page;

	if (action != MEM_CANCEL_OFFLINE)
		return;
	page = alloc_pages_node(NODE, MOVABLE, 0);
	CHECK(page);
	CHECK(in_block(page, FIRST));
	fill(page, 5);
	CHECK(holds(page, 5));
	__free_page(page);
	taken_in_cancel++;
}

TEST(doc_12_available_again, "after a failed MEM_GOING_OFFLINE the memory is available again")
{
	struct listener first = {.hook = take_in_cancel};
	struct listener veto = {0};
	struct moving kept = {0};
	unsigned long free_before;

	machine_boot(NULL);
	answer_only(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK(moving_take(&kept, NODE));
	fill(kept.page, 1);
	free_before = all_free_pages();
	listen_as(&first, "A", 1);
	listen_as(&veto, "V", 0);
	CHECK_EQ(set_state(FIRST, "offline"), -EPERM);
	CHECK_EQ(taken_in_cancel, 1);
	CHECK(holds(kept.page, 1));
	CHECK_EQ(all_free_pages(), free_before);
	moving_free(&kept);
	machine_check();
}

static void when_it_is_gone(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_OFFLINE)
		return;
	CHECK(!pfn_to_online_page(arg->start_pfn));
	CHECK(!pfn_to_online_page(arg->start_pfn + arg->nr_pages - 1));
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, 0);
	CHECK(!node_state(NODE, N_MEMORY));
	CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
}

static bool is_zero(struct page *page)
{
	static const char zero[PAGE_SIZE];

	return memcmp(page_address(page), zero, PAGE_SIZE) == 0;
}

TEST(doc_13_offline, "MEM_OFFLINE is sent after the taking offline is complete; the memory is gone")
{
	struct listener a = {.hook = when_it_is_gone};
	struct page *page;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	page = alloc_pages_node(NODE, MOVABLE, 0);
	CHECK(page);
	fill(page, 9);
	__free_page(page);
	CHECK_GE(mp_block_resident(HOT_BLOCK), (int64_t)PAGE_SIZE);
	listen_as(&a, "A", 0);
	uevents();
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE");
	CHECK_STR(uevents(), "offline@memory32");
	CHECK_STR(read_block(FIRST, "state"), "offline");
	/* The host has it back, and what comes online again is empty. */
	CHECK_EQ(mp_block_resident(HOT_BLOCK), 0);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK(is_zero(page));
	machine_check();
}
