/* SPDX-License-Identifier: MIT */
/*
 * The order of the locks and who takes which (LOCK-5..14, 22, 23). A lock is shown to be held by a thread
 * that sleeps on it, and not to be held by one that gets through; nothing depends on time.
 */
#include "machine.h"

#include "sync/lockorder.h"

#include <linux/cpu.h>

#define NODE 1
#define AUTO_ONLINE "/sys/devices/system/memory/auto_online_blocks"

static bool write_locked(void)
{
	return percpu_is_write_locked(&mp_mem_hotplug_lock);
}

static long try_hotplug(void *arg)
{
	int ret = lock_device_hotplug_sysfs();

	if (!ret)
		unlock_device_hotplug();
	return ret;
}

/* Does some thread hold device_hotplug_lock? Asked from another one. */
static bool hotplug_locked(void)
{
	struct worker worker;
	long ret;

	worker_start(&worker, try_hotplug, NULL);
	ret = worker_join(&worker);
	CHECK(!ret || ret == -ERESTARTNOINTR);
	return ret != 0;
}

static long try_device(void *arg)
{
	struct memory_block *mem = arg;

	if (!device_trylock(&mem->dev))
		return 1;
	device_unlock(&mem->dev);
	return 0;
}

static bool device_locked(struct memory_block *mem)
{
	struct worker worker;

	worker_start(&worker, try_device, mem);
	return worker_join(&worker);
}

static struct memory_block *block;
static sem_t inside, leave;

static long hold_cpus(void *arg)
{
	cpus_write_lock();
	sem_post(&inside);
	sem_wait(&leave);
	cpus_write_unlock();
	return 0;
}

static long online_32(void *arg)
{
	return set_state(32, "online_movable");
}

TEST(LOCK_5, "an online takes device_hotplug_lock, device lock, cpu_hotplug_lock, mem_hotplug_lock in this order")
{
	struct worker worker, cpus;

	machine_boot(NULL);
	sem_init(&inside, 0, 0);
	sem_init(&leave, 0, 0);
	add_blocks(NODE, 32, 1);
	block = get_block(32);
	/* It waits for the device lock with the first, without the later ones. */
	device_lock(&block->dev);
	worker_start(&worker, online_32, NULL);
	AWAIT(hotplug_locked());
	worker_await_sleep(&worker);
	CHECK(!write_locked());
	worker_start(&cpus, hold_cpus, NULL);
	sem_wait(&inside);
	device_unlock(&block->dev);
	/* For cpu_hotplug_lock with the first two. */
	AWAIT(device_locked(block));
	worker_await_sleep(&worker);
	CHECK(hotplug_locked());
	CHECK(!write_locked());
	get_online_mems();
	sem_post(&leave);
	CHECK_EQ(worker_join(&cpus), 0);
	/* For mem_hotplug_lock with all three. */
	AWAIT(write_locked());
	worker_await_sleep(&worker);
	CHECK(hotplug_locked());
	CHECK(device_locked(block));
	put_online_mems();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK(!hotplug_locked());
	CHECK(!device_locked(block));
	CHECK_EQ(mp_lockorder_reports(), 0);
	put_device(&block->dev);
}

static void look_at_lists(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	bool expected = action & (MEM_GOING_OFFLINE | MEM_CANCEL_OFFLINE);

	CHECK_EQ(!!zone_of(NODE, ZONE_MOVABLE)->pcp_disabled, expected);
	CHECK(!zone_of(0, ZONE_DMA32)->pcp_disabled);
}

TEST(LOCK_6, "during GOING_OFFLINE and CANCEL_OFFLINE, and only then, the zone's lists are disabled")
{
	struct listener a = { .hook = look_at_lists };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(a.calls, 6);
}

static void complete_at_add(const char *text, size_t size, void *arg)
{
	if (strstr(text, "add@/devices/system/memory/memory") == text ||
	    strstr(text, "remove@/devices/system/memory/memory") == text) {
		CHECK(hotplug_locked());
		note(text[0] == 'a' ? "add" : "remove", "locked");
	}
}

TEST(LOCK_7, "adding and removing block devices happens under device_hotplug_lock")
{
	machine_boot(NULL);
	CHECK_EQ(mp_uevent_listen(complete_at_add, NULL), 0);
	add_blocks(NODE, 32, 2);
	CHECK_STR(heard(), "add:locked add:locked");
	CHECK_EQ(remove_blocks(32, 2), 0);
	CHECK_STR(heard(), "remove:locked remove:locked");
	lock_device_hotplug();
	CHECK_EQ(__add_memory(NODE, HOT, BLOCK_BYTES, MHP_NONE), 0);
	__remove_memory(HOT, BLOCK_BYTES);
	unlock_device_hotplug();
	CHECK(!hotplug_locked());
}

static long online_kernel_32(void *arg)
{
	return set_state(32, "online_kernel");
}

TEST(LOCK_8, "device_online() under device_hotplug_lock, which guards online_type on its way")
{
	struct worker writer;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	block = get_block(32);
	lock_device_hotplug();
	block->online_type = MMOP_ONLINE_MOVABLE;
	worker_start(&writer, online_kernel_32, NULL);
	worker_await_sleep(&writer);
	CHECK_EQ(block->online_type, MMOP_ONLINE_MOVABLE);
	CHECK_EQ(device_online(&block->dev), 0);
	CHECK_EQ(device_offline(&block->dev), 0);
	block->online_type = MMOP_ONLINE_MOVABLE;
	CHECK_EQ(device_online(&block->dev), 0);
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&writer), -EINVAL);
	CHECK_STR(read_block(32, "valid_zones"), "Movable");
	put_device(&block->dev);
}

/* What each operation changes is the same at both ends of a read section. */
static long operate(void *arg)
{
	switch (*(char *)arg) {
	case 'a':
		return add_memory(NODE, HOT, BLOCK_BYTES, MHP_NONE);
	case '+':
		return set_state(32, "online_movable");
	case '-':
		return set_state(32, "offline");
	default:
		return remove_memory(HOT, BLOCK_BYTES);
	}
}

static unsigned long world(void)
{
	struct zone *zone = zone_of(NODE, ZONE_MOVABLE);

	return zone->spanned_pages * 3 + zone->present_pages * 5 + (unsigned long)pfn_valid(HOT_PFN) * 7 +
	       (unsigned long)node_online(NODE) * 11 + (unsigned long)node_state(NODE, N_MEMORY) * 13;
}

TEST(LOCK_9, "add, online, offline and remove hold mem_hotplug_lock exclusively while they change the world")
{
	static char operations[] = "a+-r";

	machine_boot(NULL);
	for (char *op = operations; *op; op++) {
		struct worker worker;
		unsigned long before;

		get_online_mems();
		before = world();
		worker_start(&worker, operate, op);
		/* It has announced itself and waits for us. */
		AWAIT(write_locked());
		worker_await_sleep(&worker);
		CHECK_EQ(world(), before);
		put_online_mems();
		CHECK_EQ(worker_join(&worker), 0);
		CHECK_NE(world(), before);
		CHECK(!write_locked());
	}
	machine_check();
}

static long stay_inside(void *arg)
{
	get_online_mems();
	sem_post(&inside);
	sem_wait(&leave);
	put_online_mems();
	return 0;
}

TEST(LOCK_10, "a walker keeps memory from vanishing and does not keep other walkers away")
{
	struct worker readers[3], offliner;
	static char offline = '-';

	machine_boot(NULL);
	sem_init(&inside, 0, 0);
	sem_init(&leave, 0, 0);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	for (int i = 0; i < 3; i++)
		worker_start(&readers[i], stay_inside, NULL);
	for (int i = 0; i < 3; i++)
		sem_wait(&inside);
	worker_start(&offliner, operate, &offline);
	AWAIT(write_locked());
	for (int i = 0; i < 3; i++) {
		worker_await_sleep(&offliner);
		CHECK(pfn_to_online_page(HOT_PFN));
		CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->present_pages, BLOCK_PAGES);
		sem_post(&leave);
	}
	CHECK_EQ(worker_join(&offliner), 0);
	CHECK(!pfn_to_online_page(HOT_PFN));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(worker_join(&readers[i]), 0);
}

/* ---- LOCK-11, row by row ---- */

static long read_shared(void *arg)
{
	return strcmp(arg, read_block(32, "state"));
}

static long read_zones(void *arg)
{
	return strcmp(arg, read_block(32, "valid_zones"));
}

static long read_online(void *arg)
{
	return strcmp(arg, read_block(32, "online"));
}

static long write_auto_online(void *arg)
{
	return mp_write_string(AUTO_ONLINE, "offline");
}

static long find_block(void *arg)
{
	struct memory_block *mem = find_memory_block(pfn_to_section_nr(HOT_PFN));

	put_device(&mem->dev);
	return !mem;
}

static int nothing(struct notifier_block *nb, unsigned long action, void *arg)
{
	return NOTIFY_OK;
}

static struct notifier_block member = { .notifier_call = nothing };

static long register_and_leave(void *arg)
{
	int ret = register_memory_notifier(&member);

	unregister_memory_notifier(&member);
	return ret;
}

static long group_cycle(void *arg)
{
	int id = memory_group_register_static(NODE, BLOCK_PAGES);

	return id < 0 ? id : memory_group_unregister(id);
}

static long choose_zone(void *arg)
{
	return zone_for_pfn_range(MMOP_ONLINE_MOVABLE, NODE, NULL, HOT_PFN, BLOCK_PAGES) !=
	       zone_of(NODE, ZONE_MOVABLE);
}

TEST(LOCK_11, "what takes none of the locks goes through while all are held")
{
	static const struct {
		long (*run)(void *arg);
		const char *arg;
	} free_of_locks[] = {
		{ read_shared, "offline" }, { read_zones, "Normal Movable" }, { write_auto_online, "" },
		{ find_block, "" }, { register_and_leave, "" }, { group_cycle, "" }, { choose_zone, "" },
	};
	struct worker worker;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	block = get_block(32);
	lock_device_hotplug();
	device_lock(&block->dev);
	mem_hotplug_begin();
	for (unsigned int i = 0; i < ARRAY_SIZE(free_of_locks); i++) {
		worker_start(&worker, free_of_locks[i].run, (void *)free_of_locks[i].arg);
		CHECK_EQ(worker_join(&worker), 0);
	}
	/* The device lock: online reads. */
	worker_start(&worker, read_online, (void *)"0");
	worker_await_sleep(&worker);
	device_unlock(&block->dev);
	CHECK_EQ(worker_join(&worker), 0);
	mem_hotplug_done();
	unlock_device_hotplug();
	put_device(&block->dev);
}

static long add_locked(void *arg)
{
	return __add_memory(NODE, 40 * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE);
}

static long online_node_3(void *arg)
{
	return try_online_node(3);
}

static long add_other(void *arg)
{
	return add_memory(NODE, 41 * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE);
}

static long remove_other(void *arg)
{
	return remove_memory(41 * BLOCK_BYTES, BLOCK_BYTES);
}

static long offline_remove_other(void *arg)
{
	return offline_and_remove_memory(42 * BLOCK_BYTES, BLOCK_BYTES);
}

TEST(LOCK_11, "who takes which: the add and remove family, try_online_node")
{
	long (*takes_hotplug[])(void *arg) = { add_other, remove_other, offline_remove_other };
	struct worker worker;

	machine_boot(NULL);
	/* What leaves the lock to its caller is called without it: the checker of debug builds tells. */
	allow_warnings();
	add_blocks(NODE, 42, 1);
	CHECK_EQ(set_state(42, "online"), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(takes_hotplug); i++) {
		lock_device_hotplug();
		worker_start(&worker, takes_hotplug[i], NULL);
		worker_await_sleep(&worker);
		CHECK(!write_locked());
		unlock_device_hotplug();
		CHECK_EQ(worker_join(&worker), 0);
	}
	/* mem_hotplug_lock. */
	get_online_mems();
	worker_start(&worker, online_node_3, NULL);
	AWAIT(write_locked());
	worker_await_sleep(&worker);
	/* ... and try_online_node() without device_hotplug_lock. */
	CHECK(!hotplug_locked());
	put_online_mems();
	CHECK_EQ(worker_join(&worker), 0);
	/* __add_memory() leaves device_hotplug_lock to its caller, here another thread. */
	lock_device_hotplug();
	worker_start(&worker, add_locked, NULL);
	CHECK_EQ(worker_join(&worker), 0);
	unlock_device_hotplug();
	CHECK_STR(read_block(40, "state"), "offline");
}

static void held_all_along(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	CHECK(hotplug_locked());
}

static void held_at_uevent(const char *text, size_t size, void *arg)
{
	if (strstr(text, "offline@") || strstr(text, "remove@") || strstr(text, "online@")) {
		CHECK(hotplug_locked());
		note("held", "yes");
	}
}

TEST(LOCK_12, "offline_and_remove_memory() holds device_hotplug_lock over all of it, roll-back included")
{
	struct listener a = { .hook = held_all_along };
	struct state_write other = { 40, "online" };
	struct worker writer;

	machine_boot(NULL);
	add_blocks(NODE, 32, 2);
	add_blocks(NODE, 40, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_EQ(mp_uevent_listen(held_at_uevent, NULL), 0);
	listen_as(&a, "A", 1);
	block = get_block(33);
	block->dev.offline_disabled = true;
	CHECK_EQ(offline_and_remove_memory(HOT, 2 * BLOCK_BYTES), -EPERM);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE held:yes A:GOING_ONLINE A:ONLINE held:yes");
	block->dev.offline_disabled = false;
	put_device(&block->dev);
	CHECK_EQ(offline_and_remove_memory(HOT, 2 * BLOCK_BYTES), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE held:yes A:GOING_OFFLINE A:OFFLINE held:yes "
			   "held:yes held:yes");
	worker_start(&writer, write_state, &other);
	CHECK_EQ(worker_join(&writer), 0);
}

static int handled;

static void count_signal(int signal)
{
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static long take_read(void *arg)
{
	get_online_mems();
	put_online_mems();
	return 0;
}

TEST(LOCK_22, "who holds it shared delays every operation; new readers wait behind the writer, no signal helps")
{
	struct sigaction action = { .sa_handler = count_signal };
	struct worker writer, reader;
	static char online = '+';

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	get_online_mems();
	worker_start(&writer, operate, &online);
	AWAIT(write_locked());
	worker_await_sleep(&writer);
	worker_start(&reader, take_read, NULL);
	worker_await_sleep(&reader);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	CHECK_EQ(pthread_kill(reader.thread, SIGUSR1), 0);
	CHECK_EQ(pthread_kill(writer.thread, SIGUSR1), 0);
	AWAIT(__atomic_load_n(&handled, __ATOMIC_RELAXED) == 2);
	worker_await_sleep(&reader);
	worker_await_sleep(&writer);
	put_online_mems();
	CHECK_EQ(worker_join(&writer), 0);
	CHECK_EQ(worker_join(&reader), 0);
	/* And the other way round. */
	mem_hotplug_begin();
	worker_start(&reader, take_read, NULL);
	worker_await_sleep(&reader);
	mem_hotplug_done();
	CHECK_EQ(worker_join(&reader), 0);
}

static __attribute__((noinline)) void read_inside_write(void)
{
	mem_hotplug_begin();
	get_online_mems();
	put_online_mems();
	mem_hotplug_done();
}

static __attribute__((noinline)) void write_inside_read(void)
{
	get_online_mems();
	mem_hotplug_begin();
	mem_hotplug_done();
	put_online_mems();
}

static __attribute__((noinline)) void write_inside_write(void)
{
	mem_hotplug_begin();
	mem_hotplug_begin();
	mem_hotplug_done();
	mem_hotplug_done();
}

TEST(LOCK_23, "a read inside a write, a write inside a read and a write inside a write name both places")
{
	void (*misuses[])(void) = { read_inside_write, write_inside_read, write_inside_write };
	const char *names[] = { "read_inside_write", "write_inside_read", "write_inside_write" };
	struct worker worker;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	allow_fatal();
	for (int i = 0; i < 3; i++) {
		const char *first;

		misuses[i]();
		CHECK_EQ(fatals(), i + 1);
		first = strstr(fatal_text(), names[i]);
#ifndef MEMPLUG_DEBUG
		/* Where a reader entered is remembered only by code that was built for it. */
		if (misuses[i] == write_inside_read && strstr(fatal_text(), "held for reading,"))
			first = strstr(fatal_text(), "asked for");
#endif
		if (!first || !strstr(first + 1, names[i]))
			FAIL("\"%s\" does not name %s twice", fatal_text(), names[i]);
		CHECK(!write_locked());
		CHECK(!percpu_is_read_locked(&mp_mem_hotplug_lock));
		/* The lock works as before. */
		worker_start(&worker, online_32, NULL);
		CHECK_EQ(worker_join(&worker), 0);
		CHECK_EQ(set_state(32, "offline"), 0);
	}
}

TEST(LOCK_23, "adding without device_hotplug_lock is not complained of")
{
	machine_boot(NULL);
	CHECK_EQ(__add_memory(NODE, HOT, BLOCK_BYTES, MHP_NONE), 0);
	__remove_memory(HOT, BLOCK_BYTES);
	CHECK_EQ(mp_lockorder_reports(), 0);
	machine_check();
}
