/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker. An edge a -> b says that b was taken with a held;
 * it keeps the sets of locks that were held outside of a at those times. Two
 * threads on a -> b and b -> a can hang each other only if no lock is in both
 * outer sets. Of two sets where one contains the other, the smaller says all.
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

/* Returns the new context, or NULL when the edge says as much already. */
static const struct context *add_context(struct edge *edge, u32 outer, const void *first,
					 const void *second)
{
	struct context *context;
	unsigned int i, kept = 0;

	for (i = 0; i < edge->nr_contexts; i++)
		if ((edge->contexts[i].outer & outer) == edge->contexts[i].outer)
			return NULL;
	for (i = 0; i < edge->nr_contexts; i++)
		if ((edge->contexts[i].outer & outer) != outer)
			edge->contexts[kept++] = edge->contexts[i];
	edge->nr_contexts = kept;
	if (kept == MAX_CONTEXTS)
		return NULL;
	context = &edge->contexts[edge->nr_contexts++];
	*context = (struct context){ outer, first, second };
	return context;
}

/* A context of the opposite edge that shares no outer lock. Copied: it is told without the lock. */
static bool find_inversion(enum lock_class first, enum lock_class second, u32 outer,
			   struct context *other)
{
	const struct edge *opposite = &graph.edges[second][first];

	for (unsigned int i = 0; i < opposite->nr_contexts; i++) {
		if (opposite->contexts[i].outer & outer)
			continue;
		*other = opposite->contexts[i];
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

static void add_edge(enum lock_class first, enum lock_class second, u32 outer, const void *first_site,
		     const void *second_site)
{
	struct context here = { outer, first_site, second_site }, other;
	bool inversion = false;

	futex_lock(&graph.lock);
	if (add_context(&graph.edges[first][second], outer, first_site, second_site) &&
	    !graph.reported[first][second] && find_inversion(first, second, outer, &other)) {
		inversion = true;
		graph.reported[first][second] = true;
		graph.reported[second][first] = true;
		__atomic_fetch_add(&graph.reports, 1, __ATOMIC_RELAXED);
	}
	futex_unlock(&graph.lock);
	if (inversion)
		report(first, second, &here, &other);
}

static void hold(enum lock_class class, const void *site)
{
	if (held.nr == MAX_HELD) {
		WARN_ONCE(true, "lock-order checker: more than %d locks held", MAX_HELD);
		return;
	}
	held.locks[held.nr].class = class;
	held.locks[held.nr].site = site;
	held.nr++;
}

void lockorder_acquire(enum lock_class class, const void *site)
{
	u32 outer = 0;

	for (unsigned int i = 0; i < held.nr; i++) {
		if (held.locks[i].class != class)
			add_edge(held.locks[i].class, class, outer & ~(1u << class),
				 held.locks[i].site, site);
		outer |= 1u << held.locks[i].class;
	}
	hold(class, site);
}

void lockorder_acquire_shared(enum lock_class class, const void *site)
{
	hold(class, site);
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
