/* SPDX-License-Identifier: MIT */
/* Which CPU belongs to which node. */
#ifndef MEMPLUG_LINUX_TOPOLOGY_H
#define MEMPLUG_LINUX_TOPOLOGY_H

#include <linux/cpumask.h>
#include <linux/nodemask.h>

/* The node of a possible CPU, NUMA_NO_NODE for others. No lock; changes as CPU-6 says. */
int cpu_to_node(int cpu) MP_SYM(cpu_to_node);

#endif
