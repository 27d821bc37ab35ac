/* SPDX-License-Identifier: MIT */
/*
 * The list of callbacks and its traversal. Changes are made by whoever holds
 * the chain's lock; links are published with release, so that the flavours
 * whose callers take no lock may read beside a change. Which traversals a
 * thread is in is its own.
 */
#include "notifier/chain.h"
#include "notifier/list.h"
#include "report/report.h"
#include "sync/futex.h"
#include "os/os.h"

#include <limits.h>
#include <linux/kernel.h>

#define SLEEPER (1u << 31)

static __thread struct chain_walk *running; /* the innermost traversal */

/* ---- the list ---- */

static void already_registered(struct notifier_block *nb)
{
	char name[160];

	names_get(nb, (const void *)nb->notifier_call, name, sizeof(name));
	WARN(true, "notifier callback %s already registered", name);
}

int chain_insert(struct notifier_block **head, struct notifier_block *nb, bool unique)
{
	struct notifier_block **link, *other;

	if (!nb || !nb->notifier_call)
		return -EINVAL;
	/* The whole list, for the owner may have raised the priority meanwhile (NOTIFY-8). */
	for (other = *head; other; other = other->next) {
		if (other == nb) {
			already_registered(nb);
			return -EEXIST;
		}
	}
	for (link = head; *link && (*link)->priority >= nb->priority; link = &(*link)->next)
		if (unique && (*link)->priority == nb->priority)
			return -EBUSY;
	__atomic_store_n(&nb->next, *link, __ATOMIC_RELAXED);
	__atomic_store_n(link, nb, __ATOMIC_RELEASE);
	return 0;
}

int chain_remove(struct notifier_block **head, struct notifier_block *nb)
{
	struct notifier_block **link = head;

	while (*link && *link != nb)
		link = &(*link)->next;
	if (!nb || !*link)
		return -ENOENT;
	__atomic_store_n(link, nb->next, __ATOMIC_RELEASE);
	return 0;
}

/* ---- the traversal ---- */

int chain_call_from(struct notifier_block *from, unsigned long val, void *v, int nr_to_call,
		    struct chain_call *call,
		    void (*watch)(struct notifier_block *nb, unsigned long val, int answer, u64 ns))
{
	struct notifier_block *nb = from, *next;
	int answer = NOTIFY_DONE;
	u64 began = 0;

	*call = (struct chain_call){ .rest = from };
	while (nb && call->calls != nr_to_call) {
		/* Before the call: the callback's owner may free the block when it returns. */
		next = __atomic_load_n(&nb->next, __ATOMIC_ACQUIRE); /* pairs with chain_insert() */
		if (watch) {
			watch(nb, val, NOTIFY_DONE, 0);
			began = os_now_ns();
		}
		answer = nb->notifier_call(nb, val, v);
		if (watch)
			watch(nb, val, answer, max_t(u64, os_now_ns() - began, 1));
		call->last = nb;
		call->rest = next;
		call->calls++;
		if (answer & NOTIFY_STOP_MASK)
			break;
		nb = next;
	}
	return answer;
}

int mp_notifier_call_chain(struct notifier_block **head, unsigned long val, void *v, int nr_to_call,
			   int *nr_calls)
{
	struct chain_call call;
	int answer = chain_call_from(__atomic_load_n(head, __ATOMIC_ACQUIRE), val, v, nr_to_call,
				     &call, NULL);

	if (nr_calls)
		*nr_calls += call.calls;
	return answer;
}

/* ---- who is inside ---- */

void chain_begin(struct chain_walk *walk, const void *head, const void *site)
{
	*walk = (struct chain_walk){ head, site, running };
	running = walk;
}

void chain_end(struct chain_walk *walk)
{
	running = walk->outer;
}

static const struct chain_walk *find_walk(const void *head)
{
	const struct chain_walk *walk = running;

	while (walk && walk->head != head)
		walk = walk->outer;
	return walk;
}

bool chain_is_running(const void *head)
{
	return find_walk(head) != NULL;
}

bool chain_forbids(const void *head, const char *call, const void *site)
{
	const struct chain_walk *walk = find_walk(head);
	char here[SITE_NAME_SIZE], there[SITE_NAME_SIZE];

	if (!walk)
		return false;
	mp_fatal_at(__FILE__, __LINE__,
		    "%s in %s: inside a callback of the same chain, called in %s, where Linux would hang",
		    call, site_name(site, here, sizeof(here)),
		    site_name(walk->site, there, sizeof(there)));
	return true;
}

/* ---- readers without a lock ---- */

u32 period_enter(u32 *readers, u32 *period)
{
	u32 index = __atomic_load_n(period, __ATOMIC_SEQ_CST) & 1;

	__atomic_fetch_add(&readers[index], 1, __ATOMIC_SEQ_CST);
	return index;
}

void period_leave(u32 *readers, u32 entered)
{
	if (__atomic_fetch_sub(&readers[entered], 1, __ATOMIC_SEQ_CST) == (SLEEPER | 1))
		os_futex_wake(&readers[entered], INT_MAX);
}

static void wait_until_empty(u32 *count)
{
	u32 now = __atomic_fetch_or(count, SLEEPER, __ATOMIC_SEQ_CST) | SLEEPER;

	while (now != SLEEPER) {
		os_futex_wait(count, now, 0);
		now = __atomic_load_n(count, __ATOMIC_SEQ_CST);
	}
	__atomic_fetch_and(count, ~SLEEPER, __ATOMIC_SEQ_CST);
}

void period_wait(u32 *readers, u32 *period, u32 *turn)
{
	futex_lock(turn);
	/*
	 * Twice: a reader may have read the period long ago and count only now. It then saw the
	 * list after the unlinking, or the second round waits for it.
	 */
	for (int round = 0; round < 2; round++) {
		u32 old = __atomic_fetch_add(period, 1, __ATOMIC_SEQ_CST) & 1;

		wait_until_empty(&readers[old]);
	}
	futex_unlock(turn);
}
