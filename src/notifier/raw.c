/* SPDX-License-Identifier: MIT */
/* Raw chains: no locking at all, everything is the caller's duty (NOTIFY-41). */
#include "notifier/list.h"

int raw_notifier_chain_register(struct raw_notifier_head *nh, struct notifier_block *nb)
{
	return chain_insert(&nh->head, nb, false);
}

int raw_notifier_chain_unregister(struct raw_notifier_head *nh, struct notifier_block *nb)
{
	return chain_remove(&nh->head, nb);
}

int raw_notifier_call_chain(struct raw_notifier_head *nh, unsigned long val, void *v)
{
	return mp_notifier_call_chain(&nh->head, val, v, -1, NULL);
}

int raw_notifier_call_chain_robust(struct raw_notifier_head *nh, unsigned long val_up,
				   unsigned long val_down, void *v)
{
	int calls = 0;
	int answer = mp_notifier_call_chain(&nh->head, val_up, v, -1, &calls);

	if (answer & NOTIFY_STOP_MASK)
		mp_notifier_call_chain(&nh->head, val_down, v, calls - 1, NULL);
	return answer;
}
