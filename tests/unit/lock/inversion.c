/* SPDX-License-Identifier: MIT */
/*
 * The inversion (LOCK-13): an adder holds mem_hotplug_lock and wants the device lock of a new block, an
 * onliner holds that device lock and wants mem_hotplug_lock. `race` is shared with the uevent listener.
 */
#include "machine.h"

#include "sync/lockorder.h"

#define NODE 1
#define ADDS 1000
#define ONLINERS 2
#define HOT_8M_STATE "/sys/devices/system/memory/memory512/state"

static struct {
	sem_t announced;
	long block; /* the one announced last; atomic */
	int stop;
	unsigned long onlined;
} race;

static void announce(const char *text, size_t size, void *arg)
{
	long block;

	if (sscanf(text, "add@/devices/system/memory/memory%ld", &block) != 1)
		return;
	__atomic_store_n(&race.block, block, __ATOMIC_RELEASE);
	for (int i = 0; i < ONLINERS; i++)
		sem_post(&race.announced);
}

/* Onlines what was announced as fast as it can, by the tree and by the device. */
static long online_announced(void *arg)
{
	struct memory_block *mem;
	long block;

	for (;;) {
		sem_wait(&race.announced);
		if (__atomic_load_n(&race.stop, __ATOMIC_ACQUIRE))
			return 0;
		block = __atomic_load_n(&race.block, __ATOMIC_ACQUIRE);
		if (arg) {
			if (!write_block(block, "online", "1"))
				__atomic_fetch_add(&race.onlined, 1, __ATOMIC_RELAXED);
			continue;
		}
		lock_device_hotplug();
		mem = find_memory_block(pfn_to_section_nr((unsigned long)block * ((8UL << 20) >> PAGE_SHIFT)));
		if (mem && device_online(&mem->dev) >= 0)
			__atomic_fetch_add(&race.onlined, 1, __ATOMIC_RELAXED);
		if (mem)
			put_device(&mem->dev);
		unlock_device_hotplug();
	}
}

TEST(LOCK_13, "a thousand adds against onliners of what was just announced: nobody hangs, no inversion")
{
	struct worker onliners[ONLINERS];

	sem_init(&race.announced, 0, 0);
	machine_boot("block = 8M\n");
	CHECK_EQ(mp_uevent_listen(announce, NULL), 0);
	for (unsigned long i = 0; i < ONLINERS; i++)
		worker_start(&onliners[i], online_announced, (void *)i);
	for (int i = 0; i < ADDS; i++) {
		CHECK_EQ(add_memory(NODE, HOT, 8UL << 20, MHP_NONE), 0);
		/* Every other time the onliners may come whenever they like. */
		if (i % 2)
			AWAIT(!strcmp(read_file(HOT_8M_STATE), "online"));
		CHECK_EQ(offline_and_remove_memory(HOT, 8UL << 20), 0);
		uevents();
	}
	__atomic_store_n(&race.stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < ONLINERS; i++)
		sem_post(&race.announced);
	for (int i = 0; i < ONLINERS; i++)
		CHECK_EQ(worker_join(&onliners[i]), 0);
	CHECK_GE(race.onlined, ADDS / 2);
	CHECK_EQ(mp_lockorder_reports(), 0);
	machine_check();
}

#ifdef MEMPLUG_DEBUG
TEST(LOCK_13, "with device_hotplug_lock left out the checker reports exactly that inversion, once")
{
	struct memory_block *mem;

	machine_boot(NULL);
	allow_warnings();
	for (int i = 0; i < 50; i++) {
		/* One after the other: only the order is wrong, nobody can hang. */
		CHECK_EQ(__add_memory(NODE, HOT, BLOCK_BYTES, MHP_NONE), 0);
		mem = get_block(32);
		CHECK_EQ(device_online(&mem->dev), 0);
		CHECK_EQ(device_offline(&mem->dev), 0);
		put_device(&mem->dev);
		__remove_memory(HOT, BLOCK_BYTES);
		CHECK_EQ(mp_lockorder_reports(), 1);
	}
	CHECK_EQ(warnings(), 1);
	CHECK(strstr(warning_text(), "device_lock"));
	CHECK(strstr(warning_text(), "mem_hotplug_lock"));
}

TEST(LOCK_13, "one side that has device_hotplug_lock does not help when the other has not")
{
	struct memory_block *mem;

	machine_boot(NULL);
	allow_warnings();
	add_blocks(NODE, 32, 1);
	mem = get_block(32);
	CHECK_EQ(mp_lockorder_reports(), 0);
	CHECK_EQ(device_online(&mem->dev), 0);
	CHECK_EQ(mp_lockorder_reports(), 1);
	put_device(&mem->dev);
}
#endif
