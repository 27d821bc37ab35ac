/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker. An edge a -> b says that b was taken with a held;
 * it keeps the sets of locks that were held outside of a at those times, and
 * which of the two were taken shared. Two threads on a -> b and b -> a can hang
 * each other only if no lock is in both outer sets and neither lock is shared
 * by both. Of two contexts the one with less outside and less shared says all.
 *
 * graph.lock guards the graph; what a thread holds is its own.
 */
#include "sync/lockorder.h"

#ifdef MEMPLUG_DEBUG

#include "sync/futex.h"
#include "sync/internal.h"
#include "report/report.h"

#define MAX_HELD 16
#define MAX_CONTEXTS 8

struct context {
	u32 outer; /* bits of lock_class */
	bool first_shared, second_shared;
	const void *first, *second;
};

struct edge {
	struct context contexts[MAX_CONTEXTS];
	unsigned int nr_contexts;
};

static struct {
	u32 lock;
	struct edge edges[LOCK_CLASSES][LOCK_CLASSES];
	bool reported[LOCK_CLASSES][LOCK_CLASSES];
	int reports;
} graph;

static __thread struct {
	unsigned int nr;
	struct {
		enum lock_class class;
		bool shared;
		const void *site;
	} locks[MAX_HELD];
} held;

static const char *const names[LOCK_CLASSES] = {
	[LOCK_DEVICE_HOTPLUG] = "device_hotplug_lock",
	[LOCK_DEVICE] = "device_lock",
	[LOCK_CPU_HOTPLUG] = "cpu_hotplug_lock",
	[LOCK_MEM_HOTPLUG] = "mem_hotplug_lock",
	[LOCK_CHAIN] = "notifier chain",
	[LOCK_PCP_DISABLE] = "pcp_batch_high_lock",
	[LOCK_ZONE] = "zone lock",
	[LOCK_OTHER] = "another lock",
};

/* Whatever `other` can hang, `context` can. */
static bool says_all_of(const struct context *context, const struct context *other)
{
	return (context->outer & other->outer) == context->outer &&
	       context->first_shared <= other->first_shared &&
	       context->second_shared <= other->second_shared;
}

/* False when the edge says as much already. */
static bool add_context(struct edge *edge, const struct context *context)
{
	unsigned int i, kept = 0;

	for (i = 0; i < edge->nr_contexts; i++)
		if (says_all_of(&edge->contexts[i], context))
			return false;
	for (i = 0; i < edge->nr_contexts; i++)
		if (!says_all_of(context, &edge->contexts[i]))
			edge->contexts[kept++] = edge->contexts[i];
	edge->nr_contexts = kept;
	if (kept == MAX_CONTEXTS)
		return false;
	edge->contexts[edge->nr_contexts++] = *context;
	return true;
}

/* A context of the opposite edge that can hang this one. Copied: it is told without the lock. */
static bool find_inversion(const struct edge *opposite, const struct context *here,
			   struct context *other)
{
	for (unsigned int i = 0; i < opposite->nr_contexts; i++) {
		*other = opposite->contexts[i];
		if (!(other->outer & here->outer) &&
		    !(other->first_shared && here->second_shared) &&
		    !(other->second_shared && here->first_shared))
			return true;
	}
	return false;
}

static void report(enum lock_class first, enum lock_class second, const struct context *here,
		   const struct context *other)
{
	char a[SITE_NAME_SIZE], b[SITE_NAME_SIZE], c[SITE_NAME_SIZE], d[SITE_NAME_SIZE];

	mp_warn_at(__FILE__, __LINE__,
		   "locks in opposite orders: %s (in %s) then %s (in %s); elsewhere %s (in %s) then %s (in %s)",
		   names[first], site_name(here->first, a, sizeof(a)), names[second],
		   site_name(here->second, b, sizeof(b)), names[second],
		   site_name(other->first, c, sizeof(c)), names[first],
		   site_name(other->second, d, sizeof(d)));
}

static void add_edge(enum lock_class first, enum lock_class second, const struct context *here)
{
	struct context other;
	bool inversion = false;

	futex_lock(&graph.lock);
	if (add_context(&graph.edges[first][second], here) && !graph.reported[first][second] &&
	    find_inversion(&graph.edges[second][first], here, &other)) {
		inversion = true;
		graph.reported[first][second] = true;
		graph.reported[second][first] = true;
		__atomic_fetch_add(&graph.reports, 1, __ATOMIC_RELAXED);
	}
	futex_unlock(&graph.lock);
	if (inversion)
		report(first, second, here, &other);
}

static void acquire(enum lock_class class, const void *site, bool shared)
{
	u32 outer = 0;

	for (unsigned int i = 0; i < held.nr; i++) {
		struct context here = { outer & ~(1u << class), held.locks[i].shared, shared,
					held.locks[i].site, site };

		if (held.locks[i].class != class)
			add_edge(held.locks[i].class, class, &here);
		outer |= 1u << held.locks[i].class;
	}
	if (held.nr == MAX_HELD) {
		WARN_ONCE(true, "lock-order checker: more than %d locks held", MAX_HELD);
		return;
	}
	held.locks[held.nr].class = class;
	held.locks[held.nr].shared = shared;
	held.locks[held.nr].site = site;
	held.nr++;
}

void lockorder_acquire(enum lock_class class, const void *site)
{
	acquire(class, site, false);
}

void lockorder_acquire_shared(enum lock_class class, const void *site)
{
	acquire(class, site, true);
}

void lockorder_release(enum lock_class class)
{
	for (unsigned int i = held.nr; i-- > 0;) {
		if (held.locks[i].class != class)
			continue;
		for (held.nr--; i < held.nr; i++)
			held.locks[i] = held.locks[i + 1];
		return;
	}
}

void lockorder_at_fork_child(void)
{
	graph.lock = 0;
}

int mp_lockorder_reports(void)
{
	return __atomic_load_n(&graph.reports, __ATOMIC_RELAXED);
}

#else

int mp_lockorder_reports(void)
{
	return 0;
}

#endif
