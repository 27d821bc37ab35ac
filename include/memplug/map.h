/* SPDX-License-Identifier: MIT */
/*
 * Stable mappings: memory of the machine at addresses that do not change.
 * Its pages lie in the machine's zones and are movable: when their block goes
 * offline they move to other blocks while threads read and write them, and
 * none notices (docs/live-memory.md). One granule is 64 KiB.
 *
 * | call                      | may run beside                             | may sleep          |
 * | mp_map, mp_unmap, mp_remap| anything; on the same range nothing else   | while a unit moves |
 * | mp_map_discard, _protect, _advise | the same                           | while a unit moves |
 * | mp_pin, mp_unpin          | anything                                   | while a unit moves |
 * | the others                | anything                                   | no                 |
 *
 * None of them calls malloc or free or takes mem_hotplug_lock, once
 * mp_map_prepare() has been called: an allocator may stand on them. A child of
 * fork() has no machine: every call gives -ENXIO there until it boots its own.
 */
#ifndef MEMPLUG_MAP_H
#define MEMPLUG_MAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MP_MAP_GRANULE 65536u

enum {
	MP_MAP_POPULATE = 1, /* resident at once, else at first touch; the machine's pages are taken at once either way */
	MP_MAP_FIXED = 2,    /* at *addr exactly: granule-aligned, free address space or a reservation of the caller's */
	MP_MAP_THISNODE = 4, /* from nid only */
	MP_MAP_HUGE = 8,     /* in units of 2 MiB, which move as a whole: length and address are multiples of it */
	MP_MAP_FORK = 16,    /* a fork child keeps a copy-on-write snapshot; else it has no such range (MADV_DONTFORK) */
};
enum { MP_REMAP_MAYMOVE = 1 };

/*
 * Finds the mechanism by which pages can move under running threads and gets
 * all that the calls below need. mp_map() does this at its first call; who
 * calls mp_map() from inside an allocator calls this before. 0, -ENXIO, or
 * -EOPNOTSUPP with a reason: nothing safe is to be had here.
 */
int mp_map_prepare(void);
/*
 * "userfaultfd-wp"; "anonymous", if the machine's memory is anonymous and needs none; both, with ", "
 * between; "none" without one, or before mp_map_prepare(). The file /memplug/map tells more.
 */
const char *mp_map_mechanism(void);

/*
 * Maps `length` bytes (rounded up to granules) that read as zero, from node
 * `nid` first (NUMA_NO_NODE, -1: any) and then by distance; *addr gets their
 * address. With MP_MAP_FIXED whatever was mapped there is replaced, and after
 * a failure the range is a reservation without access.
 * 0; -EINVAL (length 0, unknown flags, not aligned, no such node); -EEXIST (MP_MAP_FIXED on a
 * mapped range); -ENOMEM with a reason (the machine's memory, the limit of mappings); -EOPNOTSUPP with a
 * reason (no mechanism, or the memory is of a kind that cannot move); -ENXIO.
 */
int mp_map(void **addr, size_t length, int nid, unsigned int flags);
/*
 * Takes whole granules of mapped ranges away, of MP_MAP_HUGE whole units. All or nothing: 0; -EINVAL (not
 * aligned, or some of it is not mapped); -EBUSY with a reason (pinned); -ENXIO.
 */
int mp_unmap(void *addr, size_t length);
/* The same, but the addresses stay reserved, without access: for an allocator that will MP_MAP_FIXED there again.
 * Errors as mp_unmap(). */
int mp_unmap_reserve(void *addr, size_t length);
/*
 * Makes a range longer or shorter, in place; with MP_REMAP_MAYMOVE elsewhere
 * if there is no room behind it, and *addr changes. What it held stays; what
 * comes reads as zero, from the node of its last granule. Errors as mp_map()
 * and mp_unmap(), the range then being as it was; -ENOMEM also for no room.
 */
int mp_remap(void **addr, size_t old_length, size_t new_length, unsigned int flags);
/*
 * The granules read as zero afterwards and their memory is the host's again
 * until they are touched; the range stays. Errors as mp_unmap().
 */
int mp_map_discard(void *addr, size_t length);
/*
 * mprotect() and madvise() of mapped memory, whole pages: what they set stays when the pages move, at every
 * moment. What the system calls themselves set there is lost with the first move. Of advice DONTDUMP, DODUMP,
 * NOHUGEPAGE, HUGEPAGE, and with MP_MAP_FORK also DONTFORK and DOFORK last; DONTNEED and FREE make pages read as
 * zero and give their memory back; the rest is done once as the host does it (docs/live-memory.md). Pinned
 * memory, too. 0; -EINVAL (not aligned, not mapped, or the host does not take it); -EACCES (DONTNEED of what may
 * not be written while a fork child reads it); -ENOMEM (the limit of mappings); -ENXIO.
 */
int mp_map_protect(void *addr, size_t length, int prot);
int mp_map_advise(void *addr, size_t length, int advice);
/*
 * Pins whole units under [addr, addr + length) where they are: for addresses that the kernel or a
 * device keeps (io_uring buffers, O_DIRECT in flight, vmsplice), for thread stacks, for robust
 * mutexes. Offlining their block is refused with -EBUSY, and the reason names the caller. Counted;
 * mp_unpin() takes the same range. 0; -EINVAL (not mapped, not pinned); -ENOMEM (65535 times); -ENXIO.
 */
int mp_pin(const void *addr, size_t length);
int mp_unpin(const void *addr, size_t length);

/* Windows: how long one granule was held still, upper bounds in microseconds; the last has none. */
#define MP_MAP_WINDOW_BUCKETS 12
struct mp_map_stats {
	uint64_t bytes;			/* mapped */
	uint64_t units, huge_units;	/* of 64 KiB and of 2 MiB */
	uint64_t pinned;		/* units */
	uint64_t moved, bytes_moved;	/* units, and bytes in them, since the process began */
	uint64_t failed;		/* units that did not move when asked; asked again later */
	uint64_t window_ns_max;		/* longest window */
	uint64_t windows[MP_MAP_WINDOW_BUCKETS]; /* <= 4, 8, 16, ... 4096 us, longer */
	uint64_t mappings, mappings_limit; /* of vm.max_map_count: taken by mp_map(), at most */
	uint64_t futexes_woken;		/* sleepers on shared futexes told to look again */
	uint64_t snapshots;		/* granules that a fork child still reads */
};
/* 0, -EINVAL, -ENXIO. */
int mp_get_map_stats(struct mp_map_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
