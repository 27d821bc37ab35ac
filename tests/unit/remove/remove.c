/* SPDX-License-Identifier: MIT */
/* remove_memory() and __remove_memory(): what they refuse, in which order they undo, what they leave alone. */
#include "../tree.h"

static struct text before, after;

static long remove_hot(void *arg)
{
	return remove_blocks(HOT_BLOCK, 1);
}

TEST(REMOVE_1, "remove_memory() holds device_hotplug_lock and returns what the removal did")
{
	struct worker worker;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	lock_device_hotplug();
	worker_start(&worker, remove_hot, NULL);
	worker_await_sleep(&worker);
	CHECK(block_exists(HOT_BLOCK));
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK(!block_exists(HOT_BLOCK));
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), -EBUSY);
	/* The lock is free again. */
	lock_device_hotplug();
	unlock_device_hotplug();
}

static void misaligned(int fatal)
{
	add_blocks(1, HOT_BLOCK, 2);
	snapshot(&before);
	CHECK_EQ(remove_memory(HOT, 0), -EINVAL);
	CHECK_EQ(fatals(), fatal);
	CHECK_EQ(remove_memory(HOT + PAGE_SIZE, BLOCK_BYTES), -EINVAL);
	CHECK_EQ(remove_memory(HOT, BLOCK_BYTES + PAGE_SIZE), -EINVAL);
	CHECK_EQ(remove_memory(HOT, BLOCK_BYTES / 2), -EINVAL);
	CHECK_EQ(fatals(), 4 * fatal);
	snapshot(&after);
	CHECK_STR(after.at, before.at);
}

TEST(REMOVE_2, "linux-6.1: what is not whole blocks, or nothing, is fatal")
{
	machine_boot(LINUX);
	allow_fatal();
	misaligned(1);
}

TEST(REMOVE_2, "document: what is not whole blocks, or nothing, is -EINVAL")
{
	machine_boot(NULL);
	misaligned(0);
	CHECK_EQ(remove_memory(-BLOCK_BYTES, 2 * BLOCK_BYTES), -EINVAL);
}

static int worst_level = 8;

static void note_level(int level, const char *text, void *arg)
{
	if (level < worst_level)
		worst_level = level;
}

TEST(REMOVE_3, "a block that is not offline is a warning and -EBUSY, and nothing changes")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 3);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "online"), 0);
	uevents();
	snapshot(&before);
	mp_set_log_hook(note_level, NULL);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 3), -EBUSY);
	CHECK_LE(worst_level, 4);
	CHECK_STR(uevents(), "");
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "offline"), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 3), 0);
	CHECK(!block_exists(HOT_BLOCK) && !block_exists(HOT_BLOCK + 1) &&
	      !block_exists(HOT_BLOCK + 2));
}

TEST(REMOVE_4, "missing blocks are no error, only a WARN, also when none was there")
{
	machine_boot(NULL);
	allow_warnings();
	CHECK_EQ(remove_blocks(HOT_BLOCK, 2), 0);
	CHECK_GT(warnings(), 0);
	add_blocks(1, HOT_BLOCK, 1);
	add_blocks(1, HOT_BLOCK + 2, 1);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 3), 0);
	CHECK(!block_exists(HOT_BLOCK) && !block_exists(HOT_BLOCK + 2));
	machine_check();
	add_blocks(1, HOT_BLOCK, 3);
	CHECK_EQ(set_state(HOT_BLOCK + 2, "online"), 0);
}

TEST(REMOVE_5, "blocks that hold their own descriptors go one by one, else -EINVAL")
{
	machine_boot("memory_hotplug.memmap_on_memory = Y\n");
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), 0);
	CHECK_EQ(add_memory(1, HOT + BLOCK_BYTES, BLOCK_BYTES, MHP_NONE), 0);
	CHECK_EQ(add_memory(1, HOT + 2 * BLOCK_BYTES, 2 * BLOCK_BYTES, MHP_NONE), 0);
	uevents();
	snapshot(&before);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 2), -EINVAL);
	CHECK_STR(uevents(), "");
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK + 1, 1), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK + 2, 2), 0);
	CHECK_STR(hot_resources(), "");
	machine_check();
}

static char order[1024];

static void look_around(const char *text, size_t size, void *arg)
{
	size_t used = strlen(order);

	if (strncmp(text, "remove@", 7))
		return;
	snprintf(order + used, sizeof(order) - used, "%s: map %d link %d resource %d lock %d section %d\n",
		 strrchr(text, '/') + 1, exists(MEMMAP "/1"), exists(NODE_ROOT "/node1/memory32"),
		 !!resource_at(&iomem_resource, HOT), percpu_is_write_locked(&mp_mem_hotplug_lock),
		 pfn_valid(HOT_PFN));
}

TEST(REMOVE_6, "order: firmware map, devices upwards, and under the lock sections, resource, node")
{
	struct memory_group *group;
	int id;

	machine_boot(NULL);
	id = memory_group_register_static(1, 8 * BLOCK_PAGES);
	group = memory_group_find_by_id(id);
	CHECK_EQ(add_memory(id, HOT, 2 * BLOCK_BYTES, MHP_NID_IS_MGID), 0);
	uevents();
	CHECK_EQ(mp_uevent_listen(look_around, NULL), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 2), 0);
	CHECK_STR(uevents(), "remove@memory32 remove@memory33 remove@node1");
	CHECK_STR(order, "memory32: map 0 link 0 resource 1 lock 0 section 1\n"
			 "memory33: map 0 link 0 resource 1 lock 0 section 1\n"
			 "node1: map 0 link 0 resource 0 lock 1 section 0\n");
	CHECK(list_empty(&group->memory_blocks));
	CHECK_EQ(memory_group_unregister(id), 0);
	CHECK(!node_online(1));
	/* All of it can come back. */
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	machine_check();
}

TEST(REMOVE_6, "the node of the last block walked goes offline when nothing of it is left")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	add_blocks(2, HOT_BLOCK + 1, 1);
	uevents();
	CHECK_EQ(remove_blocks(HOT_BLOCK, 2), 0);
	CHECK_STR(uevents(), "remove@memory32 remove@memory33 remove@node2");
	CHECK(node_online(1) && !node_online(2));
}

TEST(REMOVE_7, "__remove_memory() makes any failure fatal and takes no device_hotplug_lock itself")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	allow_fatal();
	lock_device_hotplug();
	__remove_memory(HOT, BLOCK_BYTES);
	CHECK_EQ(fatals(), 1);
	CHECK(block_exists(HOT_BLOCK));
	__remove_memory(HOT + BLOCK_BYTES, BLOCK_BYTES);
	CHECK_EQ(fatals(), 1);
	CHECK(!block_exists(HOT_BLOCK + 1));
	__remove_memory(HOT, PAGE_SIZE);
	CHECK_EQ(fatals(), 2);
	unlock_device_hotplug();
}

TEST(REMOVE_8, "removal notifies nobody and changes no span or count")
{
	static struct listener listener;
	char zones[16384];

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 4);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 3, "online"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 2, "online_movable"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 2, "offline"), 0);
	listen_as(&listener, "A", 0);
	snprintf(zones, sizeof(zones), "%.16383s", raw("/proc/zoneinfo"));
	CHECK_EQ(remove_blocks(HOT_BLOCK + 1, 2), 0);
	CHECK_STR(raw("/proc/zoneinfo"), zones);
	CHECK_STR(heard(), "");
	machine_check();
}
