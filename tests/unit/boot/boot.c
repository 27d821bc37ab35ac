/* SPDX-License-Identifier: MIT */
/* What a machine is right after boot, and how it comes and goes. */
#include "../tree.h"

#include <limits.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct mp_desc *describe(const char *text)
{
	struct mp_desc *desc = mp_desc_new();

	CHECK(desc);
	if (mp_desc_parse(desc, text, "test"))
		FAIL("%s", mp_desc_error(desc));
	return desc;
}

static int boot(const char *text)
{
	struct mp_desc *desc = describe(text);
	int ret = mp_boot(desc);

	mp_desc_free(desc);
	return ret;
}

static char log_text[4096];

static void log_uevent(const char *text, size_t size, void *arg)
{
	size_t used = strlen(log_text);

	snprintf(log_text + used, sizeof(log_text) - used, "%.*s@%s ", (int)strcspn(text, "@"), text,
		 strrchr(text, '/') + 1);
}

TEST(BOOT_1, "one block for each block-sized range with memory, ascending, online, without an event; then nodes")
{
	static struct listener listener;

	listen_as(&listener, "A", 0);
	CHECK_EQ(mp_uevent_listen(log_uevent, NULL), 0);
	CHECK_EQ(boot("max_phys = 64G\novercommit = yes\n"
		      "ram 1G 128M node 1\n"
		      "ram 0 200M node 0\n"
		      "ram 512M 64M node 0\n"), 0);
	CHECK_STR(log_text, "add@memory0 add@memory1 add@memory4 add@memory8 add@node0 add@node1 ");
	CHECK_STR(heard(), "");
	CHECK(strstr(listing(MEMORY), "\nmemory0/\nmemory1/\nmemory4/\nmemory8/\npower/"));
	CHECK_STR(read_block(0, "state"), "online");
	CHECK_STR(read_block(1, "state"), "online");
	CHECK_STR(read_block(4, "state"), "online");
	CHECK_STR(read_block(8, "online"), "1");
	machine_check();
}

/* A boot for which the process has not enough address space. */
static int boot_in_little_space(const char *contract)
{
	struct mp_desc *desc = describe("max_phys = 4T\nram 0 1G\nram 3T 1G\n");
	int ret;

	CHECK_EQ(mp_desc_set(desc, "contract", contract), 0);
	while (mmap(NULL, 1UL << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) !=
	       MAP_FAILED)
		;
	ret = mp_boot(desc);
	mp_desc_free(desc);
	CHECK(!mp_booted());
	CHECK_EQ(memory_block_size_bytes(), 0UL);
	return ret;
}

TEST(BOOT_1, "document: a boot that fails returns its errno and leaves nothing")
{
	struct mp_reason reason;

	CHECK_EQ(boot_in_little_space("document"), -ENOMEM);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_NO_MEMORY);
	CHECK_STR(reason.operation, "boot");
	CHECK_EQ(reason.error, -ENOMEM);
	CHECK_EQ(nr_node_ids, 0);
	CHECK_EQ(mp_shutdown(), -ENXIO);
}

TEST(BOOT_1, "linux-6.1: a boot that fails is fatal")
{
	allow_fatal();
	CHECK_EQ(boot_in_little_space("linux-6.1"), -ENOMEM);
	CHECK_EQ(fatals(), 1);
}

static struct zone *zone_at(int nid, int zone, unsigned long start, unsigned long end)
{
	struct zone *found = zone_of(nid, zone);

	CHECK_EQ(found->zone_start_pfn, start);
	CHECK_EQ(found->zone_start_pfn + found->spanned_pages, end);
	return found;
}

TEST(BOOT_4, "at boot a kernel zone spans what its limits leave of its node's memory, holes included")
{
	/* Node 0 on both sides of node 1 and of 4 GiB. */
	machine_boot_text("max_phys = 64G\novercommit = yes\n"
			  "ram 0x100000 511M node 0\nram 1G 1G node 1\nram 4G 1G node 0\nram 8G 256M node 0 movable\n");
	zone_at(0, ZONE_DMA, PHYS_PFN(1 << 20), PHYS_PFN(16 << 20));
	zone_at(0, ZONE_DMA32, PHYS_PFN(16 << 20), PHYS_PFN(4ULL << 30));
	CHECK_EQ(zone_of(0, ZONE_DMA32)->present_pages, PHYS_PFN(496ULL << 20));
	zone_at(0, ZONE_NORMAL, PHYS_PFN(4ULL << 30), PHYS_PFN(8ULL << 30));
	zone_at(0, ZONE_MOVABLE, PHYS_PFN(8ULL << 30), PHYS_PFN((8ULL << 30) + (256 << 20)));
	zone_at(1, ZONE_DMA32, PHYS_PFN(1ULL << 30), PHYS_PFN(2ULL << 30));
	CHECK_EQ(zone_of(1, ZONE_DMA)->spanned_pages, 0UL);
	CHECK_EQ(zone_of(1, ZONE_NORMAL)->spanned_pages, 0UL);
	/* So what is added in the hole below 4 GiB goes there (POLICY-2). */
	CHECK_EQ(add_memory(0, 3ULL << 30, 128 << 20, MHP_NONE), 0);
	CHECK_EQ(set_state(24, "online"), 0);
	CHECK_STR(read_block(24, "valid_zones"), "DMA32");
	CHECK_EQ(set_state(24, "offline"), 0);
	zone_at(0, ZONE_DMA32, PHYS_PFN(16 << 20), PHYS_PFN(4ULL << 30));
	machine_check();
}

TEST(BOOT_2, "nodes that are online have a directory, and their blocks have links, node and zone")
{
	struct memory_block *mem;

	machine_boot("ram 1G 256M node 2\ncpu 4 node 3\n");
	CHECK_STR(listing("/sys/bus/node/devices"), "node0 -> ../../../devices/system/node/node0\n"
						    "node2 -> ../../../devices/system/node/node2\n"
						    "node3 -> ../../../devices/system/node/node3");
	CHECK(exists(NODE_ROOT "/node0/cpu0") && exists(NODE_ROOT "/node3/cpu4"));
	CHECK(exists(NODE_ROOT "/node2/memory8") && exists(NODE_ROOT "/node2/memory9"));
	CHECK(exists(MEMORY "/memory9/node2") && !exists(MEMORY "/memory9/node0"));
	mem = get_block(9);
	CHECK_EQ(mem->nid, 2);
	CHECK_EQ(mem->zone, zone_of(2, ZONE_DMA32));
	put_device(&mem->dev);
}

TEST(BOOT_3, "the memory masks are those of the nodes with populated zones")
{
	machine_boot("ram 1G 128M node 1\nram 5G 128M node 2 movable\ncpu 3 node 3\n");
	CHECK_STR(read_file(NODE_ROOT "/possible"), "0-3");
	CHECK_STR(read_file(NODE_ROOT "/online"), "0-3");
	CHECK_STR(read_file(NODE_ROOT "/has_memory"), "0-2");
	CHECK_STR(read_file(NODE_ROOT "/has_normal_memory"), "0-1");
	CHECK_STR(read_file(NODE_ROOT "/has_cpu"), "0,3");
}

TEST(BOOT_4, "boot memory is in kernel zones by its address, unless it is described as movable")
{
	machine_boot("ram 5G 128M node 1\nram 6G 128M node 1 movable\n");
	CHECK_EQ(zone_of(0, ZONE_DMA)->present_pages, 4096UL);
	CHECK_EQ(zone_of(0, ZONE_DMA32)->present_pages, 98304UL - 4096);
	CHECK_EQ(zone_of(0, ZONE_NORMAL)->present_pages, 0UL);
	CHECK_EQ(zone_of(0, ZONE_MOVABLE)->present_pages, 0UL);
	CHECK_EQ(zone_of(1, ZONE_NORMAL)->present_pages, BLOCK_PAGES);
	CHECK_EQ(zone_of(1, ZONE_MOVABLE)->present_pages, BLOCK_PAGES);
	CHECK_STR(read_block(48, "valid_zones"), "Movable");
	CHECK_EQ(set_state(48, "offline"), 0);
}

TEST(BOOT_5, "a description sets block size, nodes, distances, CPUs, ranges, holes, firmware pages, options")
{
	struct page *page;
	unsigned long pfn, count = 0;

	CHECK_EQ(boot("block = 64M\n"
		      "max_phys = 32G\n"
		      "overcommit = yes\n"
		      "node 0\n"
		      "node 3\n"
		      "node 5\n"
		      "distance 0 3 31\n"
		      "distance 3 0 31\n"
		      "cpu 0 node 0\n"
		      "cpu 7 node 3\n"
		      "ram 0 100M node 0\n"
		      "ram 128M 64M node 3\n"
		      "reserve 64M 8K\n"
		      "offline 4G 128M node 5\n"
		      "memhp_default_state = online_kernel\n"
		      "memory_hotplug.online_policy = auto-movable\n"
		      "memory_hotplug.auto_movable_ratio = 77\n"
		      "memory_hotplug.auto_movable_numa_aware = N\n"
		      "movable_node = Y\n"), 0);
	CHECK_STR(read_file(MEMORY "/block_size_bytes"), "4000000");
	CHECK_STR(read_file(NODE_ROOT "/possible"), "0,3,5");
	CHECK_STR(read_file(NODE_ROOT "/node0/distance"), "10 31 20");
	CHECK_STR(read_file(NODE_ROOT "/node3/cpulist"), "7");
	CHECK_STR(read_file(NODE_ROOT "/has_memory"), "0,3");
	CHECK_STR(read_file(MEMORY "/auto_online_blocks"), "online_kernel");
	CHECK_STR(read_file("/sys/module/memory_hotplug/parameters/online_policy"), "auto-movable");
	CHECK_STR(read_file("/sys/module/memory_hotplug/parameters/auto_movable_ratio"), "77");
	CHECK_STR(read_file("/sys/module/memory_hotplug/parameters/auto_movable_numa_aware"), "N");
	CHECK(movable_node_enabled);
	/* It was offline in the description: no default state onlines it. */
	CHECK_STR(read_block(64, "state"), "offline");
	CHECK_STR(read_block(65, "state"), "offline");
	CHECK(exists(NODE_ROOT "/node5/memory64"));
	/* Hole and firmware pages are reserved, are not counted as managed, and are never handed out. */
	CHECK_EQ(zone_managed_pages(zone_of(0, ZONE_DMA)) + zone_managed_pages(zone_of(0, ZONE_DMA32)),
		 PHYS_PFN(100UL << 20) - 2);
	CHECK(PageReserved(pfn_to_page(PHYS_PFN(64UL << 20))));
	CHECK(PageReserved(pfn_to_page(PHYS_PFN((64UL << 20) + 4096))));
	CHECK(!PageReserved(pfn_to_page(PHYS_PFN((64UL << 20) + 8192))));
	CHECK(PageReserved(pfn_to_page(PHYS_PFN(100UL << 20))));
	while ((page = alloc_pages_node(0, MOVABLE, 0))) {
		pfn = page_to_pfn(page);
		CHECK_LT(pfn, PHYS_PFN(100UL << 20));
		CHECK(pfn != PHYS_PFN(64UL << 20) && pfn != PHYS_PFN(64UL << 20) + 1);
		count++;
	}
	CHECK_GT(count, 20000UL);
	CHECK_LE(count, PHYS_PFN(100UL << 20) - 2);
	machine_check();
}

/* ---- life ---- */

/* Every call that gets to the machine. */
static void check_no_machine(void)
{
	struct mp_stats stats;
	struct mp_reason reason;
	struct mp_entry entry;
	struct mp_file *file;
	char text[8];

	CHECK(!mp_booted());
	CHECK_EQ(mp_contract(), NULL);
	CHECK_EQ(mp_set_contract("document"), -ENXIO);
	CHECK_EQ(mp_get_stats(&stats), -ENXIO);
	CHECK_EQ(mp_block_resident(0), -ENXIO);
	CHECK_EQ(mp_block_reason(0, &reason), -ENXIO);
	CHECK_EQ(mp_shutdown(), -ENXIO);
	CHECK_EQ(mp_check(NULL, NULL), 0);
	CHECK_EQ(mp_read(MEMORY "/block_size_bytes", text, sizeof(text)), -ENXIO);
	CHECK_EQ(mp_write_string(MEMORY "/auto_online_blocks", "online"), -ENXIO);
	CHECK_EQ(mp_open(MEMORY "/auto_online_blocks", O_RDONLY, &file), -ENXIO);
	CHECK_EQ(mp_stat(MEMORY, &entry), -ENXIO);
	CHECK_EQ(add_memory(0, HOT, BLOCK_BYTES, MHP_NONE), -ENXIO);
	CHECK_EQ(add_memory_driver_managed(0, HOT, BLOCK_BYTES, "System RAM (x)", MHP_NONE), -ENXIO);
	CHECK_EQ(remove_memory(HOT, BLOCK_BYTES), -ENXIO);
	CHECK_EQ(offline_and_remove_memory(HOT, BLOCK_BYTES), -ENXIO);
	CHECK_EQ(try_online_node(0), -ENXIO);
	CHECK_EQ(memory_group_register_static(0, 1), -ENXIO);
	CHECK_EQ(memory_group_unregister(0), -EINVAL);
	CHECK_EQ(walk_memory_blocks(0, HOT, NULL, NULL), 0);
	CHECK_EQ(for_each_memory_block(NULL, NULL), 0);
	CHECK_EQ(find_memory_block(0), NULL);
	CHECK_EQ(memory_block_size_bytes(), 0UL);
	CHECK_EQ(alloc_pages(GFP_KERNEL, 0), NULL);
	CHECK_EQ(alloc_pages_node(0, MOVABLE, 0), NULL);
	CHECK_EQ(pfn_valid(0), 0);
	CHECK_EQ(pfn_to_online_page(0), NULL);
	CHECK_EQ(mp_node_device(0), NULL);
	CHECK_EQ(NODE_DATA(0), NULL);
	CHECK(!mhp_supports_memmap_on_memory(BLOCK_BYTES));
}

TEST(no_machine, "before boot and after shutdown every call says -ENXIO, or that there is nothing")
{
	check_no_machine();
	machine_boot(NULL);
	CHECK(mp_booted());
	CHECK_EQ(mp_shutdown(), 0);
	check_no_machine();
}

TEST(boot_twice, "one machine a process: -EBUSY; after a shutdown another boots, and callbacks are still there")
{
	static struct listener listener;
	struct mp_reason reason;

	listen_as(&listener, "A", 0);
	machine_boot("contract = linux-6.1\nmemhp_default_state = online\n");
	CHECK_EQ(boot("ram 0 128M\n"), -EBUSY);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_BUSY);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	CHECK_STR(mp_contract(), "linux-6.1");
	CHECK_EQ(mp_shutdown(), 0);
	CHECK_STR(heard(), "");
	/* Nothing of the first one is left in the second. */
	machine_boot("block = 32M\n");
	CHECK_STR(mp_contract(), "document");
	CHECK_STR(hot_resources(), "");
	CHECK_STR(listing(MEMMAP), "0/");
	CHECK_STR(read_file(MEMORY "/auto_online_blocks"), "offline");
	CHECK(!node_online(1) && !exists(MEMORY "/memory12"));
	CHECK_EQ(add_memory(1, HOT, 32 << 20, MHP_NONE), 0);
	CHECK_EQ(set_state(128, "online"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	machine_check();
	CHECK_EQ(mp_shutdown(), 0);
}

TEST(fork_child, "a fork child has no machine, boots one of its own, and the parent's is untouched")
{
	static struct listener listener;
	struct page *page;
	int status;
	pid_t pid;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	page = alloc_pages_node(1, MOVABLE, 0);
	CHECK(page);
	fill(page, 7);
	listen_as(&listener, "A", 0);
	fflush(stdout);
	/* Whatever this thread holds is free in the child. */
	lock_device_hotplug();
	pid = fork();
	if (!pid) {
		check_no_machine();
		CHECK_EQ(boot("max_phys = 16G\novercommit = yes\nram 0 256M\nnode 1\n"), 0);
		CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_NONE), 0);
		CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
		CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
		machine_check();
		CHECK_EQ(mp_shutdown(), 0);
		_exit(0);
	}
	CHECK_GT(pid, 0);
	unlock_device_hotplug();
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK(holds(page, 7));
}

TEST(boot_reserve_far, "what a description reserves counts in RAM only, however long it is")
{
	CHECK_EQ(boot("block = 2M\nmax_phys = 1G\novercommit = yes\nram 0 2M\nram 512M 2M\n"
		      "reserve 1M 2040777777775M\n"), 0);
	CHECK(!PageReserved(pfn_to_page(255)));
	CHECK(PageReserved(pfn_to_page(256)));
	CHECK(PageReserved(pfn_to_page(PHYS_PFN(512UL << 20))));
	machine_check();
}
