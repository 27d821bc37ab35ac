/* SPDX-License-Identifier: MIT */
/* The sleeping mutex and the reader/writer semaphore: exclusion, preference, misuse, records of waits. */
#include "machine.h"

#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <memplug/ring.h>

static DEFINE_MUTEX(lock);
static DECLARE_RWSEM(sem);
static int inside;

static long lock_and_unlock(void *unused)
{
	mutex_lock(&lock);
	__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
	mutex_unlock(&lock);
	return 0;
}

static long try_lock(void *unused)
{
	int got = mutex_trylock(&lock);

	if (got)
		mutex_unlock(&lock);
	return got;
}

static long in_another_thread(long (*run)(void *arg))
{
	struct worker worker;

	worker_start(&worker, run, NULL);
	return worker_join(&worker);
}

TEST(mutex_excludes, "one thread at a time; the try form does not wait")
{
	struct worker waiters[3];

	CHECK(!mutex_is_locked(&lock));
	mutex_lock(&lock);
	CHECK(mutex_is_locked(&lock));
	CHECK_EQ(mutex_trylock(&lock), 0);
	CHECK_EQ(in_another_thread(try_lock), 0);
	for (int i = 0; i < 3; i++) {
		worker_start(&waiters[i], lock_and_unlock, NULL);
		worker_await_sleep(&waiters[i]);
	}
	CHECK_EQ(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 0);
	mutex_unlock(&lock);
	for (int i = 0; i < 3; i++)
		worker_join(&waiters[i]);
	CHECK_EQ(inside, 3);
	CHECK(!mutex_is_locked(&lock));
	CHECK_EQ(in_another_thread(try_lock), 1);
}

static long plain;

static long count_up(void *unused)
{
	for (int i = 0; i < 20000; i++) {
		mutex_lock(&lock);
		plain++;
		mutex_unlock(&lock);
	}
	return 0;
}

TEST(mutex_orders, "what one holder wrote the next one sees")
{
	struct worker workers[4];

	for (int i = 0; i < 4; i++)
		worker_start(&workers[i], count_up, NULL);
	for (int i = 0; i < 4; i++)
		worker_join(&workers[i]);
	CHECK_EQ(plain, 80000);
}

static __attribute__((noinline)) void first_place(void)
{
	mutex_lock(&lock);
	__asm__ volatile("# first");
}

static __attribute__((noinline)) void second_place(void)
{
	mutex_lock(&lock);
	__asm__ volatile("# second");
}

static long unlock_foreign(void *unused)
{
	mutex_unlock(&lock);
	return 0;
}

TEST(mutex_misuse, "locking twice and unlocking what is not held are fatal and name the places")
{
	allow_fatal();
	first_place();
	second_place();
	CHECK_EQ(fatals(), 1);
	CHECK(strstr(fatal_text(), "lock: locked in first_place"));
	CHECK(strstr(fatal_text(), "in second_place"));
	in_another_thread(unlock_foreign);
	CHECK_EQ(fatals(), 2);
	CHECK(strstr(fatal_text(), "unlock_foreign"));
	CHECK(mutex_is_locked(&lock));
	mutex_unlock(&lock);
	CHECK(!mutex_is_locked(&lock));
	mutex_unlock(&lock);
	CHECK_EQ(fatals(), 3);
}

static long read_and_leave(void *unused)
{
	down_read(&sem);
	__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
	up_read(&sem);
	return 0;
}

static long write_and_leave(void *unused)
{
	down_write(&sem);
	__atomic_fetch_add(&inside, 100, __ATOMIC_SEQ_CST);
	up_write(&sem);
	return 0;
}

static long try_read(void *unused)
{
	int got = down_read_trylock(&sem);

	if (got)
		up_read(&sem);
	return got;
}

static long try_write(void *unused)
{
	int got = down_write_trylock(&sem);

	if (got)
		up_write(&sem);
	return got;
}

TEST(rwsem_shares, "readers side by side, a writer alone")
{
	struct worker reader, writer;

	down_read(&sem);
	CHECK_EQ(in_another_thread(try_read), 1);
	CHECK_EQ(in_another_thread(try_write), 0);
	CHECK_EQ(in_another_thread(read_and_leave), 0);
	up_read(&sem);
	CHECK_EQ(in_another_thread(try_write), 1);
	down_write(&sem);
	CHECK_EQ(in_another_thread(try_read), 0);
	CHECK_EQ(in_another_thread(try_write), 0);
	worker_start(&reader, read_and_leave, NULL);
	worker_await_sleep(&reader);
	worker_start(&writer, write_and_leave, NULL);
	worker_await_sleep(&writer);
	CHECK_EQ(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 1);
	up_write(&sem);
	worker_join(&reader);
	worker_join(&writer);
	CHECK_EQ(inside, 102);
}

TEST(rwsem_prefers_writers, "a writer that waits holds back new readers")
{
	struct worker writer, reader;

	down_read(&sem);
	worker_start(&writer, write_and_leave, NULL);
	worker_await_sleep(&writer);
	CHECK_EQ(in_another_thread(try_read), 0);
	worker_start(&reader, read_and_leave, NULL);
	worker_await_sleep(&reader);
	CHECK_EQ(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 0);
	up_read(&sem);
	worker_join(&writer);
	worker_join(&reader);
	CHECK_EQ(inside, 101);
}

static long write_plain(void *unused)
{
	for (int i = 0; i < 3000; i++) {
		down_write(&sem);
		plain++;
		up_write(&sem);
	}
	return 0;
}

static long read_plain(void *unused)
{
	long last = 0;

	for (int i = 0; i < 3000; i++) {
		down_read(&sem);
		CHECK_GE(plain, last);
		last = plain;
		up_read(&sem);
	}
	return 0;
}

TEST(rwsem_orders, "readers and writers see what the writer before them wrote, and none is forgotten")
{
	struct worker writers[2], readers[2];

	for (int i = 0; i < 2; i++) {
		worker_start(&writers[i], write_plain, NULL);
		worker_start(&readers[i], read_plain, NULL);
	}
	for (int i = 0; i < 2; i++) {
		worker_join(&writers[i]);
		worker_join(&readers[i]);
	}
	CHECK_EQ(plain, 6000);
}

TEST(rwsem_misuse, "taking it again inside the own write, and releasing what is not held, are fatal")
{
	allow_fatal();
	down_write(&sem);
	down_read(&sem);
	CHECK_EQ(fatals(), 1);
	CHECK(strstr(fatal_text(), "sem: held for writing"));
	up_read(&sem);
	CHECK_EQ(fatals(), 1);
	down_write(&sem);
	CHECK_EQ(fatals(), 2);
	up_write(&sem);
	CHECK_EQ(in_another_thread(try_write), 1);
	up_write(&sem);
	CHECK_EQ(fatals(), 3);
	up_read(&sem);
	CHECK_EQ(fatals(), 4);
	CHECK_EQ(in_another_thread(try_write), 1);
}

TEST(lock_wait_record, "a wait of more than 100 us is in the ring, with the lock's name")
{
	struct mp_ring_record record = { 0 };
	struct worker waiter;
	struct timespec start, now;
	uint64_t cursor = 0;

	mutex_lock(&lock);
	worker_start(&waiter, lock_and_unlock, NULL);
	worker_await_sleep(&waiter);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < 200000);
	mutex_unlock(&lock);
	worker_join(&waiter);
	while (mp_ring_read(&cursor, &record) && record.type != MP_RING_LOCK_WAIT)
		;
	CHECK_EQ(record.type, MP_RING_LOCK_WAIT);
	CHECK_STR(record.name, "lock");
	CHECK_GE(record.a, 200000);
	CHECK_EQ(record.tid, waiter.tid);
}
