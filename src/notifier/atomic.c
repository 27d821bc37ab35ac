/* SPDX-License-Identifier: MIT */
/*
 * Atomic chains: changes hold an internal lock, calls take none and count
 * themselves in the current period; unregistration waits for them. Callbacks
 * must not sleep.
 */
#include "notifier/chain.h"
#include "notifier/list.h"

static int insert(struct atomic_notifier_head *nh, struct notifier_block *nb, bool unique)
{
	int error;

	mutex_lock(&nh->lock);
	error = chain_insert(&nh->head, nb, unique);
	mutex_unlock(&nh->lock);
	return error;
}

int atomic_notifier_chain_register(struct atomic_notifier_head *nh, struct notifier_block *nb)
{
	return insert(nh, nb, false);
}

int atomic_notifier_chain_register_unique_prio(struct atomic_notifier_head *nh,
					       struct notifier_block *nb)
{
	return insert(nh, nb, true);
}

int atomic_notifier_chain_unregister(struct atomic_notifier_head *nh, struct notifier_block *nb)
{
	int error;

	if (chain_forbids(nh, "unregistration", __builtin_return_address(0)))
		return -EDEADLK;
	mutex_lock(&nh->lock);
	error = chain_remove(&nh->head, nb);
	mutex_unlock(&nh->lock);
	/* Also when it was not there: another thread may be about to take it out. */
	period_wait(nh->readers, &nh->period, &nh->turn);
	return error;
}

int atomic_notifier_call_chain(struct atomic_notifier_head *nh, unsigned long val, void *v)
{
	u32 period = period_enter(nh->readers, &nh->period);
	struct chain_walk walk;
	int answer;

	chain_begin(&walk, nh, __builtin_return_address(0));
	answer = mp_notifier_call_chain(&nh->head, val, v, -1, NULL);
	chain_end(&walk);
	period_leave(nh->readers, period);
	return answer;
}

bool atomic_notifier_call_chain_is_empty(struct atomic_notifier_head *nh)
{
	return !__atomic_load_n(&nh->head, __ATOMIC_RELAXED);
}
