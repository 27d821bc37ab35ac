/* SPDX-License-Identifier: MIT */
/*
 * CPUs that come and go, and cpu_hotplug_lock: memory hotplug holds it shared,
 * CPU hotplug exclusively, so the two exclude each other (LOCK-4, CPU-3). CPUs
 * are modelled: a mask, a device and a node, no thread runs on them.
 *
 * | call              | needs   | takes                                      | may sleep |
 * | add_, remove_cpu  | nothing | device_hotplug_lock, the CPU's device lock,| yes       |
 * |                   |         | cpu_hotplug_lock (write)                   |           |
 * | cpus_read_lock    | nothing | cpu_hotplug_lock (read)                    | yes       |
 * | cpu_online(), ... | nothing | nothing                                    | no        |
 */
#ifndef MEMPLUG_LINUX_CPU_H
#define MEMPLUG_LINUX_CPU_H

#include <linux/types.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/topology.h>

/* /sys/devices/system/cpu/cpuN */
struct cpu {
	struct device dev;
};

/* Shared side; from a notifier callback it is forbidden (NOTIFY-36): fatal hook. */
void cpus_read_lock(void) MP_SYM(cpus_read_lock);
void cpus_read_unlock(void) MP_SYM(cpus_read_unlock);
/* Exclusive side; waits for every hotplug operation that runs. Uninterruptible. */
void cpus_write_lock(void) MP_SYM(cpus_write_lock);
void cpus_write_unlock(void) MP_SYM(cpus_write_unlock);

/*
 * Brings a present CPU up, its node first if that is offline (CPU-2..6). 0; 1
 * when it was online already; -EINVAL (not possible, or not present); -ENOMEM
 * (its node cannot be set up); -ENXIO without a machine. From a memory event
 * callback: fatal hook, -EDEADLK. Whoever holds device_hotplug_lock calls
 * device_online(get_cpu_device(cpu)) instead.
 */
int add_cpu(unsigned int cpu) MP_SYM(add_cpu);
/*
 * Takes it down; it stays present and keeps its node online (CPU-5). 0; 1 when
 * it was offline already; -EPERM (CPU 0 must stay online); -EBUSY (the last
 * online CPU); otherwise as add_cpu().
 */
int remove_cpu(unsigned int cpu) MP_SYM(remove_cpu);
/* The device of a present CPU, or NULL. Valid while device_hotplug_lock is held. */
struct device *get_cpu_device(unsigned int cpu) MP_SYM(get_cpu_device);

#endif
