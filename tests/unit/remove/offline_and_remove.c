/* SPDX-License-Identifier: MIT */
/* offline_and_remove_memory(): all blocks offline and gone, or all as they were. */
#include "../tree.h"

static int offline_and_remove(long first, int count)
{
	return offline_and_remove_memory((u64)first * BLOCK_BYTES, (u64)count * BLOCK_BYTES);
}

TEST(REMOVE_10, "what is not whole blocks, or nothing, is -EINVAL before any lock")
{
	static struct listener listener;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	listen_as(&listener, "A", 0);
	lock_device_hotplug();
	CHECK_EQ(offline_and_remove_memory(HOT, 0), -EINVAL);
	CHECK_EQ(offline_and_remove_memory(HOT + PAGE_SIZE, BLOCK_BYTES), -EINVAL);
	CHECK_EQ(offline_and_remove_memory(HOT, BLOCK_BYTES + PAGE_SIZE), -EINVAL);
	CHECK_EQ(offline_and_remove_memory(HOT, PAGE_SIZE), -EINVAL);
	CHECK_EQ(offline_and_remove_memory(-BLOCK_BYTES, 2 * BLOCK_BYTES), -EINVAL);
	unlock_device_hotplug();
	CHECK_STR(heard(), "");
	CHECK_STR(read_block(HOT_BLOCK, "state"), "online");
}

static void note_pfn(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	char number[16];

	snprintf(number, sizeof(number), "%lu", arg->start_pfn / BLOCK_PAGES);
	note("at", number);
}

TEST(REMOVE_11, "it offlines upwards, passes over what is offline, and stops at the first that fails")
{
	static struct listener listener = { .hook = note_pfn };

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 4);
	CHECK_EQ(set_state(HOT_BLOCK + 3, "online"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "online"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	listen_as(&listener, "A", 0);
	CHECK_EQ(offline_and_remove(HOT_BLOCK, 4), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE at:32 A:OFFLINE at:32 A:GOING_OFFLINE at:33 A:OFFLINE at:33 "
			   "A:GOING_OFFLINE at:35 A:OFFLINE at:35");
	/* Boot block 0 has no single zone: block 1 is not tried. */
	CHECK_EQ(offline_and_remove(0, 2), -EINVAL);
	CHECK_STR(heard(), "");
	CHECK_STR(read_block(1, "state"), "online");
}

TEST(REMOVE_12, "when all are offline the range is removed, and that result returned")
{
	machine_boot("memory_hotplug.memmap_on_memory = Y\n");
	uevents();
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "online"), 0);
	uevents();
	CHECK_EQ(offline_and_remove(HOT_BLOCK, 2), 0);
	CHECK_STR(uevents(), "offline@memory33 remove@memory32 remove@memory33 remove@node1");
	CHECK_STR(hot_resources(), "");
	/* A removal that refuses. */
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	CHECK_EQ(add_memory(1, HOT + BLOCK_BYTES, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	uevents();
	CHECK_EQ(offline_and_remove(HOT_BLOCK, 2), -EINVAL);
	CHECK_STR(uevents(), "offline@memory32 online@memory32");
	CHECK_STR(read_block(HOT_BLOCK, "valid_zones"), "Movable");
	CHECK_STR(read_block(HOT_BLOCK + 1, "state"), "offline");
	machine_check();
}

/* Vetoes: going offline at one block, going online at another. */
static long no_offline = -1, no_online = -1;

static void veto_at(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	long block = (long)(arg->start_pfn / BLOCK_PAGES);

	listener_answer(me, MEM_GOING_OFFLINE,
			block == no_offline ? notifier_from_errno(-EXDEV) : NOTIFY_OK);
	listener_answer(me, MEM_GOING_ONLINE,
			block == no_online ? notifier_from_errno(-ENOMEM) : NOTIFY_OK);
}

TEST(REMOVE_13, "roll-back: what it offlined comes back, upwards, into its kind of zone; the first error is returned")
{
	static struct listener listener = { .hook = veto_at };

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 5);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_EQ(set_state(35, "online_movable"), 0);
	CHECK_EQ(set_state(36, "online_kernel"), 0);
	listen_as(&listener, "A", 0);
	no_offline = 36;
	uevents();
	CHECK_EQ(offline_and_remove(HOT_BLOCK, 5), -EXDEV);
	CHECK_STR(uevents(), "offline@memory32 offline@memory33 offline@memory35 "
			     "online@memory32 online@memory33 online@memory35");
	CHECK_STR(read_block(32, "valid_zones"), "Normal");
	CHECK_STR(read_block(33, "valid_zones"), "Movable");
	CHECK_STR(read_block(34, "state"), "offline");
	CHECK_STR(read_block(35, "valid_zones"), "Movable");
	CHECK_STR(read_block(36, "valid_zones"), "Normal");
	/* One that does not come back is passed over. */
	no_online = 33;
	CHECK_EQ(offline_and_remove(HOT_BLOCK, 5), -EXDEV);
	CHECK_STR(read_block(32, "state"), "online");
	CHECK_STR(read_block(33, "state"), "offline");
	CHECK_STR(read_block(34, "state"), "offline");
	CHECK_STR(read_block(35, "valid_zones"), "Movable");
	machine_check();
}

TEST(REMOVE_14, "roll-back is made of full transactions: events and uevents of offline and online")
{
	static struct listener listener = { .hook = veto_at };

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(set_state(33, "online"), 0);
	listen_as(&listener, "A", 0);
	no_offline = 33;
	uevents();
	CHECK_EQ(offline_and_remove(HOT_BLOCK, 2), -EXDEV);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE A:GOING_OFFLINE A:CANCEL_OFFLINE A:GOING_ONLINE A:ONLINE");
	CHECK_STR(uevents(), "offline@memory32 online@memory32");
	CHECK_EQ(last_seen(&listener).payload.start_pfn, block_pfn(32));
}

TEST(REMOVE_15, "after a roll-back only Movable or kernel is as before: spans decide the kernel zone anew")
{
	static struct listener listener = { .hook = veto_at };

	/* DMA32 spans the hole of block 3, because of block 4. */
	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "ram 0 384M node 0\n"
			  "ram 512M 128M node 0\n");
	add_blocks(0, 3, 1);
	add_blocks(0, 5, 1);
	CHECK_EQ(set_state(3, "online_kernel"), 0);
	CHECK_EQ(set_state(5, "online_movable"), 0);
	CHECK_STR(read_block(3, "valid_zones"), "DMA32");
	CHECK_STR(read_block(4, "valid_zones"), "DMA32");
	listen_as(&listener, "A", 0);
	no_offline = 5;
	CHECK_EQ(offline_and_remove(3, 3), -EXDEV);
	CHECK_STR(read_block(3, "valid_zones"), "Normal");
	CHECK_STR(read_block(4, "valid_zones"), "Normal");
	CHECK_STR(read_block(5, "valid_zones"), "Movable");
	machine_check();
}
