/* SPDX-License-Identifier: MIT */
/* Each outcome of the probes for what holds writers, and of blocks that the host will not bind. */
#include "../unit/map/live.h"

#include "map/map.h"
#include "wrap.h"
#include <fcntl.h>

static const char *map_file(void)
{
	return read_file("/memplug/map");
}

static void moves(const char *source)
{
	char wanted[128], *at = map(4 * MIB, 0);

	snprintf(wanted, sizeof(wanted), "probe %s: in force\n", source);
	CHECK(strstr(map_file(), wanted) != NULL);
	CHECK_STR(mp_map_mechanism(), "userfaultfd-wp");
	write_pattern(at, 4 * MIB, 1);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(set_state(HOT_BLOCK + i, "offline"), 0);
		CHECK_EQ(set_state(HOT_BLOCK + i, "online_movable"), 0);
	}
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

static void refused(const char *why)
{
	struct mp_reason reason;
	void *at = NULL;

	machine_boot("overcommit = yes\n");
	CHECK_EQ(mp_map_prepare(), -EOPNOTSUPP);
	CHECK_EQ(mp_map(&at, MIB, -1, 0), -EOPNOTSUPP);
	CHECK_EQ(mp_last_reason(&reason), 0);
	if (!strstr(reason.text, why))
		FAIL("the reason is: %s", reason.text);
	CHECK(strstr(reason.text, "anonymous") != NULL);
	CHECK_STR(mp_map_mechanism(), "none");
	CHECK(strstr(map_file(), "mechanism none\n") != NULL);
	CHECK(strstr(map_file(), "costs mp_map() is refused: ") != NULL);
	CHECK_EQ(mp_shutdown(), 0);
}

TEST(probe_call_first, "userfaultfd(2) comes first, and the others are not tried")
{
	start(2);
	if (mechanism.source != SOURCE_CALL)
		SKIP("userfaultfd(2) may not be used here");
	CHECK(strstr(map_file(), "probe /dev/userfaultfd: not needed") != NULL);
	moves("userfaultfd(2)");
}

TEST(probe_then_device, "/dev/userfaultfd comes next")
{
	fault_always("os_userfaultfd", -EPERM);
	start(2);
	if (mechanism.source != SOURCE_DEVICE)
		SKIP("needs /dev/userfaultfd");
	CHECK(strstr(map_file(), "probe userfaultfd(2): Operation not permitted\n") != NULL);
	moves("/dev/userfaultfd");
}

static void give(int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", fd);
	setenv("MEMPLUG_USERFAULTFD", text, 1);
}

TEST(probe_then_inherited, "an inherited descriptor of the device comes last, and may be closed afterwards")
{
	int fd = open("/dev/userfaultfd", O_RDWR);

	if (fd < 0)
		SKIP("needs /dev/userfaultfd");
	fault_always("os_userfaultfd", -EPERM);
	fault_always("os_open_device", -EACCES);
	give(fd);
	start(2);
	CHECK_EQ(mechanism.source, SOURCE_INHERITED);
	close(fd);
	close(mechanism.uffd);
	CHECK(strstr(map_file(), "probe /dev/userfaultfd: Permission denied\n") != NULL);
	moves("MEMPLUG_USERFAULTFD");
}

TEST(probe_inherited_wrong, "what is named as inherited and is no such descriptor is left alone")
{
	int file = open("/dev/null", O_RDWR), pipes[2];

	fault_always("os_userfaultfd", -EPERM);
	fault_always("os_open_device", -EACCES);
	CHECK_EQ(pipe(pipes), 0);
	give(file);
	refused("CAP_SYS_PTRACE");
	CHECK(fcntl(file, F_GETFD) >= 0);
	give(pipes[0]);
	refused("MEMPLUG_USERFAULTFD");
	CHECK(strstr(strerror(-mechanism.error[SOURCE_INHERITED]), "Bad file") != NULL);
	setenv("MEMPLUG_USERFAULTFD", "7x", 1);
	refused("/dev/userfaultfd Permission denied");
	CHECK_EQ(mechanism.error[SOURCE_INHERITED], -EINVAL);
	setenv("MEMPLUG_USERFAULTFD", "", 1);
	refused("userfaultfd(2) says Operation not permitted");
	CHECK_EQ(mechanism.error[SOURCE_INHERITED], -ENOENT);
}

TEST(probe_old_linux, "a Linux that cannot write-protect shared memory is named as the reason")
{
	fault_always("os_uffd_begin", -EINVAL);
	refused("5.19 or later can");
	/* Not refused for good. */
	fault_always("os_uffd_begin", 0);
	machine_boot("overcommit = yes\n");
	if (mp_map_prepare())
		SKIP("userfaultfd with write protection is not to be had here");
	CHECK_EQ(mp_shutdown(), 0);
}

TEST(probe_anonymous, "a machine of anonymous memory asks for none of it")
{
	char *at;

	fault_always("os_userfaultfd", -EPERM);
	fault_always("os_open_device", -EACCES);
	machine_boot("overcommit = yes\nbacking = anonymous\n");
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable") | set_state(HOT_BLOCK + 1, "online_movable"), 0);
	at = map(4 * MIB, 0);
	write_pattern(at, 4 * MIB, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "offline") | set_state(HOT_BLOCK, "online_movable"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "offline"), 0);
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	CHECK(strstr(map_file(), "mechanism anonymous\n") != NULL);
	CHECK(strstr(map_file(), "probe userfaultfd(2): not needed\n") != NULL);
	CHECK(strstr(map_file(), "anonymous memory costs nothing") != NULL);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

TEST(probe_mixed, "a machine of both: without userfaultfd only its anonymous memory can be mapped")
{
	struct mp_reason reason;
	void *at = NULL, *refused_at = NULL;

	fault_always("os_userfaultfd", -EPERM);
	fault_always("os_open_device", -EACCES);
	machine_boot("overcommit = yes\nbacking node 1 anonymous\n");
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	CHECK_EQ(mp_map(&at, MIB, 1, MP_MAP_THISNODE), 0);
	CHECK_EQ(mp_map(&refused_at, MIB, 0, MP_MAP_THISNODE), -EOPNOTSUPP);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK(strstr(reason.text, "CAP_SYS_PTRACE") != NULL);
	CHECK_STR(mp_map_mechanism(), "anonymous");
	CHECK(strstr(map_file(), "costs mp_map() is refused but for anonymous memory: ") != NULL);
	CHECK_EQ(mp_unmap(at, MIB), 0);
	finish();
}

TEST(probe_bound, "what the host will not move to the node of another block stays, its block too, and the reason says so")
{
	struct mp_reason reason;
	char *at;

	machine_boot("overcommit = yes\nbacking = anonymous\nbacking node 2 anonymous host_node 0\n");
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	at = map(4 * MIB, MP_MAP_POPULATE);
	write_pattern(at, 4 * MIB, 1);
	while (alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0))
		;
	add_blocks(2, HOT_BLOCK + 8, 1);
	CHECK_EQ(set_state(HOT_BLOCK + 8, "online_movable"), 0);
	fault_always("os_bind_moving", -EIO);
	/* However long it takes until one was tried. */
	for (unsigned int deadline = 100; !map_stats().failed; deadline *= 2) {
		mp_set_deadline(deadline);
		CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EINTR);
	}
	mp_set_deadline(100);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EINTR);
	mp_set_deadline(0);
	CHECK_EQ(mp_block_reason(HOT_BLOCK, &reason), 0);
	if (!strstr(reason.text, "held, or no room of its kind"))
		FAIL("the reason is: %s", reason.text);
	CHECK_STR(read_block(HOT_BLOCK, "state"), "online");
	CHECK_EQ(mp_block_resident(HOT_BLOCK), 4 * (int64_t)MIB);
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	fault_always("os_bind_moving", 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(mp_block_resident(HOT_BLOCK + 8), 4 * (int64_t)MIB);
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	CHECK_EQ(map_stats().bytes, 0);
}
