/* SPDX-License-Identifier: MIT */
/*
 * A descriptor table of the library's own. Programs count on the lowest free number, close what they did not
 * open, and leave all they have to their children; so under an unmodified program the machine's descriptors are
 * in a table that only the library's threads have. What a thread of the program needs of them one of two threads
 * does: `calls` makes single system calls and waits for no lock of the library, so that who holds one may wait
 * for it; `errands` runs whole functions. table's fields change before there are other threads.
 */
#include "os/table.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

/* In the library's table: the process itself, through which it reaches the program's. */
#define PROGRAM 0
#define STDERR 2

/* Lies with who waits for it. */
struct errand {
	struct errand *next;
	void (*run)(void *arg);
	void *arg;
	uint32_t done; /* atomic, slept on */
};

/* Errands in the order latest first, atomic; `bell`: one step for each. */
struct door {
	struct errand *errands;
	uint32_t bell;
};

bool table_apart;
__thread bool table_inside;

static struct {
	bool threads; /* others have been made: they have the program's; atomic */
	struct door calls, errands;
	void (*first)(void);
	int error;
	uint32_t founded; /* atomic, slept on */
	bool gone;
} table;

/* ---- the two that have the table ---- */

static struct errand *in_order(struct errand *latest)
{
	struct errand *first = NULL, *next;

	for (; latest; latest = next) {
		next = latest->next;
		latest->next = first;
		first = latest;
	}
	return first;
}

static void *attend(void *arg)
{
	struct door *door = arg;
	struct errand *errand, *next;
	uint32_t seen;

	table_inside = true;
	table.first();
	for (;;) {
		seen = __atomic_load_n(&door->bell, __ATOMIC_ACQUIRE);
		errand = in_order(__atomic_exchange_n(&door->errands, NULL, __ATOMIC_ACQ_REL));
		if (!errand)
			os_futex_wait(&door->bell, seen, 0);
		for (; errand; errand = next) {
			next = errand->next;
			errand->run(errand->arg);
			/* It may be gone when it is woken: nothing there is looked at then. */
			__atomic_store_n(&errand->done, 1, __ATOMIC_RELEASE);
			os_futex_wake(&errand->done, 1);
		}
	}
	return NULL;
}

static void hand_over(struct door *door, void (*run)(void *arg), void *arg)
{
	struct errand errand = { .run = run, .arg = arg };

	errand.next = __atomic_load_n(&door->errands, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&door->errands, &errand.next, &errand, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
	__atomic_fetch_add(&door->bell, 1, __ATOMIC_RELEASE);
	os_futex_wake(&door->bell, 1);
	while (!__atomic_load_n(&errand.done, __ATOMIC_ACQUIRE))
		os_futex_wait(&errand.done, 0, 0);
}

/* ---- beginning ---- */

/* Empty but for 0, 1 and 2, so that nothing that is written to these by mistake meets a file. */
static int make_table(void)
{
	int fd;

	if (syscall(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE))
		return -errno;
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (fd < 0)
		return -errno;
	for (int copy = 1; copy <= STDERR; copy++)
		if (syscall(SYS_dup3, fd, copy, O_CLOEXEC) < 0)
			return -errno;
	/* Can the program's be reached? A number that it does not have is as good an answer. */
	fd = (int)syscall(SYS_pidfd_getfd, PROGRAM, STDERR, 0);
	if (fd < 0)
		return errno == EBADF ? 0 : -errno;
	return close(fd) ? -errno : 0;
}

static void *found(void *arg)
{
	pthread_t other;

	(void)arg;
	table.error = make_table() ?: -pthread_create(&other, NULL, attend, &table.errands);
	if (!table.error)
		pthread_detach(other);
	__atomic_store_n(&table.founded, 1, __ATOMIC_RELEASE);
	os_futex_wake(&table.founded, 1);
	return table.error ? NULL : attend(&table.calls);
}

int os_table_begin(void (*first)(void))
{
	pthread_t founder;
	sigset_t old;
	int error;

	if (table_apart || __atomic_load_n(&table.threads, __ATOMIC_RELAXED))
		return -EBUSY;
	memset(&table, 0, sizeof(table));
	table.first = first;
	error = os_signals_block(&old);
	if (error)
		return error;
	error = -pthread_create(&founder, NULL, found, NULL);
	os_signals_restore(&old);
	if (error)
		return error;
	pthread_detach(founder);
	while (!__atomic_load_n(&table.founded, __ATOMIC_ACQUIRE))
		os_futex_wait(&table.founded, 0, 0);
	__atomic_store_n(&table_apart, !table.error, __ATOMIC_RELAXED);
	return table.error;
}

bool os_table_apart(void)
{
	return __atomic_load_n(&table_apart, __ATOMIC_RELAXED);
}

void os_table_enter(void)
{
	table_inside = true;
}

/* ---- what is asked of it ---- */

struct call {
	long number, arg[6];
	long result;
	int error;
};

static void make_call(void *arg)
{
	struct call *call = arg;
	const long *a = call->arg;

	call->result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	call->error = errno;
}

long table_call(long number, long a, long b, long c, long d, long e, long f)
{
	struct call call = { .number = number, .arg = { a, b, c, d, e, f } };

	hand_over(&table.calls, make_call, &call);
	if (call.result == -1)
		errno = call.error;
	return call.result;
}

void os_table_run(void (*run)(void *arg), void *arg)
{
	if (table_away())
		hand_over(&table.errands, run, arg);
	else
		run(arg);
}

struct start {
	pthread_t *thread;
	void *(*run)(void *arg);
	void *arg;
	int error;
};

static void start_thread(void *arg)
{
	struct start *start = arg;

	start->error = -pthread_create(start->thread, NULL, start->run, start->arg);
}

int os_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	struct start start = { thread, run, arg, 0 };

	os_table_run(start_thread, &start);
	if (!os_table_apart())
		__atomic_store_n(&table.threads, true, __ATOMIC_RELAXED);
	return start.error;
}

static int copy_here(int fd, int lowest)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, lowest);

	if (copy < 0)
		return -errno;
	table_own(copy, true);
	return copy;
}

int os_take(int fd)
{
	long copy;

	if (!os_table_apart())
		return copy_here(fd, 3);
	copy = table_inside ? syscall(SYS_pidfd_getfd, PROGRAM, fd, 0) :
			      table_call(SYS_pidfd_getfd, PROGRAM, fd, 0, 0, 0, 0);
	return copy < 0 ? -errno : (int)copy;
}

int os_keep(int fd, int lowest)
{
	return os_table_apart() && table_inside ? -EBADF : copy_here(fd, lowest < 3 ? 3 : lowest);
}

void os_tell(const char *text, size_t size)
{
	bool apart = os_table_apart() && table_inside;
	int fd = apart ? (int)syscall(SYS_pidfd_getfd, PROGRAM, STDERR, 0) : STDERR;

	if (fd < 0)
		return;
	/* Who does not listen is not told. */
	if (write(fd, text, size) < 0)
		size = 0;
	if (apart)
		close(fd);
}

/* ---- fork ---- */

void os_table_in_child(bool begins)
{
	if (begins) {
		/* Unless it was one of the library's own threads that forked, which has left it a copy. */
		table.gone = table_apart && !table_inside;
		table.threads = false;
		table_apart = false;
		table_inside = false;
	} else {
		table.gone = false;
	}
}

bool table_is_gone(void)
{
	return table.gone;
}
