/* SPDX-License-Identifier: MIT */
/* The list under every flavour of chain. The caller holds the lock that changes need. */
#ifndef MEMPLUG_NOTIFIER_LIST_H
#define MEMPLUG_NOTIFIER_LIST_H

#include <linux/notifier.h>

/* 0, -EINVAL, -EEXIST with a WARN, or (unique) -EBUSY. Readers may run beside it. */
int chain_insert(struct notifier_block **head, struct notifier_block *nb, bool unique);
/* 0 or -ENOENT; the block's own link stays. */
int chain_remove(struct notifier_block **head, struct notifier_block *nb);

/*
 * Who reads a list without a lock counts in the current of two periods; who
 * has unlinked a block waits until both have been empty. The top bit of a
 * count says that somebody sleeps on it.
 */
u32 period_enter(u32 *readers, u32 *period);
void period_leave(u32 *readers, u32 entered);
/* Every reader that may have seen the list before is gone. Sleeps. `turn` is a lock for this. */
void period_wait(u32 *readers, u32 *period, u32 *turn);

#endif
