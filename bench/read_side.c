/* SPDX-License-Identifier: MIT */
/*
 * get_online_mems() and put_online_mems() beside the least that counting can
 * cost, a thread-local increment and decrement, and beside the read side of
 * pthread_rwlock. Pairs of runs, one of each in turn; the median of their
 * ratios with its 95 % interval (order statistics). Target: at most 1.3.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <linux/memory_hotplug.h>

#define PAIRS 41
#define SPREAD 7 /* ranks from the median to each end of its 95 % interval: 0.98 * sqrt(PAIRS) */
#define ROUNDS 4000000L

static __thread unsigned int counter;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/*
 * Through a register, as the read side does it, and through a pointer: processors forward such a
 * store to the next load of the same form for nothing, but not an increment in memory, which would
 * make a floor that is no floor.
 */
static inline void add(unsigned int *at, unsigned int by)
{
	unsigned int value = *at;

	__asm__ volatile("" : "+r"(value));
	__atomic_store_n(at, value + by, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static double floor_run(void)
{
	unsigned int *at = &counter;
	double start = now_ns();

	__asm__ volatile("" : "+r"(at));
	for (long i = 0; i < ROUNDS; i++) {
		add(at, 1);
		add(at, -1u);
	}
	return (now_ns() - start) / ROUNDS;
}

static double read_run(void)
{
	double start = now_ns();

	for (long i = 0; i < ROUNDS; i++) {
		get_online_mems();
		put_online_mems();
	}
	return (now_ns() - start) / ROUNDS;
}

static double rwlock_run(void)
{
	double start = now_ns();

	for (long i = 0; i < ROUNDS; i++) {
		pthread_rwlock_rdlock(&rwlock);
		pthread_rwlock_unlock(&rwlock);
	}
	return (now_ns() - start) / ROUNDS;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void compare(const char *name, double (*run)(void))
{
	double ratio[PAIRS], cost[PAIRS], least[PAIRS];

	for (int i = 0; i < PAIRS; i++) {
		/* Who goes first alternates, so that drift favours neither. */
		if (i % 2) {
			cost[i] = run();
			least[i] = floor_run();
		} else {
			least[i] = floor_run();
			cost[i] = run();
		}
		ratio[i] = cost[i] / least[i];
	}
	qsort(ratio, PAIRS, sizeof(*ratio), by_value);
	qsort(cost, PAIRS, sizeof(*cost), by_value);
	qsort(least, PAIRS, sizeof(*least), by_value);
	printf("%s: %.2f ns, %.2f times a thread-local inc and dec (%.2f ns); 95 %% interval %.2f to %.2f\n",
	       name, cost[PAIRS / 2], ratio[PAIRS / 2], least[PAIRS / 2],
	       ratio[PAIRS / 2 - SPREAD], ratio[PAIRS / 2 + SPREAD]);
}

int main(void)
{
	/* The first section of a thread registers it. */
	get_online_mems();
	put_online_mems();
	floor_run();
	compare("get_online_mems + put_online_mems", read_run);
	compare("pthread_rwlock, read side", rwlock_run);
	return 0;
}
