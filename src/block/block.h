/* SPDX-License-Identifier: MIT */
/*
 * Memory blocks and nodes as devices: /sys/devices/system/memory and node.
 * The table of blocks is guarded by its own mutex; a block's state by its
 * device lock; creation and removal by device_hotplug_lock.
 */
#ifndef MEMPLUG_BLOCK_H
#define MEMPLUG_BLOCK_H

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/node.h>
#include <memplug/reason.h>

/* ---- table.c: block id -> block ---- */
int block_table_insert(unsigned long id, struct memory_block *mem); /* 0, -EEXIST, -ENOMEM */
void block_table_remove(unsigned long id);
/* With a device reference, or NULL. */
struct memory_block *block_table_get(unsigned long id);
/* The smallest id from `id` to `last` in the table (without a reference), or ~0UL. */
unsigned long block_table_next(unsigned long id, unsigned long last);
void block_table_exit(void);

/* ---- memory.c ---- */
extern struct bus_type memory_subsys;
/* Registers /sys/devices/system/memory. 0 or -errno. */
int memory_dev_init(u64 block_size);
void memory_dev_exit(void);
/* In a fork child: there are no blocks. */
void memory_dev_forget(void);
unsigned long memory_block_pages(void);
unsigned long memory_block_id(const struct memory_block *mem);
unsigned long memory_block_pfn(const struct memory_block *mem);
/* A block of boot memory: ONLINE (BOOT-1), zone and nid as given (BLOCK-8). */
int memory_block_create_boot(unsigned long id, int nid, struct zone *zone);
unsigned long memory_blocks_count(bool online_only);
/* State word of SYSFS-17. */
const char *memory_block_state_name(unsigned long state);

/* ---- memory_attrs.c ---- */
extern const struct tree_attr *const memory_block_attrs[];
extern const struct tree_attr *const memory_root_attrs[];
extern bool probe_file_exists;
/* What the probe file does with a checked address (add_memory lives above). */
extern int (*memory_probe_hook)(u64 address);

/* ---- node.c ---- */
extern struct bus_type node_subsys;
int node_dev_init(void);
void node_dev_exit(void);
/* In a fork child: there are no nodes. */
void node_dev_forget(void);
/* nodeN appears, with links to its CPUs. 0 or -errno. mem_hotplug_lock held. */
int register_one_node(int nid);
void unregister_one_node(int nid);
/* Both links; existing ones are accepted (NODE-9). 0 or -errno. */
int link_memory_block(struct memory_block *mem, int nid);
void unlink_memory_block(struct memory_block *mem);

/* ---- reasons.c: the last reason of each of the blocks refused lately ---- */
void block_reasons_init(void);
/* Calls fn for a copy of each, in no order; no lock is held meanwhile. */
void for_each_block_reason(void (*fn)(const struct mp_reason *reason, void *arg), void *arg);

#endif
