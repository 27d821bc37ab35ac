/* SPDX-License-Identifier: MIT */
/* /sys/module/memory_hotplug and the options of the kernel's command line. */
#include "../tree.h"

#define MODULE "/sys/module/memory_hotplug"
#define PARAM MODULE "/parameters/"

TEST(PARAM_1, "the module's directory: uevent and the four parameters with their modes")
{
	machine_boot(NULL);
	CHECK_STR(listing(MODULE), "parameters/\nuevent 0200 4096");
	CHECK_STR(listing(MODULE "/parameters"), "auto_movable_numa_aware 0644 4096\n"
						 "auto_movable_ratio 0644 4096\n"
						 "memmap_on_memory 0444 4096\n"
						 "online_policy 0644 4096");
	uevents();
	CHECK_EQ(mp_write_string(MODULE "/uevent", "change"), 0);
	CHECK_STR(uevents(), "change@memory_hotplug");
}

TEST(PARAM_2, "online_policy: two words, contig-zones at first")
{
	static const char *const bad[] = { "contig", "auto-movable ", " auto-movable", "1", "\n",
					   "Auto-movable", "auto-movable\n\n" };
	size_t i;

	machine_boot(NULL);
	CHECK_STR(raw(PARAM "online_policy"), "contig-zones\n");
	CHECK_EQ(mp_write(PARAM "online_policy", "auto-movable\n", 13), 13);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (mp_write_string(PARAM "online_policy", bad[i]) != -EINVAL)
			FAIL("\"%s\" was taken", bad[i]);
	CHECK_STR(raw(PARAM "online_policy"), "auto-movable\n");
	CHECK_EQ(mp_write(PARAM "online_policy", "contig-zones", 12), 12);
	CHECK_STR(raw(PARAM "online_policy"), "contig-zones\n");
}

TEST(PARAM_3, "auto_movable_ratio: an unsigned 32-bit number, 301 at first; 0 never chooses Movable")
{
	static const struct {
		const char *text;
		int error;
	} bad[] = {
		{ "-1", -EINVAL },	{ "x", -EINVAL },    { "", 0 },
		{ "1 ", -EINVAL },	{ " 1", -EINVAL },   { "1\n\n", -EINVAL },
		{ "08", -EINVAL },	{ "0x", -EINVAL },   { "4294967296", -ERANGE },
		{ "99999999999999999999", -ERANGE },
	};
	size_t i;

	machine_boot("online_policy = auto-movable\n");
	CHECK_STR(raw(PARAM "auto_movable_ratio"), "301\n");
	CHECK_EQ(mp_write_string(PARAM "auto_movable_ratio", "4294967295\n"), 0);
	CHECK_STR(raw(PARAM "auto_movable_ratio"), "4294967295\n");
	CHECK_EQ(mp_write_string(PARAM "auto_movable_ratio", "0x10"), 0);
	CHECK_STR(raw(PARAM "auto_movable_ratio"), "16\n");
	CHECK_EQ(mp_write_string(PARAM "auto_movable_ratio", "010"), 0);
	CHECK_STR(raw(PARAM "auto_movable_ratio"), "8\n");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (mp_write_string(PARAM "auto_movable_ratio", bad[i].text) != bad[i].error)
			FAIL("\"%s\"", bad[i].text);
	CHECK_STR(raw(PARAM "auto_movable_ratio"), "8\n");
	CHECK_EQ(mp_write_string(PARAM "auto_movable_ratio", "0"), 0);
	add_blocks(0, 32, 1);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(read_block(32, "valid_zones"), "Normal");
}

TEST(PARAM_4, "auto_movable_numa_aware: a boolean as in `online`, shown as Y or N, Y at first")
{
	machine_boot(NULL);
	CHECK_STR(raw(PARAM "auto_movable_numa_aware"), "Y\n");
	CHECK_EQ(mp_write_string(PARAM "auto_movable_numa_aware", "off"), 0);
	CHECK_STR(raw(PARAM "auto_movable_numa_aware"), "N\n");
	CHECK_EQ(mp_write_string(PARAM "auto_movable_numa_aware", "maybe"), -EINVAL);
	CHECK_EQ(mp_write_string(PARAM "auto_movable_numa_aware", "o"), -EINVAL);
	CHECK_STR(raw(PARAM "auto_movable_numa_aware"), "N\n");
	CHECK_EQ(mp_write_string(PARAM "auto_movable_numa_aware", "1xyz\n"), 0);
	CHECK_STR(raw(PARAM "auto_movable_numa_aware"), "Y\n");
}

TEST(PARAM_5, "memmap_on_memory is set at boot only; opening it for writing gives EACCES")
{
	struct mp_file *file;

	machine_boot(NULL);
	CHECK_STR(raw(PARAM "memmap_on_memory"), "N\n");
	CHECK_EQ(mp_write_string(PARAM "memmap_on_memory", "Y"), -EACCES);
	CHECK_EQ(mp_open(PARAM "memmap_on_memory", O_RDWR, &file), -EACCES);
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot("memory_hotplug.memmap_on_memory = 1\n");
	CHECK_STR(raw(PARAM "memmap_on_memory"), "Y\n");
}

TEST(PARAM_6, "a change takes effect at the next decision and moves nothing that is online")
{
	machine_boot(NULL);
	add_blocks(0, 32, 2);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(read_block(32, "valid_zones"), "Normal");
	CHECK_STR(read_block(33, "valid_zones"), "Normal Movable");
	CHECK_EQ(mp_write_string(PARAM "online_policy", "auto-movable"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Movable Normal");
	CHECK_STR(read_block(32, "valid_zones"), "Normal");
	CHECK_EQ(set_state(33, "online"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Movable");
	CHECK_EQ(mp_write_string(PARAM "online_policy", "contig-zones"), 0);
	CHECK_STR(read_block(33, "valid_zones"), "Movable");
	CHECK_STR(read_block(32, "valid_zones"), "Normal");
}

TEST(PARAM_7, "the three writable parameters can be given at boot under their kernel names")
{
	machine_boot("memory_hotplug.online_policy = auto-movable\n"
		     "memory_hotplug.auto_movable_ratio = 42\n"
		     "memory_hotplug.auto_movable_numa_aware = N\n");
	CHECK_STR(raw(PARAM "online_policy"), "auto-movable\n");
	CHECK_STR(raw(PARAM "auto_movable_ratio"), "42\n");
	CHECK_STR(raw(PARAM "auto_movable_numa_aware"), "N\n");
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot(NULL);
	CHECK_STR(raw(PARAM "online_policy"), "contig-zones\n");
	CHECK_STR(raw(PARAM "auto_movable_ratio"), "301\n");
	CHECK_STR(raw(PARAM "auto_movable_numa_aware"), "Y\n");
}

TEST(PARAM_8, "movable_node makes a plain online choose Movable where neither zone is near")
{
	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_STR(read_block(32, "valid_zones"), "Normal Movable");
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot("movable_node = Y\n");
	add_blocks(1, 32, 1);
	CHECK_STR(read_block(32, "valid_zones"), "Movable Normal");
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_STR(read_block(32, "valid_zones"), "Movable");
}

TEST(PARAM_9, "memhp_default_state presets auto_online_blocks")
{
	static const char *const words[] = { "offline", "online", "online_kernel",
					     "online_movable" };
	char line[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(line, sizeof(line), "memhp_default_state = %s\n", words[i]);
		machine_boot(line);
		CHECK_STR(read_file(MEMORY "/auto_online_blocks"), words[i]);
		CHECK_EQ(mp_shutdown(), 0);
	}
}
