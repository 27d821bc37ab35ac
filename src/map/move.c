// SPDX-License-Identifier: MIT
/*
 * Live migration: a unit moves to another page while threads use it. It is
 * registered and its target made resident first; then, granule by granule, a
 * window: writers are held, the granule is copied from direct map to direct
 * map, the new pages are put in its place, the writers go on. In a window
 * nothing is allocated and the program's memory is not touched: its
 * allocator's locks may be held by a thread that waits for us.
 */
#include "map/map.h"
#include "backing/backing.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"

#define TRIES 1000

struct move {
	char *at;	/* the program's address */
	char *from, *to; /* in the direct map */
	size_t bytes, step;
	bool fold;	/* `from` is the program's private copy, `to` the page under it */
	bool sparse;	/* some of it may be a hole; the target is one, or zero */
};

/* ---- copying ---- */

/* A page that is not resident is a hole, or the host has swapped it out. */
static bool is_hole(const char *from)
{
	return backing_hole((u64)(from - mp_direct_map), PAGE_SIZE) == 1;
}

static int copy_sparse(char *to, char *from, size_t bytes)
{
	unsigned char vec[HUGE_BYTES >> PAGE_SHIFT];
	int error = os_residency(from, bytes, vec);
	size_t i;

	if (error)
		return error;
	for (i = 0; i < bytes; i += PAGE_SIZE) {
		if ((vec[i >> PAGE_SHIFT] & 1) || !is_hole(from + i))
			memcpy(to + i, from + i, PAGE_SIZE);
	}
	return 0;
}

/* The program's memory, which is held: nobody writes there, but a race detector cannot know. */
__attribute__((no_sanitize("thread"))) static void copy_page(char *to, const char *from)
{
	const volatile u64 *in = (const void *)from;
	u64 *out = (void *)to;
	size_t i;

	for (i = 0; i < PAGE_SIZE / sizeof(*in); i++)
		out[i] = in[i];
}

static void copy_private(char *to, const char *from, size_t bytes)
{
	u64 entries[HUGE_BYTES >> PAGE_SHIFT];
	bool known = read_pagemap(from, entries, bytes >> PAGE_SHIFT);
	size_t i;

	for (i = 0; i < bytes >> PAGE_SHIFT; i++)
		if (!known || pagemap_is_private(entries[i]))
			copy_page(to + (i << PAGE_SHIFT), from + (i << PAGE_SHIFT));
}

static int copy(const struct move *move, size_t offset, size_t bytes)
{
	if (move->fold) {
		copy_private(move->to + offset, move->from + offset, bytes);
		return 0;
	}
	if (move->sparse)
		return copy_sparse(move->to + offset, move->from + offset, bytes);
	memcpy(move->to + offset, move->from + offset, bytes);
	return 0;
}

/* ---- the window ---- */

static int window(const struct move *move, size_t offset, size_t bytes)
{
	char *at = move->at + offset;
	u64 since = os_now_ns();
	int error = hold(at, bytes);

	if (error)
		return error;
	error = copy(move, offset, bytes);
	if (!error && !is_held(at)) {
		/* The program closed our descriptor: what was written meanwhile is in `from` alone. */
		os_uffd_unregister(mechanism.uffd, move->at, move->bytes);
		mechanism_check();
		return -EAGAIN;
	}
	if (!error)
		error = place(move->to + offset, at, bytes);
	/* Mapping anew wakes nobody. */
	if (release(at, bytes) && !error && !move->fold && memcmp(move->to + offset, move->from + offset, bytes))
		pr_err("map: the program closed our userfaultfd in the moment between check and remap: a write to %p may be lost",
		       (void *)at);
	count_window(os_now_ns() - since);
	return error;
}

static int windows(const struct move *move, size_t *done)
{
	int error = os_uffd_register(mechanism.uffd, move->at, move->bytes);

	for (*done = 0; !error && *done < move->bytes; *done += error ? 0 : move->step)
		error = window(move, *done, move->step);
	/* Closed by the program, or another file by now. */
	if (error == -EBADF || error == -ENOTTY)
		mechanism_check();
	return error;
}

/* To the end, however often it takes: half a unit is no state to be in. */
static void finish(struct move move)
{
	int error = 0, try;
	size_t moved;

	for (try = 0; move.bytes && try < TRIES; try++) {
		moved = 0;
		error = mechanism_ready() ?: windows(&move, &moved);
		move.at += moved;
		move.from += moved;
		move.to += moved;
		move.bytes -= moved;
		if (error)
			os_sleep_ns(1000000);
	}
	if (move.bytes)
		mp_fatal_at(__FILE__, __LINE__,
			    "a unit at %p moved in part and can go neither way: error %d", move.at, -error);
}

/* What has moved moves back. It worked a moment ago in the other direction. */
static void roll_back(const struct move *move, size_t done)
{
	struct move back = *move;

	back.from = move->to;
	back.to = move->from;
	back.bytes = done;
	finish(back);
	/* Still registered, perhaps held. */
	os_uffd_unregister(mechanism.uffd, move->at, move->bytes);
}

/* What is a hole stays one. */
static int prepare_target(struct move *move, struct page *dst)
{
	unsigned char vec[HUGE_BYTES >> PAGE_SHIFT];
	int error = os_residency(move->from, move->bytes, vec);
	size_t i;

	if (error)
		return error;
	for (i = 0; i < move->bytes >> PAGE_SHIFT; i++)
		move->sparse |= !(vec[i] & 1);
	return move->sparse ? unit_clear(dst, move->bytes) : os_populate(move->to, move->bytes);
}

int move_in_windows(struct page *dst, struct page *src, entry_t entry)
{
	struct move move = { .at = (char *)src->index, .from = page_address(src),
			     .to = page_address(dst), .bytes = unit_bytes(entry) };
	size_t done = 0;
	u64 granule;
	int error;

	error = backing_use_for_maps(page_to_phys(dst), &granule);
	if (error || granule > move.bytes)
		return -EBUSY;
	move.step = max_t(size_t, entry & MAP_WHOLE ? move.bytes : GRANULE, granule);
	error = mechanism_ready() ?: prepare_target(&move, dst) ?: windows(&move, &done);
	if (error)
		roll_back(&move, done);
	/* A core shows the program's addresses, not the direct map. */
	os_dodump(move.at, move.bytes);
	return error;
}

int fold_claimed(char *at)
{
	entry_t entry = table_get(at);
	struct page *page = entry_unit(entry);
	struct move move = { .at = at, .from = at, .to = page_address(page),
			     .bytes = unit_bytes(entry), .fold = true };
	u64 granule = 0;
	int error = mechanism_ready() ?: backing_use_for_maps(page_to_phys(page), &granule);

	move.step = max_t(size_t, GRANULE, granule);
	if (!error) {
		finish(move);
		os_dodump(at, move.bytes);
	}
	mutex_lock(&map_state.lock);
	if (!error) {
		table_set(at, table_get(at) & ~(entry_t)MAP_PRIVATE_COPY);
		map_state.snapshots -= move.bytes / GRANULE;
	}
	unclaim_unit(at);
	mutex_unlock(&map_state.lock);
	return error;
}

/* ---- movable_operations ---- */

/* The unit that the page is; 0: it is none any more. map_state.lock held. */
static entry_t entry_of(const struct page *page)
{
	char *at = (char *)READ_ONCE(page->index);
	entry_t entry = table_get(at);

	return entry && entry_unit(entry) == page && unit_start(at, entry) == at ? entry : 0;
}

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

static entry_t begin_move(struct page *src)
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

static void finish_move(struct page *dst, struct page *src, entry_t entry, int error)
{
	char *at = (char *)src->index;
	unsigned int flags = (unsigned int)(entry & MAP_FLAGS);
	size_t i;

	mutex_lock(&map_state.lock);
	if (!error) {
		for (i = 0; i < unit_bytes(entry); i += GRANULE)
			table_set(at + i, make_entry(page_to_pfn(dst) + (i >> PAGE_SHIFT), flags));
		dst->index = (unsigned long)at;
		dst->private = 0;
		__SetPageMovable(dst, &map_operations);
		__ClearPageMovable(src);
		map_state.moved++;
		map_state.bytes_moved += unit_bytes(entry);
	} else {
		map_state.failed++;
	}
	unclaim_unit(at);
	mutex_unlock(&map_state.lock);
	if (!error)
		futex_unit_moved(at, page_address(src), unit_bytes(entry));
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
	error = backend_of(entry)->move(dst, src, entry);
	finish_move(dst, src, entry, error);
	return error;
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
