/* SPDX-License-Identifier: MIT */
/* The tree as a file system: who waits, who is interrupted, what becomes of it when one side ends. */
#include "world.h"

TEST(MAP_2, "a writer that queues goes at once with a signal that kills, and stays with one it handles")
{
	pid_t pid;

	begin();
	lock_device_hotplug();
	/* With the lock held by us each wait below can only end by the signal. */
	pid = start_io(MEMORY "/memory32/state", "online");
	AWAIT(waits(pid));
	kill(pid, SIGKILL);
	CHECK_EQ(end_of(pid), SIGKILL);
	pid = start_io(MEMORY "/memory32/state", "online");
	AWAIT(waits(pid));
	kill(pid, SIGTERM);
	CHECK_EQ(end_of(pid), SIGTERM);
	/* The kernel tells the mount of the first signal only. */
	pid = start_io(MEMORY "/memory32/state", "online");
	AWAIT(waits(pid));
	kill(pid, SIGALRM);
	CHECK_EQ(access(at("/proc/zoneinfo"), F_OK), 0);
	kill(pid, SIGKILL);
	CHECK_EQ(end_of(pid), SIGKILL);
	pid = start_io(MEMORY "/memory32/state", "online");
	AWAIT(waits(pid));
	kill(pid, SIGALRM);
	CHECK_EQ(access(at("/proc/iomem"), F_OK), 0);
	unlock_device_hotplug();
	CHECK_EQ(end_of(pid), 0);
	CHECK_STR(read_block(32, "state"), "online");
	stop_mount();
	machine_check();
}

TEST(MAP_2, "behind an offline that does not end, another writer to the same file can be killed")
{
	struct page *page;
	pid_t pid, other;

	begin();
	CHECK_EQ(set_state(32, "online_movable"), 0);
	page = stuck_take(1);
	pid = start_io(MEMORY "/memory32/state", "offline");
	AWAIT(!strcmp(read_block(32, "state"), "going-offline"));
	other = start_io(MEMORY "/memory32/state", "offline");
	AWAIT(waits(other));
	kill(other, SIGKILL);
	CHECK_EQ(end_of(other), SIGKILL);
	kill(pid, SIGKILL);
	CHECK_EQ(end_of(pid), SIGKILL);
	AWAIT(!strcmp(read_block(32, "state"), "online"));
	__free_page(page);
	stop_mount();
	machine_check();
}

TEST(MAP_3, "any signal of the writer ends an offline that runs: EINTR, and the block is online")
{
	struct page *page;
	pid_t pid;

	begin();
	CHECK_EQ(set_state(32, "online_movable"), 0);
	page = stuck_take(1);
	pid = start_io(MEMORY "/memory32/state", "offline");
	AWAIT(!strcmp(read_block(32, "state"), "going-offline"));
	kill(pid, SIGALRM);
	CHECK_EQ(end_of(pid), EINTR << 8);
	CHECK_STR(read_block(32, "state"), "online");
	__free_page(page);
	stop_mount();
	machine_check();
}

#define MANY 12

TEST(MAP_4, "readers of online wait for their block's offline, and nobody else waits for them")
{
	pid_t reader[MANY], writer[MANY], pid;
	char text[16] = "";
	struct page *page;
	int i;

	begin();
	CHECK_EQ(set_state(32, "online_movable"), 0);
	page = stuck_take(1);
	pid = start_io(MEMORY "/memory32/state", "offline");
	AWAIT(!strcmp(read_block(32, "state"), "going-offline"));
	/* More than the mount or the socket has threads. */
	for (i = 0; i < MANY; i++) {
		reader[i] = start_io(MEMORY "/memory32/online", NULL);
		writer[i] = start_io(MEMORY "/memory33/state", "online");
	}
	for (i = 0; i < MANY; i++)
		AWAIT(waits(reader[i]) && waits(writer[i]));
	CHECK_EQ(read_mounted(MEMORY "/memory33/online", text, sizeof(text)), 2);
	CHECK_STR(text, "0\n");
	/* Nonsense is refused before it waits (LOCK-20). */
	CHECK_EQ(end_of(start_io(MEMORY "/memory33/state", "nonsense")), EINVAL << 8);
	kill(reader[0], SIGKILL);
	CHECK_EQ(end_of(reader[0]), SIGKILL);
	__free_page(page);
	CHECK_EQ(end_of(pid), 0);
	for (i = 1; i < MANY; i++)
		CHECK_EQ(end_of(reader[i]), 0);
	/* One brings it online, the others find it so (SYSFS-19). */
	for (i = 0; i < MANY; i++)
		AWAIT(waitpid(writer[i], NULL, WNOHANG) == writer[i]);
	CHECK_STR(read_block(33, "state"), "online");
	stop_mount();
	machine_check();
}

/* ---- what ends ---- */

TEST(mount_without_machine, "without a machine files say ENOTCONN; the tree comes back with it")
{
	char text[16] = "";
	int fd;

	begin();
	CHECK_EQ(read_mounted(MEMORY "/memory32/state", text, sizeof(text)), 8);
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_EQ(read_mounted(MEMORY "/memory32/state", text, sizeof(text)), -ENOTCONN);
	fd = open(at(MEMORY "/memory32/state"), O_WRONLY);
	/* At open already, unless the kernel knows the name. */
	CHECK(fd < 0 || write(fd, "online", 6) < 0);
	CHECK_EQ(errno, ENOTCONN);
	close(fd);
	CHECK_EQ(mp_serve(socket_path, 0), 0);
	CHECK_EQ(read_mounted(MEMORY "/memory32/state", text, sizeof(text)), 8);
	CHECK_EQ(end_of(start_io(MEMORY "/memory32/state", "online")), 0);
	CHECK_STR(read_block(32, "state"), "online");
	stop_mount();
}

TEST(mount_killed_waiting, "the mount is killed while a write waits: it is not carried out, and a new mount works")
{
	char text[16] = "";
	pid_t pid;

	begin();
	lock_device_hotplug();
	pid = start_io(MEMORY "/memory32/state", "online");
	AWAIT(waits(pid));
	kill(mount_pid, SIGKILL);
	CHECK_EQ(end_of(mount_pid), SIGKILL);
	CHECK_NE(end_of(pid), 0);
	/* Connected behind the end of the first one, which the machine knows by then. */
	start_mount();
	CHECK_EQ(read_mounted(MEMORY "/memory32/state", text, sizeof(text)), 8);
	unlock_device_hotplug();
	CHECK_EQ(end_of(start_io(MEMORY "/memory33/state", "online")), 0);
	CHECK_STR(read_block(32, "state"), "offline");
	stop_mount();
	machine_check();
}

TEST(mount_killed, "the mount is killed in the middle of an offline: it is cancelled, and a new mount works")
{
	char text[16] = "";
	struct page *page;
	pid_t pid;

	begin();
	CHECK_EQ(set_state(32, "online_movable"), 0);
	page = stuck_take(1);
	pid = start_io(MEMORY "/memory32/state", "offline");
	AWAIT(!strcmp(read_block(32, "state"), "going-offline"));
	kill(mount_pid, SIGKILL);
	CHECK_EQ(end_of(mount_pid), SIGKILL);
	CHECK_NE(end_of(pid), 0);
	AWAIT(!strcmp(read_block(32, "state"), "online"));
	__free_page(page);
	CHECK_EQ(read_mounted(MEMORY "/memory32/state", text, sizeof(text)), -ENOTCONN);
	/* It takes the dead one away. */
	start_mount();
	CHECK_EQ(read_mounted(MEMORY "/memory32/state", text, sizeof(text)), 7);
	stop_mount();
	machine_check();
}
