/* SPDX-License-Identifier: MIT */
/*
 * The sleeping mutex on one futex word. Its owner and call site are written by
 * the holder only; others read them to tell a misuse.
 */
#include <linux/mutex.h>
#include "sync/futex.h"
#include "sync/thread.h"
#include "report/report.h"
#include "os/os.h"

#define WORTH_A_RECORD_NS 100000

void futex_lock_slow(u32 *word)
{
	/* Whoever comes this way leaves 2 behind, for it cannot know who else sleeps. */
	while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE)) /* pairs with futex_unlock() */
		os_futex_wait(word, 2, 0);
}

void futex_unlock_slow(u32 *word)
{
	os_futex_wake(word, 1);
}

void lock_waited(u64 since_ns, const char *name)
{
	u64 ns = os_now_ns() - since_ns;

	if (ns > WORTH_A_RECORD_NS)
		ring_record(MP_RING_LOCK_WAIT, (s64)ns, 0, 0, name);
}

void mp_mutex_init(struct mutex *lock, const char *name)
{
	*lock = (struct mutex){ 0, 0, NULL, name_of_lock(name) };
}

static void own(struct mutex *lock, const void *site)
{
	__atomic_store_n(&lock->owner, sync_tid(), __ATOMIC_RELAXED);
	__atomic_store_n(&lock->site, site, __ATOMIC_RELAXED);
}

/* Only the owner can find its own id there, so no order is needed. */
static bool is_owner(struct mutex *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED) == sync_tid();
}

static const char *name_of(struct mutex *lock)
{
	return lock->name ? lock->name : "mutex";
}

static void locked_twice(struct mutex *lock, const void *site)
{
	char first[SITE_NAME_SIZE], second[SITE_NAME_SIZE];

	mp_fatal_at(__FILE__, __LINE__, "%s: locked in %s and again by the same thread in %s",
		    name_of(lock), site_name(lock->site, first, sizeof(first)),
		    site_name(site, second, sizeof(second)));
}

void mutex_lock(struct mutex *lock)
{
	const void *site = __builtin_return_address(0);
	u64 since;

	if (!futex_trylock(&lock->state)) {
		if (is_owner(lock)) {
			locked_twice(lock, site);
			return;
		}
		since = os_now_ns();
		futex_lock_slow(&lock->state);
		lock_waited(since, name_of(lock));
	}
	own(lock, site);
}

int mutex_trylock(struct mutex *lock)
{
	if (!futex_trylock(&lock->state))
		return 0;
	own(lock, __builtin_return_address(0));
	return 1;
}

void mutex_unlock(struct mutex *lock)
{
	char site[SITE_NAME_SIZE];

	if (!is_owner(lock)) {
		mp_fatal_at(__FILE__, __LINE__, "%s: unlocked in %s by a thread that does not hold it",
			    name_of(lock),
			    site_name(__builtin_return_address(0), site, sizeof(site)));
		return;
	}
	__atomic_store_n(&lock->owner, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&lock->site, NULL, __ATOMIC_RELAXED);
	futex_unlock(&lock->state);
}

bool mutex_is_locked(struct mutex *lock)
{
	return __atomic_load_n(&lock->state, __ATOMIC_RELAXED) != 0;
}
