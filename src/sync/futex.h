/* SPDX-License-Identifier: MIT */
/* The smallest lock: one word, 0 free, 1 held, 2 held and somebody sleeps. And how long waits took. */
#ifndef MEMPLUG_SYNC_FUTEX_H
#define MEMPLUG_SYNC_FUTEX_H

#include <linux/types.h>

void futex_lock_slow(u32 *word);
void futex_unlock_slow(u32 *word);

static inline bool futex_trylock(u32 *word)
{
	u32 free = 0;

	return __atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED); /* pairs with futex_unlock() */
}

static inline void futex_lock(u32 *word)
{
	if (!futex_trylock(word))
		futex_lock_slow(word);
}

static inline void futex_unlock(u32 *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		futex_unlock_slow(word);
}

/* The initialisers pass the text of their argument: "&lock". */
static inline const char *name_of_lock(const char *text)
{
	return text + (*text == '&');
}

/* Records a wait for lock `name` that began at `since_ns`, if it was worth a record (100 us). */
void lock_waited(u64 since_ns, const char *name);

#endif
