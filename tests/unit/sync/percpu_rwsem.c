/* SPDX-License-Identifier: MIT */
/*
 * The per-cpu reader/writer semaphore: who waits for whom, in which order, and what misuse says. Each
 * user of the semaphore is a thread that enters, says so, and stays until it is told to leave.
 */
#include "machine.h"

#include <linux/percpu-rwsem.h>
#include "sync/thread.h"

static struct percpu_rw_semaphore sem;

struct user {
	struct worker worker;
	bool write;
	int inside;  /* it has the lock */
	sem_t leave;
};

static int entered; /* users inside or through, in their order */

static long use(void *arg)
{
	struct user *me = arg;

	if (me->write)
		percpu_down_write(&sem);
	else
		percpu_down_read(&sem);
	__atomic_store_n(&me->inside, __atomic_add_fetch(&entered, 1, __ATOMIC_SEQ_CST),
			 __ATOMIC_SEQ_CST);
	while (sem_wait(&me->leave))
		;
	__atomic_store_n(&me->inside, 0, __ATOMIC_SEQ_CST);
	if (me->write)
		percpu_up_write(&sem);
	else
		percpu_up_read(&sem);
	return 0;
}

static void start(struct user *me, bool write)
{
	me->write = write;
	me->inside = 0;
	sem_init(&me->leave, 0, 0);
	worker_start(&me->worker, use, me);
}

static int is_inside(struct user *me)
{
	return __atomic_load_n(&me->inside, __ATOMIC_SEQ_CST);
}

static void start_inside(struct user *me, bool write)
{
	start(me, write);
	AWAIT(is_inside(me));
}

/* Started, and asleep before the lock. */
static void start_waiting(struct user *me, bool write)
{
	start(me, write);
	worker_await_sleep(&me->worker);
	CHECK(!is_inside(me));
}

static void still_waits(struct user *me)
{
	worker_await_sleep(&me->worker);
	CHECK(!is_inside(me));
}

static void leave(struct user *me)
{
	sem_post(&me->leave);
	worker_join(&me->worker);
}

static void make(void)
{
	CHECK_EQ(percpu_init_rwsem(&sem), 0);
}

static long try_read(void *unused)
{
	bool got = percpu_down_read_trylock(&sem);

	if (got)
		percpu_up_read(&sem);
	return got;
}

static bool another_thread_can_read(void)
{
	struct worker worker;

	worker_start(&worker, try_read, NULL);
	return worker_join(&worker);
}

TEST(PRWSEM_6, "from the moment a writer claims the lock, no new reader enters; writers exclude each other")
{
	struct user reader, writer, second, late;

	make();
	start_inside(&reader, false);
	CHECK(another_thread_can_read());
	start_waiting(&writer, true);
	CHECK_EQ(READ_ONCE(sem.block), 1);
	CHECK(!another_thread_can_read());
	start_waiting(&second, true);
	start_waiting(&late, false);
	leave(&reader);
	AWAIT(is_inside(&writer));
	still_waits(&second);
	still_waits(&late);
	leave(&writer);
	AWAIT(is_inside(&second));
	still_waits(&late);
	leave(&second);
	AWAIT(is_inside(&late));
	leave(&late);
}

TEST(PRWSEM_7, "a writer owns the lock when the last reader has left, wherever readers run")
{
	struct user readers[3], writer;

	make();
	for (int i = 0; i < 3; i++)
		start_inside(&readers[i], false);
	start_waiting(&writer, true);
	leave(&readers[1]);
	still_waits(&writer);
	leave(&readers[0]);
	still_waits(&writer);
	leave(&readers[2]);
	AWAIT(is_inside(&writer));
	leave(&writer);
}

TEST(PRWSEM_8, "release lets the waiting in and opens the fast path again")
{
	struct mp_prw_reader *mine;
	struct user writer, waiting;

	make();
	mine = &mp_prw_readers[sem.slot];
	CHECK_EQ(mine->fast, 0);
	percpu_down_read(&sem);
	percpu_up_read(&sem);
	CHECK_EQ(READ_ONCE(mine->fast), sync_has_membarrier);
	start_inside(&writer, true);
	CHECK_EQ(READ_ONCE(mine->fast), 0);
	start_waiting(&waiting, false);
	leave(&writer);
	CHECK_EQ(READ_ONCE(sem.block), 0);
	AWAIT(is_inside(&waiting));
	leave(&waiting);
	CHECK_EQ(READ_ONCE(mine->fast), sync_has_membarrier);
	percpu_down_read(&sem);
	CHECK_EQ(mine->depth, 1);
	percpu_up_read(&sem);
	CHECK_EQ(mine->depth, 0);
}

TEST(PRWSEM_9, "a release wakes in order of arrival: readers up to and including one writer")
{
	struct user first, r1, r2, w1, r3, w2;

	make();
	start_inside(&first, true);
	start_waiting(&r1, false);
	start_waiting(&r2, false);
	start_waiting(&w1, true);
	start_waiting(&r3, false);
	start_waiting(&w2, true);
	leave(&first);
	AWAIT(is_inside(&r1) && is_inside(&r2));
	still_waits(&w1);
	still_waits(&r3);
	still_waits(&w2);
	leave(&r1);
	still_waits(&w1);
	leave(&r2);
	AWAIT(is_inside(&w1));
	still_waits(&r3);
	still_waits(&w2);
	leave(&w1);
	AWAIT(is_inside(&r3));
	still_waits(&w2);
	leave(&r3);
	AWAIT(is_inside(&w2));
	leave(&w2);
}

TEST(PRWSEM_9, "a writer at the head is granted alone")
{
	struct user first, w1, r1;

	make();
	start_inside(&first, true);
	start_waiting(&w1, true);
	start_waiting(&r1, false);
	leave(&first);
	AWAIT(is_inside(&w1));
	still_waits(&r1);
	leave(&w1);
	AWAIT(is_inside(&r1));
	leave(&r1);
}

TEST(PRWSEM_10, "the waiting keep their order; readers may come while no writer claims, and starve none")
{
	struct user readers[4], writers[3];

	make();
	/* Nobody claims: whoever comes enters. */
	for (int i = 0; i < 2; i++)
		start_inside(&readers[i], false);
	start_waiting(&writers[0], true);
	/* The claim stands: these come later, and the writer goes first. */
	for (int i = 2; i < 4; i++)
		start_waiting(&readers[i], false);
	for (int i = 1; i < 3; i++)
		start_waiting(&writers[i], true);
	leave(&readers[0]);
	leave(&readers[1]);
	AWAIT(is_inside(&writers[0]));
	still_waits(&readers[2]);
	leave(&writers[0]);
	AWAIT(is_inside(&readers[2]) && is_inside(&readers[3]));
	leave(&readers[2]);
	leave(&readers[3]);
	AWAIT(is_inside(&writers[1]));
	still_waits(&writers[2]);
	leave(&writers[1]);
	AWAIT(is_inside(&writers[2]));
	leave(&writers[2]);
}

static int signals;

static void on_signal(int number)
{
	__atomic_fetch_add(&signals, 1, __ATOMIC_SEQ_CST);
}

static void interrupt(struct user *me)
{
	int before = __atomic_load_n(&signals, __ATOMIC_SEQ_CST);

	CHECK_EQ(pthread_kill(me->worker.thread, SIGUSR1), 0);
	AWAIT(__atomic_load_n(&signals, __ATOMIC_SEQ_CST) > before);
	still_waits(me);
}

TEST(PRWSEM_11, "no signal ends a wait; the try form does not wait")
{
	struct sigaction action = { .sa_handler = on_signal };
	struct user holder, writer, reader;

	make();
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	start_inside(&holder, false);
	start_waiting(&writer, true);
	start_waiting(&reader, false);
	interrupt(&writer);
	interrupt(&reader);
	CHECK(!percpu_down_read_trylock(&sem));
	CHECK_EQ(mp_prw_readers[sem.slot].depth, 0);
	leave(&holder);
	AWAIT(is_inside(&writer));
	CHECK(!percpu_down_read_trylock(&sem));
	leave(&writer);
	AWAIT(is_inside(&reader));
	CHECK(percpu_down_read_trylock(&sem));
	percpu_up_read(&sem);
	leave(&reader);
}

#define NOINLINE static __attribute__((noinline))

NOINLINE void place_that_reads(void)
{
	percpu_down_read(&sem);
	__asm__ volatile("");
}

NOINLINE void place_that_writes(void)
{
	percpu_down_write(&sem);
	__asm__ volatile("");
}

NOINLINE void another_place_that_writes(void)
{
	percpu_down_write(&sem);
	__asm__ volatile("# not to be folded into the one above");
}

static void check_fatal(int count, const char *first, const char *second)
{
	CHECK_EQ(fatals(), count);
	if (!strstr(fatal_text(), first) || !strstr(fatal_text(), second))
		FAIL("\"%s\" names not both %s and %s", fatal_text(), first, second);
}

TEST(PRWSEM_12, "read inside write, write inside read and write inside write name both places")
{
	make();
	allow_fatal();
	place_that_writes();
	place_that_reads();
	check_fatal(1, "since place_that_writes", "in place_that_reads");
	percpu_up_read(&sem);
	another_place_that_writes();
	check_fatal(2, "since place_that_writes", "in another_place_that_writes");
	percpu_up_write(&sem);
	/* Pairs that were refused count for nothing: the lock is held still, and then free. */
	CHECK(percpu_is_write_locked(&sem));
	CHECK(!another_thread_can_read());
	percpu_up_write(&sem);
	CHECK(!percpu_is_write_locked(&sem));
	CHECK(another_thread_can_read());

	place_that_reads();
	place_that_writes();
#ifdef MEMPLUG_DEBUG
	check_fatal(3, "since place_that_reads", "in place_that_writes");
#else
	check_fatal(3, "held for reading,", "in place_that_writes");
#endif
	CHECK(!percpu_is_write_locked(&sem));
	percpu_up_write(&sem);
	CHECK(percpu_is_read_locked(&sem));
	percpu_up_read(&sem);
	CHECK(!percpu_is_read_locked(&sem));

	percpu_up_write(&sem);
	check_fatal(4, "does not hold it", "released in");
	percpu_down_write(&sem);
	percpu_up_write(&sem);
	CHECK_EQ(fatals(), 4);
}

TEST(PRWSEM_12, "a read inside a read succeeds, also while a writer waits; debug builds warn once")
{
	struct user writer;
	int expected = 0;

#ifdef MEMPLUG_DEBUG
	expected = 1;
#endif
	make();
	allow_warnings();
	percpu_down_read(&sem);
	start_waiting(&writer, true);
	for (int i = 0; i < 2; i++) {
		percpu_down_read(&sem);
		CHECK(percpu_down_read_trylock(&sem));
		CHECK_EQ(mp_prw_readers[sem.slot].depth, 3);
		percpu_up_read(&sem);
		percpu_up_read(&sem);
	}
	CHECK_EQ(warnings(), expected);
	still_waits(&writer);
	percpu_up_read(&sem);
	AWAIT(is_inside(&writer));
	leave(&writer);
}

TEST(PRWSEM_13, "write-locked from the claim on, read-locked with readers and no claim")
{
	struct user reader, writer;

	make();
	CHECK(!percpu_is_write_locked(&sem));
	CHECK(!percpu_is_read_locked(&sem));
	start_inside(&reader, false);
	CHECK(percpu_is_read_locked(&sem));
	CHECK(!percpu_is_write_locked(&sem));
	start_waiting(&writer, true);
	CHECK(percpu_is_write_locked(&sem));
	CHECK(!percpu_is_read_locked(&sem));
	leave(&reader);
	AWAIT(is_inside(&writer));
	CHECK(percpu_is_write_locked(&sem));
	CHECK(!percpu_is_read_locked(&sem));
	leave(&writer);
	CHECK(!percpu_is_write_locked(&sem));
	CHECK(!percpu_is_read_locked(&sem));
}

/* Plain, unequal for a moment in each write section: any overlap or stale read shows (and is a race). */
static unsigned long left, right;

static long write_both(void *rounds)
{
	for (long i = 0; i < (long)rounds; i++) {
		percpu_down_write(&sem);
		left++;
		right++;
		percpu_up_write(&sem);
	}
	return 0;
}

static long read_both(void *stop)
{
	unsigned long last = 0;

	while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
		percpu_down_read(&sem);
		CHECK_EQ(left, right);
		CHECK_GE(left, last);
		last = left;
		percpu_up_read(&sem);
	}
	return 0;
}

static void check_order(void)
{
	struct worker writers[2], readers[2];
	int stop = 0;

	for (int i = 0; i < 2; i++) {
		worker_start(&readers[i], read_both, &stop);
		worker_start(&writers[i], write_both, (void *)2000L);
	}
	for (int i = 0; i < 2; i++)
		worker_join(&writers[i]);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		worker_join(&readers[i]);
	CHECK_EQ(left, 4000);
}

TEST(PRWSEM_14, "each side sees what the other did before it released")
{
	make();
	check_order();
}

TEST(without_membarrier, "the fallback keeps every promise, without a fast path")
{
	struct user reader, writer, late;

	/* Nothing in this process has used the library yet. */
	CHECK_EQ(sync_self_or_null(), NULL);
	sync_has_membarrier = false;
	make();
	percpu_down_read(&sem);
	CHECK_EQ(mp_prw_readers[sem.slot].fast, 0);
	percpu_up_read(&sem);
	start_inside(&reader, false);
	start_waiting(&writer, true);
	start_waiting(&late, false);
	leave(&reader);
	AWAIT(is_inside(&writer));
	leave(&writer);
	AWAIT(is_inside(&late));
	leave(&late);
	check_order();
	CHECK_EQ(mp_prw_readers[sem.slot].fast, 0);
}

TEST(slots, "semaphores come and go, sixteen at a time")
{
	static struct percpu_rw_semaphore many[MP_PRW_SLOTS];
	int count = 0;

	/* mem_hotplug_lock and cpu_hotplug_lock have theirs. */
	while (!percpu_init_rwsem(&many[count]))
		count++;
	CHECK_EQ(count, MP_PRW_SLOTS - 2);
	CHECK_EQ(percpu_init_rwsem(&sem), -ENOMEM);
	percpu_free_rwsem(&many[5]);
	make();
	CHECK_EQ(sem.slot, many[5].slot);
	percpu_down_write(&sem);
	CHECK(another_thread_can_read() == false);
	percpu_up_write(&sem);
	allow_warnings();
	percpu_down_read(&sem);
	percpu_free_rwsem(&sem);
	CHECK_EQ(warnings(), 1);
	percpu_up_read(&sem);
	percpu_free_rwsem(&sem);
	CHECK_EQ(warnings(), 1);
}
