/* SPDX-License-Identifier: MIT */
/* Which zone a block goes to under the contig-zones policy, and what overrides it. */
#include "../tree.h"

/* The zone that would be chosen now for one block. */
static const char *zone_for(int type, int nid, long block)
{
	struct zone *zone = zone_for_pfn_range(type, nid, NULL, block_pfn(block), BLOCK_PAGES);

	return zone ? zone->name : "NULL";
}

static void set_parameter(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/memory_hotplug/parameters/%s", name);
	CHECK_EQ(mp_write_string(path, value), 0);
}

TEST(POLICY_1, "kernel: the kernel zone; movable: Movable; plain: what the policy says")
{
	machine_boot(NULL);
	add_blocks(1, 32, 2);
	CHECK_STR(zone_for(MMOP_ONLINE_KERNEL, 1, 32), "Normal");
	CHECK_STR(zone_for(MMOP_ONLINE_MOVABLE, 1, 32), "Movable");
	CHECK_EQ(zone_for_pfn_range(MMOP_ONLINE_MOVABLE, 1, NULL, HOT_PFN, BLOCK_PAGES),
		 zone_of(1, ZONE_MOVABLE));
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 32), "Normal");
	set_parameter("auto_movable_numa_aware", "N");
	set_parameter("online_policy", "auto-movable");
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 32), "Movable");
	CHECK_STR(zone_for(MMOP_ONLINE_KERNEL, 1, 32), "Normal");
	set_parameter("online_policy", "contig-zones");
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 32), "Normal");
	CHECK_STR(zone_for(MMOP_ONLINE, -1, 32), "NULL");
	CHECK_STR(zone_for(MMOP_ONLINE, 9, 32), "NULL");
}

TEST(POLICY_2, "the kernel zone: the lowest below Normal whose span meets the range, else Normal")
{
	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "node 1\n"
			  "ram 0 8M node 0\n"
			  "ram 512M 128M node 0\n");
	CHECK_STR(zone_for(MMOP_ONLINE_KERNEL, 0, 0), "DMA");
	CHECK_STR(zone_for(MMOP_ONLINE_KERNEL, 0, 4), "DMA32");
	CHECK_STR(zone_for(MMOP_ONLINE_KERNEL, 0, 3), "DMA32"); /* at boot it spans from 16 MiB on */
	CHECK_STR(zone_for(MMOP_ONLINE_KERNEL, 0, 5), "Normal"); /* not by address, by span */
	CHECK_STR(zone_for(MMOP_ONLINE_KERNEL, 1, 4), "Normal"); /* another node's span */
	/* A span with a hole: inside it, that zone. */
	add_blocks(0, 2, 2);
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "ram 0 256M node 0\n"
			  "ram 512M 128M node 0\n");
	add_blocks(0, 3, 1);
	CHECK_STR(zone_for(MMOP_ONLINE_KERNEL, 0, 3), "DMA32");
	CHECK_EQ(set_state(3, "online"), 0);
	CHECK_STR(read_block(3, "valid_zones"), "DMA32");
}

TEST(POLICY_3, "an explicit zone is always obeyed, against neighbours, policy and ratio")
{
	machine_boot("memory_hotplug.online_policy = auto-movable\nmemory_hotplug.auto_movable_ratio = 1\n");
	add_blocks(1, 32, 4);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(set_state(34, "online_kernel"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Movable");
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK_EQ(set_state(35, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Normal");
	CHECK_STR(read_block(35, "valid_zones"), "Movable");
}

TEST(POLICY_4, "what decides is whether the kernel zone's and Movable's spans meet the range, holes included")
{
	machine_boot(NULL);
	add_blocks(1, 32, 8);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(36, "online_movable"), 0);
	/* Nothing of Movable is present at 34. */
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 34), "Movable");
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 37), "Normal");
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	CHECK_EQ(set_state(35, "online_kernel"), 0);
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 34), "Normal"); /* both meet it */
}

TEST(POLICY_5, "exactly one of the two spans meets the range: that zone")
{
	machine_boot(NULL);
	add_blocks(1, 32, 8);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(set_state(34, "online_kernel"), 0);
	CHECK_EQ(set_state(36, "online_movable"), 0);
	CHECK_EQ(set_state(38, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Normal");
	CHECK_EQ(set_state(37, "online"), 0);
	CHECK_STR(read_block(37, "valid_zones"), "Movable");
	CHECK_EQ(mp_shutdown(), 0);
	/* Also with movable_node. */
	machine_boot("movable_node = Y\n");
	add_blocks(1, 32, 3);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(set_state(34, "online_kernel"), 0);
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 33), "Normal");
}

TEST(POLICY_6, "both spans or none: the kernel zone, but Movable after a boot with movable_node")
{
	int movable_node;

	for (movable_node = 0; movable_node < 2; movable_node++) {
		const char *expected = movable_node ? "Movable" : "Normal";

		machine_boot(movable_node ? "movable_node = Y\n" : NULL);
		add_blocks(1, 32, 6);
		CHECK_STR(zone_for(MMOP_ONLINE, 1, 34), expected); /* none */
		CHECK_EQ(set_state(32, "online_kernel"), 0);
		CHECK_EQ(set_state(33, "online_movable"), 0);
		CHECK_EQ(set_state(35, "online_kernel"), 0);
		CHECK_EQ(set_state(36, "online_movable"), 0);
		CHECK_STR(zone_for(MMOP_ONLINE, 1, 34), expected); /* both */
		CHECK_STR(zone_for(MMOP_ONLINE, 1, 37), expected); /* none again */
		CHECK_EQ(set_state(34, "online"), 0);
		CHECK_STR(read_block(34, "valid_zones"), expected);
		CHECK_EQ(mp_shutdown(), 0);
	}
}

TEST(POLICY_7, "between Movable blocks Movable is the default, beside them it is not; an edge that goes changes it")
{
	machine_boot(NULL);
	add_blocks(1, 32, 5);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 32), "Normal");
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 34), "Normal");
	CHECK_EQ(set_state(36, "online_movable"), 0);
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 34), "Movable");
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 35), "Movable");
	CHECK_EQ(set_state(36, "offline"), 0);
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 34), "Normal");
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 35), "Normal");
}

static long online_hot(void *arg)
{
	return set_state(33, "online");
}

TEST(POLICY_8, "the zone is chosen before mem_hotplug_lock is taken, and not again after")
{
	struct worker worker;

	machine_boot(NULL);
	add_blocks(1, 32, 3);
	/* The reader holds the onliner at the lock, behind its choice. */
	get_online_mems();
	worker_start(&worker, online_hot, NULL);
	worker_await_sleep(&worker);
	AWAIT(percpu_is_write_locked(&mp_mem_hotplug_lock));
	set_parameter("auto_movable_numa_aware", "N");
	set_parameter("online_policy", "auto-movable");
	CHECK_STR(zone_for(MMOP_ONLINE, 1, 33), "Movable");
	put_online_mems();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Normal");
}
