/* SPDX-License-Identifier: MIT */
/*
 * The extents that back ordinary memory: a list by address, which is whole at
 * every moment, since a fork child walks it without the lock. backing_lock
 * guards all, except where said.
 */
#ifndef MEMPLUG_BACKING_EXTENT_H
#define MEMPLUG_BACKING_EXTENT_H

#include "backing/kind.h"
#include "backing/rule.h"

#include <linux/mm.h>
#include <linux/mutex.h>

extern struct mutex backing_lock;

static inline void *direct_address(u64 start)
{
	return mp_direct_map + start;
}
static inline const struct backing_kind *kind_of(const struct extent *extent)
{
	return extent->rule->kind;
}

/* For windows of blocks of this size below max_phys. */
void extents_init(u64 block_size, u64 max_phys);
/* Closes and forgets all; mappings are the caller's. */
void extents_drop(void);
/* The extent that covers `pos`, or else the first one behind it (NULL: none); extent->next goes on. */
struct extent *extent_at(u64 pos);
/* Whole blocks: backs them, all or none; takes them away again. */
int extents_add(u64 start, u64 end, int nid);
void extents_remove(u64 start, u64 end);
/* Of a part: makes it resident; drops it; what the host holds of it, or -errno. */
int part_populate(struct extent *extent, u64 start, u64 size);
int part_discard(struct extent *extent, u64 start, u64 size);
s64 part_resident(struct extent *extent, u64 start, u64 end);
/* Maps the live part of the range in this extent once more. */
int part_restore(struct extent *extent, u64 start, u64 end);

/* The whole range is one file that nobody else was given, and of a kind that can tell what the kernel holds. */
bool extent_sealable(const struct extent *extent, u64 start, u64 size);
/* Sealable, and nobody uses its addresses: another, empty file. -EBUSY: the kernel holds pages of it; or
 * another errno; all is as before then. */
int extent_seal_and_drop(struct extent *extent);

/* From now on its live parts are advised as backing_use_for_maps() says. */
void extent_use_for_maps(struct extent *extent);

/* Where memory comes from that is BACKING_APART. 0 or -EINVAL: it is not. Takes backing_lock. */
struct backing_place {
	int host_node;	/* or -1 */
	bool populate;	/* at once */
};
int backing_place_of(u64 start, struct backing_place *place);

/* What was mapped at [start, start + size) beside device memory is again: holes of boot RAM, or
 * nothing. What the host refuses is logged. mem_hotplug_lock (write); takes backing_lock. */
void backing_restore(u64 start, u64 size);
/* Forgets all windows and files of device memory. */
void backing_device_exit(void);

#endif
