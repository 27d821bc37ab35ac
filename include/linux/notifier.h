/* SPDX-License-Identifier: MIT */
/*
 * Notifier chains: lists of callbacks sorted by descending priority, equals
 * in order of registration (NOTIFY-1..43).
 *
 * | flavour  | list changes        | calls                  | callbacks may sleep |
 * | atomic   | internal lock       | read-copy-update       | no                  |
 * | blocking | semaphore exclusive | semaphore shared       | yes                 |
 * | raw      | caller's duty       | caller's duty          | as the caller says  |
 * | srcu     | mutex               | sleepable read side    | yes                 |
 *
 * Unregistering from a chain in one of its own callbacks, and registering on a
 * blocking one, is a deadlock in Linux; here it calls the fatal hook with both
 * call sites, and returns -EDEADLK if that returns.
 */
#ifndef MEMPLUG_LINUX_NOTIFIER_H
#define MEMPLUG_LINUX_NOTIFIER_H

#include <linux/types.h>
#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>

struct notifier_block;
typedef int (*notifier_fn_t)(struct notifier_block *nb, unsigned long action, void *data);

struct notifier_block {
	notifier_fn_t notifier_call;
	struct notifier_block *next;
	int priority;
};

#define NOTIFY_DONE 0x0000
#define NOTIFY_OK 0x0001
#define NOTIFY_STOP_MASK 0x8000
#define NOTIFY_BAD (NOTIFY_STOP_MASK | 0x0002)
#define NOTIFY_STOP (NOTIFY_OK | NOTIFY_STOP_MASK)

/* 0 gives NOTIFY_OK, a negative errno an answer that stops the chain (NOTIFY-26). */
static inline int notifier_from_errno(int err)
{
	return err ? NOTIFY_STOP_MASK | (NOTIFY_OK - err) : NOTIFY_OK;
}

/* The errno in an answer, or 0 (NOTIFY-27). */
static inline int notifier_to_errno(int ret)
{
	ret &= ~NOTIFY_STOP_MASK;
	return ret > NOTIFY_OK ? NOTIFY_OK - ret : 0;
}

struct atomic_notifier_head {
	struct mutex lock;
	struct notifier_block *head;
	u32 readers[2]; /* traversals that run, by period */
	u32 period;
	u32 turn; /* lock of whoever waits for traversals to end */
};

struct blocking_notifier_head {
	struct rw_semaphore rwsem;
	struct notifier_block *head;
};

struct raw_notifier_head {
	struct notifier_block *head;
};

struct srcu_notifier_head {
	struct mutex mutex;
	u32 readers[2];
	u32 period;
	u32 turn;
	u32 alive;
	struct notifier_block *head;
};

#define ATOMIC_NOTIFIER_INIT(n) { __MUTEX_INITIALIZER(n), NULL, { 0, 0 }, 0, 0 }
#define BLOCKING_NOTIFIER_INIT(n) { __RWSEM_INITIALIZER(n), NULL }
#define RAW_NOTIFIER_INIT(n) { NULL }
#define ATOMIC_NOTIFIER_HEAD(n) struct atomic_notifier_head n = ATOMIC_NOTIFIER_INIT(n)
#define BLOCKING_NOTIFIER_HEAD(n) struct blocking_notifier_head n = BLOCKING_NOTIFIER_INIT(n)
#define RAW_NOTIFIER_HEAD(n) struct raw_notifier_head n = RAW_NOTIFIER_INIT(n)

#define ATOMIC_INIT_NOTIFIER_HEAD(h) (*(h) = (struct atomic_notifier_head)ATOMIC_NOTIFIER_INIT(h))
#define BLOCKING_INIT_NOTIFIER_HEAD(h)                                                             \
	(*(h) = (struct blocking_notifier_head)BLOCKING_NOTIFIER_INIT(h))
#define RAW_INIT_NOTIFIER_HEAD(h) (*(h) = (struct raw_notifier_head)RAW_NOTIFIER_INIT(h))
/* 0, or -ENOMEM. */
int srcu_init_notifier_head(struct srcu_notifier_head *nh) MP_SYM(srcu_init_notifier_head);
/* The chain must be quiet. */
void srcu_cleanup_notifier_head(struct srcu_notifier_head *nh) MP_SYM(srcu_cleanup_notifier_head);

/*
 * Registration: 0; -EEXIST and a WARN when the block is on the chain already
 * (also when its priority was raised meanwhile, NOTIFY-8); -EINVAL for a NULL
 * block or callback. The _unique_prio forms: -EBUSY when an entry has the
 * same priority. Unregistration: 0 or -ENOENT; when it returns the callback
 * runs nowhere and will not be called again.
 */
int atomic_notifier_chain_register(struct atomic_notifier_head *nh, struct notifier_block *nb)
	MP_SYM(atomic_notifier_chain_register);
int blocking_notifier_chain_register(struct blocking_notifier_head *nh, struct notifier_block *nb)
	MP_SYM(blocking_notifier_chain_register);
int raw_notifier_chain_register(struct raw_notifier_head *nh, struct notifier_block *nb)
	MP_SYM(raw_notifier_chain_register);
int srcu_notifier_chain_register(struct srcu_notifier_head *nh, struct notifier_block *nb)
	MP_SYM(srcu_notifier_chain_register);
int atomic_notifier_chain_register_unique_prio(struct atomic_notifier_head *nh,
					       struct notifier_block *nb)
	MP_SYM(atomic_notifier_chain_register_unique_prio);
int blocking_notifier_chain_register_unique_prio(struct blocking_notifier_head *nh,
						 struct notifier_block *nb)
	MP_SYM(blocking_notifier_chain_register_unique_prio);
int atomic_notifier_chain_unregister(struct atomic_notifier_head *nh, struct notifier_block *nb)
	MP_SYM(atomic_notifier_chain_unregister);
int blocking_notifier_chain_unregister(struct blocking_notifier_head *nh,
				       struct notifier_block *nb)
	MP_SYM(blocking_notifier_chain_unregister);
int raw_notifier_chain_unregister(struct raw_notifier_head *nh, struct notifier_block *nb)
	MP_SYM(raw_notifier_chain_unregister);
int srcu_notifier_chain_unregister(struct srcu_notifier_head *nh, struct notifier_block *nb)
	MP_SYM(srcu_notifier_chain_unregister);

/* One full traversal; the answer of the last callback invoked, or NOTIFY_DONE (NOTIFY-17..21). */
int atomic_notifier_call_chain(struct atomic_notifier_head *nh, unsigned long val, void *v)
	MP_SYM(atomic_notifier_call_chain);
int blocking_notifier_call_chain(struct blocking_notifier_head *nh, unsigned long val, void *v)
	MP_SYM(blocking_notifier_call_chain);
int raw_notifier_call_chain(struct raw_notifier_head *nh, unsigned long val, void *v)
	MP_SYM(raw_notifier_call_chain);
int srcu_notifier_call_chain(struct srcu_notifier_head *nh, unsigned long val, void *v)
	MP_SYM(srcu_notifier_call_chain);
/* val_up to all; when stopped, val_down to those called before the one that stopped (NOTIFY-22). */
int blocking_notifier_call_chain_robust(struct blocking_notifier_head *nh, unsigned long val_up,
					unsigned long val_down, void *v)
	MP_SYM(blocking_notifier_call_chain_robust);
int raw_notifier_call_chain_robust(struct raw_notifier_head *nh, unsigned long val_up,
				   unsigned long val_down, void *v)
	MP_SYM(raw_notifier_call_chain_robust);
bool atomic_notifier_call_chain_is_empty(struct atomic_notifier_head *nh)
	MP_SYM(atomic_notifier_call_chain_is_empty);

/*
 * The traversal itself without any lock: at most `nr_to_call` callbacks (-1:
 * all); adds the number invoked to *nr_calls when given (NOTIFY-18..21).
 */
int mp_notifier_call_chain(struct notifier_block **head, unsigned long val, void *v,
			   int nr_to_call, int *nr_calls);

#endif
