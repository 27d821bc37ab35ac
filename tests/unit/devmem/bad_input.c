/* SPDX-License-Identifier: MIT */
/* Nonsense for every entry point of device memory: an errno, and a machine as before. */
#include "devmem.h"

#include <sys/mman.h>

static int errno_of(void *address)
{
	return IS_ERR(address) ? (int)PTR_ERR(address) : 0;
}

TEST(devmem_bad_input, "nonsense is refused and nothing has changed")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct dev_pagemap private = device_map(MEMORY_DEVICE_PRIVATE, DEV + 4 * MIB, 2 * MIB);
	struct device dev = { .name = "d" };
	struct page *page;
	int fd;

	/* Without a machine. */
	CHECK_EQ(map_it(&pgmap, 0), -ENXIO);
	CHECK_EQ(mp_device_file(DEV, 2 * MIB, 0, 0), -ENXIO);
	CHECK_EQ(mp_device_file_remove(DEV), -ENXIO);
	CHECK_EQ(mp_device_fault(NULL), -EINVAL);
	CHECK(!get_dev_pagemap(DEV_PFN, NULL));

	machine_boot(NULL);
	CHECK_EQ(errno_of(memremap_pages(NULL, 0)), -EINVAL);
	CHECK_EQ(errno_of(devm_memremap_pages(NULL, &pgmap)), -EINVAL);
	device_initialize(&dev);
	CHECK_EQ(errno_of(devm_memremap_pages(&dev, NULL)), -EINVAL);
	CHECK_EQ(devm_add_action(NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(devm_add_action_or_reset(&dev, NULL, NULL), -EINVAL);
	CHECK_EQ(map_it(&pgmap, 5000), -EINVAL);
	CHECK_EQ(map_it(&pgmap, 7), -EINVAL);
	pgmap.range.end = DEV - 1;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	pgmap.range.end = ~0ULL;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	pgmap.range.end = DEV + 2 * MIB - 1;
	memunmap_pages(NULL);
	allow_warnings();
	memunmap_pages(&pgmap);
	CHECK_EQ(warnings(), 1);
	pgmap.nr_range = -1;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);

	fd = open("/dev/null", O_RDWR);
	CHECK_EQ(mp_device_file(DEV, 2 * MIB, -1, 0), -EBADF);
	CHECK_EQ(mp_device_file(DEV, 2 * MIB, 12345, 0), -EBADF);
	CHECK_EQ(mp_device_file(DEV, 2 * MIB, fd, 0), -EINVAL);
	CHECK_EQ(mp_device_file(DEV, 0, fd, 0), -EINVAL);
	CHECK_EQ(mp_device_file(DEV + 4096, 2 * MIB, fd, 0), -EINVAL);
	CHECK_EQ(mp_device_file(DEV, 2 * MIB, fd, 1), -EINVAL);
	CHECK_EQ(mp_device_file(1UL << 40, 2 * MIB, fd, 0), -EINVAL);
	CHECK_EQ(mp_device_file(DEV, 2 * MIB, fd, ~0xfffULL), -EINVAL);
	close(fd);
	fd = memfd_create("device", 0);
	CHECK_EQ(ftruncate(fd, 2 * MIB), 0);
	CHECK_EQ(mp_device_file(DEV, 4 * MIB, fd, 0), -EINVAL);
	CHECK_EQ(mp_device_file(DEV, 2 * MIB, fd, 0), 0);
	CHECK_EQ(mp_device_file(DEV, 2 * MIB, fd, 0), -EEXIST);
	close(fd);

	/* Pages: ordinary ones, of no machine, of another type, not handed out. */
	pgmap.nr_range = 1;
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	CHECK_EQ(map_it(&private, NODE), 0);
	CHECK_EQ(mp_device_fault(NULL), -EINVAL);
	CHECK_EQ(mp_device_fault(pfn_to_page(0)), -EINVAL);
	CHECK_EQ(mp_device_fault(pfn_to_page(1UL << 40)), -EINVAL);
	CHECK_EQ(mp_device_fault(pfn_to_page(DEV_PFN)), -EINVAL);
	page = pfn_to_page(DEV_PFN + 1024);
	CHECK_EQ(mp_device_fault(page), -ENXIO);
	CHECK_EQ(faults, 0);
	zone_device_page_init(page);
	unlock_page(page);
	fault_answer = VM_FAULT_OOM;
	CHECK_EQ(mp_device_fault(page), -ENOMEM);
	fault_answer = VM_FAULT_SIGBUS;
	CHECK_EQ(mp_device_fault(page), -EFAULT);
	CHECK_EQ(page_count(page), 1);
	put_page(page);
	memunmap_pages(&private);
	memunmap_pages(&pgmap);
	machine_check();
}

static struct dev_pagemap inner;

static void map_inside(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_GOING_ONLINE)
		return;
	CHECK_EQ(map_it(&inner, NODE), -EDEADLK);
	memunmap_pages(&inner);
	CHECK_EQ(fatals(), 2);
}

TEST(devmem_in_callback, "from a memory event callback it would wait for itself: fatal")
{
	static struct listener listener = { .hook = map_inside };

	machine_boot(NULL);
	inner = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	add_blocks(NODE, HOT_BLOCK, 1);
	listen_as(&listener, "A", 0);
	allow_fatal();
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(fatals(), 2);
	machine_check();
}
