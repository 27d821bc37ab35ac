// SPDX-License-Identifier: MIT
/*
 * The memory event chain: registration, the notifications of a transaction,
 * and the late veto of the default contract. The chain's semaphore guards the
 * list; it lives as long as the process, whatever machine runs.
 */
#include <linux/memory.h>
#include "hotplug/hotplug.h"
#include "hotplug/timings.h"
#include "notifier/chain.h"
#include "report/report.h"
#include "sync/lockorder.h"
#include "sync/thread.h"

static BLOCKING_NOTIFIER_HEAD(memory_chain);
static __thread bool late_veto_ignored;

static void reset_after_fork(void)
{
	init_rwsem(&memory_chain.rwsem);
	late_veto_ignored = false;
}

__attribute__((constructor)) static void events_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

bool event_in_callback(void)
{
	struct sync_thread *self = sync_self_or_null();

	return self && self->callback_site;
}

int mp_register_memory_notifier_at(struct notifier_block *nb, const char *text, const char *file,
				   int line)
{
	int ret;

	if (!nb || !nb->notifier_call)
		return -EINVAL;
	/* From inside one of its callbacks it hangs Linux (NOTIFY-34, 38). */
	if (refuse_in_callback("register_memory_notifier", __builtin_return_address(0)))
		return -EDEADLK;
	lockorder_acquire(LOCK_CHAIN, __builtin_return_address(0));
	ret = blocking_notifier_chain_register(&memory_chain, nb);
	lockorder_release(LOCK_CHAIN);
	if (!ret && text)
		names_add(nb, text, file, line);
	return ret;
}

#undef register_memory_notifier
int register_memory_notifier(struct notifier_block *nb)
{
	return mp_register_memory_notifier_at(nb, NULL, NULL, 0);
}

void unregister_memory_notifier(struct notifier_block *nb)
{
	if (!nb || refuse_in_callback("unregister_memory_notifier", __builtin_return_address(0)))
		return;
	lockorder_acquire(LOCK_CHAIN, __builtin_return_address(0));
	if (!blocking_notifier_chain_unregister(&memory_chain, nb))
		names_remove(nb);
	lockorder_release(LOCK_CHAIN);
}

static void record_answer(struct notifier_block *nb, unsigned long val, int answer, u64 ns)
{
	char name[sizeof(((struct callback_timing *)0)->name)];

	if (!ns)
		return;
	names_get(nb, (const void *)nb->notifier_call, name, sizeof(name));
	ring_record(MP_RING_CALLBACK, (s64)val, answer, (s64)ns, name);
	timings_record(val, name, answer, ns);
}

/* One traversal from `from`, chain locked by the caller. */
static int traverse(struct notifier_block *from, unsigned long action, void *arg,
		    struct chain_call *call, const void *site)
{
	struct sync_thread *self = sync_self();
	int answer;

	if (self)
		self->callback_site = site;
	answer = chain_call_from(from, action, arg, -1, call, record_answer);
	if (self)
		self->callback_site = NULL;
	return answer;
}

static void chain_lock(const void *site)
{
	lockorder_acquire(LOCK_CHAIN, site);
	down_read(&memory_chain.rwsem);
}

static void chain_unlock(void)
{
	up_read(&memory_chain.rwsem);
	lockorder_release(LOCK_CHAIN);
}

static void record_event(unsigned long action, const struct memory_notify *arg)
{
	ring_record(MP_RING_EVENT, (s64)action, (s64)arg->start_pfn, (s64)arg->nr_pages,
		    mp_event_name(action));
}

void callbacks_for_each(void (*fn)(const char *name, int priority, void *arg), void *arg)
{
	/* A callback that looks has the lock already. */
	bool nested = event_in_callback();
	struct notifier_block *nb;
	char name[160];

	if (!nested)
		chain_lock(__builtin_return_address(0));
	for (nb = memory_chain.head; nb; nb = nb->next) {
		names_get(nb, (const void *)nb->notifier_call, name, sizeof(name));
		fn(name, nb->priority, arg);
	}
	if (!nested)
		chain_unlock();
}

int memory_notify(unsigned long val, void *v)
{
	struct chain_call call = { 0 };
	const void *site = __builtin_return_address(0);
	int answer;

	if (refuse_in_callback("memory_notify", site))
		return notifier_from_errno(-EDEADLK);
	/* Only an optimisation: the list is read again under the lock (NOTIFY-17). */
	if (!READ_ONCE(memory_chain.head))
		return NOTIFY_DONE;
	chain_lock(site);
	answer = traverse(memory_chain.head, val, v, &call, site);
	chain_unlock();
	return answer;
}

static long block_of(const struct memory_notify *arg)
{
	unsigned long size = memory_block_size_bytes();

	return size ? (long)(PFN_PHYS(arg->start_pfn) / size) : -1;
}

static void reason_veto(const struct chain_call *call, unsigned long action, int error,
			const struct memory_notify *arg)
{
	char name[128] = "?";

	if (call->last)
		names_get(call->last, (const void *)call->last->notifier_call, name, sizeof(name));
	reason_set(MP_REASON_VETO, error, name,
		   "memory%ld: %s vetoed by callback %s (error %d); ask its owner or unregister it",
		   block_of(arg), mp_event_name(action), name, error);
}

int event_notify(unsigned long action, struct memory_notify *arg)
{
	struct chain_call call = { 0 };
	const void *site = __builtin_return_address(0);
	int answer, error;

	record_event(action, arg);
	if (!READ_ONCE(memory_chain.head))
		return 0;
	chain_lock(site);
	answer = traverse(memory_chain.head, action, arg, &call, site);
	error = notifier_to_errno(answer);
	if (error && (action == MEM_GOING_ONLINE || action == MEM_GOING_OFFLINE))
		reason_veto(&call, action, error, arg);
	chain_unlock();
	return error;
}

void event_ignore_late_veto(bool yes)
{
	late_veto_ignored = yes;
}

int event_notify_final(unsigned long action, unsigned long cancel, struct memory_notify *arg,
		       int (*undo)(void *data), void *data, bool *undone)
{
	struct chain_call call = { 0 }, again = { 0 };
	const void *site = __builtin_return_address(0);
	int error, ret;

	*undone = false;
	record_event(action, arg);
	if (!READ_ONCE(memory_chain.head))
		return 0;
	chain_lock(site);
	error = notifier_to_errno(traverse(memory_chain.head, action, arg, &call, site));
	if (!error || late_veto_ignored || !contract_is_document()) {
		chain_unlock();
		return 0;
	}
	__atomic_fetch_add(&hotplug_counters.late_vetoes, 1, __ATOMIC_RELAXED);
	/* Before undo: if that fails its own reason names the vetoer too. */
	ret = undo(data);
	if (!ret) {
		reason_veto(&call, action, error, arg);
		*undone = true;
		record_event(cancel, arg);
		traverse(memory_chain.head, cancel, arg, &again, site);
	} else {
		char name[96] = "?";

		if (call.last)
			names_get(call.last, (const void *)call.last->notifier_call, name,
				  sizeof(name));
		reason_set(MP_REASON_PAGE, ret, name,
			   "memory%ld: %s vetoed by %s, but a page cannot be moved away; it stays online",
			   block_of(arg), mp_event_name(action), name);
		traverse(call.rest, action, arg, &again, site);
		error = ret;
	}
	chain_unlock();
	return error;
}
