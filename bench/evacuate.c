/* SPDX-License-Identifier: MIT */
/*
 * A block full of memory that the program has mapped goes offline: bytes moved
 * a second in one pass, idle and with one thread that writes all over the range, beside
 * memcpy() of as many bytes between two unused mappings in the same run; how
 * long that thread's writes took with and without; how long the windows were.
 * Units of 64 KiB, of 2 MiB in windows of 64 KiB, and of 2 MiB in one window.
 * Writer and mover sit on CPUs of their own. Medians of the rounds.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define MIB (1UL << 20)
#define BLOCK (128 * MIB)
#define HOT (4096 * MIB)
#define RANGE (120 * MIB)
#define ROUNDS 6
#define BUCKETS 65536 /* of 0.25 us; the last has all that took longer */

static int stop, started; /* atomic */
static char *range;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void sit_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), by_value);
	return values[n / 2];
}

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

/* ---- one saturating writer ---- */

static unsigned long stalls[BUCKETS];

static void *write_all_over(void *arg)
{
	unsigned long i = 0;
	double last;

	sit_on(1);
	__atomic_store_n(&started, 1, __ATOMIC_RELEASE);
	last = now_us();
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (int n = 0; n < 8; n++, i++)
			*(volatile unsigned long *)(range + (i * 4096 + i % 512 * 8) % RANGE) = i;
		double now = now_us();
		unsigned long bucket = (unsigned long)((now - last) * 4);

		stalls[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
		last = now;
	}
	return arg;
}

static double percentile(double p)
{
	unsigned long total = 0, sum = 0, i;

	for (i = 0; i < BUCKETS; i++)
		total += stalls[i];
	for (i = 0; i < BUCKETS - 1; i++) {
		sum += stalls[i];
		if ((double)sum >= (double)total * p)
			break;
	}
	return (double)(i + 1) / 4;
}

/* ---- rounds ---- */

static void state(int block, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state", 32 + block);
	must(mp_write_string(path, text), text);
}

static unsigned long moved_bytes(void)
{
	struct mp_map_stats stats;

	must(mp_get_map_stats(&stats), "statistics");
	return stats.bytes_moved;
}

/* GB/s of taking the full block away; it comes back at once. Blocks 0 and 1 in turn. */
static double evacuate(int round)
{
	unsigned long before = moved_bytes();
	double since = now_us(), us;

	state(round % 2, "offline");
	us = now_us() - since;
	state(round % 2, "online_movable");
	return (double)(moved_bytes() - before) / us / 1e3;
}

static double copy_speed(void)
{
	char *from = aligned_alloc(2 * MIB, 2 * RANGE), *to = from + RANGE;
	double values[ROUNDS], since;

	memset(from, 1, 2 * RANGE);
	for (int i = 0; i < ROUNDS; i++) {
		since = now_us();
		for (unsigned long at = 0; at < RANGE; at += 64 << 10)
			memcpy(to + at, from + at, 64 << 10);
		values[i] = (double)RANGE / (now_us() - since) / 1e3;
	}
	free(from);
	return median(values, ROUNDS);
}

static void map_range(const char *how)
{
	void *at = NULL;

	if (!strcmp(how, "64 KiB")) {
		/* No address for 2 MiB: each piece for itself, side by side. */
		char *room = aligned_alloc(2 * MIB, RANGE);

		for (unsigned long i = 0; i < RANGE; i += 64 << 10) {
			at = room + i;
			must(mp_map(&at, 64 << 10, 1, MP_MAP_FIXED | MP_MAP_THISNODE), "map");
		}
		range = room;
	} else {
		must(mp_map(&at, RANGE, 1, MP_MAP_THISNODE | (how[0] == 'w' ? MP_MAP_HUGE : 0)), "map");
		range = at;
	}
	memset(range, 1, RANGE);
}

static void measure(const char *how)
{
	double idle[ROUNDS], load[ROUNDS], quiet[2], busy[2];
	struct timespec pause = { .tv_nsec = 300000000 };
	pthread_t writer;
	int i;

	map_range(how);
	for (i = 0; i < ROUNDS; i++)
		idle[i] = evacuate(i);
	__atomic_store_n(&stop, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&started, 0, __ATOMIC_RELAXED);
	pthread_create(&writer, NULL, write_all_over, NULL);
	while (!__atomic_load_n(&started, __ATOMIC_ACQUIRE))
		sched_yield();
	memset(stalls, 0, sizeof(stalls));
	nanosleep(&pause, NULL);
	quiet[0] = percentile(0.999);
	quiet[1] = percentile(0.9999);
	memset(stalls, 0, sizeof(stalls));
	for (i = 0; i < ROUNDS; i++)
		load[i] = evacuate(i);
	busy[0] = percentile(0.999);
	busy[1] = percentile(0.9999);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	printf("  %-28s %8.2f %8.2f %10.1f %10.1f %10.1f %10.1f\n", how, median(idle, ROUNDS),
	       median(load, ROUNDS), quiet[0], busy[0], quiet[1], busy[1]);
	must(mp_unmap(range, RANGE), "unmap");
}

int main(void)
{
	struct mp_desc *desc = mp_desc_new();

	setvbuf(stdout, NULL, _IOLBF, 0);
	mp_desc_parse(desc, "node 0\nnode 1\ncpu 0 node 0\nram 1M 127M node 0\novercommit = yes\n"
			    "memhp_default_state = online_movable\n", "evacuate");
	must(mp_boot(desc), "boot");
	mp_desc_free(desc);
	must(add_memory(1, HOT, 2 * BLOCK, MHP_NONE), "add");
	must(mp_map_prepare(), "prepare");
	sit_on(0);
	printf("evacuate: 120 MiB mapped, %s; memcpy() in pieces of 64 KiB %.2f GB/s\n",
	       mp_map_mechanism(), copy_speed());
	printf("  %-28s %8s %8s %21s %21s\n", "", "GB/s", "GB/s", "writes p99.9 us", "writes p99.99 us");
	printf("  %-28s %8s %8s %10s %10s %10s %10s\n", "units", "idle", "load", "still", "moving",
	       "still", "moving");
	measure("64 KiB");
	measure("2 MiB, windows of 64 KiB");
	measure("whole 2 MiB");
	return 0;
}
