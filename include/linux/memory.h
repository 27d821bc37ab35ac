/* SPDX-License-Identifier: MIT */
/*
 * Memory blocks and the memory event chain.
 *
 * | call                        | needs                       | may sleep |
 * | register_memory_notifier    | nothing; not from a callback| yes       |
 * | unregister_memory_notifier  | nothing; not from a callback| yes       |
 * | memory_notify               | not from a callback         | yes       |
 * | find_memory_block, walks    | device_hotplug_lock         | yes       |
 */
#ifndef MEMPLUG_LINUX_MEMORY_H
#define MEMPLUG_LINUX_MEMORY_H

#include <linux/types.h>
#include <linux/device.h>
#include <linux/node.h>
#include <linux/mutex.h>
#include <linux/notifier.h>

#define MIN_MEMORY_BLOCK_SIZE (1UL << 27)

/* States of a block and, the first three, events (EVENT-1). */
#define MEM_ONLINE (1 << 0)
#define MEM_GOING_OFFLINE (1 << 1)
#define MEM_OFFLINE (1 << 2)
#define MEM_GOING_ONLINE (1 << 3)
#define MEM_CANCEL_ONLINE (1 << 4)
#define MEM_CANCEL_OFFLINE (1 << 5)

/*
 * What a callback gets as its third argument. One instance lives from the
 * first to the closing notification of a transaction; it may be written
 * (NOTIFY-40). The nids are -1 unless the node's bit is about to change.
 * Whoever discards structures of a node in MEM_OFFLINE makes them again in
 * MEM_CANCEL_OFFLINE when the nid is >= 0: under the default contract
 * MEM_OFFLINE can still be vetoed.
 */
struct memory_notify {
	unsigned long start_pfn;
	unsigned long nr_pages;
	int status_change_nid_normal;
	int status_change_nid;
};

struct notifier_block;
struct memory_group;
struct zone;

struct memory_block {
	unsigned long start_section_nr;
	unsigned long state;		/* MEM_ONLINE, _OFFLINE, _GOING_OFFLINE; device lock */
	int online_type;		/* one-shot hand-over; device_hotplug_lock */
	int nid;			/* -1 until linked to its node */
	struct zone *zone;		/* the one zone of an online block, or NULL */
	struct device dev;
	unsigned long nr_vmemmap_pages; /* pages at the start that hold its descriptors */
	struct memory_group *group;
	struct list_head group_next;
};

#define SLAB_CALLBACK_PRI 1
#define IPC_CALLBACK_PRI 10

#define to_memory_block(d) container_of(d, struct memory_block, dev)

/* Block size in bytes, 0 without a machine. */
unsigned long memory_block_size_bytes(void) MP_SYM(memory_block_size_bytes);

/* Remembers under which text, file and line a block was registered (for reasons and timings). */
int mp_register_memory_notifier_at(struct notifier_block *nb, const char *text, const char *file,
				   int line);
/*
 * Puts `nb` on the memory chain. Legal before mp_boot(); survives
 * mp_shutdown(). 0, -EEXIST (WARN) when it is there already, -EINVAL for
 * NULL. Waits for a running traversal. From a callback: fatal hook.
 */
int register_memory_notifier(struct notifier_block *nb) MP_SYM(register_memory_notifier);
#define register_memory_notifier(nb) mp_register_memory_notifier_at(nb, #nb, __FILE__, __LINE__)
/* Takes `nb` off the chain; unknown blocks are ignored (NOTIFY-11). */
void unregister_memory_notifier(struct notifier_block *nb) MP_SYM(unregister_memory_notifier);
#define register_hotmemory_notifier(nb) register_memory_notifier(nb)
#define unregister_hotmemory_notifier(nb) unregister_memory_notifier(nb)

/*
 * Registers `fn` with priority `pri` through a hidden static block of this
 * place in the program; an expression of type int. A second execution gives
 * -EEXIST and a WARN (NOTIFY-12).
 */
#define hotplug_memory_notifier(fn, pri)                                                           \
	({                                                                                         \
		static struct notifier_block mp_hidden_nb = { .notifier_call = fn,                 \
							      .priority = pri };                   \
		mp_register_memory_notifier_at(&mp_hidden_nb, #fn, __FILE__, __LINE__);            \
	})

/* One ordinary call of the memory chain; the raw answer (NOTIFY-25). */
int memory_notify(unsigned long val, void *v) MP_SYM(memory_notify);

typedef int (*walk_memory_blocks_func_t)(struct memory_block *mem, void *arg);

/* The block that covers a section, with a reference (put_device(&mem->dev)), or NULL. */
struct memory_block *find_memory_block(unsigned long section_nr) MP_SYM(find_memory_block);
/* Calls `fn` for each existing block of the range, ascending; stops at non-zero (BLOCK-15). */
int walk_memory_blocks(unsigned long start, unsigned long size, void *arg,
		       walk_memory_blocks_func_t fn) MP_SYM(walk_memory_blocks);
/* All blocks in order of registration; stops at non-zero (BLOCK-16). */
int for_each_memory_block(void *arg, walk_memory_blocks_func_t fn) MP_SYM(for_each_memory_block);

/*
 * Creates one block device per block of the range, ascending, state offline.
 * The caller holds device_hotplug_lock and mem_hotplug_lock. -EINVAL
 * (WARN once) for a range that is not block-aligned, -EEXIST, -ENOMEM; what
 * was made is removed again (BLOCK-11).
 */
int create_memory_block_devices(unsigned long start, unsigned long size,
				unsigned long vmemmap_pages, struct memory_group *group)
	MP_SYM(create_memory_block_devices);
/* Undoes it; the blocks must be offline. Same locks (BLOCK-12). */
void remove_memory_block_devices(unsigned long start, unsigned long size)
	MP_SYM(remove_memory_block_devices);

/* Groups (GROUP-1..10). register: id >= 0, -EINVAL, -ENOMEM, -EBUSY. unregister: 0, -EINVAL, -EBUSY. */
int memory_group_register_static(int nid, unsigned long max_pages)
	MP_SYM(memory_group_register_static);
int memory_group_register_dynamic(int nid, unsigned long unit_pages)
	MP_SYM(memory_group_register_dynamic);
int memory_group_unregister(int mgid) MP_SYM(memory_group_unregister);
struct memory_group *memory_group_find_by_id(int mgid) MP_SYM(memory_group_find_by_id);
typedef int (*walk_memory_groups_func_t)(struct memory_group *group, void *arg);
int walk_dynamic_memory_groups(int nid, walk_memory_groups_func_t fn,
			       struct memory_group *excluded, void *arg)
	MP_SYM(walk_dynamic_memory_groups);

struct memory_group {
	int nid;
	struct list_head memory_blocks;
	unsigned long present_kernel_pages;
	unsigned long present_movable_pages;
	bool is_dynamic;
	union {
		struct {
			unsigned long max_pages;
		} s;
		struct {
			unsigned long unit_pages;
		} d;
	};
};

#endif
