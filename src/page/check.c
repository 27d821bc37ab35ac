// SPDX-License-Identifier: MIT
/*
 * The whole-layer checker and the census of allocated pages. The checker's
 * caller sees to it that nothing else runs.
 */
#include "page/internal.h"
#include "report/report.h"

static unsigned int bits_set(unsigned long pb)
{
	unsigned int i, n = 0;

	for (i = 0; i < PB_WORDS; i++)
		n += (unsigned int)__builtin_popcountll(page_layer.bits[pb][i]);
	return n;
}

static void check_free_pages(struct checker *check, unsigned long pb)
{
	unsigned long pfn = pb << pageblock_order, end = pfn + PB_PAGES;

	for (; pfn < end; pfn++)
		if (PageBuddy(pfn_to_page(pfn)) && pfn_to_page(pfn)->_refcount)
			checker_found(check, "page 0x%lx is free but has %u references", pfn,
			      pfn_to_page(pfn)->_refcount);
}

struct part_sums {
	unsigned long free, isolated;
	unsigned int of_type[MIGRATE_PCPTYPES];
};

static void check_pageblock(struct checker *check, unsigned long pb, struct part_sums *sums)
{
	u32 word = pb_load(pb);
	unsigned int bits = word & PB_HUGE ? PB_PAGES : bits_set(pb);

	if ((word & PB_HUGE) && bits_set(pb))
		checker_found(check, "pageblock 0x%lx is taken whole but has bits", pb << pageblock_order);
	if (pb_used(word) != bits)
		checker_found(check, "pageblock 0x%lx counts %u pages, its line %u", pb << pageblock_order,
		      pb_used(word), bits);
	/* A clean section's descriptors were never touched: looking would make them resident. */
	if (section_flags(pfn_section(pb << pageblock_order)) & SECTION_DIRTY)
		check_free_pages(check, pb);
	sums->of_type[pb_type(word)]++;
	if (word & PB_ISOLATED)
		sums->isolated++;
	else
		sums->free += pb_free(word);
}

static void check_part(struct checker *check, struct zone *zone, u32 id, struct part_sums *zone_sums)
{
	struct zone_part *part = &page_layer.parts[id];
	struct part_sums sums = { 0 };
	unsigned long pb;
	int type;

	if (part->zone != zone)
		checker_found(check, "section %u is in the list of another zone than %s", part->section,
		      zone->name);
	if (part->next && page_layer.parts[part->next].section <= part->section)
		checker_found(check, "sections %u and %u of %s are in the wrong order", part->section,
		      page_layer.parts[part->next].section, zone->name);
	if (part->next ? page_layer.parts[part->next].prev != id : zone->last_part != id)
		checker_found(check, "the list of %s is broken after section %u", zone->name, part->section);
	if (!(section_flags(&page_layer.sections[part->section]) & SECTION_ONLINE))
		checker_found(check, "section %u is in the list of %s but not online", part->section,
		      zone->name);
	for (pb = part_first(part); pb < part_end(part); pb++)
		if (pageblock_in(part, pb))
			check_pageblock(check, pb, &sums);
	if (sums.free != part->nr_free)
		checker_found(check, "section %u has %lu free pages but counts %u", part->section, sums.free,
		      part->nr_free);
	for (type = 0; type < MIGRATE_PCPTYPES; type++)
		if (type != MIGRATE_MOVABLE && sums.of_type[type] != part->nr_type[type])
			checker_found(check, "section %u has %u pageblocks of type %d but counts %u",
			      part->section, sums.of_type[type], type, part->nr_type[type]);
	zone_sums->free += sums.free;
	zone_sums->isolated += sums.isolated;
}

static void check_zone(struct checker *check, struct zone *zone)
{
	struct part_sums sums = { 0 };
	unsigned long parts = 0;
	u32 id;

	mutex_lock(&zone->lock);
	for_each_part(zone, id) {
		check_part(check, zone, id, &sums);
		parts++;
	}
	mutex_unlock(&zone->lock);
	if (parts != zone->nr_parts)
		checker_found(check, "node %d %s: %lu parts, counted %lu", zone->node, zone->name, parts,
		      zone->nr_parts);
	if ((long)sums.free != zone->nr_free)
		checker_found(check, "node %d %s: %lu pages are free, counted %ld", zone->node, zone->name,
		      sums.free, zone->nr_free);
	if (sums.isolated != zone->nr_isolate_pageblock)
		checker_found(check, "node %d %s: %lu pageblocks are isolated, counted %lu", zone->node,
		      zone->name, sums.isolated, zone->nr_isolate_pageblock);
	if (zone_is_empty(zone) != !zone->present_pages && zone_idx(zone) != ZONE_DEVICE)
		checker_found(check, "node %d %s: spans %lu pages, has %lu", zone->node, zone->name,
		      zone->spanned_pages, zone->present_pages);
}

int page_check(void (*say)(const char *text, void *arg), void *arg)
{
	struct checker check = { say, arg, 0 };
	unsigned long managed = 0;
	struct zone *zone;
	int nid, i;

	for_each_zone(nid, i, zone) {
		check_zone(&check, zone);
		managed += zone_managed_pages(zone);
	}
	if (managed != totalram_pages())
		checker_found(&check, "zones manage %lu pages, totalram is %lu", managed, totalram_pages());
	return check.found;
}

/* ---- census ---- */

/* Allocated or referenced, not just kept by the machine itself. */
static bool in_use(const struct page *page)
{
	return page_count(page) && !PageReserved(page) && !page_kept_poisoned(page);
}

static unsigned long part_in_use(struct zone_part *part, struct page **example)
{
	unsigned long pfn = part_first(part) << pageblock_order;
	unsigned long end = part_end(part) << pageblock_order, step, used = 0;

	for (pfn = next_used(pfn, end, &step); pfn < end; pfn = next_used(pfn + step, end, &step)) {
		if (!in_use(pfn_to_page(pfn)) || pfn_part(pfn) != part)
			continue;
		if (example && !*example)
			*example = pfn_to_page(pfn);
		used += step;
	}
	return used;
}

unsigned long page_in_use(struct page **example)
{
	unsigned long used = 0;
	struct zone *zone;
	int nid, i;
	u32 id;

	if (example)
		*example = NULL;
	drain_pages_range(0, ~0UL);
	for_each_zone(nid, i, zone) {
		mutex_lock(&zone->lock);
		for_each_part(zone, id)
			used += part_in_use(&page_layer.parts[id], example);
		mutex_unlock(&zone->lock);
	}
	return used;
}
