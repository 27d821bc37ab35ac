/* SPDX-License-Identifier: MIT */
/*
 * The page descriptor: 64 bytes, one per page of every added block. Zero is
 * the descriptor of a free page. Zone, node and the state during
 * MEM_GOING_ONLINE are not stored here: accessors compute them.
 */
#ifndef MEMPLUG_LINUX_MM_TYPES_H
#define MEMPLUG_LINUX_MM_TYPES_H

#include <linux/types.h>
#include <linux/list.h>

struct page {
	unsigned long flags;	/* BIT(PG_...); atomic operations only */
	struct list_head lru;	/* the owner's, except while isolated */
	unsigned long mapping;	/* movable_operations | PAGE_MAPPING_MOVABLE */
	unsigned long index;	/* the owner's */
	unsigned long private;	/* the owner's */
	u32 _refcount;		/* 0: free, or not yet handed out */
	u32 order;		/* of the allocation, in its first page */
	const void *owner;	/* who allocated it: a code address */
};
_Static_assert(sizeof(struct page) == 64, "descriptors are 64 bytes");

#endif
