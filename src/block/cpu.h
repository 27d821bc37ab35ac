/* SPDX-License-Identifier: MIT */
/*
 * CPUs as devices: /sys/devices/system/cpu (CPU-1..6). Presence and the node of
 * a CPU are guarded by device_hotplug_lock, being online by cpu_hotplug_lock;
 * masks and nodes are read without a lock.
 */
#ifndef MEMPLUG_BLOCK_CPU_H
#define MEMPLUG_BLOCK_CPU_H

#include <linux/cpu.h>

extern struct bus_type cpu_subsys;
/* No CPU is known. */
void cpus_clear(void);
/* At boot, before nodes and devices: a possible CPU, its node, what it is already. */
void cpu_describe(int cpu, int nid, bool present, bool online);
/* How many CPUs of a node are online; tells the page layer (ZONE-14). */
void cpu_count_node(int nid);
/* Registers the subsystem and the present CPUs. 0 or -errno; cpu_dev_exit() also after a failure. */
int cpu_dev_init(void);
void cpu_dev_exit(void);
/* In a fork child: there are no CPUs. */
void cpu_dev_forget(void);

/* A possible CPU becomes present, offline; links to its node if that is online. 0 or -errno. */
int cpu_register(int cpu);
/* An offline CPU is present no more. */
void cpu_unregister(int cpu);
/* From its next coming online on, an offline CPU belongs to `nid` (CPU-6). */
void cpu_move(int cpu, int nid);
/* Links between the node's directory and those of its present CPUs. 0 or -errno. */
int cpu_link_node(int nid);
void cpu_unlink_node(int nid);
/* The next present CPU of a node; -1: none; start with -1. */
int node_next_cpu(int nid, int after);
/* try_online_node() lives above (CPU-4). */
extern int (*cpu_online_node_hook)(int nid);

/* ---- cpu_attrs.c ---- */
extern const struct tree_attr *const cpu_root_attrs[];
extern const struct tree_attr *const cpu_dev_attrs[];

/* ---- cpu_topology.c ---- */
/* The topology directory of a CPU that comes online. 0 or -errno. */
int cpu_topology_add(struct device *dev);
/* Waits for reads of it that run; they take no lock. */
void cpu_topology_remove(struct device *dev);

#endif
