/* SPDX-License-Identifier: MIT */
/* status_change_nid and status_change_nid_normal (EVENT-20..25). Each test has its own listener. */
#include "machine.h"

#define NODE 1

/* What the last transaction said. */
static void said(struct listener *a, int normal, int any)
{
	CHECK_GE(a->calls, 2);
	for (int i = a->calls - 2; i < a->calls; i++) {
		CHECK_EQ(a->seen[i].payload.status_change_nid_normal, normal);
		CHECK_EQ(a->seen[i].payload.status_change_nid, any);
	}
}

static void expect(struct listener *a, long block, const char *text, int normal, int any)
{
	CHECK_EQ(set_state(block, text), 0);
	said(a, normal, any);
}

TEST(EVENT_20, "both are -1 unless the node's state changes, then the node of the zone")
{
	struct listener a = { 0 };

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(0, 32, 1);
	add_blocks(3, 33, 1);
	expect(&a, 32, "online_kernel", -1, -1);
	expect(&a, 33, "online_kernel", 3, 3);
	expect(&a, 32, "offline", -1, -1);
	expect(&a, 33, "offline", 3, 3);
}

TEST(EVENT_21, "online: nid if the node had no memory, normal if it had none up to Normal and now gets it")
{
	struct listener a = { 0 };

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, 32, 3);
	add_blocks(2, 40, 2);
	expect(&a, 32, "online_movable", -1, NODE);
	expect(&a, 33, "online_kernel", NODE, -1);
	expect(&a, 34, "online_kernel", -1, -1);
	expect(&a, 40, "online_kernel", 2, 2);
	expect(&a, 41, "online_movable", -1, -1);
	/* A refused online promised the same. */
	CHECK_EQ(set_state(40, "offline"), 0);
	CHECK_EQ(set_state(41, "offline"), 0);
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(41, "online_kernel"), -EPERM);
	said(&a, 2, 2);
}

TEST(EVENT_22, "offline: the pages that leave are compared with those the node has")
{
	struct listener a = { 0 };

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, 32, 4);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	CHECK_EQ(set_state(34, "online_movable"), 0);
	expect(&a, 33, "offline", -1, -1);
	expect(&a, 32, "offline", NODE, -1);
	expect(&a, 34, "offline", -1, NODE);
	/* The other way round: Movable goes first. */
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(set_state(34, "online_movable"), 0);
	expect(&a, 34, "offline", -1, -1);
	expect(&a, 32, "offline", NODE, NODE);
	/* A refused offline promised the same. */
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	said(&a, NODE, NODE);
}

TEST(EVENT_23, "a node whose last block holds its own descriptors still reports its nid")
{
	struct listener a = { 0 };

	machine_boot("memmap_on_memory = Y\n");
	listen_as(&a, "A", 0);
	CHECK_EQ(add_memory(NODE, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	expect(&a, 32, "online_kernel", NODE, NODE);
	CHECK_EQ(zone_of(NODE, ZONE_NORMAL)->present_pages, BLOCK_PAGES);
	CHECK_EQ(last_seen(&a).payload.nr_pages, BLOCK_PAGES - 512);
	expect(&a, 32, "offline", NODE, NODE);
	CHECK(!node_state(NODE, N_MEMORY));
	machine_check();
}

static struct {
	int going, closing;
} masks;

static void look_at_masks(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	bool memory = node_state(NODE, N_MEMORY), normal = node_state(NODE, N_NORMAL_MEMORY);

	CHECK_EQ(arg->status_change_nid, NODE);
	CHECK_EQ(arg->status_change_nid_normal, NODE);
	switch (action) {
	case MEM_GOING_ONLINE:
	case MEM_CANCEL_ONLINE:
		CHECK(!memory && !normal);
		break;
	case MEM_ONLINE:
	case MEM_GOING_OFFLINE:
	case MEM_CANCEL_OFFLINE:
		CHECK(memory && normal);
		break;
	case MEM_OFFLINE:
		CHECK(!memory && !normal);
		break;
	}
	if (action == MEM_GOING_ONLINE || action == MEM_GOING_OFFLINE)
		masks.going++;
	else
		masks.closing++;
}

TEST(EVENT_24, "the node masks are old in GOING and CANCEL events and new in the final ones")
{
	struct listener a = { .hook = look_at_masks }, veto = { 0 };

	machine_boot(NULL);
	listen_as(&a, "A", 1);
	listen_as(&veto, "V", 0);
	add_blocks(NODE, 32, 1);
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online_kernel"), -EPERM);
	CHECK(!node_state(NODE, N_MEMORY));
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK(node_state(NODE, N_MEMORY));
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(masks.going, 4);
	CHECK_EQ(masks.closing, 4);
}

TEST(EVENT_25, "N_HIGH_MEMORY is N_NORMAL_MEMORY and has no member of its own")
{
	CHECK_EQ(N_HIGH_MEMORY, N_NORMAL_MEMORY);
	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK(node_state(NODE, N_HIGH_MEMORY));
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK(!node_state(NODE, N_HIGH_MEMORY));
	/* Device memory would have no present pages; the test of it is that of the present ones. */
	CHECK_EQ(zone_of(NODE, ZONE_DEVICE)->present_pages, 0);
}
