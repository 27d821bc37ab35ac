/* SPDX-License-Identifier: MIT */
/* Nodes: their masks, how they come and go, their links, spans and service threads. */
#include "../tree.h"

static bool has(int nid, enum node_states state)
{
	return node_state(nid, state);
}

TEST(NODE_1, "the masks: possible, online, normal = high memory, memory, cpu, generic initiator")
{
	machine_boot("cpu 1 node 2\n");
	CHECK_EQ(N_HIGH_MEMORY, N_NORMAL_MEMORY);
	CHECK_STR(read_file(NODE_ROOT "/possible"), "0-3");
	CHECK_STR(read_file(NODE_ROOT "/online"), "0,2");
	CHECK_STR(read_file(NODE_ROOT "/has_normal_memory"), "0");
	CHECK_STR(read_file(NODE_ROOT "/has_memory"), "0");
	CHECK_STR(read_file(NODE_ROOT "/has_cpu"), "0,2");
	CHECK_STR(read_file(NODE_ROOT "/has_generic_initiator"), "");
	CHECK(has(3, N_POSSIBLE) && !has(4, N_POSSIBLE) && has(2, N_CPU) && !has(2, N_MEMORY));
}

TEST(NODE_2, "N_MEMORY and N_NORMAL_MEMORY follow the first block onlined and the last offlined, not add and remove")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 3);
	CHECK(!has(1, N_MEMORY) && !has(1, N_NORMAL_MEMORY));
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK(has(1, N_MEMORY) && !has(1, N_NORMAL_MEMORY));
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	CHECK(has(1, N_MEMORY) && has(1, N_NORMAL_MEMORY));
	CHECK_EQ(set_state(34, "online_kernel"), 0);
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK(has(1, N_MEMORY) && has(1, N_NORMAL_MEMORY));
	CHECK_EQ(set_state(34, "offline"), 0);
	CHECK(has(1, N_MEMORY) && !has(1, N_NORMAL_MEMORY));
	CHECK_EQ(remove_blocks(33, 2), 0);
	CHECK(has(1, N_MEMORY));
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK(!has(1, N_MEMORY));
	CHECK(has(1, N_ONLINE));
	CHECK_EQ(remove_blocks(32, 1), 0);
	CHECK_EQ(add_memory(1, HOT, BLOCK_BYTES, MHP_NONE), 0);
	CHECK(!has(1, N_MEMORY));
}

static bool in_fallback(int nid, int other)
{
	int i;

	for (i = 0; i < NODE_DATA(nid)->nr_fallback; i++)
		if (NODE_DATA(nid)->fallback[i] == other)
			return true;
	return false;
}

static char masks[512];

static void note_masks(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	size_t used = strlen(masks);

	snprintf(masks + used, sizeof(masks) - used, "%s:%d%d%d ", mp_event_name(action) + 4,
		 has(1, N_MEMORY), has(1, N_NORMAL_MEMORY), in_fallback(0, 1));
}

TEST(NODE_3, "the masks change before MEM_ONLINE and before MEM_OFFLINE, when onlining before zonelists are made")
{
	static struct listener listener = { .hook = note_masks };

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	listen_as(&listener, "A", 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(masks, "GOING_ONLINE:000 ONLINE:111 ");
	masks[0] = '\0';
	CHECK_EQ(set_state(32, "offline"), 0);
	masks[strlen("GOING_OFFLINE:111 OFFLINE:00")] = '\0'; /* a memoryless node may be listed on */
	CHECK_STR(masks, "GOING_OFFLINE:111 OFFLINE:00");
	/* No zone of it serves anybody any more. */
	CHECK_EQ(alloc_pages_node(1, MOVABLE, 0), NULL);
}

TEST(NODE_4, "a node goes online with its first memory, also offline memory, or with a CPU; event after the blocks")
{
	machine_boot("cpu 1 node 2\n");
	CHECK(has(2, N_ONLINE) && exists(NODE_ROOT "/node2/cpu1"));
	CHECK(!has(1, N_ONLINE) && !exists(NODE_ROOT "/node1"));
	uevents();
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_STR(uevents(), "add@memory32 add@memory33 add@node1");
	CHECK(has(1, N_ONLINE) && exists(NODE_ROOT "/node1/meminfo"));
	CHECK_STR(read_file(NODE_ROOT "/online"), "0-2");
	add_blocks(2, HOT_BLOCK + 2, 1);
	CHECK_STR(uevents(), "add@memory34");
}

TEST(NODE_5, "a node comes up empty, whatever it was before, with a zonelist of its own")
{
	struct pglist_data *pgdat;
	int i, round;

	machine_boot(NULL);
	for (round = 0; round < 2; round++) {
		add_blocks(1, HOT_BLOCK, 2);
		pgdat = NODE_DATA(1);
		CHECK_EQ(pgdat->node_present_pages, 0UL);
		CHECK_EQ(pgdat->node_spanned_pages, 0UL);
		for (i = 0; i < MAX_NR_ZONES; i++) {
			struct zone *zone = &pgdat->node_zones[i];

			CHECK_EQ(zone->present_pages, 0UL);
			CHECK_EQ(zone->spanned_pages, 0UL);
			CHECK_EQ(zone->zone_start_pfn, 0UL);
			CHECK_EQ(zone_managed_pages(zone), 0UL);
			CHECK_EQ(zone->pageset_high, 0);
			CHECK_EQ(zone->pageset_batch, 1);
		}
		/* Requests of this node are served by others. */
		CHECK(in_fallback(1, 0));
		CHECK_EQ(set_state(32, "online_movable"), 0);
		CHECK_EQ(set_state(33, "online_kernel"), 0);
		CHECK_EQ(offline_and_remove_memory(HOT, 2 * BLOCK_BYTES), 0);
		CHECK(!has(1, N_ONLINE));
	}
	machine_check();
}

static void block_node_name(const char *name)
{
	int error;

	CHECK(tree_mkdir(subsys_root(&node_subsys), name, NULL, NULL, &error));
}

static int online_node(int nid)
{
	int ret;

	lock_device_hotplug();
	ret = try_online_node(nid);
	unlock_device_hotplug();
	return ret;
}

TEST(NODE_6, "try_online_node(): 0 when the node is online or came online, with its device")
{
	machine_boot(NULL);
	uevents();
	CHECK_EQ(online_node(0), 0);
	CHECK_STR(uevents(), "");
	CHECK_EQ(online_node(3), 0);
	CHECK_STR(uevents(), "add@node3");
	CHECK(has(3, N_ONLINE) && !has(3, N_MEMORY));
	CHECK_EQ(online_node(3), 0);
	CHECK_STR(uevents(), "");
	machine_check();
	CHECK_EQ(online_node(4), -EINVAL);
	CHECK_EQ(online_node(-1), -EINVAL);
	CHECK_EQ(online_node(1 << 20), -EINVAL);
	/* Memory of a node that is online already makes no second device. */
	add_blocks(3, HOT_BLOCK, 1);
	CHECK_STR(uevents(), "add@memory32");
}

TEST(NODE_6, "a device that cannot be registered: linux-6.1 fatal; document its errno, and the node stays offline")
{
	machine_boot(NULL);
	block_node_name("node2");
	CHECK_EQ(online_node(2), -EEXIST);
	CHECK(!has(2, N_ONLINE));
	machine_check();
	CHECK_EQ(mp_set_contract("linux-6.1"), 0);
	allow_fatal();
	online_node(2);
	CHECK_EQ(fatals(), 1);
}

static void offline_node(int nid)
{
	plug_lock();
	try_offline_node(nid);
	plug_unlock();
}

TEST(NODE_7, "try_offline_node(): only with no span, no block and no CPU of the node left")
{
	machine_boot("cpu 1 node 2\n");
	CHECK_EQ(online_node(3), 0);
	uevents();
	offline_node(2); /* a CPU */
	CHECK(has(2, N_ONLINE));
	add_blocks(1, HOT_BLOCK, 2);
	uevents();
	offline_node(1); /* a block */
	CHECK(has(1, N_ONLINE));
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	offline_node(1);
	CHECK(has(1, N_ONLINE));
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK(has(1, N_ONLINE));
	/* Pages without a block. */
	plug_lock();
	sections_add(block_pfn(40), BLOCK_PAGES, 3, false);
	move_pfn_range_to_zone(zone_of(3, ZONE_NORMAL), block_pfn(40), BLOCK_PAGES);
	plug_unlock();
	offline_node(3);
	CHECK(has(3, N_ONLINE));
	plug_lock();
	remove_pfn_range_from_zone(zone_of(3, ZONE_NORMAL), block_pfn(40), BLOCK_PAGES);
	sections_remove(block_pfn(40), BLOCK_PAGES);
	plug_unlock();
	uevents();
	offline_node(3);
	CHECK(!has(3, N_ONLINE) && !exists(NODE_ROOT "/node3"));
	CHECK_STR(uevents(), "remove@node3");
	offline_node(3);
	offline_node(-1);
	offline_node(1 << 20);
	CHECK_STR(uevents(), "");
	CHECK_EQ(remove_blocks(HOT_BLOCK + 1, 1), 0);
	CHECK_STR(uevents(), "remove@memory33 remove@node1");
	CHECK(!has(1, N_ONLINE));
	machine_check();
}

TEST(NODE_8, "a node that ever had ZONE_DEVICE pages stays online")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	plug_lock();
	CHECK_EQ(sections_add(block_pfn(40), BLOCK_PAGES, 1, false), 0);
	move_pfn_range_to_zone(zone_of(1, ZONE_DEVICE), block_pfn(40), BLOCK_PAGES);
	remove_pfn_range_from_zone(zone_of(1, ZONE_DEVICE), block_pfn(40), BLOCK_PAGES);
	sections_remove(block_pfn(40), BLOCK_PAGES);
	plug_unlock();
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK(has(1, N_ONLINE) && exists(NODE_ROOT "/node1"));
}

TEST(NODE_9, "links go both ways, an existing one is accepted, and a boot block has one for each of its nodes")
{
	struct memory_block *mem;

	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "ram 0 192M node 0\n"
			  "ram 192M 32M node 1\n"
			  "ram 224M 32M node 2\n");
	CHECK(exists(NODE_ROOT "/node0/memory1") && exists(NODE_ROOT "/node1/memory1") &&
	      exists(NODE_ROOT "/node2/memory1"));
	CHECK(exists(MEMORY "/memory1/node0") && exists(MEMORY "/memory1/node1") &&
	      exists(MEMORY "/memory1/node2"));
	CHECK(!exists(NODE_ROOT "/node1/memory0") && !exists(MEMORY "/memory0/node1"));
	mem = get_block(1);
	CHECK_EQ(mem->nid, 2);
	plug_lock();
	CHECK_EQ(link_memory_block(mem, 1), 0);
	plug_unlock();
	CHECK_EQ(mem->nid, 1);
	put_device(&mem->dev);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK(strstr(listing(MEMORY "/memory32"), "node1 -> ../../node/node1\n"));
	CHECK(strstr(listing(NODE_ROOT "/node1"), "memory32 -> ../../memory/memory32\n"));
	mem = get_block(HOT_BLOCK);
	CHECK_EQ(mem->nid, 1);
	put_device(&mem->dev);
}

TEST(NODE_10, "removal unlinks the block's nid, and nothing when it has none")
{
	struct memory_block *mem;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	add_blocks(2, HOT_BLOCK + 1, 2);
	mem = get_block(HOT_BLOCK + 1);
	plug_lock();
	unlink_memory_block(mem);
	CHECK(!exists(NODE_ROOT "/node2/memory33") && !exists(MEMORY "/memory33/node2"));
	CHECK_EQ(link_memory_block(mem, 2), 0);
	mem->nid = -1;
	unlink_memory_block(mem);
	CHECK(exists(NODE_ROOT "/node2/memory33") && exists(MEMORY "/memory33/node2"));
	mem->nid = 2;
	plug_unlock();
	put_device(&mem->dev);
	CHECK_EQ(remove_blocks(HOT_BLOCK + 1, 1), 0);
	CHECK(!exists(NODE_ROOT "/node2/memory33"));
	CHECK(exists(NODE_ROOT "/node2/memory34") && exists(NODE_ROOT "/node1/memory32"));
}

static void check_span(unsigned long first, unsigned long end)
{
	CHECK_EQ(NODE_DATA(1)->node_start_pfn, block_pfn((long)first));
	CHECK_EQ(NODE_DATA(1)->node_spanned_pages, block_pfn((long)(end - first)));
}

TEST(NODE_11, "a node's span is the smallest around all its zones")
{
	machine_boot(NULL);
	add_blocks(1, 32, 8);
	CHECK_EQ(set_state(35, "online_kernel"), 0);
	check_span(35, 36);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	check_span(33, 36);
	CHECK_EQ(set_state(38, "online_movable"), 0);
	check_span(33, 39);
	CHECK_EQ(set_state(36, "online_kernel"), 0);
	check_span(33, 39);
	CHECK_EQ(set_state(38, "offline"), 0);
	check_span(33, 37);
	CHECK_EQ(set_state(33, "offline"), 0);
	check_span(35, 37);
	/* ZONE_DEVICE counts. */
	plug_lock();
	sections_add(block_pfn(50), BLOCK_PAGES, 1, false);
	move_pfn_range_to_zone(zone_of(1, ZONE_DEVICE), block_pfn(50), BLOCK_PAGES);
	plug_unlock();
	check_span(35, 51);
	CHECK_EQ(set_state(35, "offline"), 0);
	check_span(36, 51);
	CHECK_EQ(set_state(36, "offline"), 0);
	check_span(50, 51);
}

static bool kswapd_seen[2], kcompactd_seen[2];

static void note_daemons(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	int i = action == MEM_OFFLINE;

	if (action != MEM_ONLINE && action != MEM_OFFLINE)
		return;
	kswapd_seen[i] = NODE_DATA(1)->kswapd;
	kcompactd_seen[i] = NODE_DATA(1)->kcompactd;
}

TEST(NODE_12, "kswapd and kcompactd of a node would run from its first to its last online block")
{
	static struct listener listener = { .hook = note_daemons };

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	listen_as(&listener, "A", 0);
	CHECK(NODE_DATA(0)->kswapd && NODE_DATA(0)->kcompactd);
	CHECK(!NODE_DATA(1)->kswapd && !NODE_DATA(1)->kcompactd);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK(kswapd_seen[0] && kcompactd_seen[0]);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK(NODE_DATA(1)->kswapd && NODE_DATA(1)->kcompactd);
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK(!kswapd_seen[1] && !kcompactd_seen[1]);
	CHECK(!NODE_DATA(1)->kswapd && !NODE_DATA(1)->kcompactd);
	listener_answer(&listener, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(33, "online"), -EPERM);
	CHECK(!NODE_DATA(1)->kswapd);
}

TEST(NODE_13, "a node of offline blocks: directory, links and online mask, but no memory and all numbers 0")
{
	const char *text, *line;
	unsigned long value;

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	CHECK_STR(read_file(NODE_ROOT "/online"), "0-1");
	CHECK_STR(read_file(NODE_ROOT "/has_memory"), "0");
	CHECK_STR(read_file(NODE_ROOT "/has_normal_memory"), "0");
	CHECK(exists(NODE_ROOT "/node1/memory32/state") && exists(NODE_ROOT "/node1/memory33/state"));
	text = strstr(raw("/proc/zoneinfo"), "Node 1, zone");
	CHECK(text);
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, "Node 2", 6))
			break;
		if (sscanf(line, " %*[a-z] %lu", &value) == 1)
			CHECK_EQ(value, 0UL);
	}
	CHECK(strstr(raw(NODE_ROOT "/node1/meminfo"), "Node 1 MemTotal:              0 kB\n"));
}
