/* SPDX-License-Identifier: MIT */
/* The tree as a file system: it shows what the process shows, whatever is kept of it outside. */
#include "world.h"

#include <dirent.h>
#include <poll.h>
#include <time.h>

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
