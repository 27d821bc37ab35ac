/* SPDX-License-Identifier: MIT */
/*
 * A call of the raw notifier chain with 1, 8 and 64 callbacks, beside calling them through a plain list of the
 * same nodes, and, with the nodes out of the cache, beside a contiguous copy of the callbacks. Targets:
 * list + 2 ns hot; 1.2 of the copy cold.
 */
#include <string.h>

#include <linux/kernel.h>
#include <linux/notifier.h>

#include "pairs.h"

#define MAX 64
#define APART 4096 /* bytes between nodes: no prefetcher brings the next */

static RAW_NOTIFIER_HEAD(chain);
static unsigned long sum;
static char *room;

static int count_call(struct notifier_block *nb, unsigned long action, void *data)
{
	sum += action + (unsigned long)(data != NULL);
	return NOTIFY_OK;
}

struct copy {
	notifier_fn_t call;
	struct notifier_block *nb;
};

static struct copy snapshot[MAX + 1];

struct work {
	int callbacks;
	bool cold;
	long rounds;
};

static struct notifier_block *node(int i)
{
	/* Not always the same line of a cache set. */
	return (struct notifier_block *)(room + (size_t)i * APART + (size_t)(i % 32) * 64);
}

static void flush(const void *at)
{
#if defined(__x86_64__)
	__builtin_ia32_clflush(at);
#elif defined(__aarch64__)
	__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
#endif
}

static void flush_all(const struct work *work)
{
	int i;

	for (i = 0; i < work->callbacks; i++)
		flush(node(i));
	for (i = 0; i < work->callbacks; i += 4)
		flush(&snapshot[i]);
	flush(&chain);
	__sync_synchronize();
}

static void call_chain(int n)
{
	raw_notifier_call_chain(&chain, 1, NULL);
}

/* What a chain is at least: each node's function, until one says stop. */
static void call_list(int n)
{
	struct notifier_block *nb, *next;

	for (nb = chain.head; nb; nb = next) {
		next = nb->next;
		if (nb->notifier_call(nb, 1, NULL) & NOTIFY_STOP_MASK)
			break;
	}
}

static void call_copy(int n)
{
	const struct copy *at;

	for (at = snapshot; at->call; at++)
		if (at->call(at->nb, 1, NULL) & NOTIFY_STOP_MASK)
			break;
}

static double run(const struct work *work, void (*call)(int n))
{
	double cost = 0, start;
	long i;

	if (!work->cold) {
		start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		for (i = 0; i < work->rounds; i++) {
			call(work->callbacks);
			__asm__ volatile("" : : : "memory");
		}
		return (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)work->rounds;
	}
	for (i = 0; i < work->rounds; i++) {
		flush_all(work);
		start = clock_ns(CLOCK_MONOTONIC);
		call(work->callbacks);
		cost += clock_ns(CLOCK_MONOTONIC) - start;
	}
	return cost / (double)work->rounds;
}

static double run_chain(const void *work)
{
	return run(work, call_chain);
}

static double run_list(const void *work)
{
	return run(work, call_list);
}

static double run_copy(const void *work)
{
	return run(work, call_copy);
}

int main(void)
{
	static const int counts[] = { 1, 8, 64 };
	char name[64];
	size_t i;
	int n = 0;

	room = aligned_alloc(APART, (size_t)(MAX + 1) * APART);
	if (!room)
		return 1;
	memset(room, 0, (size_t)(MAX + 1) * APART);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		struct work hot = { counts[i], false, 400000 / counts[i] };
		struct work cold = { counts[i], true, 2000 };

		for (; n < counts[i]; n++) {
			node(n)->notifier_call = count_call;
			if (raw_notifier_chain_register(&chain, node(n)))
				return 1;
			snapshot[n] = (struct copy){ count_call, node(n) };
		}
		snapshot[n].call = NULL;
		snprintf(name, sizeof(name), "%d callbacks, hot", n);
		pairs_compare(name, "list", run_chain, &hot, run_list, &hot);
		snprintf(name, sizeof(name), "%d callbacks, cold", n);
		pairs_compare(name, "list", run_chain, &cold, run_list, &cold);
		pairs_compare(name, "contiguous copy", run_chain, &cold, run_copy, &cold);
	}
	return sum == 0;
}
