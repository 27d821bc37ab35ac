/* SPDX-License-Identifier: MIT */
/* The files of the memory directory and of a block: names, modes, texts, and what writing them does. */
#include "../tree.h"

TEST(SYSFS_8, "the memory directory: its files with their modes, one directory a block")
{
	machine_boot(NULL);
	CHECK_STR(listing(MEMORY), "auto_online_blocks 0644 4096\n"
				   "block_size_bytes 0444 4096\n"
				   "hard_offline_page 0200 4096\n"
				   "memory0/\n"
				   "memory1/\n"
				   "memory2/\n"
				   "power/\n"
				   "soft_offline_page 0200 4096\n"
				   "uevent 0644 4096");
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot("probe = Y\n");
	CHECK(strstr(listing(MEMORY), "\nprobe 0200 4096\n"));
}

TEST(SYSFS_9, "block_size_bytes is lower-case hexadecimal without prefix")
{
	char text[8];

	machine_boot(NULL);
	CHECK_STR(raw(MEMORY "/block_size_bytes"), "8000000\n");
	CHECK_EQ(mp_write_string(MEMORY "/block_size_bytes", "1"), -EACCES);
	CHECK_EQ(mp_read(MEMORY "/block_size_bytes", text, 3), 3);
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot("block = 2M\n");
	CHECK_STR(raw(MEMORY "/block_size_bytes"), "200000\n");
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot("block = 64G\n");
	CHECK_STR(raw(MEMORY "/block_size_bytes"), "1000000000\n");
}

TEST(SYSFS_10, "auto_online_blocks: four words, no lock, for blocks added from now on")
{
	static const char file[] = MEMORY "/auto_online_blocks";
	static const char *const bad[] = { "on", "1", "Online", "online ", " online", "online\n\n", "\n",
					   "going-offline" };
	size_t i;

	machine_boot(NULL);
	CHECK_STR(raw(file), "offline\n");
	add_blocks(1, HOT_BLOCK, 1);
	/* It takes no lock: by this thread it would be a deadlock. */
	lock_device_hotplug();
	CHECK_EQ(mp_write_string(file, "online_kernel"), 0);
	CHECK_STR(raw(file), "online_kernel\n");
	unlock_device_hotplug();
	CHECK_EQ(mp_write_string(file, "online_movable\n"), 0);
	CHECK_STR(raw(file), "online_movable\n");
	CHECK_EQ(mp_write(file, "online\n", 7), 7);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (mp_write_string(file, bad[i]) != -EINVAL)
			FAIL("\"%s\" was taken", bad[i]);
	CHECK_STR(raw(file), "online\n");
	CHECK_STR(read_block(HOT_BLOCK, "state"), "offline");
	add_blocks(1, HOT_BLOCK + 1, 1);
	CHECK_STR(read_block(HOT_BLOCK, "state"), "offline");
	CHECK_STR(read_block(HOT_BLOCK + 1, "state"), "online");
	CHECK_EQ(mp_write_string(file, "offline"), 0);
	add_blocks(1, HOT_BLOCK + 2, 1);
	CHECK_STR(read_block(HOT_BLOCK + 2, "state"), "offline");
	CHECK_STR(read_block(HOT_BLOCK + 1, "state"), "online");
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot("memhp_default_state = online_movable\n");
	CHECK_STR(raw(file), "online_movable\n");
}

TEST(SYSFS_11, "probe takes the address of one block as a number and adds it, offline")
{
	static const char file[] = MEMORY "/probe";
	char text[64];

	machine_boot("probe = Y\n");
	CHECK_EQ(mp_read(file, text, sizeof(text)), -EACCES);
	CHECK_EQ(mp_write(file, "0x100000000\n", 12), 12);
	CHECK_STR(read_block(32, "state"), "offline");
	CHECK_EQ(mp_write_string(file, "4429185024"), 0); /* 33 blocks */
	CHECK_EQ(mp_write_string(file, "+0X110000000"), 0);
	CHECK_EQ(mp_write_string(file, "043000000000"), 0); /* octal: 35 blocks */
	CHECK(block_exists(33) && block_exists(34) && block_exists(35));
	CHECK(!block_exists(36));
	CHECK_EQ(mp_write_string(file, "0x100000000"), -EEXIST);
	CHECK_EQ(mp_write_string(file, "0x120001000"), -EINVAL);
	CHECK_EQ(mp_write_string(file, "x"), -EINVAL);
	CHECK_EQ(mp_write_string(file, "-1"), -EINVAL);
	CHECK_EQ(mp_write_string(file, "0x"), -EINVAL);
	CHECK_EQ(mp_write_string(file, "0x120000000 "), -EINVAL);
	CHECK_EQ(mp_write_string(file, "0x120000000\n\n"), -EINVAL);
	CHECK_EQ(mp_write_string(file, "0x10000000000000000"), -ERANGE);
	CHECK_EQ(mp_write_string(file, "0xfffffffff8000000"), -E2BIG);
	CHECK(!block_exists(36));
	CHECK_STR(read_block(32, "state"), "offline");
	CHECK_STR(hot_resources(), "100000000-107ffffff System RAM, 108000000-10fffffff System RAM, "
				   "110000000-117ffffff System RAM, 118000000-11fffffff System RAM");
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot(NULL);
	CHECK_EQ(mp_write_string(file, "0x100000000"), -ENOENT);
}

TEST(SYSFS_13, "a block's directory: its files with their modes, its subsystem, its node")
{
	machine_boot(NULL);
	add_blocks(3, HOT_BLOCK, 1);
	CHECK_STR(listing(MEMORY "/memory32"), "node3 -> ../../node/node3\n"
					       "online 0644 4096\n"
					       "phys_device 0444 4096\n"
					       "phys_index 0444 4096\n"
					       "power/\n"
					       "removable 0444 4096\n"
					       "state 0644 4096\n"
					       "subsystem -> ../../../../bus/memory\n"
					       "uevent 0644 4096\n"
					       "valid_zones 0444 4096");
	/* The links lead somewhere. */
	CHECK(exists(MEMORY "/memory32/node3/meminfo"));
	CHECK(exists(MEMORY "/memory32/subsystem/devices/memory32"));
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot_text("max_phys = 16G\n"
			  "ram 0 192M node 0\n"
			  "ram 192M 64M node 1\n");
	CHECK(strstr(listing(MEMORY "/memory1"), "node0 -> ../../node/node0\n"
						 "node1 -> ../../node/node1\n"));
}

TEST(SYSFS_14, "phys_index is the block's number, hexadecimal, at least 8 digits")
{
	machine_boot("block = 64M\n");
	CHECK_EQ(add_memory(1, 0xa8000000, 64 << 20, MHP_NONE), 0);
	CHECK_STR(raw_block(42, "phys_index"), "0000002a\n");
	CHECK_STR(raw_block(0, "phys_index"), "00000000\n");
	CHECK_EQ(write_block(42, "phys_index", "1"), -EACCES);
	CHECK_EQ(mp_shutdown(), 0);
	/* The block's number, not the section's. */
	machine_boot("block = 1G\n");
	CHECK_EQ(add_memory(1, 42UL << 30, 1 << 30, MHP_NONE), 0);
	CHECK_STR(raw_block(42, "phys_index"), "0000002a\n");
}

TEST(SYSFS_15, "removable is 1, whatever the block is")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_STR(raw_block(HOT_BLOCK, "removable"), "1\n");
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_STR(raw_block(HOT_BLOCK, "removable"), "1\n");
	CHECK_STR(raw_block(0, "removable"), "1\n");
}

TEST(SYSFS_16, "phys_device is 0")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_STR(raw_block(HOT_BLOCK, "phys_device"), "0\n");
	CHECK_STR(raw_block(2, "phys_device"), "0\n");
}

static char texts[NR_EVENTS][64];

static void note_files(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	snprintf(texts[__builtin_ctzl(action)], sizeof(texts[0]), "%.63s",
		 raw_block(HOT_BLOCK, "state"));
}

TEST(SYSFS_17, "state reads without a lock: online, offline, going-offline, or what it cannot be")
{
	static struct listener listener = { .hook = note_files };
	struct memory_block *mem;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	listen_as(&listener, "A", 0);
	CHECK_STR(raw_block(HOT_BLOCK, "state"), "offline\n");
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_STR(raw_block(HOT_BLOCK, "state"), "online\n");
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	/* Read by a callback, that is with every lock of the transaction held. */
	CHECK_STR(texts[__builtin_ctzl(MEM_GOING_ONLINE)], "offline\n");
	CHECK_STR(texts[__builtin_ctzl(MEM_GOING_OFFLINE)], "going-offline\n");
	mem = get_block(HOT_BLOCK);
	mem->state = 99;
	allow_warnings();
	CHECK_STR(raw_block(HOT_BLOCK, "state"), "ERROR-UNKNOWN-99\n");
	CHECK_EQ(warnings(), 1);
	mem->state = MEM_OFFLINE;
	put_device(&mem->dev);
}

TEST(SYSFS_18, "state takes four words; anything else is refused at once")
{
	static const char *const bad[] = { "going-offline", "on", "off", "1", "0", "Online", "online ",
					   " online", "online\n\n", "offline\t", "\n", "online_movables" };
	size_t i;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline\n"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "online_kernel"), 0);
	CHECK_STR(read_block(HOT_BLOCK, "valid_zones"), "Normal");
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable\n"), 0);
	CHECK_STR(read_block(HOT_BLOCK, "valid_zones"), "Movable");
	/* At once: also while somebody (here this thread) holds device_hotplug_lock. */
	lock_device_hotplug();
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (set_state(HOT_BLOCK, bad[i]) != -EINVAL)
			FAIL("\"%s\" was taken", bad[i]);
	unlock_device_hotplug();
	CHECK_STR(read_block(HOT_BLOCK, "state"), "online");
}

TEST(SYSFS_19, "writing to state what the block is already gives -EINVAL")
{
	static struct listener listener;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	listen_as(&listener, "A", 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EINVAL);
	CHECK_EQ(set_state(1, "online"), -EINVAL);
	CHECK_EQ(set_state(1, "online_kernel"), -EINVAL);
	CHECK_EQ(set_state(1, "online_movable"), -EINVAL);
	CHECK_STR(heard(), "");
	CHECK_STR(read_block(1, "state"), "online");
	CHECK_STR(read_block(HOT_BLOCK, "state"), "offline");
}

TEST(SYSFS_20, "state gives its writer the errno of the refusal")
{
	static struct listener listener;
	char text[64];

	machine_boot(LINUX);
	add_blocks(1, HOT_BLOCK, 1);
	listen_as(&listener, "A", 0);
	listener_answer(&listener, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), -EPERM);
	listener_answer(&listener, MEM_GOING_ONLINE, notifier_from_errno(-ENOMEM));
	CHECK_EQ(set_state(HOT_BLOCK, "online"), -ENOMEM);
	listener_answer(&listener, MEM_GOING_ONLINE, NOTIFY_OK);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	listener_answer(&listener, MEM_GOING_OFFLINE, notifier_from_errno(-EXDEV));
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EXDEV);
	listener_answer(&listener, MEM_GOING_OFFLINE, NOTIFY_OK);
	mp_cancel(pthread_self());
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EINTR);
	CHECK(alloc_pages_node(1, KERNEL, 0));
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EBUSY);
	CHECK_EQ(set_state(0, "offline"), -EINVAL);
	snprintf(text, sizeof(text), "%s", read_block(HOT_BLOCK, "state"));
	CHECK_STR(text, "online");
}

TEST(SYSFS_24, "valid_zones of an online block is its zone, or none")
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "online_kernel"), 0);
	CHECK_STR(raw_block(HOT_BLOCK, "valid_zones"), "Movable\n");
	CHECK_STR(raw_block(HOT_BLOCK + 1, "valid_zones"), "Normal\n");
	CHECK_STR(raw_block(0, "valid_zones"), "none\n");
	CHECK_STR(raw_block(1, "valid_zones"), "DMA32\n");
	CHECK_EQ(write_block(1, "valid_zones", "Movable"), -EACCES);
}

static char zones_going_offline[64];

static void note_zones(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE)
		snprintf(zones_going_offline, sizeof(zones_going_offline), "%s",
			 raw_block(33, "valid_zones"));
}

TEST(SYSFS_25, "valid_zones of another block: the default zone, then kernel zone and Movable where they differ")
{
	static struct listener listener = { .hook = note_zones };

	machine_boot_text("max_phys = 64G\n"
			  "overcommit = yes\n"
			  "node 1\n"
			  "ram 0 384M node 0\n"
			  "ram 512M 128M node 0\n");
	add_blocks(0, 3, 1); /* inside the span of DMA32 */
	CHECK_STR(raw_block(3, "valid_zones"), "DMA32 Movable\n");
	add_blocks(1, 32, 3);
	CHECK_STR(raw_block(33, "valid_zones"), "Normal Movable\n");
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_STR(raw_block(33, "valid_zones"), "Normal Movable\n");
	CHECK_EQ(set_state(34, "online_movable"), 0);
	CHECK_STR(raw_block(33, "valid_zones"), "Movable Normal\n");
	/* Also while it goes offline. */
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	CHECK_STR(raw_block(33, "valid_zones"), "Normal\n");
	listen_as(&listener, "A", 0);
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK_STR(zones_going_offline, "Normal Movable\n"); /* both spans meet it */
	CHECK_STR(raw_block(33, "valid_zones"), "Movable Normal\n");
}

TEST(SYSFS_26, "valid_zones takes no lock and follows what happens to other blocks and to the policy")
{
	machine_boot(NULL);
	add_blocks(1, 32, 3);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(34, "online_movable"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Movable Normal");
	CHECK_EQ(set_state(34, "offline"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Normal Movable");
	CHECK_EQ(mp_write_string("/sys/module/memory_hotplug/parameters/online_policy",
				 "auto-movable"), 0);
	CHECK_EQ(mp_write_string("/sys/module/memory_hotplug/parameters/auto_movable_numa_aware",
				 "N"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Movable Normal");
	CHECK_EQ(mp_write_string("/sys/module/memory_hotplug/parameters/auto_movable_ratio", "0"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Normal Movable");
	/* By this thread a lock would be a deadlock. */
	plug_lock();
	CHECK_STR(read_block(33, "valid_zones"), "Normal Movable");
	plug_unlock();
}

static sem_t in_callback, may_return;

static void wait_in_offline(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_GOING_OFFLINE)
		return;
	sem_post(&in_callback);
	while (sem_wait(&may_return))
		;
}

struct file_write {
	const char *file, *text;
	int expected;
};

static long write_file(void *arg)
{
	const struct file_write *write = arg;

	return write_block(HOT_BLOCK, write->file, write->text);
}

TEST(SYSFS_36, "what each write to state and online does to an offline, an online and a zoneless block")
{
	static struct listener listener;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	listen_as(&listener, "A", 0);
	/* offline */
	CHECK_EQ(write_block(HOT_BLOCK, "state", "offline"), -EINVAL);
	CHECK_EQ(write_block(HOT_BLOCK, "online", "0"), 0);
	CHECK_STR(heard(), "");
	CHECK_EQ(write_block(HOT_BLOCK, "state", "online_movable"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	CHECK_EQ(write_block(HOT_BLOCK, "online", "0"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE");
	CHECK_EQ(write_block(HOT_BLOCK, "online", "1"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE");
	CHECK_STR(read_block(HOT_BLOCK, "valid_zones"), "Normal");
	/* online */
	CHECK_EQ(write_block(HOT_BLOCK, "state", "online"), -EINVAL);
	CHECK_EQ(write_block(HOT_BLOCK, "state", "online_kernel"), -EINVAL);
	CHECK_EQ(write_block(HOT_BLOCK, "state", "online_movable"), -EINVAL);
	CHECK_EQ(write_block(HOT_BLOCK, "online", "1"), 0);
	CHECK_STR(heard(), "");
	CHECK_EQ(write_block(HOT_BLOCK, "state", "offline"), 0);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:OFFLINE");
	/* online, no single zone */
	CHECK_EQ(write_block(0, "state", "online"), -EINVAL);
	CHECK_EQ(write_block(0, "state", "offline"), -EINVAL);
	CHECK_EQ(write_block(0, "online", "1"), 0);
	CHECK_EQ(write_block(0, "online", "0"), -EINVAL);
	CHECK_STR(heard(), "");
	CHECK_STR(read_block(0, "online"), "1");
}

TEST(SYSFS_36, "a write during a transaction waits and then finds the state that this one left")
{
	static struct listener listener = { .hook = wait_in_offline };
	static struct file_write offline = { "state", "offline", 0 };
	static struct file_write writes[] = {
		{ "state", "online", 0 }, { "state", "offline", -EINVAL },
		{ "online", "0", 0 }, { "online", "1", 0 },
	};
	struct worker offliner, writer;
	size_t i;

	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 1);
	sem_init(&in_callback, 0, 0);
	sem_init(&may_return, 0, 0);
	listen_as(&listener, "A", 0);
	for (i = 0; i < ARRAY_SIZE(writes); i++) {
		CHECK_EQ(write_block(HOT_BLOCK, "online", "1"), 0);
		worker_start(&offliner, write_file, &offline);
		while (sem_wait(&in_callback))
			;
		worker_start(&writer, write_file, &writes[i]);
		worker_await_sleep(&writer);
		CHECK_STR(read_block(HOT_BLOCK, "state"), "going-offline");
		sem_post(&may_return);
		CHECK_EQ(worker_join(&offliner), 0);
		CHECK_EQ(worker_join(&writer), writes[i].expected);
	}
}
