/* SPDX-License-Identifier: MIT */
/*
 * Memory that is no RAM: a file as a device whose bytes outlive the program,
 * and a device that the CPU cannot address, whose driver brings a page back
 * when the CPU touches it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/err.h>
#include <linux/memremap.h>
#include <memplug/device_memory.h>
#include <memplug/memplug.h>

#define MIB (1UL << 20)
#define PERSISTENT (16UL << 30) /* physical addresses that no RAM has */
#define ACCELERATOR (17UL << 30)

/* ---- a persistent device ---- */

static int persistent(int fd)
{
	struct dev_pagemap map = {
		.type = MEMORY_DEVICE_GENERIC,
		.nr_range = 1,
		.range = { PERSISTENT, PERSISTENT + 4 * MIB - 1 },
	};
	char *at, text[32] = "";

	if (mp_device_file(PERSISTENT, 4 * MIB, fd, 0) < 0)
		return -1;
	at = memremap_pages(&map, -1);
	if (IS_ERR(at))
		return -1;
	strcpy(at + 3 * MIB, "written to memory");
	memunmap_pages(&map);
	if (pread(fd, text, sizeof(text) - 1, 3 * MIB) < 0)
		return -1;
	printf("the file has: %s\n", text);
	return mp_device_file_remove(PERSISTENT);
}

/* ---- an accelerator with memory of its own ---- */

static char own_memory[512][4096]; /* what only the device can address, page by page */
static struct page *in_ram;	   /* where its page went */

static char *behind(const struct page *page)
{
	return own_memory[page_to_pfn(page) - (ACCELERATOR >> PAGE_SHIFT)];
}

static void page_free(struct page *page)
{
	printf("the accelerator has page 0x%lx back\n", page_to_pfn(page));
}

static vm_fault_t migrate_to_ram(struct vm_fault *fault)
{
	in_ram = alloc_page(GFP_HIGHUSER_MOVABLE);
	if (!in_ram)
		return VM_FAULT_OOM;
	memcpy(page_address(in_ram), behind(fault->page), 4096);
	put_page(fault->page); /* the reference of who used it; the fault has its own */
	return 0;
}

static const struct dev_pagemap_ops ops = {
	.page_free = page_free,
	.migrate_to_ram = migrate_to_ram,
};

static int accelerator(void)
{
	struct dev_pagemap map = {
		.type = MEMORY_DEVICE_PRIVATE,
		.ops = &ops,
		.owner = own_memory,
		.nr_range = 1,
		.range = { ACCELERATOR, ACCELERATOR + 2 * MIB - 1 },
	};
	struct page *page;

	if (IS_ERR(memremap_pages(&map, -1)))
		return -1;
	page = pfn_to_page((ACCELERATOR >> PAGE_SHIFT) + 7);
	zone_device_page_init(page);
	unlock_page(page);
	strcpy(behind(page), "computed by the accelerator");
	if (mp_device_fault(page) < 0)
		return -1;
	printf("the CPU reads: %s\n", (char *)page_address(in_ram));
	put_page(in_ram);
	memunmap_pages(&map); /* would wait for pages that are still out */
	return 0;
}

int main(void)
{
	char path[] = "/tmp/memplug-device-XXXXXX";
	struct mp_desc *desc = mp_desc_new();
	int fd = mkstemp(path), ret;

	if (!desc || fd < 0 || ftruncate(fd, 4 * MIB))
		return 1;
	unlink(path);
	mp_desc_parse(desc, "node 0\nram 0 256M node 0\n", "device_memory");
	ret = mp_boot(desc);
	mp_desc_free(desc);
	if (ret < 0 || persistent(fd) < 0 || accelerator() < 0)
		return 1;
	close(fd);
	return mp_shutdown() < 0;
}
