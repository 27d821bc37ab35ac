/* SPDX-License-Identifier: MIT */
/*
 * The section of the fast paths of alloc.c and free.c: one list, one
 * descriptor. Its owner alone writes `busy`; who wants the owner to stay out
 * sets `stop` and waits (sync/asym.h).
 */
#ifndef MEMPLUG_PAGE_FAST_H
#define MEMPLUG_PAGE_FAST_H

#include "page/internal.h"

/* asym_enter() that gives up when somebody wants the owner to stay out; asym_leave() either way. */
static __always_inline bool fast_enter(struct sync_thread *self)
{
	__atomic_store_n(&self->busy, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return likely(!__atomic_load_n(&self->stop, __ATOMIC_ACQUIRE)); /* as in asym_enter() */
}

/* The half of asym_leave() before its test; true: the other half is due. */
static __always_inline bool fast_leave(struct sync_thread *self)
{
	mp_tsan_release(&self->busy);
	__atomic_store_n(&self->busy, 0, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return unlikely(__atomic_load_n(&self->stop, __ATOMIC_RELAXED));
}

#endif
