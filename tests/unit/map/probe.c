/* SPDX-License-Identifier: MIT */
/* Which mechanism is in force, what the tree says of it, and programs without privileges. */
#include "live.h"

#include "map/map.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>

static const char *map_file(void)
{
	return read_file("/memplug/map");
}

TEST(probe_file, "the tree tells what is in force, what it costs, and how many windows there were")
{
	char *at;

	start(2);
	at = map(MIB, MP_MAP_POPULATE);
	CHECK_STR(mp_map_mechanism(), "userfaultfd-wp");
	CHECK_EQ(set_state(HOT_BLOCK, "offline") | set_state(HOT_BLOCK, "online_movable"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "offline"), 0);
	CHECK(strstr(map_file(), "mechanism userfaultfd-wp\n") != NULL);
	CHECK(strstr(map_file(), "in force") != NULL);
	CHECK(strstr(map_file(), "\nbytes 1048576\n") != NULL);
	CHECK(strstr(map_file(), "costs writers of a granule wait") != NULL);
	CHECK_GE(map_stats().bytes_moved, MIB);
	CHECK_GT(map_stats().window_ns_max, 0);
	CHECK_EQ(mp_unmap(at, MIB), 0);
	finish();
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	CHECK_EQ(syscall(SYS_capset, &header, data), 0);
}

static bool unprivileged_may(void)
{
	char text[8] = { 0 };
	int fd = open("/proc/sys/vm/unprivileged_userfaultfd", O_RDONLY);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 1)
		text[0] = 0;
	close(fd);
	return text[0] == '1';
}

TEST(probe_device, "without CAP_SYS_PTRACE but with access to /dev/userfaultfd: that one, and it moves all the same")
{
	char *at;

	if (access("/dev/userfaultfd", R_OK | W_OK) || unprivileged_may())
		SKIP("needs /dev/userfaultfd, and vm.unprivileged_userfaultfd=0");
	drop_capabilities();
	start(2);
	CHECK_EQ(mechanism.source, SOURCE_DEVICE);
	CHECK(strstr(map_file(), "probe /dev/userfaultfd: in force") != NULL);
	at = map(4 * MIB, 0);
	write_pattern(at, 4 * MIB, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

TEST(probe_none, "a program that may use neither is refused, and told what to do")
{
	struct mp_reason reason;
	void *at = NULL;

	if (unprivileged_may() || getuid())
		SKIP("needs root, and vm.unprivileged_userfaultfd=0");
	machine_boot(NULL);
	CHECK_EQ(setgroups(0, NULL) | setgid(65534) | setuid(65534), 0);
	CHECK_EQ(mp_map(&at, MIB, -1, 0), -EOPNOTSUPP);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK(strstr(reason.text, "CAP_SYS_PTRACE") != NULL);
	CHECK(strstr(reason.text, "/dev/userfaultfd") != NULL);
	CHECK_STR(mp_map_mechanism(), "none");
	CHECK(strstr(map_file(), "mechanism none\n") != NULL);
	CHECK_EQ(mp_shutdown(), 0);
}

TEST(probe_kind, "memory of a kind that cannot be held is refused with a reason; nothing is taken")
{
	char path[] = "/tmp/memplug-probe-XXXXXX", text[256];
	struct mp_reason reason;
	void *at = NULL;
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	close(fd);
	snprintf(text, sizeof(text), "overcommit = yes\nbacking 0x%lx 0x%lx file path %s\n", HOT, 1UL << 30, path);
	machine_boot(text);
	unlink(path);
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	if (mp_map_prepare())
		SKIP("userfaultfd with write protection is not to be had here");
	CHECK_EQ(mp_map(&at, MIB, 1, MP_MAP_THISNODE), -EOPNOTSUPP);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK(strstr(reason.text, "memfd, anonymous or hugetlb") != NULL);
	finish();
}
