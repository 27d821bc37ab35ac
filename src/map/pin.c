// SPDX-License-Identifier: MIT
/*
 * Pins: units whose addresses somebody outside the process keeps. The count
 * and the code address of the first pinner are in the unit's `private`;
 * map_state.lock guards them.
 */
#include "map/map.h"
#include "plug/plug.h"
#include "report/report.h"

#define SITE_SHIFT 16

static const void *pin_site(const struct page *page)
{
	return (const void *)(READ_ONCE(page->private) >> SITE_SHIFT);
}

int refuse_pinned(const char *what, const struct page *page)
{
	char holder[SITE_NAME_SIZE];

	site_name(pin_site(page), holder, sizeof(holder));
	return reason_set(MP_REASON_PAGE, -EBUSY, holder,
			  "%s refused: page 0x%lx is pinned %lu times, first by %s; mp_unpin() it and retry",
			  what, page_to_pfn(page), unit_pins(page), holder);
}

const char *pin_holder(const struct page *page, char *name, size_t size)
{
	return site_name(pin_site(page), name, size);
}

static void add_pin(struct page *page, const void *site)
{
	if (!unit_pins(page)) {
		page->private = (unsigned long)site << SITE_SHIFT;
		map_state.pinned++;
	}
	page->private++;
}

static void drop_pin(struct page *page)
{
	page->private--;
	if (!unit_pins(page)) {
		page->private = 0;
		map_state.pinned--;
	}
}

/* Every unit of the range has `least` to `most` pins. Sleeps until none of them moves. */
static int check_pins(char *at, char *end, unsigned long least, unsigned long most)
{
	char *pos = at;

	while (pos < end) {
		entry_t entry = await_unit(pos);
		unsigned long pins = entry ? unit_pins(entry_unit(entry)) : 0;

		if (!entry || pins < least)
			return -EINVAL;
		if (pins > most)
			return -ENOMEM;
		pos = unit_start(pos, entry) + unit_bytes(entry);
	}
	return 0;
}

static bool anything_moves(char *at, size_t length)
{
	entry_t entry;
	char *start;

	for_each_unit(start, entry, at, length)
		if (entry & MAP_MOVING)
			return true;
	return false;
}

static int change_pins(const void *addr, size_t length, const void *site)
{
	char *at = (char *)ALIGN_DOWN((uintptr_t)addr, GRANULE), *start;
	char *end = (char *)ALIGN((uintptr_t)addr + length, GRANULE);
	entry_t entry;
	int error;

	if (!machine_booted)
		return -ENXIO;
	if (!table_covers(addr, length))
		return -EINVAL;
	length = (size_t)(end - at);
	mutex_lock(&map_state.lock);
	do
		error = check_pins(at, end, site ? 0 : 1, site ? PIN_COUNT_MASK - 1 : ~0UL);
	while (!error && anything_moves(at, length));
	if (!error) {
		for_each_unit(start, entry, at, length) {
			if (site)
				add_pin(entry_unit(entry), site);
			else
				drop_pin(entry_unit(entry));
		}
	}
	mutex_unlock(&map_state.lock);
	return error;
}

int mp_pin(const void *addr, size_t length)
{
	return change_pins(addr, length, __builtin_return_address(0));
}

int mp_unpin(const void *addr, size_t length)
{
	return change_pins(addr, length, NULL);
}
