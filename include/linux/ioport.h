/* SPDX-License-Identifier: MIT */
/* The tree of physical address ranges behind /proc/iomem (RES-1..7). */
#ifndef MEMPLUG_LINUX_IOPORT_H
#define MEMPLUG_LINUX_IOPORT_H

#include <linux/types.h>

struct mp_order {
	u64 key;
	struct mp_order *left, *right;
};

struct resource {
	resource_size_t start; /* inclusive */
	resource_size_t end;   /* inclusive */
	const char *name;      /* stored, not copied */
	unsigned long flags;
	unsigned long desc;
	struct resource *parent, *sibling, *child;
	struct mp_order place, *children; /* memplug's own: to find an entry among many */
};

#define IORESOURCE_MEM 0x00000200UL
#define IORESOURCE_SYSRAM 0x01000000UL
#define IORESOURCE_SYSRAM_DRIVER_MANAGED 0x02000000UL
#define IORESOURCE_SYSRAM_MERGEABLE 0x04000000UL
#define IORESOURCE_BUSY 0x80000000UL
#define IORESOURCE_SYSTEM_RAM (IORESOURCE_MEM | IORESOURCE_SYSRAM)

static inline resource_size_t resource_size(const struct resource *res)
{
	return res->end - res->start + 1;
}

/* The root of the tree. Its children may be read under mp_resource_lock'ed walks only. */
extern struct resource iomem_resource MP_SYM(iomem_resource);

/*
 * Enters [start, start + n) as `name`; the entry, or NULL on conflict with a
 * busy entry or without memory. `flags` is ORed in (RES-2). May sleep.
 */
struct resource *__request_region(struct resource *parent, resource_size_t start,
				  resource_size_t n, const char *name, unsigned long flags)
	MP_SYM(__request_region);
#define request_mem_region(start, n, name)                                                         \
	__request_region(&iomem_resource, start, n, name, IORESOURCE_MEM | IORESOURCE_BUSY)
/* Removes an entry that request made, by its exact range; WARNs when there is none. */
void __release_region(struct resource *parent, resource_size_t start, resource_size_t n)
	MP_SYM(__release_region);
#define release_mem_region(start, n) __release_region(&iomem_resource, start, n)
/* Unlinks `res`; 0 or -EINVAL. Its storage stays the caller's. */
int release_resource(struct resource *res) MP_SYM(release_resource);

#endif
