/* SPDX-License-Identifier: MIT */
/* The tree of physical ranges, its System RAM entries, and the firmware map. */
#include "../tree.h"

#define RAM (IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY)

static struct resource *request(u64 start, u64 size, const char *name)
{
	return request_mem_region(start, size, name);
}

TEST(RES_1, "system memory is in the tree, busy and marked, driver-managed memory with its own mark")
{
	struct resource *res;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(add_memory_driver_managed(1, HOT + BLOCK_BYTES, BLOCK_BYTES, "System RAM (kmem)",
					   MHP_NONE), 0);
	res = resource_at(&iomem_resource, HOT);
	CHECK(res);
	CHECK_EQ(res->flags & (RAM | IORESOURCE_SYSRAM_DRIVER_MANAGED), RAM);
	CHECK_EQ(res->end, HOT + BLOCK_BYTES - 1);
	res = resource_at(&iomem_resource, HOT + BLOCK_BYTES);
	CHECK(res);
	CHECK_EQ(res->flags & (RAM | IORESOURCE_SYSRAM_DRIVER_MANAGED),
		 RAM | IORESOURCE_SYSRAM_DRIVER_MANAGED);
	res = resource_at(&iomem_resource, 0);
	CHECK(res);
	CHECK_EQ(res->flags & RAM, RAM);
	CHECK(strstr(raw("/proc/iomem"), "100000000-107ffffff : System RAM\n"
					 "108000000-10fffffff : System RAM (kmem)\n"));
}

TEST(RES_2, "a request descends through entries that are not busy; an overlap with a busy one, or an edge, fails")
{
	struct resource *outer, *inner;

	machine_boot(NULL);
	outer = request(HOT, 4 * BLOCK_BYTES, "outer");
	CHECK(outer);
	CHECK_EQ(request(HOT, BLOCK_BYTES, "inside a busy one"), NULL);
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_NONE), -EEXIST);
	outer->flags &= ~IORESOURCE_BUSY;
	inner = request(HOT + BLOCK_BYTES, BLOCK_BYTES, "inner");
	CHECK(inner);
	CHECK_EQ(inner->parent, outer);
	CHECK_EQ(request(HOT + 3 * BLOCK_BYTES, 2 * BLOCK_BYTES, "over the end"), NULL);
	CHECK_EQ(request(HOT - BLOCK_BYTES, 2 * BLOCK_BYTES, "over the start"), NULL);
	CHECK_EQ(request(HOT - BLOCK_BYTES, 6 * BLOCK_BYTES, "around"), NULL);
	CHECK_EQ(request(HOT, 2 * BLOCK_BYTES, "over the inner one"), NULL);
	CHECK_EQ(request(HOT + BLOCK_BYTES, PAGE_SIZE, "in the inner one"), NULL);
	CHECK(request(HOT, BLOCK_BYTES, "beside the inner one"));
	CHECK(request(HOT + 4 * BLOCK_BYTES, BLOCK_BYTES, "behind"));
	CHECK_EQ(request(HOT + 5 * BLOCK_BYTES, 0, "empty"), NULL);
	CHECK_STR(strstr(raw("/proc/iomem"), "100000000"),
		  "100000000-11fffffff : outer\n"
		  "  100000000-107ffffff : beside the inner one\n"
		  "  108000000-10fffffff : inner\n"
		  "120000000-127ffffff : behind\n");
}

/* What is left of one entry of 4 blocks after a release. */
static const char *after_release(u64 start, u64 size)
{
	static int i;

	if (i++)
		release_mem_region_adjustable(HOT, 4 * BLOCK_BYTES);
	CHECK(__request_region(&iomem_resource, HOT, 4 * BLOCK_BYTES, "RAM", RAM));
	release_mem_region_adjustable(start, size);
	return hot_resources();
}

TEST(RES_3, "release: the whole entry goes, shrinks at its start or end, or is split; linux-6.1: else nothing")
{
	machine_boot(NULL);
	CHECK_STR(after_release(HOT, 4 * BLOCK_BYTES), "");
	CHECK_STR(after_release(HOT, BLOCK_BYTES), "108000000-11fffffff RAM");
	CHECK_STR(after_release(HOT + 3 * BLOCK_BYTES, BLOCK_BYTES), "100000000-117ffffff RAM");
	CHECK_STR(after_release(HOT + BLOCK_BYTES, 2 * BLOCK_BYTES),
		  "100000000-107ffffff RAM, 118000000-11fffffff RAM");
	CHECK_EQ(mp_shutdown(), 0);

	machine_boot(LINUX);
	CHECK(__request_region(&iomem_resource, HOT, BLOCK_BYTES, "RAM", RAM));
	release_mem_region_adjustable(HOT, 2 * BLOCK_BYTES);
	release_mem_region_adjustable(HOT - BLOCK_BYTES, 2 * BLOCK_BYTES);
	release_mem_region_adjustable(HOT + BLOCK_BYTES, BLOCK_BYTES);
	CHECK_STR(hot_resources(), "100000000-107ffffff RAM");
}

TEST(RES_3, "release finds the entry below parents that are not busy")
{
	struct resource *outer;

	machine_boot(NULL);
	outer = request(HOT, 4 * BLOCK_BYTES, "outer");
	outer->flags &= ~IORESOURCE_BUSY;
	CHECK(__request_region(&iomem_resource, HOT + BLOCK_BYTES, 3 * BLOCK_BYTES, "RAM", RAM));
	release_mem_region_adjustable(HOT + 2 * BLOCK_BYTES, BLOCK_BYTES);
	CHECK_STR(strstr(raw("/proc/iomem"), "100000000"),
		  "100000000-11fffffff : outer\n"
		  "  108000000-10fffffff : RAM\n"
		  "  118000000-11fffffff : RAM\n");
}

TEST(RES_4, "linux-6.1: two entries removed by one call both stay, and adding again fails")
{
	machine_boot(LINUX);
	add_blocks(1, HOT_BLOCK, 1);
	add_blocks(1, HOT_BLOCK + 1, 1);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 2), 0);
	CHECK(!block_exists(HOT_BLOCK));
	CHECK_STR(hot_resources(),
		  "100000000-107ffffff System RAM, 108000000-10fffffff System RAM");
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_NONE), -EEXIST);
}

TEST(RES_4, "document: two entries removed by one call both go, and what lies beside the range stays")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 2);
	add_blocks(1, HOT_BLOCK + 2, 2);
	CHECK_EQ(remove_blocks(HOT_BLOCK + 1, 2), 0);
	CHECK_STR(hot_resources(),
		  "100000000-107ffffff System RAM, 118000000-11fffffff System RAM");
	add_blocks(1, HOT_BLOCK + 1, 2);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 4), 0);
	CHECK_STR(hot_resources(), "");
}

TEST(RES_5, "merging joins neighbours of equal flags and name pointer that touch and have no children")
{
	static char name[] = "System RAM (a)", same[] = "System RAM (a)";
	struct resource *child;

	/* Boot RAM ends where memory32 begins. */
	machine_boot("ram 3968M 128M node 0\n");
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_MERGE_RESOURCE), 0);
	CHECK_STR(hot_resources(), "100000000-107ffffff System RAM");
	CHECK(resource_at(&iomem_resource, HOT)->flags & IORESOURCE_SYSRAM_MERGEABLE);
	/* Not marked. */
	add_blocks(1, HOT_BLOCK + 1, 1);
	CHECK_EQ(add_memory(1, HOT + 2 * BLOCK_BYTES, BLOCK_BYTES, MHP_MERGE_RESOURCE), 0);
	/* A gap. */
	CHECK_EQ(add_memory(1, HOT + 4 * BLOCK_BYTES, BLOCK_BYTES, MHP_MERGE_RESOURCE), 0);
	CHECK_STR(hot_resources(), "100000000-107ffffff System RAM, 108000000-10fffffff System RAM, "
				   "110000000-117ffffff System RAM, 120000000-127ffffff System RAM");
	/* Other flags; then the same, but another pointer. */
	CHECK_EQ(add_memory_driver_managed(1, HOT + 5 * BLOCK_BYTES, BLOCK_BYTES, name,
					   MHP_MERGE_RESOURCE), 0);
	CHECK_EQ(add_memory_driver_managed(1, HOT + 6 * BLOCK_BYTES, BLOCK_BYTES, same,
					   MHP_MERGE_RESOURCE), 0);
	CHECK(resource_at(&iomem_resource, HOT + 5 * BLOCK_BYTES));
	CHECK(resource_at(&iomem_resource, HOT + 6 * BLOCK_BYTES));
	CHECK_EQ(add_memory_driver_managed(1, HOT + 7 * BLOCK_BYTES, BLOCK_BYTES, same,
					   MHP_MERGE_RESOURCE), 0);
	CHECK_EQ(resource_at(&iomem_resource, HOT + 7 * BLOCK_BYTES), NULL);
	/* A child. */
	child = resource_at(&iomem_resource, HOT + 6 * BLOCK_BYTES);
	CHECK(__request_region(child, HOT + 6 * BLOCK_BYTES, PAGE_SIZE, "child", IORESOURCE_BUSY));
	CHECK_EQ(add_memory_driver_managed(1, HOT + 8 * BLOCK_BYTES, BLOCK_BYTES, same,
					   MHP_MERGE_RESOURCE), 0);
	CHECK(resource_at(&iomem_resource, HOT + 8 * BLOCK_BYTES));
}

TEST(RES_6, "a merged entry is split when a part of it is removed")
{
	int i;

	machine_boot(NULL);
	for (i = 0; i < 3; i++)
		CHECK_EQ(add_memory(1, HOT + (u64)i * BLOCK_BYTES, BLOCK_BYTES, MHP_MERGE_RESOURCE), 0);
	CHECK_STR(hot_resources(), "100000000-117ffffff System RAM");
	CHECK_EQ(remove_blocks(HOT_BLOCK + 1, 1), 0);
	CHECK_STR(hot_resources(),
		  "100000000-107ffffff System RAM, 110000000-117ffffff System RAM");
	CHECK_EQ(add_memory(1, HOT + BLOCK_BYTES, BLOCK_BYTES, MHP_MERGE_RESOURCE), 0);
	CHECK_STR(hot_resources(), "100000000-117ffffff System RAM");
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK + 2, 1), 0);
	CHECK_STR(hot_resources(), "108000000-10fffffff System RAM");
}

TEST(RES_7, "a driver requests its device's range, clears BUSY, and adds memory inside")
{
	struct resource *device;

	machine_boot(NULL);
	device = request(HOT, 4 * BLOCK_BYTES, "dax0.0");
	CHECK(device);
	device->flags &= ~IORESOURCE_BUSY;
	CHECK_EQ(add_memory_driver_managed(1, HOT + BLOCK_BYTES, 2 * BLOCK_BYTES, "System RAM (kmem)",
					   MHP_NONE), 0);
	CHECK_STR(strstr(raw("/proc/iomem"), "100000000"),
		  "100000000-11fffffff : dax0.0\n"
		  "  108000000-117ffffff : System RAM (kmem)\n");
	CHECK_EQ(set_state(HOT_BLOCK + 1, "online_movable"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "offline"), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK + 1, 2), 0);
	CHECK_STR(hot_resources(), "100000000-11fffffff dax0.0");
	CHECK_EQ(device->child, NULL);
	device->flags |= IORESOURCE_BUSY;
	release_mem_region(HOT, 4 * BLOCK_BYTES);
	CHECK_STR(hot_resources(), "");
}

TEST(RES_8, "a block that System RAM does not cover completely has holes and cannot go offline")
{
	static struct listener listener;
	struct resource *res;

	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "node 1\n"
			  "ram 0 380M node 0\n"); /* block 2 lacks 4 MiB */
	listen_as(&listener, "A", 0);
	CHECK_STR(read_block(2, "valid_zones"), "DMA32");
	CHECK_EQ(set_state(2, "offline"), -EINVAL);
	CHECK_STR(heard(), "");
	CHECK_EQ(set_state(1, "offline"), 0);
	/* A hot block whose entry loses a page, or is not busy. */
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	heard();
	release_mem_region_adjustable(HOT + BLOCK_BYTES / 2, PAGE_SIZE);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EINVAL);
	CHECK(__request_region(&iomem_resource, HOT + BLOCK_BYTES / 2, PAGE_SIZE, "System RAM", RAM));
	res = resource_at(&iomem_resource, HOT);
	res->flags &= ~IORESOURCE_BUSY;
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EINVAL);
	res->flags |= IORESOURCE_BUSY;
	CHECK_STR(heard(), "");
	/* Covered by several entries is covered. */
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
}

TEST(RES_9, "onlining does not look at the tree")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	release_mem_region_adjustable(HOT, BLOCK_BYTES);
	CHECK_STR(hot_resources(), "");
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EINVAL);
}

TEST(RES_10, "firmware map: an entry per added range, inclusive end, numbers never used again, exact removal")
{
	machine_boot(NULL);
	CHECK_STR(listing(MEMMAP), "0/");
	CHECK_STR(listing(MEMMAP "/0"), "end 0444 4096\nstart 0444 4096\ntype 0444 4096");
	CHECK_STR(raw(MEMMAP "/0/start"), "0x0\n");
	CHECK_STR(raw(MEMMAP "/0/end"), "0x17ffffff\n");
	CHECK_STR(raw(MEMMAP "/0/type"), "System RAM\n");
	add_blocks(1, HOT_BLOCK, 2);
	add_blocks(1, HOT_BLOCK + 2, 1);
	CHECK_STR(listing(MEMMAP), "0/\n1/\n2/");
	CHECK_STR(raw(MEMMAP "/1/end"), "0x10fffffff\n");
	CHECK_EQ(remove_blocks(HOT_BLOCK + 2, 1), 0);
	CHECK_STR(listing(MEMMAP), "0/\n1/");
	add_blocks(1, HOT_BLOCK + 2, 1);
	CHECK_STR(listing(MEMMAP), "0/\n1/\n3/");
	/* Half of an entry's range leaves the entry, which serves again. */
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK_STR(listing(MEMMAP), "0/\n1/\n3/");
	CHECK_EQ(remove_blocks(HOT_BLOCK + 1, 1), 0);
	CHECK_STR(listing(MEMMAP), "0/\n1/\n3/");
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_STR(listing(MEMMAP), "0/\n1/\n3/");
	CHECK_EQ(remove_blocks(HOT_BLOCK, 2), 0);
	CHECK_STR(listing(MEMMAP), "0/\n3/");
}
