// SPDX-License-Identifier: MIT
/*
 * Spans and counts of zones and nodes, and which pages belong to which zone
 * (ZONE-1..9). Written under mem_hotplug_lock (write) or during boot. The
 * zone's list of parts, which is kept with zone->lock, tells where its online
 * sections begin and end, so that shrinking skips holes at once.
 */
#include "page/internal.h"
#include "os/os.h"

/* ---- spans ---- */

void zone_span_grow(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	pg_data_t *pgdat = zone->zone_pgdat;
	unsigned long end = pfn + nr_pages, zone_end = zone_end_pfn(zone);
	unsigned long node_end = pgdat->node_start_pfn + pgdat->node_spanned_pages;

	if (zone_is_empty(zone) || pfn < zone->zone_start_pfn)
		WRITE_ONCE(zone->zone_start_pfn, pfn);
	WRITE_ONCE(zone->spanned_pages, max(end, zone_end) - zone->zone_start_pfn);
	if (!pgdat->node_spanned_pages || pfn < pgdat->node_start_pfn)
		WRITE_ONCE(pgdat->node_start_pfn, pfn);
	WRITE_ONCE(pgdat->node_spanned_pages, max(end, node_end) - pgdat->node_start_pfn);
}

/* NODE-11: the smallest interval over all zones that are not empty. */
static void node_span_update(pg_data_t *pgdat)
{
	unsigned long start = ~0UL, end = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++) {
		struct zone *zone = &pgdat->node_zones[i];

		if (zone_is_empty(zone))
			continue;
		start = min(start, zone->zone_start_pfn);
		end = max(end, zone_end_pfn(zone));
	}
	WRITE_ONCE(pgdat->node_start_pfn, end ? start : 0);
	WRITE_ONCE(pgdat->node_spanned_pages, end ? end - start : 0);
}

static unsigned long first_online_pfn(struct zone *zone)
{
	struct zone_part *part = &page_layer.parts[zone->first_part];
	unsigned long pb = part_first(part);

	while (!pageblock_in(part, pb))
		pb++;
	return pb << pageblock_order;
}

static unsigned long last_online_pfn(struct zone *zone)
{
	struct zone_part *part = &page_layer.parts[zone->last_part];
	unsigned long pb = part_end(part) - 1;

	while (!pageblock_in(part, pb))
		pb--;
	return ((pb + 1) << pageblock_order) - 1;
}

/* ZONE-3. The range is no longer among the zone's parts, so what they begin or end with is left. */
static void zone_span_shrink(struct zone *zone, unsigned long pfn, unsigned long end)
{
	unsigned long zone_end = zone_end_pfn(zone);

	if (pfn != zone->zone_start_pfn && end != zone_end)
		return;
	mutex_lock(&zone->lock);
	if (!zone->first_part) {
		WRITE_ONCE(zone->zone_start_pfn, 0);
		WRITE_ONCE(zone->spanned_pages, 0);
	} else if (pfn == zone->zone_start_pfn) {
		WRITE_ONCE(zone->zone_start_pfn, first_online_pfn(zone));
		WRITE_ONCE(zone->spanned_pages, zone_end - zone->zone_start_pfn);
	} else {
		WRITE_ONCE(zone->spanned_pages, last_online_pfn(zone) + 1 - zone->zone_start_pfn);
	}
	mutex_unlock(&zone->lock);
}

/* ---- pages enter and leave a zone ---- */

static int split_index(struct section_split *split, struct zone *zone, bool *added)
{
	unsigned int i;

	*added = false;
	for (i = 0; i < split->nr; i++)
		if (split->at[i].zone == zone)
			return (int)i;
	if (split->nr == SPLIT_ZONES)
		return -ENOMEM;
	split->at[i].zone = zone;
	*added = true;
	return (int)split->nr++;
}

struct section_split *split_new(void)
{
	struct section_split *split = os_alloc(sizeof(*split));

	if (!split)
		return NULL;
	split->next = page_layer.splits;
	split->link = &page_layer.splits;
	if (split->next)
		split->next->link = &split->next;
	page_layer.splits = split;
	return split;
}

void split_free(struct section_split *split)
{
	if (!split)
		return;
	*split->link = split->next;
	if (split->next)
		split->next->link = split->link;
	os_free(split);
}

/* The section's pageblocks of [pfn, end) belong to `zone`, the others to whom they did. */
static int section_split_add(struct mem_section *section, struct zone *zone, unsigned long pfn,
			     unsigned long end)
{
	u32 nr = (u32)(section - page_layer.sections);
	struct section_split *split = section->split;
	bool added, needs_part;
	unsigned long pb;
	int i;

	if (!split) {
		split = split_new();
		if (!split)
			return -ENOMEM;
		memset(split->of_pageblock, section->zone ? 0 : SPLIT_NONE,
		       sizeof(split->of_pageblock));
		if (section->zone) {
			split->at[0].zone = section->zone;
			split->at[0].part = nr + 1;
			split->nr = 1;
		}
	}
	i = split_index(split, zone, &added);
	/* Nothing of a device is ever searched: part 0, nobody's. */
	needs_part = added && zone_idx(zone) != ZONE_DEVICE;
	if (i < 0 || (needs_part && page_layer.extra_parts == EXTRA_PARTS)) {
		if (!section->split)
			split_free(split);
		return -ENOMEM;
	}
	if (needs_part) {
		u32 id = split->nr == 1 ? nr + 1 :
			 (u32)page_layer.nr_sections + 1 + page_layer.extra_parts++;

		split->at[i].part = id;
		WRITE_ONCE(page_layer.parts[id].section, nr);
	}
	for (pb = pfn >> pageblock_order; pb < DIV_ROUND_UP(end, pageblock_nr_pages); pb++)
		split->of_pageblock[pb & (section_pageblocks() - 1)] = (u8)i;
	/* Ordinary pages of the section may be looked up meanwhile: by the one or by the other. */
	__atomic_store_n(&section->split, split, __ATOMIC_RELEASE);
	__atomic_store_n(&section->zone, NULL, __ATOMIC_RELEASE);
	return 0;
}

int section_join(struct mem_section *section, struct zone *zone, unsigned long pfn,
		 unsigned long end, bool whole)
{
	u32 nr = (u32)(section - page_layer.sections);

	WRITE_ONCE(page_layer.parts[nr + 1].section, nr);
	if (section->zone == zone)
		return 0;
	if (!section->zone && !section->split && whole) {
		WRITE_ONCE(section->zone, zone);
		return 0;
	}
	return section_split_add(section, zone, pfn, end);
}

/* What the last life of this pageblock left behind, if it had one. */
static void clear_pageblock(unsigned long pb)
{
	if (pb_load(pb) >> PB_ZONE_SHIFT) {
		memset(pfn_to_page(pb << pageblock_order), 0, PB_PAGES * sizeof(struct page));
		memset(page_layer.bits[pb], 0, sizeof(page_layer.bits[pb]));
	}
	if (pb_type(pb_load(pb)) != MIGRATE_MOVABLE)
		pageblock_set_type(pb, MIGRATE_MOVABLE);
	if (pb_load(pb))
		__atomic_store_n(pb_word(pb), 0, __ATOMIC_RELEASE);
}

/* POISON-13 done properly: a mark that onlining wipes leaves the counter, too. */
static void forget_poison(unsigned long pfn, unsigned long end)
{
	long poisoned = page_follow_linux() ? 0 : count_poison(pfn, end);

	if (poisoned)
		__atomic_fetch_sub(&page_poisoned, poisoned, __ATOMIC_RELAXED);
}

static void section_clear_dirt(struct mem_section *section, unsigned long pfn, unsigned long end)
{
	unsigned long pb;

	if (!(section_flags(section) & SECTION_DIRTY))
		return;
	forget_poison(pfn, end);
	for (pb = pfn >> pageblock_order; pb < end >> pageblock_order; pb++)
		clear_pageblock(pb);
}

void move_pfn_range_to_zone(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, to;
	struct mem_section *section;

	zone_span_grow(zone, pfn, nr_pages);
	for_each_section_in(section, pfn, to, end) {
		section_clear_dirt(section, pfn, to);
		/* Self-hosted descriptors and the rest of their block come one after the other. */
		if (WARN_ON(section_join(section, zone, pfn, to, true)))
			continue;
		section_set(section, SECTION_ONLINING);
	}
}

void section_leave(struct mem_section *section, unsigned long pfn, unsigned long end)
{
	unsigned long pb;

	section_clear(section, SECTION_ONLINING | SECTION_REAL);
	WRITE_ONCE(section->zone, NULL);
	if (!section->split)
		return;
	for (pb = pfn >> pageblock_order; pb < end >> pageblock_order; pb++)
		section->split->of_pageblock[pb & (section_pageblocks() - 1)] = SPLIT_NONE;
	/* Gone as a whole: it may come back with one zone. */
	if (end - pfn == section_pages()) {
		split_free(section->split);
		WRITE_ONCE(section->split, NULL);
	}
}

void remove_pfn_range_from_zone(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long start = pfn, end = pfn + nr_pages, to;
	struct mem_section *section;

	for_each_section_in(section, pfn, to, end)
		section_leave(section, pfn, to);
	if (zone_idx(zone) == ZONE_DEVICE || zone_is_empty(zone))
		return; /* ZONE-8 */
	zone_span_shrink(zone, start, end);
	node_span_update(zone->zone_pgdat);
}

void adjust_present_page_count(unsigned long pfn, struct zone *zone, long nr_pages)
{
	if (section_is_early(pfn))
		WRITE_ONCE(zone->present_early_pages,
			   zone->present_early_pages + (unsigned long)nr_pages);
	WRITE_ONCE(zone->present_pages, zone->present_pages + (unsigned long)nr_pages);
	WRITE_ONCE(zone->zone_pgdat->node_present_pages,
		   zone->zone_pgdat->node_present_pages + (unsigned long)nr_pages);
	zone_list_sizes(zone);
}

void adjust_managed_page_count(struct page *page, long count)
{
	struct zone *zone = page_zone(page);

	if (WARN_ON(!zone))
		return;
	__atomic_fetch_add(&zone->managed_pages, count, __ATOMIC_RELAXED);
	__atomic_fetch_add(&mp_totalram_pages, (unsigned long)count, __ATOMIC_RELAXED);
}

struct zone *range_zone(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, pb;
	struct zone *found = NULL, *zone;

	for (pb = pfn >> pageblock_order; pb < DIV_ROUND_UP(end, pageblock_nr_pages); pb++) {
		pfn = pb << pageblock_order;
		if (!pfn_to_online_page(pfn))
			continue;
		zone = pfn_zone(pfn);
		if (!zone)
			continue;
		if (found && found != zone)
			return NULL;
		found = zone;
	}
	return found;
}

/* ---- boot ---- */

int zone_add_boot_range(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	unsigned long start = pfn, end = pfn + nr_pages, to;
	struct mem_section *section;
	int ret;

	for_each_section_in(section, pfn, to, end) {
		/* The first zone gets all of a section, holes included, until another one comes. */
		ret = section_join(section, zone, pfn, to, true);
		if (ret)
			return ret;
	}
	zone_span_grow(zone, start, nr_pages);
	adjust_present_page_count(start, zone, (long)nr_pages);
	return 0;
}

void zone_span_boot(struct zone *zone, unsigned long pfn, unsigned long nr_pages)
{
	zone_span_grow(zone, pfn, nr_pages);
}

/* Marks pages as taken for ever, without an owner. */
static void take_marked(unsigned long pfn, unsigned long nr_pages, unsigned long flags)
{
	unsigned long end = pfn + nr_pages;

	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		section_set(pfn_section(pfn), SECTION_DIRTY);
		if (PageReserved(page) && page->_refcount)
			continue; /* a firmware page inside a hole */
		pageblock_claim(pfn >> pageblock_order, pfn % PB_PAGES, 1);
		__atomic_store_n(&page->flags, flags, __ATOMIC_RELAXED);
		__atomic_store_n(&page->_refcount, 1, __ATOMIC_RELEASE);
	}
}

void pages_reserve_boot(unsigned long pfn, unsigned long nr_pages)
{
	take_marked(pfn, nr_pages, BIT(PG_reserved));
}

static unsigned long count_used(unsigned long pfn, unsigned long end, struct zone *zone)
{
	unsigned long pb, used = 0;

	for (pb = pfn >> pageblock_order; pb < end >> pageblock_order; pb++)
		if (pfn_zone(pb << pageblock_order) == zone)
			used += pb_used(pb_load(pb));
	return used;
}

void boot_open_sections(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, to;
	struct mem_section *section;

	online_mem_sections(pfn, end);
	for_each_section_in(section, pfn, to, end) {
		struct section_split *split = section->split;
		unsigned int i, nr = split ? split->nr : section->zone != NULL;

		for (i = 0; i < nr; i++) {
			struct zone *zone = split ? split->at[i].zone : section->zone;
			unsigned long pb, pages = 0;

			for (pb = pfn >> pageblock_order; pb < to >> pageblock_order; pb++)
				pages += pfn_zone(pb << pageblock_order) == zone ? PB_PAGES : 0;
			pages -= count_used(pfn, to, zone);
			buddy_open_range(zone, pfn, to - pfn);
			__atomic_fetch_add(&zone->managed_pages, (long)pages, __ATOMIC_RELAXED);
			__atomic_fetch_add(&mp_totalram_pages, pages, __ATOMIC_RELAXED);
		}
	}
}

/* ---- self-hosted descriptors (SECT-7) ---- */

void pages_reserve_selfhosted(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long pb;

	take_marked(pfn, nr_pages, BIT(PG_reserved) | BIT(PG_selfhosted));
	for (pb = pfn >> pageblock_order; pb < (pfn + nr_pages) >> pageblock_order; pb++)
		pageblock_set_type(pb, MIGRATE_UNMOVABLE);
}

void pages_release_selfhosted(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long pb;

	for (pb = pfn >> pageblock_order; pb < (pfn + nr_pages) >> pageblock_order; pb++)
		clear_pageblock(pb);
}
