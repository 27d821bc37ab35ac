/* SPDX-License-Identifier: MIT */
/*
 * Device memory: ranges with page descriptors that are no System RAM. They are
 * in ZONE_DEVICE, never in the allocator, in no memory block; no memory event
 * tells of them (SPEC, DEVMEM).
 *
 * | call                       | takes                         | may sleep                   |
 * | memremap/memunmap_pages    | mem_hotplug_lock (write)      | yes; unmap: until all let go |
 * | get_dev_pagemap            | a short lock of its own       | briefly                     |
 * | put_dev_pagemap            | nothing                       | no                          |
 *
 * What backs a range in this process: <memplug/device_memory.h>.
 */
#ifndef MEMPLUG_LINUX_MEMREMAP_H
#define MEMPLUG_LINUX_MEMREMAP_H

#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/percpu-refcount.h>
#include <linux/range.h>

struct device;
struct dev_pagemap;

/* Pages of the range itself for its descriptors (DEVMEM-14). */
struct vmem_altmap {
	unsigned long base_pfn; /* the range's first */
	unsigned long end_pfn;
	unsigned long reserve; /* the driver's own, at the beginning */
	unsigned long free;    /* behind them, for descriptors */
	unsigned long align;   /* of `free`: lost to alignment */
	unsigned long alloc;   /* of `free`: taken */
};

enum memory_type {
	/* 0: somebody forgot to set it */
	MEMORY_DEVICE_PRIVATE = 1, /* the CPU cannot address it: migrate_to_ram() fetches */
	MEMORY_DEVICE_COHERENT,	   /* addressable, coherent, the driver hands pages out */
	MEMORY_DEVICE_FS_DAX,
	MEMORY_DEVICE_GENERIC,
	MEMORY_DEVICE_PCI_P2PDMA,
};

struct dev_pagemap_ops {
	/* A page's last reference is gone. PRIVATE, COHERENT: the page is the driver's to hand out again. */
	void (*page_free)(struct page *page);
	/* The CPU touches vmf->page (PRIVATE): move its contents to ordinary memory. 0 or VM_FAULT_. */
	vm_fault_t (*migrate_to_ram)(struct vm_fault *vmf);
	/* Pages have failed; 0, -EOPNOTSUPP (do what is done without this op) or another errno. */
	int (*memory_failure)(struct dev_pagemap *pgmap, unsigned long pfn, unsigned long nr_pages,
			      int mf_flags);
};

#define PGMAP_ALTMAP_VALID (1 << 0)

/* The caller's; zero what is not used. It and its ops stay until memunmap_pages() returned. */
struct dev_pagemap {
	struct vmem_altmap altmap; /* with PGMAP_ALTMAP_VALID, and one range only */
	struct percpu_ref ref;	   /* memplug's: users of the map */
	struct completion done;	   /* memplug's: the last one has left */
	enum memory_type type;
	unsigned int flags;
	unsigned long vmemmap_shift; /* no effect: each page has a descriptor of its own */
	const struct dev_pagemap_ops *ops;
	void *owner;
	int nr_range;
	union {
		struct range range; /* physical addresses, both ends inclusive, whole 2 MiB */
		__extension__ struct range ranges[0];
	};
};

/*
 * Makes the ranges device memory of node `nid` (negative: the nearest one with
 * memory), one after the other; all or none. Returns the address of the first
 * (without memory behind it when PRIVATE), or ERR_PTR():
 * -EINVAL (no range; type lacks an op or the owner; an altmap with several
 * ranges, of another place or too large; not addressable; not whole 2 MiB; no
 * such node), -ENOMEM (a range's first or last page is device memory already;
 * no memory; altmap too small), -ENXIO (touches System RAM, or no machine),
 * -EEXIST (overlaps other memory), -EDEADLK (in a memory event callback, after
 * the fatal hook), or what the host said of the mapping. The reason is kept
 * (mp_last_reason()). DEVMEM-3..8.
 */
void *memremap_pages(struct dev_pagemap *pgmap, int nid) MP_SYM(memremap_pages);
/*
 * Waits until everybody let go of the map, then takes the ranges away. WARNs
 * for a map that is not there. Fatal in a memory event callback. DEVMEM-11.
 */
void memunmap_pages(struct dev_pagemap *pgmap) MP_SYM(memunmap_pages);
/* The same on the device's node, until the device goes (DEVMEM-12). Errors as memremap_pages(). */
void *devm_memremap_pages(struct device *dev, struct dev_pagemap *pgmap)
	MP_SYM(devm_memremap_pages);
/* Ends it early. WARNs when the device has no such map. */
void devm_memunmap_pages(struct device *dev, struct dev_pagemap *pgmap)
	MP_SYM(devm_memunmap_pages);

/*
 * The live map that has `pfn`, with a reference, or NULL. A `cached` one (may
 * be NULL) that has it is returned as it is, another one is let go. DEVMEM-13.
 */
struct dev_pagemap *get_dev_pagemap(unsigned long pfn, struct dev_pagemap *cached)
	MP_SYM(get_dev_pagemap);
/* Lets go; accepts NULL. */
static inline void put_dev_pagemap(struct dev_pagemap *pgmap)
{
	if (pgmap)
		percpu_ref_put(&pgmap->ref);
}

/* A driver hands out a page of a PRIVATE or COHERENT map: count 1, locked, and one use of the map. */
void zone_device_page_init(struct page *page) MP_SYM(zone_device_page_init);

static inline bool is_zone_device_page(const struct page *page)
{
	return READ_ONCE(page->flags) & BIT(PG_device);
}
static inline bool is_device_private_page(const struct page *page)
{
	return is_zone_device_page(page) && page->pgmap->type == MEMORY_DEVICE_PRIVATE;
}
static inline bool is_device_coherent_page(const struct page *page)
{
	return is_zone_device_page(page) && page->pgmap->type == MEMORY_DEVICE_COHERENT;
}

/* Pages at the beginning that are no data. */
static inline unsigned long vmem_altmap_offset(const struct vmem_altmap *altmap)
{
	return altmap ? altmap->reserve + altmap->free : 0;
}

#endif
