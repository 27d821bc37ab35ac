/* SPDX-License-Identifier: MIT */
/*
 * Adding, removing, onlining and offlining memory.
 *
 * Locks, outermost first: device_hotplug_lock, device lock of the block,
 * cpu_hotplug_lock (shared), mem_hotplug_lock (exclusive), the event chain's
 * semaphore (shared). "takes" below: what the call acquires itself.
 *
 * | call                                   | needs               | takes                     |
 * | add_memory, add_memory_driver_managed, | nothing             | all                       |
 * |  remove_memory,                        |                     |                           |
 * |  offline_and_remove_memory             |                     |                           |
 * | __add_memory, add_memory_resource,     | device_hotplug_lock | the others                |
 * |  __remove_memory                       |                     |                           |
 * | online_pages, offline_pages            | mem_hotplug_begin() | chain                     |
 * | get_online_mems                        | nothing             | mem_hotplug_lock shared   |
 * | set/restore_online_page_callback       | nothing             | mem_hotplug_lock shared   |
 *
 * All sleep. None may be called from a notifier callback (NOTIFY-35, 36):
 * that calls the fatal hook with both call sites. Every call that gets to the
 * machine returns -ENXIO when there is none.
 */
#ifndef MEMPLUG_LINUX_MEMORY_HOTPLUG_H
#define MEMPLUG_LINUX_MEMORY_HOTPLUG_H

#include <linux/mmzone.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/percpu-rwsem.h>
#include <linux/device.h>
#include <linux/range.h>
#include <linux/ioport.h>

struct memory_group;

enum { MMOP_OFFLINE = 0, MMOP_ONLINE, MMOP_ONLINE_KERNEL, MMOP_ONLINE_MOVABLE };

typedef int mhp_t;
#define MHP_NONE ((mhp_t)0)
#define MHP_MERGE_RESOURCE ((mhp_t)1)
#define MHP_MEMMAP_ON_MEMORY ((mhp_t)2)
#define MHP_NID_IS_MGID ((mhp_t)4)

extern struct percpu_rw_semaphore mp_mem_hotplug_lock;

/*
 * Read side of mem_hotplug_lock: memory does not vanish, spans and present
 * counts do not change until put_online_mems() by the same thread. Costs a
 * thread-local increment. May sleep inside. Waits while a hotplug operation
 * runs; from inside one (a callback) it calls the fatal hook.
 */
mp_prw_inline void get_online_mems(void)
{
	mp_prw_enter(&mp_prw_readers[0], &mp_mem_hotplug_lock);
}
mp_prw_inline void put_online_mems(void)
{
	mp_prw_leave(&mp_prw_readers[0], &mp_mem_hotplug_lock);
}
/* cpu_hotplug_lock shared, then mem_hotplug_lock exclusively (LOCK-4). Uninterruptible. */
void mem_hotplug_begin(void) MP_SYM(mem_hotplug_begin);
void mem_hotplug_done(void) MP_SYM(mem_hotplug_done);

/*
 * Adds [start, start + size) on node `nid` (with MHP_NID_IS_MGID: the node of
 * that group), offline unless auto_online_blocks says otherwise. 0 or, in the
 * order of the checks: -E2BIG (not addressable, size 0), -EEXIST (conflict),
 * -EINVAL (not block-aligned, unknown group, impossible node, memmap on
 * memory not possible), -ENOMEM. Nothing is left of a failed add (ADD-1..18).
 */
int add_memory(int nid, u64 start, u64 size, mhp_t flags) MP_SYM(add_memory);
int __add_memory(int nid, u64 start, u64 size, mhp_t flags) MP_SYM(__add_memory);
int add_memory_resource(int nid, struct resource *res, mhp_t flags) MP_SYM(add_memory_resource);
/* `name` must be "System RAM (...)", else -EINVAL; it is stored, not copied (ADD-20, 21). */
int add_memory_driver_managed(int nid, u64 start, u64 size, const char *name, mhp_t flags)
	MP_SYM(add_memory_driver_managed);

/* Removes offline blocks. 0, -EBUSY (a block is not offline), -EINVAL (REMOVE-1..6). */
int remove_memory(u64 start, u64 size) MP_SYM(remove_memory);
/* Any failure calls the fatal hook (REMOVE-7). */
void __remove_memory(u64 start, u64 size) MP_SYM(__remove_memory);
/* All blocks offline and removed, or all as before with the first error (REMOVE-10..14). */
int offline_and_remove_memory(u64 start, u64 size) MP_SYM(offline_and_remove_memory);

int try_online_node(int nid) MP_SYM(try_online_node);
void try_offline_node(int nid) MP_SYM(try_offline_node);

struct range mhp_get_pluggable_range(bool need_mapping) MP_SYM(mhp_get_pluggable_range);
bool mhp_range_allowed(u64 start, u64 size, bool need_mapping) MP_SYM(mhp_range_allowed);
bool mhp_supports_memmap_on_memory(unsigned long size) MP_SYM(mhp_supports_memmap_on_memory);

/*
 * Onlines the pages of one block into `zone` (ONLINE-3..9). 0, -EINVAL (WARN
 * once) for a misaligned range, -ENOMEM, or the errno of a veto.
 */
int online_pages(unsigned long pfn, unsigned long nr_pages, struct zone *zone,
		 struct memory_group *group) MP_SYM(online_pages);
/*
 * Empties and takes away the pages of one block (OFFLINE-3..12). 0, -EINVAL,
 * -EBUSY, -EINTR (signal or mp_cancel), -ETIMEDOUT (deadline), or the errno of
 * a veto. A reason is recorded (memplug/reason.h).
 */
int offline_pages(unsigned long pfn, unsigned long nr_pages, struct zone *zone,
		  struct memory_group *group) MP_SYM(offline_pages);
/* The zone that onlining would choose now (POLICY-1). */
struct zone *zone_for_pfn_range(int online_type, int nid, struct memory_group *group,
				unsigned long pfn, unsigned long nr_pages)
	MP_SYM(zone_for_pfn_range);

typedef void (*online_page_callback_t)(struct page *page, unsigned int order);
/* Installs `cb` in place of generic_online_page(); 0 or -EINVAL (ONLINE-11). */
int set_online_page_callback(online_page_callback_t cb) MP_SYM(set_online_page_callback);
int restore_online_page_callback(online_page_callback_t cb) MP_SYM(restore_online_page_callback);
/* Hands 2^order pages to the allocator (ONLINE-9). Only from an online-page callback. */
void generic_online_page(struct page *page, unsigned int order) MP_SYM(generic_online_page);

/* MMOP_... for one of the four keywords, one trailing newline tolerated, or -EINVAL (BLOCK-22). */
int mhp_online_type_from_str(const char *str) MP_SYM(mhp_online_type_from_str);
extern int mhp_default_online_type MP_SYM(mhp_default_online_type);
extern bool movable_node_enabled MP_SYM(movable_node_enabled);
#define movable_node_is_enabled() movable_node_enabled

#endif
