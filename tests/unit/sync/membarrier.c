/* SPDX-License-Identifier: MIT */
/*
 * The barrier under the percpu semaphore: its writer makes every reader's
 * entry visible before it looks for readers. A thread is always in read sections;
 * each entry comes behind stores that miss the cache, so that it waits in the
 * processor's store buffer for as long as possible, and the section then looks
 * at two words for a while that the writer keeps equal. The writer comes when
 * the reader is back on its fast path. Without the membarrier this fails soon
 * (ThreadSanitizer cannot see it: its build has the readers annotated).
 */
#include "machine.h"

#include <sched.h>
#include <time.h>

#include <linux/percpu-rwsem.h>

#define FAR_WORDS (1UL << 24) /* 128 MiB: in no cache */
#define STORES 24
#define LOOKS 200
#define ROUNDS 20000
#define LEAST_ROUNDS 200
#define SECONDS 20 /* on a busy machine no longer than this, but the least */

static struct percpu_rw_semaphore sem;
static unsigned long left __attribute__((aligned(64))), right __attribute__((aligned(64)));
static int stop;
static unsigned long sections;

static long read_always(void *seed)
{
	unsigned long *far = calloc(FAR_WORDS, sizeof(*far));
	unsigned long random = (unsigned long)seed;

	CHECK(far);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < STORES; i++) {
			random = random * 6364136223846793005UL + 1442695040888963407UL;
			__atomic_store_n(&far[random >> 40], random, __ATOMIC_RELAXED);
		}
		percpu_down_read(&sem);
		for (int i = 0; i < LOOKS; i++) {
			unsigned long a = __atomic_load_n(&left, __ATOMIC_RELAXED);
			unsigned long b = __atomic_load_n(&right, __ATOMIC_RELAXED);

			if (a != b)
				FAIL("a reader saw %lu and %lu: the writer was inside, too", a, b);
		}
		percpu_up_read(&sem);
		__atomic_store_n(&sections, sections + 1, __ATOMIC_RELAXED);
	}
	free(far);
	return 0;
}

/* Some sections later, and then at any moment of one. */
static void let_reader_run(unsigned long random)
{
	unsigned long now = __atomic_load_n(&sections, __ATOMIC_RELAXED);

	/* Where other programs want the CPUs, too, the reader may wait for this one. */
	for (unsigned long spins = 1; __atomic_load_n(&sections, __ATOMIC_RELAXED) < now + 3; spins++)
		if (spins % 100000 == 0)
			sched_yield();
	for (unsigned long i = random % 1024; i; i--)
		__asm__ volatile("");
}

TEST(PRWSEM_7, "no reader is overlooked whose entry is still in the store buffer")
{
	struct worker reader;
	unsigned long random = 1, rounds;
	time_t end = time(NULL) + SECONDS;

	CHECK_EQ(percpu_init_rwsem(&sem), 0);
	worker_start(&reader, read_always, (void *)1L);
	for (rounds = 0; rounds < ROUNDS && (rounds < LEAST_ROUNDS || time(NULL) < end); rounds++) {
		random = random * 6364136223846793005UL + 1442695040888963407UL;
		let_reader_run(random >> 32);
		percpu_down_write(&sem);
		__atomic_store_n(&left, left + 1, __ATOMIC_RELAXED);
		for (int pause = 0; pause < 50; pause++)
			__asm__ volatile("");
		__atomic_store_n(&right, right + 1, __ATOMIC_RELAXED);
		percpu_up_write(&sem);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	worker_join(&reader);
	CHECK_EQ(left, rounds);
	CHECK_EQ(right, rounds);
}
