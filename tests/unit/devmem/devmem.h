/* SPDX-License-Identifier: MIT */
/* Device memory for tests: at 16 GiB, of node 1, with ops that count. */
#ifndef TESTS_DEVMEM_H
#define TESTS_DEVMEM_H

#include "machine.h"

#include <linux/err.h>
#include <linux/memremap.h>
#include <memplug/device_memory.h>

#define DEV (16UL << 30)
#define DEV_PFN (DEV >> PAGE_SHIFT)
#define MIB (1UL << 20)
#define NODE 1

#define MAYBE static __attribute__((unused))

MAYBE int frees, faults;
MAYBE struct page *last_free, *last_fault;
MAYBE vm_fault_t fault_answer;

MAYBE void page_free(struct page *page)
{
	frees++;
	last_free = page;
}

MAYBE vm_fault_t migrate_to_ram(struct vm_fault *vmf)
{
	faults++;
	last_fault = vmf->page;
	return fault_answer;
}

/* Counts what it hears of. */
MAYBE const struct dev_pagemap_ops counting_ops = {
	.page_free = page_free,
	.migrate_to_ram = migrate_to_ram,
};

/* A map of one range, complete for any type. */
MAYBE struct dev_pagemap device_map(enum memory_type type, unsigned long start, unsigned long size)
{
	return (struct dev_pagemap){
		.type = type,
		.ops = &counting_ops,
		.owner = &frees,
		.nr_range = 1,
		.range = { start, start + size - 1 },
	};
}

/* memremap_pages(), its errno or 0. */
MAYBE int map_it(struct dev_pagemap *pgmap, int nid)
{
	void *address = memremap_pages(pgmap, nid);

	if (IS_ERR(address))
		return (int)PTR_ERR(address);
	CHECK_EQ(address, __va(pgmap->range.start));
	return 0;
}

#endif
