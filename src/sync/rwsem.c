/* SPDX-License-Identifier: MIT */
/*
 * The reader/writer semaphore. Everyone who waits sleeps on `gen`, which each
 * release that may matter to a sleeper bumps. A waiter announces itself or
 * reads gen first, then looks at the state; a releaser changes the state
 * first, then looks for waiters: in this order (all sequentially consistent)
 * no wake-up is lost.
 */
#include <linux/rwsem.h>
#include "sync/futex.h"
#include "sync/thread.h"
#include "report/report.h"
#include "os/os.h"

#include <limits.h>

#define WRITER (1u << 31)

void mp_init_rwsem(struct rw_semaphore *sem, const char *name)
{
	*sem = (struct rw_semaphore){ 0, 0, 0, 0, NULL, name_of_lock(name) };
}

static const char *name_of(struct rw_semaphore *sem)
{
	return sem->name ? sem->name : "rw_semaphore";
}

static void wake_all(struct rw_semaphore *sem)
{
	__atomic_fetch_add(&sem->gen, 1, __ATOMIC_SEQ_CST);
	os_futex_wake(&sem->gen, INT_MAX);
}

/* A waiting writer goes first. */
static bool try_read(struct rw_semaphore *sem)
{
	u32 state = __atomic_load_n(&sem->state, __ATOMIC_SEQ_CST);

	if (__atomic_load_n(&sem->wait_writers, __ATOMIC_SEQ_CST))
		return false;
	while (!(state & WRITER))
		if (__atomic_compare_exchange_n(&sem->state, &state, state + 1, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return true;
	return false;
}

static bool try_write(struct rw_semaphore *sem)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(&sem->state, &free, WRITER, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static void wait_until(bool (*try)(struct rw_semaphore *sem), struct rw_semaphore *sem)
{
	u64 since = os_now_ns();

	for (;;) {
		u32 gen = __atomic_load_n(&sem->gen, __ATOMIC_SEQ_CST);

		if (try(sem))
			break;
		os_futex_wait(&sem->gen, gen, 0);
	}
	lock_waited(since, name_of(sem));
}

/* Only the writer can find its own id there, so no order is needed. */
static bool is_writer(struct rw_semaphore *sem)
{
	return __atomic_load_n(&sem->owner, __ATOMIC_RELAXED) == sync_tid();
}

static void taken_twice(struct rw_semaphore *sem, const char *how, const void *site)
{
	char first[SITE_NAME_SIZE], second[SITE_NAME_SIZE];

	mp_fatal_at(__FILE__, __LINE__,
		    "%s: held for writing since %s, and asked for %s by the same thread in %s",
		    name_of(sem), site_name(sem->site, first, sizeof(first)), how,
		    site_name(site, second, sizeof(second)));
}

static void not_held(struct rw_semaphore *sem, const void *site)
{
	char name[SITE_NAME_SIZE];

	mp_fatal_at(__FILE__, __LINE__, "%s: released in %s by a thread that does not hold it",
		    name_of(sem), site_name(site, name, sizeof(name)));
}

void down_read(struct rw_semaphore *sem)
{
	if (try_read(sem))
		return;
	if (is_writer(sem))
		taken_twice(sem, "reading", __builtin_return_address(0));
	else
		wait_until(try_read, sem);
}

int down_read_trylock(struct rw_semaphore *sem)
{
	return try_read(sem);
}

void up_read(struct rw_semaphore *sem)
{
	u32 state = __atomic_load_n(&sem->state, __ATOMIC_RELAXED);

	if (!(state & ~WRITER)) {
		/* Also the end of a read inside the own write, which took nothing. */
		if (!is_writer(sem))
			not_held(sem, __builtin_return_address(0));
		return;
	}
	state = __atomic_sub_fetch(&sem->state, 1, __ATOMIC_SEQ_CST);
	if (!state && __atomic_load_n(&sem->wait_writers, __ATOMIC_SEQ_CST))
		wake_all(sem);
}

static void own(struct rw_semaphore *sem, const void *site)
{
	__atomic_store_n(&sem->owner, sync_tid(), __ATOMIC_RELAXED);
	__atomic_store_n(&sem->site, site, __ATOMIC_RELAXED);
}

void down_write(struct rw_semaphore *sem)
{
	const void *site = __builtin_return_address(0);

	if (is_writer(sem)) {
		taken_twice(sem, "writing", site);
		return;
	}
	__atomic_fetch_add(&sem->wait_writers, 1, __ATOMIC_SEQ_CST);
	if (!try_write(sem))
		wait_until(try_write, sem);
	own(sem, site);
}

int down_write_trylock(struct rw_semaphore *sem)
{
	if (!try_write(sem))
		return 0;
	__atomic_fetch_add(&sem->wait_writers, 1, __ATOMIC_SEQ_CST);
	own(sem, __builtin_return_address(0));
	return 1;
}

void up_write(struct rw_semaphore *sem)
{
	if (!is_writer(sem)) {
		not_held(sem, __builtin_return_address(0));
		return;
	}
	__atomic_store_n(&sem->owner, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&sem->site, NULL, __ATOMIC_RELAXED);
	__atomic_fetch_and(&sem->state, ~WRITER, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&sem->wait_writers, 1, __ATOMIC_SEQ_CST);
	wake_all(sem);
}
