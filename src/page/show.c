// SPDX-License-Identifier: MIT
/*
 * Numbers that are computed from the tables when somebody asks: free runs per
 * order as a buddy allocator would show them, pageblocks by type, who holds a
 * page. Reads words and bits without a lock; the zone's list under zone->lock.
 */
#include "page/internal.h"
#include <memplug/reason.h>

/* Counts the largest aligned free runs of 64 pages; whole free words join those around them. */
static void count_word(u64 used, unsigned long *nr_free)
{
	unsigned int i, order;

	for (i = 0; i < 64;) {
		if (used & (1ULL << i)) {
			i++;
			continue;
		}
		for (order = 0; order < 5; order++) {
			unsigned int n = 2u << order;
			u64 run = ((1ULL << n) - 1) << ALIGN_DOWN(i, n);

			if (i % n || (used & run))
				break;
		}
		nr_free[order]++;
		i += 1u << order;
	}
}

static void count_lines(const u64 *used, unsigned long *nr_free)
{
	unsigned int i, order, j;

	for (i = 0; i < PB_WORDS;) {
		if (used[i]) {
			count_word(used[i], nr_free);
			i++;
			continue;
		}
		for (order = 6; order < pageblock_order; order++) {
			unsigned int n = 2u << (order - 6);
			bool clear = !(i % n) && i + n <= PB_WORDS;

			for (j = 0; clear && j < n; j++)
				clear = !used[i + j];
			if (!clear)
				break;
		}
		nr_free[order]++;
		i += 1u << (order - 6);
	}
}

static bool wanted(const struct zone_part *part, unsigned long pb, u32 word, int migratetype)
{
	if (!pageblock_in(part, pb))
		return false;
	if (migratetype < 0)
		return true;
	if (word & PB_ISOLATED)
		return migratetype == MIGRATE_ISOLATE;
	return migratetype == pb_type(word);
}

static bool is_free_pageblock(const struct zone_part *part, unsigned long pb, int migratetype)
{
	u32 word = pb_load(pb);

	return wanted(part, pb, word, migratetype) && !pb_used(word);
}

static void count_part(const struct zone_part *part, int migratetype, unsigned long *nr_free)
{
	unsigned long pb;
	u64 used[PB_WORDS];
	unsigned int i;

	for (pb = part_first(part); pb < part_end(part); pb++) {
		u32 word = pb_load(pb);

		if (!wanted(part, pb, word, migratetype) || (word & PB_HUGE))
			continue;
		if (!pb_used(word)) {
			if (page_layer.max_order > pageblock_order && !(pb & 1) &&
			    is_free_pageblock(part, pb + 1, migratetype) &&
			    !((word ^ pb_load(pb + 1)) & PB_ISOLATED)) {
				nr_free[pageblock_order + 1]++;
				pb++;
			} else {
				nr_free[pageblock_order]++;
			}
			continue;
		}
		for (i = 0; i < PB_WORDS; i++)
			used[i] = __atomic_load_n(&page_layer.bits[pb][i], __ATOMIC_ACQUIRE);
		count_lines(used, nr_free);
	}
}

void zone_free_counts(struct zone *zone, int migratetype, unsigned long *nr_free)
{
	u32 id;

	memset(nr_free, 0, MAX_ORDER * sizeof(*nr_free));
	mutex_lock(&zone->lock);
	for_each_part(zone, id)
		count_part(&page_layer.parts[id], migratetype, nr_free);
	mutex_unlock(&zone->lock);
}

void zone_pageblock_counts(struct zone *zone, unsigned long *count)
{
	unsigned long pb;
	u32 id;

	memset(count, 0, MIGRATE_TYPES * sizeof(*count));
	mutex_lock(&zone->lock);
	for_each_part(zone, id) {
		struct zone_part *part = &page_layer.parts[id];

		for (pb = part_first(part); pb < part_end(part); pb++) {
			u32 word = pb_load(pb);

			if (pageblock_in(part, pb))
				count[word & PB_ISOLATED ? MIGRATE_ISOLATE : pb_type(word)]++;
		}
	}
	mutex_unlock(&zone->lock);
}

unsigned long nr_free_pages(void)
{
	struct zone *zone;
	long free = 0;
	int nid, i;

	for_each_zone(nid, i, zone)
		free += __atomic_load_n(&zone->nr_free, __ATOMIC_RELAXED);
	return free > 0 ? (unsigned long)free : 0;
}

/* ---- who holds a page ---- */

static const char *page_kind(const struct page *page)
{
	unsigned long flags = READ_ONCE(page->flags);

	if (flags & BIT(PG_selfhosted))
		return "block's own descriptors";
	if (PageReserved(page))
		return "reserved";
	if (flags & BIT(PG_hwpoison))
		return "poisoned";
	if (flags & BIT(PG_offline))
		return "logically offline";
	if (PageBuddy(page))
		return "free";
	if (!page_count(page))
		return "in a thread's list";
	return __PageMovable(page) ? "movable" : "unmovable";
}

const char *(*page_state_hook)(const struct page *page);

void page_describe(unsigned long pfn, char *holder, size_t holder_size, char *state,
		   size_t state_size)
{
	struct mem_section *section = section_of(pfn);
	const struct page *page;
	const char *more;
	const void *owner;

	if (!section || !(section_flags(section) & SECTION_PRESENT)) {
		snprintf(holder, holder_size, "nobody");
		snprintf(state, state_size, "not there");
		return;
	}
	page = pfn_to_page(pfn);
	owner = READ_ONCE(page->owner);
	if (owner && page_count(page))
		mp_symbol_name(owner, holder, holder_size);
	else
		snprintf(holder, holder_size, "%s", PageReserved(page) ? "the firmware" : "nobody");
	more = page_state_hook ? page_state_hook(page) : NULL;
	snprintf(state, state_size, "%s, order %u, %d references%s%s%s%s", page_kind(page),
		 READ_ONCE(page->order), page_count(page), PageLocked(page) ? ", locked" : "",
		 PageIsolated(page) ? ", isolated" : "", more ? ", " : "", more ?: "");
}
