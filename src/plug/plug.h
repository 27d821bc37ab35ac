/* SPDX-License-Identifier: MIT */
/*
 * Plugging and unplugging: boot, add, remove, auto-online, and what the
 * machine as a whole needs. One operation at a time, by device_hotplug_lock.
 */
#ifndef MEMPLUG_PLUG_H
#define MEMPLUG_PLUG_H

#include <linux/memory_hotplug.h>
#include "plug/desc.h"

/* False, with the fatal hook called, from inside a memory event callback (NOTIFY-36). */
bool plug_allowed(const char *what, const void *site);
/* -ENXIO with a reason when there is no machine. */
int plug_need_machine(void);
/* Node `nid` gets data and, with `set_online`, goes online with its device: 0 already online, 1
 * new, -errno. mem_hotplug_lock held. */
int plug_online_node(int nid, bool set_online);
/* remove_memory() under device_hotplug_lock: 0 or -errno, nothing fatal. */
int plug_remove(u64 start, u64 size);
/* offline_and_remove_memory() of whole blocks under device_hotplug_lock. */
int plug_offline_and_remove(u64 start, u64 size);
/* mp_check() beside an operation that has not begun: the caller holds device_hotplug_lock. */
int plug_check(void (*say)(const char *text, void *arg), void *arg);
/* The machine was (or is about to be) there in this process; reset in a fork child. */
extern bool machine_booted;
u64 machine_max_phys(void);
/* Inits of modules in kernel form (module.c). */
void modules_load_all(void);

#endif
