/* SPDX-License-Identifier: MIT */
/*
 * Extents of the direct map: what is added reads as zero and can be written, what is removed is gone and
 * with the host again, descriptors stay few and high, and a refusal leaves nothing.
 */
#include "machine.h"

#include "backing/backing.h"
#include "report/report.h"

#include <dirent.h>
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define MIB (1UL << 20)
#define BLOCK (2 * MIB)

static struct backing_config config(const char *kind)
{
	return (struct backing_config){ .kind = kind, .overcommit = true, .block_size = BLOCK,
					.max_phys = 4UL << 30 };
}

static void init(const char *kind)
{
	struct backing_config wanted = config(kind);

	CHECK_EQ(backing_init(&wanted), 0);
	CHECK_EQ(wanted.max_phys, 4UL << 30);
	CHECK(mp_direct_map);
}

/* Open descriptors; *lowest gets the lowest that names memory of ours (-1: none). */
static int descriptors(int *lowest)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	char path[300], target[100];
	int count = 0;

	CHECK(dir);
	*lowest = -1;
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);
		ssize_t n;

		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		count++;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strstr(target, "memplug") && (*lowest < 0 || fd < *lowest))
			*lowest = fd;
	}
	closedir(dir);
	return count;
}

static int count_descriptors(void)
{
	int lowest;

	return descriptors(&lowest);
}

static bool is_zero(u64 start, u64 size)
{
	for (u64 i = 0; i < size; i += 512)
		if (mp_direct_map[start + i])
			return false;
	return true;
}

/* The kernel reads it for us, and says EFAULT where there is nothing. */
static bool is_mapped(u64 start)
{
	int pipes[2];
	bool mapped;

	CHECK_EQ(pipe(pipes), 0);
	mapped = write(pipes[1], mp_direct_map + start, 1) == 1;
	close(pipes[0]);
	close(pipes[1]);
	return mapped;
}

static void check_life(const char *kind)
{
	int before = count_descriptors();
	s64 given;

	init(kind);
	CHECK(!is_mapped(0));
	CHECK_EQ(backing_add(8 * BLOCK, 4 * BLOCK), 0);
	CHECK(is_zero(8 * BLOCK, 4 * BLOCK));
	CHECK(!is_mapped(7 * BLOCK));
	CHECK(!is_mapped(12 * BLOCK));
	memset(mp_direct_map + 9 * BLOCK, 0x5a, BLOCK);
	CHECK_EQ(backing_resident(9 * BLOCK, BLOCK), BLOCK);
	CHECK_GE(backing_resident_total(), BLOCK);
	given = backing_give_back(9 * BLOCK, BLOCK);
	CHECK_EQ(given, BLOCK);
	CHECK_EQ(backing_resident(9 * BLOCK, BLOCK), 0);
	CHECK(is_zero(9 * BLOCK, BLOCK));

	memset(mp_direct_map + 10 * BLOCK, 0x5a, BLOCK);
	backing_remove(10 * BLOCK, BLOCK);
	CHECK(!is_mapped(10 * BLOCK));
	CHECK(is_mapped(9 * BLOCK));
	CHECK_EQ(backing_add(10 * BLOCK, BLOCK), 0);
	CHECK(is_zero(10 * BLOCK, BLOCK));
	CHECK_EQ(backing_add(10 * BLOCK, BLOCK), -EEXIST);
	CHECK(is_mapped(10 * BLOCK));

	backing_remove(8 * BLOCK, 4 * BLOCK);
	CHECK_EQ(backing_resident_total(), 0);
	CHECK_EQ(count_descriptors(), before);
	/* Taking away what is not there is nothing. */
	backing_remove(8 * BLOCK, 4 * BLOCK);
	backing_exit();
	CHECK_EQ(mp_direct_map, NULL);
	init(kind);
	backing_exit();
}

TEST(memfd_life, "memory files: added, written, given back, removed, added again")
{
	check_life("memfd");
}

TEST(anonymous_life, "anonymous memory: the same")
{
	check_life("anonymous");
}

TEST(bad_arguments, "an unknown kind and a range off the grid or the map are refused")
{
	struct backing_config wanted = config("paper");

	CHECK_EQ(backing_init(&wanted), -EINVAL);
	CHECK_EQ(mp_direct_map, NULL);
	init("memfd");
	CHECK_EQ(backing_add(MIB, BLOCK), -EINVAL);
	CHECK_EQ(backing_add(0, MIB), -EINVAL);
	CHECK_EQ(backing_add(4UL << 30, BLOCK), -EINVAL);
	CHECK_EQ(backing_add(-BLOCK, 2 * BLOCK), -EINVAL);
	CHECK_EQ(backing_resident_total(), 0);
}

TEST(direct_map_halves, "a direct map that does not fit is halved until it does")
{
	struct backing_config wanted = config("memfd");
	struct rlimit limit = { 24UL << 30, 24UL << 30 };

#if defined(__SANITIZE_ADDRESS__) || defined(MP_TSAN)
	SKIP("a sanitizer's shadow is larger than the limit");
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	SKIP("a sanitizer's shadow is larger than the limit");
#endif
#endif
	wanted.max_phys = 64UL << 30;
	CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
	CHECK_EQ(backing_init(&wanted), 0);
	CHECK_EQ(wanted.max_phys, 16UL << 30);
	CHECK_EQ(backing_add((16UL << 30) - BLOCK, BLOCK), 0);
	CHECK_EQ(backing_add(16UL << 30, BLOCK), -EINVAL);
}

TEST(few_descriptors, "many blocks need few descriptors, all above the program's own")
{
	struct rlimit limit = { 1024, 1024 };
	int lowest, before = count_descriptors();

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	init("memfd");
	for (u64 block = 0; block < 2000; block++)
		CHECK_EQ(backing_add(block * BLOCK, BLOCK), 0);
	CHECK_LT(descriptors(&lowest) - before, 450);
	CHECK_GE(lowest, 512);
	/* Every one is its own memory all the same. */
	for (u64 block = 0; block < 2000; block += 7)
		mp_direct_map[block * BLOCK] = (char)(block % 120 + 1);
	for (u64 block = 0; block < 2000; block++)
		CHECK_EQ(mp_direct_map[block * BLOCK], block % 7 ? 0 : block % 120 + 1);
	/* In another order than they came. */
	for (u64 block = 0; block < 2000; block += 2)
		backing_remove(block * BLOCK, BLOCK);
	CHECK_EQ(mp_direct_map[7 * BLOCK], 8);
	CHECK(!is_mapped(14 * BLOCK));
	CHECK_EQ(backing_add(14 * BLOCK, BLOCK), 0);
	CHECK(is_zero(14 * BLOCK, BLOCK));
	backing_remove(0, 2000 * BLOCK);
	CHECK_EQ(count_descriptors(), before);
}

TEST(no_descriptors, "without a descriptor the add fails and leaves nothing")
{
	struct rlimit limit;
	int lowest, before;

	init("memfd");
	before = descriptors(&lowest);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)before + 3;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(backing_add(0, 100 * BLOCK), -EMFILE);
	CHECK_EQ(backing_resident_total(), 0);
	CHECK(!is_mapped(0));
	limit.rlim_cur = 1024;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(count_descriptors(), before);
	CHECK_EQ(backing_add(0, 100 * BLOCK), 0);
}

static void commit_config(bool populate, bool overcommit)
{
	struct backing_config wanted = config("memfd");

	wanted.populate = populate;
	wanted.overcommit = overcommit;
	wanted.block_size = 1UL << 40;
	wanted.max_phys = 4UL << 40;
	CHECK_EQ(backing_init(&wanted), 0);
	if (wanted.max_phys < 4UL << 40)
		SKIP("no room for 4 TiB of address space");
}

TEST(lazy_checks_host, "onlining more than the host has is refused with a reason, unless told otherwise")
{
	struct mp_reason reason;

	commit_config(false, false);
	CHECK_EQ(backing_add(0, 1UL << 40), 0);
	reason_begin("online", 0);
	CHECK_EQ(backing_commit(0, 1UL << 40), -ENOMEM);
	reason_end();
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_NO_MEMORY);
	CHECK_EQ(reason.error, -ENOMEM);
	CHECK(strstr(reason.text, "memory0: online refused"));
	CHECK(strstr(reason.text, "overcommit=yes"));
	backing_exit();

	commit_config(false, true);
	CHECK_EQ(backing_add(0, 1UL << 40), 0);
	CHECK_EQ(backing_commit(0, 1UL << 40), 0);
	backing_uncommit(0, 1UL << 40);
}

TEST(lazy_adds_up, "what is committed counts until it is given back")
{
	struct backing_config wanted = config("memfd");
	int blocks = 0, again = 0;

	wanted.overcommit = false;
	wanted.block_size = 1UL << 33;
	wanted.max_phys = 1UL << 40;
	CHECK_EQ(backing_init(&wanted), 0);
	CHECK_EQ(backing_add(0, wanted.max_phys), 0);
	while (backing_commit((u64)blocks << 33, 1UL << 33) == 0)
		blocks++;
	CHECK_LT(blocks, 128);
	if (blocks == 0)
		SKIP("the host has less than 8 GiB available");
	CHECK_EQ(backing_give_back(0, 1UL << 33), 0);
	while (backing_commit((u64)again << 33, 1UL << 33) == 0)
		again++;
	CHECK_GE(again, 1);
}

static void check_populate(const char *kind)
{
	struct backing_config wanted = config(kind);

	wanted.populate = true;
	CHECK_EQ(backing_init(&wanted), 0);
	CHECK_EQ(backing_add(0, 4 * BLOCK), 0);
	CHECK_EQ(backing_resident(BLOCK, BLOCK), 0);
	CHECK_EQ(backing_commit(BLOCK, BLOCK), 0);
	CHECK_EQ(backing_resident(BLOCK, BLOCK), BLOCK);
	CHECK_EQ(backing_resident(0, BLOCK), 0);
	backing_uncommit(BLOCK, BLOCK);
	CHECK_EQ(backing_resident(BLOCK, BLOCK), 0);
	backing_exit();
}

TEST(populate, "commit=populate makes memory resident before it goes online, and undoes it")
{
	check_populate("memfd");
	check_populate("anonymous");
}

TEST(fork_child_has_none, "a fork child has neither the mapping nor, once it forgets, the descriptors")
{
	char *map;
	int status, before = count_descriptors();
	pid_t child;

	init("memfd");
	CHECK_EQ(backing_add(0, BLOCK), 0);
	mp_direct_map[0] = 1;
	map = mp_direct_map;
	CHECK_GT(count_descriptors(), before);
	child = fork();
	if (child == 0) {
		int pipes[2];

		if (pipe(pipes) || write(pipes[1], map, 1) >= 0 || errno != EFAULT)
			_exit(1);
		close(pipes[0]);
		close(pipes[1]);
		backing_forget();
		if (mp_direct_map || count_descriptors() != before)
			_exit(2);
		init("memfd");
		if (backing_add(0, BLOCK) || mp_direct_map[0])
			_exit(3);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(mp_direct_map[0], 1);
}
