// SPDX-License-Identifier: MIT
/*
 * CPU devices: possible, present and online CPUs, and what the cpu bus does to
 * bring one up or down (CPU-1..6). device_hotplug_lock guards who is present
 * and all links; cpu_hotplug_lock, taken exclusively, who is online.
 */
#include "block/block.h"
#include "block/cpu.h"
#include "device/bus.h"
#include "device/tree.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"

struct cpumask __cpu_possible_mask, __cpu_present_mask, __cpu_online_mask;
unsigned int nr_cpu_ids = 1;
int (*cpu_online_node_hook)(int nid);

static struct {
	struct cpu *device[NR_CPUS]; /* of present CPUs */
	/* Node + 1, atomic; 0: not possible. `next` is what it will be once brought up. */
	short node[NR_CPUS], next[NR_CPUS];
} cpus;

static int cpu_subsys_online(struct device *dev);
static int cpu_subsys_offline(struct device *dev);

struct bus_type cpu_subsys = {
	.name = "cpu",
	.dev_name = "cpu",
	.online = cpu_subsys_online,
	.offline = cpu_subsys_offline,
	.dev_attrs = cpu_dev_attrs,
};

int cpu_to_node(int cpu)
{
	return cpu >= 0 && cpu < NR_CPUS ? READ_ONCE(cpus.node[cpu]) - 1 : NUMA_NO_NODE;
}

int node_next_cpu(int nid, int after)
{
	unsigned int cpu;

	for (cpu = cpumask_next(after, cpu_present_mask); cpu < NR_CPUS;
	     cpu = cpumask_next((int)cpu, cpu_present_mask))
		if (cpu_to_node((int)cpu) == nid)
			return (int)cpu;
	return -1;
}

struct device *get_cpu_device(unsigned int cpu)
{
	struct cpu *device = cpu < NR_CPUS ? READ_ONCE(cpus.device[cpu]) : NULL;

	return device ? &device->dev : NULL;
}

/* ---- links between nodeN and cpuM, both ways ---- */

static int link_both(int cpu, int nid)
{
	struct node *node = mp_node_device(nid);
	struct device *dev = get_cpu_device((unsigned int)cpu);
	char name[24], target[48];
	int ret;

	if (!node || !dev)
		return 0;
	snprintf(name, sizeof(name), "cpu%d", cpu);
	snprintf(target, sizeof(target), "../../cpu/cpu%d", cpu);
	ret = tree_link(node->dev.dir, name, target);
	if (ret && ret != -EEXIST)
		return ret;
	snprintf(name, sizeof(name), "node%d", nid);
	snprintf(target, sizeof(target), "../../node/node%d", nid);
	ret = tree_link(dev->dir, name, target);
	return ret == -EEXIST ? 0 : ret;
}

static void unlink_both(int cpu, int nid)
{
	struct node *node = mp_node_device(nid);
	struct device *dev = get_cpu_device((unsigned int)cpu);
	char name[24];

	snprintf(name, sizeof(name), "cpu%d", cpu);
	if (node)
		tree_unlink(node->dev.dir, name);
	snprintf(name, sizeof(name), "node%d", nid);
	if (dev)
		tree_unlink(dev->dir, name);
}

int cpu_link_node(int nid)
{
	int cpu = -1, ret = 0;

	while (!ret && (cpu = node_next_cpu(nid, cpu)) >= 0)
		ret = link_both(cpu, nid);
	return ret;
}

void cpu_unlink_node(int nid)
{
	int cpu = -1;

	while ((cpu = node_next_cpu(nid, cpu)) >= 0)
		unlink_both(cpu, nid);
}

/* ---- up and down ---- */

void cpu_count_node(int nid)
{
	unsigned int cpu;
	int nr = 0;

	for_each_online_cpu(cpu)
		nr += cpu_to_node((int)cpu) == nid;
	if (nr)
		node_set_state(nid, N_CPU);
	else
		node_clear_state(nid, N_CPU);
	node_set_nr_cpus(nid, nr);
}

static void record(int cpu, bool online, int ret)
{
	char name[16];

	snprintf(name, sizeof(name), "cpu%d", cpu);
	ring_record(MP_RING_CPU, cpu, online, ret, name);
}

/* The links follow a CPU that came up on another node (CPU-6). */
static void follow_node(int cpu, int from, int to)
{
	int ret;

	if (from == to)
		return;
	unlink_both(cpu, from);
	ret = link_both(cpu, to);
	/* The CPU is up, with or without its links. */
	if (ret)
		pr_warn("cpu%d: cannot be linked to node %d: error %d", cpu, to, ret);
}

static int cpu_subsys_online(struct device *dev)
{
	int cpu = (int)dev->id, from = cpu_to_node(cpu), to = cpus.next[cpu] - 1, ret;

	reason_begin("cpu online", -1);
	/* First, for a node that was brought online stays. */
	ret = cpu_topology_add(dev);
	if (ret) {
		reason_set(MP_REASON_NO_MEMORY, ret, "topology",
			   "%s: online refused: its topology directory cannot be made (error %d)",
			   dev_name(dev), ret);
		goto out;
	}
	/* Takes mem_hotplug_lock, so it comes before cpu_hotplug_lock (CPU-4). */
	ret = cpu_online_node_hook(to);
	if (ret) {
		cpu_topology_remove(dev);
		reason_set(MP_REASON_NO_MEMORY, ret, "node device",
			   "%s: online refused: node %d cannot be brought online (error %d)",
			   dev_name(dev), to, ret);
		goto out;
	}
	cpus_write_lock();
	WRITE_ONCE(cpus.node[cpu], (short)(to + 1));
	cpumask_set_cpu((unsigned int)cpu, &__cpu_online_mask);
	cpu_count_node(to);
	cpus_write_unlock();
	follow_node(cpu, from, to);
out:
	record(cpu, true, ret);
	reason_end();
	return ret;
}

static int cpu_subsys_offline(struct device *dev)
{
	int cpu = (int)dev->id, ret = 0;

	reason_begin("cpu offline", -1);
	cpus_write_lock();
	if (num_online_cpus() == 1) {
		ret = reason_set(MP_REASON_BUSY, -EBUSY, "last CPU",
				 "%s: offline refused: it is the last CPU online",
				 dev_name(dev));
	} else {
		cpumask_clear_cpu((unsigned int)cpu, &__cpu_online_mask);
		cpu_count_node(cpu_to_node(cpu));
	}
	cpus_write_unlock();
	if (!ret)
		cpu_topology_remove(dev);
	record(cpu, false, ret);
	reason_end();
	return ret;
}

/* ---- life ---- */

static void cpu_release(struct device *dev)
{
	os_free(container_of(dev, struct cpu, dev));
}

int cpu_register(int cpu)
{
	struct cpu *device = os_alloc(sizeof(*device));
	int ret;

	if (!device)
		return -ENOMEM;
	device_initialize(&device->dev);
	device->dev.bus = &cpu_subsys;
	device->dev.id = (u32)cpu;
	device->dev.release = cpu_release;
	device->dev.offline = !cpu_online(cpu);
	/* The CPU that boots a PC stays. */
	device->dev.offline_disabled = cpu == 0;
	ret = device_add(&device->dev);
	if (ret) {
		put_device(&device->dev);
		return ret;
	}
	WRITE_ONCE(cpus.device[cpu], device);
	ret = link_both(cpu, cpu_to_node(cpu));
	if (!ret && cpu_online(cpu))
		ret = cpu_topology_add(&device->dev);
	if (ret) {
		cpu_unregister(cpu);
		return ret;
	}
	cpumask_set_cpu((unsigned int)cpu, &__cpu_present_mask);
	return 0;
}

void cpu_unregister(int cpu)
{
	struct cpu *device = cpus.device[cpu];

	if (!device)
		return;
	cpumask_clear_cpu((unsigned int)cpu, &__cpu_present_mask);
	unlink_both(cpu, cpu_to_node(cpu));
	WRITE_ONCE(cpus.device[cpu], NULL);
	device_unregister(&device->dev);
}

void cpu_move(int cpu, int nid)
{
	cpus.next[cpu] = (short)(nid + 1);
}

void cpus_clear(void)
{
	memset(&cpus, 0, sizeof(cpus));
	memset(&__cpu_possible_mask, 0, sizeof(__cpu_possible_mask));
	memset(&__cpu_present_mask, 0, sizeof(__cpu_present_mask));
	memset(&__cpu_online_mask, 0, sizeof(__cpu_online_mask));
	nr_cpu_ids = 1;
}

void cpu_describe(int cpu, int nid, bool present, bool online)
{
	cpus.node[cpu] = (short)(nid + 1);
	cpus.next[cpu] = (short)(nid + 1);
	cpumask_set_cpu((unsigned int)cpu, &__cpu_possible_mask);
	if (present)
		cpumask_set_cpu((unsigned int)cpu, &__cpu_present_mask);
	if (online)
		cpumask_set_cpu((unsigned int)cpu, &__cpu_online_mask);
	nr_cpu_ids = max(nr_cpu_ids, (unsigned int)cpu + 1);
}

int cpu_dev_init(void)
{
	int cpu, ret = subsys_register(&cpu_subsys, cpu_root_attrs);

	for (cpu = 0; cpu < NR_CPUS && !ret; cpu++)
		if (cpu_present(cpu))
			ret = cpu_register(cpu);
	return ret;
}

void cpu_dev_forget(void)
{
	cpus_clear();
	cpu_subsys.p = NULL;
	cpu_subsys.dev_root = NULL;
}

void cpu_dev_exit(void)
{
	int cpu;

	for (cpu = 0; cpu < NR_CPUS; cpu++)
		cpu_unregister(cpu);
	subsys_unregister(&cpu_subsys);
}
