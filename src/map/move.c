// SPDX-License-Identifier: MIT
/*
 * Units as pages that the machine may move: what it asks of them when a block
 * leaves. Units of 64 KiB that lie side by side move as one piece. The moving
 * itself is their backend's; who moves a unit has it claimed.
 */
#include "map/map.h"
#include "page/page.h"

#include <linux/memory.h>

/* ---- one unit ---- */

/* The unit that the page is; 0: it is none any more. map_state.lock held. */
static entry_t entry_of(const struct page *page)
{
	char *at = (char *)READ_ONCE(page->index);
	entry_t entry = table_get(at);

	return entry && entry_unit(entry) == page && unit_start(at, entry) == at ? entry : 0;
}

entry_t begin_move(struct page *src)
{
	entry_t entry;

	mutex_lock(&map_state.lock);
	entry = entry_of(src);
	/* A child that is there, or just being made, reads the page itself. */
	if (entry & (MAP_MOVING | MAP_PRIVATE_COPY) || (entry && unit_pins(src)))
		entry = 0;
	if (entry)
		claim_unit((char *)src->index);
	mutex_unlock(&map_state.lock);
	return entry;
}

void finish_move(struct page *dst, struct page *src, entry_t entry, int error)
{
	char *at = (char *)src->index;
	unsigned int flags = (unsigned int)(entry & MAP_FLAGS & ~MAP_STUCK);
	size_t i;

	mutex_lock(&map_state.lock);
	if (!error) {
		for (i = 0; i < unit_bytes(entry); i += GRANULE)
			table_set(at + i, make_entry(page_to_pfn(dst) + (i >> PAGE_SHIFT), flags));
		dst->index = (unsigned long)at;
		dst->private = 0;
		__SetPageMovable(dst, &map_operations);
		__ClearPageMovable(src);
		guard_moved(src, dst, unit_bytes(entry));
		map_state.moved++;
		map_state.bytes_moved += unit_bytes(entry);
	} else {
		map_state.failed++;
		if (error == -EBUSY)
			table_set(at, table_get(at) | MAP_STUCK);
	}
	unclaim_unit(at);
	mutex_unlock(&map_state.lock);
}

static int map_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	entry_t entry;
	int error;

	if (mode == MIGRATE_SYNC_NO_COPY)
		return -EINVAL;
	entry = begin_move(src);
	if (!entry)
		return -EAGAIN;
	error = backend_of(entry)->move(dst, src, entry, unit_bytes(entry));
	finish_move(dst, src, entry, error);
	/* Anonymous memory's futexes are known by address. */
	if (!error && !(entry & MAP_APART))
		futex_unit_moved((char *)dst->index, page_address(src), unit_bytes(entry));
	return error;
}

/* ---- units of 64 KiB, many at once ---- */

/* All three places of the second follow those of the first. */
static bool adjoin(const struct page_move *first, const struct page_move *second)
{
	return first->src->index + GRANULE == second->src->index &&
	       page_to_pfn(first->src) + GRANULE_PAGES == page_to_pfn(second->src) &&
	       page_to_pfn(first->dst) + GRANULE_PAGES == page_to_pfn(second->dst);
}

static bool one_block(const struct page_move *first, const struct page_move *second)
{
	unsigned long pages = memory_block_size_bytes() >> PAGE_SHIFT;

	return page_to_pfn(first->src) / pages == page_to_pfn(second->src) / pages &&
	       page_to_pfn(first->dst) / pages == page_to_pfn(second->dst) / pages;
}

static unsigned int run_of(const struct page_move *moves, const entry_t *entries, unsigned int count)
{
	unsigned int n = 1;

	if (!entries[0] || !backend_of(entries[0])->runs)
		return 1;
	while (n < count && entries[n] && (entries[n] & MAP_FLAGS) == (entries[0] & MAP_FLAGS) &&
	       adjoin(&moves[n - 1], &moves[n]) && one_block(&moves[0], &moves[n]))
		n++;
	return n;
}

static int move_run(struct page_move *moves, const entry_t *entries, unsigned int n)
{
	char *at = (char *)moves->src->index;
	unsigned int i;
	int error;

	if (!entries[0])
		return -EAGAIN;
	error = backend_of(entries[0])->move(moves->dst, moves->src, entries[0], n * GRANULE);
	for (i = 0; i < n; i++)
		finish_move(moves[i].dst, moves[i].src, entries[i], error);
	if (!error && !(entries[0] & MAP_APART))
		futex_unit_moved(at, page_address(moves->src), n * GRANULE);
	return error;
}

static void move_many(struct page_move *moves, unsigned int count)
{
	entry_t entries[PAGE_MOVES_MAX];
	unsigned int i, j, n;

	for (i = 0; i < count; i++)
		entries[i] = begin_move(moves[i].src);
	for (i = 0; i < count; i += n) {
		int error;

		n = run_of(&moves[i], &entries[i], count - i);
		error = move_run(&moves[i], &entries[i], n);
		for (j = i; j < i + n; j++)
			moves[j].ret = error;
	}
}

void move_prepare(void)
{
	page_mover = (struct page_mover){ &map_operations, GRANULE_ORDER, move_many };
}

/* ---- movable_operations ---- */

static bool map_isolate(struct page *page, isolate_mode_t mode)
{
	unsigned int missed = __atomic_load_n(&page_target_missed, __ATOMIC_RELAXED);
	bool may;

	(void)mode;
	/* Elsewhere are only small pieces left: so it becomes small pieces. */
	if (missed && READ_ONCE(page->order) == HUGE_ORDER &&
	    __atomic_exchange_n(&page_target_missed, 0, __ATOMIC_RELAXED))
		unit_split_locked(page);
	mutex_lock(&map_state.lock);
	may = entry_of(page) && !unit_pins(page);
	mutex_unlock(&map_state.lock);
	return may;
}

static void map_putback(struct page *page)
{
	(void)page;
}

const struct movable_operations map_operations = {
	.isolate_page = map_isolate,
	.migrate_page = map_migrate,
	.putback_page = map_putback,
};
