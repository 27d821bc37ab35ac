/* SPDX-License-Identifier: MIT */
/*
 * Memory that goes offline goes back to the host, as seen from outside: a parent that has no
 * machine looks at a child that has one, through /proc/PID/smaps_rollup and, where the backing has
 * files, through their st_blocks under /proc/PID/fd. What comes online again reads as zero.
 *
 * The two speak over two pipes: a step to take, then its result. Nothing is shared.
 */
#include "mptest.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <memplug/memplug.h>

#define BLOCK_BYTES (64UL << 20)
#define BLOCK_PAGES (BLOCK_BYTES / PAGE_SIZE)
#define HOT         (8UL << 30)
/* What else a process may gain or lose meanwhile: its own heap, stack and descriptors. */
#define SLACK (4L << 20)

enum step { BOOT, ONLINE, WRITE, OFFLINE, ONLINE_AGAIN, READ, SHUTDOWN };

struct child {
	pid_t pid;
	int steps, results;
};

/* ---- inside ---- */

static struct page *written[BLOCK_PAGES];
static long nr_written;

static int set_state(const char *text)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%lu/state",
		 HOT / BLOCK_BYTES);
	return mp_write_string(path, text);
}

static long boot(const char *backing)
{
	struct mp_desc *desc = mp_desc_new();
	long ret;

	CHECK_EQ(mp_desc_parse(desc,
			       "block = 64M\nmax_phys = 64G\novercommit = yes\n"
			       "node 0\nnode 1\ncpu 0 node 0\nram 4G 128M node 0\n",
			       "test"),
		 0);
	CHECK_EQ(mp_desc_set(desc, "backing", backing), 0);
	ret = mp_boot(desc);
	mp_desc_free(desc);
	return ret < 0 ? ret : add_memory(1, HOT, BLOCK_BYTES, MHP_NONE);
}

/* Fills all that the allocator has of the block, and frees it again. */
static long write_all(void)
{
	while (nr_written < (long)BLOCK_PAGES) {
		struct page *page = alloc_pages_node(1, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE, 0);

		if (!page)
			break;
		memset(page_address(page), 0xa5, PAGE_SIZE);
		written[nr_written++] = page;
	}
	for (long i = 0; i < nr_written; i++)
		__free_page(written[i]);
	return nr_written;
}

/* The pages that were written and are not zero now. */
static long read_all(void)
{
	static const char zero[PAGE_SIZE];
	long dirty = 0;

	for (long i = 0; i < nr_written; i++)
		dirty += memcmp(page_address(written[i]), zero, PAGE_SIZE) != 0;
	return dirty;
}

static long take(enum step step, const char *backing)
{
	switch (step) {
	case BOOT:
		return boot(backing);
	case ONLINE:
	case ONLINE_AGAIN:
		return set_state("online_movable");
	case WRITE:
		return write_all();
	case OFFLINE:
		return set_state("offline");
	case READ:
		return read_all();
	case SHUTDOWN:
		return mp_shutdown();
	}
	return -EINVAL;
}

static void child_main(const struct child *me, const char *backing)
{
	enum step step;

	while (read(me->steps, &step, sizeof(step)) == sizeof(step)) {
		long result = take(step, backing);

		if (write(me->results, &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(0);
}

/* ---- outside ---- */

static void child_start(struct child *child, const char *backing)
{
	int steps[2], results[2];

	CHECK_EQ(pipe(steps), 0);
	CHECK_EQ(pipe(results), 0);
	child->pid = fork();
	CHECK_GE(child->pid, 0);
	if (child->pid == 0) {
		close(steps[1]);
		close(results[0]);
		child->steps = steps[0];
		child->results = results[1];
		child_main(child, backing);
	}
	close(steps[0]);
	close(results[1]);
	child->steps = steps[1];
	child->results = results[0];
}

static long ask(struct child *child, enum step step)
{
	long result;

	CHECK_EQ(write(child->steps, &step, sizeof(step)), (ssize_t)sizeof(step));
	if (read(child->results, &result, sizeof(result)) != sizeof(result))
		FAIL("the child ended in step %d", step);
	return result;
}

/* Bytes of memory that the host holds for the child. */
static long child_rss(const struct child *child)
{
	char path[64], line[256];
	long kib = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", child->pid);
	file = fopen(path, "re");
	if (!file)
		SKIP("%s cannot be read", path);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Rss: %ld kB", &kib) == 1)
			break;
	fclose(file);
	CHECK_GE(kib, 0);
	return kib * 1024;
}

/* Bytes of memory in the files of the machine's blocks that the child holds open. */
static long child_memfds(const struct child *child, int *count)
{
	char path[64], at[400], target[256];
	struct dirent *entry;
	long bytes = 0;
	DIR *folder;

	*count = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", child->pid);
	folder = opendir(path);
	CHECK(folder);
	while ((entry = readdir(folder))) {
		struct stat st;
		ssize_t len;

		snprintf(at, sizeof(at), "%s/%s", path, entry->d_name);
		len = readlink(at, target, sizeof(target) - 1);
		target[len < 0 ? 0 : len] = '\0';
		if (strcmp(target, "/memfd:memplug (deleted)") != 0 || stat(at, &st) != 0)
			continue;
		bytes += st.st_blocks * 512L;
		++*count;
	}
	closedir(folder);
	return bytes;
}

static void give_back(const char *backing, bool has_files)
{
	long online, full, gone, files_full, files_gone, pages;
	struct child child;
	int status, files;

	child_start(&child, backing);
	CHECK_EQ(ask(&child, BOOT), 0);
	CHECK_EQ(ask(&child, ONLINE), 0);
	online = child_rss(&child);
	pages = ask(&child, WRITE);
	CHECK_GT(pages, (long)BLOCK_PAGES * 9 / 10);
	full = child_rss(&child);
	files_full = child_memfds(&child, &files);
	CHECK_EQ(files > 0, has_files);
	CHECK_GE(full - online, pages * (long)PAGE_SIZE - SLACK);
	if (has_files)
		CHECK_GE(files_full, pages * (long)PAGE_SIZE);

	CHECK_EQ(ask(&child, OFFLINE), 0);
	gone = child_rss(&child);
	files_gone = child_memfds(&child, &files);
	CHECK_GE(full - gone, pages * (long)PAGE_SIZE - SLACK);
	if (has_files)
		CHECK_GE(files_full - files_gone, pages * (long)PAGE_SIZE);
	printf("# %s: resident %ld KiB online, %ld full, %ld offline; in files %ld full, %ld "
	       "offline\n",
	       backing, online >> 10, full >> 10, gone >> 10, files_full >> 10, files_gone >> 10);
	fflush(stdout);

	CHECK_EQ(ask(&child, ONLINE_AGAIN), 0);
	CHECK_LT(child_rss(&child), gone + SLACK);
	CHECK_EQ(ask(&child, READ), 0);
	CHECK_EQ(ask(&child, SHUTDOWN), 0);
	child_memfds(&child, &files);
	CHECK_EQ(files, 0);
	close(child.steps);
	CHECK_EQ(waitpid(child.pid, &status, 0), child.pid);
	CHECK_EQ(status, 0);
}

TEST(give_back_memfd,
     "an offline block's memory is the host's again, on memfd, as seen from outside")
{
	give_back("memfd", true);
}

TEST(give_back_anonymous,
     "an offline block's memory is the host's again, anonymous, as seen from outside")
{
	give_back("anonymous", false);
}
