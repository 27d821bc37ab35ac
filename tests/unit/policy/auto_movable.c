/* SPDX-License-Identifier: MIT */
/*
 * The auto-movable policy by its numbers. The standard machine has 98304 early kernel pages (384 MiB) on
 * node 0; a block has 32768.
 */
#include "../tree.h"

#define EARLY 98304UL

static void set_ratio(unsigned int ratio)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", ratio);
	CHECK_EQ(mp_write_string("/sys/module/memory_hotplug/parameters/auto_movable_ratio", text), 0);
}

static void numa_aware(const char *yes)
{
	CHECK_EQ(mp_write_string("/sys/module/memory_hotplug/parameters/auto_movable_numa_aware", yes),
		 0);
}

static void boot_auto(const char *more)
{
	char text[512];

	snprintf(text, sizeof(text), "memory_hotplug.online_policy = auto-movable\n%s",
		 more ? more : "memory_hotplug.auto_movable_numa_aware = N\n");
	machine_boot(text);
}

static bool movable(int nid, struct memory_group *group, long block)
{
	struct zone *zone = zone_for_pfn_range(MMOP_ONLINE, nid, group, block_pfn(block),
					       BLOCK_PAGES);

	CHECK(zone);
	return zone_idx(zone) == ZONE_MOVABLE;
}

/* The smallest ratio at which the block would go to Movable, or 0 when none up to 10000. */
static unsigned int least_ratio(int nid, struct memory_group *group, long block)
{
	unsigned int low = 0, high = 10000;

	set_ratio(high);
	if (!movable(nid, group, block))
		return 0;
	while (high - low > 1) {
		unsigned int middle = (low + high) / 2;

		set_ratio(middle);
		if (movable(nid, group, block))
			high = middle;
		else
			low = middle;
	}
	return high;
}

/* The smallest ratio that allows `wanted` pages beside `there` Movable ones. */
static unsigned int ratio_for(unsigned long there, unsigned long wanted, unsigned long kernel)
{
	return (unsigned int)((100 * (there + wanted) + kernel - 1) / kernel);
}

static void add_to(int id, long first, int count)
{
	CHECK_EQ(add_memory(id, (u64)first * BLOCK_BYTES, (u64)count * BLOCK_BYTES, MHP_NID_IS_MGID),
		 0);
}

TEST(POLICY_9, "ratio 0: never Movable")
{
	boot_auto(NULL);
	add_blocks(1, 32, 1);
	CHECK(movable(1, NULL, 32));
	set_ratio(0);
	CHECK(!movable(1, NULL, 32));
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(read_block(32, "valid_zones"), "Normal");
	set_ratio(~0U);
	CHECK(movable(1, NULL, 33));
}

TEST(POLICY_10, "pages that must fit: a block; what a static group may still get; what is left of a dynamic unit")
{
	struct memory_group *group;
	int id;

	boot_auto(NULL);
	add_blocks(1, 60, 1);
	CHECK_EQ(least_ratio(1, NULL, 60), ratio_for(0, BLOCK_PAGES, EARLY));

	/* Static: the whole of max_pages, less what is Movable already. */
	id = memory_group_register_static(1, 4 * BLOCK_PAGES + 7);
	group = memory_group_find_by_id(id);
	add_to(id, 32, 4);
	CHECK_EQ(least_ratio(1, group, 32), ratio_for(0, 4 * BLOCK_PAGES + 7, EARLY));
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(least_ratio(1, group, 33), ratio_for(BLOCK_PAGES, 3 * BLOCK_PAGES + 7, EARLY));
	/* A kernel page in it decides. */
	CHECK_EQ(set_state(34, "online_kernel"), 0);
	CHECK_EQ(least_ratio(1, group, 33), 0U);
	CHECK_EQ(set_state(34, "offline"), 0);
	CHECK_NE(least_ratio(1, group, 33), 0U);
	CHECK_EQ(set_state(32, "offline"), 0);

	/* Dynamic, unit of one block. */
	id = memory_group_register_dynamic(1, BLOCK_PAGES);
	group = memory_group_find_by_id(id);
	add_to(id, 40, 1);
	CHECK_EQ(least_ratio(1, group, 40), ratio_for(0, BLOCK_PAGES, EARLY));

	/* Dynamic, unit of four blocks: the aligned window. */
	id = memory_group_register_dynamic(1, 4 * BLOCK_PAGES);
	group = memory_group_find_by_id(id);
	add_to(id, 44, 8);
	CHECK_EQ(least_ratio(1, group, 45), ratio_for(0, 4 * BLOCK_PAGES, EARLY));
	CHECK_EQ(set_state(47, "online_movable"), 0);
	/* The group's own Movable pages are not counted against its kernel share, only in MV. */
	CHECK_EQ(least_ratio(1, group, 45), ratio_for(BLOCK_PAGES, 3 * BLOCK_PAGES, EARLY));
	CHECK_EQ(least_ratio(1, group, 48), ratio_for(BLOCK_PAGES, 4 * BLOCK_PAGES, EARLY));
	CHECK_EQ(set_state(46, "online_kernel"), 0);
	CHECK_EQ(least_ratio(1, group, 45), 0U);
	CHECK_NE(least_ratio(1, group, 48), 0U);
}

TEST(POLICY_11, "the sums: early pages of kernel zones, all pages of Movable zones, of one node or all")
{
	machine_boot("memory_hotplug.online_policy = auto-movable\n"
		     "memory_hotplug.auto_movable_numa_aware = N\n"
		     "ram 5G 256M node 2\n"
		     "ram 6G 128M node 2 movable\n");
	/* 98304 + 65536 early kernel pages, 32768 Movable ones at boot. */
	add_blocks(1, 32, 2);
	CHECK_EQ(least_ratio(1, NULL, 32), ratio_for(BLOCK_PAGES, BLOCK_PAGES, EARLY + 65536));
	/* Kernel memory that was added later is not early. */
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	CHECK_EQ(least_ratio(1, NULL, 32), ratio_for(BLOCK_PAGES, BLOCK_PAGES, EARLY + 65536));
	/* What of boot memory is offline does not count. */
	CHECK_EQ(set_state(2, "offline"), 0);
	CHECK_EQ(least_ratio(1, NULL, 32), ratio_for(BLOCK_PAGES, BLOCK_PAGES, 65536 + 65536));
	/* By node. */
	numa_aware("Y");
	CHECK_EQ(least_ratio(1, NULL, 32), 0U);
	add_blocks(2, 36, 1);
	CHECK_EQ(least_ratio(2, NULL, 36), ratio_for(BLOCK_PAGES, BLOCK_PAGES, 65536));
	add_blocks(0, 37, 1);
	CHECK_EQ(least_ratio(0, NULL, 37), ratio_for(0, BLOCK_PAGES, 65536));
}

TEST(POLICY_12, "other dynamic groups: their Movable pages need kernel pages, less those that they have")
{
	struct memory_group *mine;
	int a, b, id, far;

	boot_auto(NULL);
	a = memory_group_register_dynamic(1, BLOCK_PAGES);
	b = memory_group_register_dynamic(1, BLOCK_PAGES);
	id = memory_group_register_dynamic(1, BLOCK_PAGES);
	far = memory_group_register_dynamic(2, BLOCK_PAGES);
	mine = memory_group_find_by_id(id);
	add_to(a, 32, 3);
	add_to(b, 36, 1);
	add_to(id, 40, 2);
	add_to(far, 44, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	/*
	 * At ratio 100 group a's 65536 Movable pages need as many kernel pages: 98304 - 65536 are left,
	 * which is just a block.
	 */
	set_ratio(100);
	CHECK(movable(1, mine, 40));
	CHECK(movable(1, NULL, 50));
	set_ratio(99);
	CHECK(!movable(1, mine, 40));
	/* With kernel pages of its own it needs fewer. */
	CHECK_EQ(set_state(34, "online_kernel"), 0);
	CHECK(movable(1, mine, 40));
	set_ratio(60); /* 109226 needed, 32768 there: 76458; 21846 left, 13107 allowed */
	CHECK(!movable(1, mine, 40));
	/* More than it needs helps nobody else: b has kernel pages only. */
	CHECK_EQ(set_state(34, "offline"), 0);
	set_ratio(99);
	CHECK(!movable(1, mine, 40));
	CHECK_EQ(set_state(36, "online_kernel"), 0);
	CHECK(!movable(1, mine, 40));
	/* Groups of other nodes count in the sum over all. */
	set_ratio(100);
	CHECK(movable(1, mine, 40));
	CHECK_EQ(set_state(44, "online_movable"), 0);
	CHECK(!movable(1, mine, 40));
}

TEST(POLICY_13, "no early kernel page left: no; the current dynamic group's own kernel pages count; truncated")
{
	struct memory_group *mine;
	int other, id;

	boot_auto(NULL);
	other = memory_group_register_dynamic(1, BLOCK_PAGES);
	id = memory_group_register_dynamic(1, BLOCK_PAGES);
	mine = memory_group_find_by_id(id);
	add_to(other, 32, 3);
	add_to(id, 40, 4);
	/* Truncation: R * 98304 / 100 is 32440.32 at 33 and 33423.36 at 34. */
	CHECK_EQ(least_ratio(1, NULL, 50), 34U);
	/* KE == Q: 98304 Movable pages of another group at ratio 100. */
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_EQ(set_state(34, "online_movable"), 0);
	CHECK_EQ(set_state(42, "online_kernel"), 0);
	CHECK_EQ(set_state(43, "online_kernel"), 0);
	set_ratio(100);
	CHECK(!movable(1, mine, 40)); /* though the group has kernel pages enough */
	/* One page more would be left at 101: then the group's own 65536 count. */
	set_ratio(101);
	CHECK(movable(1, mine, 40));
	CHECK(!movable(1, NULL, 50));
	/* A static group's do not. */
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK_EQ(set_state(34, "offline"), 0);
	CHECK_EQ(least_ratio(1, mine, 40), ratio_for(0, BLOCK_PAGES, EARLY + 2 * BLOCK_PAGES));
}

TEST(POLICY_14, "numa_aware: the node's own numbers must allow it, too")
{
	boot_auto("ram 5G 128M node 1\n");
	add_blocks(1, 32, 1);
	add_blocks(2, 33, 1);
	/* All: 131072 early pages. Node 1: 32768. */
	CHECK_EQ(least_ratio(1, NULL, 32), 100U);
	CHECK_EQ(least_ratio(2, NULL, 33), 0U);
	numa_aware("N");
	CHECK_EQ(least_ratio(1, NULL, 32), 25U);
	CHECK_EQ(least_ratio(2, NULL, 33), 25U);
	/* The node alone is not enough either. */
	numa_aware("Y");
	add_blocks(0, 34, 1);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_EQ(least_ratio(0, NULL, 34), 50U); /* (32768 + 32768) of 131072; node 0 alone: 34 */
}

TEST(POLICY_15, "no boot memory, no Movable; added kernel memory does not help, added Movable counts")
{
	boot_auto("");
	add_blocks(1, 32, 4);
	CHECK_EQ(least_ratio(1, NULL, 32), 0U);
	numa_aware("N");
	CHECK_EQ(least_ratio(1, NULL, 32), 34U);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(least_ratio(1, NULL, 33), 34U);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_EQ(least_ratio(1, NULL, 34), 67U);
	set_ratio(66);
	CHECK_EQ(set_state(34, "online"), 0);
	CHECK_STR(read_block(34, "valid_zones"), "Normal");
	set_ratio(67);
	CHECK_EQ(set_state(35, "online"), 0);
	CHECK_STR(read_block(35, "valid_zones"), "Movable");
}

TEST(POLICY_16, "movable_node has no say")
{
	machine_boot("memory_hotplug.online_policy = auto-movable\nmovable_node = Y\n"
		     "memory_hotplug.auto_movable_numa_aware = N\n");
	add_blocks(1, 32, 1);
	set_ratio(33);
	CHECK(!movable(1, NULL, 32));
	set_ratio(34);
	CHECK(movable(1, NULL, 32));
}

TEST(POLICY_17, "a dynamic unit that falls back looks for the kernel zone where its scan stopped")
{
	struct memory_group *group;
	struct zone *zone;
	int id;

	/* DMA32 of node 0 spans blocks 0 to 5, with a hole at 3 and 4. */
	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "memory_hotplug.online_policy = auto-movable\n"
			  "memory_hotplug.auto_movable_ratio = 1\n"
			  "ram 0 384M node 0\n"
			  "ram 640M 128M node 0\n");
	id = memory_group_register_dynamic(0, 4 * BLOCK_PAGES);
	group = memory_group_find_by_id(id);
	/* The window of block 4 is 4 to 7; the scan stops at block 5, which is not Movable. */
	zone = zone_for_pfn_range(MMOP_ONLINE, 0, group, block_pfn(4), BLOCK_PAGES);
	CHECK_STR(zone->name, "DMA32");
	/* The window of block 3 is 0 to 3: it stops at block 0, of DMA and DMA32. */
	zone = zone_for_pfn_range(MMOP_ONLINE, 0, group, block_pfn(3), BLOCK_PAGES);
	CHECK_STR(zone->name, "DMA");
	CHECK_EQ(mp_shutdown(), 0);
	/* Nothing online in the window: the pages that would have to fit, from its end. DMA32 begins at 10. */
	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "memory_hotplug.online_policy = auto-movable\n"
			  "memory_hotplug.auto_movable_ratio = 1\n"
			  "ram 1280M 128M node 0\n");
	id = memory_group_register_dynamic(0, 4 * BLOCK_PAGES);
	group = memory_group_find_by_id(id);
	zone = zone_for_pfn_range(MMOP_ONLINE, 0, group, block_pfn(5), BLOCK_PAGES);
	CHECK_STR(zone->name, "DMA32");
	zone = zone_for_pfn_range(MMOP_ONLINE, 0, group, block_pfn(3), BLOCK_PAGES);
	CHECK_STR(zone->name, "Normal");
}

TEST(POLICY_18, "a change of policy or ratio moves nothing")
{
	boot_auto(NULL);
	add_blocks(1, 32, 2);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(read_block(32, "valid_zones"), "Movable");
	set_ratio(0);
	CHECK_STR(read_block(32, "valid_zones"), "Movable");
	CHECK_EQ(mp_write_string("/sys/module/memory_hotplug/parameters/online_policy",
				 "contig-zones"), 0);
	CHECK_STR(read_block(32, "valid_zones"), "Movable");
	CHECK_EQ(zone_of(1, ZONE_MOVABLE)->present_pages, BLOCK_PAGES);
}
