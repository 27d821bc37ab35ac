/* SPDX-License-Identifier: MIT */
/* Threads that come, exit at the wrong moment, and fork; and the lock that an owner takes for nothing. */
#include "machine.h"

#include <linux/cpu.h>
#include <linux/list.h>
#include <linux/percpu-rwsem.h>
#include <sys/wait.h>
#include "sync/asym.h"
#include "sync/thread.h"

static struct percpu_rw_semaphore sem;

static int count_threads(void)
{
	struct sync_thread *thread;
	int count = 0;

	sync_threads_lock();
	sync_for_each_thread(thread)
		count++;
	sync_threads_unlock();
	return count;
}

static struct sync_thread *gone;

static void note_exit(struct sync_thread *thread)
{
	__atomic_store_n(&gone, thread, __ATOMIC_RELEASE);
}

static long enlist(void *unused)
{
	struct sync_thread *self;

	CHECK_EQ(sync_self_or_null(), NULL);
	self = sync_self();
	CHECK(self);
	CHECK_EQ(sync_self(), self);
	CHECK_EQ(sync_self_or_null(), self);
	CHECK(pthread_equal(self->pthread, pthread_self()));
	CHECK_EQ(self->tid, gettid());
	CHECK_EQ(self->readers, mp_prw_readers);
	CHECK_EQ(count_threads(), 2);
	return (long)self;
}

TEST(thread_records, "a thread is listed from its first use until it exits")
{
	struct worker worker;
	long record;

	CHECK(sync_self());
	CHECK_EQ(count_threads(), 1);
	sync_thread_exit_hook = note_exit;
	worker_start(&worker, enlist, NULL);
	record = worker_join(&worker);
	CHECK_EQ(record, (long)gone);
	CHECK_EQ(count_threads(), 1);
}

static long read_and_exit(void *unused)
{
	percpu_down_read(&sem);
	percpu_down_read(&sem);
	return 0;
}

static long write_and_exit(void *unused)
{
	percpu_down_write(&sem);
	return 0;
}

static long write_once(void *unused)
{
	percpu_down_write(&sem);
	percpu_up_write(&sem);
	return 0;
}

TEST(exit_inside_read, "a thread that exits inside a read section is reported and lets writers in")
{
	struct worker reader, writer;

	CHECK_EQ(percpu_init_rwsem(&sem), 0);
	allow_warnings();
	worker_start(&reader, read_and_exit, NULL);
	worker_join(&reader);
	CHECK_EQ(warnings(), 1);
	CHECK(strstr(warning_text(), "sem: thread"));
	CHECK(strstr(warning_text(), "exits inside a read section"));
	worker_start(&writer, write_once, NULL);
	worker_join(&writer);
	CHECK(!percpu_is_read_locked(&sem));

	worker_start(&writer, write_and_exit, NULL);
	worker_join(&writer);
	CHECK_EQ(warnings(), 2);
	CHECK(strstr(warning_text(), "exits holding it for writing"));
	percpu_down_read(&sem);
	percpu_up_read(&sem);
}

static sem_t may_exit, inside;

static long read_until_told(void *unused)
{
	percpu_down_read(&sem);
	sem_post(&inside);
	while (sem_wait(&may_exit))
		;
	return 0;
}

TEST(exit_while_writer_waits, "a waiting writer goes on when the last reader exits inside its section")
{
	struct worker reader, writer;

	CHECK_EQ(percpu_init_rwsem(&sem), 0);
	allow_warnings();
	sem_init(&may_exit, 0, 0);
	sem_init(&inside, 0, 0);
	worker_start(&reader, read_until_told, NULL);
	sem_wait(&inside);
	worker_start(&writer, write_once, NULL);
	worker_await_sleep(&writer);
	sem_post(&may_exit);
	worker_join(&writer);
	worker_join(&reader);
	CHECK_EQ(warnings(), 1);
}

static pthread_key_t late_key;

/* Runs when the library's own exit handler has run already (it was made later). */
static void use_late(void *arg)
{
	percpu_down_read(&sem);
	percpu_down_read(&sem);
	percpu_up_read(&sem);
	CHECK(percpu_is_read_locked(&sem));
	percpu_up_read(&sem);
	CHECK(!percpu_is_read_locked(&sem));
	CHECK(percpu_down_read_trylock(&sem));
	percpu_up_read(&sem);
	percpu_down_write(&sem);
	percpu_up_write(&sem);
	sem_post(&inside);
}

static long exit_late(void *unused)
{
	CHECK(sync_self());
	CHECK_EQ(pthread_setspecific(late_key, &sem), 0);
	return 0;
}

TEST(use_in_exit_handler, "exit handlers that run late still use locks, without a record")
{
	struct worker worker;

	CHECK_EQ(percpu_init_rwsem(&sem), 0);
	sem_init(&inside, 0, 0);
	CHECK_EQ(pthread_key_create(&late_key, use_late), 0);
	worker_start(&worker, exit_late, NULL);
	worker_join(&worker);
	CHECK_EQ(sem_trywait(&inside), 0);
	CHECK_EQ(count_threads(), 0);
	percpu_down_write(&sem);
	percpu_up_write(&sem);
}

/* ---- fork ---- */

static int resets;

static void reset(void)
{
	resets++;
}

/* What the child finds: 0, or the line that was wrong. */
#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			_exit(__LINE__ % 256);                                                     \
	} while (0)

static int child_result(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(fork_among_threads, "a fork child has one thread and free locks, whatever others held")
{
	struct worker reader, writer, waiting;
	pid_t child;

	CHECK_EQ(percpu_init_rwsem(&sem), 0);
	sync_at_fork_child(reset);
	sem_init(&may_exit, 0, 0);
	sem_init(&inside, 0, 0);
	allow_warnings();
	cpus_read_lock();
	worker_start(&reader, read_until_told, NULL);
	sem_wait(&inside);
	worker_start(&writer, write_once, NULL);
	worker_await_sleep(&writer);
	worker_start(&waiting, read_and_exit, NULL);
	worker_await_sleep(&waiting);

	child = fork();
	if (child == 0) {
		EXPECT(count_threads() == 1);
		EXPECT(sync_self()->tid == gettid());
		EXPECT(sync_tid() == gettid());
		EXPECT(resets == 1);
		EXPECT(!percpu_is_write_locked(&sem));
		percpu_down_write(&sem);
		percpu_up_write(&sem);
		percpu_down_read(&sem);
		percpu_up_read(&sem);
		/* Its own section goes on. */
		EXPECT(mp_prw_readers[1].depth == 1);
		cpus_read_unlock();
		cpus_write_lock();
		cpus_write_unlock();
		_exit(0);
	}
	CHECK_EQ(child_result(child), 0);
	cpus_read_unlock();
	CHECK_EQ(resets, 0);
	sem_post(&may_exit);
	worker_join(&reader);
	worker_join(&writer);
	worker_join(&waiting);
}

static long fork_and_write(void *unused)
{
	pid_t child;

	percpu_down_write(&sem);
	child = fork();
	if (child == 0) {
		/* The one that forked holds what it held. */
		EXPECT(percpu_is_write_locked(&sem));
		percpu_up_write(&sem);
		EXPECT(!percpu_is_write_locked(&sem));
		_exit(0);
	}
	percpu_up_write(&sem);
	return child_result(child);
}

TEST(fork_by_writer, "the child of a thread that holds the lock holds it, too")
{
	struct worker worker;

	CHECK_EQ(percpu_init_rwsem(&sem), 0);
	worker_start(&worker, fork_and_write, NULL);
	CHECK_EQ(worker_join(&worker), 0);
}

static int stop;

static long hammer(void *write)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (write) {
			percpu_down_write(&sem);
			percpu_up_write(&sem);
		} else {
			percpu_down_read(&sem);
			percpu_up_read(&sem);
		}
		printk(KERN_DEBUG "busy\n");
	}
	return 0;
}

TEST(fork_under_load, "forks at any moment leave children that work")
{
	struct worker workers[3];

	CHECK_EQ(percpu_init_rwsem(&sem), 0);
	for (long i = 0; i < 3; i++)
		worker_start(&workers[i], hammer, i ? NULL : &sem);
	for (int i = 0; i < 60; i++) {
		pid_t child = fork();

		if (child == 0) {
			EXPECT(count_threads() <= 1);
			percpu_down_read(&sem);
			percpu_up_read(&sem);
			percpu_down_write(&sem);
			percpu_up_write(&sem);
			mp_set_log_hook(NULL, NULL);
			_exit(0);
		}
		CHECK_EQ(child_result(child), 0);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		worker_join(&workers[i]);
}

/* ---- the owner's lock ---- */

static unsigned long plain[2];

static void visit_record(struct sync_thread *thread, void *arg)
{
	unsigned long *count = thread->pages;

	++*(int *)arg;
	if (!count)
		return;
	CHECK_EQ(count[0], count[1]);
	count[0]++;
	count[1]++;
}

static long own_sections(void *unused)
{
	struct sync_thread *self = sync_self();

	self->pages = plain;
	sem_post(&inside);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		asym_enter(self);
		CHECK_EQ(plain[0], plain[1]);
		plain[0]++;
		plain[1]++;
		asym_leave(self);
	}
	return 0;
}

static void check_visits(void)
{
	struct worker owner;
	int visited = 0;

	CHECK(sync_self());
	sem_init(&inside, 0, 0);
	worker_start(&owner, own_sections, NULL);
	sem_wait(&inside);
	for (int i = 0; i < 3000; i++)
		asym_visit_all(visit_record, &visited);
	CHECK_EQ(visited, 6000);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	worker_join(&owner);
	CHECK_EQ(plain[0], plain[1]);
	CHECK_GE(plain[0], 3000);
}

TEST(visits, "visitors and the owner never meet in a record")
{
	check_visits();
}

TEST(visits_without_membarrier, "not in the fallback either")
{
	CHECK_EQ(sync_self_or_null(), NULL);
	sync_has_membarrier = false;
	check_visits();
}

static long stay_in_section(void *unused)
{
	struct sync_thread *self = sync_self();

	asym_enter(self);
	sem_post(&inside);
	while (sem_wait(&may_exit))
		;
	asym_leave(self);
	asym_enter(self);
	asym_leave(self);
	return 0;
}

static long visit_all(void *unused)
{
	int visited = 0;

	asym_visit_all(visit_record, &visited);
	return visited;
}

TEST(visitor_sleeps, "a visitor sleeps until the owner leaves, and wakes")
{
	struct worker owner, visitor;

	sem_init(&inside, 0, 0);
	sem_init(&may_exit, 0, 0);
	worker_start(&owner, stay_in_section, NULL);
	sem_wait(&inside);
	worker_start(&visitor, visit_all, NULL);
	worker_await_sleep(&visitor);
	sem_post(&may_exit);
	CHECK_EQ(worker_join(&visitor), 1);
	worker_join(&owner);
}
