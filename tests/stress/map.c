/* SPDX-License-Identifier: MIT */
/*
 * Mapped memory under load while its blocks leave and come back: atomics, plain counters, records with
 * check sums under locks that lie there too, and system calls that write into it. Not one wrong value.
 */
#include "../lib/machine.h"

#include <memplug/map.h>
#include <sys/mman.h>

#ifndef MAP_BACKING
#define MAP_BACKING "memfd"
#endif
#define GRANULE ((size_t)MP_MAP_GRANULE)
#define MIB ((size_t)1 << 20)
#define BLOCKS 3
#define ROUNDS 9
#define THREADS 3
#define COUNTERS 64
#define RECORDS 256

static int stop; /* atomic */

static bool running(void)
{
	return !__atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- what lives in the mapped range, each piece on a place of its own ---- */

struct record {
	pthread_mutex_t lock;
	uint64_t value[30], sum;
};
struct area {
	char *atomics;	/* COUNTERS words, a granule and a bit apart */
	char *private;	/* the same for each thread */
	struct record *records;
	char *buffers;	/* 256 KiB for each kind of system call */
};
static struct area area;

static uint64_t *counter(char *base, unsigned int i)
{
	return (uint64_t *)(base + i * (GRANULE / 4 + 8));
}

#define COUNTERS_BYTES (COUNTERS * (GRANULE / 4 + 8))

/* ---- threads ---- */

static uint64_t added[THREADS]; /* what each added to the atomics */

static void *count_atomic(void *arg)
{
	uint64_t seed = 88172645463325252u + (uintptr_t)arg, n = 0;

	while (running()) {
		for (int i = 0; i < 1000; i++, n++)
			__atomic_fetch_add(counter(area.atomics, next_random(&seed) % COUNTERS), 1,
					   __ATOMIC_RELAXED);
		sched_yield();
	}
	added[(uintptr_t)arg] = n;
	return NULL;
}

/* Plain stores of one thread: a write that got lost shows at the next look. */
static void *count_private(void *arg)
{
	char *base = area.private + (uintptr_t)arg * COUNTERS_BYTES;
	uint64_t expected[COUNTERS] = { 0 }, seed = 7 + (uintptr_t)arg, bad = 0;

	while (running()) {
		for (int i = 0; i < 1000; i++) {
			unsigned int at = next_random(&seed) % COUNTERS;
			volatile uint64_t *word = counter(base, at);

			bad += *word != expected[at];
			*word = ++expected[at];
		}
		sched_yield();
	}
	return (void *)bad;
}

static uint64_t sum_of(const struct record *record)
{
	uint64_t sum = 0;

	for (int i = 0; i < 30; i++)
		sum = sum * 31 + record->value[i];
	return sum;
}

static void *write_records(void *arg)
{
	uint64_t seed = 99 + (uintptr_t)arg, bad = 0;

	while (running()) {
		for (int i = 0; i < 100; i++) {
			struct record *record = &area.records[next_random(&seed) % RECORDS];

			pthread_mutex_lock(&record->lock);
			bad += record->sum != sum_of(record);
			for (int j = 0; j < 30; j++)
				record->value[j] = next_random(&seed);
			record->sum = sum_of(record);
			pthread_mutex_unlock(&record->lock);
		}
		sched_yield();
	}
	return (void *)bad;
}

/* The kernel writes into the range: a file's contents, and what came through a pipe. */
static void *read_file_into(void *arg)
{
	size_t size = 192 << 10;
	char *buffer = area.buffers, *copy = malloc(size);
	int fd = memfd_create("contents", 0);
	uint64_t bad = 0, seed = 5;

	(void)arg;
	while (running()) {
		for (size_t i = 0; i < size; i += 8)
			*(uint64_t *)(copy + i) = next_random(&seed);
		CHECK_EQ(pwrite(fd, copy, size, 0), (ssize_t)size);
		CHECK_EQ(pread(fd, buffer, size, 0), (ssize_t)size);
		bad += memcmp(buffer, copy, size) != 0;
		buffer[seed % size] ^= 1;
		CHECK_EQ(pwrite(fd, buffer, size, 0), (ssize_t)size);
		CHECK_EQ(pread(fd, copy, size, 0), (ssize_t)size);
		bad += memcmp(buffer, copy, size) != 0;
	}
	close(fd);
	free(copy);
	return (void *)bad;
}

static void *read_pipe_into(void *arg)
{
	char *out = area.buffers + (256 << 10), *in = out + (128 << 10);
	uint64_t bad = 0, seed = 6;
	int fds[2];

	(void)arg;
	CHECK_EQ(pipe(fds), 0);
	while (running()) {
		size_t size = 4096 + next_random(&seed) % 60000 / 8 * 8, done = 0;

		for (size_t i = 0; i < size; i += 8)
			*(uint64_t *)(out + i) = next_random(&seed);
		CHECK_EQ(write(fds[1], out, size), (ssize_t)size);
		while (done < size) {
			ssize_t n = read(fds[0], in + done, size - done);

			CHECK_GT(n, 0);
			done += (size_t)n;
		}
		bad += memcmp(in, out, size) != 0;
	}
	close(fds[0]);
	close(fds[1]);
	return (void *)bad;
}

/* ---- the test ---- */

static void *map(size_t length, unsigned int flags)
{
	void *at = NULL;

	CHECK_EQ(mp_map(&at, length, 1, flags | MP_MAP_THISNODE), 0);
	return at;
}

static void make_area(unsigned int flags)
{
	size_t length = flags & MP_MAP_HUGE ? 2 * MIB : 0;

	area.atomics = map(length ?: COUNTERS_BYTES, flags);
	area.private = map(length ? 4 * MIB : THREADS * COUNTERS_BYTES, flags);
	area.records = map(length ?: RECORDS * sizeof(struct record), flags);
	area.buffers = map(length ?: MIB, flags);
	for (int i = 0; i < RECORDS; i++)
		pthread_mutex_init(&area.records[i].lock, NULL);
}

static void under_load(unsigned int flags)
{
	static void *(*const bodies[])(void *) = { count_atomic, count_private, write_records,
						   read_file_into, read_pipe_into };
	pthread_t threads[3 * THREADS + 2];
	uint64_t total = 0, expected = 0;
	struct mp_map_stats stats;
	int n = 0, round;
	void *bad;

	machine_boot("overcommit = yes\nbacking = " MAP_BACKING "\n");
	add_blocks(1, HOT_BLOCK, BLOCKS);
	for (int i = 0; i < BLOCKS; i++)
		CHECK_EQ(set_state(HOT_BLOCK + i, "online_movable"), 0);
	if (mp_map_prepare() == -EOPNOTSUPP)
		SKIP("userfaultfd with write protection is not to be had here");
	make_area(flags);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		for (uintptr_t j = 0; j < (i < 3 ? THREADS : 1); j++)
			CHECK_EQ(pthread_create(&threads[n++], NULL, bodies[i], (void *)j), 0);
	for (round = 0; round < ROUNDS; round++) {
		long block = HOT_BLOCK + round % BLOCKS;

		CHECK_EQ(set_state(block, "offline"), 0);
		CHECK_EQ(mp_block_resident(block), 0);
		CHECK_EQ(set_state(block, "online_movable"), 0);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < n; i++) {
		CHECK_EQ(pthread_join(threads[i], &bad), 0);
		if (i >= THREADS && bad)
			FAIL("thread %d saw %lu wrong values", i, (unsigned long)(uintptr_t)bad);
	}
	for (int i = 0; i < THREADS; i++)
		expected += added[i];
	for (unsigned int i = 0; i < COUNTERS; i++)
		total += *counter(area.atomics, i);
	CHECK_EQ(total, expected);
	CHECK_EQ(mp_get_map_stats(&stats), 0);
	/* Every round in which something lived in the block moved it. */
	CHECK_GT(stats.moved, ROUNDS);
	machine_check();
}

TEST(live_granules, "granules move under threads and system calls that write: nothing is lost")
{
	under_load(0);
}

TEST(live_huge, "units of 2 MiB move under threads and system calls that write: nothing is lost")
{
	under_load(MP_MAP_HUGE);
}

TEST(live_fork_units, "units with MP_MAP_FORK move the same")
{
	under_load(MP_MAP_FORK);
}
