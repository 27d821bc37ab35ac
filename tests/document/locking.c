/* SPDX-License-Identifier: MIT */
/*
 * Locking internals, sentence by sentence of the starting document: what each of the three locks
 * keeps apart, and the inversion. A thread that must wait is seen asleep before the test goes on;
 * no test depends on how long anything takes.
 */
#include "document.h"
#include "sync/lockorder.h"

#include <linux/cpu.h>
#include <linux/err.h>
#include <linux/memremap.h>

static long add_block(void *arg)
{
	return add_memory(NODE, *(long *)arg * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE);
}

static long remove_block(void *arg)
{
	return remove_blocks(*(long *)arg, 1);
}

static bool write_locked(void)
{
	return percpu_is_write_locked(&mp_mem_hotplug_lock);
}

TEST(doc_34_add_against_online,
     "device_hotplug_lock synchronises adding and removing against requests through the tree")
{
	struct state_write online = {FIRST, "online_movable"};
	long second = SECOND;
	struct worker writer, adder;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	lock_device_hotplug();
	worker_start(&writer, write_state, &online);
	worker_start(&adder, add_block, &second);
	worker_await_sleep(&writer);
	worker_await_sleep(&adder);
	CHECK_STR(read_block(FIRST, "state"), "offline");
	/* Nonsense is refused before anybody waits. */
	CHECK_EQ(set_state(FIRST, "nonsense"), -EINVAL);
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&writer), 0);
	CHECK_EQ(worker_join(&adder), 0);
	CHECK_STR(read_block(FIRST, "state"), "online");
	CHECK_STR(read_block(SECOND, "state"), "offline");
	machine_check();
}

static struct worker eager;
static struct state_write eager_write = {FIRST, "online_movable"};

static void online_at_once(const char *text, size_t size, void *arg)
{
	if (strcmp(text, "add@/devices/system/memory/memory32") != 0)
		return;
	/* Visible and readable, but the writer has to wait for us. */
	CHECK_STR(read_block(FIRST, "state"), "offline");
	worker_start(&eager, write_state, &eager_write);
	worker_await_sleep(&eager);
	note("add", "done");
}

static void block_is_complete(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct mp_entry entry;

	if (action != MEM_GOING_ONLINE)
		return;
	CHECK_EQ(mp_stat("/sys/devices/system/memory/memory32/node1", &entry), 0);
	CHECK_EQ(entry.type, MP_ENTRY_LINK);
	CHECK_EQ(mp_stat("/sys/devices/system/memory/memory33", &entry), 0);
}

TEST(doc_35_online_after_add,
     "a block can be used by user space only once its memory has been added completely")
{
	struct listener a = {.hook = block_is_complete};

	machine_boot(NULL);
	listen_as(&a, "A", 0);
	CHECK_EQ(mp_uevent_listen(online_at_once, NULL), 0);
	add_blocks(NODE, FIRST, 2);
	CHECK_EQ(worker_join(&eager), 0);
	CHECK_STR(heard(), "add:done A:GOING_ONLINE A:ONLINE");
	CHECK_STR(read_block(FIRST, "state"), "online");
	CHECK_STR(read_block(SECOND, "state"), "offline");
	machine_check();
}

static sem_t callback_entered, callback_may_go;

static void stop_inside(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE) {
		sem_post(&callback_entered);
		sem_wait(&callback_may_go);
	}
}

TEST(doc_36_remove_waits, "when memory is removed nobody is in a critical section of its device")
{
	struct listener a = {.hook = stop_inside};
	struct state_write online = {FIRST, "online"};
	struct worker writer, remover;
	long first = FIRST;

	sem_init(&callback_entered, 0, 0);
	sem_init(&callback_may_go, 0, 0);
	machine_boot(NULL);
	listen_as(&a, "A", 0);
	add_blocks(NODE, FIRST, 1);
	worker_start(&writer, write_state, &online);
	sem_wait(&callback_entered);
	worker_start(&remover, remove_block, &first);
	worker_await_sleep(&remover);
	sem_post(&callback_may_go);
	CHECK_EQ(worker_join(&writer), 0);
	/* It waited, and found the block online. */
	CHECK_EQ(worker_join(&remover), -EBUSY);
	CHECK_STR(read_block(FIRST, "state"), "online");
}

static struct mp_file *state_file;

static long write_open_file(void *arg)
{
	return mp_file_write(state_file, "online", 6);
}

TEST(doc_36_write_meets_removal, "a write that waited while its block was removed finds no device")
{
	struct worker writer;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(mp_open("/sys/devices/system/memory/memory32/state", O_WRONLY, &state_file), 0);
	lock_device_hotplug();
	worker_start(&writer, write_open_file, NULL);
	worker_await_sleep(&writer);
	__remove_memory(HOT, BLOCK_BYTES);
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&writer), -ENODEV);
	mp_file_close(state_file);
	CHECK_EQ(set_state(FIRST, "online"), -ENOENT);
	machine_check();
}

static long take_cpu_lock(void *arg)
{
	cpus_write_lock();
	note("cpu", "locked");
	cpus_write_unlock();
	return 0;
}

TEST(doc_37_against_cpu_hotplug, "memory hotplug is synchronised against CPU hotplug")
{
	struct listener a = {.hook = stop_inside};
	struct state_write online = {FIRST, "online"};
	struct worker writer, cpu;

	sem_init(&callback_entered, 0, 0);
	sem_init(&callback_may_go, 0, 1);
	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	listen_as(&a, "A", 0);
	/* CPU hotplug first. */
	cpus_write_lock();
	worker_start(&writer, write_state, &online);
	worker_await_sleep(&writer);
	CHECK_STR(heard(), "");
	cpus_write_unlock();
	CHECK_EQ(worker_join(&writer), 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	heard();
	/* Memory hotplug first. */
	sem_wait(&callback_entered);
	worker_start(&writer, write_state, &online);
	sem_wait(&callback_entered);
	worker_start(&cpu, take_cpu_lock, NULL);
	worker_await_sleep(&cpu);
	sem_post(&callback_may_go);
	CHECK_EQ(worker_join(&writer), 0);
	CHECK_EQ(worker_join(&cpu), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE cpu:locked");
}

/*
 * The race of the document: user space onlines a block as soon as it hears of it, while the adder
 * still creates others. Posted by the uevent of each new block, taken by the onliner.
 */
#define RACE_ROUNDS 250
#define RACE_BLOCKS 4

static sem_t block_announced;
static long announced[RACE_ROUNDS * RACE_BLOCKS];
static unsigned int nr_announced, nr_onlined;

static void announce(const char *text, size_t size, void *arg)
{
	long block;

	if (sscanf(text, "add@/devices/system/memory/memory%ld", &block) != 1)
		return;
	announced[nr_announced++] = block;
	sem_post(&block_announced);
}

static long online_and_offline(void *arg)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(announced); i++) {
		long block;

		sem_wait(&block_announced);
		block = announced[i];
		CHECK_EQ(set_state(block, "online_movable"), 0);
		CHECK_EQ(set_state(block, "offline"), 0);
		__atomic_store_n(&nr_onlined, i + 1, __ATOMIC_RELEASE);
	}
	return 0;
}

TEST(LOCK_13,
     "adding against onlining what was just announced: no inversion, no hang, every write succeeds")
{
	struct worker onliner;

	sem_init(&block_announced, 0, 0);
	machine_boot(NULL);
	CHECK_EQ(mp_uevent_listen(announce, NULL), 0);
	worker_start(&onliner, online_and_offline, NULL);
	for (unsigned int round = 0; round < RACE_ROUNDS; round++) {
		add_blocks(NODE, FIRST, RACE_BLOCKS);
		AWAIT(__atomic_load_n(&nr_onlined, __ATOMIC_ACQUIRE) == (round + 1) * RACE_BLOCKS);
		CHECK_EQ(remove_blocks(FIRST, RACE_BLOCKS), 0);
		uevents();
	}
	CHECK_EQ(worker_join(&onliner), 0);
	CHECK_EQ(mp_lockorder_reports(), 0);
	machine_check();
}

#ifdef MEMPLUG_DEBUG
TEST(doc_38_without_the_lock,
     "without device_hotplug_lock the checker reports the inversion, and only that one")
{
	struct memory_block *mem;

	machine_boot(NULL);
	allow_warnings();
	CHECK_EQ(__add_memory(NODE, HOT, BLOCK_BYTES, MHP_NONE), 0);
	mem = get_block(FIRST);
	CHECK_EQ(mp_lockorder_reports(), 0);
	CHECK_EQ(device_online(&mem->dev), 0);
	CHECK_EQ(mp_lockorder_reports(), 1);
	CHECK_EQ(device_offline(&mem->dev), 0);
	CHECK_EQ(mp_lockorder_reports(), 1);
	put_device(&mem->dev);
}
#endif

static long device_online_locked(void *arg)
{
	int ret;

	lock_device_hotplug();
	ret = device_online(&((struct memory_block *)arg)->dev);
	unlock_device_hotplug();
	return ret;
}

TEST(doc_39_order_of_online, "device_online() takes the device lock first, then mem_hotplug_lock")
{
	struct memory_block *mem;
	struct worker onliner;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	mem = get_block(FIRST);
	/* It has the device lock while it waits for the readers of mem_hotplug_lock. */
	get_online_mems();
	worker_start(&onliner, device_online_locked, mem);
	AWAIT(write_locked() || worker_done(&onliner));
	CHECK(!worker_done(&onliner));
	CHECK(!device_trylock(&mem->dev));
	put_online_mems();
	CHECK_EQ(worker_join(&onliner), 0);
	/* It does not have mem_hotplug_lock while it waits for the device lock. */
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	device_lock(&mem->dev);
	worker_start(&onliner, device_online_locked, mem);
	worker_await_sleep(&onliner);
	CHECK(!write_locked());
	device_unlock(&mem->dev);
	CHECK_EQ(worker_join(&onliner), 0);
	put_device(&mem->dev);
}

static int seen_in_add;

static void look_at_add(const char *text, size_t size, void *arg)
{
	struct mp_entry entry;

	if (strcmp(text, "add@/devices/system/memory/memory32") != 0)
		return;
	CHECK(write_locked());
	CHECK_EQ(mp_stat("/sys/devices/system/memory/memory32/state", &entry), 0);
	seen_in_add++;
}

TEST(doc_40_order_of_add,
     "adding takes mem_hotplug_lock first and creates the devices, visible at once, inside")
{
	struct worker adder;
	long first = FIRST;

	machine_boot(NULL);
	CHECK_EQ(mp_uevent_listen(look_at_add, NULL), 0);
	get_online_mems();
	worker_start(&adder, add_block, &first);
	AWAIT(write_locked() || worker_done(&adder));
	CHECK(!worker_done(&adder));
	CHECK_STR(read_block(FIRST, "state"), "error -2");
	CHECK_EQ(seen_in_add, 0);
	put_online_mems();
	CHECK_EQ(worker_join(&adder), 0);
	CHECK_EQ(seen_in_add, 1);
	CHECK_STR(read_block(FIRST, "state"), "offline");
}

TEST(doc_42_device_online,
     "onlining and offlining through device_online() and device_offline() agrees with the tree")
{
	struct state_write again = {FIRST, "offline"};
	struct memory_block *mem;
	struct worker writer;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	mem = get_block(FIRST);
	lock_device_hotplug();
	CHECK_EQ(device_online(&mem->dev), 0);
	CHECK_EQ(device_online(&mem->dev), 1);
	CHECK_STR(read_block(FIRST, "state"), "online");
	CHECK_STR(read_block(FIRST, "online"), "1");
	worker_start(&writer, write_state, &again);
	worker_await_sleep(&writer);
	CHECK_EQ(device_offline(&mem->dev), 0);
	CHECK_EQ(device_offline(&mem->dev), 1);
	CHECK_STR(read_block(FIRST, "state"), "offline");
	CHECK_STR(read_block(FIRST, "online"), "0");
	unlock_device_hotplug();
	/* The writer's turn comes when it is offline already. */
	CHECK_EQ(worker_join(&writer), -EINVAL);
	put_device(&mem->dev);
}

TEST(doc_43_online_type, "device_hotplug_lock protects online_type on its way to device_online()")
{
	struct state_write other = {FIRST, "online_movable"};
	struct memory_block *mem;
	struct worker writer;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	mem = get_block(FIRST);
	lock_device_hotplug();
	mem->online_type = MMOP_ONLINE_KERNEL;
	worker_start(&writer, write_state, &other);
	worker_await_sleep(&writer);
	CHECK_EQ(mem->online_type, MMOP_ONLINE_KERNEL);
	CHECK_EQ(device_online(&mem->dev), 0);
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&writer), -EINVAL);
	CHECK_STR(read_block(FIRST, "valid_zones"), "Normal");
	put_device(&mem->dev);
}

static int write_locked_events, inside, overlaps;

static int exclusive(struct notifier_block *self, unsigned long action, void *arg)
{
	CHECK(write_locked());
	write_locked_events++;
	if (action == MEM_GOING_ONLINE || action == MEM_GOING_OFFLINE)
		overlaps += inside++;
	else
		inside--;
	return NOTIFY_OK;
}

static void exclusive_uevent(const char *text, size_t size, void *arg)
{
	if (strstr(text, "add@/devices/system/memory/") == text ||
	    strcmp(text, "add@/devices/system/node/node1") == 0 ||
	    strcmp(text, "remove@/devices/system/node/node1") == 0) {
		CHECK(write_locked());
		write_locked_events++;
	}
}

static long cycle(void *arg)
{
	long block = *(long *)arg;

	for (int i = 0; i < 50; i++) {
		CHECK_EQ(set_state(block, "online_movable"), 0);
		CHECK_EQ(set_state(block, "offline"), 0);
	}
	return 0;
}

TEST(doc_44_write_mode,
     "adding, removing, onlining and offlining hold mem_hotplug_lock in write mode: one at a time")
{
	struct notifier_block a = {.notifier_call = exclusive};
	struct worker threads[3];
	long blocks[3] = {SECOND, THIRD, FOURTH};

	machine_boot(NULL);
	CHECK_EQ(register_memory_notifier(&a), 0);
	CHECK_EQ(mp_uevent_listen(exclusive_uevent, NULL), 0);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_EQ(remove_blocks(FIRST, 1), 0);
	CHECK_EQ(write_locked_events, 7);
	CHECK(!write_locked());
	add_blocks(NODE, SECOND, 2);
	add_blocks(2, FOURTH, 1);
	for (int i = 0; i < 3; i++)
		worker_start(&threads[i], cycle, &blocks[i]);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(worker_join(&threads[i]), 0);
	CHECK_EQ(overlaps, 0);
	CHECK_EQ(inside, 0);
	machine_check();
}

static long offline_block_0(void *arg)
{
	return set_state(FIRST, "offline");
}

TEST(doc_45_read_mode,
     "memory does not vanish from code between get_online_mems() and put_online_mems()")
{
	struct worker offliner;
	struct moving page;
	struct page *seen;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK(moving_take(&page, NODE));
	fill(page.page, 21);
	get_online_mems();
	seen = pfn_to_online_page(page_to_pfn(page.page));
	CHECK(seen == page.page);
	worker_start(&offliner, offline_block_0, NULL);
	AWAIT(write_locked() || worker_done(&offliner));
	worker_await_sleep(&offliner);
	/* It waits for us: the page is where it was, with what it held. */
	CHECK(pfn_to_online_page(page_to_pfn(seen)) == seen);
	CHECK(holds(seen, 21));
	CHECK_EQ(page.moves, 0);
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, BLOCK_PAGES);
	put_online_mems();
	CHECK_EQ(worker_join(&offliner), 0);
	get_online_mems();
	CHECK(!pfn_to_online_page(page_to_pfn(seen)));
	CHECK_EQ(NODE_DATA(NODE)->node_present_pages, 0);
	put_online_mems();
	CHECK(holds(page.page, 21));
	moving_free(&page);
	machine_check();
}

TEST(doc_45_all_four, "a reader holds back adding, onlining, offlining and removing alike")
{
	struct state_write online = {FIRST, "online"}, offline = {FIRST, "offline"};
	struct {
		long (*run)(void *arg);
		void *arg;
	} operations[] = {
		{add_block, &online.block},
		{write_state, &online},
		{write_state, &offline},
		{remove_block, &online.block},
	};

	machine_boot(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++) {
		struct worker worker;

		get_online_mems();
		worker_start(&worker, operations[i].run, operations[i].arg);
		worker_await_sleep(&worker);
		put_online_mems();
		CHECK_EQ(worker_join(&worker), 0);
	}
	machine_check();
}

static struct dev_pagemap device = {
	.type = MEMORY_DEVICE_GENERIC,
	.nr_range = 1,
	.range = { 4 * HOT, 4 * HOT + SZ_2M - 1 },
};

static long add_device_memory(void *arg)
{
	return IS_ERR(memremap_pages(&device, NODE)) ? -1 : 0;
}

static long remove_device_memory(void *arg)
{
	memunmap_pages(&device);
	return 0;
}

TEST(doc_44_device_memory, "device memory comes and goes with mem_hotplug_lock in write mode")
{
	long (*operations[])(void *arg) = { add_device_memory, remove_device_memory };

	machine_boot(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(operations); i++) {
		int before = pfn_valid(PHYS_PFN(device.range.start));
		struct worker worker;

		get_online_mems();
		worker_start(&worker, operations[i], NULL);
		AWAIT(write_locked());
		worker_await_sleep(&worker);
		CHECK_EQ(pfn_valid(PHYS_PFN(device.range.start)), before);
		put_online_mems();
		CHECK_EQ(worker_join(&worker), 0);
		CHECK_EQ(pfn_valid(PHYS_PFN(device.range.start)), !before);
	}
	machine_check();
}

static pthread_barrier_t all_inside;

static long read_beside_others(void *arg)
{
	for (int i = 0; i < 100; i++) {
		get_online_mems();
		/* Nobody passes unless all are inside at once. */
		pthread_barrier_wait(&all_inside);
		CHECK(pfn_to_online_page(HOT_PFN));
		put_online_mems();
	}
	return 0;
}

TEST(doc_46_readers_beside_readers,
     "readers do not wait for each other, nor does an allocation for a writer")
{
	struct worker readers[4], offliner;
	struct page *page;

	machine_boot(NULL);
	add_blocks(NODE, FIRST, 1);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	pthread_barrier_init(&all_inside, NULL, 4);
	for (int i = 0; i < 4; i++)
		worker_start(&readers[i], read_beside_others, NULL);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(worker_join(&readers[i]), 0);
	/* A writer waits: memory can be taken and given back all the same. */
	get_online_mems();
	worker_start(&offliner, offline_block_0, NULL);
	AWAIT(write_locked());
	page = alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE, 0);
	CHECK(page);
	fill(page, 2);
	CHECK(holds(page, 2));
	__free_page(page);
	put_online_mems();
	CHECK_EQ(worker_join(&offliner), 0);
}
