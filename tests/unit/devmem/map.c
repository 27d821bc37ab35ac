/* SPDX-License-Identifier: MIT */
/* Maps of device memory: what is accepted, what comes and goes, and under which lock. */
#include "devmem.h"


TEST(DEVMEM_1, "the types and the flag have the kernel's values, and 0 is none")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);

	CHECK_EQ(MEMORY_DEVICE_PRIVATE, 1);
	CHECK_EQ(MEMORY_DEVICE_COHERENT, 2);
	CHECK_EQ(MEMORY_DEVICE_FS_DAX, 3);
	CHECK_EQ(MEMORY_DEVICE_GENERIC, 4);
	CHECK_EQ(MEMORY_DEVICE_PCI_P2PDMA, 5);
	CHECK_EQ(PGMAP_ALTMAP_VALID, 1);
	machine_boot(NULL);
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	/* The caller's, and found again from the page; its one range has two names. */
	CHECK_EQ(pfn_to_page(DEV_PFN)->pgmap, &pgmap);
	CHECK_EQ(pgmap.ranges[0].end, pgmap.range.end);
	memunmap_pages(&pgmap);
	CHECK_EQ(pgmap.nr_range, 1);
}

TEST(DEVMEM_3, "memremap_pages() returns the first range's address, or an error for none")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 4 * MIB);
	char *at;

	machine_boot(NULL);
	at = memremap_pages(&pgmap, NODE);
	CHECK_EQ(at, __va(DEV));
	CHECK_EQ(at[0], 0);
	memset(at, 0x5a, 4 * MIB);
	memunmap_pages(&pgmap);
	/* Given back: the next one reads zero. */
	at = memremap_pages(&pgmap, NODE);
	CHECK_EQ(at[4 * MIB - 1], 0);
	memunmap_pages(&pgmap);
	machine_check();
	allow_warnings();
	pgmap.nr_range = 0;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	CHECK_EQ(warnings(), 1);
}

TEST(DEVMEM_4, "each type demands its ops and owner; an unknown one is only warned of")
{
	struct dev_pagemap_ops ops = counting_ops;
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_PRIVATE, DEV, 2 * MIB);

	machine_boot(NULL);
	allow_warnings();
	pgmap.ops = &ops;
	ops.migrate_to_ram = NULL;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	CHECK_EQ(warnings(), 1);
	pgmap.type = MEMORY_DEVICE_COHERENT;
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	memunmap_pages(&pgmap);
	CHECK_EQ(warnings(), 1);
	ops.page_free = NULL;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	ops = counting_ops;
	pgmap.owner = NULL;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	pgmap.type = MEMORY_DEVICE_PRIVATE;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	pgmap.ops = NULL;
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	CHECK_EQ(warnings(), 5);
	pgmap.type = MEMORY_DEVICE_FS_DAX;
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	memunmap_pages(&pgmap);
	CHECK_EQ(warnings(), 5);
	pgmap.type = 77;
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	CHECK_EQ(warnings(), 6);
	memunmap_pages(&pgmap);
	machine_check();
}

TEST(DEVMEM_5, "what a range must not be: taken, System RAM, not addressable")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 8 * MIB), other;

	machine_boot(NULL);
	add_blocks(NODE, HOT_BLOCK, 1);
	allow_warnings();
	CHECK_EQ(map_it(&pgmap, -1), 0);
	CHECK_EQ(page_to_nid(pfn_to_page(DEV_PFN)), 0); /* the one node with memory */
	/* Begins in it, ends in it, is it; and around it. */
	other = device_map(MEMORY_DEVICE_GENERIC, DEV + 6 * MIB, 4 * MIB);
	CHECK_EQ(map_it(&other, NODE), -ENOMEM);
	other = device_map(MEMORY_DEVICE_GENERIC, DEV - 2 * MIB, 4 * MIB);
	CHECK_EQ(map_it(&other, NODE), -ENOMEM);
	CHECK_EQ(map_it(&pgmap, NODE), -ENOMEM);
	CHECK_EQ(warnings(), 3);
	other = device_map(MEMORY_DEVICE_GENERIC, DEV - 2 * MIB, 12 * MIB);
	CHECK_EQ(map_it(&other, NODE), -EEXIST);
	/* System RAM of boot and of a block that is offline, touched by the last piece only. */
	other = device_map(MEMORY_DEVICE_GENERIC, 0, 2 * MIB);
	CHECK_EQ(map_it(&other, NODE), -ENXIO);
	CHECK_EQ(warnings(), 4);
	other = device_map(MEMORY_DEVICE_GENERIC, HOT - 2 * MIB, 4 * MIB);
	CHECK_EQ(map_it(&other, NODE), -ENXIO);
	CHECK_EQ(warnings(), 4);
	other = device_map(MEMORY_DEVICE_GENERIC, 64UL << 30, 2 * MIB);
	CHECK_EQ(map_it(&other, NODE), -EINVAL);
	/* An altmap with a second range: the first one is taken away again. */
	struct {
		struct dev_pagemap pgmap;
		struct range second;
	} two = { .pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV + 1024 * MIB, 8 * MIB),
		  .second = { DEV + 2048 * MIB, DEV + 2050 * MIB - 1 } };

	two.pgmap.nr_range = 2;
	two.pgmap.flags = PGMAP_ALTMAP_VALID;
	two.pgmap.altmap = (struct vmem_altmap){ .base_pfn = (DEV + 1024 * MIB) >> PAGE_SHIFT,
						 .free = 64 };
	CHECK_EQ(map_it(&two.pgmap, NODE), -EINVAL);
	CHECK_EQ(warnings(), 5);
	CHECK(!pfn_valid((DEV + 1024 * MIB) >> PAGE_SHIFT));
	CHECK_EQ(two.pgmap.altmap.alloc, 0);
	memunmap_pages(&pgmap);
	machine_check();
}

/* Reserved address space is there without access: the kernel, reading for us, tells. */
static bool mapped(const char *at)
{
	bool readable;
	int pipes[2];

	CHECK_EQ(pipe(pipes), 0);
	readable = write(pipes[1], at, 1) == 1;
	close(pipes[0]);
	close(pipes[1]);
	return readable;
}

TEST(DEVMEM_6, "a private map has descriptors but no memory to address; others join ZONE_DEVICE with it")
{
	struct dev_pagemap private = device_map(MEMORY_DEVICE_PRIVATE, DEV, 2 * MIB);
	struct dev_pagemap generic = device_map(MEMORY_DEVICE_GENERIC, DEV + 2 * MIB, 2 * MIB);

	machine_boot(NULL);
	CHECK_EQ(map_it(&private, NODE), 0);
	CHECK_EQ(map_it(&generic, NODE), 0);
	CHECK(pfn_valid(DEV_PFN));
	CHECK(!mapped(__va(DEV)));
	CHECK(mapped(__va(DEV + 2 * MIB)));
	CHECK_EQ(page_zone(pfn_to_page(DEV_PFN)), zone_of(NODE, ZONE_DEVICE));
	CHECK_EQ(page_zone(pfn_to_page(DEV_PFN + 1023)), zone_of(NODE, ZONE_DEVICE));
	memunmap_pages(&generic);
	CHECK(!mapped(__va(DEV + 2 * MIB)));
	CHECK(!pfn_valid(DEV_PFN + 512));
	CHECK(pfn_valid(DEV_PFN));
	memunmap_pages(&private);
	CHECK(!pfn_valid(DEV_PFN));
	machine_check();
}

TEST(DEVMEM_8, "when one range fails those before it are taken away and nr_range is what it was")
{
	struct {
		struct dev_pagemap pgmap;
		struct range more[2];
	} three = { .pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB),
		    .more = { { DEV + 4 * MIB, DEV + 6 * MIB - 1 },
			      { DEV + 8 * MIB, DEV + 9 * MIB - 1 } } };

	machine_boot(NULL);
	three.pgmap.nr_range = 3;
	CHECK_EQ(map_it(&three.pgmap, NODE), -EINVAL);
	CHECK_EQ(three.pgmap.nr_range, 3);
	CHECK(!pfn_valid(DEV_PFN));
	CHECK(!pfn_valid(DEV_PFN + 1024));
	CHECK(!get_dev_pagemap(DEV_PFN, NULL));
	three.more[1].end = DEV + 10 * MIB - 1;
	CHECK_EQ(map_it(&three.pgmap, NODE), 0);
	CHECK_EQ(three.pgmap.nr_range, 3);
	CHECK(pfn_valid(DEV_PFN + 2048));
	memunmap_pages(&three.pgmap);
	CHECK(!pfn_valid(DEV_PFN + 2048));
	machine_check();
}

static long map_worker(void *arg)
{
	return map_it(arg, NODE);
}

static long unmap_worker(void *arg)
{
	memunmap_pages(arg);
	return 0;
}

TEST(DEVMEM_9, "each add and remove holds mem_hotplug_lock exclusively; nobody else hears of it")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	static struct listener listener;
	struct worker worker;
	char before[4096];

	machine_boot(NULL);
	add_blocks(NODE, HOT_BLOCK, 1);
	listen_as(&listener, "A", 0);
	snprintf(before, sizeof(before), "%s", read_file("/proc/iomem"));
	uevents();
	/* device_hotplug_lock is somebody else's all the time. */
	lock_device_hotplug();
	get_online_mems();
	worker_start(&worker, map_worker, &pgmap);
	AWAIT(percpu_is_write_locked(&mp_mem_hotplug_lock));
	worker_await_sleep(&worker);
	CHECK(!pfn_valid(DEV_PFN));
	put_online_mems();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK(pfn_valid(DEV_PFN));
	get_online_mems();
	worker_start(&worker, unmap_worker, &pgmap);
	AWAIT(percpu_is_write_locked(&mp_mem_hotplug_lock));
	worker_await_sleep(&worker);
	CHECK(pfn_valid(DEV_PFN));
	put_online_mems();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK(!pfn_valid(DEV_PFN));
	unlock_device_hotplug();

	CHECK_EQ(map_it(&pgmap, NODE), 0);
	CHECK_EQ(listener.calls, 0);
	CHECK_STR(uevents(), "");
	CHECK_STR(read_file("/proc/iomem"), before);
	CHECK_STR(read_block(128, "state"), "error -2");
	CHECK(!node_state(NODE, N_MEMORY));
	memunmap_pages(&pgmap);
	machine_check();
}

TEST(DEVMEM_10, "the zone spans device memory, has none of it present or managed, and does not shrink")
{
	struct dev_pagemap low = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct dev_pagemap high = device_map(MEMORY_DEVICE_GENERIC, DEV + 200 * MIB, 2 * MIB);
	struct dev_pagemap odd = device_map(MEMORY_DEVICE_GENERIC, DEV + MIB, 2 * MIB);
	struct zone *zone;
	unsigned long free;

	machine_boot(NULL);
	zone = zone_of(NODE, ZONE_DEVICE);
	free = nr_free_pages();
	CHECK_EQ(map_it(&low, NODE), 0);
	CHECK_EQ(map_it(&high, NODE), 0);
	CHECK_EQ(zone->zone_start_pfn, DEV_PFN);
	CHECK_EQ(zone->spanned_pages, 202 * 256);
	CHECK_EQ(NODE_DATA(NODE)->node_start_pfn, DEV_PFN);
	CHECK_EQ(NODE_DATA(NODE)->node_spanned_pages, 202 * 256);
	CHECK_EQ(zone->present_pages, 0);
	CHECK_EQ(zone_managed_pages(zone), 0);
	CHECK_EQ(nr_free_pages(), free);
	CHECK(!PageBuddy(pfn_to_page(DEV_PFN)));
	CHECK(!alloc_pages_node(NODE, KERNEL | __GFP_NOWARN, 0));
	memunmap_pages(&high);
	memunmap_pages(&low);
	CHECK_EQ(zone->spanned_pages, 202 * 256);
	CHECK_EQ(NODE_DATA(NODE)->node_spanned_pages, 202 * 256);
	CHECK_EQ(map_it(&odd, NODE), -EINVAL);
	machine_check();
}

TEST(DEVMEM_11, "memunmap_pages() waits until the last reference to the map is gone")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct dev_pagemap private = device_map(MEMORY_DEVICE_PRIVATE, DEV + 2 * MIB, 2 * MIB);
	struct page *page = pfn_to_page(0);
	struct worker worker;

	machine_boot(NULL);
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	CHECK_EQ(map_it(&private, NODE), 0);
	CHECK_EQ(get_dev_pagemap(DEV_PFN, NULL), &pgmap);
	worker_start(&worker, unmap_worker, &pgmap);
	AWAIT(percpu_ref_is_dying(&pgmap.ref));
	worker_await_sleep(&worker);
	/* It is there, for who has it, and nobody else gets it. */
	CHECK(pfn_valid(DEV_PFN));
	memset(__va(DEV), 1, 2 * MIB);
	CHECK(!get_dev_pagemap(DEV_PFN, NULL));
	put_dev_pagemap(&pgmap);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK(!pfn_valid(DEV_PFN));

	/* A private page that is out holds its map. */
	page = pfn_to_page(DEV_PFN + 512);
	zone_device_page_init(page);
	worker_start(&worker, unmap_worker, &private);
	worker_await_sleep(&worker);
	CHECK(pfn_valid(DEV_PFN + 512));
	unlock_page(page);
	put_page(page);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_EQ(frees, 1);
	machine_check();
}

static void release(struct device *dev)
{
	note("device", "released");
}

static struct bus_type bus = { .name = "devices", .dev_name = "gpu" };

TEST(DEVMEM_12, "a device's map is on its node and goes with it, or earlier")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct dev_pagemap second = device_map(MEMORY_DEVICE_GENERIC, DEV + 2 * MIB, 2 * MIB);
	struct device dev = { .bus = &bus, .release = release };

	machine_boot(NULL);
	device_initialize(&dev);
	CHECK_EQ(dev_to_node(&dev), NUMA_NO_NODE);
	set_dev_node(&dev, 2);
	CHECK_EQ(devm_memremap_pages(&dev, &pgmap), __va(DEV));
	CHECK_EQ(devm_memremap_pages(&dev, &second), __va(DEV + 2 * MIB));
	CHECK_EQ(page_to_nid(pfn_to_page(DEV_PFN)), 2);
	devm_memunmap_pages(&dev, &pgmap);
	CHECK(!pfn_valid(DEV_PFN));
	CHECK(pfn_valid(DEV_PFN + 512));
	put_device(&dev);
	CHECK(!pfn_valid(DEV_PFN + 512));
	CHECK_STR(heard(), "device:released");
	allow_warnings();
	device_initialize(&dev);
	devm_memunmap_pages(&dev, &pgmap);
	CHECK_EQ(warnings(), 1);
	machine_check();
}

TEST(DEVMEM_13, "a page frame leads to its map, the cached one first")
{
	struct dev_pagemap a = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct dev_pagemap b = device_map(MEMORY_DEVICE_GENERIC, DEV + 2 * MIB, 2 * MIB);
	struct dev_pagemap *cached;
	unsigned long users;

	machine_boot(NULL);
	CHECK_EQ(map_it(&a, NODE), 0);
	CHECK_EQ(map_it(&b, NODE), 0);
	users = a.ref.word;
	CHECK(!get_dev_pagemap(DEV_PFN - 1, NULL));
	cached = get_dev_pagemap(DEV_PFN, NULL);
	CHECK_EQ(cached, &a);
	CHECK_EQ(a.ref.word, users + 1);
	CHECK_EQ(get_dev_pagemap(DEV_PFN + 511, cached), &a);
	CHECK_EQ(a.ref.word, users + 1);
	CHECK_EQ(get_dev_pagemap(DEV_PFN + 512, cached), &b);
	CHECK_EQ(a.ref.word, users);
	CHECK(!get_dev_pagemap(DEV_PFN + 1024, &b));
	put_dev_pagemap(NULL);
	/* Everybody let go: neither of these waits. */
	memunmap_pages(&a);
	memunmap_pages(&b);
	CHECK(!get_dev_pagemap(DEV_PFN, NULL));
	machine_check();
}

TEST(DEVMEM_14, "an altmap lies at the range's beginning and counts what descriptors take")
{
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, DEV, 256 * MIB);
	const unsigned long nr = 256 * 256;

	machine_boot(NULL);
	pgmap.flags = PGMAP_ALTMAP_VALID;
	pgmap.altmap = (struct vmem_altmap){ .base_pfn = DEV_PFN + 1, .free = 4096 };
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	pgmap.altmap = (struct vmem_altmap){ .base_pfn = DEV_PFN, .reserve = nr, .free = 1 };
	CHECK_EQ(map_it(&pgmap, NODE), -EINVAL);
	/* 256 MiB are 65536 descriptors of 64 bytes: 1024 pages, two aligned runs of 512. */
	pgmap.altmap = (struct vmem_altmap){ .base_pfn = DEV_PFN, .reserve = 10, .free = 1525 };
	CHECK_EQ(map_it(&pgmap, NODE), -ENOMEM);
	CHECK_EQ(pgmap.altmap.alloc, 0);
	CHECK_EQ(pgmap.altmap.align, 0);
	pgmap.altmap.free = 1526;
	CHECK_EQ(map_it(&pgmap, NODE), 0);
	CHECK_EQ(pgmap.altmap.alloc, 1024);
	CHECK_EQ(pgmap.altmap.align, 502);
	CHECK_EQ(vmem_altmap_offset(&pgmap.altmap), 1536);
	CHECK_EQ(vmem_altmap_offset(NULL), 0);
	memunmap_pages(&pgmap);
	CHECK_EQ(pgmap.altmap.alloc, 0);
	machine_check();
}

TEST(DEVMEM_15, "a device's page is no online page, not even in a section of ordinary memory")
{
	struct dev_pagemap apart = device_map(MEMORY_DEVICE_GENERIC, DEV, 2 * MIB);
	struct dev_pagemap mixed = device_map(MEMORY_DEVICE_GENERIC, 338 * MIB, 4 * MIB);
	const unsigned long pfn = 338 * 256;
	char *at;
	int i;

	/* RAM ends 80 MiB into memory2. */
	machine_boot_text("max_phys = 64G\novercommit = yes\nnode 0\nnode 1\ncpu 0 node 0\n"
			  "ram 0 336M node 0\n");
	CHECK_EQ(map_it(&apart, NODE), 0);
	CHECK(!pfn_to_online_page(DEV_PFN));
	memunmap_pages(&apart);
	CHECK(pfn_valid(pfn));
	/* Twice: a hole is left as it was. */
	for (i = 0; i < 2; i++) {
		unsigned long free = nr_free_pages();

		CHECK_EQ(map_it(&mixed, NODE), 0);
		CHECK(!pfn_to_online_page(pfn));
		CHECK(!pfn_to_online_page(pfn + 1023));
		CHECK_EQ(pfn_to_online_page(335 * 256), pfn_to_page(335 * 256));
		CHECK_EQ(page_zone(pfn_to_page(335 * 256)), zone_of(0, ZONE_DMA32));
		CHECK_EQ(page_zone(pfn_to_page(pfn)), zone_of(NODE, ZONE_DEVICE));
		CHECK_EQ(page_to_nid(pfn_to_page(pfn)), NODE);
		at = __va(338 * MIB);
		CHECK_EQ(at[0], 0);
		memset(at, 7, 4 * MIB);
		CHECK_EQ(nr_free_pages(), free);
		machine_check();
		memunmap_pages(&mixed);
		CHECK(!pfn_to_online_page(pfn));
		CHECK(PageReserved(pfn_to_page(pfn)));
		CHECK(mapped(at));
		CHECK_EQ(at[0], 0);
		machine_check();
	}
	/* Its own RAM is still to be had, all of it, and none of the hole. */
	struct page **pages = calloc(100000, sizeof(*pages));
	unsigned long count = take_all(0, KERNEL, pages, 100000), j;

	CHECK_GT(count, 80000);
	for (j = 0; j < count; j++)
		CHECK(page_to_pfn(pages[j]) < 336 * 256);
	free_all(pages, count);
	free(pages);
	machine_check();
}
