/* SPDX-License-Identifier: MIT */
/* When the uevents of blocks and nodes are sent, and what can be seen while they are. */
#include "../tree.h"

/* What one uevent saw; `look` fills it in for events that begin with `wanted`. */
static struct {
	const char *wanted;
	int count;
	char text[512];	 /* the message, newlines for NULs */
	char files[1024]; /* listing of memory32 */
	bool node1;	 /* its directory is there */
	long state;
	bool flag_offline, device_locked, hotplug_held, mem_locked;
} seen;

static bool locked_by_me(const struct mutex *mutex)
{
	return mutex->owner == gettid();
}

static void look(const char *text, size_t size, void *arg)
{
	struct memory_block *mem = find_memory_block(pfn_to_section_nr(HOT_PFN));
	size_t i;

	if (strncmp(text, seen.wanted, strlen(seen.wanted)))
		goto out;
	seen.count++;
	for (i = 0; i < size && i < sizeof(seen.text) - 1; i++)
		seen.text[i] = text[i] ? text[i] : '\n';
	snprintf(seen.files, sizeof(seen.files), "%s", listing(MEMORY "/memory32"));
	seen.node1 = exists(NODE_ROOT "/node1");
	seen.hotplug_held = device_hotplug_lock_held();
	seen.mem_locked = percpu_is_write_locked(&mp_mem_hotplug_lock);
	if (mem) {
		seen.state = (long)mem->state;
		seen.flag_offline = mem->dev.offline;
		seen.device_locked = locked_by_me(&mem->dev.mutex);
	}
out:
	if (mem)
		put_device(&mem->dev);
}

static void look_for(const char *wanted)
{
	seen.wanted = wanted;
	CHECK_EQ(mp_uevent_listen(look, NULL), 0);
}

static const char *without_number(char *text)
{
	char *number = strstr(text, "SEQNUM=");

	CHECK(number);
	CHECK_GT(atol(number + 7), 0);
	strcpy(number, "SEQNUM=N\n");
	return text;
}

TEST(UEVENT_2, "blocks and nodes: their paths and subsystems")
{
	machine_boot(NULL);
	look_for("add@/devices/system/memory/memory32");
	add_blocks(1, 32, 1);
	CHECK_STR(without_number(seen.text),
		  "add@/devices/system/memory/memory32\nACTION=add\n"
		  "DEVPATH=/devices/system/memory/memory32\nSUBSYSTEM=memory\nSEQNUM=N\n");
	seen.wanted = "remove@/devices/system/node/node1";
	CHECK_EQ(remove_blocks(32, 1), 0);
	CHECK_STR(without_number(seen.text),
		  "remove@/devices/system/node/node1\nACTION=remove\n"
		  "DEVPATH=/devices/system/node/node1\nSUBSYSTEM=node\nSEQNUM=N\n");
}

/* The block is not in the table of blocks yet when `add` is sent; its bus knows it. */
static int note_nid(struct device *dev, void *arg)
{
	if (!strcmp(dev_name(dev), "memory32"))
		*(int *)arg = to_memory_block(dev)->nid;
	return 0;
}

static void look_at_nid(const char *text, size_t size, void *arg)
{
	if (strstr(text, "add@/devices/system/memory/memory32"))
		bus_for_each_dev(&memory_subsys, note_nid, arg);
}

TEST(UEVENT_5, "add comes when the files are there, but no node link, node or nid; both locks are held")
{
	int nid_at_add = 99;

	machine_boot(NULL);
	CHECK_EQ(mp_uevent_listen(look_at_nid, &nid_at_add), 0);
	look_for("add@/devices/system/memory/memory32");
	add_blocks(1, 32, 1);
	CHECK_EQ(seen.count, 1);
	CHECK_STR(seen.files, "online 0644 4096\n"
			      "phys_device 0444 4096\n"
			      "phys_index 0444 4096\n"
			      "power/\n"
			      "removable 0444 4096\n"
			      "state 0644 4096\n"
			      "subsystem -> ../../../../bus/memory\n"
			      "uevent 0644 4096\n"
			      "valid_zones 0444 4096");
	CHECK(!seen.node1);
	CHECK(seen.hotplug_held);
	CHECK(seen.mem_locked);
	CHECK_EQ(nid_at_add, -1);
	note_nid(&get_block(32)->dev, &nid_at_add);
	CHECK_EQ(nid_at_add, 1);
	CHECK(strstr(listing(MEMORY "/memory32"), "node1 -> ../../node/node1\n"));
	CHECK(exists(NODE_ROOT "/node1/memory32"));
}

TEST(UEVENT_6, "online comes after MEM_ONLINE, with the state set, without mem_hotplug_lock, before the flag")
{
	static struct listener listener;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	listen_as(&listener, "A", 0);
	look_for("online@");
	uevents();
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(seen.count, 1);
	CHECK_EQ(seen.state, MEM_ONLINE);
	CHECK(seen.flag_offline);
	CHECK(seen.device_locked);
	CHECK(!seen.mem_locked);
	CHECK_EQ(last_seen(&listener).action, MEM_ONLINE);
	CHECK_STR(read_block(32, "online"), "1");
	CHECK_STR(uevents(), "online@memory32");
}

static struct worker reader;

static long read_online(void *arg)
{
	return strcmp(read_block(32, "online"), "0") == 0;
}

/* While offline@ is sent, another thread wants to read `online`. */
static void start_reader(const char *text, size_t size, void *arg)
{
	if (strncmp(text, "offline@", 8))
		return;
	worker_start(&reader, read_online, NULL);
	worker_await_sleep(&reader);
}

TEST(UEVENT_7, "offline comes after MEM_OFFLINE, with the state set; who reads online then, reads 0")
{
	static struct listener listener;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(set_state(32, "online"), 0);
	listen_as(&listener, "A", 0);
	look_for("offline@");
	CHECK_EQ(mp_uevent_listen(start_reader, NULL), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(seen.count, 1);
	CHECK_EQ(seen.state, MEM_OFFLINE);
	CHECK(!seen.flag_offline);
	CHECK(seen.device_locked);
	CHECK(!seen.mem_locked);
	CHECK_EQ(last_seen(&listener).action, MEM_OFFLINE);
	CHECK_EQ(worker_join(&reader), 1);
}

TEST(uevent_failures, "refused operations on a block send nothing, and nothing sends change")
{
	static struct listener veto;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	uevents();
	listen_as(&veto, "A", 0);
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), -EPERM);
	CHECK_EQ(set_state(32, "offline"), -EINVAL);
	CHECK_STR(uevents(), "");
	listener_answer(&veto, MEM_GOING_ONLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_STR(uevents(), "online@memory32");
}

TEST(UEVENT_10, "adding two blocks on a new node with auto-online, and removing them: the whole order")
{
	machine_boot("memhp_default_state = online\n");
	uevents();
	add_blocks(1, 32, 2);
	CHECK_STR(uevents(), "add@memory32 add@memory33 add@node1 online@memory32 online@memory33");
	CHECK_EQ(offline_and_remove_memory(HOT, 2 * BLOCK_BYTES), 0);
	CHECK_STR(uevents(), "offline@memory32 offline@memory33 remove@memory32 remove@memory33 "
			     "remove@node1");
}
