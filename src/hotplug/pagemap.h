/* SPDX-License-Identifier: MIT */
/* Which device's map a page frame belongs to: what makes and ends maps tells the lookup. */
#ifndef MEMPLUG_HOTPLUG_PAGEMAP_H
#define MEMPLUG_HOTPLUG_PAGEMAP_H

#include <linux/memremap.h>

/* Enters pages [pfn, end) of a map made at `site`; not found before pagemap_open(). 0, -EEXIST
 * (overlap), -ENOMEM. */
int pagemap_insert(struct dev_pagemap *pgmap, unsigned long pfn, unsigned long end,
		   const void *site);
void pagemap_open(unsigned long pfn);
void pagemap_erase(unsigned long pfn);
/* The map has an entry that begins at `pfn`. */
bool pagemap_has(const struct dev_pagemap *pgmap, unsigned long pfn);
/* Some entry: its first page and the site; false: none is left. */
bool pagemap_any(unsigned long *pfn, const void **site);
/* Pages of ranges at the front that are no data (altmap). */
static inline bool pagemap_is_metadata(const struct dev_pagemap *pgmap, unsigned long pfn)
{
	return (pgmap->flags & PGMAP_ALTMAP_VALID) &&
	       pfn < pgmap->altmap.base_pfn + vmem_altmap_offset(&pgmap->altmap);
}
/* The driver hands pages out one by one; the map does not keep them. */
static inline bool pagemap_pages_count_zero(const struct dev_pagemap *pgmap)
{
	return pgmap->type == MEMORY_DEVICE_PRIVATE || pgmap->type == MEMORY_DEVICE_COHERENT;
}

#endif
