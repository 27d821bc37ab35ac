/* SPDX-License-Identifier: MIT */
/* The failure points of onlining and offlining, in order (EVENT-35..37). Nothing is shared. */
#include "machine.h"

#include "device/bus.h"

#define NODE 1

static int online_pages_locked(unsigned long pfn, unsigned long nr_pages, struct zone *zone)
{
	int ret;

	mem_hotplug_begin();
	ret = online_pages(pfn, nr_pages, zone, NULL);
	mem_hotplug_done();
	return ret;
}

static int offline_pages_locked(unsigned long pfn, unsigned long nr_pages, struct zone *zone)
{
	int ret;

	mem_hotplug_begin();
	ret = offline_pages(pfn, nr_pages, zone, NULL);
	mem_hotplug_done();
	return ret;
}

TEST(EVENT_35, "online: each failure point with its errno and its events")
{
	struct listener a = { 0 };
	struct memory_block *mem;
	struct zone *zone;

	machine_boot(NULL);
	allow_warnings();
	add_blocks(NODE, 32, 2);
	mem = get_block(32);
	zone = zone_of(NODE, ZONE_NORMAL);
	CHECK_EQ(set_state(32, "online"), 0);
	listen_as(&a, "A", 0);
	/* (a) not offline */
	lock_device_hotplug();
	CHECK_EQ(device_online(&mem->dev), 1);
	/* (b) its state is not OFFLINE although the flag says so */
	CHECK_EQ(device_offline(&mem->dev), 0);
	heard();
	a.calls = 0;
	mem->state = MEM_GOING_OFFLINE;
	CHECK_EQ(device_online(&mem->dev), -EINVAL);
	mem->state = MEM_OFFLINE;
	unlock_device_hotplug();
	/* (d) arguments; one warning for all of them */
	CHECK_EQ(warnings(), 0);
	CHECK_EQ(online_pages_locked(block_pfn(33), 0, zone), -EINVAL);
	CHECK_EQ(online_pages_locked(block_pfn(33) + 1, BLOCK_PAGES - 1, zone), -EINVAL);
	CHECK_EQ(online_pages_locked(block_pfn(33), BLOCK_PAGES - 512, zone), -EINVAL);
	CHECK_EQ(warnings(), 1);
	CHECK_EQ(a.calls, 0);
	/* (e) a veto */
	listener_answer(&a, MEM_GOING_ONLINE, notifier_from_errno(-ENOMEM));
	CHECK_EQ(set_state(32, "online"), -ENOMEM);
	CHECK_STR(heard(), "A:GOING_ONLINE A:CANCEL_ONLINE");
	put_device(&mem->dev);
	machine_check();
}

static int child_goes(struct device *dev)
{
	return 0;
}

static struct bus_type child_bus = {
	.name = "child", .dev_name = "child", .online = child_goes, .offline = child_goes,
};

static void child_released(struct device *dev)
{
}

TEST(EVENT_36, "offline: failures of the device, before the block is asked")
{
	static struct device child = { .bus = &child_bus, .id = 1, .release = child_released };
	struct listener a = { 0 };
	struct memory_block *mem;

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	mem = get_block(32);
	CHECK_EQ(set_state(32, "online"), 0);
	listen_as(&a, "A", 0);
	lock_device_hotplug();
	/* (a) administratively disabled */
	mem->dev.offline_disabled = true;
	CHECK_EQ(device_offline(&mem->dev), -EPERM);
	mem->dev.offline_disabled = false;
	/* (b) a child is online */
	CHECK_EQ(subsys_register(&child_bus, NULL), 0);
	device_initialize(&child);
	child.parent = &mem->dev;
	CHECK_EQ(device_add(&child), 0);
	CHECK_EQ(device_offline(&mem->dev), -EBUSY);
	CHECK_EQ(device_offline(&child), 0);
	CHECK_EQ(a.calls, 0);
	CHECK_EQ(device_offline(&mem->dev), 0);
	device_unregister(&child);
	subsys_unregister(&child_bus);
	heard();
	a.calls = 0;
	/* (c) offline already */
	CHECK_EQ(device_offline(&mem->dev), 1);
	CHECK_EQ(device_online(&mem->dev), 0);
	a.calls = 0;
	/* (d) its state is not ONLINE although the flag says so */
	mem->state = MEM_GOING_OFFLINE;
	CHECK_EQ(device_offline(&mem->dev), -EINVAL);
	mem->state = MEM_ONLINE;
	unlock_device_hotplug();
	/* (e) no single zone */
	CHECK_EQ(set_state(0, "offline"), -EINVAL);
	CHECK_EQ(a.calls, 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	put_device(&mem->dev);
	machine_check();
}

TEST(EVENT_36, "offline: failures of the range, silent")
{
	struct listener a = { 0 };
	struct zone *zone;
	struct page *page;

	/* Boot RAM of 4G+96M: memory32 ends in a hole. */
	machine_boot_text(LINUX
			  "max_phys = 64G\n"
			  "overcommit = yes\n"
			  "node 0\n"
			  "node 1\n"
			  "cpu 0 node 0\n"
			  "ram 0 512M node 0\n"
			  "ram 4G 96M node 0\n");
	allow_warnings();
	add_blocks(1, 40, 2);
	CHECK_EQ(set_state(40, "online_kernel"), 0);
	CHECK_EQ(set_state(41, "online_movable"), 0);
	zone = zone_of(1, ZONE_NORMAL);
	listen_as(&a, "A", 0);
	/* (f) arguments */
	CHECK_EQ(offline_pages_locked(block_pfn(40), 0, zone), -EINVAL);
	CHECK_EQ(offline_pages_locked(block_pfn(40) + 8, BLOCK_PAGES - 8, zone), -EINVAL);
	CHECK_EQ(offline_pages_locked(block_pfn(40), BLOCK_PAGES - 512, zone), -EINVAL);
	CHECK_EQ(warnings(), 1);
	/* (g) holes */
	CHECK_EQ(set_state(32, "offline"), -EINVAL);
	CHECK_EQ(warnings(), 1);
	/* (h) first and last page in different zones */
	CHECK_EQ(offline_pages_locked(block_pfn(40), 2 * BLOCK_PAGES, zone), -EINVAL);
	CHECK_EQ(warnings(), 2);
	/* (i) isolation */
	page = alloc_pages_node(1, KERNEL, 0);
	CHECK(page);
	CHECK(in_block(page, 40));
	CHECK_EQ(set_state(40, "offline"), -EBUSY);
	CHECK_EQ(a.calls, 0);
	__free_page(page);
	CHECK_EQ(set_state(40, "offline"), 0);
	machine_check();
}

static void ignore_signal(int signal)
{
}

static void signal_self(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE)
		CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
}

TEST(EVENT_36, "offline: failures after GOING_OFFLINE, each with CANCEL_OFFLINE")
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct listener a = { 0 };
	struct page *page;

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	listen_as(&a, "A", 0);
	/* (j) a veto */
	listener_answer(&a, MEM_GOING_OFFLINE, notifier_from_errno(-EIO));
	CHECK_EQ(set_state(32, "offline"), -EIO);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE");
	/* (k) a signal */
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_OK);
	a.hook = signal_self;
	CHECK_EQ(set_state(32, "offline"), -EINTR);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE");
	a.hook = NULL;
	/* (l) a logically offline page with a reference */
	page = stuck_take(NODE);
	__SetPageOffline(page);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE");
	__ClearPageOffline(page);
	__free_page(page);
	CHECK_EQ(set_state(32, "offline"), 0);
	machine_check();
}

TEST(EVENT_37, "after every failure state and flag are what they were and no uevent was sent")
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct listener a = { 0 };
	struct page *page;

	machine_boot(LINUX);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	listen_as(&a, "A", 0);
	uevents();
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online_kernel"), -EPERM);
	CHECK_STR(read_block(32, "state"), "offline");
	CHECK_STR(read_block(32, "online"), "0");
	CHECK_STR(uevents(), "");
	listener_answer(&a, MEM_GOING_ONLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_STR(uevents(), "online@memory32");

	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_STR(read_block(32, "state"), "online");
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_OK);
	a.hook = signal_self;
	CHECK_EQ(set_state(32, "offline"), -EINTR);
	CHECK_STR(read_block(32, "state"), "online");
	a.hook = NULL;
	page = alloc_pages_node(NODE, KERNEL, 0);
	CHECK(page);
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	CHECK_STR(read_block(32, "state"), "online");
	CHECK_STR(read_block(32, "online"), "1");
	CHECK_EQ(set_state(0, "offline"), -EINVAL);
	CHECK_STR(read_block(0, "state"), "online");
	CHECK_STR(read_block(0, "online"), "1");
	CHECK_STR(uevents(), "");
	__free_page(page);
	machine_check();
}
