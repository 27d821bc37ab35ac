// SPDX-License-Identifier: MIT
/*
 * Ranges: mapping, unmapping, resizing, discarding. A range is no object of its
 * own, only its granules' entries in the table. Who calls owns the range; what
 * may run beside it is the migration of its units, held off by claims.
 */
#include "map/map.h"
#include "map/range.h"
#include "os/os.h"
#include "plug/plug.h"
#include "report/report.h"

#define MAP_KNOWN_FLAGS (MP_MAP_POPULATE | MP_MAP_FIXED | MP_MAP_THISNODE | MP_MAP_HUGE | MP_MAP_FORK)
/* Mappings of the host that are left to the rest of the program. */
#define MAPPINGS_SPARED 1024u

/* ---- addresses ---- */

static void drop(void *at, size_t length)
{
	if (length)
		os_unmap(at, length);
}

/* Address space without access, aligned so that `phase` (of 2 MiB) is kept. */
int find_room(size_t length, uintptr_t phase, char **at)
{
	size_t align = length >= HUGE_BYTES ? HUGE_BYTES : GRANULE, room = length + align;
	void *start;
	char *first;
	int error = os_reserve(room, &start);

	if (error)
		return error;
	first = (char *)ALIGN((uintptr_t)start, align) + phase % align;
	if (first - align >= (char *)start)
		first -= align;
	drop(start, (size_t)(first - (char *)start));
	drop(first + length, (size_t)((char *)start + room - first - length));
	*at = first;
	return 0;
}

static bool any_mapped(char *at, size_t length)
{
	bool any;

	mutex_lock(&map_state.lock);
	any = table_next(at, at + length);
	mutex_unlock(&map_state.lock);
	return any;
}

/* ---- units of a range ---- */

static gfp_t gfp_of(const struct map_request *req)
{
	return GFP_HIGHUSER_MOVABLE | __GFP_NOWARN |
	       (req->flags & MP_MAP_THISNODE ? __GFP_THISNODE : 0);
}

static unsigned int flags_of_unit(const struct map_request *req, unsigned int order)
{
	return (order == HUGE_ORDER ? MAP_HUGE : 0) | (req->flags & MP_MAP_HUGE ? MAP_WHOLE : 0) |
	       (req->flags & MP_MAP_FORK ? MAP_FORK : 0);
}

static void publish(struct page *page, char *at, size_t bytes, unsigned int flags)
{
	size_t i;

	mutex_lock(&map_state.lock);
	for (i = 0; i < bytes; i += GRANULE)
		table_set(at + i, make_entry(page_to_pfn(page) + (i >> PAGE_SHIFT), flags));
	if (bytes == HUGE_BYTES)
		map_state.huge_units++;
	else
		map_state.units++;
	map_state.fork_units += !!(flags & MAP_FORK);
	page->private = 0;
	fork_new_unit(at);
	mutex_unlock(&map_state.lock);
	unit_publish(page, at);
}

static int map_unit(const struct map_request *req, unsigned int order, char *at)
{
	struct unit_request unit = { .nid = req->nid, .gfp = gfp_of(req), .order = order,
				     .whole = req->flags & MP_MAP_HUGE, .site = req->site };
	unsigned int flags = flags_of_unit(req, order);
	const struct map_backend *backend;
	struct page *page;
	int error;

	/* Small pieces will do as well: nobody need give up what he keeps for himself. */
	if (order == HUGE_ORDER && !unit.whole)
		unit.gfp &= ~__GFP_RECLAIM;
	page = unit_take(&unit, &backend, &error);
	if (!page)
		return error;
	flags |= backend->entry_flag;
	error = backend->place(page, at, PAGE_SIZE << order, flags);
	if (error) {
		put_page(page);
		return error == -ENOMEM ? -ENOSPC : error; /* not for want of memory */
	}
	publish(page, at, PAGE_SIZE << order, flags);
	return 0;
}

static bool budget_is_spent(void)
{
	return READ_ONCE(map_state.mappings) + MAPPINGS_SPARED >= map_state.mappings_limit;
}

static int refuse_mappings(void)
{
	return reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "vm.max_map_count",
			  "map refused: %llu of %llu mappings are taken; map larger pieces, MP_MAP_HUGE, or "
			  "raise vm.max_map_count",
			  (unsigned long long)READ_ONCE(map_state.mappings),
			  (unsigned long long)map_state.mappings_limit);
}

static int refuse_one_more(void)
{
	return reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "vm.max_map_count",
			  "map refused: the host gives this process no more mappings, of which %llu are the "
			  "machine's; raise vm.max_map_count",
			  (unsigned long long)READ_ONCE(map_state.mappings));
}

static int refuse_full(const struct map_request *req)
{
	return reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "machine",
			  "map refused: no room for %zu KiB on node %d%s, %lu MiB free; bring memory online",
			  req->length >> 10, req->nid, req->flags & MP_MAP_THISNODE ? " only" : "",
			  nr_free_pages() >> (20 - PAGE_SHIFT));
}

static int map_units(const struct map_request *req, size_t *done)
{
	int error = 0;

	for (*done = 0; *done < req->length;) {
		char *at = req->at + *done;
		bool huge = IS_ALIGNED((uintptr_t)at, HUGE_BYTES) && req->length - *done >= HUGE_BYTES;

		if (budget_is_spent())
			return refuse_mappings();
		error = huge ? map_unit(req, HUGE_ORDER, at) : -ENOMEM;
		if (error && !(req->flags & MP_MAP_HUGE)) {
			huge = false;
			error = map_unit(req, GRANULE_ORDER, at);
		}
		if (error)
			break;
		*done += huge ? HUGE_BYTES : GRANULE;
	}
	return error == -ENOMEM ? refuse_full(req) : error == -ENOSPC ? refuse_one_more() : error;
}

/* Claimed: all of it leaves the table and goes back to the machine. */
static void free_units(char *at, size_t length)
{
	char *pos, *end = at + length;

	for (pos = at; pos < end;) {
		struct page *page;
		entry_t entry;
		size_t i;

		mutex_lock(&map_state.lock);
		entry = table_get(pos);
		for (i = 0; i < unit_bytes(entry); i += GRANULE)
			table_set(pos + i, 0);
		attributes_forget(pos, unit_bytes(entry));
		if (entry & MAP_HUGE)
			map_state.huge_units--;
		else
			map_state.units--;
		map_state.fork_units -= !!(entry & MAP_FORK);
		unit_changed();
		page = entry_unit(entry);
		if (entry & MAP_PRIVATE_COPY) {
			map_state.snapshots -= unit_bytes(entry) / GRANULE;
			if (snapshots_read()) {
				quarantine_page(page);
				page = NULL;
			}
		}
		mutex_unlock(&map_state.lock);
		if (page)
			unit_free(page);
		pos += unit_bytes(entry);
	}
}

/* The addresses stay taken until nothing of the table leads to them: another thread's range may come to lie there. */
static int unmap_claimed(char *at, size_t length, bool keep_reserved)
{
	int error = os_map_nothing(at, length);

	if (error) {
		unclaim_range(at, length);
		return reason_set(MP_REASON_SYSTEM, error, "munmap",
				  "unmap refused by the host (%s); raise vm.max_map_count", strerror(-error));
	}
	free_units(at, length);
	if (!keep_reserved && os_unmap(at, length))
		pr_warn("map: %zu KiB of addresses at %p stay reserved; raise vm.max_map_count", length >> 10,
			(void *)at);
	return 0;
}

int map_range(const struct map_request *req)
{
	size_t done = 0;
	int error = map_units(req, &done);

	if (!error) {
		/* The direct map is not in a core; the program's range is. */
		os_dodump(req->at, req->length);
		if (req->flags & MP_MAP_POPULATE)
			error = os_populate(req->at, req->length);
		if (!error)
			return 0;
		error = reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "host",
				   "map refused: the host cannot populate %zu KiB (%s); free memory there",
				   req->length >> 10, strerror(-error));
	}
	if (done && !claim_range("map", req->at, done, false))
		unmap_claimed(req->at, done, true);
	return error;
}

/* ---- the calls ---- */

static int check_request(const struct map_request *req, bool fixed)
{
	size_t align = req->flags & MP_MAP_HUGE ? HUGE_BYTES : GRANULE;

	if (!req->length || (req->flags & ~(unsigned int)MAP_KNOWN_FLAGS) || req->nid < NUMA_NO_NODE ||
	    req->nid >= nr_node_ids)
		return -EINVAL;
	if (req->flags & MP_MAP_HUGE && !IS_ALIGNED(req->length, HUGE_BYTES))
		return -EINVAL;
	if (fixed && (!IS_ALIGNED((uintptr_t)req->at, align) || !table_covers(req->at, req->length)))
		return -EINVAL;
	return 0;
}

static int map_fixed(const struct map_request *req)
{
	if (any_mapped(req->at, req->length))
		return -EEXIST;
	return table_reserve(req->at, req->length) ?: map_range(req);
}

static int map_anywhere(struct map_request *req)
{
	int error = find_room(req->length, 0, &req->at);

	if (error)
		return error;
	error = table_reserve(req->at, req->length) ?: map_range(req);
	if (error)
		drop(req->at, req->length);
	return error;
}

int mp_map(void **addr, size_t length, int nid, unsigned int flags)
{
	struct map_request req = { .length = ALIGN(length, GRANULE), .nid = nid, .flags = flags,
			       .site = __builtin_return_address(0) };
	bool fixed = flags & MP_MAP_FIXED;
	struct reason_outer outer;
	int error;

	if (!machine_booted)
		return -ENXIO;
	if (!addr || req.length < length)
		return -EINVAL;
	req.at = *addr;
	reason_begin_apart("map", &outer);
	error = mp_map_prepare() ?: check_request(&req, fixed) ?:
		fixed ? map_fixed(&req) : map_anywhere(&req);
	reason_end_apart(&outer);
	if (!error)
		*addr = req.at;
	return error;
}

int check_range(const void *addr, size_t length)
{
	if (!machine_booted)
		return -ENXIO;
	return table_covers(addr, length) && IS_ALIGNED((uintptr_t)addr | length, GRANULE) ? 0 : -EINVAL;
}

int unmap_range(char *at, size_t length)
{
	return check_range(at, length) ?: claim_range("unmap", at, length, true) ?:
	       unmap_claimed(at, length, false);
}

int mp_unmap_reserve(void *addr, size_t length)
{
	int error;

	reason_begin("unmap", -1);
	error = check_range(addr, length) ?: claim_range("unmap", addr, length, true) ?:
		unmap_claimed(addr, length, true);
	reason_end();
	return error;
}

int mp_unmap(void *addr, size_t length)
{
	struct reason_outer outer;
	int error;

	reason_begin_apart("unmap", &outer);
	error = unmap_range(addr, length);
	reason_end_apart(&outer);
	return error;
}

static int discard_claimed(char *at, size_t length)
{
	char *pos, *end = at + length, *to;
	int error = 0;

	for (pos = at; pos < end && !error; pos = to) {
		entry_t entry = table_get(unit_start(pos, table_get(pos)));

		to = min(end, unit_start(pos, entry) + unit_bytes(entry));
		error = backend_of(entry)->discard(pos, (size_t)(to - pos), entry);
	}
	return error;
}

int mp_map_discard(void *addr, size_t length)
{
	int error = check_range(addr, length);
	struct reason_outer outer;

	if (error)
		return error;
	reason_begin_apart("discard", &outer);
	error = claim_range("discard", addr, length, false);
	if (!error) {
		error = discard_claimed(addr, length);
		unclaim_range(addr, length);
	}
	reason_end_apart(&outer);
	return error;
}
