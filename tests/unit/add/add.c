/* SPDX-License-Identifier: MIT */
/* Adding memory: the order of the checks, what an add leaves behind, and what it does not touch. */
#include "../tree.h"

#include <limits.h>

static int worst_level;

static void note_level(int level, const char *text, void *arg)
{
	if (level < worst_level)
		worst_level = level;
}

/* The most severe log line since the last call; 8: none. */
static int logged(void)
{
	int level = worst_level;

	worst_level = 8;
	return level;
}

static void watch_log(void)
{
	mp_set_log_hook(note_level, NULL);
	logged();
}

static int try_add(int nid, u64 start, u64 size)
{
	return add_memory(nid, start, size, MHP_NONE);
}

static long add_hot(void *arg)
{
	return try_add(1, HOT, BLOCK_BYTES);
}

TEST(ADD_1, "add_memory() is __add_memory() under device_hotplug_lock; the resource goes when it fails")
{
	struct worker worker;

	machine_boot(NULL);
	lock_device_hotplug();
	worker_start(&worker, add_hot, NULL);
	worker_await_sleep(&worker);
	CHECK(!block_exists(HOT_BLOCK));
	CHECK_EQ(__add_memory(1, HOT + BLOCK_BYTES, BLOCK_BYTES, MHP_NONE), 0);
	CHECK_STR(hot_resources(), "108000000-10fffffff System RAM");
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(hot_resources(),
		  "100000000-107ffffff System RAM, 108000000-10fffffff System RAM");
	allow_warnings();
	CHECK_EQ(try_add(9, HOT + 2 * BLOCK_BYTES, BLOCK_BYTES), -EINVAL);
	lock_device_hotplug();
	CHECK_EQ(__add_memory(9, HOT + 2 * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE), -EINVAL);
	unlock_device_hotplug();
	CHECK_STR(hot_resources(),
		  "100000000-107ffffff System RAM, 108000000-10fffffff System RAM");
}

TEST(ADD_2, "what cannot be addressed is -E2BIG before any other check, size 0 and wrap-around too")
{
	static struct text before, after;

	machine_boot(NULL); /* 64 GiB */
	snapshot(&before);
	watch_log();
	CHECK_EQ(try_add(1, HOT, 0), -E2BIG);
	CHECK_LE(logged(), 4);
	CHECK_EQ(try_add(1, 64UL << 30, BLOCK_BYTES), -E2BIG);
	CHECK_LE(logged(), 4);
	CHECK_EQ(try_add(1, (64UL << 30) - BLOCK_BYTES, 2 * BLOCK_BYTES), -E2BIG);
	CHECK_EQ(try_add(1, -BLOCK_BYTES, 2 * BLOCK_BYTES), -E2BIG);
	CHECK_EQ(try_add(1, HOT, -BLOCK_BYTES), -E2BIG);
	CHECK_EQ(try_add(1, 0, ~0ULL), -E2BIG);
	/* Taken, misaligned, no such node: not even looked at. */
	CHECK_EQ(try_add(1, 0, 0), -E2BIG);
	CHECK_EQ(try_add(77, (64UL << 30) - 5, 6), -E2BIG);
	CHECK_EQ(add_memory(77, ~0ULL, 1, MHP_NID_IS_MGID), -E2BIG);
	CHECK_EQ(add_memory_driver_managed(77, ~0ULL - 1, 5, "System RAM (x)", MHP_NONE), -E2BIG);
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	/* Up to the last byte is fine. */
	CHECK_EQ(try_add(1, (64UL << 30) - BLOCK_BYTES, BLOCK_BYTES), 0);
}

TEST(ADD_4, "any overlap with what is busy is -EEXIST, also when misaligned, of no node or of no group")
{
	static struct text before, after;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK + 1, 1);
	snapshot(&before);
	CHECK_EQ(try_add(1, HOT + BLOCK_BYTES, BLOCK_BYTES), -EEXIST);
	CHECK_EQ(try_add(1, HOT, 2 * BLOCK_BYTES), -EEXIST);
	CHECK_EQ(try_add(1, HOT, 3 * BLOCK_BYTES), -EEXIST);
	CHECK_EQ(try_add(1, HOT + BLOCK_BYTES + 5, 1), -EEXIST);
	CHECK_EQ(try_add(1, HOT + 2 * BLOCK_BYTES - 1, BLOCK_BYTES), -EEXIST);
	CHECK_EQ(try_add(0, 0, BLOCK_BYTES), -EEXIST);
	CHECK_EQ(try_add(77, HOT + BLOCK_BYTES, BLOCK_BYTES), -EEXIST);
	CHECK_EQ(add_memory(77, HOT + BLOCK_BYTES, BLOCK_BYTES, MHP_NID_IS_MGID), -EEXIST);
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	/* What only touches is free. */
	CHECK_EQ(try_add(1, HOT, BLOCK_BYTES), 0);
	CHECK_EQ(try_add(1, HOT + 2 * BLOCK_BYTES, BLOCK_BYTES), 0);
}

TEST(ADD_5, "start and size are multiples of the block size, else an error in the log and -EINVAL")
{
	static struct text before, after;

	machine_boot(NULL);
	snapshot(&before);
	watch_log();
	CHECK_EQ(try_add(1, HOT + PAGE_SIZE, BLOCK_BYTES), -EINVAL);
	CHECK_LE(logged(), 3);
	CHECK_EQ(try_add(1, HOT, BLOCK_BYTES + PAGE_SIZE), -EINVAL);
	CHECK_LE(logged(), 3);
	CHECK_EQ(try_add(1, HOT, 1), -EINVAL);
	CHECK_EQ(try_add(1, HOT + BLOCK_BYTES / 2, BLOCK_BYTES / 2), -EINVAL);
	/* Before group and node: no WARN of an impossible node. */
	CHECK_EQ(try_add(77, HOT, BLOCK_BYTES / 2), -EINVAL);
	snapshot(&after);
	CHECK_STR(after.at, before.at);
}

TEST(ADD_6, "MHP_NID_IS_MGID: the group's node; -EINVAL for an unknown group")
{
	int id;

	machine_boot(NULL);
	id = memory_group_register_static(2, 8 * BLOCK_PAGES);
	CHECK_EQ(id, 0);
	/* No WARN: it is not taken for a node. */
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_NID_IS_MGID), -EINVAL);
	CHECK_EQ(add_memory(-1, HOT, BLOCK_BYTES, MHP_NID_IS_MGID), -EINVAL);
	CHECK_EQ(add_memory(INT_MAX, HOT, BLOCK_BYTES, MHP_NID_IS_MGID), -EINVAL);
	CHECK(!block_exists(HOT_BLOCK));
	CHECK_EQ(add_memory(id, HOT, BLOCK_BYTES, MHP_NID_IS_MGID), 0);
	CHECK(exists(NODE_ROOT "/node2/memory32"));
	CHECK(!exists(NODE_ROOT "/node0/memory32"));
}

TEST(ADD_7, "a node that is not possible, whatever the number, is a WARN and -EINVAL")
{
	static const int nodes[] = { 4, 5, -1, -2, 1023, 1024, 100000, INT_MAX, INT_MIN };
	static struct text before, after;
	size_t i;

	machine_boot(NULL);
	snapshot(&before);
	allow_warnings();
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		if (try_add(nodes[i], HOT, BLOCK_BYTES) != -EINVAL)
			FAIL("node %d was taken", nodes[i]);
		CHECK_EQ(warnings(), (int)i + 1);
	}
	snapshot(&after);
	CHECK_STR(after.at, before.at);
}

static int locked_at_add;

static void look_at_lock(const char *text, size_t size, void *arg)
{
	if (!strncmp(text, "add@", 4) && percpu_is_write_locked(&mp_mem_hotplug_lock))
		locked_at_add++;
}

TEST(ADD_8, "under mem_hotplug_lock the data of a node that is offline are set up")
{
	struct pglist_data *pgdat;
	int i;

	machine_boot(NULL);
	CHECK_EQ(mp_uevent_listen(look_at_lock, NULL), 0);
	CHECK(!node_online(2));
	add_blocks(2, HOT_BLOCK, 1);
	CHECK_EQ(locked_at_add, 2); /* block and node */
	CHECK(!percpu_is_write_locked(&mp_mem_hotplug_lock));
	CHECK(node_online(2));
	pgdat = NODE_DATA(2);
	CHECK_EQ(pgdat->node_id, 2);
	CHECK_EQ(pgdat->node_spanned_pages, 0UL);
	for (i = 0; i < MAX_NR_ZONES; i++)
		CHECK_EQ(pgdat->node_zones[i].spanned_pages, 0UL);
}

TEST(ADD_9, "MHP_MEMMAP_ON_MEMORY: one block that can hold its descriptors and with the parameter on, else -EINVAL")
{
	static struct text before, after;
	struct memory_block *mem;

	machine_boot("memory_hotplug.memmap_on_memory = Y\n");
	CHECK(mhp_supports_memmap_on_memory(BLOCK_BYTES));
	CHECK(!mhp_supports_memmap_on_memory(2 * BLOCK_BYTES));
	CHECK(!mhp_supports_memmap_on_memory(BLOCK_BYTES / 2));
	CHECK(!mhp_supports_memmap_on_memory(0));
	snapshot(&before);
	CHECK_EQ(add_memory(1, HOT, 2 * BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), -EINVAL);
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	mem = get_block(HOT_BLOCK);
	CHECK_EQ(mem->nr_vmemmap_pages, 512UL); /* 2 MiB for 32768 descriptors */
	put_device(&mem->dev);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(zone_of(1, ZONE_NORMAL)->present_pages, BLOCK_PAGES);
	CHECK_EQ(zone_managed_pages(zone_of(1, ZONE_NORMAL)), BLOCK_PAGES - 512);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(zone_of(1, ZONE_NORMAL)->present_pages, 0UL);
	/* Without the flag a block holds nothing but pages. */
	add_blocks(1, HOT_BLOCK + 1, 1);
	mem = get_block(HOT_BLOCK + 1);
	CHECK_EQ(mem->nr_vmemmap_pages, 0UL);
	put_device(&mem->dev);
	machine_check();
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot(NULL);
	CHECK(!mhp_supports_memmap_on_memory(BLOCK_BYTES));
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), -EINVAL);
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot("block = 64M\nmemory_hotplug.memmap_on_memory = Y\n");
	CHECK(!mhp_supports_memmap_on_memory(64 << 20));
	CHECK_EQ(add_memory(1, HOT, 64 << 20, MHP_MEMMAP_ON_MEMORY), -EINVAL);
}

TEST(ADD_17, "a plain add leaves blocks that are offline, and nothing present, managed or spanned")
{
	unsigned long total;
	int block, i;

	machine_boot(NULL);
	total = totalram_pages();
	CHECK_EQ(try_add(3, HOT, 3 * BLOCK_BYTES), 0);
	for (block = HOT_BLOCK; block < HOT_BLOCK + 3; block++) {
		CHECK_STR(read_block(block, "state"), "offline");
		CHECK_STR(read_block(block, "online"), "0");
	}
	CHECK(!block_exists(HOT_BLOCK + 3));
	CHECK_EQ(totalram_pages(), total);
	for (i = 0; i < MAX_NR_ZONES; i++) {
		CHECK_EQ(zone_of(3, i)->present_pages, 0UL);
		CHECK_EQ(zone_of(3, i)->spanned_pages, 0UL);
		CHECK_EQ(zone_managed_pages(zone_of(3, i)), 0UL);
	}
	CHECK_EQ(alloc_pages_node(3, MOVABLE, 0), NULL);
	CHECK(!node_state(3, N_MEMORY));
}

TEST(ADD_22, "adding notifies nobody, but for what onlines by itself")
{
	static struct listener listener;

	machine_boot(NULL);
	listen_as(&listener, "A", 0);
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_STR(heard(), "");
	CHECK_EQ(mp_write_string(MEMORY "/auto_online_blocks", "online"), 0);
	add_blocks(1, HOT_BLOCK + 2, 1);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	CHECK_EQ(listener.seen[0].payload.start_pfn, block_pfn(HOT_BLOCK + 2));
}

TEST(ADD_23, "the pluggable range goes from 0 to the last byte that can be addressed")
{
	struct range range;

	machine_boot(NULL);
	range = mhp_get_pluggable_range(true);
	CHECK_EQ(range.start, 0ULL);
	CHECK_EQ(range.end, (64ULL << 30) - 1);
	range = mhp_get_pluggable_range(false);
	CHECK_EQ(range.start, 0ULL);
	CHECK_EQ(range.end, (64ULL << 30) - 1);
	CHECK(mhp_range_allowed(0, 64ULL << 30, true));
	CHECK(mhp_range_allowed((64ULL << 30) - 1, 1, true));
	CHECK(!mhp_range_allowed((64ULL << 30) - 1, 2, true));
	CHECK(!mhp_range_allowed(64ULL << 30, 1, true));
	CHECK(!mhp_range_allowed(0, (64ULL << 30) + 1, false));
	CHECK(!mhp_range_allowed(HOT, 0, true));
	CHECK(!mhp_range_allowed(~0ULL, 1, true));
	CHECK(!mhp_range_allowed(HOT, ~0ULL, false));
}

TEST(ADD_24, "disjoint adds are independent, and any possible node takes any address")
{
	machine_boot(NULL);
	add_blocks(3, 3, 1);
	add_blocks(1, 100, 1);
	add_blocks(2, 50, 1);
	add_blocks(1, 51, 1);
	add_blocks(0, 101, 1);
	CHECK_STR(read_file(NODE_ROOT "/online"), "0-3");
	CHECK_EQ(set_state(51, "online"), 0);
	CHECK_EQ(set_state(3, "online_movable"), 0);
	CHECK(exists(MEMORY "/memory3/node3") && exists(MEMORY "/memory51/node1"));
	CHECK_EQ(remove_blocks(50, 1), 0);
	CHECK_STR(read_block(51, "state"), "online");
	CHECK_STR(read_block(3, "valid_zones"), "Movable");
	CHECK_STR(read_file(NODE_ROOT "/online"), "0-1,3");
	machine_check();
}
