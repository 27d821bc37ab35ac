/* SPDX-License-Identifier: MIT */
/*
 * The traversal with a watcher: the memory chain times each callback, records
 * its answer and keeps whose answer ended the traversal.
 */
#ifndef MEMPLUG_NOTIFIER_CHAIN_H
#define MEMPLUG_NOTIFIER_CHAIN_H

#include <linux/notifier.h>

struct chain_call {
	struct notifier_block *last; /* whose answer is the result; NULL: nobody was asked */
	struct notifier_block *rest; /* the first that was skipped, or NULL */
	int calls;
};

/*
 * Calls from `from` on (the head of a chain, or `rest` of an earlier call
 * while the chain stayed locked). `watch` (may be NULL) runs before (ns = 0)
 * and after each callback. The caller holds the chain's lock.
 */
int chain_call_from(struct notifier_block *from, unsigned long val, void *v, int nr_to_call,
		    struct chain_call *call,
		    void (*watch)(struct notifier_block *nb, unsigned long val, int answer,
				  u64 ns));

#endif
