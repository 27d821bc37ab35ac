/* SPDX-License-Identifier: MIT */
/*
 * The machine: describe it, boot it, look at it, shut it down. One per
 * process (DESIGN D2). A child of fork() has none: every call gives -ENXIO
 * until it boots its own.
 *
 * | call        | may run beside                        | may sleep |
 * | mp_desc_*   | nothing on the same description       | files: yes|
 * | mp_boot     | nothing else of the library           | yes       |
 * | mp_shutdown | anything; refuses with -EBUSY         | yes       |
 * | the others  | anything                              | no        |
 */
#ifndef MEMPLUG_MACHINE_H
#define MEMPLUG_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mp_desc;

/* An empty description with the defaults below, or NULL without memory. */
struct mp_desc *mp_desc_new(void);
void mp_desc_free(struct mp_desc *desc);
/*
 * Sets one option by name. 0, -ENOENT (unknown name), -EINVAL (bad value).
 *
 *   contract = document | linux-6.1       (document)
 *   block = SIZE | auto                   (128M) power of two, 2M..64G
 *   max_phys = SIZE                       (16T) what the direct map can hold
 *   backing = memfd | anonymous | hugetlb | hugetlb-1G (memfd) where nothing else is said
 *   commit = lazy | populate              (lazy)
 *   overcommit = no | yes                 (no) online more than the host has available
 *   memhp_default_state = offline | online | online_kernel | online_movable
 *   online_policy = contig-zones | auto-movable
 *   auto_movable_ratio = N                (301)
 *   auto_movable_numa_aware = Y | N       (Y)
 *   memmap_on_memory = Y | N              (N)
 *   movable_node = Y | N                  (N)
 *   probe = Y | N                         (N) the probe file exists
 * The kernel's spellings "memory_hotplug.online_policy" etc. are accepted too.
 */
int mp_desc_set(struct mp_desc *desc, const char *name, const char *value);
/* What memory is made of (docs/backings.md). */
struct mp_backing {
	const char *kind;  /* "memfd", "anonymous", "hugetlb" (2 MiB), "hugetlb-1G", "file", "dax" */
	const char *path;  /* of "file" and "dax" only */
	uint64_t offset;   /* there: whole pages */
	bool bind;	   /* take it from one NUMA node of the host; not for "file" and "dax" */
	int host_node;
};
/*
 * Backs [start, start + size), whole blocks, or what comes on node `nid`; a
 * range says more than a node, both more than the option "backing". Copied.
 * 0; -EINVAL (unknown kind; a path, an offset or a binding that the kind has
 * no use for or lacks; not whole pages; "file" or "dax" for a node), -EEXIST
 * (said before), -ENAMETOOLONG (255 bytes), -ENOMEM. What the host says of it
 * comes with mp_boot(), add_memory() and onlining.
 */
int mp_desc_back_range(struct mp_desc *desc, uint64_t start, uint64_t size,
		       const struct mp_backing *backing);
int mp_desc_back_node(struct mp_desc *desc, int nid, const struct mp_backing *backing);
/* A possible node; it is online at boot when it has RAM or CPUs. 0, -EINVAL, -EEXIST, -ENOMEM. */
int mp_desc_add_node(struct mp_desc *desc, int nid);
int mp_desc_set_distance(struct mp_desc *desc, int from, int to, int distance);
int mp_desc_add_cpu(struct mp_desc *desc, int cpu, int nid);
/*
 * What a CPU that was described is at boot: "online" (as mp_desc_add_cpu()
 * has it), "offline" (present, add_cpu() brings it up), "absent" (possible,
 * mp_cpu_plug() makes it present). 0, -ENOENT, -EINVAL (also for CPU 0 unless online).
 */
int mp_desc_set_cpu(struct mp_desc *desc, int cpu, const char *state);
/* Boot RAM [start, start + size), page-aligned. movable: ZONE_MOVABLE. 0, -EINVAL, -EEXIST, -ENOMEM. */
int mp_desc_add_ram(struct mp_desc *desc, uint64_t start, uint64_t size, int nid, bool movable);
/* RAM that exists but belongs to the firmware: never allocated. */
int mp_desc_reserve(struct mp_desc *desc, uint64_t start, uint64_t size);
/* Memory present at boot as an offline, hot-added range: added after boot, not onlined. */
int mp_desc_add_offline(struct mp_desc *desc, uint64_t start, uint64_t size, int nid);
/*
 * Reads a text description: one statement a line, "#" comments:
 *   node 1
 *   cpu 0 node 0 [online | offline | absent]
 *   distance 0 1 20
 *   ram 0x100000 1G node 0 [movable]
 *   reserve 0x9f000 4K
 *   offline 4G 1G node 1
 *   backing 4G 16G KIND [path PATH] [offset SIZE] [host_node N]
 *   backing node 1 KIND [host_node N]
 *   NAME = VALUE                      as mp_desc_set()
 * 0, -EINVAL (mp_desc_error() names the line), or the errno of opening or reading.
 */
int mp_desc_read_file(struct mp_desc *desc, const char *path);
int mp_desc_parse(struct mp_desc *desc, const char *text, const char *name);
/*
 * Describes the machine under DIR, which holds sys/devices/system/memory
 * ("/" is this host; a saved copy of the tree does as well): block size,
 * blocks with node, state and zone, nodes, distances, CPUs; zone spans from
 * DIR/proc/zoneinfo where it is there. Memory stays lazy: mirroring a large
 * host costs address space only. Sets overcommit=yes.
 */
int mp_desc_read_sysfs(struct mp_desc *desc, const char *dir);
/* The text of the last failure of an mp_desc_ call on `desc`; "" when there was none. */
const char *mp_desc_error(const struct mp_desc *desc);

/*
 * Boots the machine; `desc` may be freed afterwards. 0; -EBUSY (there is one);
 * -EINVAL (mp_last_reason() says what); -ENOMEM; a system call's errno.
 * Nothing is left of a failed boot.
 */
int mp_boot(const struct mp_desc *desc);
/*
 * Takes it down: 0, -ENXIO, or -EBUSY with a reason while pages are
 * allocated, devices referenced, read sections or operations active.
 * Registered callbacks stay registered; no event is sent.
 */
int mp_shutdown(void);
bool mp_booted(void);

struct mp_stats {
	uint64_t blocks, blocks_online;
	uint64_t pages_present, pages_managed, pages_free;
	uint64_t bytes_resident;	/* what the backings hold of the host's memory (st_blocks) */
	uint64_t online, online_failed, offline, offline_failed;
	uint64_t add, add_failed, remove, remove_failed;
	uint64_t pages_migrated, pages_migrate_failed;
	uint64_t bytes_given_back;
	uint64_t late_vetoes;
	uint64_t migrate_ns;		/* spent moving pages */
};
/* 0 or -ENXIO. */
int mp_get_stats(struct mp_stats *stats);
/* What the backing of one block holds of the host's memory, in bytes; -ENOENT, -ENXIO. */
int64_t mp_block_resident(long block);
/*
 * The file that one block's memory is, for another process to map (a VMM's device process, vhost-user): a
 * new descriptor, close-on-exec, the caller's; *offset is the block's place in it, its length is
 * memory_block_size_bytes(). Other blocks may lie in the same file. While somebody else has it mapped
 * nothing is known of that here: refuse MEM_GOING_OFFLINE until it is unmapped, or what he still reads is
 * a hole, and what he writes is the host's loss (examples/vmm-memory). Takes a short lock.
 * A descriptor; -ENOENT, -ENXIO, -EMFILE; -EOPNOTSUPP (memory that is no file: "anonymous"; or
 * mp_descriptors_apart()).
 */
int mp_block_fd(long block, uint64_t *offset);
/*
 * Checks the whole machine: counters against bitmaps, spans, masks, lists,
 * the resource tree. 0, or the number of inconsistencies; each goes to `say`
 * (NULL: the log hook). The caller sees to it that nothing else runs.
 */
int mp_check(void (*say)(const char *text, void *arg), void *arg);

/* How long this thread's offlines may take from now on, in milliseconds; 0: for ever. */
void mp_set_deadline(uint64_t milliseconds);
/*
 * Ends the hotplug operation that `thread` is in, or the next one that it
 * enters, with -EINTR at the next point where a signal would. 0 or -ESRCH.
 */
int mp_cancel(pthread_t thread);

/* "document" or "linux-6.1" (DESIGN D1); NULL without a machine. No lock, never waits. */
const char *mp_contract(void);
/*
 * Changes it, under device_hotplug_lock, which it waits for. 0; -EINVAL: no such contract, or NULL; -ENXIO: no
 * machine; from a callback: fatal hook, -EDEADLK.
 */
int mp_set_contract(const char *name);
/* "0.1.0": the library's. */
const char *mp_version(void);

#ifdef __cplusplus
}
#endif
#endif
