/* SPDX-License-Identifier: MIT */
/*
 * Blocking chains: changes hold the chain's semaphore exclusively, calls hold
 * it shared for the whole traversal (NOTIFY-14).
 */
#include "notifier/chain.h"
#include "notifier/list.h"

static int change(struct blocking_notifier_head *nh, struct notifier_block *nb, bool unique,
		  const void *site)
{
	int error;

	if (chain_forbids(nh, "registration", site))
		return -EDEADLK;
	down_write(&nh->rwsem);
	error = chain_insert(&nh->head, nb, unique);
	up_write(&nh->rwsem);
	return error;
}

int blocking_notifier_chain_register(struct blocking_notifier_head *nh, struct notifier_block *nb)
{
	return change(nh, nb, false, __builtin_return_address(0));
}

int blocking_notifier_chain_register_unique_prio(struct blocking_notifier_head *nh,
						 struct notifier_block *nb)
{
	return change(nh, nb, true, __builtin_return_address(0));
}

int blocking_notifier_chain_unregister(struct blocking_notifier_head *nh, struct notifier_block *nb)
{
	int error;

	if (chain_forbids(nh, "unregistration", __builtin_return_address(0)))
		return -EDEADLK;
	down_write(&nh->rwsem);
	error = chain_remove(&nh->head, nb);
	up_write(&nh->rwsem);
	return error;
}

/* Returns whether it locked: a call from inside a callback of the chain has the lock already. */
static bool begin(struct blocking_notifier_head *nh, struct chain_walk *walk, const void *site)
{
	bool nested = chain_is_running(nh);

	if (!nested)
		down_read(&nh->rwsem);
	chain_begin(walk, nh, site);
	return !nested;
}

static void end(struct blocking_notifier_head *nh, struct chain_walk *walk, bool locked)
{
	chain_end(walk);
	if (locked)
		up_read(&nh->rwsem);
}

int blocking_notifier_call_chain(struct blocking_notifier_head *nh, unsigned long val, void *v)
{
	struct chain_walk walk;
	int answer;
	bool locked;

	/* Only an optimisation: the list is read again under the lock (NOTIFY-17). */
	if (!__atomic_load_n(&nh->head, __ATOMIC_RELAXED))
		return NOTIFY_DONE;
	locked = begin(nh, &walk, __builtin_return_address(0));
	answer = mp_notifier_call_chain(&nh->head, val, v, -1, NULL);
	end(nh, &walk, locked);
	return answer;
}

int blocking_notifier_call_chain_robust(struct blocking_notifier_head *nh, unsigned long val_up,
					unsigned long val_down, void *v)
{
	struct chain_walk walk;
	int answer, calls = 0;
	bool locked;

	if (!__atomic_load_n(&nh->head, __ATOMIC_RELAXED))
		return NOTIFY_DONE;
	locked = begin(nh, &walk, __builtin_return_address(0));
	answer = mp_notifier_call_chain(&nh->head, val_up, v, -1, &calls);
	if (answer & NOTIFY_STOP_MASK)
		mp_notifier_call_chain(&nh->head, val_down, v, calls - 1, NULL);
	end(nh, &walk, locked);
	return answer;
}
