/* SPDX-License-Identifier: MIT */
/*
 * The six events: values, payload, granularity, order, and what the answers do (EVENT-1..19).
 * Nothing is shared between the tests.
 */
#include "machine.h"

#include <linux/cpu.h>

#define NODE 1
#define AUTO_ONLINE "/sys/devices/system/memory/auto_online_blocks"

TEST(EVENT_1, "six distinct bits, three of which are the states of a block")
{
	struct memory_block *mem;

	CHECK_EQ(MEM_ONLINE, 1);
	CHECK_EQ(MEM_GOING_OFFLINE, 2);
	CHECK_EQ(MEM_OFFLINE, 4);
	CHECK_EQ(MEM_GOING_ONLINE, 8);
	CHECK_EQ(MEM_CANCEL_ONLINE, 16);
	CHECK_EQ(MEM_CANCEL_OFFLINE, 32);
	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	mem = get_block(32);
	CHECK_EQ(mem->state, MEM_OFFLINE);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(mem->state, MEM_ONLINE);
	put_device(&mem->dev);
}

TEST(EVENT_2, "struct memory_notify has four members in a fixed order")
{
	struct memory_notify arg;

	CHECK(__builtin_types_compatible_p(__typeof__(arg.start_pfn), unsigned long));
	CHECK(__builtin_types_compatible_p(__typeof__(arg.nr_pages), unsigned long));
	CHECK(__builtin_types_compatible_p(__typeof__(arg.status_change_nid_normal), int));
	CHECK(__builtin_types_compatible_p(__typeof__(arg.status_change_nid), int));
	CHECK_EQ(offsetof(struct memory_notify, start_pfn), 0);
	CHECK_EQ(offsetof(struct memory_notify, nr_pages), 8);
	CHECK_EQ(offsetof(struct memory_notify, status_change_nid_normal), 16);
	CHECK_EQ(offsetof(struct memory_notify, status_change_nid), 20);
	CHECK_EQ(sizeof(arg), 24);
}

TEST(EVENT_3, "one event describes one block, without the pages that hold its own descriptors")
{
	struct listener a = { 0 };

	machine_boot("memmap_on_memory = Y\n");
	listen_as(&a, "A", 0);
	add_blocks(NODE, 32, 2);
	CHECK_EQ(set_state(33, "online"), 0);
	CHECK_EQ(last_seen(&a).payload.start_pfn, block_pfn(33));
	CHECK_EQ(last_seen(&a).payload.nr_pages, BLOCK_PAGES);
	CHECK_EQ(add_memory(NODE, 40 * BLOCK_BYTES, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	CHECK_EQ(set_state(40, "online"), 0);
	CHECK_EQ(last_seen(&a).payload.start_pfn, block_pfn(40) + 0x200);
	CHECK_EQ(last_seen(&a).payload.nr_pages, 32256);
	CHECK_EQ(set_state(40, "offline"), 0);
	CHECK_EQ(last_seen(&a).payload.start_pfn, block_pfn(40) + 0x200);
	CHECK_EQ(last_seen(&a).payload.nr_pages, 32256);
	CHECK_EQ(a.calls, 6);
	machine_check();
}

TEST(EVENT_4, "both notifications of a transaction get the same structure with the same contents")
{
	struct listener a = { 0 }, b = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 1);
	listen_as(&b, "B", 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	listener_answer(&b, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), -EPERM);
	CHECK_EQ(a.calls, 6);
	for (int i = 0; i < 6; i += 2) {
		CHECK(a.seen[i].arg == a.seen[i + 1].arg);
		CHECK(a.seen[i].arg == b.seen[i].arg);
		CHECK(b.seen[i].arg == b.seen[i + 1].arg);
		CHECK(!memcmp(&a.seen[i].payload, &b.seen[i + 1].payload,
			      sizeof(struct memory_notify)));
	}
}

TEST(EVENT_5, "boot, add, remove, nodes and the CPU lock send no memory event")
{
	struct listener a = { 0 };
	struct mp_desc *desc;

	/* A listener may be there before the machine. */
	listen_as(&a, "A", 0);
	machine_boot("offline 16G 128M node 2\n");
	CHECK_EQ(a.calls, 0);
	add_blocks(NODE, 32, 3);
	CHECK_STR(read_block(34, "state"), "offline");
	lock_device_hotplug();
	CHECK_EQ(try_online_node(3), 0);
	unlock_device_hotplug();
	CHECK(node_online(3));
	lock_device_hotplug();
	mem_hotplug_begin();
	try_offline_node(3);
	mem_hotplug_done();
	unlock_device_hotplug();
	CHECK(!node_online(3));
	cpus_write_lock();
	cpus_write_unlock();
	CHECK_EQ(remove_blocks(32, 3), 0);
	CHECK_EQ(a.calls, 0);
	/* Only through auto-onlining. */
	CHECK_EQ(mp_write_string(AUTO_ONLINE, "online"), 0);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(a.calls, 2);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(remove_blocks(32, 1), 0);
	CHECK_EQ(a.calls, 4);
	CHECK_EQ(mp_shutdown(), 0);
	desc = mp_desc_new();
	CHECK_EQ(mp_desc_add_ram(desc, 0, BLOCK_BYTES, 0, false), 0);
	CHECK_EQ(mp_boot(desc), 0);
	mp_desc_free(desc);
	CHECK_EQ(a.calls, 4);
}

/* Adds the number of the block to the event. */
static void note_block(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", arg->start_pfn / BLOCK_PAGES);
	note("at", text);
}

TEST(EVENT_6, "several blocks of one request go one after the other, ascending, each with its own pair")
{
	struct listener a = { .hook = note_block };

	machine_boot("memhp_default_state = online_movable\n");
	listen_as(&a, "A", 0);
	add_blocks(NODE, 32, 3);
	CHECK_STR(heard(), "A:GOING_ONLINE at:32 A:ONLINE at:32 A:GOING_ONLINE at:33 A:ONLINE at:33 "
			   "A:GOING_ONLINE at:34 A:ONLINE at:34");
	CHECK_EQ(offline_and_remove_memory(HOT, 3 * BLOCK_BYTES), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE at:32 A:OFFLINE at:32 A:GOING_OFFLINE at:33 A:OFFLINE at:33 "
			   "A:GOING_OFFLINE at:34 A:OFFLINE at:34");
}

TEST(EVENT_7, "a successful online sends GOING_ONLINE to all, then ONLINE to all")
{
	struct listener a = { 0 }, b = { 0 }, c = { 0 };

	machine_boot(NULL);
	listen_as(&b, "B", 0);
	listen_as(&c, "C", -1);
	listen_as(&a, "A", 1);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE B:GOING_ONLINE C:GOING_ONLINE A:ONLINE B:ONLINE C:ONLINE");
	CHECK_STR(read_block(32, "state"), "online");
}

TEST(EVENT_8, "GOING_ONLINE is followed by CANCEL_ONLINE only when it is vetoed")
{
	static const unsigned long not_refusable[] = { MEM_ONLINE, MEM_OFFLINE, MEM_CANCEL_OFFLINE };
	struct listener a = { 0 };

	machine_boot(LINUX);
	listen_as(&a, "A", 0);
	add_blocks(NODE, 32, 1);
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), -EPERM);
	CHECK_STR(heard(), "A:GOING_ONLINE A:CANCEL_ONLINE");
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_OK);
	for (int i = 0; i < 3; i++)
		listener_answer(&a, not_refusable[i], NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
}

TEST(EVENT_9, "a successful offline sends GOING_OFFLINE to all, then OFFLINE to all")
{
	struct listener a = { 0 }, b = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online"), 0);
	listen_as(&b, "B", 0);
	listen_as(&a, "A", 1);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE B:GOING_OFFLINE A:OFFLINE B:OFFLINE");
	CHECK_STR(read_block(32, "state"), "offline");
}

static int handled;

static void count_signal(int signal)
{
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static void signal_self(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE)
		CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
}

TEST(EVENT_10, "GOING_OFFLINE is followed by CANCEL_OFFLINE after a veto, a signal, an unmovable page")
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
	struct listener a = { 0 };
	struct page *page;

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	listen_as(&a, "A", 0);

	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE");
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_OK);

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	a.hook = signal_self;
	CHECK_EQ(set_state(32, "offline"), -EINTR);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE");
	CHECK_EQ(handled, 1);
	a.hook = NULL;

	page = stuck_take(NODE);
	__SetPageOffline(page);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE");
	__ClearPageOffline(page);
	__free_page(page);
	CHECK_EQ(set_state(32, "offline"), 0);
}

TEST(EVENT_11, "a failure before the first event is silent")
{
	struct listener a = { 0 };
	struct page *page;

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	listen_as(&a, "A", 0);
	/* An unmovable page in a kernel zone: isolation fails. */
	page = alloc_pages_node(NODE, KERNEL, 0);
	CHECK(page);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	CHECK_EQ(a.calls, 0);
	__free_page(page);
	/* Already being isolated. */
	CHECK_EQ(start_isolate_page_range(block_pfn(32), block_pfn(32) + 512, MIGRATE_MOVABLE, 0,
					  GFP_KERNEL), 0);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	CHECK_EQ(a.calls, 0);
	undo_isolate_page_range(block_pfn(32), block_pfn(32) + 512, MIGRATE_MOVABLE);
	/* Two zones, DMA and DMA32. */
	CHECK_EQ(set_state(0, "offline"), -EINVAL);
	CHECK_EQ(a.calls, 0);
	CHECK_STR(read_block(32, "state"), "online");
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(a.calls, 2);
	machine_check();
}

TEST(EVENT_12, "a CANCEL goes to every callback in priority order, the vetoer and those never asked included")
{
	struct listener a = { 0 }, veto = { 0 }, z = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 2);
	listen_as(&veto, "V", 1);
	listen_as(&z, "Z", 0);
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), -EPERM);
	CHECK_STR(heard(), "A:GOING_ONLINE V:GOING_ONLINE A:CANCEL_ONLINE V:CANCEL_ONLINE Z:CANCEL_ONLINE");
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_OK);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), 0);
	heard();
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_STR(heard(), "A:GOING_OFFLINE V:GOING_OFFLINE A:CANCEL_OFFLINE V:CANCEL_OFFLINE "
			   "Z:CANCEL_OFFLINE");
}

TEST(EVENT_13, "a GOING event cut short without a veto: the skipped callbacks get the final event")
{
	static const int answers[] = { NOTIFY_STOP, -ENOMEM };
	struct listener stop = { 0 }, z = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&stop, "S", 1);
	listen_as(&z, "Z", 0);
	for (int i = 0; i < 2; i++) {
		listener_answer(&stop, MEM_GOING_ONLINE, answers[i]);
		listener_answer(&stop, MEM_GOING_OFFLINE, answers[i]);
		CHECK_EQ(set_state(32, "online"), 0);
		CHECK_STR(heard(), "S:GOING_ONLINE S:ONLINE Z:ONLINE");
		CHECK_EQ(set_state(32, "offline"), 0);
		CHECK_STR(heard(), "S:GOING_OFFLINE S:OFFLINE Z:OFFLINE");
	}
}

static void closing_under_lock(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	CHECK(percpu_is_write_locked(&mp_mem_hotplug_lock));
}

TEST(EVENT_14, "each GOING event has exactly one closing event, before the locks are dropped")
{
	static const struct {
		unsigned long refused;
		const char *state;
		int result;
		unsigned long going, closing;
	} steps[] = {
		{ MEM_GOING_ONLINE, "online", -EPERM, MEM_GOING_ONLINE, MEM_CANCEL_ONLINE },
		{ MEM_CANCEL_ONLINE, "online", 0, MEM_GOING_ONLINE, MEM_ONLINE },
		{ MEM_GOING_OFFLINE, "offline", -EPERM, MEM_GOING_OFFLINE, MEM_CANCEL_OFFLINE },
		{ MEM_OFFLINE, "offline", 0, MEM_GOING_OFFLINE, MEM_OFFLINE },
		{ MEM_ONLINE, "online", 0, MEM_GOING_ONLINE, MEM_ONLINE },
	};
	struct listener a = { .hook = closing_under_lock };

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		memset(a.answers, 0, sizeof(a.answers));
		listener_answer(&a, steps[i].refused, NOTIFY_BAD);
		CHECK_EQ(set_state(32, steps[i].state), steps[i].result);
		CHECK_EQ(a.calls, 2 * (i + 1));
		CHECK_EQ(a.seen[2 * i].action, steps[i].going);
		CHECK_EQ(a.seen[2 * i + 1].action, steps[i].closing);
	}
	CHECK(!percpu_is_write_locked(&mp_mem_hotplug_lock));
}

TEST(EVENT_15, "NOTIFY_DONE and NOTIFY_OK change nothing, whichever the event")
{
	struct listener a = { 0 }, veto = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 1);
	listen_as(&veto, "V", 0);
	for (int answer = NOTIFY_DONE; answer <= NOTIFY_OK; answer++) {
		for (int bit = 0; bit < NR_EVENTS; bit++)
			a.answers[bit] = answer;
		memset(veto.answers, 0, sizeof(veto.answers));
		listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
		CHECK_EQ(set_state(32, "online"), -EPERM);
		CHECK_STR(heard(), "A:GOING_ONLINE V:GOING_ONLINE A:CANCEL_ONLINE V:CANCEL_ONLINE");
		listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_OK);
		CHECK_EQ(set_state(32, "online"), 0);
		CHECK_STR(heard(), "A:GOING_ONLINE V:GOING_ONLINE A:ONLINE V:ONLINE");
		listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
		CHECK_EQ(set_state(32, "offline"), -EPERM);
		CHECK_STR(heard(), "A:GOING_OFFLINE V:GOING_OFFLINE A:CANCEL_OFFLINE V:CANCEL_OFFLINE");
		listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_OK);
		CHECK_EQ(set_state(32, "offline"), 0);
		CHECK_STR(heard(), "A:GOING_OFFLINE V:GOING_OFFLINE A:OFFLINE V:OFFLINE");
	}
}

TEST(EVENT_16, "a refused GOING event gives the caller exactly the decoded errno")
{
	static const struct {
		int answer, error;
	} cases[] = {
		{ NOTIFY_BAD, -EPERM },
		{ NOTIFY_STOP_MASK | 0xd, -ENOMEM },
		{ NOTIFY_STOP_MASK | 0x11, -EBUSY },
		{ 5, -EINTR }, /* no stop bit, but the last one asked */
	};
	struct listener a = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		listener_answer(&a, MEM_GOING_ONLINE, cases[i].answer);
		CHECK_EQ(set_state(32, "online"), cases[i].error);
		CHECK_STR(read_block(32, "state"), "offline");
		listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_OK);
		CHECK_EQ(set_state(32, "online"), 0);
		listener_answer(&a, MEM_GOING_OFFLINE, cases[i].answer);
		CHECK_EQ(set_state(32, "offline"), cases[i].error);
		CHECK_STR(read_block(32, "state"), "online");
		listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_OK);
		CHECK_EQ(set_state(32, "offline"), 0);
	}
}

TEST(EVENT_17, "contract=linux-6.1: answers to ONLINE, OFFLINE and both CANCELs are ignored")
{
	struct listener a = { 0 };

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	listener_answer(&a, MEM_ONLINE, NOTIFY_BAD);
	listener_answer(&a, MEM_OFFLINE, notifier_from_errno(-ENOMEM));
	listener_answer(&a, MEM_CANCEL_ONLINE, notifier_from_errno(-EIO));
	listener_answer(&a, MEM_CANCEL_OFFLINE, notifier_from_errno(-EIO));
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(read_block(32, "state"), "online");
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_STR(read_block(32, "state"), "offline");
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), -EPERM);
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "online"), 0);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	machine_check();
}

TEST(EVENT_18, "the stop bit cuts short each of the six events, and in closing ones nothing else")
{
	static const int answers[] = { NOTIFY_BAD, NOTIFY_STOP, NOTIFY_STOP_MASK | 0x11 };
	static const unsigned long closing[] = { MEM_ONLINE, MEM_OFFLINE, MEM_CANCEL_ONLINE,
						 MEM_CANCEL_OFFLINE };
	struct listener a = { 0 }, veto = { 0 }, z = { 0 };

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 1);
	listen_as(&z, "Z", -1);
	listen_as(&veto, "V", 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(answers); i++) {
		memset(a.answers, 0, sizeof(a.answers));
		for (int j = 0; j < 4; j++)
			listener_answer(&a, closing[j], answers[i]);
		CHECK_EQ(set_state(32, "online"), 0);
		CHECK_STR(heard(), "A:GOING_ONLINE V:GOING_ONLINE Z:GOING_ONLINE A:ONLINE");
		listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
		CHECK_EQ(set_state(32, "offline"), -EPERM);
		CHECK_STR(heard(), "A:GOING_OFFLINE V:GOING_OFFLINE A:CANCEL_OFFLINE");
		listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_OK);
		CHECK_EQ(set_state(32, "offline"), 0);
		CHECK_STR(heard(), "A:GOING_OFFLINE V:GOING_OFFLINE Z:GOING_OFFLINE A:OFFLINE");
		listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
		CHECK_EQ(set_state(32, "online"), -EPERM);
		CHECK_STR(heard(), "A:GOING_ONLINE V:GOING_ONLINE A:CANCEL_ONLINE");
		listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_OK);
		/* And the GOING events, which NOTIFY_STOP does not refuse. */
		memset(a.answers, 0, sizeof(a.answers));
		listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_STOP);
		listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_STOP);
		CHECK_EQ(set_state(32, "online"), 0);
		CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE V:ONLINE Z:ONLINE");
		CHECK_EQ(set_state(32, "offline"), 0);
		CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE V:OFFLINE Z:OFFLINE");
	}
}

TEST(EVENT_19, "a refused closing event cancels by the document and not in Linux; the contract decides")
{
	struct listener a = { 0 };

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	listener_answer(&a, MEM_ONLINE, NOTIFY_BAD);
	listener_answer(&a, MEM_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	CHECK_EQ(mp_set_contract("document"), 0);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE A:CANCEL_OFFLINE");
	CHECK_STR(read_block(32, "state"), "online");
	CHECK_EQ(mp_set_contract("linux-6.1"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE");
	CHECK_EQ(mp_set_contract("document"), 0);
	CHECK_EQ(set_state(32, "online"), -EPERM);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE A:CANCEL_ONLINE");
	CHECK_STR(read_block(32, "state"), "offline");
	machine_check();
}
