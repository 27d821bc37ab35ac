// SPDX-License-Identifier: MIT
/*
 * The page layer's tables and the sections in them: reserved zero-filled
 * ranges indexed by pfn, pageblock and section number, of which only what is
 * used becomes resident. Section flags are atomic; sections come and go under
 * mem_hotplug_lock held for writing.
 */
#include "page/internal.h"
#include "os/os.h"
#include "report/report.h"

struct page_layer page_layer = { .default_nid = -1 };
struct page *mp_vmemmap;
unsigned int mp_section_shift = 27;
unsigned long mp_totalram_pages;
long page_poisoned;

/* ---- the tables ---- */

static int table_reserve(size_t len, void **table, size_t *table_len)
{
	int ret = os_reserve_zeroed(len, table);

	if (ret)
		return ret;
	*table_len = len;
	os_dontfork(*table, len);
	os_dontdump(*table, len);
	return 0;
}

static void table_free(void *table, size_t len)
{
	if (table && len)
		os_unmap(table, len);
}

static void tables_free(void)
{
	struct page_layer *p = &page_layer;

	table_free(mp_vmemmap, p->vmemmap_len);
	table_free(p->sections, p->sections_len);
	table_free(p->parts, p->parts_len);
	table_free(p->words, p->words_len);
	table_free(p->bits, p->bits_len);
	mp_vmemmap = NULL;
}

static size_t whole_pages(size_t len)
{
	return ALIGN(len, (size_t)PAGE_SIZE);
}

static int tables_reserve(void)
{
	struct page_layer *p = &page_layer;
	unsigned long pageblocks = p->max_pfn >> pageblock_order;

	return table_reserve(whole_pages(p->max_pfn * sizeof(struct page)), (void **)&mp_vmemmap,
			     &p->vmemmap_len)
		?: table_reserve(whole_pages(p->nr_sections * sizeof(*p->sections)),
				 (void **)&p->sections, &p->sections_len)
		?: table_reserve(whole_pages((p->nr_sections + 1 + EXTRA_PARTS) * sizeof(*p->parts)),
				 (void **)&p->parts, &p->parts_len)
		?: table_reserve(whole_pages(ALIGN(pageblocks, 256UL) * sizeof(*p->words)), (void **)&p->words,
				 &p->words_len)
		?: table_reserve(whole_pages(pageblocks * sizeof(*p->bits)), (void **)&p->bits,
				 &p->bits_len);
}

static void request_tables(void)
{
	unsigned int zone_bits;

	for (zone_bits = 0; zone_bits < 16; zone_bits++) {
		int zone = ZONE_NORMAL;

		if (zone_bits & __GFP_DMA)
			zone = ZONE_DMA;
		else if (zone_bits & __GFP_DMA32)
			zone = ZONE_DMA32;
		else if ((zone_bits & __GFP_HIGHMEM) && (zone_bits & __GFP_MOVABLE))
			zone = ZONE_MOVABLE;
		page_layer.gfp_zone[zone_bits] = (u8)zone;
	}
}

int page_init(const struct page_config *config)
{
	u64 section = min(config->block_size, (u64)SZ_128M);
	int ret;

	if (config->block_size < SZ_2M || (config->block_size & (config->block_size - 1)) ||
	    config->nr_node_ids < 1 || config->nr_node_ids > MAX_NUMNODES)
		return -EINVAL;
	memset(&page_layer, 0, sizeof(page_layer));
	mp_section_shift = (unsigned int)__builtin_ctzl(section);
	page_layer.section_order = mp_section_shift - PAGE_SHIFT;
	page_layer.max_pfn = ALIGN_DOWN(config->max_phys, config->block_size) >> PAGE_SHIFT;
	page_layer.nr_sections = page_layer.max_pfn >> page_layer.section_order;
	page_layer.max_order = (unsigned int)min(MAX_ORDER - 1,
						 __builtin_ctzl(config->block_size) - PAGE_SHIFT);
	page_layer.follow_linux = config->follow_linux;
	page_layer.default_nid = -1;
	request_tables();
	mp_totalram_pages = 0;
	page_poisoned = 0;
	page_migrate_success = 0;
	page_migrate_fail = 0;
	page_shared_pageblocks = 0;
	ret = nodes_init(config) ?: tables_reserve();
	if (ret) {
		page_exit();
		return ret;
	}
	mobility_update();
	sync_thread_exit_hook = page_thread_exit;
	return 0;
}

void page_exit(void)
{
	unsigned long nr;

	lists_exit();
	isolation_exit();
	for (nr = 0; nr < page_layer.present_end; nr++)
		split_free(page_layer.sections[nr].split);
	tables_free();
	nodes_exit();
	memset(&page_layer, 0, sizeof(page_layer));
	page_layer.default_nid = -1;
	mp_totalram_pages = 0;
	page_poisoned = 0;
}

/* The tables are not there (MADV_DONTFORK); what the heap holds is left to it, other threads of
 * the parent may have been inside. */
void page_forget(void)
{
	lists_forget();
	isolation_exit();
	memset(&page_layer, 0, sizeof(page_layer));
	page_layer.default_nid = -1;
	mp_vmemmap = NULL;
	mp_totalram_pages = 0;
	page_poisoned = 0;
}

__attribute__((constructor)) static void page_at_start(void)
{
	sync_at_fork_child(page_forget);
}

void page_set_follow_linux(bool yes)
{
	WRITE_ONCE(page_layer.follow_linux, yes);
}

bool page_follow_linux(void)
{
	return READ_ONCE(page_layer.follow_linux);
}

/* ---- sections ---- */

struct mem_section *section_of(unsigned long pfn)
{
	return pfn < page_layer.max_pfn ? pfn_section(pfn) : NULL;
}

/* The subsections of `section` that [pfn, end) covers. */
static u64 subsection_mask(unsigned long section, unsigned long pfn, unsigned long end)
{
	unsigned long base = section << page_layer.section_order;
	unsigned long from = max(pfn, base) - base, to = min(end, base + section_pages()) - base;
	unsigned int first = (unsigned int)(from / PAGES_PER_SUBSECTION);
	unsigned int n = (unsigned int)(to / PAGES_PER_SUBSECTION) - first;

	return (n == 64 ? ~0ULL : (1ULL << n) - 1) << first;
}

int sections_add(unsigned long pfn, unsigned long nr_pages, int nid, bool early)
{
	unsigned long end = pfn + nr_pages, nr;
	unsigned long first = pfn >> page_layer.section_order;
	unsigned long last = (end - 1) >> page_layer.section_order;

	if (WARN(!nr_pages || !IS_ALIGNED(pfn | nr_pages, PAGES_PER_SUBSECTION),
		 "pages 0x%lx+%lu are not whole subsections", pfn, nr_pages) ||
	    end > page_layer.max_pfn || end < pfn)
		return -EINVAL;
	for (nr = first; nr <= last; nr++)
		if (page_layer.sections[nr].subsections & subsection_mask(nr, pfn, end))
			return -EEXIST;
	for (nr = first; nr <= last; nr++) {
		struct mem_section *section = &page_layer.sections[nr];

		__atomic_fetch_or(&section->subsections, subsection_mask(nr, pfn, end),
				  __ATOMIC_RELEASE);
		if (!(section_flags(section) & SECTION_PRESENT))
			WRITE_ONCE(section->nid, nid);
		section_set(section, SECTION_PRESENT | (early ? SECTION_EARLY : 0));
	}
	page_layer.present_end = max(page_layer.present_end, last + 1);
	return 0;
}

void sections_hole(unsigned long pfn, unsigned long end)
{
	unsigned long to;

	pfn = ALIGN(pfn, PAGES_PER_SUBSECTION);
	end = ALIGN_DOWN(end, PAGES_PER_SUBSECTION);
	for (; pfn < end; pfn = to) {
		unsigned long nr = pfn >> page_layer.section_order;

		to = min(end, (nr + 1) << page_layer.section_order);
		__atomic_fetch_and(&page_layer.sections[nr].subsections,
				   ~subsection_mask(nr, pfn, to), __ATOMIC_RELEASE);
	}
}

/* Private pages read as zero again; memory that the host will not take back is cleared by hand. */
static void forget_memory(void *at, size_t len)
{
	if (!IS_ALIGNED((unsigned long)at | len, PAGE_SIZE) || os_discard(at, len))
		memset(at, 0, len);
}

long count_poison(unsigned long pfn, unsigned long end)
{
	unsigned long step, i;
	long poisoned = 0;

	for (pfn = next_used(pfn, end, &step); pfn < end; pfn = next_used(pfn + step, end, &step))
		for (i = pfn; i < min(pfn + step, end); i++)
			poisoned += PageHWPoison(pfn_to_page(i));
	return poisoned;
}

static void section_remove(struct mem_section *section, unsigned long pfn, unsigned long end,
			   u64 mask)
{
	unsigned long pb = pfn >> pageblock_order, nr = (end - pfn) >> pageblock_order;
	u64 left = __atomic_and_fetch(&section->subsections, ~mask, __ATOMIC_RELEASE);

	if (left && (section_flags(section) & SECTION_EARLY)) {
		device_pages_to_hole(pfn, end);
		return;
	}
	if (section_flags(section) & SECTION_DIRTY) {
		long poisoned = count_poison(pfn, end);

		if (poisoned)
			__atomic_fetch_sub(&page_poisoned, poisoned, __ATOMIC_RELAXED);
		forget_memory(pfn_to_page(pfn), (end - pfn) * sizeof(struct page));
		memset(&page_layer.bits[pb], 0, nr * sizeof(page_layer.bits[0]));
		while (nr--)
			__atomic_store_n(pb_word(pb + nr), 0, __ATOMIC_RELEASE);
	}
	if (left)
		return;
	split_free(section->split);
	section->split = NULL;
	WRITE_ONCE(section->zone, NULL);
	__atomic_store_n(&section->flags, 0, __ATOMIC_RELEASE);
}

void sections_remove(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages;

	while (pfn < end) {
		unsigned long to = min(end, ALIGN_DOWN(pfn, section_pages()) + section_pages());
		unsigned long nr = pfn >> page_layer.section_order;

		section_remove(&page_layer.sections[nr], pfn, to, subsection_mask(nr, pfn, to));
		pfn = to;
	}
}

/* SECT-5. */
static void sections_set_online(unsigned long pfn, unsigned long end_pfn, bool online)
{
	unsigned long nr, first = pfn >> page_layer.section_order;
	unsigned long last = (end_pfn - 1) >> page_layer.section_order;

	for (nr = first; nr <= last; nr++) {
		struct mem_section *section = &page_layer.sections[nr];

		if (WARN(nr >= page_layer.nr_sections || !(section_flags(section) & SECTION_PRESENT),
			 "section %lu is not there", nr))
			continue;
		/* One step each way: no reader sees a section that is neither or both. */
		if (online)
			__atomic_store_n(&section->flags,
					 (section->flags & ~(SECTION_ONLINING | SECTION_REAL)) |
						 SECTION_ONLINE,
					 __ATOMIC_RELEASE);
		else
			section_clear(section, SECTION_ONLINE);
	}
}

void online_mem_sections(unsigned long pfn, unsigned long end_pfn)
{
	sections_set_online(pfn, end_pfn, true);
}

void offline_mem_sections(unsigned long pfn, unsigned long end_pfn)
{
	sections_set_online(pfn, end_pfn, false);
}

bool section_is_early(unsigned long pfn)
{
	return pfn < page_layer.max_pfn && section_flags(pfn_section(pfn)) & SECTION_EARLY;
}

static bool subsection_there(const struct mem_section *section, unsigned long pfn)
{
	unsigned long offset = pfn & (section_pages() - 1);

	return __atomic_load_n(&section->subsections, __ATOMIC_ACQUIRE) &
		BIT(offset / PAGES_PER_SUBSECTION);
}

/* SECT-3. */
int pfn_valid(unsigned long pfn)
{
	struct mem_section *section = section_of(pfn);
	u32 flags;

	if (!section)
		return 0;
	flags = section_flags(section);
	return (flags & SECTION_PRESENT) && ((flags & SECTION_EARLY) || subsection_there(section, pfn));
}

struct page *pfn_to_online_page(unsigned long pfn)
{
	struct mem_section *section = section_of(pfn);
	struct zone *zone;
	u32 flags;

	if (!section)
		return NULL;
	flags = section_flags(section);
	if (!(flags & SECTION_ONLINE) || !pfn_valid(pfn))
		return NULL;
	if (flags & SECTION_DEVICE) {
		zone = pfn_zone(pfn);
		if (!zone || zone_idx(zone) == ZONE_DEVICE)
			return NULL;
	}
	return pfn_to_page(pfn);
}

/* ---- what page descriptors say by position ---- */

struct zone *split_zone(const struct section_split *split, unsigned long pfn)
{
	unsigned int i = split->of_pageblock[(pfn >> pageblock_order) & (section_pageblocks() - 1)];

	return i == SPLIT_NONE ? NULL : split->at[i].zone;
}

struct zone_part *split_part(const struct section_split *split, unsigned long pfn)
{
	unsigned int i = split->of_pageblock[(pfn >> pageblock_order) & (section_pageblocks() - 1)];

	return i == SPLIT_NONE ? &page_layer.parts[0] : &page_layer.parts[split->at[i].part];
}

struct zone *page_zone(const struct page *page)
{
	unsigned long pfn = page_to_pfn(page);

	return pfn < page_layer.max_pfn ? pfn_zone(pfn) : NULL;
}

int page_to_nid(const struct page *page)
{
	struct zone *zone = page_zone(page);

	if (zone)
		return zone_to_nid(zone);
	return page_to_pfn(page) < page_layer.max_pfn ?
		READ_ONCE(pfn_section(page_to_pfn(page))->nid) : NUMA_NO_NODE;
}

/* While a block goes online its descriptors are still zero: this is what they mean (DESIGN D4). */
static bool computed(const struct page *page)
{
	u32 flags = section_flags(pfn_section(page_to_pfn(page)));

	return (flags & (SECTION_ONLINING | SECTION_REAL)) == SECTION_ONLINING;
}

int page_count(const struct page *page)
{
	int count = (int)__atomic_load_n(&page->_refcount, __ATOMIC_ACQUIRE);

	return !count && computed(page) ? 1 : count;
}

bool PageReserved(const struct page *page)
{
	return (READ_ONCE(page->flags) & BIT(PG_reserved)) || computed(page);
}

int get_pageblock_migratetype(struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	u32 word;

	if (section_flags(pfn_section(pfn)) & SECTION_ONLINING)
		return MIGRATE_ISOLATE;
	word = pb_load(pfn >> pageblock_order);
	return word & PB_ISOLATED ? MIGRATE_ISOLATE : pb_type(word);
}
