/* SPDX-License-Identifier: MIT */
/*
 * SRCU chains: as atomic chains, but callbacks may sleep, and the head is made
 * and taken down at run time.
 */
#include "notifier/chain.h"
#include "notifier/list.h"

#include <linux/bug.h>

int srcu_init_notifier_head(struct srcu_notifier_head *nh)
{
	*nh = (struct srcu_notifier_head){ .alive = 1 };
	mutex_init(&nh->mutex);
	return 0;
}

void srcu_cleanup_notifier_head(struct srcu_notifier_head *nh)
{
	if (WARN(__atomic_load_n(&nh->readers[0], __ATOMIC_RELAXED) ||
			 __atomic_load_n(&nh->readers[1], __ATOMIC_RELAXED),
		 "srcu notifier chain cleaned up while it is called"))
		return;
	nh->alive = 0;
}

int srcu_notifier_chain_register(struct srcu_notifier_head *nh, struct notifier_block *nb)
{
	int error;

	if (WARN(!nh->alive, "srcu notifier chain used without srcu_init_notifier_head()"))
		return -EINVAL;
	mutex_lock(&nh->mutex);
	error = chain_insert(&nh->head, nb, false);
	mutex_unlock(&nh->mutex);
	return error;
}

int srcu_notifier_chain_unregister(struct srcu_notifier_head *nh, struct notifier_block *nb)
{
	int error;

	if (chain_forbids(nh, "unregistration", __builtin_return_address(0)))
		return -EDEADLK;
	mutex_lock(&nh->mutex);
	error = chain_remove(&nh->head, nb);
	mutex_unlock(&nh->mutex);
	/* Also when it was not there: another thread may be about to take it out. */
	period_wait(nh->readers, &nh->period, &nh->turn);
	return error;
}

int srcu_notifier_call_chain(struct srcu_notifier_head *nh, unsigned long val, void *v)
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
