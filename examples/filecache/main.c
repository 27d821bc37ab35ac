/* SPDX-License-Identifier: MIT */
/*
 * The main job: a machine like the one this runs on gets one more node with memory; a cache of the
 * host's files lives in it; then every block of it is taken away and brought back while two threads
 * go on reading and verifying. Each event is shown as it happens; a table tells what it cost.
 * Exits with 1 if any read differed, a block did not come or go, or memory was not given back.
 *
 * State is in `job`; the counters are atomics, the rest belongs to the main thread.
 */
#include "filecache.h"
#include "files.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define MIB        (1UL << 20)
#define BLOCKS     4
#define READERS    2
#define MOST_BYTES (512 * MIB) /* of files */
#define BLOCK_TREE "/sys/devices/system/memory/"

static struct {
	struct filecache *cache;
	int nid;
	uint64_t start, block_bytes;
	long first_block;
	struct files files;
	long guarded; /* the block that the guard protects, or -1 */
	unsigned long verified, mismatches, unreadable;
	int stop;
} job = {.guarded = -1};

/* ---- small things ---- */

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...)
{
	struct mp_reason reason;
	va_list args;

	va_start(args, format);
	fprintf(stderr, "filecache: ");
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	if (mp_last_reason(&reason) == 0)
		fprintf(stderr, "filecache: last reason: %s\n", reason.text);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What can be used on the host without taking it from others. */
static uint64_t host_available(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lu kB", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 1024UL;
}

/* ---- the machine ---- */

static void boot(void)
{
	struct mp_desc *desc = mp_desc_new();
	const char *like = "like this host";
	int ret;

	if (!desc)
		fail("no memory");
	ret = mp_desc_read_sysfs(desc, "/");
	if (ret < 0) {
		/* Some containers hide it. */
		mp_desc_free(desc);
		desc = mp_desc_new();
		like = "a small one, since this host does not show its own";
		ret = mp_desc_parse(desc,
				    "overcommit = yes\nnode 0\ncpu 0 node 0\nram 4G 2G node 0\n",
				    "small");
	}
	if (ret < 0)
		fail("describing the machine: %s", mp_desc_error(desc));
	/* Large hosts have blocks of up to 2 GiB, too large to be filled here. */
	mp_desc_set(desc, "block", "128M");
	/* One more node, possible but empty, after those that the host has. */
	for (job.nid = 1; (ret = mp_desc_add_node(desc, job.nid)) == -EEXIST; job.nid++)
		;
	if (ret < 0)
		fail("adding node %d: %s", job.nid, mp_desc_error(desc));
	ret = mp_boot(desc);
	if (ret < 0)
		fail("boot: %s", strerror(-ret));
	mp_desc_free(desc);
	job.block_bytes = memory_block_size_bytes();
	printf("machine: %s, memory blocks of %lu MiB\n", like, job.block_bytes / MIB);
}

static int find_last(struct memory_block *mem, void *arg)
{
	uint64_t end = PFN_PHYS(section_nr_to_pfn(mem->start_section_nr)) + job.block_bytes;

	if (end > job.start)
		job.start = end;
	return 0;
}

/* Memory for the new node, behind all that is there. */
static void add_node_memory(void)
{
	uint64_t bytes = BLOCKS * job.block_bytes;
	int ret;

	lock_device_hotplug();
	for_each_memory_block(NULL, find_last);
	unlock_device_hotplug();
	job.first_block = job.start / job.block_bytes;
	printf("add_memory: %u blocks, %lu MiB at %#lx, on new node %d\n", BLOCKS, bytes / MIB,
	       job.start, job.nid);
	ret = add_memory(job.nid, job.start, bytes, MHP_NONE);
	if (ret < 0)
		fail("add_memory: %s", strerror(-ret));
}

static int change_state(long block, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), BLOCK_TREE "memory%ld/state", block);
	return mp_write_string(path, text);
}

/* ---- what listens ---- */

static int show_event(struct notifier_block *self, unsigned long action, void *arg)
{
	struct memory_notify *mem = arg;
	long block = PFN_PHYS(mem->start_pfn) / job.block_bytes;

	printf("  memory%ld %s", block, mp_event_name(action));
	if (mem->status_change_nid >= 0)
		printf(" (node %d %s)", mem->status_change_nid,
		       action & (MEM_GOING_ONLINE | MEM_ONLINE | MEM_CANCEL_ONLINE)
			       ? "gets its first memory"
			       : "loses its last memory");
	printf("\n");
	return NOTIFY_DONE;
}

/* Keeps one block where it is. */
static int guard_block(struct notifier_block *self, unsigned long action, void *arg)
{
	struct memory_notify *mem = arg;
	long block = PFN_PHYS(mem->start_pfn) / job.block_bytes;

	return action == MEM_GOING_OFFLINE && block == job.guarded ? NOTIFY_BAD : NOTIFY_DONE;
}

/* ---- the files ---- */

static void read_files(void)
{
	uint64_t node_bytes = BLOCKS * job.block_bytes, sum;
	const struct files *files = &job.files;
	char buf[FILECACHE_PAGE];
	double start = now_ms();
	int ret;

	/* A quarter of the node stays free, so that a block's pages find room in the others. */
	ret = files_find(&job.files,
			 min(min(MOST_BYTES, node_bytes / 4 * 3), host_available() / 4) /
				 FILECACHE_PAGE);
	if (ret < 0)
		fail("looking for files: %s", strerror(-ret));
	for (size_t i = 0; i < files->nr_pages; i++)
		if (filecache_read(job.cache, files->pages[i], buf, &sum) < 0)
			job.unreadable++;
	/* Every other page is read again: these are the warm ones. */
	for (size_t i = 0; i < files->nr_pages; i += 2)
		filecache_read(job.cache, files->pages[i], buf, &sum);
	printf("cache: %zu MiB of %zu files in %.0f ms\n", files->nr_pages * FILECACHE_PAGE / MIB,
	       files->nr_files, now_ms() - start);
}

/* Reads and verifies until it is told to stop; warm pages mostly. */
static void *reader(void *arg)
{
	uint64_t random = (uintptr_t)arg, sum;
	char buf[FILECACHE_PAGE];

	while (!__atomic_load_n(&job.stop, __ATOMIC_RELAXED)) {
		uint64_t r = next_random(&random);
		size_t i = (r >> 8) % job.files.nr_pages;

		if (r & 15)
			i &= ~(size_t)1;
		if (filecache_read(job.cache, job.files.pages[i], buf, &sum) < 0)
			__atomic_fetch_add(&job.unreadable, 1, __ATOMIC_RELAXED);
		else if (filecache_checksum(buf) == sum)
			__atomic_fetch_add(&job.verified, 1, __ATOMIC_RELAXED);
		else
			__atomic_fetch_add(&job.mismatches, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* ---- blocks leave and come back ---- */

struct row {
	unsigned long dropped, moved, verified, mismatches;
	double offline_ms, online_ms;
	int64_t before, after;
};

static void take_away_and_bring_back(long block, struct row *row)
{
	struct mp_stats stats, stats_after;
	struct filecache_counts counts, counts_after;
	unsigned long verified = READ_ONCE(job.verified), mismatches = READ_ONCE(job.mismatches);
	double start;
	int ret;

	filecache_count(job.cache, &counts);
	mp_get_stats(&stats);
	row->before = mp_block_resident(block);
	start = now_ms();
	ret = change_state(block, "offline");
	row->offline_ms = now_ms() - start;
	if (ret < 0)
		fail("memory%ld: offline: %s", block, strerror(-ret));
	row->after = mp_block_resident(block);
	mp_get_stats(&stats_after);
	filecache_count(job.cache, &counts_after);
	row->dropped = counts_after.dropped - counts.dropped;
	row->moved = stats_after.pages_migrated - stats.pages_migrated;

	start = now_ms();
	ret = change_state(block, "online_movable");
	row->online_ms = now_ms() - start;
	if (ret < 0)
		fail("memory%ld: online_movable: %s", block, strerror(-ret));
	row->verified = READ_ONCE(job.verified) - verified;
	row->mismatches = READ_ONCE(job.mismatches) - mismatches;
}

static void try_the_guarded(long block)
{
	struct mp_reason reason;
	int ret;

	WRITE_ONCE(job.guarded, block);
	printf("\nmemory%ld is guarded; asking for it all the same\n", block);
	ret = change_state(block, "offline");
	if (ret == 0)
		fail("memory%ld went offline past its guard", block);
	if (mp_last_reason(&reason) < 0)
		fail("no reason was recorded");
	printf("  refused: %s\n  reason: %s\n", strerror(-ret), reason.text);
	WRITE_ONCE(job.guarded, -1);
}

static int print_table(const struct row *rows)
{
	int wrong = 0;

	printf("\n%-10s %10s %10s %12s %12s %10s %12s %10s\n", "block", "dropped", "moved",
	       "offline ms", "given back", "online ms", "reads", "wrong");
	for (int i = 0; i < BLOCKS; i++) {
		const struct row *row = &rows[i];

		printf("memory%-4ld %6.1f MiB %6.1f MiB %12.1f %8.1f MiB %10.1f %12lu %10lu\n",
		       job.first_block + i, row->dropped * PAGE_SIZE / (double)MIB,
		       row->moved * PAGE_SIZE / (double)MIB, row->offline_ms,
		       (row->before - row->after) / (double)MIB, row->online_ms, row->verified,
		       row->mismatches);
		/* Nothing of an offline block may stay with us. */
		wrong += row->after != 0;
	}
	return wrong;
}

static void remove_node_memory(void)
{
	char path[64];
	struct mp_entry entry;
	int ret;

	for (int i = 0; i < BLOCKS; i++) {
		ret = change_state(job.first_block + i, "offline");
		if (ret < 0)
			fail("memory%ld: offline: %s", job.first_block + i, strerror(-ret));
	}
	ret = remove_memory(job.start, BLOCKS * job.block_bytes);
	if (ret < 0)
		fail("remove_memory: %s", strerror(-ret));
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", job.nid);
	if (mp_stat(path, &entry) != -ENOENT)
		fail("node %d is still there", job.nid);
	printf("remove_memory: node %d is gone\n", job.nid);
}

int main(void)
{
	static struct notifier_block shower = {.notifier_call = show_event, .priority = 100};
	pthread_t readers[READERS];
	struct row rows[BLOCKS] = {0};
	int wrong, ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	boot();
	if (register_memory_notifier(&shower) < 0 || hotplug_memory_notifier(guard_block, 50) < 0)
		fail("register_memory_notifier");
	add_node_memory();
	for (int i = 0; i < BLOCKS; i++) {
		ret = change_state(job.first_block + i, "online_movable");
		if (ret < 0)
			fail("memory%ld: online_movable: %s", job.first_block + i, strerror(-ret));
	}
	job.cache = filecache_new(job.nid, files_fill);
	if (!job.cache)
		fail("no memory");
	read_files();

	printf("\n%u threads read and verify; meanwhile each block goes and comes back\n", READERS);
	for (long i = 0; i < READERS; i++)
		if (pthread_create(&readers[i], NULL, reader, (void *)(i + 1)) != 0)
			fail("pthread_create");
	for (int i = 0; i < BLOCKS; i++)
		take_away_and_bring_back(job.first_block + i, &rows[i]);
	try_the_guarded(job.first_block + 1);
	WRITE_ONCE(job.stop, 1);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);

	printf("\nthe cache is emptied, the node taken away\n");
	filecache_free(job.cache);
	files_forget(&job.files);
	remove_node_memory();
	unregister_memory_notifier(&shower);
	ret = mp_shutdown();
	if (ret < 0)
		fail("mp_shutdown: %s", strerror(-ret));
	wrong = print_table(rows);
	printf("\n%lu reads verified, %lu wrong", job.verified, job.mismatches);
	if (job.unreadable)
		printf(", %lu pages could not be read from their files", job.unreadable);
	printf("\n");
	if (job.mismatches || job.verified == 0 || wrong)
		return 1;
	return 0;
}
