/* SPDX-License-Identifier: MIT */
/*
 * Callbacks of a running machine: on which thread, under which locks, what they may do, and that two
 * notifications of a transaction are two calls of the chain (NOTIFY-31, 32, 33, 39, 40, 43). `locks` and
 * `changed` belong to the one transaction that runs.
 */
#include "machine.h"

#include <linux/cpu.h>

#define NODE 1

static void boot_with_block(void)
{
	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
}

/* Four transactions with all six events: 8 notifications. */
static void all_six(void)
{
	struct listener veto = { 0 };

	listen_as(&veto, "V", -100);
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online_movable"), -EPERM);
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "offline"), 0);
	unregister_memory_notifier(&veto.nb);
}

static pthread_mutex_t own_lock = PTHREAD_MUTEX_INITIALIZER;

static void hold_own_lock(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE || action == MEM_GOING_OFFLINE) {
		CHECK_EQ(pthread_mutex_lock(&own_lock), 0);
	} else {
		CHECK_EQ(pthread_mutex_trylock(&own_lock), EBUSY);
		CHECK_EQ(pthread_mutex_unlock(&own_lock), 0);
	}
}

TEST(NOTIFY_31, "all notifications come from the thread that does the transaction; a lock may be held between")
{
	struct listener a = { .hook = hold_own_lock };

	boot_with_block();
	listen_as(&a, "A", 0);
	all_six();
	CHECK_EQ(a.calls, 8);
	for (int i = 0; i < a.calls; i++)
		CHECK(pthread_equal(a.seen[i].thread, pthread_self()));
	CHECK_EQ(pthread_mutex_trylock(&own_lock), 0);
}

static long write_cpus(void *arg)
{
	cpus_write_lock();
	cpus_write_unlock();
	return 0;
}

static long read_memory(void *arg)
{
	get_online_mems();
	put_online_mems();
	return 0;
}

static int nothing(struct notifier_block *nb, unsigned long action, void *arg)
{
	return NOTIFY_OK;
}

static struct notifier_block latecomer = { .notifier_call = nothing };

static long register_latecomer(void *arg)
{
	return register_memory_notifier(&latecomer);
}

static long try_locks(void *arg)
{
	struct memory_block *mem = arg;

	CHECK_EQ(lock_device_hotplug_sysfs(), -ERESTARTNOINTR);
	CHECK(!device_trylock(&mem->dev));
	return 0;
}

static struct {
	struct memory_block *mem;
	unsigned long wanted; /* the event at which others are seen waiting */
	struct worker cpu, reader, registrar;
	int looked;
} locks;

static void look_at_locks(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct worker worker;

	worker_start(&worker, try_locks, locks.mem);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK(percpu_is_write_locked(&mp_mem_hotplug_lock));
	CHECK_EQ(!!zone_of(NODE, ZONE_MOVABLE)->pcp_disabled,
		 !!(action & (MEM_GOING_OFFLINE | MEM_CANCEL_OFFLINE)));
	if (action != locks.wanted)
		return;
	/* cpu_hotplug_lock shared, mem_hotplug_lock exclusive, the chain shared: these must wait. */
	worker_start(&locks.cpu, write_cpus, NULL);
	worker_start(&locks.reader, read_memory, NULL);
	worker_start(&locks.registrar, register_latecomer, NULL);
	worker_await_sleep(&locks.cpu);
	worker_await_sleep(&locks.reader);
	worker_await_sleep(&locks.registrar);
	locks.looked++;
}

TEST(NOTIFY_32, "device_hotplug_lock, device lock, both hotplug locks and the chain are held on every event")
{
	static const struct {
		unsigned long event, veto;
		const char *write;
		int result;
	} steps[] = {
		{ MEM_GOING_ONLINE, 0, "online_movable", 0 },
		{ MEM_GOING_OFFLINE, 0, "offline", 0 },
		{ MEM_CANCEL_ONLINE, MEM_GOING_ONLINE, "online_movable", -EPERM },
		{ MEM_ONLINE, 0, "online_movable", 0 },
		{ MEM_CANCEL_OFFLINE, MEM_GOING_OFFLINE, "offline", -EPERM },
		{ MEM_OFFLINE, 0, "offline", 0 },
	};
	struct listener a = { .hook = look_at_locks };

	boot_with_block();
	locks.mem = get_block(32);
	listen_as(&a, "A", 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		memset(a.answers, 0, sizeof(a.answers));
		if (steps[i].veto)
			listener_answer(&a, steps[i].veto, NOTIFY_BAD);
		locks.wanted = steps[i].event;
		CHECK_EQ(set_state(32, steps[i].write), steps[i].result);
		CHECK_EQ(worker_join(&locks.cpu), 0);
		CHECK_EQ(worker_join(&locks.reader), 0);
		CHECK_EQ(worker_join(&locks.registrar), 0);
		unregister_memory_notifier(&latecomer);
		CHECK_EQ(locks.looked, i + 1);
	}
	put_device(&locks.mem->dev);
}

static void allocate(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	unsigned char *object = kzalloc(3000, GFP_KERNEL);
	struct page *page = alloc_pages(GFP_KERNEL, 3);

	CHECK(object && page);
	CHECK_EQ(object[2999], 0);
	memset(object, 1, 3000);
	fill(page, action);
	CHECK(holds(page, action));
	__free_pages(page, 3);
	kfree(object);
}

TEST(NOTIFY_33, "a callback may allocate with GFP_KERNEL in every event")
{
	struct listener a = { .hook = allocate };

	boot_with_block();
	listen_as(&a, "A", 0);
	all_six();
	CHECK_EQ(a.calls, 8);
	machine_check();
}

static long offline_32(void *arg)
{
	return set_state(32, "offline");
}

TEST(NOTIFY_39, "between the two notifications the chain is free: who comes hears the second, who leaves the first")
{
	struct listener early = { 0 }, late = { 0 }, all = { 0 };
	struct worker offliner;
	struct page *stuck;

	boot_with_block();
	CHECK_EQ(set_state(32, "online_movable"), 0);
	stuck = stuck_take(NODE);
	listen_as(&early, "early", 2);
	listen_as(&all, "all", 1);
	worker_start(&offliner, offline_32, NULL);
	AWAIT(__atomic_load_n(&all.calls, __ATOMIC_ACQUIRE));
	worker_await_sleep(&offliner);
	/* It sleeps in its loop, not in the callback: registration does not wait for it. */
	unregister_memory_notifier(&early.nb);
	listen_as(&late, "late", 0);
	CHECK(!worker_done(&offliner));
	__free_page(stuck);
	CHECK_EQ(worker_join(&offliner), 0);
	CHECK_STR(heard(), "early:GOING_OFFLINE all:GOING_OFFLINE all:OFFLINE late:OFFLINE");
}

static struct {
	struct memory_notify *seen;
} changed;

static void hide_node(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE) {
		CHECK_EQ(arg->status_change_nid, NODE);
		arg->status_change_nid = -1;
		arg->status_change_nid_normal = -1;
	}
}

static void later(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	CHECK_EQ(arg->status_change_nid, -1);
	CHECK_EQ(arg->status_change_nid_normal, -1);
	CHECK(!changed.seen || changed.seen == arg);
	changed.seen = arg;
}

TEST(NOTIFY_40, "the payload may be written: later callbacks and the core see it")
{
	struct listener a = { .hook = hide_node }, b = { .hook = later };

	boot_with_block();
	listen_as(&a, "A", 1);
	listen_as(&b, "B", 0);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(b.calls, 2);
	/* The core believed it. */
	CHECK(!node_state(NODE, N_MEMORY));
	CHECK(!node_state(NODE, N_NORMAL_MEMORY));
	CHECK_EQ(zone_of(NODE, ZONE_NORMAL)->present_pages, BLOCK_PAGES);
}

TEST(NOTIFY_43, "the predefined priorities put IPC before slab before the default")
{
	struct listener slab = { 0 }, ipc = { 0 }, other = { 0 };

	CHECK_EQ(SLAB_CALLBACK_PRI, 1);
	CHECK_EQ(IPC_CALLBACK_PRI, 10);
	boot_with_block();
	listen_as(&other, "other", 0);
	listen_as(&slab, "slab", SLAB_CALLBACK_PRI);
	listen_as(&ipc, "ipc", IPC_CALLBACK_PRI);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(heard(), "ipc:GOING_ONLINE slab:GOING_ONLINE other:GOING_ONLINE "
			   "ipc:ONLINE slab:ONLINE other:ONLINE");
}
