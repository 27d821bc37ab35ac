/* SPDX-License-Identifier: MIT */
/*
 * cpu_hotplug_lock: memory hotplug holds it shared, CPU hotplug exclusively,
 * so the two exclude each other (LOCK-4, CPU-3).
 */
#ifndef MEMPLUG_LINUX_CPU_H
#define MEMPLUG_LINUX_CPU_H

#include <linux/types.h>

/* Shared side; from a notifier callback it is forbidden (NOTIFY-36): fatal hook. */
void cpus_read_lock(void) MP_SYM(cpus_read_lock);
void cpus_read_unlock(void) MP_SYM(cpus_read_unlock);
/* Exclusive side; waits for every hotplug operation that runs. Uninterruptible. */
void cpus_write_lock(void) MP_SYM(cpus_write_lock);
void cpus_write_unlock(void) MP_SYM(cpus_write_unlock);

#endif
