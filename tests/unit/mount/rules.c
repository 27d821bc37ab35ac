/* SPDX-License-Identifier: MIT */
/* What a user-space machine owes to the kernel's rules beside its files: locks, uevents, numbers, hooks. */
#include "machine.h"

#include <errno.h>
#include <linux/memory_hotplug.h>
#include <memplug/tree.h>

static long online_32(void *arg)
{
	return set_state(32, "online");
}

TEST(MAP_1, "a reader of mem_hotplug_lock delays an onlining, which goes on when it leaves")
{
	struct worker worker;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	get_online_mems();
	worker_start(&worker, online_32, NULL);
	worker_await_sleep(&worker);
	CHECK_STR(read_block(32, "state"), "offline");
	put_online_mems();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(read_block(32, "state"), "online");
	machine_check();
}

static char uevent[2048];
static size_t uevent_size;

static void keep_uevent(const char *text, size_t size, void *arg)
{
	memcpy(uevent, text, size);
	uevent_size = size;
}

TEST(MAP_6, "a uevent reaches a listener with the kernel's bytes")
{
	static const char expected[] = "online@/devices/system/memory/memory32\0ACTION=online\0"
				       "DEVPATH=/devices/system/memory/memory32\0SUBSYSTEM=memory\0SEQNUM=";
	const char *number = uevent + sizeof(expected) - 1;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(mp_uevent_listen(keep_uevent, NULL), 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_GT(uevent_size, sizeof(expected));
	CHECK(!memcmp(uevent, expected, sizeof(expected) - 1));
	CHECK_GT(atol(number), 0);
	CHECK_EQ(uevent_size, (size_t)(number - uevent) + strlen(number) + 1);
	CHECK_EQ(mp_uevent_unlisten(keep_uevent, NULL), 0);
}

static long meminfo(const char *key)
{
	const char *at = strstr(read_file("/sys/devices/system/node/node1/meminfo"), key);

	CHECK(at);
	return atol(at + strlen(key));
}

TEST(MAP_7, "a node's numbers are those of its pages: what is taken is missing")
{
	static struct page *pages[2 * BLOCK_PAGES];
	unsigned long count;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(meminfo("MemTotal:"), BLOCK_BYTES / 1024);
	CHECK_EQ(meminfo("MemFree:"), BLOCK_BYTES / 1024);
	count = take_all(1, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE, pages, ARRAY_SIZE(pages));
	CHECK_EQ(meminfo("MemFree:"), meminfo("MemTotal:") - 4 * (long)count);
	CHECK_GT(count, BLOCK_PAGES / 2);
	free_all(pages, count);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(meminfo("MemTotal:"), 0);
	machine_check();
}

static void offline_inside(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE)
		CHECK_EQ(set_state(33, "offline"), -EDEADLK);
}

TEST(MAP_8, "what would warn, stop or hang a kernel calls a hook, and the program lives")
{
	static struct listener listener = { .hook = offline_inside };

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	allow_warnings();
	allow_fatal();
	listen_as(&listener, "inside", 0);
	CHECK_EQ(register_memory_notifier(&listener.nb), -EEXIST);
	CHECK_EQ(warnings(), 1);
	CHECK_EQ(fatals(), 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(fatals(), 1);
	machine_check();
}
