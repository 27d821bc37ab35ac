// SPDX-License-Identifier: MIT
/*
 * What ends an offline before it is done: a pending signal, mp_cancel(), a
 * deadline (DESIGN D14, OFFLINE-8). State is the calling thread's own.
 */
#include <signal.h>
#include <memplug/machine.h>
#include "hotplug/hotplug.h"
#include "os/os.h"
#include "report/report.h"
#include "sync/thread.h"

static __thread struct {
	int depth;
	sigset_t old_mask;
	u64 deadline_ns;
} it;

int interrupt_begin(void)
{
	struct sync_thread *self;
	int ret;

	if (it.depth++)
		return 0;
	ret = os_signals_block(&it.old_mask);
	if (ret) {
		it.depth = 0;
		return reason_set(MP_REASON_SYSTEM, ret, "sigprocmask",
				  "cannot hold back signals: error %d", ret);
	}
	self = sync_self();
	it.deadline_ns = 0;
	if (self && self->deadline_ms)
		it.deadline_ns = os_now_ns() + self->deadline_ms * 1000000;
	return 0;
}

void interrupt_end(void)
{
	if (--it.depth)
		return;
	/* The mask must come back whatever happens: try once more, then say so. */
	if (os_signals_restore(&it.old_mask) && os_signals_restore(&it.old_mask))
		WARN(1, "cannot restore the signal mask of this thread");
}

static bool signal_waits(int *signal, int *error)
{
	sigset_t pending;
	int i;

	*error = os_signals_pending(&pending);
	if (*error)
		return false;
	for (i = 1; i < NSIG; i++) {
		if (sigismember(&pending, i) != 1 || sigismember(&it.old_mask, i) != 0)
			continue;
		/* While blocked, also those are queued that would vanish otherwise. */
		if (os_signal_ignored(i) == 1)
			continue;
		*signal = i;
		return true;
	}
	return false;
}

static int cause(struct interrupt_cause *out, enum mp_reason_kind kind, int error,
		 const char *actor, const char *fmt, long number)
{
	out->kind = kind;
	out->actor = actor;
	snprintf(out->text, sizeof(out->text), fmt, number);
	return error;
}

int interrupt_check(struct interrupt_cause *out)
{
	struct sync_thread *self = sync_self_or_null();
	int signal = 0, error = 0;

	if (signal_waits(&signal, &error))
		return cause(out, MP_REASON_SIGNAL, -EINTR, "signal", "signal %ld is pending",
			     signal);
	if (error)
		return cause(out, MP_REASON_SYSTEM, error, "sigpending",
			     "cannot look for pending signals (error %ld)", error);
	if (self && __atomic_exchange_n(&self->cancel, 0, __ATOMIC_ACQ_REL))
		return cause(out, MP_REASON_CANCEL, -EINTR, "mp_cancel", "cancelled", 0);
	if (it.deadline_ns && os_now_ns() >= it.deadline_ns)
		return cause(out, MP_REASON_DEADLINE, -ETIMEDOUT, "deadline",
			     "the deadline of %ld ms has passed",
			     self ? (long)self->deadline_ms : 0);
	return 0;
}

void mp_set_deadline(uint64_t milliseconds)
{
	struct sync_thread *self = sync_self();

	if (self)
		self->deadline_ms = milliseconds;
}

int mp_cancel(pthread_t thread)
{
	struct sync_thread *t;
	int ret = -ESRCH;

	sync_threads_lock();
	sync_for_each_thread(t) {
		if (pthread_equal(t->pthread, thread)) {
			__atomic_store_n(&t->cancel, 1, __ATOMIC_RELEASE);
			ret = 0;
			break;
		}
	}
	sync_threads_unlock();
	return ret;
}
