/* SPDX-License-Identifier: MIT */
/* The kernel's sleeping mutex: owner only, not recursive, not for signal handlers. */
#ifndef MEMPLUG_LINUX_MUTEX_H
#define MEMPLUG_LINUX_MUTEX_H

#include <linux/types.h>

/* All zero is unlocked. `state`: 0 free, 1 held, 2 held with waiters. */
struct mutex {
	u32 state;
	s32 owner;	  /* thread id of the holder, 0 when free */
	const void *site; /* where the holder took it */
	const char *name;
};

#define __MUTEX_INITIALIZER(n) { 0, 0, NULL, #n }
#define DEFINE_MUTEX(n) struct mutex n = __MUTEX_INITIALIZER(n)
#define mutex_init(m) mp_mutex_init(m, #m)

void mp_mutex_init(struct mutex *lock, const char *name);
/* Sleeps without limit, no signal ends it. Taking it twice calls the fatal hook. */
void mutex_lock(struct mutex *lock) MP_SYM(mutex_lock);
/* Returns 1 when the lock was taken, 0 when another thread holds it. Never sleeps. */
int mutex_trylock(struct mutex *lock) MP_SYM(mutex_trylock);
/* Releasing what the caller does not hold calls the fatal hook. */
void mutex_unlock(struct mutex *lock) MP_SYM(mutex_unlock);
bool mutex_is_locked(struct mutex *lock) MP_SYM(mutex_is_locked);

#endif
