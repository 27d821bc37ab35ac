// SPDX-License-Identifier: MIT
/*
 * From a page frame to the device's map that has it, and the life of the maps'
 * pages between two owners (DEVMEM-13, 16). pagemaps.lock guards the set; a
 * map that is found there is only returned with a reference to it.
 */
#include "hotplug/order.h"
#include "hotplug/pagemap.h"
#include "memplug/device_memory.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"
#include "sync/thread.h"

struct entry {
	struct mp_order place; /* by first pfn */
	unsigned long end;
	struct dev_pagemap *pgmap;
	const void *site;
	bool open; /* its descriptors are written */
};

static struct {
	struct mutex lock;
	struct mp_order *root;
} pagemaps = { .lock = __MUTEX_INITIALIZER(pagemaps) };

static void reset_after_fork(void)
{
	mutex_init(&pagemaps.lock);
	pagemaps.root = NULL;
}

/* The entry that begins last below or at `pfn`. */
static struct entry *entry_below(unsigned long pfn)
{
	struct mp_order *place = order_at_or_below(pagemaps.root, pfn);

	return place ? container_of(place, struct entry, place) : NULL;
}

int pagemap_insert(struct dev_pagemap *pgmap, unsigned long pfn, unsigned long end,
		   const void *site)
{
	struct entry *entry = os_alloc(sizeof(*entry)), *below;

	if (!entry)
		return -ENOMEM;
	entry->place.key = pfn;
	entry->end = end;
	entry->pgmap = pgmap;
	entry->site = site;
	mutex_lock(&pagemaps.lock);
	below = entry_below(end - 1);
	if (!below || below->end <= pfn) {
		order_insert(&pagemaps.root, &entry->place);
		entry = NULL;
	}
	mutex_unlock(&pagemaps.lock);
	os_free(entry);
	return entry ? -EEXIST : 0;
}

void pagemap_open(unsigned long pfn)
{
	mutex_lock(&pagemaps.lock);
	entry_below(pfn)->open = true;
	mutex_unlock(&pagemaps.lock);
}

void pagemap_erase(unsigned long pfn)
{
	struct entry *entry;

	mutex_lock(&pagemaps.lock);
	entry = entry_below(pfn);
	order_remove(&pagemaps.root, &entry->place);
	mutex_unlock(&pagemaps.lock);
	os_free(entry);
}

bool pagemap_has(const struct dev_pagemap *pgmap, unsigned long pfn)
{
	struct entry *entry;
	bool has;

	mutex_lock(&pagemaps.lock);
	entry = entry_below(pfn);
	has = entry && entry->place.key == pfn && entry->pgmap == pgmap;
	mutex_unlock(&pagemaps.lock);
	return has;
}

bool pagemap_any(unsigned long *pfn, const void **site)
{
	struct entry *entry;

	mutex_lock(&pagemaps.lock);
	entry = entry_below(~0UL);
	if (entry) {
		*pfn = (unsigned long)entry->place.key;
		*site = entry->site;
	}
	mutex_unlock(&pagemaps.lock);
	return entry;
}

static bool covers(const struct dev_pagemap *pgmap, unsigned long pfn)
{
	int i, nr = READ_ONCE(pgmap->nr_range);

	for (i = 0; i < nr; i++)
		if (pfn >= PHYS_PFN(pgmap->ranges[i].start) && pfn <= PHYS_PFN(pgmap->ranges[i].end))
			return true;
	return false;
}

struct dev_pagemap *get_dev_pagemap(unsigned long pfn, struct dev_pagemap *cached)
{
	struct dev_pagemap *pgmap = NULL;
	struct entry *entry;

	if (cached) {
		if (covers(cached, pfn))
			return cached;
		put_dev_pagemap(cached);
	}
	mutex_lock(&pagemaps.lock);
	entry = entry_below(pfn);
	if (entry && pfn < entry->end && entry->open && percpu_ref_tryget_live(&entry->pgmap->ref))
		pgmap = entry->pgmap;
	mutex_unlock(&pagemaps.lock);
	return pgmap;
}

/* ---- pages ---- */

void zone_device_page_init(struct page *page)
{
	struct dev_pagemap *pgmap = page->pgmap;

	if (WARN_ONCE(!percpu_ref_tryget_live(&pgmap->ref),
		      "page 0x%lx is handed out by a device memory map that goes",
		      page_to_pfn(page)))
		return;
	set_page_count(page, 1);
	lock_page(page);
}

/* The last reference of a page is gone. */
static void page_freed(struct page *page)
{
	struct dev_pagemap *pgmap = page->pgmap;

	if (WARN_ONCE(!pgmap->ops || !pgmap->ops->page_free,
		      "page 0x%lx is freed, but its device memory map has no page_free",
		      page_to_pfn(page)))
		return;
	WRITE_ONCE(page->mapping, 0);
	pgmap->ops->page_free(page);
	if (pagemap_pages_count_zero(pgmap))
		put_dev_pagemap(pgmap);
	else
		set_page_count(page, 1);
}

int mp_device_fault(struct page *page)
{
	struct vm_fault fault = { .page = page };
	struct dev_pagemap *pgmap;
	int ret = -ENXIO;
	vm_fault_t what;

	if (!page || page < mp_vmemmap || !pfn_valid(page_to_pfn(page)))
		return -EINVAL;
	pgmap = get_dev_pagemap(page_to_pfn(page), NULL);
	if (!pgmap)
		return is_device_private_page(page) ? -ENXIO : -EINVAL;
	if (pgmap->type != MEMORY_DEVICE_PRIVATE) {
		ret = -EINVAL;
	} else if (get_page_unless_zero(page)) {
		fault.address = (unsigned long)page_address(page);
		what = pgmap->ops->migrate_to_ram(&fault);
		ret = !what ? 0 : what & VM_FAULT_OOM ? -ENOMEM : -EFAULT;
		put_page(page);
	}
	put_dev_pagemap(pgmap);
	return ret;
}

__attribute__((constructor)) static void pagemap_at_start(void)
{
	page_device_hook = page_freed;
	sync_at_fork_child(reset_after_fork);
}
