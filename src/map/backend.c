// SPDX-License-Identifier: MIT
/*
 * The backends of mapped memory, and which one a unit has. Memory files: the
 * program's mapping is a second one of the block's file, and a unit moves in
 * windows (window.c) while writers are held (mechanism.c). No state.
 */
#include "map/map.h"
#include "backing/backing.h"

static int file_place(struct page *page, char *at, size_t bytes, unsigned int flags)
{
	(void)flags;
	return place(page_address(page), at, bytes);
}

static int file_make_private(struct page *page, char *at, size_t bytes)
{
	struct page_bits locked;
	bool any_locked;
	u64 granule;
	int error = backing_use_for_maps(page_to_phys(page), &granule);

	if (error)
		return error;
	/* Pages of the host's pool are never swapped. */
	any_locked = granule == PAGE_SIZE && locked_pages(at, bytes, &locked);
	error = attributes_make_private(page_to_phys(page), at, bytes);
	if (any_locked)
		lock_private_again(at, bytes, &locked);
	return error;
}

static const struct map_backend file_backend = {
	.name = "userfaultfd-wp",
	.ready = mechanism_ready,
	.clear = unit_clear,
	.place = file_place,
	.move = move_in_windows,
	.runs = true,
	.discard = attributes_discard,
	.make_private = file_make_private,
};

const struct map_backend *backend_of_page(const struct page *page, u64 *granule)
{
	int how = backing_use_for_maps(page_to_phys(page), granule);

	return how == BACKING_APART ? &map_anonymous_backend : how ? NULL : &file_backend;
}

const struct map_backend *backend_of(entry_t entry)
{
	return entry & MAP_APART ? &map_anonymous_backend : &file_backend;
}
