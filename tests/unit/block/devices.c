/* SPDX-License-Identifier: MIT */
/* Memory blocks as objects: what they hold, how they are made, found, walked and removed. */
#include "../tree.h"

TEST(BLOCK_1, "a block tells its first section, state, online type, node, zone, device, own descriptors and group")
{
	struct memory_group *group;
	struct memory_block *mem;
	unsigned long *first;
	int id;

	machine_boot("memory_hotplug.memmap_on_memory = Y\n");
	id = memory_group_register_static(1, 4 * BLOCK_PAGES);
	group = memory_group_find_by_id(id);
	CHECK_EQ(add_memory(id, HOT, BLOCK_BYTES, MHP_NID_IS_MGID | MHP_MEMMAP_ON_MEMORY), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	mem = get_block(HOT_BLOCK);
	first = &mem->start_section_nr;
	CHECK_EQ(*first, (unsigned long)HOT_BLOCK);
	CHECK_EQ(mem->state, (unsigned long)MEM_ONLINE);
	CHECK_EQ(mem->online_type, MMOP_OFFLINE);
	CHECK_EQ(mem->nid, 1);
	CHECK_EQ(mem->zone, zone_of(1, ZONE_NORMAL));
	CHECK_STR(dev_name(&mem->dev), "memory32");
	CHECK_EQ(to_memory_block(&mem->dev), mem);
	CHECK_EQ(mem->nr_vmemmap_pages, 512UL);
	CHECK_EQ(mem->group, group);
	CHECK_EQ(group->memory_blocks.next, &mem->group_next);
	put_device(&mem->dev);
}

TEST(BLOCK_2, "one block size for all, a power of two that is not too small, fixed at boot")
{
	static const char *const bad[] = { "0", "4K", "1M", "3M", "2049K", "96M", "128G", "-2M", "x", "" };
	struct mp_desc *desc = mp_desc_new();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (mp_desc_set(desc, "block", bad[i]) != -EINVAL)
			FAIL("block = \"%s\" was taken", bad[i]);
	CHECK_EQ(mp_desc_set(desc, "block", "2M"), 0);
	CHECK_EQ(mp_desc_set(desc, "block", "64G"), 0);
	CHECK_EQ(mp_desc_set(desc, "block", "256M"), 0);
	mp_desc_free(desc);
	CHECK_EQ(memory_block_size_bytes(), 0UL);
	machine_boot("block = 256M\n");
	CHECK_EQ(memory_block_size_bytes(), 256UL << 20);
	CHECK_EQ(add_memory(1, HOT, 128 << 20, MHP_NONE), -EINVAL);
	CHECK_EQ(add_memory(1, HOT, 512 << 20, MHP_NONE), 0);
	CHECK_EQ(memory_block_size_bytes(), 256UL << 20);
	CHECK(block_exists(16) && block_exists(17));
	CHECK(!block_exists(18));
}

static unsigned long auto_size(const char *ram)
{
	struct mp_desc *desc = mp_desc_new();
	unsigned long size;

	CHECK_EQ(mp_desc_parse(desc, "block = auto\novercommit = yes\nmax_phys = 512G\n", "test"), 0);
	CHECK_EQ(mp_desc_parse(desc, ram, "ram"), 0);
	CHECK_EQ(mp_boot(desc), 0);
	size = memory_block_size_bytes();
	CHECK_EQ(mp_shutdown(), 0);
	mp_desc_free(desc);
	return size >> 20;
}

TEST(BLOCK_3, "block=auto: 128 MiB below 64 GiB, else the largest power of two up to 2 GiB that divides the end")
{
	/* Boot RAM is small and far up: only its end counts. */
	CHECK_EQ(auto_size("ram 0 128M\nram 65408M 64M\n"), 128UL);
	CHECK_EQ(auto_size("ram 0 128M\nram 63G 1G\n"), 2048UL);
	CHECK_EQ(auto_size("ram 0 128M\nram 65G 1G\n"), 2048UL);
	CHECK_EQ(auto_size("ram 0 128M\nram 66G 1G\n"), 1024UL);
	CHECK_EQ(auto_size("ram 0 128M\nram 66G 512M\n"), 512UL);
	CHECK_EQ(auto_size("ram 0 128M\nram 66G 768M\n"), 256UL);
	CHECK_EQ(auto_size("ram 0 128M\nram 66G 896M\n"), 128UL);
	CHECK_EQ(auto_size("ram 0 128M\nram 66G 64M\n"), 128UL);
}

TEST(BLOCK_4, "a block's number is its address by the block size, and its name memory and that number")
{
	struct memory_block *mem;

	machine_boot("block = 32M\n");
	CHECK_EQ(add_memory(1, 5UL << 30, 64 << 20, MHP_NONE), 0);
	CHECK(exists(MEMORY "/memory160/state"));
	CHECK(exists(MEMORY "/memory161/state"));
	CHECK(!exists(MEMORY "/memory159"));
	CHECK(!exists(MEMORY "/memory162"));
	lock_device_hotplug();
	mem = find_memory_block(pfn_to_section_nr(PHYS_PFN(161UL << 25)));
	unlock_device_hotplug();
	CHECK(mem);
	CHECK_STR(dev_name(&mem->dev), "memory161");
	CHECK_EQ(mem->dev.id, 161U);
	CHECK_EQ(mem->start_section_nr * PAGES_PER_SECTION, PHYS_PFN(161UL << 25));
	put_device(&mem->dev);
	/* A block of several sections counts in blocks. */
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot("block = 512M\n");
	CHECK_EQ(add_memory(1, 5UL << 30, 512 << 20, MHP_NONE), 0);
	CHECK(exists(MEMORY "/memory10/state"));
	mem = get_block(40);
	CHECK_STR(dev_name(&mem->dev), "memory10");
	CHECK_EQ(mem->start_section_nr, 40UL);
	put_device(&mem->dev);
}

static struct memory_block *watched;
static unsigned long states[NR_EVENTS];

static void note_state(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	states[__builtin_ctzl(action)] = READ_ONCE(watched->state);
}

TEST(BLOCK_5, "stored states are online, offline and going-offline; there is no going-online")
{
	static struct listener listener = { .hook = note_state };

	CHECK_EQ(MEM_ONLINE, 1);
	CHECK_EQ(MEM_GOING_OFFLINE, 2);
	CHECK_EQ(MEM_OFFLINE, 4);
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	watched = get_block(HOT_BLOCK);
	listen_as(&listener, "A", 0);
	CHECK_EQ(watched->state, (unsigned long)MEM_OFFLINE);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(watched->state, (unsigned long)MEM_ONLINE);
	listener_answer(&listener, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EPERM);
	CHECK_EQ(watched->state, (unsigned long)MEM_ONLINE);
	listener_answer(&listener, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(watched->state, (unsigned long)MEM_OFFLINE);
	listener_answer(&listener, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), -EPERM);
	CHECK_EQ(watched->state, (unsigned long)MEM_OFFLINE);
	CHECK_EQ(states[__builtin_ctzl(MEM_GOING_ONLINE)], (unsigned long)MEM_OFFLINE);
	CHECK_EQ(states[__builtin_ctzl(MEM_ONLINE)], (unsigned long)MEM_OFFLINE);
	CHECK_EQ(states[__builtin_ctzl(MEM_CANCEL_ONLINE)], (unsigned long)MEM_OFFLINE);
	CHECK_EQ(states[__builtin_ctzl(MEM_GOING_OFFLINE)], (unsigned long)MEM_GOING_OFFLINE);
	CHECK_EQ(states[__builtin_ctzl(MEM_CANCEL_OFFLINE)], (unsigned long)MEM_GOING_OFFLINE);
	CHECK_EQ(states[__builtin_ctzl(MEM_OFFLINE)], (unsigned long)MEM_GOING_OFFLINE);
	put_device(&watched->dev);
}

TEST(BLOCK_6, "a hot-added block begins offline, without node and zone; a boot block online")
{
	struct memory_block *mem;

	machine_boot(NULL);
	plug_lock();
	CHECK_EQ(create_memory_block_devices(HOT, BLOCK_BYTES, 0, NULL), 0);
	mem = find_memory_block(HOT_BLOCK);
	CHECK(mem);
	CHECK_EQ(mem->state, (unsigned long)MEM_OFFLINE);
	CHECK(mem->dev.offline);
	CHECK_EQ(mem->nid, -1);
	CHECK_EQ(mem->zone, NULL);
	CHECK_EQ(mem->online_type, MMOP_OFFLINE);
	put_device(&mem->dev);
	remove_memory_block_devices(HOT, BLOCK_BYTES);
	plug_unlock();
	add_blocks(2, HOT_BLOCK, 1);
	mem = get_block(HOT_BLOCK);
	CHECK_EQ(mem->nid, 2);
	CHECK_EQ(mem->zone, NULL);
	put_device(&mem->dev);
	mem = get_block(1);
	CHECK_EQ(mem->state, (unsigned long)MEM_ONLINE);
	CHECK(!mem->dev.offline);
	CHECK_EQ(mem->nid, 0);
	put_device(&mem->dev);
}

TEST(BLOCK_7, "each block that has some boot memory has a device, also with holes or several nodes in it")
{
	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "ram 0 64M node 0\n"
			  "ram 190M 2M node 0\n"   /* in block 1, with holes around it */
			  "ram 512M 64M node 0\n"  /* block 4: nodes 0 and 1 */
			  "ram 576M 64M node 1\n");
	CHECK_STR(listing("/sys/bus/memory/devices"),
		  "memory0 -> ../../../devices/system/memory/memory0\n"
		  "memory1 -> ../../../devices/system/memory/memory1\n"
		  "memory4 -> ../../../devices/system/memory/memory4");
	CHECK_STR(read_block(1, "state"), "online");
	CHECK_STR(read_block(4, "state"), "online");
}

TEST(BLOCK_8, "a boot block's zone is the one whose span meets it, none if there are several or several nodes")
{
	struct memory_block *mem;

	machine_boot_text("max_phys = 16G\n"
			  "overcommit = yes\n"
			  "ram 0 256M node 0\n"
			  "ram 512M 64M node 0\n" /* block 4: two nodes, one zone each */
			  "ram 576M 64M node 1\n"
			  "ram 4G 128M node 2\n"  /* Normal from block 32 to 34, Movable inside it */
			  "ram 4224M 128M node 2 movable\n"
			  "ram 4352M 128M node 2\n"
			  "ram 5G 128M node 3\n");
	CHECK_STR(read_block(0, "valid_zones"), "none"); /* DMA and DMA32 */
	CHECK_STR(read_block(1, "valid_zones"), "DMA32");
	CHECK_STR(read_block(4, "valid_zones"), "none");
	CHECK_STR(read_block(32, "valid_zones"), "Normal");
	/* Spans count, not presence. */
	CHECK_STR(read_block(33, "valid_zones"), "none");
	CHECK_STR(read_block(34, "valid_zones"), "Normal");
	CHECK_STR(read_block(40, "valid_zones"), "Normal");
	mem = get_block(4);
	CHECK_EQ(mem->nid, 1);
	CHECK_EQ(mem->zone, NULL);
	put_device(&mem->dev);
	mem = get_block(40);
	CHECK_EQ(mem->nid, 3);
	CHECK_EQ(mem->zone, zone_of(3, ZONE_NORMAL));
	put_device(&mem->dev);
}

TEST(BLOCK_9, "a block without a single zone cannot go offline, and so cannot be removed")
{
	static struct listener listener;
	struct worker worker;
	struct state_write offline = { 0, "offline" };
	struct memory_block *mem;

	machine_boot(NULL);
	listen_as(&listener, "A", 0);
	CHECK_EQ(set_state(0, "offline"), -EINVAL);
	CHECK_EQ(write_block(0, "online", "0"), -EINVAL);
	CHECK_STR(heard(), "");
	CHECK_STR(read_block(0, "state"), "online");
	CHECK_EQ(remove_blocks(0, 1), -EBUSY);
	CHECK_EQ(offline_and_remove_memory(0, BLOCK_BYTES), -EINVAL);
	CHECK_STR(heard(), "");
	/* Refused before mem_hotplug_lock is wanted: a reader does not hold it up. */
	get_online_mems();
	worker_start(&worker, write_state, &offline);
	CHECK_EQ(worker_join(&worker), -EINVAL);
	put_online_mems();
	mem = get_block(0);
	CHECK_EQ(mem->zone, NULL);
	CHECK_EQ(mem->state, (unsigned long)MEM_ONLINE);
	put_device(&mem->dev);
	machine_check();
}

static char at_add[8192];

static void look_at_add(const char *text, size_t size, void *arg)
{
	if (!strncmp(text, "add@", 4))
		snprintf(at_add, sizeof(at_add), "%s", listing(MEMORY "/memory32"));
}

TEST(BLOCK_10, "registration: below the memory root, files before the `add` event, table after it, -EEXIST for a second")
{
	struct memory_block *mem;
	int error;

	machine_boot(NULL);
	uevents();
	CHECK_EQ(mp_uevent_listen(look_at_add, NULL), 0);
	plug_lock();
	CHECK_EQ(create_memory_block_devices(HOT, BLOCK_BYTES, 0, NULL), 0);
	CHECK(strstr(at_add, "state 0644") && strstr(at_add, "online 0644") &&
	      strstr(at_add, "valid_zones 0444") && strstr(at_add, "phys_index 0444"));
	mem = find_memory_block(HOT_BLOCK);
	CHECK(mem);
	CHECK_EQ(mem->dev.bus, &memory_subsys);
	CHECK_EQ(mem->dev.parent, memory_subsys.dev_root);
	put_device(&mem->dev);
	CHECK(exists("/sys/bus/memory/devices/memory32"));
	CHECK_STR(uevents(), "add@memory32");
	CHECK_EQ(create_memory_block_devices(HOT, BLOCK_BYTES, 0, NULL), -EEXIST);
	CHECK_STR(uevents(), "");
	CHECK(find_memory_block(HOT_BLOCK) == mem);
	put_device(&mem->dev);
	/* A name that cannot be entered: nothing is left. */
	CHECK(tree_mkdir(subsys_root(&memory_subsys), "memory33", NULL, NULL, &error));
	CHECK_EQ(create_memory_block_devices(HOT + BLOCK_BYTES, BLOCK_BYTES, 0, NULL), -EEXIST);
	CHECK_EQ(find_memory_block(HOT_BLOCK + 1), NULL);
	CHECK_STR(uevents(), "");
	remove_memory_block_devices(HOT, BLOCK_BYTES);
	plug_unlock();
}

TEST(BLOCK_11, "create_memory_block_devices(): whole blocks, ascending; on failure those it made go again")
{
	machine_boot(NULL);
	uevents();
	allow_warnings();
	plug_lock();
	CHECK_EQ(create_memory_block_devices(HOT + PAGE_SIZE, BLOCK_BYTES, 0, NULL), -EINVAL);
	CHECK_EQ(warnings(), 1);
	CHECK_EQ(create_memory_block_devices(HOT, BLOCK_BYTES / 2, 0, NULL), -EINVAL);
	CHECK_EQ(create_memory_block_devices(HOT, 0, 0, NULL), -EINVAL);
	CHECK_EQ(warnings(), 1);
	CHECK_EQ(create_memory_block_devices(HOT + 2 * BLOCK_BYTES, BLOCK_BYTES, 0, NULL), 0);
	CHECK_STR(uevents(), "add@memory34");
	CHECK_EQ(create_memory_block_devices(HOT, 4 * BLOCK_BYTES, 0, NULL), -EEXIST);
	CHECK_STR(uevents(), "add@memory32 add@memory33 remove@memory32 remove@memory33");
	CHECK(!block_exists(32) && !block_exists(33) && block_exists(34) && !block_exists(35));
	CHECK_EQ(create_memory_block_devices(HOT, 2 * BLOCK_BYTES, 0, NULL), 0);
	CHECK_STR(uevents(), "add@memory32 add@memory33");
	remove_memory_block_devices(HOT, 3 * BLOCK_BYTES);
	CHECK_STR(uevents(), "remove@memory32 remove@memory33 remove@memory34");
	plug_unlock();
	CHECK_EQ(warnings(), 1);
}

TEST(BLOCK_12, "remove_memory_block_devices(): warns of misalignment and of missing blocks, removes the others")
{
	struct memory_group *group;
	int id;

	machine_boot(NULL);
	allow_warnings();
	id = memory_group_register_static(1, 8 * BLOCK_PAGES);
	group = memory_group_find_by_id(id);
	CHECK_EQ(add_memory(id, HOT, 3 * BLOCK_BYTES, MHP_NID_IS_MGID), 0);
	plug_lock();
	uevents();
	remove_memory_block_devices(HOT + PAGE_SIZE, BLOCK_BYTES);
	CHECK_EQ(warnings(), 1);
	remove_memory_block_devices(HOT, BLOCK_BYTES + PAGE_SIZE);
	CHECK_EQ(warnings(), 1);
	CHECK_STR(uevents(), "");
	remove_memory_block_devices(HOT + BLOCK_BYTES, BLOCK_BYTES);
	CHECK_STR(uevents(), "remove@memory33");
	CHECK_EQ(warnings(), 1);
	CHECK(!exists(NODE_ROOT "/node1/memory33"));
	CHECK(exists(NODE_ROOT "/node1/memory32"));
	remove_memory_block_devices(HOT, 3 * BLOCK_BYTES);
	CHECK_STR(uevents(), "remove@memory32 remove@memory34");
	CHECK_EQ(warnings(), 2);
	remove_memory_block_devices(HOT, BLOCK_BYTES);
	CHECK_EQ(warnings(), 2);
	plug_unlock();
	CHECK(list_empty(&group->memory_blocks));
	CHECK(!exists(NODE_ROOT "/node1/memory32"));
}

static void (*real_release)(struct device *dev);
static int released;

static void counting_release(struct device *dev)
{
	released++;
	real_release(dev);
}

TEST(BLOCK_13, "the object lives until its last reference is dropped, its files go at once")
{
	struct memory_block *mem;
	struct mp_file *file;
	char text[64];

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	mem = get_block(HOT_BLOCK);
	real_release = mem->dev.release;
	mem->dev.release = counting_release;
	CHECK_EQ(mp_open(MEMORY "/memory32/state", O_RDONLY, &file), 0);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK_EQ(released, 0);
	CHECK(!block_exists(HOT_BLOCK));
	CHECK_EQ(mp_file_read(file, text, sizeof(text), 0), -ENODEV);
	mp_file_close(file);
	CHECK_EQ(mem->start_section_nr, (unsigned long)HOT_BLOCK);
	CHECK_EQ(released, 0);
	put_device(&mem->dev);
	CHECK_EQ(released, 1);
	/* Without a holder removal is the last reference. */
	add_blocks(1, HOT_BLOCK, 1);
	mem = get_block(HOT_BLOCK);
	mem->dev.release = counting_release;
	put_device(&mem->dev);
	CHECK_EQ(released, 1);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	CHECK_EQ(released, 2);
}

TEST(BLOCK_14, "find_memory_block() gives the block of a section with a reference, or NULL")
{
	struct memory_block *mem, *again;
	int refs;

	machine_boot("block = 256M\n");
	CHECK_EQ(add_memory(1, HOT, 256 << 20, MHP_NONE), 0);
	lock_device_hotplug();
	mem = find_memory_block(32);
	CHECK(mem);
	refs = mem->dev.refs;
	again = find_memory_block(33);
	CHECK_EQ(again, mem);
	CHECK_EQ(mem->dev.refs, refs + 1);
	put_device(&again->dev);
	CHECK_EQ(mem->dev.refs, refs);
	CHECK_EQ(find_memory_block(31), NULL);
	CHECK_EQ(find_memory_block(34), NULL);
	CHECK_EQ(find_memory_block(1UL << 40), NULL);
	unlock_device_hotplug();
	put_device(&mem->dev);
}

struct walk {
	char seen[256];
	unsigned long stop_at;
	int answer, least_refs;
};

static int walk_note(struct memory_block *mem, void *arg)
{
	struct walk *walk = arg;
	size_t used = strlen(walk->seen);

	snprintf(walk->seen + used, sizeof(walk->seen) - used, "%s%lu", used ? " " : "",
		 memory_block_id(mem));
	if (mem->dev.refs < walk->least_refs)
		walk->least_refs = mem->dev.refs;
	return memory_block_id(mem) == walk->stop_at ? walk->answer : 0;
}

static int walk_blocks(struct walk *walk, u64 start, u64 size)
{
	int ret;

	walk->seen[0] = '\0';
	walk->least_refs = 100;
	lock_device_hotplug();
	ret = walk_memory_blocks(start, size, walk, walk_note);
	unlock_device_hotplug();
	return ret;
}

TEST(BLOCK_15, "walk_memory_blocks(): existing blocks that the range touches, ascending, until an answer is not 0")
{
	struct walk walk = { .stop_at = ~0UL };

	machine_boot(NULL);
	add_blocks(1, 40, 1);
	add_blocks(1, 32, 2);
	add_blocks(1, 35, 1);
	CHECK_EQ(walk_blocks(&walk, 0, 8UL << 30), 0);
	CHECK_STR(walk.seen, "0 1 2 32 33 35 40");
	CHECK_GE(walk.least_refs, 2); /* the table's and the walk's */
	CHECK_EQ(walk_blocks(&walk, HOT, 0), 0);
	CHECK_STR(walk.seen, "");
	CHECK_EQ(walk_blocks(&walk, HOT, BLOCK_BYTES), 0);
	CHECK_STR(walk.seen, "32");
	CHECK_EQ(walk_blocks(&walk, HOT + BLOCK_BYTES - 1, 2), 0);
	CHECK_STR(walk.seen, "32 33");
	CHECK_EQ(walk_blocks(&walk, 34 * BLOCK_BYTES, BLOCK_BYTES), 0);
	CHECK_STR(walk.seen, "");
	walk.stop_at = 33;
	walk.answer = -EBUSY;
	CHECK_EQ(walk_blocks(&walk, HOT, 4 * BLOCK_BYTES), -EBUSY);
	CHECK_STR(walk.seen, "32 33");
	walk.answer = 7;
	CHECK_EQ(walk_blocks(&walk, HOT, 4 * BLOCK_BYTES), 7);
	CHECK_STR(walk.seen, "32 33");
	machine_check(); /* no reference was kept */
}

TEST(BLOCK_16, "for_each_memory_block() goes in order of registration and stops at an answer that is not 0")
{
	struct walk walk = { .stop_at = ~0UL };

	machine_boot(NULL);
	add_blocks(1, 40, 1);
	add_blocks(1, 33, 1);
	add_blocks(1, 36, 2);
	lock_device_hotplug();
	CHECK_EQ(for_each_memory_block(&walk, walk_note), 0);
	CHECK_STR(walk.seen, "0 1 2 40 33 36 37");
	walk.seen[0] = '\0';
	walk.stop_at = 33;
	walk.answer = -5;
	CHECK_EQ(for_each_memory_block(&walk, walk_note), -5);
	CHECK_STR(walk.seen, "0 1 2 40 33");
	unlock_device_hotplug();
	CHECK_EQ(remove_blocks(40, 1), 0);
	add_blocks(1, 40, 1);
	walk = (struct walk){ .stop_at = ~0UL };
	lock_device_hotplug();
	CHECK_EQ(for_each_memory_block(&walk, walk_note), 0);
	unlock_device_hotplug();
	CHECK_STR(walk.seen, "0 1 2 33 36 37 40");
}

TEST(BLOCK_23, "a reference keeps no removed block reachable by name, and the name is free at once")
{
	struct memory_block *old, *new;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	old = get_block(HOT_BLOCK);
	CHECK_EQ(remove_blocks(HOT_BLOCK, 1), 0);
	lock_device_hotplug();
	CHECK_EQ(find_memory_block(HOT_BLOCK), NULL);
	unlock_device_hotplug();
	CHECK(!block_exists(HOT_BLOCK));
	add_blocks(2, HOT_BLOCK, 1);
	new = get_block(HOT_BLOCK);
	CHECK_NE(new, old);
	CHECK_EQ(new->nid, 2);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(old->state, (unsigned long)MEM_OFFLINE);
	CHECK_EQ(new->state, (unsigned long)MEM_ONLINE);
	put_device(&old->dev);
	put_device(&new->dev);
	CHECK_STR(read_block(HOT_BLOCK, "state"), "online");
	machine_check();
}
