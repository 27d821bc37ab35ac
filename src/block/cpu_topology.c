// SPDX-License-Identifier: MIT
/*
 * cpuN/topology, which Linux has for online CPUs only and without which lstopo
 * takes no tree. The model is plain: a package per node, a core per CPU, one
 * thread each. Texts are made from the masks at each read, without a lock; the
 * directory comes and goes under device_hotplug_lock. No state.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "block/cpu.h"
#include "device/text.h"
#include "device/tree.h"

/* What x86 says where no cluster is known. */
#define NO_CLUSTER 65535

/* Who shares something with a CPU: nobody, or its package, as `data` of the attribute says. */
enum shared { SHARED_CORE, SHARED_PACKAGE };

static unsigned int cpu_of(const void *owner)
{
	const struct device *dev = owner;

	return dev->id;
}

/* The online CPUs that share it, the CPU itself among them. */
static void sharers(unsigned int cpu, enum shared shared, unsigned long *bits)
{
	int nid = cpu_to_node((int)cpu);
	unsigned int other;

	for_each_online_cpu(other)
		if (other == cpu || (shared == SHARED_PACKAGE && cpu_to_node((int)other) == nid))
			bits[other / BITS_PER_LONG] |= BIT(other % BITS_PER_LONG);
}

static ssize_t mask_show(void *owner, const struct tree_attr *attr, char *buf)
{
	unsigned long bits[NR_CPUS / BITS_PER_LONG] = { 0 };

	sharers(cpu_of(owner), (enum shared)attr->data, bits);
	return page_print_mask(buf, bits, (int)nr_cpu_ids);
}

static ssize_t list_show(void *owner, const struct tree_attr *attr, char *buf)
{
	unsigned long bits[NR_CPUS / BITS_PER_LONG] = { 0 };

	sharers(cpu_of(owner), (enum shared)attr->data, bits);
	return page_print_list(buf, bits, (int)nr_cpu_ids);
}

static ssize_t package_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "%d\n", cpu_to_node((int)cpu_of(owner)));
}

static ssize_t core_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "%u\n", cpu_of(owner));
}

static ssize_t fixed_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "%ld\n", attr->data);
}

#define ID_ATTR(file, function, value)                                                             \
	static const struct tree_attr file##_attr = {                                              \
		.name = #file, .mode = 0444, .show = function, .data = value                       \
	}
#define MASK_ATTRS(file, who)                                                                      \
	static const struct tree_attr file##_attr = {                                              \
		.name = #file, .mode = 0444, .show = mask_show, .data = who                        \
	};                                                                                         \
	static const struct tree_attr file##_list_attr = {                                         \
		.name = #file "_list", .mode = 0444, .show = list_show, .data = who                \
	}

ID_ATTR(physical_package_id, package_show, 0);
ID_ATTR(die_id, fixed_show, 0);
ID_ATTR(cluster_id, fixed_show, NO_CLUSTER);
ID_ATTR(core_id, core_show, 0);
MASK_ATTRS(thread_siblings, SHARED_CORE);
MASK_ATTRS(core_cpus, SHARED_CORE);
MASK_ATTRS(core_siblings, SHARED_PACKAGE);
MASK_ATTRS(cluster_cpus, SHARED_CORE);
MASK_ATTRS(die_cpus, SHARED_PACKAGE);
MASK_ATTRS(package_cpus, SHARED_PACKAGE);

static const struct tree_attr *const topology_attrs[] = {
	&physical_package_id_attr, &die_id_attr, &cluster_id_attr, &core_id_attr,
	&thread_siblings_attr, &thread_siblings_list_attr, &core_cpus_attr, &core_cpus_list_attr,
	&core_siblings_attr, &core_siblings_list_attr, &cluster_cpus_attr, &cluster_cpus_list_attr,
	&die_cpus_attr, &die_cpus_list_attr, &package_cpus_attr, &package_cpus_list_attr, NULL,
};

int cpu_topology_add(struct device *dev)
{
	int error = 0;

	tree_mkdir(dev->dir, "topology", topology_attrs, dev, &error);
	return error;
}

void cpu_topology_remove(struct device *dev)
{
	tree_rmdir(tree_lookup_dir(dev->dir, "topology"));
}
