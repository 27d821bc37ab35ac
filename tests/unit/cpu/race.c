/* SPDX-License-Identifier: MIT */
/*
 * CPUs, sysfs writers, DIMMs and blocks at the same time: each thread does a fixed number of rounds, and every
 * answer must be one that the moment allows. At the end all is put into one state and looked at.
 */
#include "../tree.h"

#include <linux/cpu.h>
#include <memplug/slot.h>

#define ROUNDS 40
#define CPU_ROOT "/sys/devices/system/cpu"

/* CPU 1 belongs to node 0, CPU 2 to node 1, CPU 3 is plugged and ejected on node 2. */
static long calls_on_cpus(void *arg)
{
	int i, ret;

	for (i = 0; i < ROUNDS; i++) {
		unsigned int cpu = 1 + (unsigned int)i % 2;

		ret = i & 2 ? add_cpu(cpu) : remove_cpu(cpu);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static long plugs_cpus(void *arg)
{
	int i, ret;

	for (i = 0; i < ROUNDS; i++) {
		ret = mp_cpu_plug(3) ?: mp_cpu_move(3, 1 + i % 2) ?: add_cpu(3) ?: mp_cpu_eject(3);
		if (ret)
			return ret;
	}
	return 0;
}

static long writes_to_cpus(void *arg)
{
	int i, ret;

	for (i = 0; i < ROUNDS; i++) {
		ret = i & 1 ? mp_write_string(CPU_ROOT "/cpu1/online", i & 2 ? "1" : "0")
			    : mp_write_string(CPU_ROOT "/cpu2/hotplug/target", i & 2 ? "0" : "1");
		if (ret)
			return ret;
	}
	return 0;
}

static long writes_to_blocks(void *arg)
{
	int i, ret;

	for (i = 0; i < ROUNDS; i++) {
		ret = set_state(32, i & 1 ? "offline" : "online_movable");
		/* The DIMM comes and goes, and its driver switches the block as well. */
		if (ret && ret != -ENOENT && ret != -ENODEV && ret != -EINVAL)
			return ret;
	}
	return 0;
}

static long plugs_dimms(void *arg)
{
	int i, ret;

	for (i = 0; i < ROUNDS; i++) {
		ret = mp_slot_plug(0, HOT, BLOCK_BYTES, 1) ?: mp_slot_eject(0);
		if (ret)
			return ret;
	}
	return 0;
}

static long adds_memory(void *arg)
{
	int i, ret;

	for (i = 0; i < ROUNDS; i++) {
		ret = add_memory(2, HOT + BLOCK_BYTES, BLOCK_BYTES, MHP_NONE)
			?: offline_and_remove_memory(HOT + BLOCK_BYTES, BLOCK_BYTES);
		if (ret)
			return ret;
	}
	return 0;
}

static int stop; /* atomic */

static int count_entry(const struct mp_entry *entry, void *arg)
{
	return 0;
}

static long reads_everything(void *arg)
{
	static const char *const files[] = {
		CPU_ROOT "/online", CPU_ROOT "/offline", CPU_ROOT "/present", CPU_ROOT "/cpu3/online",
		NODE_ROOT "/node1/cpulist", NODE_ROOT "/node2/cpumap", NODE_ROOT "/has_cpu",
		"/proc/zoneinfo", MEMORY "/memory32/valid_zones", CPU_ROOT "/cpu2/node1/cpulist",
	};
	char *text = malloc(1 << 16);
	size_t i;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < ARRAY_SIZE(files); i++)
			mp_read(files[i], text, 1 << 16);
		mp_list(NODE_ROOT "/node1", count_entry, NULL);
		mp_list(CPU_ROOT, count_entry, NULL);
		if (!num_online_cpus() || !cpu_online(0))
			break;
	}
	free(text);
	return __atomic_load_n(&stop, __ATOMIC_RELAXED) ? 0 : -1;
}

/* ---- one slot, many hands ---- */

#define EJECT "/sys/bus/acpi/devices/PNP0C80:00/eject"

static long writes_eject(void *arg)
{
	int ret;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		ret = mp_write_string(EJECT, "1");
		if (ret && ret != -ENOENT && ret != -ENODEV)
			return ret;
	}
	return 0;
}

static long calls_eject(void *arg)
{
	int ret;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		ret = mp_slot_eject(0);
		if (ret && ret != -ENOENT)
			return ret;
	}
	return 0;
}

static long reads_slot(void *arg)
{
	struct mp_slot_info info;
	char text[64];
	int ret;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		mp_read("/sys/bus/acpi/devices/PNP0C80:00/path", text, sizeof(text));
		mp_read(MEMORY "/memory32/firmware_node/hid", text, sizeof(text));
		ret = mp_slot_get(0, &info);
		if (ret ? ret != -ENOENT : info.start != HOT)
			return -1;
	}
	return 0;
}

static long plugs_slot(void *arg)
{
	int plugged = 0, ret;

	while (plugged < ROUNDS) {
		ret = mp_slot_plug(0, HOT, BLOCK_BYTES, 1);
		if (ret && ret != -EEXIST)
			return ret;
		plugged += !ret;
	}
	return 0;
}

TEST(slot_race, "a slot that one thread fills and others empty, by call and by file, while it is read")
{
	static long (*const work[])(void *) = { writes_eject, writes_eject, calls_eject, reads_slot };
	struct worker workers[ARRAY_SIZE(work)], plugger;
	size_t i;
	int ret;

	machine_boot("memhp_default_state = online_movable\n");
	worker_start(&plugger, plugs_slot, NULL);
	for (i = 0; i < ARRAY_SIZE(work); i++)
		worker_start(&workers[i], work[i], NULL);
	CHECK_EQ(worker_join(&plugger), 0);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < ARRAY_SIZE(work); i++)
		CHECK_EQ(worker_join(&workers[i]), 0);
	ret = mp_slot_eject(0);
	CHECK(!ret || ret == -ENOENT);
	CHECK(!block_exists(32) && !node_online(1) && !memory_group_find_by_id(0));
	machine_check();
}

/* ---- everything at once ---- */

TEST(cpu_race, "CPUs, sysfs writers, DIMMs and memory race, and the machine is whole at the end")
{
	static long (*const work[])(void *) = {
		calls_on_cpus, plugs_cpus, writes_to_cpus, writes_to_blocks, plugs_dimms, adds_memory,
	};
	struct worker workers[ARRAY_SIZE(work)], reader;
	size_t i;

	machine_boot("memhp_default_state = online_movable\n"
		     "cpu 1 node 0\ncpu 2 node 1 offline\ncpu 3 node 2 absent\n");
	worker_start(&reader, reads_everything, NULL);
	for (i = 0; i < ARRAY_SIZE(work); i++)
		worker_start(&workers[i], work[i], NULL);
	for (i = 0; i < ARRAY_SIZE(work); i++) {
		long ret = worker_join(&workers[i]);

		if (ret)
			FAIL("thread %zu: %ld", i, ret);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK_EQ(worker_join(&reader), 0);
	machine_check();

	CHECK(add_cpu(1) >= 0 && add_cpu(2) >= 0);
	CHECK_STR(read_file(CPU_ROOT "/online"), "0-2");
	CHECK_STR(read_file(NODE_ROOT "/node0/cpulist"), "0-1");
	CHECK_STR(read_file(NODE_ROOT "/node1/cpulist"), "2");
	CHECK_STR(read_file(NODE_ROOT "/has_cpu"), "0-1");
	CHECK(!block_exists(32) && !block_exists(33) && !node_online(2));
	CHECK_STR(read_file(MEMORY "/auto_online_blocks"), "online_movable");
	CHECK_EQ(mp_shutdown(), 0);
}
