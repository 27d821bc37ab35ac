// SPDX-License-Identifier: MIT
/*
 * Failing pages (POISON-1..16): soft offlining moves a page's contents and
 * takes the page away; memory_failure() takes it away with its contents lost
 * and tells who used it. failure.lock serialises all of it and guards the list
 * of handlers; mem_hotplug_lock is held shared, so no block leaves meanwhile.
 */
#include "hotplug/hotplug.h"
#include "hotplug/pagemap.h"
#include "memplug/failure.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"
#include "sync/thread.h"

#include <linux/migrate.h>

#define TRIES 3 /* a page may be on its way between two owners */
/* How long memory_failure() waits until it has arrived: doubled from the first to the last, 1 s in all. */
#define ARRIVES_FIRST_NS 1000ULL
#define ARRIVES_LAST_NS 500000000ULL

struct handler {
	struct list_head node;
	mp_failure_fn fn;
	void *arg;
};

static struct {
	struct mutex lock;
	struct list_head handlers;
	bool hardware; /* a failure that was not simulated: nothing is unpoisoned any more */
} failure = { .lock = __MUTEX_INITIALIZER(failure), .handlers = LIST_HEAD_INIT(failure.handlers) };

static void reset_after_fork(void)
{
	mutex_init(&failure.lock);
}

__attribute__((constructor)) static void failure_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

static struct page *ordinary_page(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	return page && page_zonenum(page) != ZONE_DEVICE ? page : NULL;
}

static void count(long pages)
{
	__atomic_fetch_add(&page_poisoned, pages, __ATOMIC_RELAXED);
}

static void mark(struct page *page)
{
	__atomic_fetch_or(&page->flags, BIT(PG_hwpoison), __ATOMIC_RELEASE);
	count(1);
}

static void unmark(struct page *page)
{
	__atomic_fetch_and(&page->flags, ~BIT(PG_hwpoison), __ATOMIC_RELEASE);
	count(-1);
}

/* A page that nobody uses and the allocator does not have: it stays here (page_kept_poisoned()). */
static void keep(struct page *page)
{
	WRITE_ONCE(page->owner, (const void *)memory_failure);
	set_page_count(page, 1);
}

/* The first page of the allocation that holds `pfn`; NULL when it is in nobody's hands. */
static struct page *find_head(unsigned long pfn)
{
	unsigned int order;

	if (page_count(pfn_to_page(pfn)))
		return pfn_to_page(pfn);
	for (order = 1; order < MAX_ORDER; order++) {
		struct page *head = pfn_to_page(ALIGN_DOWN(pfn, 1UL << order));

		if ((READ_ONCE(head->flags) & BIT(PG_buddy_head)) && page_count(head) &&
		    READ_ONCE(head->order) >= order)
			return head;
	}
	return NULL;
}

/* ---- soft offlining ---- */

static struct page *new_page_anywhere(struct page *page, unsigned long private)
{
	(void)private;
	return alloc_pages_node(page_to_nid(page), GFP_HIGHUSER_MOVABLE | __GFP_NOWARN,
				READ_ONCE(page->order));
}

/* What is in use moves away. A single page is marked before, so that its last reference frees nothing. */
static int move_away(struct page *head)
{
	bool single = !READ_ONCE(head->order);
	LIST_HEAD(pages);
	int ret;

	if (PageReserved(head) || !__PageMovable(head))
		return -EIO;
	if (isolate_movable_page(head, 0))
		return -EBUSY;
	if (single)
		mark(head);
	list_add_tail(&head->lru, &pages);
	ret = migrate_pages(&pages, new_page_anywhere, NULL, 0, MIGRATE_SYNC, MR_MEMORY_FAILURE, NULL);
	if (ret) {
		if (single)
			unmark(head);
		putback_movable_pages(&pages);
		return ret < 0 ? ret : -EBUSY;
	}
	if (single)
		keep(head);
	return 0;
}

/* One try; *again: the page was in nobody's hands, or its contents have moved and it is to be taken. */
static int soft_offline_once(unsigned long pfn, bool *again)
{
	struct page *page = ordinary_page(pfn), *head;
	struct zone *zone;
	bool taken;
	int ret;

	*again = false;
	if (!page)
		return -EIO;
	if (PageHWPoison(page))
		return 0;
	zone = page_zone(page);
	zone_pcp_disable(zone);
	taken = buddy_take_page(pfn);
	zone_pcp_enable(zone);
	if (taken) {
		mark(page);
		keep(page);
		return 0;
	}
	head = find_head(pfn);
	ret = head ? move_away(head) : PageReserved(page) ? -EIO : -EBUSY;
	*again = !head || (!ret && !PageHWPoison(page));
	return *again && !ret ? -EBUSY : ret;
}

int soft_offline_page(unsigned long pfn, int flags)
{
	bool again = true;
	int tries, ret = 0;

	(void)flags;
	if (refuse_in_callback("soft_offline_page()", __builtin_return_address(0)))
		return -EDEADLK;
	if (!pfn_valid(pfn))
		return -ENXIO;
	mutex_lock(&failure.lock);
	get_online_mems();
	for (tries = 0; again && tries < TRIES; tries++)
		ret = soft_offline_once(pfn, &again);
	put_online_mems();
	mutex_unlock(&failure.lock);
	return ret;
}

/* ---- contents that are lost ---- */

static int tell_owners(struct page *head, unsigned long pfn, int flags)
{
	struct mp_failure told = { .pfn = pfn, .page = head, .flags = flags };
	struct handler *handler;

	list_for_each_entry(handler, &failure.handlers, node) {
		enum mp_failure_answer answer = handler->fn(&told, handler->arg);

		if (answer != MP_FAILURE_NOT_MINE)
			return answer == MP_FAILURE_HANDLED ? 0 : -EBUSY;
	}
	return -EBUSY;
}

/* Takes a free page out of the allocator, or a reference to the allocation that has it (*head). */
static bool take_or_find(unsigned long pfn, struct page **head)
{
	if (buddy_take_page(pfn))
		return true;
	*head = find_head(pfn);
	if (*head && !get_page_unless_zero(*head))
		*head = NULL;
	/* Freed between the two looks? */
	return !*head && buddy_take_page(pfn);
}

/*
 * The same, when it is neither: some thread is just getting the page or giving
 * it back, and is about to write its flags. A mark would be lost then.
 */
static bool catch_page(struct page *page, unsigned long pfn, struct page **head)
{
	bool taken = take_or_find(pfn, head);
	u64 pause;

	for (pause = ARRIVES_FIRST_NS; !taken && !*head && pause <= ARRIVES_LAST_NS; pause *= 2) {
		if (PageReserved(page) || PageOffline(page))
			break; /* nobody's for long */
		os_sleep_ns(pause);
		taken = take_or_find(pfn, head);
	}
	return taken;
}

/* POISON-8: marked whatever it is; the mark stays also when nobody can help. */
static int fail_page(struct page *page, unsigned long pfn, int flags)
{
	struct zone *zone = page_zone(page);
	struct page *head = NULL;
	bool taken;
	int ret;

	zone_pcp_disable(zone);
	taken = catch_page(page, pfn, &head);
	zone_pcp_enable(zone);
	mark(page);
	if (!(flags & MF_SW_SIMULATED))
		failure.hardware = true;
	if (taken) {
		keep(page);
		return 0;
	}
	ret = head && !PageReserved(head) ? tell_owners(head, pfn, flags) : -EBUSY;
	pr_err("memory failure: pfn 0x%lx: %s", pfn,
	       ret ? "its owner does without, or nobody knows it" : "recovered");
	if (head)
		put_page(head);
	return ret;
}

/* DEVMEM-17. The driver is asked without mem_hotplug_lock; the map cannot go meanwhile. */
static int fail_device_page(struct dev_pagemap *pgmap, unsigned long pfn, int flags)
{
	struct page *page = pfn_to_page(pfn);
	int ret = -EOPNOTSUPP;

	if (pagemap_is_metadata(pgmap, pfn))
		return -ENXIO;
	if (pgmap->ops && pgmap->ops->memory_failure)
		ret = pgmap->ops->memory_failure(pgmap, pfn, 1, flags);
	if (ret != -EOPNOTSUPP)
		return ret;
	if (PageHWPoison(page))
		return -EHWPOISON;
	mark(page);
	get_online_mems();
	ret = tell_owners(page, pfn, flags);
	put_online_mems();
	return ret;
}

int memory_failure(unsigned long pfn, int flags)
{
	struct dev_pagemap *pgmap;
	struct page *page;
	int ret;

	if (refuse_in_callback("memory_failure()", __builtin_return_address(0)))
		return -EDEADLK;
	mutex_lock(&failure.lock);
	pgmap = get_dev_pagemap(pfn, NULL);
	if (pgmap) {
		ret = fail_device_page(pgmap, pfn, flags);
		put_dev_pagemap(pgmap);
		mutex_unlock(&failure.lock);
		return ret;
	}
	get_online_mems();
	page = ordinary_page(pfn);
	ret = !page ? -ENXIO : PageHWPoison(page) ? -EHWPOISON : fail_page(page, pfn, flags);
	put_online_mems();
	mutex_unlock(&failure.lock);
	return ret;
}

void memory_failure_queue(unsigned long pfn, int flags)
{
	memory_failure(pfn, flags);
}

/* ---- and back ---- */

static int unpoison(unsigned long pfn)
{
	struct page *page = ordinary_page(pfn);

	if (!page)
		return -EIO;
	if (failure.hardware)
		return -EOPNOTSUPP;
	if (!PageHWPoison(page) || PageReserved(page) || (page_count(page) && !page_kept_poisoned(page)) ||
	    (!page_count(page) && find_head(pfn)))
		return -EBUSY;
	unmark(page);
	buddy_return_page(pfn);
	return 0;
}

int unpoison_memory(unsigned long pfn)
{
	int ret;

	if (refuse_in_callback("unpoison_memory()", __builtin_return_address(0)))
		return -EDEADLK;
	mutex_lock(&failure.lock);
	get_online_mems();
	ret = unpoison(pfn);
	put_online_mems();
	mutex_unlock(&failure.lock);
	return ret;
}

void failure_init(void)
{
	mutex_lock(&failure.lock);
	failure.hardware = false;
	mutex_unlock(&failure.lock);
}

/* ---- handlers ---- */

static struct handler *find_handler(mp_failure_fn fn, void *arg)
{
	struct handler *handler;

	list_for_each_entry(handler, &failure.handlers, node)
		if (handler->fn == fn && handler->arg == arg)
			return handler;
	return NULL;
}

int mp_failure_register(mp_failure_fn fn, void *arg)
{
	struct handler *handler;
	int ret = -EEXIST;

	if (!fn)
		return -EINVAL;
	handler = os_alloc(sizeof(*handler));
	if (!handler)
		return -ENOMEM;
	handler->fn = fn;
	handler->arg = arg;
	mutex_lock(&failure.lock);
	if (!find_handler(fn, arg)) {
		list_add_tail(&handler->node, &failure.handlers);
		handler = NULL;
		ret = 0;
	}
	mutex_unlock(&failure.lock);
	os_free(handler);
	return ret;
}

int mp_failure_unregister(mp_failure_fn fn, void *arg)
{
	struct handler *handler;

	mutex_lock(&failure.lock);
	handler = find_handler(fn, arg);
	if (handler)
		list_del(&handler->node);
	mutex_unlock(&failure.lock);
	os_free(handler);
	return handler ? 0 : -ENOENT;
}
