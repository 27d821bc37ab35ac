// SPDX-License-Identifier: MIT
/*
 * Which pageblock serves a request: the lowest one, so that blocks at the top
 * of a zone run empty and can go offline (DESIGN D5). Pages of different
 * mobility meet in a pageblock only when nothing else is left. The zone's list
 * of parts and pageblock types are guarded by zone->lock; free pages need no
 * lock, so a choice can turn out stale and is then made again.
 */
#include "page/internal.h"

/* A pageblock is worth refilling from when it has so many free pages. */
#define WORTHWHILE 32

unsigned long page_shared_pageblocks;

/* ---- the list of parts ---- */

unsigned long part_first(const struct zone_part *part)
{
	return (unsigned long)READ_ONCE(part->section)
	       << (page_layer.section_order - pageblock_order);
}

static u32 section_number(u32 id)
{
	return READ_ONCE(page_layer.parts[id].section);
}

void part_insert(struct zone *zone, struct zone_part *part)
{
	u32 id = part_id(part), after = zone->last_part, i;

	if (READ_ONCE(part->zone))
		return;
	/* Memory mostly arrives in ascending order. */
	while (after && section_number(after) > section_number(id))
		after = page_layer.parts[after].prev;
	part->prev = after;
	part->next = after ? page_layer.parts[after].next : zone->first_part;
	*(part->next ? &page_layer.parts[part->next].prev : &zone->last_part) = id;
	*(after ? &page_layer.parts[after].next : &zone->first_part) = id;
	zone->nr_parts++;
	WRITE_ONCE(part->zone, zone);
	for (i = 0; i < MIGRATE_PCPTYPES; i++)
		search_lower(zone, (int)i, part);
}

void part_remove(struct zone *zone, struct zone_part *part)
{
	u32 i;

	if (READ_ONCE(part->zone) != zone)
		return;
	*(part->next ? &page_layer.parts[part->next].prev : &zone->last_part) = part->prev;
	*(part->prev ? &page_layer.parts[part->prev].next : &zone->first_part) = part->next;
	part->next = 0;
	part->prev = 0;
	zone->nr_parts--;
	WRITE_ONCE(part->zone, NULL);
	for (i = 0; i < MIGRATE_PCPTYPES; i++)
		WRITE_ONCE(zone->search[i], zone->first_part);
}

/* ---- where searches begin ---- */

/* Lost updates cost a page its place in the order until the next search from the start. */
void search_lower(struct zone *zone, int type, struct zone_part *part)
{
	u32 id = part_id(part), old = __atomic_load_n(&zone->search[type], __ATOMIC_RELAXED);

	while (!old || section_number(id) < section_number(old))
		if (__atomic_compare_exchange_n(&zone->search[type], &old, id, true, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return;
}

static u32 search_begin(struct zone *zone, int type)
{
	u32 id = READ_ONCE(zone->search[type]);

	/* A free that came late may have named a part that left. */
	return id && READ_ONCE(page_layer.parts[id].zone) == zone ? id : zone->first_part;
}

static void search_raise(struct zone *zone, int type, u32 from, u32 to)
{
	if (from != to)
		__atomic_compare_exchange_n(&zone->search[type], &from, to, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

/* ---- types ---- */

void pageblock_set_type(unsigned long pb, int type)
{
	struct zone_part *part = pfn_part(pb << pageblock_order);
	u32 *word = pb_word(pb), old = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(word, &old, pb_with_type(old, type), true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	if (pb_type(old) != MIGRATE_MOVABLE)
		__atomic_fetch_sub(&part->nr_type[pb_type(old)], 1, __ATOMIC_RELAXED);
	if (type != MIGRATE_MOVABLE)
		__atomic_fetch_add(&part->nr_type[type], 1, __ATOMIC_RELAXED);
}

/* A free pageblock of another type changes sides, reserved in the same step if asked. */
static bool convert(unsigned long pb, int type, u32 flags)
{
	struct zone_part *part = pfn_part(pb << pageblock_order);
	u32 *word = pb_word(pb), old = __atomic_load_n(word, __ATOMIC_RELAXED);

	do {
		if (pb_used(old) || (old & (PB_ISOLATED | PB_RESERVED)))
			return false;
	} while (!__atomic_compare_exchange_n(word, &old, pb_with_type(old, type) | flags, true,
					      __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	if (pb_type(old) == type)
		return true;
	if (pb_type(old) != MIGRATE_MOVABLE)
		__atomic_fetch_sub(&part->nr_type[pb_type(old)], 1, __ATOMIC_RELAXED);
	if (type != MIGRATE_MOVABLE)
		__atomic_fetch_add(&part->nr_type[type], 1, __ATOMIC_RELAXED);
	return true;
}

static bool part_may_have(const struct zone_part *part, int type)
{
	return type == MIGRATE_MOVABLE || READ_ONCE(part->nr_type[type]);
}

static void mark_dirty(unsigned long pb)
{
	section_set(pfn_section(pb << pageblock_order), SECTION_DIRTY);
}

/* ---- single pages ---- */

static bool reserve_word(unsigned long pb, int type, unsigned int least)
{
	u32 *word = pb_word(pb), old = __atomic_load_n(word, __ATOMIC_RELAXED);

	do {
		if (pb_type(old) != type || pb_free(old) < least ||
		    (old & (PB_ISOLATED | PB_RESERVED)))
			return false;
	} while (!__atomic_compare_exchange_n(word, &old, old | PB_RESERVED, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

static unsigned long reserve_own_type(struct zone *zone, int type)
{
	u32 from = search_begin(zone, type), id;

	for (id = from; id; id = page_layer.parts[id].next) {
		struct zone_part *part = &page_layer.parts[id];
		unsigned long pb;

		if (READ_ONCE(part->nr_free) < WORTHWHILE || !part_may_have(part, type))
			continue;
		for (pb = part_first(part); pb < part_end(part); pb++) {
			if (!pageblock_in(part, pb) || !reserve_word(pb, type, WORTHWHILE))
				continue;
			search_raise(zone, type, from, id);
			return pb;
		}
	}
	search_raise(zone, type, from, zone->last_part);
	return ~0UL;
}

static unsigned long convert_free(struct zone *zone, int type, u32 flags)
{
	u32 id;

	for_each_part(zone, id) {
		struct zone_part *part = &page_layer.parts[id];
		unsigned long pb;

		if (READ_ONCE(part->nr_free) < PB_PAGES)
			continue;
		for (pb = part_first(part); pb < part_end(part); pb++)
			if (pageblock_in(part, pb) && convert(pb, type, flags))
				return pb;
	}
	return ~0UL;
}

unsigned long choose_pageblock(struct zone *zone, int type)
{
	unsigned long pb;

	mutex_lock(&zone->lock);
	pb = reserve_own_type(zone, type);
	if (pb == ~0UL)
		pb = convert_free(zone, type, PB_RESERVED);
	mutex_unlock(&zone->lock);
	if (pb != ~0UL)
		mark_dirty(pb);
	return pb;
}

/* Whatever pageblocks of the type (or, sharing, of any) have, in order; returns pages taken. */
static unsigned int take_scattered(struct zone *zone, int type, bool sharing, unsigned int n, u32 *pfn)
{
	unsigned int got = 0;
	u32 id;

	for_each_part(zone, id) {
		struct zone_part *part = &page_layer.parts[id];
		unsigned long pb;

		if (!READ_ONCE(part->nr_free))
			continue;
		for (pb = part_first(part); pb < part_end(part) && got < n; pb++) {
			u32 word = pb_load(pb);

			if (!pageblock_in(part, pb) || (word & PB_ISOLATED) || !pb_free(word) ||
			    (pb_type(word) != type) != sharing)
				continue;
			mark_dirty(pb);
			got += pageblock_take(zone, pb, n - got, 0, pfn + got);
			if (sharing && got)
				return got; /* a few pages each time: it is the last resort */
		}
		if (got == n)
			break;
	}
	return got;
}

unsigned int take_leftover(struct zone *zone, int type, unsigned int n, u32 *pfn)
{
	unsigned int got;

	mutex_lock(&zone->lock);
	got = take_scattered(zone, type, false, n, pfn);
	if (!got) {
		got = take_scattered(zone, type, true, min(n, 8u), pfn);
		if (got)
			__atomic_fetch_add(&page_shared_pageblocks, 1, __ATOMIC_RELAXED);
	}
	mutex_unlock(&zone->lock);
	return got;
}

/* ---- runs ---- */

static unsigned long take_run(struct zone *zone, int type, unsigned int order, bool sharing)
{
	u32 id;

	for_each_part(zone, id) {
		struct zone_part *part = &page_layer.parts[id];
		unsigned long pb, pfn;

		if (READ_ONCE(part->nr_free) < 1u << order ||
		    (!sharing && !part_may_have(part, type)))
			continue;
		for (pb = part_first(part); pb < part_end(part); pb++) {
			u32 word = pb_load(pb);

			if (!pageblock_in(part, pb) || (word & PB_ISOLATED) ||
			    pb_free(word) < 1u << order || (pb_type(word) != type) != sharing)
				continue;
			/* Before the claim: whoever clears the tables later must know. */
			mark_dirty(pb);
			pfn = pageblock_take_run(zone, pb, order, 0);
			if (pfn != ~0UL)
				return pfn;
		}
	}
	return ~0UL;
}

static unsigned long take_run_any(struct zone *zone, int type, unsigned int order)
{
	unsigned long pfn = take_run(zone, type, order, false), pb;

	if (pfn != ~0UL)
		return pfn;
	pb = convert_free(zone, type, 0);
	if (pb != ~0UL) {
		mark_dirty(pb);
		pfn = pageblock_take_run(zone, pb, order, 0);
		if (pfn != ~0UL)
			return pfn;
	}
	pfn = take_run(zone, type, order, true);
	if (pfn != ~0UL)
		__atomic_fetch_add(&page_shared_pageblocks, 1, __ATOMIC_RELAXED);
	return pfn;
}

/* One pageblock, or two neighbours for order 10 (then sections have 4 MiB or more). */
static bool take_whole_at(struct zone *zone, struct zone_part *part, unsigned long pb,
			  unsigned int count, bool steal)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!pageblock_in(part, pb + i) || !pageblock_take_whole(zone, pb + i, steal))
			break;
	}
	if (i == count)
		return true;
	while (i--)
		pageblock_free_whole(pb + i);
	return false;
}

static unsigned long take_whole(struct zone *zone, int type, unsigned int order, bool steal)
{
	unsigned int count = 1u << (order - pageblock_order), i;
	u32 id;

	for_each_part(zone, id) {
		struct zone_part *part = &page_layer.parts[id];
		unsigned long pb;

		if (READ_ONCE(part->nr_free) < PB_PAGES)
			continue;
		for (pb = ALIGN(part_first(part), (unsigned long)count); pb < part_end(part);
		     pb += count) {
			mark_dirty(pb);
			if (!take_whole_at(zone, part, pb, count, steal))
				continue;
			for (i = 0; i < count; i++)
				pageblock_set_type(pb + i, type);
			return pb << pageblock_order;
		}
	}
	return ~0UL;
}

unsigned long take_order(struct zone *zone, int type, unsigned int order)
{
	unsigned long pfn;

	mutex_lock(&zone->lock);
	if (order < pageblock_order) {
		pfn = take_run_any(zone, type, order);
	} else {
		pfn = take_whole(zone, type, order, false);
		if (pfn == ~0UL)
			pfn = take_whole(zone, type, order, true);
	}
	mutex_unlock(&zone->lock);
	return pfn;
}
