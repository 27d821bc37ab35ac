/* SPDX-License-Identifier: MIT */
/*
 * CPUs that come and go: masks, files, links to nodes, and who waits for whom. CPU 0 is online on node 0, CPU 1
 * offline there, CPU 2 offline on the empty node 1, CPU 3 absent on the empty node 2.
 */
#include "../tree.h"

#include <linux/cpu.h>
#include "sync/internal.h"

#define CPU_ROOT "/sys/devices/system/cpu"
#define CPUS                                                                                       \
	"cpu 1 node 0 offline\n"                                                                   \
	"cpu 2 node 1 offline\n"                                                                   \
	"cpu 3 node 2 absent\n"

static int write_cpu(int cpu, const char *file, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), CPU_ROOT "/cpu%d/%s", cpu, file);
	return mp_write_string(path, text);
}

static long write_cpu1_online(void *text)
{
	return write_cpu(1, "online", text);
}

static long add_cpu1(void *arg)
{
	return add_cpu(1);
}

static long online_32(void *arg)
{
	return set_state(32, "online");
}

static struct worker other;

static void try_cpu_meanwhile(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE) {
		worker_start(&other, write_cpu1_online, (void *)"1");
		worker_await_sleep(&other);
	}
	if (action == MEM_ONLINE)
		CHECK(!worker_done(&other) && !cpu_online(1));
}

TEST(CPU_1, "a write to a CPU's online waits, restarting, for the memory block that goes online; then it succeeds")
{
	struct listener a = { .hook = try_cpu_meanwhile };

	machine_boot(CPUS);
	add_blocks(1, HOT_BLOCK, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(worker_join(&other), 0);
	CHECK(cpu_online(1));
	CHECK_STR(read_file(CPU_ROOT "/cpu1/online"), "1");
	machine_check();
}

TEST(CPU_1, "online of a CPU is the generic attribute: same words, repetition succeeds, events; cpu0 has none")
{
	machine_boot(CPUS);
	uevents();
	CHECK_EQ(write_cpu(1, "online", "1"), 0);
	CHECK_EQ(write_cpu(1, "online", "1\n"), 0);
	CHECK_EQ(write_cpu(1, "online", "n"), 0);
	CHECK_EQ(write_cpu(1, "online", "2"), -EINVAL);
	CHECK_STR(uevents(), "online@cpu1 offline@cpu1");
	CHECK(!exists(CPU_ROOT "/cpu0/online"));
	CHECK(exists(CPU_ROOT "/cpu0/uevent") && exists("/sys/bus/cpu/devices/cpu0"));
	CHECK_EQ(mp_write_string(CPU_ROOT "/cpu1/uevent", "change"), 0);
	CHECK_STR(uevents(), "change@cpu1");
}

static long add_cpu2(void *arg)
{
	return add_cpu(2);
}

static long remove_cpu1(void *arg)
{
	return remove_cpu(1);
}

static long set_target(void *text)
{
	return write_cpu(1, "hotplug/target", text);
}

static long plug_cpu3(void *arg)
{
	return mp_cpu_plug(3);
}

static long eject_cpu3(void *arg)
{
	return mp_cpu_eject(3);
}

static long move_cpu3(void *arg)
{
	return mp_cpu_move(3, 3);
}

TEST(CPU_2, "add_cpu, remove_cpu, hotplug/target, plug, eject and move wait for device_hotplug_lock")
{
	static const struct {
		long (*run)(void *arg);
		void *arg;
	} calls[] = {
		{ add_cpu1, NULL },	{ remove_cpu1, NULL }, { set_target, (void *)"1" },
		{ set_target, (void *)"0" },
		{ add_cpu2, NULL },	{ plug_cpu3, NULL },   { move_cpu3, NULL }, { eject_cpu3, NULL },
	};
	size_t i;

	machine_boot(CPUS);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		lock_device_hotplug();
		worker_start(&other, calls[i].run, calls[i].arg);
		worker_await_sleep(&other);
		CHECK(!worker_done(&other));
		unlock_device_hotplug();
		CHECK_EQ(worker_join(&other), 0);
	}
	machine_check();
}

TEST(CPU_2, "hotplug/target takes the two states of states, and state tells which it is")
{
	machine_boot(CPUS);
	CHECK_STR(read_file(CPU_ROOT "/hotplug/states"), "  0: offline\n  1: online");
	CHECK_STR(read_file(CPU_ROOT "/cpu1/hotplug/state"), "0");
	CHECK_EQ(write_cpu(1, "hotplug/target", "1"), 0);
	CHECK_STR(read_file(CPU_ROOT "/cpu1/hotplug/state"), "1");
	CHECK(cpu_online(1));
	CHECK_EQ(write_cpu(1, "hotplug/target", "2"), -EINVAL);
	CHECK_EQ(write_cpu(1, "hotplug/target", "-1"), -EINVAL);
	CHECK_EQ(write_cpu(1, "hotplug/target", "online"), -EINVAL);
	CHECK_EQ(write_cpu(0, "hotplug/target", "0"), -EPERM);
	CHECK_EQ(write_cpu(1, "hotplug/target", "0"), 0);
	CHECK(!cpu_online(1));
}

TEST(CPU_3, "a CPU waits while memory hotplug holds its locks, also without device_hotplug_lock")
{
	machine_boot(CPUS);
	mem_hotplug_begin();
	worker_start(&other, add_cpu1, NULL);
	worker_await_sleep(&other);
	CHECK(!cpu_online(1));
	mem_hotplug_done();
	CHECK_EQ(worker_join(&other), 0);
	CHECK(cpu_online(1));
	cpus_read_lock();
	worker_start(&other, remove_cpu1, NULL);
	worker_await_sleep(&other);
	CHECK(cpu_online(1));
	cpus_read_unlock();
	CHECK_EQ(worker_join(&other), 0);
	CHECK(!cpu_online(1));
	/* This one gets as far as its node. */
	cpus_read_lock();
	worker_start(&other, add_cpu1, NULL);
	worker_await_sleep(&other);
	CHECK(!cpu_online(1));
	cpus_read_unlock();
	CHECK_EQ(worker_join(&other), 0);
	CHECK(cpu_online(1));
}

TEST(CPU_3, "memory hotplug waits while cpu_hotplug_lock is held exclusively, also without device_hotplug_lock")
{
	struct listener a = { 0 };

	machine_boot(CPUS);
	add_blocks(1, HOT_BLOCK, 1);
	listen_as(&a, "A", 0);
	cpus_write_lock();
	worker_start(&other, online_32, NULL);
	worker_await_sleep(&other);
	CHECK_EQ(a.calls, 0);
	cpus_write_unlock();
	CHECK_EQ(worker_join(&other), 0);
	CHECK_EQ(a.calls, 2);
}

static bool node_first;

static void look_at_locks(const char *text, size_t size, void *arg)
{
	if (strcmp(text, "add@/devices/system/node/node1"))
		return;
	/* These are memory hotplug's locks. */
	node_first = percpu_is_write_locked(&mp_mem_hotplug_lock) &&
		     percpu_is_read_locked(&cpu_hotplug_lock) &&
		     !percpu_is_write_locked(&cpu_hotplug_lock) && !cpu_online(2);
}

static const char *topology(int cpu, const char *file)
{
	char path[96];

	snprintf(path, sizeof(path), CPU_ROOT "/cpu%d/topology/%s", cpu, file);
	return exists(path) ? read_file(path) : "-";
}

TEST(CPU_6, "an online CPU has a topology: a package per node, a core per CPU, of those that are online")
{
	machine_boot(CPUS);
	CHECK_STR(topology(0, "package_cpus_list"), "0");
	CHECK(!exists(CPU_ROOT "/cpu1/topology") && !exists(CPU_ROOT "/cpu2/topology"));
	CHECK_EQ(add_cpu(1), 0);
	CHECK_EQ(add_cpu(2), 0);
	CHECK_STR(topology(0, "package_cpus_list"), "0-1");
	CHECK_STR(topology(1, "core_siblings"), "3");
	CHECK_STR(topology(1, "die_cpus"), "3");
	CHECK_STR(topology(1, "thread_siblings_list"), "1");
	CHECK_STR(topology(1, "core_cpus"), "2");
	CHECK_STR(topology(1, "core_id"), "1");
	CHECK_STR(topology(1, "physical_package_id"), "0");
	CHECK_STR(topology(2, "physical_package_id"), "1");
	CHECK_STR(topology(2, "package_cpus_list"), "2");
	CHECK_STR(topology(2, "die_id"), "0");
	CHECK_STR(topology(2, "cluster_id"), "65535");
	/* It goes offline, and comes back on another node. */
	CHECK_EQ(remove_cpu(2), 0);
	CHECK(!exists(CPU_ROOT "/cpu2/topology"));
	CHECK_EQ(mp_cpu_move(2, 0), 0);
	CHECK_EQ(add_cpu(2), 0);
	CHECK_STR(topology(2, "physical_package_id"), "0");
	CHECK_STR(topology(0, "package_cpus_list"), "0-2");
	/* One that is taken out takes its files along. */
	CHECK_EQ(mp_cpu_eject(1), 0);
	CHECK(!exists(CPU_ROOT "/cpu1"));
	CHECK_EQ(mp_cpu_plug(1), 0);
	CHECK(exists(CPU_ROOT "/cpu1") && !exists(CPU_ROOT "/cpu1/topology"));
	machine_check();
}

TEST(CPU_4, "the node of a CPU comes online first, with its directory and event, before cpu_hotplug_lock is taken")
{
	machine_boot(CPUS);
	CHECK(!node_online(1) && !exists(NODE_ROOT "/node1"));
	CHECK_EQ(mp_uevent_listen(look_at_locks, NULL), 0);
	uevents();
	CHECK_EQ(add_cpu(2), 0);
	CHECK_STR(uevents(), "add@node1 online@cpu2");
	CHECK(node_first);
	CHECK(node_online(1) && node_state(1, N_CPU) && !node_state(1, N_MEMORY));
	CHECK_STR(read_file(NODE_ROOT "/online"), "0-1");
	CHECK_STR(read_file(NODE_ROOT "/has_cpu"), "0-1");
	CHECK_STR(read_file(NODE_ROOT "/node1/cpulist"), "2");
	CHECK_STR(read_file(NODE_ROOT "/node1/cpumap"), "4");
	machine_check();
}

TEST(CPU_5, "a present CPU keeps its node online, offline as it is; when it is ejected the node goes")
{
	machine_boot(CPUS);
	CHECK_EQ(add_cpu(2), 0);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(remove_cpu(2), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK(node_online(1) && !node_state(1, N_CPU));
	CHECK_STR(read_file(NODE_ROOT "/node1/cpulist"), "");
	CHECK(exists(NODE_ROOT "/node1/cpu2/uevent"));
	uevents();
	CHECK_EQ(mp_cpu_eject(2), 0);
	CHECK_STR(uevents(), "remove@cpu2 remove@node1");
	CHECK(!node_online(1) && !cpu_present(2) && cpu_possible(2));
	machine_check();
}

TEST(CPU_5, "a node with memory stays when its last CPU is ejected, and goes with the memory")
{
	machine_boot(CPUS);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK(exists(NODE_ROOT "/node1/cpu2/uevent"));
	CHECK_EQ(add_cpu(2), 0);
	uevents();
	CHECK_EQ(mp_cpu_eject(2), 0);
	CHECK_STR(uevents(), "offline@cpu2 remove@cpu2");
	CHECK(node_online(1) && !exists(NODE_ROOT "/node1/cpu2"));
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK(!node_online(1));
	machine_check();
}

TEST(CPU_6, "a CPU that comes online on another node has its links there, in both directions")
{
	machine_boot(CPUS);
	CHECK_EQ(add_cpu(1), 0);
	CHECK_EQ(mp_cpu_move(1, 1), -EBUSY);
	CHECK_EQ(remove_cpu(1), 0);
	CHECK_EQ(mp_cpu_move(1, 1), 0);
	/* Not before it is up. */
	CHECK_EQ(cpu_to_node(1), 0);
	CHECK(exists(NODE_ROOT "/node0/cpu1"));
	uevents();
	CHECK_EQ(add_cpu(1), 0);
	CHECK_STR(uevents(), "add@node1 online@cpu1");
	CHECK_EQ(cpu_to_node(1), 1);
	CHECK(!exists(NODE_ROOT "/node0/cpu1") && exists(NODE_ROOT "/node1/cpu1/uevent"));
	CHECK(!exists(CPU_ROOT "/cpu1/node0") && exists(CPU_ROOT "/cpu1/node1/cpulist"));
	CHECK_STR(read_file(NODE_ROOT "/node0/cpulist"), "0");
	CHECK_STR(read_file(NODE_ROOT "/node1/cpulist"), "1");
	machine_check();
}

TEST(cpu_files, "possible, present, online, offline and kernel_max follow the CPUs")
{
	machine_boot(CPUS);
	CHECK_STR(read_file(CPU_ROOT "/possible"), "0-3");
	CHECK_STR(read_file(CPU_ROOT "/present"), "0-2");
	CHECK_STR(read_file(CPU_ROOT "/online"), "0");
	CHECK_STR(read_file(CPU_ROOT "/offline"), "1-3");
	CHECK_STR(read_file(CPU_ROOT "/kernel_max"), "1023");
	CHECK_EQ(add_cpu(2), 0);
	CHECK_EQ(mp_cpu_plug(3), 0);
	CHECK_STR(read_file(CPU_ROOT "/present"), "0-3");
	CHECK_STR(read_file(CPU_ROOT "/online"), "0,2");
	CHECK_STR(read_file(CPU_ROOT "/offline"), "1,3");
	CHECK_EQ(num_possible_cpus(), 4);
	CHECK_EQ(num_present_cpus(), 4);
	CHECK_EQ(num_online_cpus(), 2);
	CHECK_EQ(nr_cpu_ids, 4);
	CHECK_EQ(mp_write_string(CPU_ROOT "/online", "0"), -EACCES);
	CHECK_EQ(mp_shutdown(), 0);
	CHECK_EQ(num_possible_cpus(), 0);
}

TEST(SYSFS_30, "the links cpuM of a node and nodeN of a CPU lead to each other")
{
	struct mp_entry entry;

	machine_boot(CPUS);
	CHECK_EQ(mp_stat(NODE_ROOT "/node0/cpu1", &entry), 0);
	CHECK_STR(entry.target, "../../cpu/cpu1");
	CHECK_STR(read_file(NODE_ROOT "/node0/cpu1/online"), "0");
	CHECK_EQ(mp_stat(CPU_ROOT "/cpu1/node0", &entry), 0);
	CHECK_STR(entry.target, "../../node/node0");
	CHECK_STR(read_file(CPU_ROOT "/cpu1/node0/cpulist"), "0");
	CHECK(!exists(NODE_ROOT "/node0/cpu2"));
}

TEST(ZONE_14, "the lists' limit is shared by the CPUs of the node that are online")
{
	struct zone *zone;
	int batch;

	machine_boot("cpu 1 node 0 offline\nram 4G 16G node 0\n");
	zone = zone_of(0, ZONE_NORMAL);
	batch = zone->pageset_batch;
	zone->_watermark[WMARK_LOW] = 4000;
	CHECK_EQ(add_cpu(1), 0);
	CHECK_EQ(zone->pageset_high, max(2000, 4 * batch));
	CHECK_EQ(zone->pageset_batch, batch);
	CHECK_EQ(remove_cpu(1), 0);
	CHECK_EQ(zone->pageset_high, max(4000, 4 * batch));
}

static int pagesets(void)
{
	const char *at = raw("/proc/zoneinfo");
	int count = 0;

	for (at = strstr(at, "    cpu: "); at; at = strstr(at + 1, "    cpu: "))
		count++;
	return count;
}

TEST(PROC_2, "a populated zone shows the pagesets of the CPUs that are online")
{
	int before;

	machine_boot(CPUS);
	before = pagesets();
	CHECK_EQ(add_cpu(1), 0);
	CHECK_EQ(pagesets(), 2 * before);
	CHECK_EQ(remove_cpu(1), 0);
	CHECK_EQ(pagesets(), before);
}

TEST(cpu_answers, "what add_cpu and remove_cpu give, and what they leave alone")
{
	struct mp_reason reason;

	CHECK_EQ(add_cpu(0), -ENXIO);
	CHECK_EQ(remove_cpu(0), -ENXIO);
	CHECK_EQ(mp_cpu_plug(0), -ENXIO);
	CHECK_EQ(mp_cpu_eject(0), -ENXIO);
	machine_boot(CPUS);
	uevents();
	CHECK_EQ(add_cpu(0), 1);
	CHECK_EQ(remove_cpu(1), 1);
	CHECK_EQ(remove_cpu(0), -EPERM);
	CHECK_EQ(add_cpu(3), -EINVAL);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK(strstr(reason.text, "cpu3: online refused: it is not present"));
	CHECK_EQ(remove_cpu(3), -EINVAL);
	CHECK_EQ(add_cpu(4), -EINVAL);
	CHECK_EQ(add_cpu(~0U), -EINVAL);
	CHECK_EQ(mp_cpu_plug(-1), -EINVAL);
	CHECK_EQ(mp_cpu_plug(1024), -EINVAL);
	CHECK_EQ(mp_cpu_plug(1), -EEXIST);
	CHECK_EQ(mp_cpu_eject(3), -EINVAL);
	CHECK_EQ(mp_cpu_eject(0), -EPERM);
	CHECK_EQ(mp_cpu_move(1, 4), -EINVAL);
	CHECK_EQ(mp_cpu_move(1, -1), -EINVAL);
	CHECK_EQ(mp_cpu_move(4, 0), -EINVAL);
	CHECK_STR(uevents(), "");
	CHECK(!get_cpu_device(3) && !get_cpu_device(~0U) && cpu_to_node(-1) == NUMA_NO_NODE);
	machine_check();
}

TEST(cpu_last, "the last online CPU stays, in a machine without CPU 0 too")
{
	struct mp_reason reason;

	machine_boot_text("node 0\ncpu 1 node 0\ncpu 2 node 0 offline\nram 0 128M node 0\n");
	CHECK_EQ(remove_cpu(1), -EBUSY);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_STR(reason.text, "cpu1: offline refused: it is the last CPU online");
	CHECK_EQ(mp_cpu_eject(1), -EBUSY);
	CHECK_EQ(add_cpu(2), 0);
	CHECK_EQ(mp_cpu_eject(1), 0);
	CHECK_EQ(remove_cpu(2), -EBUSY);
	machine_check();
}

static int answer;

static void call_add_cpu(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_ONLINE)
		answer = add_cpu(1);
}

TEST(cpu_in_callback, "CPU hotplug from a memory event callback calls the fatal hook and changes nothing")
{
	struct listener a = { .hook = call_add_cpu };

	machine_boot(CPUS);
	allow_fatal();
	add_blocks(1, HOT_BLOCK, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(answer, -EDEADLK);
	CHECK_EQ(fatals(), 1);
	CHECK(!cpu_online(1));
}

/* A file of the copied tree; its directory is made. */
static void put_file(const char *root, const char *path, const char *text)
{
	char command[512];

	snprintf(command, sizeof(command), "mkdir -p \"$(dirname %s/%s)\" && printf '%s' > %s/%s",
		 root, path, text, root, path);
	CHECK_EQ(system(command), 0);
}

TEST(cpu_mirror, "a machine read from a tree: CPUs in a node's list are online, those only linked are offline")
{
	char root[] = "/tmp/memplug-cpus-XXXXXX", command[64];
	struct mp_desc *desc = mp_desc_new();

	CHECK(mkdtemp(root));
	put_file(root, "sys/devices/system/memory/block_size_bytes", "8000000");
	put_file(root, "sys/devices/system/memory/memory0/state", "online");
	put_file(root, "sys/devices/system/memory/memory0/valid_zones", "Normal");
	put_file(root, "sys/devices/system/node/possible", "0-1");
	put_file(root, "sys/devices/system/node/online", "0-1");
	put_file(root, "sys/devices/system/node/node0/cpulist", "0,2");
	put_file(root, "sys/devices/system/node/node0/memory0", "");
	put_file(root, "sys/devices/system/node/node0/cpu0", "");
	put_file(root, "sys/devices/system/node/node0/cpu1", "");
	put_file(root, "sys/devices/system/node/node0/cpu2", "");
	put_file(root, "sys/devices/system/node/node1/cpulist", "");
	put_file(root, "sys/devices/system/node/node1/cpu3", "");
	if (mp_desc_read_sysfs(desc, root))
		FAIL("%s", mp_desc_error(desc));
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_EQ(system(command), 0);
	CHECK_EQ(mp_boot(desc), 0);
	mp_desc_free(desc);
	CHECK_STR(read_file(CPU_ROOT "/present"), "0-3");
	CHECK_STR(read_file(CPU_ROOT "/online"), "0,2");
	CHECK_EQ(cpu_to_node(3), 1);
	CHECK_EQ(add_cpu(3), 0);
}

TEST(cpu_describe, "the words of a description, and what is refused")
{
	struct mp_desc *desc = mp_desc_new();

	CHECK_EQ(mp_desc_parse(desc, "node 0\ncpu 0\ncpu 1 online\ncpu 2 offline\n"
			       "cpu 3 node 0 absent\nram 0 128M\n", "t"), 0);
	CHECK_EQ(mp_desc_parse(desc, "cpu 4 node 0 there\n", "t"), -EINVAL);
	CHECK_EQ(mp_desc_set_cpu(desc, 4, "online"), -ENOENT);
	CHECK_EQ(mp_desc_set_cpu(desc, 0, "offline"), -EINVAL);
	CHECK_EQ(mp_desc_set_cpu(desc, 1, "Online"), -EINVAL);
	CHECK_EQ(mp_desc_set_cpu(desc, 1, NULL), -EINVAL);
	CHECK_EQ(mp_desc_set_cpu(NULL, 1, "online"), -EINVAL);
	CHECK_EQ(mp_desc_set_cpu(desc, 1, "absent"), 0);
	CHECK_EQ(mp_boot(desc), 0);
	mp_desc_free(desc);
	CHECK_STR(read_file(CPU_ROOT "/possible"), "0-3");
	CHECK_STR(read_file(CPU_ROOT "/present"), "0,2");
	CHECK_STR(read_file(CPU_ROOT "/online"), "0");
}
