/* SPDX-License-Identifier: MIT */
/* What the files of this layer tell each other. */
#ifndef MEMPLUG_SYNC_INTERNAL_H
#define MEMPLUG_SYNC_INTERNAL_H

#include <linux/percpu-rwsem.h>

extern struct percpu_rw_semaphore mp_mem_hotplug_lock; /* slot 0 */
extern struct percpu_rw_semaphore cpu_hotplug_lock;    /* slot 1 */

/* percpu_rwsem.c, for the calling thread. Thread list locked: */
void prw_thread_listed(void);	/* it can be seen by writers from now on */
void prw_thread_unlisted(void); /* ... no more */
/* Not locked: releases what a thread that exits still holds, with a warning. */
void prw_thread_exits(void);
void prw_at_fork_child(s32 old_tid);
/* The write side with the call site to report. */
void prw_down_write(struct percpu_rw_semaphore *sem, const void *site);

/* The value of sync_thread.stop when nobody wants the owner to stay out. */
u32 asym_initial_stop(void);

/* The calling thread's exit handler has run: it cannot have a record any more. */
bool sync_thread_exited(void);

#ifdef MEMPLUG_DEBUG
void lockorder_at_fork_child(void);
#else
static inline void lockorder_at_fork_child(void)
{
}
#endif

#endif
