/* SPDX-License-Identifier: MIT */
/* Adds that fail half-way, and what comes after the blocks are there: node, links, merging, auto-online. */
#include "../tree.h"

static struct text before, after;

static void same_as_before(void)
{
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	machine_check();
}

/* A section without block or resource, as device memory leaves it. */
static void occupy_section(long block)
{
	plug_lock();
	CHECK_EQ(sections_add(block_pfn(block), BLOCK_PAGES, 1, false), 0);
	plug_unlock();
}

TEST(ADD_10, "document: a section that is there already is -EEXIST, and those made before it go again")
{
	machine_boot(NULL);
	occupy_section(34);
	uevents();
	snapshot(&before);
	CHECK_EQ(add_memory(1, HOT, 4 * BLOCK_BYTES, MHP_NONE), -EEXIST);
	same_as_before();
	CHECK_STR(uevents(), "");
	CHECK(!pfn_valid(block_pfn(32)) && !pfn_valid(block_pfn(33)) && pfn_valid(block_pfn(34)));
	CHECK_EQ(add_memory(1, HOT, 2 * BLOCK_BYTES, MHP_NONE), 0);
}

TEST(ADD_10, "linux-6.1: the sections made before the one that is there already stay")
{
	machine_boot(LINUX);
	occupy_section(34);
	uevents();
	CHECK_EQ(add_memory(1, HOT, 4 * BLOCK_BYTES, MHP_NONE), -EEXIST);
	CHECK_STR(uevents(), "");
	CHECK_STR(hot_resources(), "");
	CHECK(pfn_valid(block_pfn(32)) && pfn_valid(block_pfn(33)));
	CHECK(!pfn_valid(block_pfn(35)));
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_NONE), -EEXIST);
	CHECK(!node_online(1));
	CHECK_EQ(mp_shutdown(), 0);
}

TEST(ADD_11, "when a block device cannot be made, devices, sections and resource go again")
{
	machine_boot(NULL);
	plug_lock();
	CHECK_EQ(create_memory_block_devices(HOT + BLOCK_BYTES, BLOCK_BYTES, 0, NULL), 0);
	plug_unlock();
	uevents();
	snapshot(&before);
	CHECK_EQ(add_memory(1, HOT, 2 * BLOCK_BYTES, MHP_NONE), -EEXIST);
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	CHECK_STR(uevents(), "add@memory32 remove@memory32");
	CHECK(!pfn_valid(HOT_PFN) && !pfn_valid(block_pfn(33)));
}

static void block_node_name(const char *name)
{
	int error;

	CHECK(tree_mkdir(subsys_root(&node_subsys), name, NULL, NULL, &error));
}

TEST(ADD_12, "document: a node that cannot be registered takes the add back")
{
	machine_boot(NULL);
	block_node_name("node2");
	snapshot(&before);
	CHECK_EQ(add_memory(2, HOT, 2 * BLOCK_BYTES, MHP_NONE), -EEXIST);
	same_as_before();
	CHECK(!node_online(2));
	CHECK_EQ(mp_node_device(2), NULL);
	CHECK_EQ(add_memory(1, HOT, 2 * BLOCK_BYTES, MHP_NONE), 0);
	machine_check();
}

TEST(ADD_12, "linux-6.1: a node that cannot be registered is fatal")
{
	machine_boot(LINUX);
	block_node_name("node2");
	allow_fatal();
	add_memory(2, HOT, BLOCK_BYTES, MHP_NONE);
	CHECK_EQ(fatals(), 1);
	CHECK(strstr(fatal_text(), "node 2"));
}

static char at_node[4096], at_block[4096];
static bool node_was_online;

static void look_at_node(const char *text, size_t size, void *arg)
{
	if (!strncmp(text, "add@", 4) && strstr(text, "/node2")) {
		snprintf(at_node, sizeof(at_node), "%s", listing(NODE_ROOT "/node2"));
		node_was_online = node_online(2);
	} else if (!strncmp(text, "add@", 4)) {
		snprintf(at_block, sizeof(at_block), "%s", listing(MEMORY "/memory32"));
	}
}

TEST(ADD_12, "a new node goes online and gets its device after the blocks, and links come last")
{
	machine_boot(NULL);
	CHECK_EQ(mp_uevent_listen(look_at_node, NULL), 0);
	uevents();
	add_blocks(2, HOT_BLOCK, 1);
	CHECK_STR(uevents(), "add@memory32 add@node2");
	CHECK(strstr(at_block, "state 0644") && !strstr(at_block, "node2 ->"));
	CHECK(strstr(at_node, "meminfo 0444") && !strstr(at_node, "memory32 ->"));
	CHECK(node_was_online);
	add_blocks(2, HOT_BLOCK + 1, 1);
	CHECK_STR(uevents(), "add@memory33");
}

TEST(ADD_13, "each block is linked to the node and gets its nid; a link that exists is no error")
{
	struct memory_block *mem;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(tree_link(mp_node_device(1)->dev.dir, "memory34", "../../memory/memory34"), 0);
	add_blocks(1, HOT_BLOCK + 1, 2);
	CHECK(strstr(listing(NODE_ROOT "/node1"), "memory32 -> ../../memory/memory32\n"
						  "memory33 -> ../../memory/memory33\n"
						  "memory34 -> ../../memory/memory34\n"));
	CHECK(strstr(listing(MEMORY "/memory34"), "node1 -> ../../node/node1\n"));
	mem = get_block(HOT_BLOCK + 2);
	CHECK_EQ(mem->nid, 1);
	put_device(&mem->dev);
}

static int locked_at_online;

static void look_at_lock(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	locked_at_online++;
}

TEST(ADD_14, "memory named System RAM, and no other, gets a firmware-map entry, in the add")
{
	static struct listener listener = { .hook = look_at_lock };

	machine_boot(NULL);
	CHECK_STR(raw(MEMMAP "/0/end"), "0x17ffffff\n");
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_STR(raw(MEMMAP "/1/start"), "0x100000000\n");
	CHECK_STR(raw(MEMMAP "/1/end"), "0x10fffffff\n");
	CHECK_STR(raw(MEMMAP "/1/type"), "System RAM\n");
	CHECK_EQ(add_memory_driver_managed(1, HOT + 2 * BLOCK_BYTES, BLOCK_BYTES,
					   "System RAM (test)", MHP_NONE), 0);
	CHECK(!exists(MEMMAP "/2"));
	/* mem_hotplug_lock is free again when a block goes online by itself: it takes it. */
	CHECK_EQ(mp_write_string(MEMORY "/auto_online_blocks", "online"), 0);
	listen_as(&listener, "A", 0);
	add_blocks(1, HOT_BLOCK + 3, 1);
	CHECK_EQ(locked_at_online, 2);
	CHECK_STR(raw(MEMMAP "/2/start"), "0x118000000\n");
}

TEST(ADD_15, "MHP_MERGE_RESOURCE joins the entry with its neighbours")
{
	machine_boot(NULL);
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_MERGE_RESOURCE), 0);
	CHECK_EQ(add_memory(1, HOT + 2 * BLOCK_BYTES, BLOCK_BYTES, MHP_MERGE_RESOURCE), 0);
	CHECK_STR(hot_resources(),
		  "100000000-107ffffff System RAM, 110000000-117ffffff System RAM");
	CHECK_EQ(add_memory(1, HOT + BLOCK_BYTES, BLOCK_BYTES, MHP_MERGE_RESOURCE), 0);
	CHECK_STR(hot_resources(), "100000000-117ffffff System RAM");
	CHECK_EQ(add_memory(1, HOT + 3 * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE), 0);
	CHECK_STR(hot_resources(),
		  "100000000-117ffffff System RAM, 118000000-11fffffff System RAM");
}

static void veto_second(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	listener_answer(me, MEM_GOING_ONLINE,
			arg->start_pfn == block_pfn(HOT_BLOCK + 1) ? NOTIFY_BAD : NOTIFY_OK);
}

TEST(ADD_16, "auto-online walks the blocks upwards and stops at the first that fails; the add still succeeds")
{
	static struct listener listener = { .hook = veto_second };

	machine_boot("memhp_default_state = online_movable\n");
	listen_as(&listener, "A", 0);
	uevents();
	CHECK_EQ(add_memory(1, HOT, 4 * BLOCK_BYTES, MHP_NONE), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE A:GOING_ONLINE A:CANCEL_ONLINE");
	CHECK_STR(uevents(), "add@memory32 add@memory33 add@memory34 add@memory35 add@node1 "
			     "online@memory32");
	CHECK_STR(read_block(HOT_BLOCK, "valid_zones"), "Movable");
	CHECK_STR(read_block(HOT_BLOCK + 1, "state"), "offline");
	CHECK_STR(read_block(HOT_BLOCK + 2, "state"), "offline");
	CHECK_STR(read_block(HOT_BLOCK + 3, "state"), "offline");
	CHECK_STR(hot_resources(), "100000000-11fffffff System RAM");
	/* The type is the configured one each time. */
	CHECK_EQ(mp_write_string(MEMORY "/auto_online_blocks", "online_kernel"), 0);
	CHECK_EQ(add_memory(1, HOT + 4 * BLOCK_BYTES, 2 * BLOCK_BYTES, MHP_NONE), 0);
	CHECK_STR(read_block(HOT_BLOCK + 4, "valid_zones"), "Normal");
	CHECK_STR(read_block(HOT_BLOCK + 5, "valid_zones"), "Normal");
	machine_check();
}

TEST(ADD_18, "after any refused add the machine is as it was")
{
	int id;

	machine_boot("memhp_default_state = online\n");
	add_blocks(1, 40, 2);
	id = memory_group_register_dynamic(2, BLOCK_PAGES);
	allow_warnings();
	snapshot(&before);
	CHECK_EQ(add_memory(2, 64UL << 30, BLOCK_BYTES, MHP_NONE), -E2BIG);
	CHECK_EQ(add_memory(2, 39 * BLOCK_BYTES, 2 * BLOCK_BYTES, MHP_NONE), -EEXIST);
	CHECK_EQ(add_memory(2, HOT + 1, BLOCK_BYTES, MHP_NONE), -EINVAL);
	CHECK_EQ(add_memory(id + 1, HOT, BLOCK_BYTES, MHP_NID_IS_MGID), -EINVAL);
	CHECK_EQ(add_memory(9, HOT, BLOCK_BYTES, MHP_NONE), -EINVAL);
	CHECK_EQ(add_memory(2, HOT, BLOCK_BYTES, MHP_MEMMAP_ON_MEMORY), -EINVAL);
	CHECK_EQ(add_memory(id, HOT, 2 * BLOCK_BYTES, MHP_NID_IS_MGID | MHP_MEMMAP_ON_MEMORY),
		 -EINVAL);
	CHECK_EQ(add_memory_driver_managed(2, HOT, BLOCK_BYTES, "RAM", MHP_NONE), -EINVAL);
	CHECK_EQ(mp_write_string(MEMORY "/probe", "0x100000000"), -ENOENT);
	same_as_before();
	CHECK_EQ(memory_group_unregister(id), 0);
	CHECK(!node_online(2));
}

TEST(ADD_19, "add_memory_resource() takes the caller's resource, who keeps it when it fails")
{
	static const unsigned long ram = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY;
	struct resource *res;

	machine_boot(NULL);
	allow_warnings();
	res = __request_region(&iomem_resource, HOT, BLOCK_BYTES, "System RAM", ram);
	CHECK(res);
	lock_device_hotplug();
	CHECK_EQ(add_memory_resource(9, res, MHP_NONE), -EINVAL);
	unlock_device_hotplug();
	CHECK_STR(hot_resources(), "100000000-107ffffff System RAM");
	CHECK_EQ(resource_at(&iomem_resource, HOT), res);
	release_mem_region(HOT, BLOCK_BYTES);
	CHECK_STR(hot_resources(), "");
	CHECK(!block_exists(HOT_BLOCK));

	res = __request_region(&iomem_resource, HOT, 2 * BLOCK_BYTES, "System RAM", ram);
	CHECK(res);
	lock_device_hotplug();
	CHECK_EQ(add_memory_resource(1, res, MHP_NONE), 0);
	unlock_device_hotplug();
	CHECK(block_exists(HOT_BLOCK) && block_exists(HOT_BLOCK + 1));
	CHECK_STR(raw(MEMMAP "/1/end"), "0x10fffffff\n");
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 2), 0);
	CHECK_STR(hot_resources(), "");

	/* Misaligned. */
	res = __request_region(&iomem_resource, HOT, PAGE_SIZE, "System RAM", ram);
	lock_device_hotplug();
	CHECK_EQ(add_memory_resource(1, res, MHP_NONE), -EINVAL);
	CHECK_EQ(add_memory_resource(1, NULL, MHP_NONE), -EINVAL);
	unlock_device_hotplug();
	release_mem_region(HOT, PAGE_SIZE);
}

TEST(ADD_20, "driver-managed memory is called System RAM (...), else -EINVAL before any lock or check")
{
	static const char *const bad[] = { NULL, "", "System RAM", "System RAM (", "System RAM(x)",
					   "System RAM (x", "system RAM (x)", "System RAM x)", " System RAM (x)",
					   "System RAM (x) ", "(x)" };
	size_t i;

	machine_boot(NULL);
	lock_device_hotplug();
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (add_memory_driver_managed(1, 0, 0, bad[i], MHP_NONE) != -EINVAL)
			FAIL("\"%s\" was taken", bad[i]);
	unlock_device_hotplug();
	CHECK_EQ(add_memory_driver_managed(1, 0, 0, "System RAM (x)", MHP_NONE), -E2BIG);
	CHECK_EQ(add_memory_driver_managed(1, HOT, BLOCK_BYTES, "System RAM (x)", MHP_NONE), 0);
	CHECK_EQ(add_memory_driver_managed(1, HOT + BLOCK_BYTES, BLOCK_BYTES, "System RAM ()",
					   MHP_NONE), 0);
	CHECK_EQ(add_memory_driver_managed(1, HOT, BLOCK_BYTES, "System RAM (y)", MHP_NONE), -EEXIST);
	CHECK_STR(hot_resources(),
		  "100000000-107ffffff System RAM (x), 108000000-10fffffff System RAM ()");
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
}

TEST(ADD_21, "driver-managed memory: marked in the tree, no firmware-map entry, the name stored as a pointer")
{
	static char name[] = "System RAM (mine)";
	struct resource *res;

	machine_boot(NULL);
	CHECK_EQ(add_memory_driver_managed(1, HOT, BLOCK_BYTES, name, MHP_NONE), 0);
	add_blocks(1, HOT_BLOCK + 1, 1);
	res = resource_at(&iomem_resource, HOT);
	CHECK(res);
	CHECK_EQ(res->name, name);
	CHECK(res->flags & IORESOURCE_SYSRAM_DRIVER_MANAGED);
	CHECK(!(resource_at(&iomem_resource, HOT + BLOCK_BYTES)->flags &
		IORESOURCE_SYSRAM_DRIVER_MANAGED));
	CHECK_STR(raw(MEMMAP "/1/start"), "0x108000000\n");
	CHECK(!exists(MEMMAP "/2"));
	memcpy(name, "System RAM (your)", sizeof(name));
	CHECK(strstr(raw("/proc/iomem"), "100000000-107ffffff : System RAM (your)\n"));
}
