/* SPDX-License-Identifier: MIT */
/* Onlining and offlining a block through its device: hand-over of the type, generic rules, bus methods. */
#include "../tree.h"

static struct memory_block *watched;
static int type_seen = -1;

static void note_type(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE)
		type_seen = watched->online_type;
}

TEST(BLOCK_17, "online_type is handed over once: it chooses the zone and is reset, whatever came of it")
{
	static struct listener listener = { .hook = note_type };

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	watched = get_block(HOT_BLOCK);
	listen_as(&listener, "A", 0);
	lock_device_hotplug();
	watched->online_type = MMOP_ONLINE_MOVABLE;
	CHECK_EQ(device_online(&watched->dev), 0);
	CHECK_EQ(type_seen, MMOP_ONLINE_MOVABLE);
	CHECK_EQ(watched->online_type, MMOP_OFFLINE);
	CHECK_EQ(watched->zone, zone_of(1, ZONE_MOVABLE));
	CHECK_EQ(device_offline(&watched->dev), 0);
	/* The default type. */
	CHECK_EQ(device_online(&watched->dev), 0);
	CHECK_EQ(type_seen, MMOP_ONLINE);
	CHECK_EQ(watched->zone, zone_of(1, ZONE_NORMAL));
	CHECK_EQ(watched->online_type, MMOP_OFFLINE);
	CHECK_EQ(device_offline(&watched->dev), 0);
	listener_answer(&listener, MEM_GOING_ONLINE, NOTIFY_BAD);
	watched->online_type = MMOP_ONLINE_MOVABLE;
	CHECK_EQ(device_online(&watched->dev), -EPERM);
	CHECK_EQ(type_seen, MMOP_ONLINE_MOVABLE);
	CHECK_EQ(watched->online_type, MMOP_OFFLINE);
	unlock_device_hotplug();
	put_device(&watched->dev);
}

/* Online in a kernel zone; a refused online_movable; offline; `online` = 1. */
static void refused_then_plain(void)
{
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online_kernel"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), -EINVAL);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(write_block(HOT_BLOCK, "online", "1"), 0);
}

TEST(BLOCK_18, "linux-6.1: the type of a refused request is used by the next one that names none")
{
	machine_boot(LINUX);
	refused_then_plain();
	CHECK_STR(read_block(HOT_BLOCK, "valid_zones"), "Movable");
	CHECK_EQ(write_block(HOT_BLOCK, "online", "0"), 0);
	CHECK_EQ(write_block(HOT_BLOCK, "online", "1"), 0);
	CHECK_STR(read_block(HOT_BLOCK, "valid_zones"), "Normal");
}

TEST(BLOCK_18, "document: the type of a refused request is forgotten")
{
	machine_boot(NULL);
	refused_then_plain();
	CHECK_STR(read_block(HOT_BLOCK, "valid_zones"), "Normal");
}

static bool offline_at_online, offline_at_offline;
static unsigned long state_at_online, state_at_offline;

static void look_at_flag(const char *text, size_t size, void *arg)
{
	if (!strncmp(text, "online@", 7)) {
		offline_at_online = watched->dev.offline;
		state_at_online = watched->state;
	} else if (!strncmp(text, "offline@", 8)) {
		offline_at_offline = watched->dev.offline;
		state_at_offline = watched->state;
	}
}

static long call_device_online(void *arg)
{
	long ret;

	lock_device_hotplug();
	ret = device_online(arg);
	unlock_device_hotplug();
	return ret;
}

static long call_device_offline(void *arg)
{
	long ret;

	lock_device_hotplug();
	ret = device_offline(arg);
	unlock_device_hotplug();
	return ret;
}

TEST(BLOCK_19, "device_online(): under the device lock; event, then flag; 1 when online; the bus's error as it is")
{
	static struct listener listener;
	struct worker worker;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	watched = get_block(HOT_BLOCK);
	listen_as(&listener, "A", 0);
	CHECK_EQ(mp_uevent_listen(look_at_flag, NULL), 0);
	uevents();
	listener_answer(&listener, MEM_GOING_ONLINE, notifier_from_errno(-EBADF));
	CHECK_EQ(call_device_online(&watched->dev), -EBADF);
	CHECK(watched->dev.offline);
	CHECK_STR(uevents(), "");
	listener_answer(&listener, MEM_GOING_ONLINE, NOTIFY_OK);
	heard();
	/* It waits for the device lock. */
	device_lock(&watched->dev);
	worker_start(&worker, call_device_online, &watched->dev);
	worker_await_sleep(&worker);
	CHECK_STR(heard(), "");
	device_unlock(&watched->dev);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	CHECK_STR(uevents(), "online@memory32");
	CHECK(offline_at_online);
	CHECK_EQ(state_at_online, (unsigned long)MEM_ONLINE);
	CHECK(!watched->dev.offline);
	CHECK_EQ(call_device_online(&watched->dev), 1);
	CHECK_STR(heard(), "");
	CHECK_STR(uevents(), "");
	put_device(&watched->dev);
}

static int toy_answer(struct device *dev)
{
	return 0;
}

static void toy_release(struct device *dev)
{
}

static struct bus_type toy_bus = {
	.name = "toy", .dev_name = "toy", .online = toy_answer, .offline = toy_answer
};

TEST(BLOCK_20, "device_offline(): -EPERM when disabled, -EBUSY with an online child, both before the device lock")
{
	static struct listener listener;
	static struct device child;
	struct worker worker;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	watched = get_block(HOT_BLOCK);
	listen_as(&listener, "A", 0);
	CHECK_EQ(mp_uevent_listen(look_at_flag, NULL), 0);
	uevents();

	device_lock(&watched->dev);
	watched->dev.offline_disabled = true;
	CHECK_EQ(device_offline(&watched->dev), -EPERM);
	watched->dev.offline_disabled = false;
	CHECK_EQ(subsys_register(&toy_bus, NULL), 0);
	device_initialize(&child);
	child.bus = &toy_bus;
	child.parent = &watched->dev;
	child.release = toy_release;
	CHECK_EQ(device_add(&child), 0);
	CHECK_EQ(device_offline(&watched->dev), -EBUSY);
	device_unlock(&watched->dev);
	CHECK_EQ(call_device_offline(&watched->dev), -EBUSY);
	CHECK_STR(heard(), "");
	CHECK_STR(read_block(HOT_BLOCK, "state"), "online");
	CHECK_EQ(call_device_offline(&child), 0);
	uevents();

	/* It waits for the device lock; the event comes before the flag. */
	device_lock(&watched->dev);
	worker_start(&worker, call_device_offline, &watched->dev);
	worker_await_sleep(&worker);
	CHECK_STR(heard(), "");
	device_unlock(&watched->dev);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE");
	CHECK_STR(uevents(), "offline@memory32");
	CHECK(!offline_at_offline);
	CHECK_EQ(state_at_offline, (unsigned long)MEM_OFFLINE);
	CHECK(watched->dev.offline);
	CHECK_EQ(call_device_offline(&watched->dev), 1);
	CHECK_STR(heard(), "");
	device_unregister(&child);
	subsys_unregister(&toy_bus);

	CHECK_EQ(call_device_online(&watched->dev), 0);
	uevents();
	listener_answer(&listener, MEM_GOING_OFFLINE, notifier_from_errno(-EBADF));
	CHECK_EQ(call_device_offline(&watched->dev), -EBADF);
	CHECK(!watched->dev.offline);
	CHECK_STR(uevents(), "");
	put_device(&watched->dev);
}

static int bus_call(int (*method)(struct device *dev))
{
	int ret;

	lock_device_hotplug();
	device_lock(&watched->dev);
	ret = method(&watched->dev);
	device_unlock(&watched->dev);
	unlock_device_hotplug();
	return ret;
}

TEST(BLOCK_21, "bus methods: nothing to do is 0; from any other state than the opposite one -EINVAL")
{
	static struct listener listener;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	watched = get_block(HOT_BLOCK);
	listen_as(&listener, "A", 0);
	CHECK_EQ(bus_call(memory_subsys.offline), 0);
	CHECK_STR(heard(), "");
	watched->state = MEM_GOING_OFFLINE;
	CHECK_EQ(bus_call(memory_subsys.online), -EINVAL);
	CHECK_EQ(bus_call(memory_subsys.offline), -EINVAL);
	CHECK_STR(heard(), "");
	CHECK_EQ(watched->state, (unsigned long)MEM_GOING_OFFLINE);
	watched->state = MEM_OFFLINE;
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	heard();
	CHECK_EQ(bus_call(memory_subsys.online), 0);
	CHECK_STR(heard(), "");
	listener_answer(&listener, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(bus_call(memory_subsys.offline), -EPERM);
	CHECK_EQ(watched->state, (unsigned long)MEM_ONLINE);
	put_device(&watched->dev);
	machine_check();
}

TEST(BLOCK_22, "mhp_online_type_from_str() knows four whole words, one newline behind them, and nothing else")
{
	static const char *const bad[] = {
		"", "\n", "on", "offlin", "offline ", " offline", "Offline", "online\n\n", "online_",
		"online_kernelx", "online_kernel\nx", "online movable", "1", "going-offline", "online\r\n",
	};
	size_t i;

	CHECK_EQ(mhp_online_type_from_str("offline"), 0);
	CHECK_EQ(mhp_online_type_from_str("online"), 1);
	CHECK_EQ(mhp_online_type_from_str("online_kernel"), 2);
	CHECK_EQ(mhp_online_type_from_str("online_movable"), 3);
	CHECK_EQ(mhp_online_type_from_str("offline\n"), 0);
	CHECK_EQ(mhp_online_type_from_str("online\n"), 1);
	CHECK_EQ(mhp_online_type_from_str("online_kernel\n"), 2);
	CHECK_EQ(mhp_online_type_from_str("online_movable\n"), 3);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (mhp_online_type_from_str(bad[i]) != -EINVAL)
			FAIL("\"%s\" was taken", bad[i]);
	CHECK_EQ(mhp_online_type_from_str(NULL), -EINVAL);
}
