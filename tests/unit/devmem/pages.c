/* SPDX-License-Identifier: MIT */
/* Pages of device memory: descriptors, references, the CPU's touch, failures, the file behind them. */
#include "devmem.h"

#include <memplug/failure.h>
#include <sys/stat.h>

TEST(DEVMEM_2, "page_free is told of a page's end, migrate_to_ram of the CPU's touch, memory_failure of a failure")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_PRIVATE, DEV, 2 * MIB);
	struct page *page;

	machine_boot(NULL);
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	page = pfn_to_page(DEV_PFN + 3);
	zone_device_page_init(page);
	unlock_page(page);
	CHECK_EQ(mp_device_fault(page), 0);
	CHECK_EQ(faults, 1);
	CHECK_EQ(last_fault, page);
	CHECK_EQ(frees, 0);
	put_page(page);
	CHECK_EQ(frees, 1);
	CHECK_EQ(last_free, page);
	memunmap_pages(&pgmap);
	machine_check();
}

static long try_online_mems(void *arg)
{
	get_online_mems();
	put_online_mems();
	return 0;
}

TEST(DEVMEM_7, "descriptors: reserved, of their map, count 1, but 0 where the driver hands them out")
{
	struct dev_pagemap generic = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct dev_pagemap coherent = device_map(MEMORY_DEVICE_COHERENT, DEV + 2 * MIB, 2 * MIB);
	struct worker reader;
	unsigned long i;

	machine_boot(NULL);
	CHECK_EQ(map_it(&generic, NODE), 0);
	CHECK_EQ(map_it(&coherent, NODE), 0);
	for (i = 0; i < 1024; i++) {
		struct page *page = pfn_to_page(DEV_PFN + i);

		CHECK(PageReserved(page));
		CHECK(is_zone_device_page(page));
		CHECK_EQ(page->pgmap, i < 512 ? &generic : &coherent);
		CHECK_EQ(page_count(page), i < 512 ? 1 : 0);
		CHECK_EQ(is_device_coherent_page(page), i >= 512);
		CHECK(!is_device_private_page(page));
	}
	CHECK(!is_zone_device_page(pfn_to_page(0)));
	/* The lock is free again when the caller gets them. */
	worker_start(&reader, try_online_mems, NULL);
	CHECK_EQ(worker_join(&reader), 0);
	memunmap_pages(&generic);
	memunmap_pages(&coherent);
	machine_check();
}

TEST(DEVMEM_16, "the last reference calls page_free, then the count is 1 again or the map is let go")
{
	struct dev_pagemap generic = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct dev_pagemap coherent = device_map(MEMORY_DEVICE_COHERENT, DEV + 2 * MIB, 2 * MIB);
	struct dev_pagemap mute = device_map(MEMORY_DEVICE_GENERIC, DEV + 4 * MIB, 2 * MIB);
	struct page *page;
	unsigned long users;

	machine_boot(NULL);
	CHECK_EQ(map_it(&generic, NODE), 0);
	CHECK_EQ(map_it(&coherent, NODE), 0);
	page = pfn_to_page(DEV_PFN);
	users = generic.ref.word;
	get_page(page);
	put_page(page);
	CHECK_EQ(frees, 0);
	put_page(page);
	CHECK_EQ(frees, 1);
	CHECK_EQ(page_count(page), 1);
	CHECK_EQ(generic.ref.word, users);

	page = pfn_to_page(DEV_PFN + 512);
	users = coherent.ref.word;
	zone_device_page_init(page);
	CHECK(PageLocked(page));
	unlock_page(page);
	CHECK_EQ(page_count(page), 1);
	CHECK_EQ(coherent.ref.word, users + 1);
	put_page(page);
	CHECK_EQ(frees, 2);
	CHECK_EQ(page_count(page), 0);
	CHECK_EQ(coherent.ref.word, users);
	/* Not in the allocator's hands. */
	CHECK_EQ(page->pgmap, &coherent);

	allow_warnings();
	mute.ops = NULL;
	CHECK_EQ(map_it(&mute, NODE), 0);
	put_page(pfn_to_page(DEV_PFN + 1024));
	put_page(pfn_to_page(DEV_PFN + 1025));
	CHECK_EQ(warnings(), 1);
	CHECK_EQ(frees, 2);
	memunmap_pages(&mute);
	memunmap_pages(&coherent);
	memunmap_pages(&generic);
	machine_check();
}

static int failure_answer, failures_told;

static int driver_failure(struct dev_pagemap *pgmap, unsigned long pfn, unsigned long nr, int flags)
{
	CHECK_EQ(pfn, DEV_PFN + 100);
	CHECK_EQ(nr, 1);
	CHECK_EQ(flags, MF_ACTION_REQUIRED);
	failures_told++;
	return failure_answer;
}

static int handled;

static enum mp_failure_answer handler(const struct mp_failure *failure, void *arg)
{
	CHECK_EQ(failure->pfn, *(unsigned long *)arg);
	handled++;
	return MP_FAILURE_HANDLED;
}

TEST(DEVMEM_17, "a device page's failure: metadata is none, the driver is asked, then its users are")
{
	struct dev_pagemap_ops ops = counting_ops;
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 4 * MIB);
	unsigned long pfn = DEV_PFN + 100;

	machine_boot(NULL);
	ops.memory_failure = driver_failure;
	pgmap.ops = &ops;
	pgmap.flags = PGMAP_ALTMAP_VALID;
	pgmap.altmap = (struct vmem_altmap){ .base_pfn = DEV_PFN, .reserve = 2, .free = 16 };
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	CHECK_EQ(memory_failure(DEV_PFN + 17, 0), -ENXIO);
	CHECK_EQ(failures_told, 0);
	CHECK_EQ(memory_failure(pfn, MF_ACTION_REQUIRED), 0);
	CHECK_EQ(failures_told, 1);
	CHECK(!PageHWPoison(pfn_to_page(pfn)));
	failure_answer = -EIO;
	CHECK_EQ(memory_failure(pfn, MF_ACTION_REQUIRED), -EIO);
	CHECK_EQ(mp_failure_register(handler, &pfn), 0);
	failure_answer = -EOPNOTSUPP;
	CHECK_EQ(memory_failure(pfn, MF_ACTION_REQUIRED), 0);
	CHECK_EQ(failures_told, 3);
	CHECK_EQ(handled, 1);
	CHECK(PageHWPoison(pfn_to_page(pfn)));
	CHECK_EQ(memory_failure(pfn, MF_ACTION_REQUIRED), -EHWPOISON);
	ops.memory_failure = NULL;
	pfn++;
	CHECK_EQ(memory_failure(pfn, 0), 0);
	CHECK_EQ(handled, 2);
	CHECK(strstr(read_file("/proc/meminfo"), "HardwareCorrupted:     8 kB"));
	CHECK_EQ(soft_offline_page(pfn, 0), -EIO);
	CHECK_EQ(unpoison_memory(pfn), -EIO);
	memunmap_pages(&pgmap);
	CHECK(strstr(read_file("/proc/meminfo"), "HardwareCorrupted:     0 kB"));
	CHECK_EQ(memory_failure(pfn, 0), -ENXIO);
	machine_check();
}

static int temporary_file(unsigned long size)
{
	char path[] = "/tmp/memplug-device-XXXXXX";
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	unlink(path);
	CHECK_EQ(ftruncate(fd, (off_t)size), 0);
	return fd;
}

TEST(devmem_file, "a file as the device: what is written to the memory arrives there, and back")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV + 2 * MIB, 2 * MIB);
	struct dev_pagemap outside = device_map(MEMORY_DEVICE_GENERIC, DEV + 6 * MIB, 4 * MIB);
	int fd = temporary_file(10 * MIB);
	char byte = 'x';

	machine_boot(NULL);
	CHECK_EQ(mp_device_file(DEV, 8 * MIB, fd, 4096), 0);
	CHECK_EQ(pwrite(fd, "before", 6, 4096 + 2 * MIB), 6);
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	CHECK_EQ(memcmp(__va(DEV + 2 * MIB), "before", 6), 0);
	*(char *)__va(DEV + 4 * MIB - 1) = 'y';
	CHECK_EQ(pread(fd, &byte, 1, 4096 + 4 * MIB - 1), 1);
	CHECK_EQ(byte, 'y');
	/* Half in the file. */
	CHECK_EQ(map_it(&outside, NODE), -EINVAL);
	CHECK_EQ(mp_device_file_remove(DEV), -EBUSY);
	memunmap_pages(&pgmap);
	/* The file keeps what it has; it can be shown again. */
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	CHECK_EQ(*(char *)__va(DEV + 4 * MIB - 1), 'y');
	memunmap_pages(&pgmap);
	/* Cut shorter meanwhile: an error, no SIGBUS. */
	CHECK_EQ(ftruncate(fd, 3 * MIB), 0);
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	CHECK_EQ(mp_device_file_remove(DEV), 0);
	CHECK_EQ(mp_device_file_remove(DEV), -ENOENT);
	close(fd);
	machine_check();
	CHECK_EQ(mp_shutdown(), 0);
}

TEST(devmem_shutdown, "a machine with device memory does not shut down; a block is not added over it")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct mp_reason reason;

	machine_boot(NULL);
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	*(char *)__va(DEV) = 1;
	CHECK_EQ(mp_shutdown(), -EBUSY);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK(strstr(reason.text, "memunmap_pages"));
	CHECK_EQ(add_memory(NODE, DEV, BLOCK_BYTES, MHP_NONE), -EEXIST);
	CHECK_EQ(*(char *)__va(DEV), 1);
	memunmap_pages(&pgmap);
	CHECK_EQ(add_memory(NODE, DEV, BLOCK_BYTES, MHP_NONE), 0);
	machine_check();
	CHECK_EQ(mp_shutdown(), 0);
}
