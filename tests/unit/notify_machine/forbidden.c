/* SPDX-License-Identifier: MIT */
/*
 * What hangs Linux from inside a callback calls the fatal hook here, with the place that called and the
 * place that notified, and does nothing (NOTIFY-34..38). `act` is what the callback of the test does.
 */
#include "machine.h"

#include "page/page.h"

#include <linux/cpu.h>

#define NODE 1

static int nothing(struct notifier_block *nb, unsigned long action, void *arg)
{
	return NOTIFY_OK;
}

static struct notifier_block stranger = { .notifier_call = nothing };
static struct notifier_block member = { .notifier_call = nothing, .priority = -5 };
static struct memory_block *other_block;
static struct resource range = {
	.start = 50 * BLOCK_BYTES, .end = 51 * BLOCK_BYTES - 1, .name = "System RAM",
	.flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY,
};

static void keep_page(struct page *page, unsigned int order)
{
}

#define ACT(name) static __attribute__((noinline)) void name(void)

ACT(act_register)
{
	CHECK_EQ(register_memory_notifier(&stranger), -EDEADLK);
	barrier();
}

ACT(act_unregister)
{
	unregister_memory_notifier(&member);
	barrier(); /* no tail call: this function is the call site */
}

ACT(act_get_online_mems)
{
	get_online_mems();
	put_online_mems();
	barrier();
}

ACT(act_set_callback)
{
	set_online_page_callback(keep_page);
	restore_online_page_callback(keep_page);
	barrier();
}

ACT(act_mem_hotplug_begin)
{
	mem_hotplug_begin();
	mem_hotplug_done();
	barrier();
}

ACT(act_add_memory)
{
	CHECK_EQ(add_memory(NODE, 50 * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE), -EDEADLK);
	barrier();
}

ACT(act_add_memory_locked)
{
	CHECK_EQ(__add_memory(NODE, 50 * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE), -EDEADLK);
	barrier();
}

ACT(act_add_memory_resource)
{
	CHECK_EQ(add_memory_resource(NODE, &range, MHP_NONE), -EDEADLK);
	barrier();
}

ACT(act_add_driver_managed)
{
	CHECK_EQ(add_memory_driver_managed(NODE, 50 * BLOCK_BYTES, BLOCK_BYTES, "System RAM (x)",
					   MHP_NONE), -EDEADLK);
	barrier();
}

ACT(act_remove_memory)
{
	CHECK_EQ(remove_memory(33 * BLOCK_BYTES, BLOCK_BYTES), -EDEADLK);
	barrier();
}

ACT(act_remove_memory_locked)
{
	__remove_memory(33 * BLOCK_BYTES, BLOCK_BYTES);
	barrier(); /* no tail call */
}

ACT(act_offline_and_remove)
{
	CHECK_EQ(offline_and_remove_memory(33 * BLOCK_BYTES, BLOCK_BYTES), -EDEADLK);
	barrier();
}

ACT(act_device_online)
{
	CHECK_EQ(device_online(&other_block->dev), -EDEADLK);
	barrier();
}

ACT(act_device_offline)
{
	CHECK_EQ(device_offline(&other_block->dev), -EDEADLK);
	barrier();
}

ACT(act_write_state)
{
	CHECK_EQ(set_state(33, "online"), -EDEADLK);
	barrier();
}

ACT(act_lock_device_hotplug)
{
	lock_device_hotplug();
	barrier();
}

ACT(act_try_online_node)
{
	CHECK_EQ(try_online_node(3), -EDEADLK);
	barrier();
}

ACT(act_cpus_read_lock)
{
	cpus_read_lock();
	cpus_read_unlock();
	barrier();
}

ACT(act_memory_notify)
{
	struct memory_notify arg = { 0 };

	memory_notify(MEM_GOING_ONLINE, &arg);
	barrier(); /* no tail call */
}

ACT(act_pcp_disable)
{
	/* What whoever needs pcp_batch_high_lock would do. */
	zone_pcp_disable(zone_of(NODE, ZONE_MOVABLE));
	barrier();
}

static struct {
	void (*act)(void);
	const char *site;   /* the name that the text must hold, or NULL */
	unsigned long only; /* the one event it is done in, or 0 */
	int acted;
} now;

static void do_forbidden(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	int before = fatals();

	if (now.only && action != now.only)
		return;
	now.act();
	CHECK_GT(fatals(), before);
	if (now.site && !strstr(fatal_text(), now.site))
		FAIL("\"%s\" does not name %s", fatal_text(), now.site);
	/* Where the transaction notified, or took the lock. */
	if (!strstr(fatal_text(), "line_pages+") && !strstr(fatal_text(), "memory_block_") &&
	    !strstr(fatal_text(), "memory_subsys_") && !now.only)
		FAIL("\"%s\" does not name the transaction", fatal_text());
	now.acted++;
}

static void try_act(void (*act)(void), const char *site)
{
	static struct listener a = { .hook = do_forbidden };
	struct listener veto = { 0 };

	now.act = act;
	now.site = site;
	now.acted = 0;
	a.calls = 0;
	listen_as(&a, "A", 1);
	listen_as(&veto, "V", -1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "offline"), 0);
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online_movable"), -EPERM);
	unregister_memory_notifier(&a.nb);
	unregister_memory_notifier(&veto.nb);
	/* It had no effect, and whoever asks properly now is served. */
	CHECK_STR(read_block(33, "state"), "offline");
	CHECK_STR(read_block(50, "state"), "error -2");
	CHECK(!node_online(3));
	heard();
	machine_check();
}

static void prepare(void)
{
	machine_boot(NULL);
	add_blocks(NODE, 32, 2);
	allow_fatal();
	other_block = get_block(33);
	CHECK_EQ(register_memory_notifier(&member), 0);
	/* The checker counts references. */
	put_device(&other_block->dev);
}

TEST(NOTIFY_34, "registering and unregistering on the memory chain")
{
	prepare();
	try_act(act_register, "act_register");
	CHECK_EQ(now.acted, 8);
	CHECK(strstr(fatal_text(), "register_memory_notifier"));
	try_act(act_unregister, "act_unregister");
	CHECK(strstr(fatal_text(), "unregister_memory_notifier"));
	/* Neither changed the list. */
	CHECK_EQ(register_memory_notifier(&stranger), 0);
	allow_warnings();
	CHECK_EQ(register_memory_notifier(&member), -EEXIST);
}

TEST(NOTIFY_35, "get_online_mems() and what is built on it")
{
	prepare();
	try_act(act_get_online_mems, "act_get_online_mems");
	CHECK_EQ(now.acted, 8);
	CHECK(strstr(fatal_text(), "mem_hotplug_lock"));
	try_act(act_set_callback, NULL);
	CHECK(strstr(fatal_text(), "mem_hotplug_lock"));
	/* The read sections that did not happen left no trace. */
	get_online_mems();
	put_online_mems();
	CHECK(!percpu_is_read_locked(&mp_mem_hotplug_lock));
}

TEST(NOTIFY_36, "hotplug operations, mem_hotplug_begin(), cpus_read_lock(), the lock of all")
{
	static const struct {
		void (*act)(void);
		const char *site, *call;
	} acts[] = {
		{ act_mem_hotplug_begin, "act_mem_hotplug_begin", "mem_hotplug_begin" },
		{ act_add_memory, "act_add_memory", "add_memory" },
		{ act_add_memory_locked, "act_add_memory_locked", "__add_memory" },
		{ act_add_memory_resource, "act_add_memory_resource", "add_memory_resource" },
		{ act_add_driver_managed, "act_add_driver_managed", "add_memory_driver_managed" },
		{ act_remove_memory, "act_remove_memory", "remove_memory" },
		{ act_remove_memory_locked, "act_remove_memory_locked", "__remove_memory" },
		{ act_offline_and_remove, "act_offline_and_remove", "offline_and_remove_memory" },
		{ act_device_online, "act_device_online", "device_online" },
		{ act_device_offline, "act_device_offline", "device_offline" },
		{ act_write_state, NULL, "attribute" },
		{ act_lock_device_hotplug, "act_lock_device_hotplug", "lock_device_hotplug" },
		{ act_try_online_node, "act_try_online_node", "try_online_node" },
		{ act_cpus_read_lock, "act_cpus_read_lock", "cpus_read_lock" },
	};

	prepare();
	for (unsigned int i = 0; i < ARRAY_SIZE(acts); i++) {
		try_act(acts[i].act, acts[i].site);
		CHECK_EQ(now.acted, 8);
		if (!strstr(fatal_text(), acts[i].call))
			FAIL("\"%s\" does not name %s", fatal_text(), acts[i].call);
	}
}

TEST(NOTIFY_37, "waiting for pcp_batch_high_lock in GOING_OFFLINE or CANCEL_OFFLINE")
{
	prepare();
	now.only = MEM_GOING_OFFLINE;
	try_act(act_pcp_disable, NULL);
	CHECK_EQ(now.acted, 2);
	CHECK(strstr(fatal_text(), "zone_pcp_disable") || strstr(fatal_text(), "pcp"));
}

TEST(NOTIFY_38, "memory_notify()")
{
	prepare();
	try_act(act_memory_notify, "act_memory_notify");
	CHECK_EQ(now.acted, 8);
	CHECK(strstr(fatal_text(), "memory_notify"));
}
