// SPDX-License-Identifier: MIT
/*
 * Claims: who wants to move, unmap or clear a unit marks it first, so that
 * map_state.lock need not be held meanwhile. The mark is in the unit's first
 * entry; waiters sleep on map_state.moved_sequence.
 */
#include "map/map.h"
#include "os/os.h"

struct map_state map_state = { .lock = __MUTEX_INITIALIZER(map) };

entry_t await_unit(const void *at)
{
	for (;;) {
		entry_t entry = table_get(at);
		u32 seen;

		if (!entry || !(table_get(unit_start(at, entry)) & MAP_MOVING))
			return entry;
		map_state.movers_waited++;
		seen = map_state.moved_sequence;
		mutex_unlock(&map_state.lock);
		os_futex_wait(&map_state.moved_sequence, seen, 0);
		mutex_lock(&map_state.lock);
		map_state.movers_waited--;
	}
}

void claim_unit(char *start)
{
	table_set(start, table_get(start) | MAP_MOVING);
}

void unclaim_unit(char *start)
{
	entry_t entry = table_get(start);

	if (entry)
		table_set(start, entry & ~(entry_t)MAP_MOVING);
	unit_changed();
}

void unit_changed(void)
{
	__atomic_fetch_add(&map_state.moved_sequence, 1, __ATOMIC_RELEASE);
	if (map_state.movers_waited)
		os_futex_wake(&map_state.moved_sequence, 0x7fffffff);
}

void unclaim_range(char *at, size_t length)
{
	entry_t entry;
	char *start;

	mutex_lock(&map_state.lock);
	for_each_unit(start, entry, at, length)
		unclaim_unit(start);
	mutex_unlock(&map_state.lock);
}

/* Claimed, and without the lock: a unit that reaches beyond [at, end) becomes granules. */
static void split_outside(char *start, char *at, char *end)
{
	entry_t entry;
	char *pos;

	unit_split(start);
	mutex_lock(&map_state.lock);
	for (pos = start; pos < start + HUGE_BYTES; pos += GRANULE) {
		entry = table_get(pos);
		if (entry && (pos < at || pos >= end))
			unclaim_unit(pos);
	}
	mutex_unlock(&map_state.lock);
}

static bool reaches_beyond(const char *pos, entry_t entry, const char *at, const char *end)
{
	const char *start = unit_start(pos, entry);

	return start < at || start + unit_bytes(entry) > end;
}

static int claim_units(char *at, size_t length, bool split, char **done, struct page **pinned)
{
	char *pos, *end = at + length;
	entry_t entry;

	for (pos = at; pos < end; pos = unit_start(pos, entry) + unit_bytes(entry)) {
		entry = await_unit(pos);
		*done = pos;
		if (!entry || (split && entry & MAP_WHOLE && reaches_beyond(pos, entry, at, end)))
			return -EINVAL;
		if (unit_pins(entry_unit(entry))) {
			*pinned = entry_unit(entry);
			return -EBUSY;
		}
		claim_unit(unit_start(pos, entry));
	}
	return 0;
}

int claim_range(const char *what, char *at, size_t length, bool split)
{
	char *done = at, *end = at + length, *last;
	entry_t first_entry, last_entry;
	struct page *pinned = NULL;
	int error;

	mutex_lock(&map_state.lock);
	error = claim_units(at, length, split, &done, &pinned);
	first_entry = table_get(at);
	last_entry = table_get(end - GRANULE);
	mutex_unlock(&map_state.lock);
	if (error) {
		if (done > at)
			unclaim_range(at, (size_t)(done - at));
		return pinned ? refuse_pinned(what, pinned) : error;
	}
	if (!split)
		return 0;
	if (unit_start(at, first_entry) < at)
		split_outside(unit_start(at, first_entry), at, end);
	last = unit_start(end - GRANULE, last_entry);
	/* Both ends may lie in one unit, which is split by now. */
	if (last + unit_bytes(last_entry) > end && (last >= at || unit_start(at, first_entry) != last))
		split_outside(last, at, end);
	return 0;
}
