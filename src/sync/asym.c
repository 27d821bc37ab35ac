/* SPDX-License-Identifier: MIT */
/*
 * The slow half of the owner's lock. `stop` says what the owner must do:
 * OPEN, nothing; CAREFUL (there is no membarrier), fence and look again;
 * OUT, stay away. Written by the visitor, who holds the thread list lock from
 * the first stop to the last release; `busy` is the owner's, and both words
 * are slept on.
 */
#include "sync/asym.h"
#include "sync/internal.h"
#include "os/os.h"

#include <linux/list.h>

enum { OPEN, CAREFUL, OUT };

u32 asym_initial_stop(void)
{
	return sync_has_membarrier ? OPEN : CAREFUL;
}

static void tell_visitor(struct sync_thread *self)
{
	if (__atomic_load_n(&self->stop, __ATOMIC_SEQ_CST) == OUT)
		os_futex_wake(&self->busy, 1);
}

void asym_enter_slow(struct sync_thread *self)
{
	for (;;) {
		/* Pairs with the visitor's stop = OUT and barrier: one sees the other. */
		__atomic_exchange_n(&self->busy, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&self->stop, __ATOMIC_SEQ_CST) != OUT)
			return;
		__atomic_store_n(&self->busy, 0, __ATOMIC_SEQ_CST);
		tell_visitor(self);
		while (__atomic_load_n(&self->stop, __ATOMIC_SEQ_CST) == OUT)
			os_futex_wait(&self->stop, OUT, 0);
	}
}

void asym_leave_slow(struct sync_thread *self)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	tell_visitor(self);
}

void asym_visit_all(void (*visit)(struct sync_thread *thread, void *arg), void *arg)
{
	struct sync_thread *thread;

	sync_threads_lock();
	sync_for_each_thread(thread)
		__atomic_store_n(&thread->stop, OUT, __ATOMIC_SEQ_CST);
	if (sync_has_membarrier)
		sync_membarrier();
	sync_for_each_thread(thread) {
		while (__atomic_load_n(&thread->busy, __ATOMIC_ACQUIRE)) /* pairs with asym_leave() */
			os_futex_wait(&thread->busy, 1, 0);
		mp_tsan_acquire(&thread->busy);
		visit(thread, arg);
		__atomic_store_n(&thread->stop, asym_initial_stop(), __ATOMIC_SEQ_CST);
		os_futex_wake(&thread->stop, 1);
	}
	sync_threads_unlock();
}
