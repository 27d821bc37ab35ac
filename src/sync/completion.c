// SPDX-License-Identifier: MIT
/*
 * Completions: a word that goes from 0 to 1 once, and who sleeps on it. No
 * lock; what was written before complete_all() is seen after the wait.
 */
#include <linux/completion.h>
#include "os/os.h"

void complete_all(struct completion *what)
{
	__atomic_store_n(&what->done, 1, __ATOMIC_RELEASE);
	/* Who waited may have freed it by now: a wake is by address and looks at nothing there. */
	os_futex_wake(&what->done, 0x7fffffff);
}

void wait_for_completion(struct completion *what)
{
	/* Acquire pairs with complete_all(). */
	while (!__atomic_load_n(&what->done, __ATOMIC_ACQUIRE))
		os_futex_wait(&what->done, 0, 0);
}
