// SPDX-License-Identifier: MIT
/*
 * Pages taken out of a range by name, and whether a range can be allocated
 * from: what the oracle's module does with the kernel's page allocator, here
 * with memplug's. The list of holds is guarded by its mutex, since callbacks
 * come here as well.
 */
#include "guest.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/mm.h>

#define GFP_PROBE         (__GFP_THISNODE | __GFP_NOWARN)
#define GFP_KERNEL_PROBE  ((GFP_KERNEL & ~__GFP_RECLAIM) | GFP_PROBE)
#define GFP_MOVABLE_PROBE ((GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM) | GFP_PROBE)
#define PROBE_TRIES       (1u << 17)
#define HOLD_TRIES        (1u << 20)

struct hold {
	struct hold *next;
	char name[24];
	bool offline_type; /* marked PageOffline: the protocol of balloon-like drivers */
	bool dropped;      /* without its reference for the time of an offline */
	unsigned int count;
	struct page **pages;
};

static struct {
	pthread_mutex_t lock;
	struct hold *first;
} holds = {.lock = PTHREAD_MUTEX_INITIALIZER};

/*
 * Takes pages of the node until `want` of them lie in the range or none is
 * left; keeps those of the range, gives the others back.
 */
static unsigned int take_range(gfp_t gfp, unsigned int order, int nid, unsigned long start,
			       unsigned long nr, unsigned int want, unsigned int tries,
			       struct page **out)
{
	struct page **other = calloc(tries, sizeof(*other)), *page;
	unsigned int got = 0, others = 0;

	while (other && got < want && tries--) {
		page = alloc_pages_node(nid, gfp, order);
		if (!page)
			break;
		if (page_to_pfn(page) >= start && page_to_pfn(page) < start + nr)
			out[got++] = page;
		else
			other[others++] = page;
	}
	while (others)
		__free_pages(other[--others], order);
	free(other);
	return got;
}

bool pages_can_be_allocated(bool movable, int nid, unsigned long start, unsigned long nr)
{
	static const unsigned int orders[] = {10, 0};
	gfp_t gfp = movable ? GFP_MOVABLE_PROBE : GFP_KERNEL_PROBE;
	struct page *page;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		if (!take_range(gfp, orders[i], nid, start, nr, 1, PROBE_TRIES, &page))
			continue;
		memset(page_address(page), 0xa5, 4096); /* it can be used, too */
		__free_pages(page, orders[i]);
		return true;
	}
	return false;
}

static struct hold **find(const char *name)
{
	struct hold **hold = &holds.first;

	while (*hold && strcmp((*hold)->name, name))
		hold = &(*hold)->next;
	return hold;
}

static void discard(struct hold *hold)
{
	if (hold)
		free(hold->pages);
	free(hold);
}

static int hold_locked(const char *name, int nid, unsigned long start, unsigned long nr,
		       unsigned int count, const char *kind)
{
	bool movable = !strcmp(kind, "movable") || !strcmp(kind, "offline-movable");
	bool offline = starts_with(kind, "offline");
	struct hold *hold;
	unsigned int i;

	if (*find(name))
		return -EEXIST;
	if (nid < 0 || nid >= MAX_NUMNODES || !node_online(nid) || !count ||
	    (!movable && strcmp(kind, "kernel") && strcmp(kind, "offline")))
		return -EINVAL;
	hold = calloc(1, sizeof(*hold));
	if (hold)
		hold->pages = calloc(count, sizeof(struct page *));
	if (!hold || !hold->pages) {
		discard(hold);
		return -ENOMEM;
	}
	strncpy(hold->name, name, sizeof(hold->name) - 1);
	hold->offline_type = offline;
	hold->count = take_range(movable ? GFP_MOVABLE_PROBE : GFP_KERNEL_PROBE, 0, nid, start, nr,
				 count, HOLD_TRIES, hold->pages);
	if (hold->count < count) {
		for (i = 0; i < hold->count; i++)
			__free_page(hold->pages[i]);
		discard(hold);
		return -ENOMEM;
	}
	for (i = 0; i < count && hold->offline_type; i++)
		__SetPageOffline(hold->pages[i]);
	hold->next = holds.first;
	holds.first = hold;
	return 0;
}

int hold_pages(const char *name, int nid, unsigned long start, unsigned long nr, unsigned int count,
	       const char *kind)
{
	int rc;

	pthread_mutex_lock(&holds.lock);
	rc = hold_locked(name, nid, start, nr, count, kind);
	pthread_mutex_unlock(&holds.lock);
	return rc;
}

static void free_pages_of(struct hold *hold)
{
	unsigned int i;

	for (i = 0; i < hold->count; i++) {
		if (hold->dropped)
			set_page_count(hold->pages[i], 1);
		if (hold->offline_type)
			__ClearPageOffline(hold->pages[i]);
		__free_page(hold->pages[i]);
	}
}

static int change_references(struct hold *hold, bool drop)
{
	unsigned int i;

	if (!hold->offline_type || hold->dropped == drop)
		return -EINVAL;
	for (i = 0; i < hold->count; i++) {
		if (drop)
			put_page_testzero(hold->pages[i]);
		else
			set_page_count(hold->pages[i], 1);
	}
	hold->dropped = drop;
	return 0;
}

int hold_apply(const char *name, enum hold_operation operation, int *rc)
{
	struct hold **place, *hold;
	unsigned int i;
	int count = -ENOENT;

	*rc = 0;
	pthread_mutex_lock(&holds.lock);
	place = find(name);
	hold = *place;
	if (hold)
		count = hold->count;
	if (hold && (operation == HOLD_UNREF || operation == HOLD_REREF)) {
		*rc = change_references(hold, operation == HOLD_UNREF);
	} else if (hold) {
		*place = hold->next;
		if (operation == HOLD_FREE)
			free_pages_of(hold);
		/* Forgotten pages went offline with their block: they are no longer ours. */
		for (i = 0; operation == HOLD_FORGET && i < hold->count; i++)
			__ClearPageOffline(hold->pages[i]);
		discard(hold);
	}
	pthread_mutex_unlock(&holds.lock);
	return count;
}
