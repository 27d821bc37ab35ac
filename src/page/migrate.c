// SPDX-License-Identifier: MIT
/*
 * Migration: moving isolated pages to new ones, in passes (MIGR-4..13), and
 * one round of it over a range that goes offline (OFFLINE-6). The copy is the
 * driver's; here are the page locks, the references and the choice of target.
 */
#include "page/internal.h"

#define PASSES 10
#define PASSES_WITHOUT_SLEEP 3
#define BATCH_PAGES 512

unsigned long page_migrate_success, page_migrate_fail;
struct page_mover page_mover;

static unsigned int pages_of(const struct page *page)
{
	return 1u << READ_ONCE(page->order);
}

static void clear_isolated(struct page *page)
{
	__atomic_fetch_and(&page->flags, ~BIT(PG_isolated), __ATOMIC_RELEASE);
}

static void end_isolation(struct page *src)
{
	if (!WARN_ONCE(!PageIsolated(src), "page 0x%lx migrated but was no longer isolated",
		       page_to_pfn(src)))
		clear_isolated(src);
}

/* ---- one page ---- */

/* Both locked. MIGR-4, 5. *used: dst is the owner's now. */
static int move_locked(struct page *dst, struct page *src, enum migrate_mode mode, bool *used)
{
	const struct movable_operations *ops;
	int ret;

	*used = false;
	if (!PageMovable(src)) {
		clear_isolated(src);
		return MIGRATEPAGE_SUCCESS;
	}
	ops = page_movable_ops(src);
	WRITE_ONCE(dst->owner, READ_ONCE(src->owner));
	page_migrating = (struct migrating){ .src = src, .dst = dst };
	ret = ops->migrate_page(dst, src, mode);
	page_migrating.src = NULL;
	page_migrating.dst = NULL;
	if (ret)
		return ret;
	*used = true;
	end_isolation(src);
	return 0;
}

static bool lock_source(struct page *src, enum migrate_mode mode, bool may_sleep)
{
	if (trylock_page(src))
		return true;
	if (!may_sleep || mode == MIGRATE_ASYNC)
		return false;
	lock_page(src);
	return true;
}

struct migration {
	new_page_t *get_new;
	free_page_t *put_new;
	unsigned long private;
	enum migrate_mode mode;
};

static void return_target(const struct migration *m, struct page *dst)
{
	if (m->put_new)
		m->put_new(dst, m->private);
	else
		put_page(dst);
}

/* The owner gave it up while it was isolated: only our reference is left (MIGR-9). */
static bool already_free(struct page *src)
{
	if (page_count(src) != 1)
		return false;
	lock_page(src);
	clear_isolated(src);
	unlock_page(src);
	return true;
}

/*
 * A driver moves its own reference as in Linux (get_page(dst), put_page(src))
 * or leaves that to us: page_migrating tells which of the two it did.
 */
static int move_page(const struct migration *m, struct page *src, bool may_sleep)
{
	struct page *dst;
	bool used;
	int ret;

	if (already_free(src)) {
		list_del(&src->lru);
		put_page(src);
		return 0;
	}
	dst = m->get_new(src, m->private);
	if (!dst)
		return -ENOMEM;
	if (!lock_source(src, m->mode, may_sleep)) {
		return_target(m, dst);
		return -EAGAIN;
	}
	lock_page(dst);
	ret = move_locked(dst, src, m->mode, &used);
	unlock_page(dst);
	unlock_page(src);
	if (!used)
		return_target(m, dst);
	else if (page_migrating.dst_got)
		put_page(dst);
	if (ret)
		return ret;
	list_del(&src->lru);
	if (used && !page_migrating.src_put)
		put_page(src);
	put_page(src);
	return 0;
}

/* ---- several pages of one driver ---- */

static bool can_join(const struct page *src)
{
	/* Not PageMovable(), which wants the lock: this looks before and after it is taken. */
	return page_count(src) != 1 && READ_ONCE(src->order) == page_mover.order &&
	       READ_ONCE(src->mapping) == ((unsigned long)page_mover.ops | PAGE_MAPPING_MOVABLE);
}

/* From `src` on, those of the list that page_mover takes, each locked and with a locked target. */
static unsigned int gather(const struct migration *m, struct list_head *from, struct page *src,
			   struct page_move *moves)
{
	unsigned int n;

	if (m->mode != MIGRATE_SYNC || !page_mover.ops)
		return 0;
	for (n = 0; n < PAGE_MOVES_MAX && &src->lru != from && can_join(src); n++) {
		struct page *dst = m->get_new(src, m->private);
		bool locked = dst && trylock_page(src);

		if (!locked || !can_join(src)) {
			if (locked)
				unlock_page(src);
			if (dst)
				return_target(m, dst);
			break;
		}
		lock_page(dst);
		WRITE_ONCE(dst->owner, READ_ONCE(src->owner));
		moves[n] = (struct page_move){ .src = src, .dst = dst };
		src = list_entry(src->lru.next, struct page, lru);
	}
	return n;
}

static void move_gathered(const struct migration *m, struct page_move *moves, unsigned int n)
{
	unsigned int i;

	page_mover.move(moves, n);
	for (i = 0; i < n; i++) {
		struct page *src = moves[i].src, *dst = moves[i].dst;

		if (!moves[i].ret)
			end_isolation(src);
		unlock_page(dst);
		unlock_page(src);
		if (moves[i].ret) {
			return_target(m, dst);
			continue;
		}
		list_del(&src->lru);
		put_page(src); /* its owner's */
		put_page(src);
	}
}

/* ---- a list of pages ---- */

struct tally {
	unsigned int moved_pages, failed, failed_pages, retry;
	int error;
};

static void fail(struct tally *tally, struct page *page, struct list_head *failed)
{
	tally->failed++;
	tally->failed_pages += pages_of(page);
	list_move_tail(&page->lru, failed);
}

/* False: no memory, there is no sense in going on. */
static bool count_result(struct tally *tally, struct page *page, unsigned int pages, int ret,
			 struct list_head *failed, int pass)
{
	if (!ret) {
		tally->moved_pages += pages;
	} else if (ret == -EAGAIN && pass < PASSES - 1) {
		tally->retry++;
	} else {
		fail(tally, page, failed);
		if (ret == -ENOMEM)
			tally->error = ret;
	}
	return ret != -ENOMEM;
}

static void one_pass(const struct migration *m, struct list_head *from, struct list_head *failed,
		     struct tally *tally, int pass)
{
	struct page_move moves[PAGE_MOVES_MAX];
	struct page *page, *next;
	unsigned int i, n;
	bool more = true;

	tally->retry = 0;
	for (page = list_first_entry(from, struct page, lru); more && &page->lru != from; page = next) {
		n = gather(m, from, page, moves);
		if (n) {
			next = list_entry(moves[n - 1].src->lru.next, struct page, lru);
			move_gathered(m, moves, n);
		} else {
			next = list_entry(page->lru.next, struct page, lru);
			moves[0] = (struct page_move){ .src = page };
		}
		for (i = 0; i < max(n, 1u); i++) {
			unsigned int pages = n ? 1u << page_mover.order : pages_of(page);

			if (!n)
				moves[0].ret = move_page(m, page, pass >= PASSES_WITHOUT_SLEEP);
			more &= count_result(tally, moves[i].src, pages, moves[i].ret, failed, pass);
		}
	}
}

int migrate_pages(struct list_head *from, new_page_t *get_new, free_page_t *put_new,
		  unsigned long private, enum migrate_mode mode, int reason,
		  unsigned int *succeeded)
{
	struct migration m = { get_new, put_new, private, mode };
	struct tally tally = { 0 };
	LIST_HEAD(failed);
	int pass;

	(void)reason;
	for (pass = 0; pass < PASSES && (!pass || tally.retry) && !tally.error; pass++)
		one_pass(&m, from, &failed, &tally, pass);
	while (!list_empty(&failed))
		list_move_tail(failed.next, from);
	__atomic_fetch_add(&page_migrate_success, tally.moved_pages, __ATOMIC_RELAXED);
	__atomic_fetch_add(&page_migrate_fail, tally.failed_pages, __ATOMIC_RELAXED);
	if (succeeded)
		*succeeded += tally.moved_pages;
	return tally.error ? tally.error : (int)tally.failed;
}

/* ---- targets for pages that must leave their block ---- */

#define GFP_TARGET (GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* MIGR-12, for contract=linux-6.1: anywhere but on the page's node, if there is such a place. */
static struct page *new_page_elsewhere(struct page *page, int nid)
{
	nodemask_t allowed = node_states[N_MEMORY];

	node_clear(nid, allowed);
	if (nodes_empty(allowed))
		node_set(nid, allowed);
	return alloc_pages_mask(nid, GFP_TARGET, READ_ONCE(page->order), &allowed,
				READ_ONCE(page->owner));
}

static struct page *new_page(struct page *page, unsigned long private)
{
	unsigned int order = READ_ONCE(page->order);
	int nid = page_to_nid(page);
	struct page *target;

	(void)private;
	if (page_follow_linux())
		target = new_page_elsewhere(page, nid);
	else /* The page's own node, other blocks of it, and then by distance (DESIGN D5). */
		target = alloc_pages_mask(nid, GFP_TARGET, order, NULL, READ_ONCE(page->owner));
	if (!target && order)
		__atomic_store_n(&page_target_missed, order, __ATOMIC_RELAXED);
	return target;
}

static unsigned int migrate_list(struct list_head *pages, int reason, unsigned long *failed,
				 int *error)
{
	unsigned int moved = 0;
	int ret;

	ret = migrate_pages(pages, new_page, NULL, 0, MIGRATE_SYNC, reason, &moved);
	if (ret) {
		struct list_head *at;

		list_for_each(at, pages)
			*failed += pages_of(list_entry(at, struct page, lru));
		putback_movable_pages(pages);
	}
	*error = ret < 0 ? ret : 0;
	return moved;
}

unsigned long migrate_range(unsigned long pfn, unsigned long end, int reason, unsigned long *failed,
			    int *error)
{
	unsigned long moved = 0, collected = 0, step;
	LIST_HEAD(pages);

	*failed = 0;
	*error = 0;
	for (pfn = next_used(pfn, end, &step); pfn < end && !*error;
	     pfn = next_used(pfn + step, end, &step)) {
		struct page *page = pfn_to_page(pfn);

		if (PageHWPoison(page) || !__PageMovable(page))
			continue;
		if (page_isolate(page, 0, true)) {
			*failed += step;
			continue;
		}
		list_add_tail(&page->lru, &pages);
		collected += step;
		if (collected >= BATCH_PAGES) {
			moved += migrate_list(&pages, reason, failed, error);
			collected = 0;
		}
	}
	if (!list_empty(&pages))
		moved += migrate_list(&pages, reason, failed, error);
	return moved;
}

unsigned long do_migrate_range(unsigned long pfn, unsigned long end_pfn, unsigned long *failed)
{
	unsigned long dummy;
	int error;

	return migrate_range(pfn, end_pfn, MR_MEMORY_HOTPLUG, failed ? failed : &dummy, &error);
}

bool migrate_straddling(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	unsigned long failed = 0;
	LIST_HEAD(pages);
	int error;

	if (isolate_movable_page(page, 0))
		return false;
	list_add_tail(&page->lru, &pages);
	return migrate_list(&pages, MR_CONTIG_RANGE, &failed, &error) && !failed;
}
