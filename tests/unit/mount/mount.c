/* SPDX-License-Identifier: MIT */
/*
 * The tree as a file system, with the machine in this process: the mount is a process of its own,
 * `memplug mount`, and ends with the test.
 */
#include "machine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <memplug/serve.h>
#include <memplug/tree.h>

#define MEMORY "/sys/devices/system/memory"

static char where[64], dir[80], socket_path[80];
static pid_t mount_pid;

static const char *at(const char *path)
{
	static __thread char full[700];

	snprintf(full, sizeof(full), "%s%s", dir, path);
	return full;
}

/* `memplug mount`; its first byte says that it is mounted. */
static void start_mount(void)
{
	static char command[256];
	char *argv[] = { command, (char *)"mount", (char *)"--die-with-parent", socket_path, dir, NULL };
	posix_spawn_file_actions_t actions;
	int out[2];
	char byte;

	snprintf(command, sizeof(command), "%s/tools/memplug", getenv("MEMPLUG_BUILD") ?: "build");
	CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	CHECK_EQ(posix_spawn(&mount_pid, command, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	if (read(out[0], &byte, 1) != 1)
		FAIL("%s mount did not mount", command);
	close(out[0]);
}

static void stop_mount(void)
{
	int status;

	CHECK_EQ(kill(mount_pid, SIGTERM), 0);
	CHECK_EQ(waitpid(mount_pid, &status, 0), mount_pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(rmdir(dir), 0);
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_EQ(rmdir(where), 0);
}

/* Blocks 32 and 33 on node 1, offline, and the mount. */
static void begin(void)
{
	if (access("/dev/fuse", R_OK | W_OK) || geteuid())
		SKIP("it needs /dev/fuse and root");
	machine_boot(NULL);
	add_blocks(1, 32, 2);
	strcpy(where, "/tmp/memplug-map-XXXXXX");
	CHECK(mkdtemp(where));
	snprintf(dir, sizeof(dir), "%s/mnt", where);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", where);
	CHECK_EQ(mkdir(dir, 0700), 0);
	CHECK_EQ(mp_serve(socket_path, 4), 0);
	start_mount();
}

static void no_handler(int signal)
{
}

/* A process that does one read or write (`text`) and exits with its errno; it handles SIGALRM. */
static pid_t start_io(const char *path, const char *text)
{
	struct sigaction action = { .sa_handler = no_handler, .sa_flags = (int)SA_RESTART };
	char buffer[64];
	pid_t pid;
	int fd;

	path = at(path);
	pid = fork();
	if (pid)
		return pid;
	sigaction(SIGALRM, &action, NULL);
	fd = open(path, text ? O_WRONLY | O_TRUNC : O_RDONLY);
	if (fd < 0 || (text ? write(fd, text, strlen(text)) : read(fd, buffer, sizeof(buffer))) < 0)
		_exit(errno);
	_exit(0);
}

/* It is inside its read or write. */
static bool waits(pid_t pid)
{
	char path[40], text[32] = "";
	long call = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		sscanf(text, "%ld", &call);
	close(fd);
	return call == SYS_write || call == SYS_read;
}

static int end_of(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static ssize_t read_mounted(const char *path, char *buffer, size_t size)
{
	int fd = open(at(path), O_RDONLY | O_NOFOLLOW);
	size_t count = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, buffer + count, size - count);
	while (n > 0 && (count += (size_t)n) < size);
	n = n < 0 ? -errno : (ssize_t)count;
	close(fd);
	return n;
}

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

/* ---- what is seen ---- */

/* Entries that the process lists, less those that the mount lists. */
static unsigned long compared;

static int compare_entry(const struct mp_entry *entry, void *arg);

static void compare_file(const char *path, const struct mp_entry *entry)
{
	static char mine[400000], theirs[400000];
	ssize_t n = mp_read(path, mine, sizeof(mine)), m = read_mounted(path, theirs, sizeof(theirs));

	if (!(entry->mode & 0444))
		n = -EACCES;
	if (n != m || (n > 0 && memcmp(mine, theirs, (size_t)n)))
		FAIL("%s: %zd bytes in the process, %zd in the mount", path, n, m);
}

static void compare_directory(const char *path)
{
	DIR *opened = opendir(at(path));
	unsigned long count = 0;
	struct dirent *found;

	CHECK(opened);
	CHECK_EQ(mp_list(path, compare_entry, (void *)path), 0);
	while ((found = readdir(opened)))
		count += found->d_name[0] != '.';
	closedir(opened);
	compared -= count;
}

static int compare_entry(const struct mp_entry *entry, void *arg)
{
	static const mode_t types[] = { S_IFREG, S_IFDIR, S_IFLNK };
	char path[512], target[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", strcmp(arg, "/") ? (char *)arg : "", entry->name);
	compared++;
	if (lstat(at(path), &st))
		FAIL("%s: %s", path, strerror(errno));
	if (st.st_mode != (types[entry->type] | entry->mode) || (size_t)st.st_size != entry->size ||
	    st.st_uid || st.st_gid)
		FAIL("%s: mode %o, size %ld", path, st.st_mode, (long)st.st_size);
	if (entry->type == MP_ENTRY_LINK) {
		ssize_t n = readlink(at(path), target, sizeof(target) - 1);

		CHECK_GT(n, 0);
		target[n] = '\0';
		CHECK_STR(target, entry->target);
	} else if (entry->type == MP_ENTRY_DIR) {
		/* Its own files count how often they are read. */
		if (strcmp(path, "/memplug"))
			compare_directory(path);
	} else {
		compare_file(path, entry);
		CHECK_EQ(lstat(at(path), &st), 0);
		CHECK_EQ(st.st_size, 4096);
	}
	return 0;
}

TEST(MAP_5, "names, modes, sizes, owners, links and texts are those of the process, twice")
{
	begin();
	CHECK_EQ(set_state(32, "online"), 0);
	compare_directory("/");
	CHECK_EQ(compared, 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	compare_directory("/");
	CHECK_EQ(compared, 0);
	stop_mount();
}

TEST(MAP_5, "an open file has one text until it is read from the beginning, and takes any size")
{
	char text[16] = "";
	int fd;

	begin();
	fd = open(at(MEMORY "/memory32/state"), O_RDWR);
	CHECK_GE(fd, 0);
	CHECK_EQ(read(fd, text, 3), 3);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(read(fd, text + 3, 10), 5);
	CHECK_STR(text, "offline\n");
	CHECK_EQ(read(fd, text, 10), 0);
	CHECK_EQ(pread(fd, text, 10, 0), 7);
	CHECK(!memcmp(text, "online\n", 7));
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(ftruncate(fd, 100000), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 4096);
	/* The offset is ignored, nothing is nothing, and more than a page is cut (SYSFS-4). */
	CHECK_EQ(pwrite(fd, "offline", 7, 100), 7);
	CHECK_STR(read_block(32, "state"), "offline");
	CHECK_EQ(write(fd, "", 0), 0);
	close(fd);
	CHECK_EQ(open(at(MEMORY "/block_size_bytes"), O_RDWR), -1);
	CHECK_EQ(errno, EACCES);
	CHECK_EQ(open(at(MEMORY "/hard_offline_page"), O_RDONLY), -1);
	CHECK_EQ(errno, EACCES);
	stop_mount();
}

TEST(SYSFS_3, "chmod and chown hold until the object is removed; the size and the time stay")
{
	struct stat st;

	begin();
	CHECK_EQ(chmod(at(MEMORY "/memory33/state"), 0444), 0);
	CHECK_EQ(chown(at(MEMORY "/memory33/state"), 12, 34), 0);
	CHECK_EQ(stat(at(MEMORY "/memory33/state"), &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0444);
	CHECK_EQ(st.st_uid, 12);
	CHECK_EQ(st.st_gid, 34);
	/* As the kernel's: no bit, no right, and a bit more makes no right. */
	CHECK_EQ(open(at(MEMORY "/memory33/state"), O_WRONLY), -1);
	CHECK_EQ(errno, EACCES);
	CHECK_EQ(chmod(at(MEMORY "/memory33/removable"), 0666), 0);
	CHECK_EQ(open(at(MEMORY "/memory33/removable"), O_WRONLY), -1);
	CHECK_EQ(errno, EACCES);
	CHECK_EQ(truncate(at(MEMORY "/memory32/state"), 3), 0);
	CHECK_EQ(stat(at(MEMORY "/memory32/state"), &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_size, 4096);
	CHECK_EQ(remove_blocks(33, 1), 0);
	add_blocks(1, 33, 1);
	close(open(at(MEMORY "/memory33/state"), O_WRONLY));
	CHECK_EQ(stat(at(MEMORY "/memory33/state"), &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_uid, 0);
	stop_mount();
}

TEST(SYSFS_6, "through the mount: an open file of a block that was removed is dead, a new one is another")
{
	struct stat before, after;
	char text[16];
	int fd;

	begin();
	CHECK_EQ(stat(at(MEMORY "/memory33/state"), &before), 0);
	fd = open(at(MEMORY "/memory33/state"), O_RDWR);
	CHECK_EQ(read(fd, text, sizeof(text)), 8);
	CHECK_EQ(remove_blocks(33, 1), 0);
	CHECK_EQ(pread(fd, text, sizeof(text), 0), -1);
	CHECK_EQ(errno, ENODEV);
	CHECK_EQ(write(fd, "online", 6), -1);
	CHECK_EQ(errno, ENODEV);
	/* The kernel's own memory of the name goes when the mount has heard of it. */
	AWAIT(stat(at(MEMORY "/memory33"), &after) && errno == ENOENT);
	add_blocks(1, 33, 1);
	CHECK_EQ(pread(fd, text, sizeof(text), 0), -1);
	CHECK_EQ(errno, ENODEV);
	CHECK_EQ(stat(at(MEMORY "/memory33/state"), &after), 0);
	CHECK_NE(after.st_ino, before.st_ino);
	CHECK_EQ(read_mounted(MEMORY "/memory33/state", text, sizeof(text)), 8);
	close(fd);
	stop_mount();
}

TEST(SYSFS_17, "who polls state is told that it has changed, once it has been read")
{
	struct pollfd polled = { .events = POLLPRI };
	char text[16];

	begin();
	polled.fd = open(at(MEMORY "/memory32/state"), O_RDONLY);
	CHECK_EQ(poll(&polled, 1, 0), 1);
	CHECK_EQ(read(polled.fd, text, sizeof(text)), 8);
	CHECK_EQ(poll(&polled, 1, 0), 0);
	CHECK_EQ(set_state(33, "online"), 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(poll(&polled, 1, -1), 1);
	CHECK(polled.revents & POLLPRI);
	CHECK_EQ(pread(polled.fd, text, sizeof(text), 0), 7);
	close(polled.fd);
	stop_mount();
}

/* ---- what is kept is what is so ---- */

#define FIRST 32
#define NR 6
#define STEPS 400

/* An open file of each block, or -1. */
static int kept[NR];
static u64 seed;

static unsigned int pick(unsigned int below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(seed >> 33) % below;
}

/* One change in the process, of which nobody tells the mount; it may be refused. */
static void change_something(void)
{
	static const char *const states[] = { "online", "online_kernel", "online_movable", "offline" };
	static const char *const policies[] = { "contig-zones", "auto-movable" };
	long block = FIRST + (long)pick(NR);
	char path[100];
	struct mp_entry entry;

	snprintf(path, sizeof(path), MEMORY "/memory%ld", block);
	switch (pick(7)) {
	case 0:
		mp_write_string(MEMORY "/auto_online_blocks", states[pick(4)]);
		break;
	case 1:
		mp_write_string("/sys/module/memory_hotplug/parameters/online_policy", policies[pick(2)]);
		break;
	case 2:
		if (mp_stat(path, &entry)) {
			add_blocks(1, block, 1);
		} else {
			set_state(block, "offline");
			CHECK_EQ(remove_blocks(block, 1), 0);
		}
		break;
	default:
		set_state(block, states[pick(4)]);
	}
}

static void compare_one(const char *path)
{
	char mine[MP_ATTR_SIZE], theirs[MP_ATTR_SIZE];
	ssize_t n = mp_read(path, mine, sizeof(mine)), m = read_mounted(path, theirs, sizeof(theirs));

	if (n != m || (n > 0 && memcmp(mine, theirs, (size_t)n)))
		FAIL("%s: %zd, mounted %zd; `%.*s`, mounted `%.*s`", path, n, m, n < 0 ? 0 : (int)n, mine,
		     m < 0 ? 0 : (int)m, theirs);
}

/* An open file of a block that went stays dead, also when another has its name. */
static void compare_kept(int i)
{
	char path[100], theirs[MP_ATTR_SIZE], mine[MP_ATTR_SIZE];
	ssize_t n, m;

	snprintf(path, sizeof(path), MEMORY "/memory%d/state", FIRST + i);
	if (kept[i] < 0) {
		kept[i] = open(at(path), O_RDONLY);
		return;
	}
	n = mp_read(path, mine, sizeof(mine));
	m = pread(kept[i], theirs, sizeof(theirs), 0);
	if (m < 0 && errno == ENODEV) {
		close(kept[i]);
		kept[i] = -1;
		return;
	}
	if (n != m || memcmp(mine, theirs, (size_t)n))
		FAIL("%s, kept open: %zd, mounted %zd", path, n, m);
}

TEST(MAP_5, "whatever changes in the process, the next open and the next read from the beginning show it")
{
	static const char *const files[] = { "state", "valid_zones", "removable", "phys_index" };
	const char *given = getenv("MPTEST_SEED");
	char path[100];
	int i, step;
	size_t f;

	seed = given ? strtoull(given, NULL, 0) : (u64)getpid() << 16 ^ (u64)time(NULL);
	printf("# MPTEST_SEED=%llu\n", (unsigned long long)seed);
	begin();
	for (i = 0; i < NR; i++)
		kept[i] = -1;
	for (step = 0; step < STEPS; step++) {
		change_something();
		for (i = 0; i < NR; i++) {
			compare_kept(i);
			for (f = 0; f < sizeof(files) / sizeof(*files); f++) {
				snprintf(path, sizeof(path), MEMORY "/memory%d/%s", FIRST + i, files[f]);
				compare_one(path);
			}
		}
		compare_one(MEMORY "/auto_online_blocks");
		compared = 0;
		if (step % 20 == 0)
			compare_directory(MEMORY);
		CHECK_EQ(compared, 0);
	}
	for (i = 0; i < NR; i++)
		if (kept[i] >= 0)
			close(kept[i]);
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
