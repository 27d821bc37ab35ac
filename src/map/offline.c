// SPDX-License-Identifier: MIT
/*
 * What an offline is told before anything moves: the block holds pinned units,
 * or more mapped memory than there is room for elsewhere. It would otherwise
 * try for ever. Called after all callbacks, which may have made room.
 */
#include "map/map.h"
#include "backing/backing.h"
#include "page/page.h"
#include "report/report.h"

#include <linux/memory.h>
#include <linux/mmzone.h>

static bool is_unit(const struct page *page)
{
	return page_count(page) &&
	       READ_ONCE(page->mapping) == ((unsigned long)&map_operations | PAGE_MAPPING_MOVABLE);
}

const char *map_page_state(const struct page *page)
{
	entry_t entry;

	if (!is_unit(page))
		return NULL;
	if (unit_pins(page))
		return "pinned";
	entry = table_get((void *)READ_ONCE(page->index));
	if (!entry || entry_unit(entry) != page)
		return "given up, but a fork child reads it";
	if (entry & MAP_STUCK)
		return entry & MAP_APART ? "held, or no room of its kind" :
					   "no room of its kind";
	if (entry & MAP_PRIVATE_COPY)
		return "read by a fork child";
	return READ_ONCE(map_state.no_mapping) ? "no mapping: vm.max_map_count" : NULL;
}

struct census {
	unsigned long pages, pinned;
	struct page *first_pinned;
};

static void take_census(unsigned long pfn, unsigned long end, struct census *census)
{
	unsigned long step;

	for (; pfn < end; pfn += step) {
		struct page *page = pfn_to_page(pfn);

		step = GRANULE_PAGES;
		if (!is_unit(page))
			continue;
		step = max(step, 1UL << min(READ_ONCE(page->order), (u32)HUGE_ORDER));
		census->pages += step;
		if (!unit_pins(page))
			continue;
		census->pinned += step;
		if (!census->first_pinned)
			census->first_pinned = page;
	}
}

/* Pages that can be had outside of what is isolated. */
static unsigned long room(void)
{
	unsigned long pages = 0;
	int nid, i;

	for_each_online_node(nid) {
		for (i = 0; i < MAX_NR_ZONES; i++) {
			struct zone *zone = &NODE_DATA(nid)->node_zones[i];
			long spare = __atomic_load_n(&zone->nr_free, __ATOMIC_RELAXED) -
				     (long)READ_ONCE(zone->_watermark[WMARK_MIN]);

			if (populated_zone(zone) && spare > 0)
				pages += (unsigned long)spare;
		}
	}
	return pages;
}

struct kind_room {
	bool apart;
	unsigned long pages;
};

static int add_block(struct memory_block *mem, void *arg)
{
	unsigned long pages = memory_block_size_bytes() >> PAGE_SHIFT;
	unsigned long pfn = section_nr_to_pfn(mem->start_section_nr);
	struct kind_room *kind = arg;
	struct range_usage usage;

	if (READ_ONCE(mem->state) != MEM_ONLINE || backing_is_apart(PFN_PHYS(pfn)) != kind->apart)
		return 0;
	range_usage(pfn, pfn + pages, &usage);
	kind->pages += pages - min(usage.used, pages);
	return 0;
}

/* No more than is there of the kind of memory at `pfn`: units do not change theirs. */
static unsigned long room_for(unsigned long pfn, bool *mixed)
{
	struct backing_kinds kinds = backing_kinds();
	struct kind_room kind = { .apart = backing_is_apart(PFN_PHYS(pfn)) };
	unsigned long pages = room();

	*mixed = kinds.files && kinds.apart;
	if (!*mixed)
		return pages;
	for_each_memory_block(&kind, add_block);
	return min(pages, kind.pages);
}

static int refuse_for_pins(unsigned long block, const struct census *census)
{
	char holder[SITE_NAME_SIZE];

	pin_holder(census->first_pinned, holder, sizeof(holder));
	reason_set(MP_REASON_PAGE, -EBUSY, holder,
		   "memory%lu: offline refused: %lu pages pinned, page 0x%lx by %s; mp_unpin() them and retry",
		   block, census->pinned, page_to_pfn(census->first_pinned), holder);
	reason_page(page_to_pfn(census->first_pinned), census->pinned);
	return -EBUSY;
}

static int begin_guard(unsigned long pfn, unsigned long nr_pages)
{
	int error = guard_begin(pfn, nr_pages);

	return !error ? 0 : reason_set(MP_REASON_NO_MEMORY, error, "host",
				       "memory%llu: offline refused: no memory to move its pages with (%s); free memory and retry",
				       (unsigned long long)(PFN_PHYS(pfn) / memory_block_size_bytes()),
				       strerror(-error));
}

int map_refuses_offline(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long block = PFN_PHYS(pfn) / memory_block_size_bytes(), have;
	struct census census = { 0 };
	bool mixed;

	if (!map_state.units && !map_state.huge_units)
		return 0;
	futex_begin();
	locks_ask_anew();
	take_census(pfn, pfn + nr_pages, &census);
	if (census.pinned)
		return refuse_for_pins(block, &census);
	have = room_for(pfn, &mixed);
	if (census.pages <= have)
		return census.pages ? begin_guard(pfn, nr_pages) : 0;
	reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "mapped memory",
		   "memory%lu: offline refused: %lu MiB of it are mapped, no room for them: %lu MiB free in other "
		   "blocks%s; bring memory online or free some",
		   block, census.pages >> (20 - PAGE_SHIFT), have >> (20 - PAGE_SHIFT),
		   mixed ? " of their kind" : "");
	reason_page(~0UL, census.pages);
	return -ENOMEM;
}

int map_offline_empty(int error)
{
	futex_all_moved();
	return guard_check(error);
}
