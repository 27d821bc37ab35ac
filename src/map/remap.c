// SPDX-License-Identifier: MIT
/*
 * Resizing ranges, in place or by moving to other addresses: the pages stay,
 * only the program's addresses of them change.
 */
#include "map/map.h"
#include "map/range.h"
#include "os/os.h"
#include "plug/plug.h"
#include "report/report.h"

static unsigned int flags_of(entry_t entry)
{
	return MP_MAP_FIXED | (entry & MAP_FORK ? MP_MAP_FORK : 0) |
	       (entry & MAP_WHOLE ? MP_MAP_HUGE : 0);
}

/* Room behind the range is free: it grows into it. */
static int grow_in_place(const struct map_request *like, char *at, size_t old, size_t length)
{
	struct map_request req = *like;
	int error;

	req.at = at + old;
	req.length = length - old;
	error = os_reserve_at(req.at, req.length);
	if (error)
		return error;
	error = table_reserve(req.at, req.length) ?: map_range(&req);
	if (error)
		os_unmap(req.at, req.length);
	return error;
}

static void readdress_entries(struct page *page, char *from, char *to, size_t bytes)
{
	size_t i;

	mutex_lock(&map_state.lock);
	for (i = 0; i < bytes; i += GRANULE) {
		entry_t part = table_get(from + i);

		table_set(from + i, 0);
		table_set(to + i, part);
	}
	attributes_readdress(from, to, bytes);
	WRITE_ONCE(page->index, (unsigned long)to);
	mutex_unlock(&map_state.lock);
}

/*
 * Claimed. The unit's mapping moves to `to`; from now on that is its pages' address. `from` stays taken, so that
 * no other thread maps there while the table says that it is ours, or before all is back after a failure.
 */
static int readdress_unit(char *from, char *to)
{
	entry_t entry = table_get(from);
	struct page *page = entry_unit(entry);
	size_t bytes = unit_bytes(entry);
	int error = os_move_mapping(from, to, bytes);

	/* A second mapping of the pages will do, too. */
	if (error == -EINVAL && !(entry & MAP_PRIVATE_COPY))
		error = backend_of(entry)->place(page, to, bytes, (unsigned int)(entry & MAP_FLAGS));
	if (!error)
		readdress_entries(page, from, to, bytes);
	return error;
}

/* As far as it gets; *done bytes have the new address. All claimed, by either address. */
static int readdress(char *from, char *to, size_t length, size_t *done)
{
	int error = 0;

	for (*done = 0; *done < length;) {
		size_t bytes = unit_bytes(table_get(from + *done));

		error = readdress_unit(from + *done, to + *done);
		if (error)
			break;
		*done += bytes;
	}
	return error;
}

static int refuse_move(int error)
{
	return reason_set(MP_REASON_SYSTEM, error, "mremap",
			  "remap refused by the host (%s); raise vm.max_map_count", strerror(-error));
}

static int move_range(const struct map_request *like, char **addr, size_t old, size_t length)
{
	struct map_request req = *like;
	size_t done = 0, undone;
	char *from = *addr, *to;
	int error = find_room(length, (uintptr_t)from, &to);

	if (error)
		return error;
	req.at = to + old;
	req.length = length - old;
	error = table_reserve(to, length) ?: map_range(&req);
	if (error)
		goto free_room;
	error = claim_range("remap", from, old, true);
	if (error)
		goto unmap_new;
	error = readdress(from, to, old, &done);
	if (error) {
		/* Back to where their mappings were a moment ago. */
		readdress(to, from, done, &undone);
		unclaim_range(from, old);
		error = refuse_move(error);
		goto unmap_new;
	}
	unclaim_range(to, old);
	os_unmap(from, old);
	*addr = to;
	return 0;
unmap_new:
	unmap_range(req.at, req.length);
free_room:
	os_unmap(to, length);
	return error;
}

static int resize(char **addr, size_t old, size_t length, unsigned int flags, const void *site)
{
	struct map_request like = { .site = site };
	entry_t last;
	int error;

	if (flags & ~(unsigned int)MP_REMAP_MAYMOVE || !length)
		return -EINVAL;
	error = check_range(*addr, old) ?: check_range(*addr, length);
	if (error)
		return error;
	if (length <= old)
		return length == old ? 0 : unmap_range(*addr + length, old - length);
	/* All of it is there and not pinned. */
	error = claim_range("remap", *addr, old, true);
	if (error)
		return error;
	last = table_get(*addr + old - GRANULE);
	like.flags = flags_of(last);
	like.nid = page_to_nid(entry_unit(last));
	unclaim_range(*addr, old);
	if (like.flags & MP_MAP_HUGE && !IS_ALIGNED(length, HUGE_BYTES))
		return -EINVAL;
	error = grow_in_place(&like, *addr, old, length);
	if (error == -EEXIST && flags & MP_REMAP_MAYMOVE)
		return move_range(&like, addr, old, length);
	return error == -EEXIST ? reason_set(MP_REASON_CONFLICT, -ENOMEM, "address space",
					     "remap refused: no room behind %p; pass MP_REMAP_MAYMOVE",
					     (void *)(*addr + old)) : error;
}

int mp_remap(void **addr, size_t old_length, size_t new_length, unsigned int flags)
{
	struct reason_outer outer;
	char *at;
	int error;

	if (!addr)
		return -EINVAL;
	at = *addr;
	reason_begin_apart("remap", &outer);
	error = resize(&at, old_length, ALIGN(new_length, GRANULE), flags,
		       __builtin_return_address(0));
	reason_end_apart(&outer);
	if (!error)
		*addr = at;
	return error;
}
