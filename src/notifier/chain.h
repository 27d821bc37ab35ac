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

/*
 * A traversal of the chain at `head` by this thread, from chain_begin() to
 * chain_end(); they nest. While it lasts, a change of that chain by the same
 * thread is a deadlock, which chain_forbids() reports. Traversals through the
 * functions of <linux/notifier.h> do this by themselves.
 */
struct chain_walk {
	const void *head;
	const void *site;
	struct chain_walk *outer;
};
void chain_begin(struct chain_walk *walk, const void *head, const void *site);
void chain_end(struct chain_walk *walk);
/* Is this thread inside a traversal of `head`? */
bool chain_is_running(const void *head);
/* As chain_is_running(); if so, calls the fatal hook: `call` was made in `site`. */
bool chain_forbids(const void *head, const char *call, const void *site);

#endif
