/* SPDX-License-Identifier: MIT */
/*
 * The heart: onlining and offlining of ranges, policy, node states, the
 * resource tree, the memory event chain. Calls upward through one table.
 */
#ifndef MEMPLUG_HOTPLUG_H
#define MEMPLUG_HOTPLUG_H

#include <linux/memory_hotplug.h>
#include <linux/memory.h>
#include <linux/gfp.h>
#include <memplug/reason.h>

/* Contract of DESIGN D1. */
bool contract_is_document(void);
void contract_set(bool document);

/* ---- events.c: the memory event chain ---- */

/*
 * One notification of a transaction; returns the decoded answer. On an error in a GOING event, or (default
 * contract) in MEM_ONLINE / MEM_OFFLINE, records the vetoer as the reason.
 */
int event_notify(unsigned long action, struct memory_notify *arg);
/*
 * The closing notification under the default contract: if it is vetoed,
 * `undo` runs with the chain still locked. It returns 0: undone, `cancel` then
 * goes to all; or an errno: not possible, the callbacks that were skipped get
 * `action` after all. Returns 0, or the errno for the caller.
 */
int event_notify_final(unsigned long action, unsigned long cancel, struct memory_notify *arg,
		       int (*undo)(void *data), void *data, bool *undone);
bool event_in_callback(void);
/* Inside a roll-back late vetoes do not count (REMOVE-13). This thread. */
void event_ignore_late_veto(bool yes);

/* ---- online.c ---- */
/* In a fork child: the generic callback, nobody inside. */
void online_page_callback_forget(void);

/* ---- policy.c ---- */
enum { ONLINE_POLICY_CONTIG_ZONES, ONLINE_POLICY_AUTO_MOVABLE };
extern int online_policy;
extern u32 auto_movable_ratio;
extern bool auto_movable_numa_aware;
extern bool memmap_on_memory;

/* ---- resource.c ---- */
int resource_init(void);
void resource_exit(void);
struct resource *register_memory_resource(u64 start, u64 size, const char *name, int *error);
void release_memory_resource(struct resource *res);
void release_mem_region_adjustable(u64 start, u64 size);	/* RES-3 */
void merge_system_ram_resource(struct resource *res);		/* RES-5 */
/* Pages of the range covered by busy System RAM (RES-8). */
unsigned long system_ram_pages(unsigned long pfn, unsigned long nr_pages);
/* Boot entry: not mergeable, flags differ. */
int resource_add_boot(u64 start, u64 size, const char *name, bool busy);
/* Text of /proc/iomem into a heap buffer (os_alloc), length or -errno. */
ssize_t resource_show(char **text, bool zero_addresses);

/* ---- firmware_map.c (RES-10) ---- */
/* At boot: no hardware has failed yet. */
void failure_init(void);

struct firmware_map_entry {
	struct list_head node;
	struct firmware_map_entry *next; /* in its bucket */
	u64 start, end;			 /* inclusive */
	const char *type;
	int number; /* directory under /sys/firmware/memmap */
};
int firmware_map_add(u64 start, u64 end, const char *type); /* 0 or -ENOMEM */
int firmware_map_remove(u64 start, u64 end, const char *type); /* 0 or -EINVAL */
int firmware_map_for_each(int (*fn)(struct firmware_map_entry *entry, void *arg), void *arg);
/* The tree above hears of each entry that comes or goes (map lock not held). */
extern void (*firmware_map_hook)(struct firmware_map_entry *entry, bool added);
void firmware_map_exit(void);

/* ---- node_states.c ---- */
void nodes_check_online(unsigned long nr_pages, struct zone *zone, struct memory_notify *arg);
void nodes_check_offline(unsigned long nr_pages, struct zone *zone, struct memory_notify *arg);
void node_states_set(int nid, struct memory_notify *arg);
void node_states_clear(int nid, struct memory_notify *arg);

/* ---- group.c: memory groups ---- */
void groups_exit(void);
void group_adjust_present(struct memory_group *group, struct zone *zone, long nr_pages);

/* Asked after all callbacks have agreed that the range goes offline; refuses with a reason (the layer
 * of mappings: what cannot move, or has no room elsewhere). NULL: nobody. */
extern int (*offline_last_hook)(unsigned long pfn, unsigned long nr_pages);
/* All of the range has moved, or the offline failed (`error`); its memory is still there. The result: it may
 * refuse, with a reason. NULL: nobody. */
extern int (*offline_empty_hook)(int error);

/* ---- interrupt.c: what ends an offline before it is done; nests, per thread ---- */
/* Holds back asynchronous signals and starts the deadline. 0 or -errno with a reason. */
int interrupt_begin(void);
void interrupt_end(void);
struct interrupt_cause {
	enum mp_reason_kind kind;
	const char *actor;
	char text[96];
};
/* 0, -EINTR or -ETIMEDOUT (or a system call's errno), and what it was. */
int interrupt_check(struct interrupt_cause *cause);

/* Statistics of the operations, atomics (memplug/machine.h). */
struct hotplug_counters {
	u64 online, online_failed, offline, offline_failed;
	u64 add, add_failed, remove, remove_failed;
	u64 pages_migrated, pages_migrate_failed, bytes_given_back, late_vetoes;
	u64 migrate_ns; /* spent moving pages_migrated */
};
extern struct hotplug_counters hotplug_counters;

#endif
