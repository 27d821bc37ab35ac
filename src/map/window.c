// SPDX-License-Identifier: MIT
/*
 * How units in memory files move while threads use them. They are registered
 * and their target made resident first; then, piece by piece, a window:
 * writers are held, the piece is copied from direct map to direct map, the new
 * pages are put in its place, the writers go on. In a window nothing is
 * allocated and the program's memory is not touched: its allocator's locks may
 * be held by a thread that waits for us.
 */
#include "map/map.h"
#include "map/step.h"
#include "backing/backing.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"

#define TRIES 1000

struct move {
	char *at;	/* the program's address */
	char *from, *to; /* in the direct map */
	size_t bytes;
	size_t step;	/* 0: as step.c says */
	u64 longest_ns; /* window so far */
	bool huge;	/* both sides can be one huge page */
	bool fold;	/* `from` is the program's private copy, `to` the page under it */
	bool sparse;	/* some of it may be a hole; the target is one, or zero */
	u32 *sums; /* of what `to` had when it was left: it goes back there */
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
			copy_summed(to + i, from + i, PAGE_SIZE, guard_sums(from + i));
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

/* Of one kind of attributes. */
static int copy_private(char *to, const char *from, size_t bytes)
{
	u64 entries[HUGE_BYTES >> PAGE_SHIFT];
	bool known = read_pagemap(from, entries, bytes >> PAGE_SHIFT);
	attributes_t attributes;
	int error = 0;
	size_t i;

	attributes_run(from, PAGE_SIZE, &attributes);
	for (i = 0; i < bytes >> PAGE_SHIFT && !error; i++) {
		if (known && !pagemap_is_private(entries[i]))
			continue;
		if (attributes_hide(attributes))
			error = attributes_read_hidden(to + (i << PAGE_SHIFT), from + (i << PAGE_SHIFT), PAGE_SIZE);
		else
			copy_page(to + (i << PAGE_SHIFT), from + (i << PAGE_SHIFT));
	}
	return error;
}

static int copy(const struct move *move, size_t offset, size_t bytes)
{
	if (move->fold)
		return copy_private(move->to + offset, move->from + offset, bytes);
	if (move->sparse)
		return copy_sparse(move->to + offset, move->from + offset, bytes);
	if (move->sums)
		copy_back(move->to + offset, move->from + offset, bytes,
			  move->sums + offset / SUM_BYTES);
	else
		copy_summed(move->to + offset, move->from + offset, bytes,
			    guard_sums(move->from + offset));
	return 0;
}

/* ---- the window ---- */

/*
 * A piece out of a huge page takes that apart. With the last one all of it is put in place once more: the
 * program's page tables of the range begin anew, with a huge page.
 */
static int put_in_place(const struct move *move, size_t offset, size_t bytes)
{
	if (move->huge && offset + bytes == HUGE_BYTES)
		return place(move->to, move->at, HUGE_BYTES);
	return place(move->to + offset, move->at + offset, bytes);
}

static int window(struct move *move, size_t offset, size_t bytes)
{
	char *at = move->at + offset;
	u64 since = os_now_ns(), copied;
	int error = hold(at, bytes);

	if (error)
		return error;
	copied = os_now_ns();
	error = copy(move, offset, bytes);
	copied = os_now_ns() - copied;
	if (!error && !is_held(at)) {
		/* The program closed our descriptor: what was written meanwhile is in `from` alone. */
		os_uffd_unregister(mechanism.uffd, move->at, move->bytes);
		mechanism_check();
		return -EAGAIN;
	}
	if (!error)
		error = put_in_place(move, offset, bytes);
	/* Mapping anew wakes nobody. */
	if (release(at, bytes) && !error && !move->fold && memcmp(move->to + offset, move->from + offset, bytes))
		pr_err("map: the program closed our userfaultfd in the moment between check and remap: a write to %p may be lost",
		       (void *)at);
	since = os_now_ns() - since;
	count_window(since);
	move->longest_ns = max(move->longest_ns, since);
	if (!move->step)
		step_piece_took(bytes, copied);
	return error;
}

/*
 * Who is taken off its CPU in a window makes writers wait for that long. Ahead of all others, then,
 * for no more than a unit; between units the rest have their turn. The policy before; < 0: not raised.
 */
static int hurry(void)
{
	int policy = os_sched_policy();

	if (policy < 0 || os_sched_is_urgent(policy) || os_sched_urgent(policy))
		return -1;
	return policy;
}

static int windows(struct move *move, size_t *done)
{
	int error = os_uffd_register(mechanism.uffd, move->at, move->bytes), policy = hurry();
	enum step_way way = step_way(move->huge);
	attributes_t attributes;
	size_t step;

	move->longest_ns = 0;
	for (*done = 0; !error && *done < move->bytes; *done += error ? 0 : step) {
		step = move->step ?: way == STEP_WHOLE ? move->bytes : step_piece();
		/* A window ends where the program has set something else: it is one mapping. */
		step = attributes_run(move->at + *done, min(step, move->bytes - *done), &attributes);
		error = window(move, *done, step);
	}
	if (policy >= 0)
		os_sched_restore(policy);
	if (!error && move->huge)
		step_way_took(way, move->longest_ns);
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
		move.huge &= !moved;
		if (move.sums)
			move.sums += moved / SUM_BYTES;
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
	back.huge &= done == HUGE_BYTES;
	back.sums = move->fold ? NULL : guard_sums(back.to);
	finish(back);
	/* Still registered, perhaps held. */
	os_uffd_unregister(mechanism.uffd, move->at, move->bytes);
}

/* ---- before the windows ---- */

/* Its pages that are not holes come to have a target before anybody is held. */
static int populate_sparse(const struct move *move, const unsigned char *vec)
{
	size_t pages = move->bytes >> PAGE_SHIFT, i, end;
	int error = 0;

	for (i = 0; i < pages && !error; i = end) {
		for (end = i + 1; end < pages && (vec[end] & 1) == (vec[i] & 1);)
			end++;
		if (vec[i] & 1)
			error = os_populate(move->to + (i << PAGE_SHIFT), (end - i) << PAGE_SHIFT);
	}
	return error;
}

static bool aligned_huge(const char *at)
{
	return IS_ALIGNED((uintptr_t)at, HUGE_BYTES);
}

/* In a huge page, also where the host gives them only if asked for each. */
static int populate_whole(struct move *move, u64 granule)
{
	attributes_t attributes;
	unsigned char last;

	/* What the program has set for a part of it takes it apart, too. */
	move->huge = move->bytes == HUGE_BYTES && granule == PAGE_SIZE && aligned_huge(move->to) &&
		     aligned_huge(move->at) && attributes_run(move->at, HUGE_BYTES, &attributes) == HUGE_BYTES;
	if (move->huge && !os_populate(move->to, PAGE_SIZE) &&
	    !os_residency(move->to + HUGE_BYTES - PAGE_SIZE, PAGE_SIZE, &last) && !(last & 1))
		move->huge = !os_collapse(move->to, HUGE_BYTES);
	/* What is copied is mapped in the direct map, too, so that no window has to wait for that. */
	return os_populate(move->to, move->bytes) ?: os_populate_read(move->from, move->bytes);
}

/* What is a hole stays one. */
static int prepare_target(struct move *move, struct page *dst, u64 granule)
{
	unsigned char vec[HUGE_BYTES >> PAGE_SHIFT];
	int error = os_residency(move->from, move->bytes, vec);
	size_t i;

	if (error)
		return error;
	for (i = 0; i < move->bytes >> PAGE_SHIFT; i++)
		move->sparse |= !(vec[i] & 1);
	if (!move->sparse)
		return populate_whole(move, granule);
	return unit_clear(dst, move->bytes) ?: populate_sparse(move, vec);
}

int move_in_windows(struct page *dst, struct page *src, entry_t entry, size_t bytes)
{
	struct move move = { .at = (char *)src->index, .from = page_address(src),
			     .to = page_address(dst), .bytes = bytes };
	struct page_bits locked;
	bool any_locked;
	size_t done = 0;
	u64 granule;
	int error;

	error = backing_use_for_maps(page_to_phys(dst), &granule);
	if (error || granule > unit_bytes(entry))
		return -EBUSY;
	if (entry & MAP_WHOLE || granule > GRANULE)
		move.step = max_t(size_t, entry & MAP_WHOLE ? unit_bytes(entry) : GRANULE, granule);
	error = mechanism_ready() ?: prepare_target(&move, dst, granule);
	if (error)
		return error;
	/* Pages of the host's pool are never swapped. */
	any_locked = granule == PAGE_SIZE && locked_pages(move.at, bytes, &locked);
	error = windows(&move, &done);
	if (error)
		roll_back(&move, done);
	if (any_locked)
		lock_again(move.at, bytes, &locked, move.sparse);
	attributes_again(move.at, move.bytes);
	return error;
}

/* Its target is the page that it left: there is memory behind it, and perhaps news in it. */
int move_back(struct page *dst, struct page *src, u32 *sums)
{
	struct move move = { .at = (char *)src->index, .from = page_address(src),
			     .to = page_address(dst), .bytes = GRANULE, .sums = sums };
	struct page_bits locked;
	bool any_locked;
	int error = mechanism_ready();

	if (error)
		return error;
	any_locked = locked_pages(move.at, move.bytes, &locked);
	finish(move);
	attributes_again(move.at, move.bytes);
	if (any_locked)
		lock_again(move.at, move.bytes, &locked, false);
	return 0;
}

/* ---- after a fork ---- */

int fold_claimed(char *at)
{
	entry_t entry = table_get(at);
	struct page *page = entry_unit(entry);
	struct move move = { .at = at, .from = at, .to = page_address(page),
			     .bytes = unit_bytes(entry), .fold = true };
	struct page_bits locked;
	bool any_locked;
	u64 granule = 0;
	int error = mechanism_ready() ?: backing_use_for_maps(page_to_phys(page), &granule);

	move.step = granule > GRANULE ? granule : 0;
	if (!error) {
		any_locked = granule == PAGE_SIZE && locked_private_pages(at, move.bytes, &locked);
		finish(move);
		attributes_again(at, move.bytes);
		if (any_locked)
			lock_again(at, move.bytes, &locked, false);
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
