/* SPDX-License-Identifier: MIT */
/* Waiting until something has happened, once. */
#ifndef MEMPLUG_LINUX_COMPLETION_H
#define MEMPLUG_LINUX_COMPLETION_H

#include <linux/types.h>

struct completion {
	u32 done; /* atomic */
};

static inline void init_completion(struct completion *what)
{
	__atomic_store_n(&what->done, 0, __ATOMIC_RELEASE);
}

/* It has happened: all who wait go on, nobody waits any more. From any context; does not sleep. */
void complete_all(struct completion *what) MP_SYM(complete_all);
/* Sleeps until then, at once afterwards; no signal ends it. */
void wait_for_completion(struct completion *what) MP_SYM(wait_for_completion);

#endif
