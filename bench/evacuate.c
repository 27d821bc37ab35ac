/* SPDX-License-Identifier: MIT */
/*
 * A block full of memory that the program has mapped goes offline: bytes moved
 * a second, idle and under one thread that writes all over the range, in pairs
 * with a plain migrator that copies as many bytes from one unused memory file
 * to another, made and given back as the blocks are; and how long that
 * thread's writes took beside either, and beside nothing. Units of 64 KiB, of
 * 2 MiB, and of 2 MiB in one window; and anonymous memory, which is counted to the
 * other block and not copied: the peer copies all the same. Writer and mover sit on CPUs of their own.
 * GB/s of the mover's own CPU time, too: time slices of other programs are not in it.
 */
#include "pairs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define MIB (1UL << 20)
#define BLOCK (128 * MIB)
#define HOT (4096 * MIB)
#define RANGE (120 * MIB)
#define PIECE (64UL << 10)
#define BUCKETS 65536 /* of 0.25 us; the last has all that took longer */
#define ENABLED "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

static int stop, started; /* atomic */
static char *range;
static int node = 1; /* its two blocks are what leaves */

static void must(int ret, const char *what)
{
	struct mp_reason reason;

	if (ret >= 0)
		return;
	printf("%s: error %d", what, -ret);
	if (!mp_last_reason(&reason))
		printf(": %s", reason.text);
	printf("\n");
	exit(ret == -EOPNOTSUPP ? 0 : 1);
}

static void sit_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* ---- huge pages behind memory files, for as long as this runs ---- */

static char enabled_before[32];

static void enable(const char *how)
{
	int fd = open(ENABLED, O_WRONLY);

	if (fd >= 0 && write(fd, how, strlen(how)) < 0)
		printf("evacuate: %s does not take %s\n", ENABLED, how);
	if (fd >= 0)
		close(fd);
}

static void enable_as_before(void)
{
	enable(enabled_before);
}

static void end(int signal)
{
	(void)signal;
	enable_as_before();
	_exit(1);
}

static void enable_huge_pages(void)
{
	char text[128] = "", *from, *to;
	FILE *f = fopen(ENABLED, "r");

	if (f && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	from = strchr(text, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return;
	*to = '\0';
	snprintf(enabled_before, sizeof(enabled_before), "%s", from + 1);
	atexit(enable_as_before);
	signal(SIGINT, end);
	signal(SIGTERM, end);
	enable("advise");
}

/* ---- one saturating writer ---- */

struct stalls {
	unsigned long of[BUCKETS]; /* eight writes each */
	double ns;
};
static struct stalls *stalls; /* atomic: where the writer counts */

static void *write_all_over(void *arg)
{
	unsigned long i = 0;
	double last, now;

	sit_on(1);
	__atomic_store_n(&started, 1, __ATOMIC_RELEASE);
	for (last = clock_ns(CLOCK_MONOTONIC); !__atomic_load_n(&stop, __ATOMIC_RELAXED); last = now) {
		struct stalls *to = __atomic_load_n(&stalls, __ATOMIC_RELAXED);
		unsigned long bucket;

		for (int n = 0; n < 8; n++, i++)
			*(volatile unsigned long *)(range + (i * 4096 + i % 512 * 8) % RANGE) = i;
		now = clock_ns(CLOCK_MONOTONIC);
		bucket = (unsigned long)((now - last) / 250);
		to->of[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
		to->ns += now - last;
	}
	return arg;
}

static double percentile(const struct stalls *of, double p)
{
	unsigned long total = 0, sum = 0, i;

	for (i = 0; i < BUCKETS; i++)
		total += of->of[i];
	for (i = 0; i < BUCKETS - 1; i++) {
		sum += of->of[i];
		if ((double)sum >= (double)total * p)
			break;
	}
	return (double)(i + 1) / 4;
}

static double writes_per_us(const struct stalls *of)
{
	unsigned long total = 0, i;

	for (i = 0; i < BUCKETS; i++)
		total += of->of[i];
	return of->ns ? (double)total * 8e3 / of->ns : 0;
}

/* ---- the mover and its peer ---- */

struct speed {
	double wall, cpu; /* GB/s */
};

static void state(int block, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state", 32 * node + block);
	must(mp_write_string(path, text), text);
}

static struct speed speed_since(double wall, double cpu)
{
	return (struct speed){ (double)RANGE / (clock_ns(CLOCK_MONOTONIC) - wall),
			       (double)RANGE / (clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) };
}

/* Blocks 0 and 1 in turn; what left comes back at once. */
static struct speed evacuate(void)
{
	static int round;
	double wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct speed speed;

	state(round % 2, "offline");
	speed = speed_since(wall, cpu);
	state(round % 2, "online_movable");
	round++;
	return speed;
}

static char *peer_map[2];
static int peer_fd[2];

static void peer_prepare(void)
{
	for (int i = 0; i < 2; i++) {
		char *room = mmap(NULL, BLOCK + 2 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		peer_fd[i] = memfd_create("peer", 0);
		must(ftruncate(peer_fd[i], BLOCK), "ftruncate");
		room = (char *)(((unsigned long)room + 2 * MIB - 1) & ~(2 * MIB - 1));
		peer_map[i] = mmap(room, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, peer_fd[i], 0);
		madvise(peer_map[i], BLOCK, MADV_HUGEPAGE);
	}
	memset(peer_map[0], 1, RANGE);
}

/* The same work without anybody to care for: fill with pages, copy, give back. */
static struct speed copy_unused(void)
{
	static int round;
	double wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	char *from = peer_map[round % 2], *to = peer_map[!(round % 2)];
	struct speed speed;

	for (unsigned long at = 0; at < RANGE; at += PIECE)
		memcpy(to + at, from + at, PIECE);
	must(fallocate(peer_fd[round % 2], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, BLOCK), "fallocate");
	speed = speed_since(wall, cpu);
	round++;
	return speed;
}

/* ---- pairs ---- */

struct figures {
	double ours[PAIRS], ours_cpu[PAIRS], peer[PAIRS], ratio[PAIRS], ratio_cpu[PAIRS];
};

static double median(double *values)
{
	qsort(values, PAIRS, sizeof(*values), pairs_by_value);
	return values[PAIRS / 2];
}

static void pairs(struct figures *figures, struct stalls *moving, struct stalls *copying,
		  struct stalls *still)
{
	evacuate();
	copy_unused();
	for (int i = 0; i < PAIRS; i++) {
		struct speed ours = { 0 }, peer = { 0 };

		for (int j = 0; j < 2; j++) {
			bool we = i % 2 == j;

			__atomic_store_n(&stalls, we ? moving : copying, __ATOMIC_RELAXED);
			if (we)
				ours = evacuate();
			else
				peer = copy_unused();
			__atomic_store_n(&stalls, still, __ATOMIC_RELAXED);
			usleep(5000);
		}
		figures->ours[i] = ours.wall;
		figures->ours_cpu[i] = ours.cpu;
		figures->peer[i] = peer.wall;
		figures->ratio[i] = ours.wall / peer.wall;
		figures->ratio_cpu[i] = ours.cpu / peer.cpu;
	}
}

static void target(const char *what, double value, double target, bool at_least)
{
	bool met = at_least ? value >= target : value <= target;

	printf("    target %s: %.2f, %s %.1f: %s\n", what, value, at_least ? "at least" : "at most", target,
	       met ? "met" : "not met");
}

static double report(const char *what, struct figures *f)
{
	double ours = median(f->ours), cpu = median(f->ours_cpu), peer = median(f->peer);

	median(f->ratio);
	median(f->ratio_cpu);
	printf("  %-5s %6.2f GB/s (%.2f of its CPU time), copying %6.2f; ratio %.2f (%.2f to %.2f), by CPU time %.2f\n",
	       what, ours, cpu, peer, f->ratio[PAIRS / 2], f->ratio[PAIRS / 2 - SPREAD],
	       f->ratio[PAIRS / 2 + SPREAD], f->ratio_cpu[PAIRS / 2]);
	return ours;
}

static void report_stalls(const char *what, const struct stalls *s)
{
	printf("  writes %-8s p50 %8.1f us  p99 %8.1f  p99.9 %8.1f  p99.99 %8.1f  p99.999 %8.1f; %.1f a us\n", what,
	       percentile(s, 0.5), percentile(s, 0.99), percentile(s, 0.999), percentile(s, 0.9999),
	       percentile(s, 0.99999), writes_per_us(s));
}

static void map_range(const char *how)
{
	void *at = NULL;

	if (!strncmp(how, "64 KiB", 6)) {
		/* No address for 2 MiB: each piece for itself, side by side. */
		char *room = aligned_alloc(2 * MIB, RANGE);

		for (unsigned long i = 0; i < RANGE; i += PIECE) {
			at = room + i;
			must(mp_map(&at, PIECE, node, MP_MAP_FIXED | MP_MAP_THISNODE), "map");
		}
		range = room;
	} else {
		must(mp_map(&at, RANGE, node, MP_MAP_THISNODE | (how[0] == 'w' ? MP_MAP_HUGE : 0)), "map");
		range = at;
	}
	memset(range, 1, RANGE);
}

static void measure(const char *how)
{
	static struct stalls moving, copying, still;
	struct figures figures;
	double idle, load;
	pthread_t writer;

	map_range(how);
	printf("%s:\n", how);
	pairs(&figures, NULL, NULL, NULL);
	idle = report("idle", &figures);
	stalls = &still;
	__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&started, 0, __ATOMIC_RELAXED);
	pthread_create(&writer, NULL, write_all_over, NULL);
	while (!__atomic_load_n(&started, __ATOMIC_ACQUIRE))
		sched_yield();
	usleep(50000);
	pairs(&figures, &moving, &copying, &still);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	load = report("load", &figures);
	report_stalls("moving", &moving);
	report_stalls("copying", &copying);
	report_stalls("still", &still);
	target("GB/s idle", idle, 4, true);
	target("GB/s under the writer", load, 1, true);
	target("p99.99 us of writes", percentile(&moving, 0.9999), 200, false);
	must(mp_unmap(range, RANGE), "unmap");
	memset(&moving, 0, sizeof(moving));
	memset(&copying, 0, sizeof(copying));
	memset(&still, 0, sizeof(still));
}

int main(void)
{
	struct mp_desc *desc = mp_desc_new();

	setvbuf(stdout, NULL, _IOLBF, 0);
	enable_huge_pages();
	mp_desc_parse(desc, "node 0\nnode 1\nnode 2\nbacking node 2 anonymous\ncpu 0 node 0\nram 1M 127M node 0\novercommit = yes\n"
			    "memhp_default_state = online_movable\n", "evacuate");
	must(mp_boot(desc), "boot");
	mp_desc_free(desc);
	must(add_memory(1, HOT, 2 * BLOCK, MHP_NONE), "add");
	must(add_memory(2, 2 * HOT, 2 * BLOCK, MHP_NONE), "add");
	must(mp_map_prepare(), "prepare");
	sit_on(0);
	peer_prepare();
	printf("evacuate: 120 MiB of a block of 128 MiB mapped, %s; %d pairs with a migrator between unused files\n",
	       mp_map_mechanism(), PAIRS);
	measure("64 KiB units");
	measure("2 MiB units");
	measure("whole 2 MiB");
	node = 2;
	measure("64 KiB units, anonymous");
	measure("2 MiB units, anonymous");
	return 0;
}
