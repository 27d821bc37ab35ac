// SPDX-License-Identifier: MIT
/*
 * One unit: taken from the machine, cleared, put into the program's range,
 * split, given back. Who calls owns the unit or has it claimed.
 */
#include "map/map.h"
#include "backing/backing.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"

#define PAGES_MAX (HUGE_BYTES >> PAGE_SHIFT)

static bool all_resident(void *at, size_t bytes)
{
	unsigned char vec[PAGES_MAX];
	size_t i;

	if (os_residency(at, bytes, vec))
		return false;
	for (i = 0; i < bytes >> PAGE_SHIFT; i++)
		if (!(vec[i] & 1))
			return false;
	return true;
}

int unit_clear(struct page *page, size_t bytes)
{
	void *at = page_address(page);

	/* Punching a part of a huge page would split it. A hole may be punched: to ask for it takes the file. */
	if (all_resident(at, bytes)) {
		memset(at, 0, bytes);
		return 0;
	}
	return os_remove(at, bytes);
}

static int refuse_kind(const struct page *page, const char *what)
{
	return reason_set(MP_REASON_ARGUMENT, -EOPNOTSUPP, "backing",
			  "map refused: %s at 0x%llx; map memory of a node backed by memfd, anonymous or hugetlb",
			  what, (unsigned long long)page_to_phys(page));
}

struct page *unit_take(const struct unit_request *req, const struct map_backend **backend, int *error)
{
	struct page *page = alloc_pages_node(req->nid, req->gfp, req->order);
	size_t bytes = PAGE_SIZE << req->order;
	u64 granule;

	*error = -ENOMEM;
	if (!page)
		return NULL;
	page->owner = req->site;
	*backend = backend_of_page(page, &granule);
	if (!*backend)
		*error = refuse_kind(page, "memory of a kind that cannot move under running threads");
	else if (granule > (req->whole ? bytes : PAGE_SIZE))
		*error = refuse_kind(page, "pages of 2 MiB need MP_MAP_HUGE");
	else
		*error = (*backend)->ready() ?: (*backend)->clear(page, bytes);
	if (!*error)
		return page;
	put_page(page);
	return NULL;
}

static int place_run(char *direct, char *at, size_t bytes, attributes_t attributes)
{
	int error = attributes_protect(attributes) ? -EINVAL : os_map_again(direct, at, bytes);

	/* Not of the pool of huge pages; and near the limit of mappings it wants more of them than it takes. */
	if (error == -EINVAL || error == -ENOMEM)
		error = attributes_place(direct, at, bytes, attributes);
	if (unlikely(READ_ONCE(map_state.no_mapping) != (error == -ENOMEM)))
		WRITE_ONCE(map_state.no_mapping, error == -ENOMEM);
	return error;
}

int place(char *direct, void *at, size_t bytes)
{
	attributes_t attributes;
	size_t i, run;
	int error = 0;

	for (i = 0; i < bytes && !error; i += run) {
		run = attributes_run((char *)at + i, bytes - i, &attributes);
		error = place_run(direct + i, (char *)at + i, run, attributes);
	}
	return error;
}

void unit_publish(struct page *page, void *at)
{
	lock_page(page);
	page->index = (unsigned long)at;
	page->private = 0;
	__SetPageMovable(page, &map_operations);
	unlock_page(page);
}

void unit_free(struct page *page)
{
	guard_forget(page);
	lock_page(page);
	__ClearPageMovable(page);
	unlock_page(page);
	put_page(page);
}

static void split_entries(char *at)
{
	entry_t flags = (table_get(at) & MAP_FLAGS) & ~(entry_t)(MAP_HUGE | MAP_WHOLE);
	size_t i;

	for (i = 0; i < HUGE_BYTES; i += GRANULE)
		table_set(at + i, make_entry(entry_pfn(table_get(at + i)), (unsigned int)flags));
	map_state.huge_units--;
	map_state.units += HUGE_BYTES / GRANULE;
	if (flags & MAP_FORK)
		map_state.fork_units += HUGE_BYTES / GRANULE - 1;
}

void unit_split_locked(struct page *page)
{
	char *at = (char *)page->index;
	entry_t entry;

	mutex_lock(&map_state.lock);
	entry = table_get(at);
	if (entry && (entry & (MAP_HUGE | MAP_MOVING | MAP_WHOLE)) == MAP_HUGE && entry_unit(entry) == page &&
	    !unit_pins(page)) {
		page_split(page, GRANULE_ORDER, GRANULE);
		split_entries(at);
	}
	mutex_unlock(&map_state.lock);
}

void unit_split(char *at)
{
	struct page *page = entry_unit(table_get(at));

	/* A migration that has isolated it finds it claimed, and puts it back. */
	for (lock_page(page); PageIsolated(page); lock_page(page)) {
		unlock_page(page);
		os_sleep_ns(100000);
	}
	page_split(page, GRANULE_ORDER, GRANULE);
	mutex_lock(&map_state.lock);
	split_entries(at);
	mutex_unlock(&map_state.lock);
	unlock_page(page);
}
