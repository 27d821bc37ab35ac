/* SPDX-License-Identifier: MIT */
/*
 * DIMMs in firmware slots: what plugging and ejecting do to blocks, groups, nodes, files and statuses. The driver
 * is ACPI's; what it asks of memory are the rules cited here.
 */
#include "../tree.h"

#include <linux/cpu.h>
#include <memplug/slot.h>
#include <sys/wait.h>

#define ACPI "/sys/bus/acpi/devices/PNP0C80:"

static char said[512];

/* "0:3:84 0:3:0 " */
static void on_status(int slot, int source, int status, void *arg)
{
	size_t len = strlen(said);

	CHECK(device_hotplug_lock_held());
	snprintf(said + len, sizeof(said) - len, "%d:%x:%x ", slot, (unsigned int)source,
		 (unsigned int)status);
}

static const char *statuses(void)
{
	static char copy[sizeof(said)];

	strcpy(copy, said);
	said[0] = '\0';
	return copy;
}

static void slots_boot(const char *more)
{
	machine_boot(more);
	CHECK_EQ(mp_slot_on_status(on_status, NULL), 0);
	uevents();
}

static void plug(int slot, long block, int count, int nid)
{
	struct mp_reason reason;
	int ret = mp_slot_plug(slot, (u64)block * BLOCK_BYTES, (u64)count * BLOCK_BYTES, nid);

	if (ret)
		FAIL("plug: error %d: %s", ret, mp_last_reason(&reason) ? "no reason" : reason.text);
}

TEST(slot_plug, "a DIMM becomes offline blocks of its node, one static group, and reports 0x0")
{
	struct mp_slot_info info;
	struct memory_group *group;
	struct memory_block *mem;

	slots_boot(NULL);
	plug(3, 32, 2, 1);
	CHECK_STR(uevents(), "add@memory32 add@memory33 add@node1");
	CHECK_STR(statuses(), "3:1:0 ");
	CHECK_STR(read_block(33, "state"), "offline");
	CHECK(exists(MEMORY "/memory33/node1"));
	CHECK_EQ(mp_slot_get(3, &info), 0);
	CHECK(info.enabled && info.start == HOT && info.size == 2 * BLOCK_BYTES && info.nid == 1);
	group = memory_group_find_by_id(info.group);
	CHECK(group && !group->is_dynamic && group->s.max_pages == 2 * BLOCK_PAGES);
	mem = get_block(33);
	CHECK(mem->group == group);
	put_device(&mem->dev);
	CHECK_EQ(mp_slot_eject(3), 0);
	CHECK_STR(uevents(), "remove@memory32 remove@memory33 remove@node1");
	CHECK_STR(statuses(), "3:3:84 3:3:0 ");
	CHECK_EQ(mp_slot_get(3, &info), -ENOENT);
	CHECK(!memory_group_find_by_id(0) && !node_online(1));
	machine_check();
}

TEST(slot_files, "the device of a slot and its blocks lead to each other, and go with the DIMM")
{
	slots_boot(NULL);
	plug(10, 32, 2, 1);
	CHECK_STR(listing("/sys/devices/LNXSYSTM:00/LNXSYBUS:00/PNP0C80:0a"),
		  "eject 0200 4096\nhid 0444 4096\npath 0444 4096\n"
		  "physical_node -> ../../../system/memory/memory32\n"
		  "physical_node1 -> ../../../system/memory/memory33\nstatus 0444 4096");
	CHECK_STR(read_file(ACPI "0a/hid"), "PNP0C80");
	CHECK_STR(read_file(ACPI "0a/status"), "15");
	CHECK_STR(read_file(ACPI "0a/path"), "\\_SB_.MHPC.MP0A");
	CHECK_STR(read_file(ACPI "0a/physical_node1/phys_index"), "00000021");
	CHECK_STR(read_file(MEMORY "/memory33/firmware_node/hid"), "PNP0C80");
	CHECK_EQ(mp_slot_eject(10), 0);
	CHECK(!exists(ACPI "0a"));
	CHECK_STR(listing("/sys/devices/LNXSYSTM:00/LNXSYBUS:00"), "");
}

TEST(slot_eject_file, "1 to the file eject takes the DIMM out, source 0x103; other words are refused")
{
	slots_boot(NULL);
	plug(0, 32, 1, 1);
	statuses();
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(mp_write_string(ACPI "00/eject", "0"), -EINVAL);
	CHECK_EQ(mp_write_string(ACPI "00/eject", "on"), -EINVAL);
	CHECK_EQ(mp_write_string(ACPI "00/eject", "1"), 0);
	CHECK_STR(statuses(), "0:3:84 0:103:0 ");
	CHECK(!block_exists(32) && !exists(ACPI "00"));
	CHECK_EQ(mp_write_string(ACPI "00/eject", "1"), -ENOENT);
	machine_check();
}

TEST(slot_auto_online, "plugged blocks go online by auto_online_blocks, before they are linked")
{
	slots_boot("memhp_default_state = online_movable\n");
	plug(0, 32, 2, 1);
	CHECK_STR(uevents(), "add@memory32 add@memory33 add@node1 online@memory32 online@memory33");
	CHECK_STR(read_block(33, "valid_zones"), "Movable");
	CHECK(exists(MEMORY "/memory33/firmware_node/hid"));
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK_STR(uevents(), "offline@memory32 offline@memory33 remove@memory32 remove@memory33 "
			     "remove@node1");
}

/* Refuses the first `times` offlines of one block. */
static struct {
	long block;
	int times;
} refusal;

static int refuse(struct notifier_block *nb, unsigned long action, void *data)
{
	struct memory_notify *arg = data;

	if (arg->start_pfn != block_pfn(refusal.block) || action != MEM_GOING_OFFLINE)
		return NOTIFY_OK;
	return refusal.times-- > 0 ? notifier_from_errno(-EPERM) : NOTIFY_OK;
}

static struct notifier_block refuser = { .notifier_call = refuse };

TEST(slot_eject_file, "the writer is not told that the DIMM stays: the status says so")
{
	slots_boot("memhp_default_state = online_movable\n");
	plug(0, 32, 1, 1);
	CHECK_EQ(register_memory_notifier(&refuser), 0);
	refusal.block = 32;
	refusal.times = 2;
	statuses();
	CHECK_EQ(mp_write_string(ACPI "00/eject", "1"), 0);
	CHECK_STR(statuses(), "0:3:84 0:103:82 ");
	CHECK_STR(read_block(32, "state"), "online");
	CHECK_EQ(mp_slot_eject(0), 0);
}

TEST(slot_retry, "a block that refuses once is asked again after all others, and the eject succeeds")
{
	struct listener a = { 0 };

	slots_boot("memhp_default_state = online_movable\n");
	plug(0, 32, 3, 1);
	statuses();
	CHECK_EQ(register_memory_notifier(&refuser), 0);
	listen_as(&a, "A", -1);
	refusal.block = 33;
	refusal.times = 1;
	uevents();
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK_STR(uevents(), "offline@memory32 offline@memory34 offline@memory33 "
			     "remove@memory32 remove@memory33 remove@memory34 remove@node1");
	CHECK_STR(statuses(), "0:3:84 0:3:0 ");
	machine_check();
}

TEST(slot_roll_back, "a block that refuses twice: what went offline is onlined again by default policy, 0x82, -EBUSY")
{
	struct mp_reason reason;

	slots_boot("memhp_default_state = online_movable\n");
	plug(0, 32, 4, 1);
	/* Offline before: it stays so. */
	CHECK_EQ(set_state(35, "offline"), 0);
	CHECK_EQ(register_memory_notifier(&refuser), 0);
	refusal.block = 33;
	refusal.times = 2;
	uevents();
	statuses();
	CHECK_EQ(mp_slot_eject(0), -EBUSY);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK(strstr(reason.text, "memory33") && strstr(reason.text, "refuser"));
	CHECK_STR(uevents(), "offline@memory32 offline@memory34 online@memory32 online@memory34");
	CHECK_STR(statuses(), "0:3:84 0:3:82 ");
	CHECK_EQ(refusal.times, 0);
	/* Not the zone they were in. */
	CHECK_STR(read_block(32, "valid_zones"), "Normal");
	CHECK_STR(read_block(35, "state"), "offline");
	CHECK(exists(MEMORY "/memory33/firmware_node"));
	machine_check();
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK_STR(statuses(), "0:3:84 0:3:0 ");
	machine_check();
}

static struct worker other;
static struct state_write other_write = { 40, "online" };

static void held(const char *text, size_t size, void *arg)
{
	CHECK(device_hotplug_lock_held());
}

static void let_other_wait(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE && arg->start_pfn == block_pfn(32)) {
		worker_start(&other, write_state, &other_write);
		worker_await_sleep(&other);
	}
	if (action == MEM_OFFLINE && arg->start_pfn == block_pfn(33))
		CHECK(!worker_done(&other));
	if (action == MEM_GOING_ONLINE)
		CHECK(!block_exists(32) && !block_exists(33));
}

TEST(CPU_2, "device_hotplug_lock is held over a whole plug and eject: who wants it waits to the end")
{
	struct listener a = { .hook = let_other_wait };

	slots_boot("memhp_default_state = online_movable\n");
	plug(0, 32, 2, 1);
	CHECK_EQ(mp_write_string(MEMORY "/auto_online_blocks", "offline"), 0);
	add_blocks(2, 40, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(mp_uevent_listen(held, NULL), 0);
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK_EQ(worker_join(&other), 0);
	CHECK_EQ(a.calls, 6);
	plug(0, 32, 2, 1);
	machine_check();
}

TEST(slot_unusable, "memory that cannot be added: the DIMM sits in its slot, 0x0 is reported, the caller gets the errno")
{
	struct mp_slot_info info;

	slots_boot(NULL);
	CHECK_EQ(mp_slot_plug(0, HOT, BLOCK_BYTES / 2, 1), -EINVAL);
	CHECK_STR(statuses(), "0:1:0 ");
	CHECK_EQ(mp_slot_get(0, &info), 0);
	CHECK(!info.enabled && info.group < 0 && info.size == BLOCK_BYTES / 2);
	CHECK(exists(ACPI "00/hid") && !exists(ACPI "00/physical_node"));
	CHECK_EQ(mp_slot_plug(1, HOT + BLOCK_BYTES, BLOCK_BYTES, 9), -EINVAL);
	CHECK_EQ(mp_slot_plug(2, 1ULL << 45, BLOCK_BYTES, 1), -E2BIG);
	CHECK_EQ(mp_slot_plug(3, 0, 2 * BLOCK_BYTES, 0), 0);
	statuses();
	CHECK(!memory_group_find_by_id(1));
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK_EQ(mp_slot_eject(1), 0);
	CHECK_EQ(mp_slot_eject(2), 0);
	CHECK_STR(statuses(), "0:3:84 0:3:0 1:3:84 1:3:0 2:3:84 2:3:0 ");
	CHECK_STR(uevents(), "");
	machine_check();
}

TEST(slot_take_over, "memory that was there before is taken over as it is, and leaves with the DIMM")
{
	slots_boot(NULL);
	add_blocks(1, 32, 2);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	/* Only as whole blocks that are all there. */
	CHECK_EQ(mp_slot_plug(1, HOT + BLOCK_BYTES, 2 * BLOCK_BYTES, 1), -EEXIST);
	CHECK_EQ(mp_slot_eject(1), 0);
	CHECK(block_exists(33));
	plug(0, 32, 2, 1);
	CHECK(exists(MEMORY "/memory33/firmware_node/hid"));
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK(!block_exists(32) && !block_exists(33) && !node_online(1));
	machine_check();
}

TEST(slot_behind_its_back, "blocks that somebody removed, or put in their place, are not the DIMM's")
{
	slots_boot(NULL);
	plug(0, 32, 3, 1);
	CHECK_EQ(remove_blocks(33, 1), 0);
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK(!block_exists(32) && !block_exists(34));
	plug(0, 32, 2, 1);
	CHECK_EQ(remove_blocks(32, 2), 0);
	add_blocks(2, 32, 1);
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK(block_exists(32) && node_online(2) && !node_online(1));
	machine_check();
}

TEST(slot_node, "a node that the firmware does not name is the first one")
{
	struct mp_slot_info info;

	slots_boot(NULL);
	plug(0, 32, 1, -1);
	CHECK_EQ(mp_slot_get(0, &info), 0);
	CHECK_EQ(info.nid, 0);
	CHECK(exists(MEMORY "/memory32/node0"));
}

TEST(slot_memmap, "a DIMM of one block holds its own descriptors when memmap_on_memory allows")
{
	struct memory_block *mem;

	slots_boot("memmap_on_memory = Y\n");
	plug(0, 32, 1, 1);
	plug(1, 33, 2, 1);
	mem = get_block(32);
	CHECK_EQ(mem->nr_vmemmap_pages, 512);
	put_device(&mem->dev);
	mem = get_block(33);
	CHECK_EQ(mem->nr_vmemmap_pages, 0);
	put_device(&mem->dev);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(mp_slot_eject(0), 0);
	CHECK_EQ(mp_slot_eject(1), 0);
	machine_check();
}

TEST(slot_nonsense, "nonsense is refused and changes nothing")
{
	static struct text before, after;
	struct mp_slot_info info;

	CHECK_EQ(mp_slot_plug(0, HOT, BLOCK_BYTES, 1), -ENXIO);
	CHECK_EQ(mp_slot_eject(0), -ENXIO);
	CHECK_EQ(mp_slot_get(0, &info), -ENXIO);
	slots_boot(NULL);
	plug(7, 32, 1, 1);
	statuses();
	uevents();
	snapshot(&before);
	CHECK_EQ(mp_slot_plug(-1, HOT + BLOCK_BYTES, BLOCK_BYTES, 1), -EINVAL);
	CHECK_EQ(mp_slot_plug(MP_SLOTS, HOT + BLOCK_BYTES, BLOCK_BYTES, 1), -EINVAL);
	CHECK_EQ(mp_slot_plug(0, HOT + BLOCK_BYTES, 0, 1), -EINVAL);
	CHECK_EQ(mp_slot_plug(0, ~0ULL - 4095, BLOCK_BYTES, 1), -EINVAL);
	CHECK_EQ(mp_slot_plug(7, HOT + BLOCK_BYTES, BLOCK_BYTES, 1), -EEXIST);
	CHECK_EQ(mp_slot_plug(0, HOT - BLOCK_BYTES, 2 * BLOCK_BYTES, 1), -EEXIST);
	CHECK_EQ(mp_slot_eject(-1), -EINVAL);
	CHECK_EQ(mp_slot_eject(MP_SLOTS), -EINVAL);
	CHECK_EQ(mp_slot_eject(6), -ENOENT);
	CHECK_EQ(mp_slot_get(7, NULL), -EINVAL);
	CHECK_EQ(mp_slot_get(-1, &info), -EINVAL);
	CHECK_STR(statuses(), "");
	CHECK_STR(uevents(), "");
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	machine_check();
}

static int answers[3];

static void call_slots(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct mp_slot_info info;

	if (action != MEM_GOING_ONLINE)
		return;
	answers[0] = mp_slot_plug(1, HOT + BLOCK_BYTES, BLOCK_BYTES, 1);
	answers[1] = mp_slot_eject(0);
	answers[2] = mp_slot_get(0, &info);
}

TEST(slot_in_callback, "from a memory event callback each call is the fatal hook's and -EDEADLK")
{
	struct listener a = { .hook = call_slots };

	slots_boot(NULL);
	allow_fatal();
	plug(0, 32, 1, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK(answers[0] == -EDEADLK && answers[1] == -EDEADLK && answers[2] == -EDEADLK);
	CHECK_EQ(fatals(), 3);
}

TEST(slot_fork, "a child has empty slots and no CPUs until it boots its own; the parent's stay")
{
	struct mp_slot_info info;
	int status;
	pid_t child;

	slots_boot("cpu 1 node 1\n");
	plug(0, 32, 1, 1);
	fflush(stdout);
	child = fork();
	CHECK_GE(child, 0);
	if (!child) {
		if (mp_slot_get(0, &info) != -ENXIO || add_cpu(1) != -ENXIO || num_possible_cpus())
			_exit(1);
		machine_boot("cpu 1 node 1 offline\n");
		if (mp_slot_plug(0, HOT, BLOCK_BYTES, 1) || add_cpu(1) || mp_slot_eject(0))
			_exit(2);
		_exit(mp_check(NULL, NULL) ? 3 : 0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
	CHECK_EQ(mp_slot_get(0, &info), 0);
	CHECK_EQ(remove_cpu(1), 0);
	CHECK_EQ(mp_slot_eject(0), 0);
	machine_check();
}

TEST(slot_shutdown, "shutdown takes plugged DIMMs with it, and the next machine's slots are empty")
{
	struct mp_slot_info info;

	slots_boot("memhp_default_state = online_movable\n");
	plug(0, 32, 2, 1);
	CHECK_EQ(mp_shutdown(), 0);
	CHECK_EQ(mp_slot_get(0, &info), -ENXIO);
	machine_boot(NULL);
	CHECK_EQ(mp_slot_get(0, &info), -ENOENT);
	plug(0, 32, 2, 1);
	machine_check();
}
