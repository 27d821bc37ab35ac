/* SPDX-License-Identifier: MIT */
/*
 * The callback, sentence by sentence of the starting document, under the default contract: how it
 * is registered and called, what it is told, and what its four answers do, late vetoes included.
 */
#include "document.h"

static int hidden_calls;
static struct notifier_block *hidden_self;

static int hidden_callback(struct notifier_block *self, unsigned long action, void *arg)
{
	note("hidden", mp_event_name(action) + strlen("MEM_"));
	hidden_self = self;
	hidden_calls++;
	return NOTIFY_OK;
}

static int register_hidden(void)
{
	return hotplug_memory_notifier(hidden_callback, 3);
}

TEST(doc_14_registration, "hotplug_memory_notifier(callback, priority) registers a callback")
{
	machine_boot(NULL);
	CHECK_EQ(register_hidden(), 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_STR(heard(), "hidden:GOING_ONLINE hidden:ONLINE");
	CHECK_EQ(hidden_self->priority, 3);
	CHECK(hidden_self->notifier_call == hidden_callback);
	/* The same place in the program once more is the same registration. */
	allow_warnings();
	CHECK_EQ(register_hidden(), -EEXIST);
	CHECK_EQ(warnings(), 1);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(), "hidden:GOING_OFFLINE hidden:OFFLINE");
}

TEST(doc_15_priority,
     "a callback of higher priority is called before one of lower priority, at every event")
{
	struct listener low = {0}, high = {0}, zero = {0}, veto = {0};

	machine_boot(NULL);
	listen_as(&low, "low", -7);
	listen_as(&high, "high", 100);
	listen_as(&zero, "zero", 0);
	listen_as(&veto, "veto", -100);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_STR(heard(), "high:GOING_ONLINE zero:GOING_ONLINE low:GOING_ONLINE veto:GOING_ONLINE "
			   "high:ONLINE zero:ONLINE low:ONLINE veto:ONLINE");
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(),
		  "high:GOING_OFFLINE zero:GOING_OFFLINE low:GOING_OFFLINE veto:GOING_OFFLINE "
		  "high:OFFLINE zero:OFFLINE low:OFFLINE veto:OFFLINE");
	answer_only(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(FIRST, "online"), -EPERM);
	CHECK_STR(heard(), "high:GOING_ONLINE zero:GOING_ONLINE low:GOING_ONLINE veto:GOING_ONLINE "
			   "high:CANCEL_ONLINE zero:CANCEL_ONLINE low:CANCEL_ONLINE "
			   "veto:CANCEL_ONLINE");
	answer_only(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	heard();
	CHECK_EQ(set_state(FIRST, "offline"), -EPERM);
	CHECK_STR(heard(),
		  "high:GOING_OFFLINE zero:GOING_OFFLINE low:GOING_OFFLINE veto:GOING_OFFLINE "
		  "high:CANCEL_OFFLINE zero:CANCEL_OFFLINE low:CANCEL_OFFLINE "
		  "veto:CANCEL_OFFLINE");
}

static int plain(struct notifier_block *self, unsigned long action, void *arg)
{
	return NOTIFY_OK;
}

TEST(doc_16_prototype,
     "a callback has the prototype int (struct notifier_block *, unsigned long, void *)")
{
	int (*fn)(struct notifier_block * self, unsigned long action, void *arg) = plain;

	/* What the compiler accepts here is the prototype. */
	CHECK(__builtin_types_compatible_p(__typeof__(fn), notifier_fn_t));
	CHECK(__builtin_types_compatible_p(
		__typeof__(fn), __typeof__(((struct notifier_block *)0)->notifier_call)));
}

/* Two registrations of one function, each inside something of its own. */
struct around {
	long before;
	struct notifier_block nb;
	int calls;
};

static int count_mine(struct notifier_block *self, unsigned long action, void *arg)
{
	container_of(self, struct around, nb)->calls++;
	return NOTIFY_OK;
}

TEST(doc_17_self, "the first argument points to the very block that was registered")
{
	struct around first = {.nb.notifier_call = count_mine};
	struct around second = {.nb.notifier_call = count_mine};

	machine_boot(NULL);
	CHECK_EQ(register_memory_notifier(&first.nb), 0);
	CHECK_EQ(register_memory_notifier(&second.nb), 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	unregister_memory_notifier(&second.nb);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_EQ(first.calls, 4);
	CHECK_EQ(second.calls, 2);
	CHECK(first.nb.notifier_call == count_mine);
}

TEST(doc_18_action, "the second argument is one of the six events")
{
	struct listener a = {0};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_EQ(last_seen(&a).action, MEM_ONLINE);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_EQ(last_seen(&a).action, MEM_OFFLINE);
	answer_only(&a, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(FIRST, "online"), -EPERM);
	CHECK_EQ(last_seen(&a).action, MEM_CANCEL_ONLINE);
	CHECK_EQ(a.calls, 6);
}

static void *first_arg;

static void same_structure(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE || action == MEM_GOING_OFFLINE)
		first_arg = arg;
	else
		CHECK(first_arg == arg);
}

TEST(doc_19_arg, "the third argument points to struct memory_notify, one for the whole transaction")
{
	struct listener a = {.hook = same_structure}, b = {0};

	CHECK_EQ(offsetof(struct memory_notify, start_pfn), 0);
	CHECK_EQ(offsetof(struct memory_notify, nr_pages), sizeof(long));
	CHECK_EQ(offsetof(struct memory_notify, status_change_nid_normal), 2 * sizeof(long));
	CHECK_EQ(offsetof(struct memory_notify, status_change_nid), 2 * sizeof(long) + sizeof(int));
	CHECK_EQ(sizeof(struct memory_notify), 2 * sizeof(long) + 2 * sizeof(int));
	machine_boot(NULL);
	listen_as(&a, "A", 1);
	listen_as(&b, "B", 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK(last_seen(&a).arg == last_seen(&b).arg);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK(last_seen(&a).arg == last_seen(&b).arg);
}

TEST(doc_20_start_pfn, "start_pfn is the first page of the memory that goes online or offline")
{
	struct listener a = {0};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 3);
	for (long block = THIRD; block >= FIRST; block--) {
		CHECK_EQ(set_state(block, "online"), 0);
		CHECK_EQ(last_seen(&a).payload.start_pfn, block_pfn(block));
	}
	CHECK_EQ(set_state(SECOND, "offline"), 0);
	CHECK_EQ(last_seen(&a).payload.start_pfn, HOT_PFN + BLOCK_PAGES);
}

TEST(doc_21_nr_pages, "nr_pages is the number of pages that go online or offline: one block")
{
	struct listener a = {0};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 4);
	CHECK_EQ(mp_write_string("/sys/devices/system/memory/auto_online_blocks", "online"), 0);
	add_blocks(NODE, FIRST + 4, 2);
	CHECK_EQ(a.calls, 4);
	CHECK_EQ(last_seen(&a).payload.nr_pages, BLOCK_PAGES);
	CHECK_EQ(last_seen(&a).payload.start_pfn, HOT_PFN + 5 * BLOCK_PAGES);
	CHECK_EQ(set_state(FIRST + 4, "offline"), 0);
	CHECK_EQ(last_seen(&a).payload.nr_pages, BLOCK_PAGES);
}

/* One transaction told (normal, any); the masks are old in the GOING event and new in the final
 * one. */
static void expect_nids(struct listener *a, long block, const char *text, int normal, int any)
{
	CHECK_EQ(set_state(block, text), 0);
	CHECK_EQ(last_seen(a).payload.status_change_nid_normal, normal);
	CHECK_EQ(last_seen(a).payload.status_change_nid, any);
}

TEST(doc_22_status_change_nid_normal,
     "status_change_nid_normal is the node whose N_NORMAL_MEMORY changes")
{
	struct listener a = {0};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 2);
	add_blocks(2, THIRD, 1);
	expect_nids(&a, FIRST, "online_kernel", NODE, NODE);
	CHECK(node_state(NODE, N_NORMAL_MEMORY));
	expect_nids(&a, SECOND, "online_kernel", -1, -1);
	expect_nids(&a, THIRD, "online_kernel", 2, 2);
	expect_nids(&a, FIRST, "offline", -1, -1);
	CHECK(node_state(NODE, N_NORMAL_MEMORY));
	expect_nids(&a, SECOND, "offline", NODE, NODE);
	CHECK(!node_state(NODE, N_NORMAL_MEMORY));
	CHECK(node_state(2, N_NORMAL_MEMORY));
	/* Movable memory is none of its business. */
	expect_nids(&a, FIRST, "online_movable", -1, NODE);
	CHECK(!node_state(NODE, N_NORMAL_MEMORY));
	machine_check();
}

static unsigned long old_masks, new_masks;

static void masks_follow(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	switch (action) {
	case MEM_GOING_ONLINE:
		CHECK(!node_state(NODE, N_MEMORY));
		old_masks++;
		break;
	case MEM_ONLINE:
		CHECK(node_state(NODE, N_MEMORY));
		new_masks++;
		break;
	case MEM_GOING_OFFLINE:
		CHECK(node_state(NODE, N_MEMORY));
		old_masks++;
		break;
	case MEM_OFFLINE:
		CHECK(!node_state(NODE, N_MEMORY));
		new_masks++;
		break;
	}
}

TEST(doc_23_status_change_nid,
     "status_change_nid is the memoryless node that gets memory, or the node that loses all")
{
	struct listener a = {.hook = masks_follow};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_STR(read_file("/sys/devices/system/node/has_memory"), "0");
	expect_nids(&a, FIRST, "online_movable", -1, NODE);
	CHECK_STR(read_file("/sys/devices/system/node/has_memory"), "0-1");
	expect_nids(&a, FIRST, "offline", -1, NODE);
	CHECK_STR(read_file("/sys/devices/system/node/has_memory"), "0");
	CHECK_EQ(old_masks, 2);
	CHECK_EQ(new_masks, 2);
	machine_check();
}

TEST(doc_24_minus_one, "-1 says that the node's state does not change")
{
	struct listener a = {0};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 3);
	expect_nids(&a, FIRST, "online_movable", -1, NODE);
	expect_nids(&a, SECOND, "online_movable", -1, -1);
	/* The node has memory, but no normal memory yet. */
	expect_nids(&a, THIRD, "online_kernel", NODE, -1);
	expect_nids(&a, FIRST, "offline", -1, -1);
	expect_nids(&a, THIRD, "offline", NODE, -1);
	expect_nids(&a, SECOND, "offline", -1, NODE);
	/* Node 0 has its boot memory all along. */
	add_blocks(0, FOURTH, 1);
	expect_nids(&a, FOURTH, "online_movable", -1, -1);
	expect_nids(&a, FOURTH, "offline", -1, -1);
}

/* A subsystem with something of its own for each node that has memory. */
static void *per_node[3];

static void keep_per_node(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	int nid = arg->status_change_nid;

	if (nid < 0)
		return;
	switch (action) {
	case MEM_GOING_ONLINE:
		CHECK(!per_node[nid]);
		per_node[nid] = kzalloc(64, GFP_KERNEL);
		CHECK(per_node[nid]);
		break;
	case MEM_CANCEL_ONLINE:
	case MEM_OFFLINE:
		CHECK(per_node[nid]);
		kfree(per_node[nid]);
		per_node[nid] = NULL;
		break;
	case MEM_CANCEL_OFFLINE:
		/* The offline may have been vetoed after this subsystem had said good-bye. */
		if (!per_node[nid])
			per_node[nid] = kzalloc(64, GFP_KERNEL);
		break;
	}
}

TEST(doc_25_node_structures,
     "callbacks create and discard structures of a node when the nid is >= 0")
{
	struct listener keeper = {.hook = keep_per_node}, veto = {0};

	machine_boot(NULL);
	listen_as(&keeper, "A", 1);
	listen_as(&veto, "V", 0);
	add_blocks(NODE, FIRST, 2);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK(per_node[NODE]);
	CHECK_EQ(set_state(SECOND, "online_movable"), 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK(per_node[NODE]);
	answer_only(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(SECOND, "offline"), -EPERM);
	CHECK(per_node[NODE]);
	answer_only(&veto, MEM_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(SECOND, "offline"), -EPERM);
	CHECK(per_node[NODE]);
	answer_only(&veto, 0, 0);
	CHECK_EQ(set_state(SECOND, "offline"), 0);
	CHECK(!per_node[NODE]);
	answer_only(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(SECOND, "online"), -EPERM);
	CHECK(!per_node[NODE]);
	answer_only(&veto, MEM_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(SECOND, "online"), -EPERM);
	CHECK(!per_node[NODE]);
}

TEST(doc_26_answers, "a callback returns NOTIFY_DONE, NOTIFY_OK, NOTIFY_BAD or NOTIFY_STOP")
{
	CHECK_EQ(NOTIFY_DONE, 0);
	CHECK_EQ(NOTIFY_OK, 1);
	CHECK_EQ(NOTIFY_BAD, 0x8002);
	CHECK_EQ(NOTIFY_STOP, 0x8001);
	CHECK_EQ(notifier_to_errno(NOTIFY_DONE), 0);
	CHECK_EQ(notifier_to_errno(NOTIFY_OK), 0);
	CHECK_EQ(notifier_to_errno(NOTIFY_STOP), 0);
	CHECK_EQ(notifier_to_errno(NOTIFY_BAD), -EPERM);
	CHECK_EQ(notifier_from_errno(-EPERM), NOTIFY_BAD);
	CHECK_EQ(notifier_from_errno(0), NOTIFY_OK);
}

static int answer_always;

static int always(struct notifier_block *self, unsigned long action, void *arg)
{
	return answer_always;
}

TEST(doc_27_done_and_ok, "NOTIFY_DONE and NOTIFY_OK have no effect on what follows")
{
	struct notifier_block first = {.notifier_call = always, .priority = 1};
	struct listener second = {0};
	const int answers[] = {NOTIFY_DONE, NOTIFY_OK};

	machine_boot(NULL);
	CHECK_EQ(register_memory_notifier(&first), 0);
	listen_as(&second, "B", 0);
	add_blocks(NODE, FIRST, 1);
	for (int i = 0; i < 2; i++) {
		answer_always = answers[i];
		CHECK_EQ(set_state(FIRST, "online"), 0);
		CHECK_STR(heard(), "B:GOING_ONLINE B:ONLINE");
		CHECK_EQ(set_state(FIRST, "offline"), 0);
		CHECK_STR(heard(), "B:GOING_OFFLINE B:OFFLINE");
	}
}

static int guard(struct notifier_block *self, unsigned long action, void *arg)
{
	return action == MEM_GOING_ONLINE ? NOTIFY_BAD : NOTIFY_OK;
}

TEST(doc_28_bad_going_online,
     "NOTIFY_BAD to MEM_GOING_ONLINE cancels; the reason names who answered it")
{
	struct mp_reason reason;

	machine_boot(NULL);
	CHECK_EQ(hotplug_memory_notifier(guard, 0), 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online"), -EPERM);
	CHECK_STR(read_block(FIRST, "state"), "offline");
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_VETO);
	CHECK_EQ(reason.error, -EPERM);
	CHECK_EQ(reason.block, HOT_BLOCK);
	CHECK(strstr(reason.actor, "guard"));
	CHECK(strstr(reason.text, "memory32"));
	CHECK_EQ(mp_block_reason(HOT_BLOCK, &reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_VETO);
	machine_check();
}

TEST(doc_29_bad_going_offline, "NOTIFY_BAD to MEM_GOING_OFFLINE cancels")
{
	struct listener veto = {0};
	struct mp_reason reason;
	struct moving page;

	machine_boot(NULL);
	answer_only(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK(moving_take(&page, NODE));
	fill(page.page, 4);
	listen_as(&veto, "V", 0);
	CHECK_EQ(set_state(FIRST, "offline"), -EPERM);
	CHECK_STR(read_block(FIRST, "state"), "online");
	CHECK_EQ(page.moves, 0);
	CHECK(holds(page.page, 4));
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_VETO);
	moving_free(&page);
	machine_check();
}

static struct moving early_user;

static void use_at_once(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_ONLINE) {
		CHECK(moving_take(&early_user, NODE));
		CHECK(in_block(early_user.page, FIRST));
		fill(early_user.page, 11);
	}
}

TEST(doc_30_bad_online,
     "NOTIFY_BAD to MEM_ONLINE cancels: what was taken meanwhile is moved, the block is offline")
{
	struct listener user = {.hook = use_at_once}, last = {0};
	struct listener veto = {0};
	unsigned long present, managed, free_pages;
	struct mp_stats stats;

	machine_boot(NULL);
	answer_only(&veto, MEM_ONLINE, NOTIFY_BAD);
	add_blocks(NODE, FIRST, 1);
	uevents();
	CHECK_EQ(mp_get_stats(&stats), 0);
	present = stats.pages_present;
	managed = stats.pages_managed;
	free_pages = all_free_pages();
	listen_as(&user, "U", 2);
	listen_as(&veto, "V", 1);
	listen_as(&last, "L", 0);
	CHECK_EQ(set_state(FIRST, "online_movable"), -EPERM);
	CHECK_STR(heard(), "U:GOING_ONLINE V:GOING_ONLINE L:GOING_ONLINE U:ONLINE V:ONLINE "
			   "U:CANCEL_ONLINE V:CANCEL_ONLINE L:CANCEL_ONLINE");
	CHECK_EQ(last_seen(&last).payload.start_pfn, HOT_PFN);
	CHECK_EQ(last_seen(&last).payload.nr_pages, BLOCK_PAGES);
	CHECK_EQ(last_seen(&last).payload.status_change_nid, NODE);
	CHECK_EQ(last_seen(&last).payload.status_change_nid_normal, -1);
	CHECK(last_seen(&last).arg == last_seen(&user).arg);
	CHECK_EQ(early_user.moves, 1);
	CHECK(!in_block(early_user.page, FIRST));
	CHECK(holds(early_user.page, 11));
	CHECK_STR(uevents(), "");
	CHECK_STR(read_block(FIRST, "state"), "offline");
	CHECK_STR(read_block(FIRST, "online"), "0");
	CHECK(!node_state(NODE, N_MEMORY));
	CHECK(!pfn_to_online_page(HOT_PFN));
	CHECK_EQ(NODE_DATA(NODE)->node_spanned_pages, 0);
	CHECK_EQ(mp_get_stats(&stats), 0);
	CHECK_EQ(stats.pages_present, present);
	CHECK_EQ(stats.pages_managed, managed);
	CHECK_EQ(all_free_pages(), free_pages - 1);
	CHECK_EQ(stats.late_vetoes, 1);
	CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
	moving_free(&early_user);
	/* It can come online when nobody minds. */
	answer_only(&veto, 0, 0);
	user.hook = NULL;
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	machine_check();
}

static struct page *stuck;

static void stick(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_ONLINE) {
		stuck = alloc_pages_node(NODE, KERNEL, 0);
		CHECK(stuck);
		fill(stuck, 12);
	}
}

TEST(doc_30_bad_online_too_late,
     "where a page taken meanwhile cannot move, the block stays online and all are told")
{
	struct listener user = {.hook = stick}, last = {0};
	struct listener veto = {0};
	struct mp_reason reason;

	machine_boot(NULL);
	answer_only(&veto, MEM_ONLINE, NOTIFY_BAD);
	add_blocks(NODE, FIRST, 1);
	uevents();
	listen_as(&user, "U", 2);
	listen_as(&veto, "V", 1);
	listen_as(&last, "L", 0);
	CHECK_EQ(set_state(FIRST, "online_kernel"), -EBUSY);
	CHECK_STR(heard(),
		  "U:GOING_ONLINE V:GOING_ONLINE L:GOING_ONLINE U:ONLINE V:ONLINE L:ONLINE");
	CHECK_STR(uevents(), "online@memory32");
	CHECK_STR(read_block(FIRST, "state"), "online");
	CHECK_STR(read_block(FIRST, "online"), "1");
	CHECK(node_state(NODE, N_MEMORY));
	CHECK(holds(stuck, 12));
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.error, -EBUSY);
	CHECK_EQ(reason.block, HOT_BLOCK);
	CHECK_EQ(reason.pfn, page_to_pfn(stuck));
	__free_page(stuck);
	machine_check();
}

TEST(doc_31_bad_offline, "NOTIFY_BAD to MEM_OFFLINE cancels: the block is back in its zone")
{
	struct listener first = {0}, last = {0};
	struct listener veto = {0};
	struct mp_stats before, after;
	unsigned long free_pages;
	struct moving moved;
	struct page *page;

	machine_boot(NULL);
	answer_only(&veto, MEM_OFFLINE, notifier_from_errno(-ENOMEM));
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK(moving_take(&moved, NODE));
	fill(moved.page, 13);
	uevents();
	listen_as(&first, "F", 2);
	listen_as(&veto, "V", 1);
	listen_as(&last, "L", 0);
	free_pages = all_free_pages();
	CHECK_EQ(mp_get_stats(&before), 0);
	CHECK_EQ(set_state(FIRST, "offline"), -ENOMEM);
	CHECK_STR(heard(), "F:GOING_OFFLINE V:GOING_OFFLINE L:GOING_OFFLINE F:OFFLINE V:OFFLINE "
			   "F:CANCEL_OFFLINE V:CANCEL_OFFLINE L:CANCEL_OFFLINE");
	CHECK_EQ(last_seen(&last).payload.start_pfn, HOT_PFN);
	CHECK_EQ(last_seen(&last).payload.status_change_nid, NODE);
	CHECK(last_seen(&last).arg == last_seen(&first).arg);
	CHECK_STR(uevents(), "");
	CHECK_STR(read_block(FIRST, "state"), "online");
	CHECK_STR(read_block(FIRST, "valid_zones"), "Movable");
	CHECK(node_state(NODE, N_MEMORY));
	CHECK(pfn_to_online_page(HOT_PFN));
	CHECK_EQ(mp_get_stats(&after), 0);
	CHECK_EQ(after.pages_present, before.pages_present);
	CHECK_EQ(after.pages_managed, before.pages_managed);
	CHECK_EQ(all_free_pages(), free_pages);
	CHECK(holds(moved.page, 13));
	page = alloc_pages_node(NODE, MOVABLE, 0);
	CHECK(page);
	CHECK(in_block(page, FIRST));
	fill(page, 14);
	CHECK(holds(page, 14));
	__free_page(page);
	moving_free(&moved);
	answer_only(&veto, 0, 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	machine_check();
}

TEST(doc_32_bad_stops_the_queue,
     "NOTIFY_BAD stops the queue: those of lower priority do not hear this event")
{
	struct listener veto = {0}, last = {0};

	machine_boot(NULL);
	listen_as(&veto, "V", 1);
	listen_as(&last, "L", 0);
	add_blocks(NODE, FIRST, 1);
	answer_only(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(FIRST, "online"), -EPERM);
	CHECK_STR(heard(), "V:GOING_ONLINE V:CANCEL_ONLINE L:CANCEL_ONLINE");
	/* The closing event cannot be refused, but its queue stops as well. */
	answer_only(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(FIRST, "online"), -EPERM);
	heard();
	answer_only(&veto, MEM_CANCEL_ONLINE, NOTIFY_BAD);
	answer_only(&last, MEM_GOING_ONLINE, notifier_from_errno(-EIO));
	CHECK_EQ(set_state(FIRST, "online"), -EIO);
	CHECK_STR(heard(), "V:GOING_ONLINE L:GOING_ONLINE V:CANCEL_ONLINE");
}

TEST(doc_33_stop, "NOTIFY_STOP stops the queue and nothing else")
{
	struct listener stop = {0}, last = {0};

	machine_boot(NULL);
	listen_as(&stop, "S", 1);
	listen_as(&last, "L", 0);
	add_blocks(NODE, FIRST, 1);
	answer_only(&stop, MEM_GOING_ONLINE, NOTIFY_STOP);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_STR(heard(), "S:GOING_ONLINE S:ONLINE L:ONLINE");
	answer_only(&stop, MEM_GOING_OFFLINE, NOTIFY_STOP);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(), "S:GOING_OFFLINE S:OFFLINE L:OFFLINE");
	answer_only(&stop, MEM_ONLINE, NOTIFY_STOP);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_STR(heard(), "S:GOING_ONLINE L:GOING_ONLINE S:ONLINE");
	answer_only(&stop, MEM_OFFLINE, NOTIFY_STOP);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_STR(heard(), "S:GOING_OFFLINE L:GOING_OFFLINE S:OFFLINE");
	machine_check();
}
