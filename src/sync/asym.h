/* SPDX-License-Identifier: MIT */
/*
 * A lock that its owner takes with one plain store and a load, and anyone else
 * by stopping the owner first: store, membarrier, wait. The same idea as the
 * percpu rwsem with the roles of one owner and rare visitors; it guards each
 * thread's free-page lists (sync_thread.busy, .stop).
 */
#ifndef MEMPLUG_SYNC_ASYM_H
#define MEMPLUG_SYNC_ASYM_H

#include "sync/thread.h"

void asym_enter_slow(struct sync_thread *self);
void asym_leave_slow(struct sync_thread *self);

static inline void asym_enter(struct sync_thread *self)
{
	__atomic_store_n(&self->busy, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	/* Acquire pairs with the visitor's last store: what it did to the record is seen. */
	if (unlikely(__atomic_load_n(&self->stop, __ATOMIC_ACQUIRE)))
		asym_enter_slow(self);
}

static inline void asym_leave(struct sync_thread *self)
{
	mp_tsan_release(&self->busy);
	__atomic_store_n(&self->busy, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&self->stop, __ATOMIC_RELAXED)))
		asym_leave_slow(self);
}

/*
 * Runs `visit` on every thread's record while its owner stays out (the
 * caller's own thread included; it must not be inside a section). One
 * membarrier for all. Sleeps.
 */
void asym_visit_all(void (*visit)(struct sync_thread *thread, void *arg), void *arg);

#endif
