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

struct dev_pagemap;

struct page {
	unsigned long flags;	/* BIT(PG_...); atomic operations only */
	union {
		struct list_head lru;	/* the owner's, except while isolated */
		struct {		/* of device memory */
			struct dev_pagemap *pgmap;
			void *zone_device_data; /* the driver's */
		};
	};
	unsigned long mapping;	/* movable_operations | PAGE_MAPPING_MOVABLE */
	unsigned long index;	/* the owner's */
	unsigned long private;	/* the owner's */
	u32 _refcount;		/* 0: free, or not yet handed out */
	u32 order;		/* of the allocation, in its first page */
	const void *owner;	/* who allocated it: a code address */
};
/* What a fault of the CPU is about: here a page of device memory. */
struct vm_fault {
	struct page *page;
	unsigned long address; /* where the page would be in the direct map */
};
typedef unsigned int vm_fault_t;
#define VM_FAULT_OOM 0x1u
#define VM_FAULT_SIGBUS 0x2u

_Static_assert(sizeof(struct page) == 64, "descriptors are 64 bytes");

#endif
