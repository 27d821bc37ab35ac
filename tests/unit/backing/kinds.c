/* SPDX-License-Identifier: MIT */
/*
 * Kinds of backings by range and by node: files, huge pages, memory bound to a host's node, all in one
 * machine. For each: what is written is there, moves when its block leaves, is the host's again then, and
 * is not there when the block comes back.
 */
#include "machine.h"
#include "hugepages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <memplug/runtime.h>

#define MIB (1UL << 20)
#define SIZE (8 * MIB)
#define FIRST 512L /* the block at HOT */
#define MACHINE "block = 8M\nmax_phys = 64G\novercommit = yes\nnode 0\nnode 1\nnode 2\ncpu 0 node 0\n" \
		"ram 0 256M node 0\n"

static void boot_with(const char *format, ...)
{
	char text[2000];
	int n = snprintf(text, sizeof(text), "%s", MACHINE);
	va_list args;

	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	machine_boot_text(text);
}

/* What boot says of such a machine. */
static int boot_error(const char **text, const char *format, ...)
{
	static struct mp_reason reason;
	struct mp_desc *desc = mp_desc_new();
	char more[1000];
	va_list args;
	int ret;

	va_start(args, format);
	vsnprintf(more, sizeof(more), format, args);
	va_end(args);
	CHECK_EQ(mp_desc_parse(desc, MACHINE, "machine"), 0);
	if (mp_desc_parse(desc, more, "test") < 0)
		FAIL("%s", mp_desc_error(desc));
	ret = mp_boot(desc);
	mp_desc_free(desc);
	*text = !ret || mp_last_reason(&reason) ? "" : reason.text;
	return ret;
}

static const char *last_reason(void)
{
	static struct mp_reason reason;

	return mp_last_reason(&reason) ? "" : reason.text;
}

/* The way through: pages of block FIRST move to FIRST + 1, the host has the memory again. */
static void live(int nid)
{
	unsigned long pfn = HOT_PFN, end = pfn + SIZE / 4096;
	struct moving pages[8];
	int i;

	CHECK_EQ(add_memory(nid, HOT, 2 * SIZE, MHP_NONE), 0);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK_GE(mp_block_resident(FIRST), 0);
	for (i = 0; i < 8; i++) {
		CHECK(moving_take(&pages[i], nid));
		fill(pages[i].page, (unsigned long)i);
	}
	CHECK(page_to_pfn(pages[0].page) >= pfn && page_to_pfn(pages[0].page) < end);
	CHECK_EQ(set_state(FIRST + 1, "online_movable"), 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	for (i = 0; i < 8; i++) {
		CHECK(holds(pages[i].page, (unsigned long)i));
		CHECK_GE(page_to_pfn(pages[i].page), end);
	}
	CHECK_EQ(mp_block_resident(FIRST), 0);
	/* Back again: nothing of before. */
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	for (i = 0; i < (int)(SIZE / 4096); i++)
		CHECK_EQ(*(unsigned long *)__va(PFN_PHYS(pfn + (unsigned long)i)), 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	for (i = 0; i < 8; i++)
		moving_free(&pages[i]);
	CHECK_EQ(set_state(FIRST + 1, "offline"), 0);
	machine_check();
}

/* ---- files ---- */

static char path[96];

static void remove_path(void)
{
	unlink(path);
}

static const char *make_path(const char *directory)
{
	snprintf(path, sizeof(path), "%s/memplug-backing-%d", directory, getpid());
	remove_path();
	atexit(remove_path);
	return path;
}

static long file_blocks(void)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return st.st_blocks;
}

static void file_lives(const char *directory)
{
	struct stat st;

	boot_with("backing 4G 16M file path %s offset 4M\n", make_path(directory));
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_size, 20 * MIB);
	CHECK_LT(file_blocks(), 100);
	CHECK_EQ(add_memory(1, HOT, SIZE, MHP_NONE), 0);
	CHECK_LT(file_blocks(), 100);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	/* All of it is there before anybody writes: no SIGBUS for want of room. */
	CHECK_GE(file_blocks(), (long)(SIZE / 512));
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_LT(file_blocks(), 100);
	CHECK_EQ(remove_memory(HOT, SIZE), 0);
	live(1);
	CHECK_LT(file_blocks(), 100);
	CHECK_EQ(remove_memory(HOT, 2 * SIZE), 0);
	CHECK_EQ(mp_shutdown(), 0);
	CHECK_EQ(stat(path, &st), 0);
	remove_path();
}

TEST(backing_file_tmpfs, "a file in memory backs a range, and its room is given back")
{
	file_lives("/dev/shm");
}

TEST(backing_file_disk, "a file on a disk backs a range, and its room is given back")
{
	file_lives("/tmp");
}

TEST(backing_file_contents, "the bytes lie in the file, at the offset; what it had before is gone")
{
	char byte = 0;
	int fd;

	make_path("/dev/shm");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK_EQ(ftruncate(fd, 64 * MIB), 0);
	CHECK_EQ(pwrite(fd, "old", 3, 12 * MIB), 3);
	CHECK_EQ(pwrite(fd, "not ours", 8, 0), 8);
	boot_with("backing 4G 16M file path %s offset 4M\n", path);
	CHECK_EQ(add_memory(1, HOT, 2 * SIZE, MHP_NONE), 0);
	CHECK_EQ(set_state(FIRST + 1, "online"), 0);
	CHECK_EQ(*(char *)__va(HOT + SIZE), 0);
	*(char *)__va(HOT + SIZE + 5) = 'n';
	CHECK_EQ(pread(fd, &byte, 1, 12 * MIB + 5), 1);
	CHECK_EQ(byte, 'n');
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'n');
	machine_check();
}

TEST(backing_block_fd, "a block's memory is mapped by somebody else through its descriptor, until it leaves")
{
	uint64_t offset = 0;
	char *own, *other;
	int fd;

	CHECK_EQ(mp_block_fd(FIRST, &offset), -ENXIO);
	boot_with("%s", "");
	CHECK_EQ(add_memory(0, HOT, 2 * SIZE, MHP_NONE), 0);
	CHECK_EQ(set_state(FIRST + 1, "online_movable"), 0);
	fd = mp_block_fd(FIRST + 1, &offset);
	CHECK_GE(fd, 0);
	CHECK(!mp_owns_descriptor(fd));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	own = __va(HOT + SIZE);
	other = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	CHECK(other != MAP_FAILED);
	close(fd);
	own[5] = 7;
	CHECK_EQ(other[5], 7);
	other[SIZE - 1] = 9;
	CHECK_EQ(own[SIZE - 1], 9);
	CHECK_EQ(munmap(other, SIZE), 0);
	CHECK_EQ(set_state(FIRST + 1, "offline"), 0);
	CHECK_EQ(mp_block_resident(FIRST + 1), 0);
	machine_check();
	CHECK_EQ(mp_shutdown(), 0);
	boot_with("backing node 1 anonymous\n");
	CHECK_EQ(add_memory(1, HOT, SIZE, MHP_NONE), 0);
	CHECK_EQ(mp_block_fd(FIRST, &offset), -EOPNOTSUPP);
}

TEST(backing_file_boot, "boot RAM in a file is allocated at boot")
{
	boot_with("backing 0 256M file path %s\n", make_path("/tmp"));
	CHECK_GE(file_blocks(), (long)(256 * MIB / 512));
	*(char *)__va(1000) = 1;
	CHECK_EQ(mp_shutdown(), 0);
	remove_path();
}

static char mounted[64];

static void unmount(void)
{
	umount2(mounted, MNT_DETACH);
	rmdir(mounted);
}

static const char *mount_at(const char *type, const char *options)
{
	snprintf(mounted, sizeof(mounted), "/tmp/memplug-mount-%d", getpid());
	mkdir(mounted, 0700);
	if (mount("none", mounted, type, 0, options)) {
		rmdir(mounted);
		SKIP("%s cannot be mounted here: %s", type, strerror(errno));
	}
	atexit(unmount);
	return mounted;
}

TEST(backing_file_full, "a full file system is ENOMEM at online, with the path, and room made helps")
{
	mount_at("tmpfs", "size=12m");
	snprintf(path, sizeof(path), "%s/memory", mounted);
	boot_with("backing 4G 16M file path %s\n", path);
	CHECK_EQ(add_memory(1, HOT, 2 * SIZE, MHP_NONE), 0);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_EQ(set_state(FIRST + 1, "online"), -ENOMEM);
	CHECK(strstr(last_reason(), path));
	CHECK(strstr(last_reason(), "memory513"));
	CHECK_STR(read_block(FIRST + 1, "state"), "offline");
	/* Nothing of the attempt stays. */
	CHECK_LE(file_blocks(), (long)(SIZE / 512));
	machine_check();
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_EQ(set_state(FIRST + 1, "online"), 0);
	CHECK_EQ(set_state(FIRST + 1, "offline"), 0);
	CHECK_EQ(mp_shutdown(), 0);
	unmount();
}

TEST(backing_file_refused, "a path that cannot back memory is refused at boot, and the reason says why")
{
	const char *text;

	CHECK_EQ(boot_error(&text, "backing 4G 16M file path /nonexistent/file\n"), -ENOENT);
	CHECK(strstr(text, "/nonexistent/file") && strstr(text, "No such file"));
	CHECK_EQ(boot_error(&text, "backing 4G 16M file path /tmp\n"), -EISDIR);
	CHECK_EQ(boot_error(&text, "backing 4G 16M file path /dev/null\n"), -ENOTBLK);
	CHECK(strstr(text, "not a file of that kind"));
	CHECK_EQ(boot_error(&text, "backing 4G 12M file path /dev/shm/x\n"), -EINVAL);
	CHECK(strstr(text, "whole blocks"));
	/* The machine can be booted all the same, with something else. */
	boot_with("backing 4G 16M anonymous\n");
	live(1);
}

TEST(backing_no_holes, "a file system that cannot punch holes is refused, since nothing could be given back")
{
	const char *text;

	mount_at("ramfs", NULL);
	CHECK_EQ(boot_error(&text, "backing 4G 16M file path %s/memory\n", mounted), -EOPNOTSUPP);
	CHECK(strstr(text, "punch holes"));
	unmount();
}

TEST(backing_dax_refused, "what is no DAX device is refused as one")
{
	const char *text;

	CHECK_EQ(boot_error(&text, "backing 4G 16M dax path /dev/dax77.0\n"), -ENOENT);
	CHECK(strstr(text, "/dev/dax77.0"));
	CHECK_EQ(boot_error(&text, "backing 4G 16M dax path /dev/zero\n"), -ENOTBLK);
	CHECK(strstr(text, "not a file of that kind"));
	CHECK_EQ(boot_error(&text, "backing 4G 16M dax path /etc/passwd\n"), -ENOTBLK);
}

/* ---- huge pages ---- */

TEST(backing_hugetlb, "huge pages come when a block goes online and leave with it")
{
	pool_borrow(16);
	boot_with("backing 4G 16M hugetlb\n");
	CHECK_EQ(add_memory(1, HOT, 2 * SIZE, MHP_NONE), 0);
	CHECK_EQ(pool("surplus_hugepages"), 0);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_EQ(pool("surplus_hugepages"), 4);
	CHECK_EQ(mp_block_resident(FIRST), SIZE);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK_EQ(pool("surplus_hugepages"), 0);
	CHECK_EQ(remove_memory(HOT, 2 * SIZE), 0);
	live(1);
	CHECK_EQ(pool("surplus_hugepages"), 0);
}

TEST(backing_hugetlb_exhausted, "an exhausted pool is ENOMEM at online with what to do, and no SIGBUS later")
{
	pool_borrow(5);
	boot_with("backing 4G 16M hugetlb\n");
	CHECK_EQ(add_memory(1, HOT, 2 * SIZE, MHP_NONE), 0);
	CHECK_EQ(set_state(FIRST, "online"), 0);
	CHECK_EQ(set_state(FIRST + 1, "online"), -ENOMEM);
	CHECK(strstr(last_reason(), "memory513") && strstr(last_reason(), "nr_overcommit_hugepages"));
	CHECK_STR(read_block(FIRST + 1, "state"), "offline");
	CHECK_EQ(pool("surplus_hugepages"), 4);
	machine_check();
	memset(__va(HOT), 1, SIZE);
	CHECK(pool_set(8));
	CHECK_EQ(set_state(FIRST + 1, "online"), 0);
	memset(__va(HOT + SIZE), 1, SIZE);
}

TEST(backing_hugetlb_block, "pages of 1 GiB need blocks that large")
{
	const char *text;

	CHECK_EQ(boot_error(&text, "backing 4G 1G hugetlb-1G\n"), -EINVAL);
	CHECK(strstr(text, "hugetlb-1G"));
}

/* ---- bound to a node of the host ---- */

TEST(backing_host_node, "memory is bound to the host's node; one that is not there is refused")
{
	unsigned long mask[16] = { 0 };
	int mode = -1;

	boot_with("backing node 1 memfd host_node 0\nbacking node 2 anonymous host_node 1023\n");
	CHECK_EQ(add_memory(1, HOT, SIZE, MHP_NONE), 0);
	if (syscall(SYS_get_mempolicy, &mode, mask, 1024UL, __va(HOT), 2UL))
		SKIP("this host tells no memory policies: %s", strerror(errno));
	CHECK_EQ(mode, 2);
	CHECK_EQ(mask[0], 1);
	CHECK_EQ(add_memory(2, 2 * HOT, SIZE, MHP_NONE), -EINVAL);
	CHECK(strstr(last_reason(), "node 1023"));
	CHECK(!pfn_valid(2 * HOT_PFN));
	CHECK_EQ(remove_memory(HOT, SIZE), 0);
	live(1);
}

/* ---- all in one ---- */

TEST(backing_mixed, "one machine has them all, by range and by node, each its own")
{
	long b = FIRST;

	pool_borrow(8);
	boot_with("backing 4G 8M hugetlb\nbacking 4104M 8M file path %s\n"
		  "backing node 2 anonymous host_node 0\n", make_path("/dev/shm"));
	/* One call, three kinds: huge pages, a file, the node's own. */
	CHECK_EQ(add_memory(2, HOT, 3 * SIZE, MHP_NONE), 0);
	CHECK_EQ(add_memory(1, HOT + 3 * SIZE, SIZE, MHP_NONE), 0);
	for (b = FIRST; b < FIRST + 4; b++)
		CHECK_EQ(set_state(b, "online_movable"), 0);
	memset(__va(HOT), 7, 4 * SIZE);
	CHECK_EQ(pool("surplus_hugepages"), 4);
	CHECK_GE(file_blocks(), (long)(SIZE / 512));
	for (b = FIRST; b < FIRST + 4; b++)
		CHECK_EQ(mp_block_resident(b), SIZE);
	for (b = FIRST; b < FIRST + 4; b++) {
		CHECK_EQ(set_state(b, "offline"), 0);
		CHECK_EQ(mp_block_resident(b), 0);
	}
	CHECK_EQ(pool("surplus_hugepages"), 0);
	CHECK_LT(file_blocks(), 100);
	CHECK_EQ(remove_memory(HOT, 3 * SIZE), 0);
	machine_check();
}

/* ---- descriptions ---- */

TEST(backing_descriptions, "nonsense is refused when it is said, and the words are the calls")
{
	static const char *const bad[] = {
		"backing 4G 16M", "backing 4G 16M wood", "backing 4G 16M file",
		"backing 4G 16M memfd path /x", "backing 4G 16M memfd offset 4K",
		"backing 4G 16M file path /x offset 1", "backing 4G 16M file path /x host_node 0",
		"backing 4G 16M memfd host_node 1024", "backing 4G 16M memfd host_node -1",
		"backing 4G 16M memfd host_node", "backing 4G 16M memfd colour red",
		"backing 4G 0 memfd", "backing 1 16M memfd", "backing node 5000 memfd",
		"backing node 1 file path /x", "backing node 1", "backing node x memfd",
	};
	struct mp_desc *desc = mp_desc_new();
	struct mp_backing memory = { .kind = "memfd" }, none = { 0 };
	char longer[400];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (mp_desc_parse(desc, bad[i], "bad") != -EINVAL)
			FAIL("\"%s\" was accepted", bad[i]);
	CHECK_EQ(mp_desc_back_range(NULL, HOT, SIZE, &memory), -EINVAL);
	CHECK_EQ(mp_desc_back_range(desc, HOT, SIZE, NULL), -EINVAL);
	CHECK_EQ(mp_desc_back_range(desc, HOT, SIZE, &none), -EINVAL);
	CHECK_EQ(mp_desc_back_range(desc, ~0xfffUL, 8192, &memory), -EINVAL);
	CHECK_EQ(mp_desc_back_node(NULL, 1, &memory), -EINVAL);
	CHECK_EQ(mp_desc_back_node(desc, 1, NULL), -EINVAL);
	CHECK_EQ(mp_desc_back_node(desc, -1, &memory), -EINVAL);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CHECK_EQ(mp_desc_back_range(desc, HOT, SIZE, &(struct mp_backing){ .kind = "file", .path = longer }),
		 -ENAMETOOLONG);
	CHECK_EQ(mp_desc_back_range(desc, HOT, SIZE, &memory), 0);
	CHECK_EQ(mp_desc_back_range(desc, HOT + SIZE - 4096, SIZE, &memory), -EEXIST);
	CHECK_EQ(mp_desc_back_range(desc, HOT + SIZE, SIZE, &memory), 0);
	CHECK_EQ(mp_desc_back_node(desc, 1, &memory), 0);
	CHECK_EQ(mp_desc_back_node(desc, 1, &memory), -EEXIST);
	CHECK_EQ(mp_desc_set(desc, "backing", "hugetlb"), 0);
	CHECK_EQ(mp_desc_set(desc, "backing", "file"), -EINVAL);
	mp_desc_free(desc);
}
