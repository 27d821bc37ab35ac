// SPDX-License-Identifier: MIT
/*
 * Adding and removing device memory (DEVMEM-3..12). Each range comes and goes
 * under mem_hotplug_lock held for writing; device_hotplug_lock has no part in
 * it. The map itself is its caller's, from one call to the other.
 */
#include <memplug/device_memory.h>
#include "backing/backing.h"
#include "hotplug/hotplug.h"
#include "hotplug/pagemap.h"
#include "page/page.h"
#include "plug/plug.h"
#include "report/report.h"
#include <linux/device.h>
#include <linux/err.h>

static u64 range_first(const struct dev_pagemap *pgmap, int i)
{
	return PHYS_PFN(pgmap->ranges[i].start);
}

static u64 range_pages(const struct dev_pagemap *pgmap, int i)
{
	return PHYS_PFN(range_len(&pgmap->ranges[i]));
}

static int refuse(const struct range *range, enum mp_reason_kind kind, int error, const char *why)
{
	return reason_set(kind, error, "device memory",
			  "device memory at 0x%llx-0x%llx refused: %s",
			  (unsigned long long)range->start, (unsigned long long)range->end, why);
}

/* ---- a map's own descriptors (DEVMEM-14) ---- */

static struct vmem_altmap *altmap_of(struct dev_pagemap *pgmap)
{
	return pgmap->flags & PGMAP_ALTMAP_VALID ? &pgmap->altmap : NULL;
}

/* `nr` pages, a power of two, naturally aligned. */
static int altmap_take_run(struct vmem_altmap *altmap, unsigned long nr)
{
	unsigned long next = altmap->base_pfn + altmap->reserve + altmap->alloc + altmap->align;
	unsigned long skip = ALIGN(next, nr) - next;

	if (altmap->alloc + altmap->align + skip + nr > altmap->free)
		return -ENOMEM;
	altmap->alloc += nr;
	altmap->align += skip;
	return 0;
}

/* Descriptors of whole 128 MiB come in 2 MiB pieces, of less in pages. */
static int altmap_take(struct vmem_altmap *altmap, u64 nr_pages)
{
	unsigned long left = PFN_UP(nr_pages * sizeof(struct page)), run;
	int ret = 0;

	for (; left && !ret; left -= run) {
		run = left >= pageblock_nr_pages ? pageblock_nr_pages : 1;
		ret = altmap_take_run(altmap, run);
	}
	return ret;
}

static void altmap_return(struct vmem_altmap *altmap, u64 nr_pages)
{
	altmap->alloc -= min_t(unsigned long, altmap->alloc, PFN_UP(nr_pages * sizeof(struct page)));
	if (!altmap->alloc)
		altmap->align = 0;
}

static int altmap_add(struct dev_pagemap *pgmap)
{
	struct vmem_altmap *altmap = altmap_of(pgmap);
	struct vmem_altmap before;
	int ret;

	if (!altmap)
		return 0;
	if (altmap->base_pfn != range_first(pgmap, 0) ||
	    vmem_altmap_offset(altmap) > range_pages(pgmap, 0))
		return refuse(&pgmap->range, MP_REASON_ARGUMENT, -EINVAL,
			      "its altmap does not lie at the range's beginning");
	before = *altmap;
	ret = altmap_take(altmap, range_pages(pgmap, 0));
	if (!ret)
		return 0;
	*altmap = before;
	return refuse(&pgmap->range, MP_REASON_NO_MEMORY, ret,
		      "its altmap has no room for the descriptors; raise altmap.free");
}

/* ---- one range ---- */

static void range_remove_locked(struct dev_pagemap *pgmap, int i)
{
	u64 pfn = range_first(pgmap, i), nr = range_pages(pgmap, i);

	sections_remove(pfn, nr);
	if (pgmap->type != MEMORY_DEVICE_PRIVATE)
		backing_device_remove(pgmap->ranges[i].start, range_len(&pgmap->ranges[i]));
	if (altmap_of(pgmap))
		altmap_return(&pgmap->altmap, nr);
}

/* DEVMEM-6. mem_hotplug_lock held for writing. */
static int range_add_locked(struct dev_pagemap *pgmap, int i, int nid)
{
	const struct range *range = &pgmap->ranges[i];
	u64 pfn = range_first(pgmap, i), nr = range_pages(pgmap, i);
	bool backed = pgmap->type != MEMORY_DEVICE_PRIVATE;
	int ret;

	/* It may have been shut down since it was looked at. */
	ret = plug_need_machine() ?: altmap_add(pgmap);
	if (ret)
		return ret;
	ret = sections_add(pfn, nr, nid, false);
	if (ret) {
		if (altmap_of(pgmap))
			altmap_return(&pgmap->altmap, nr);
		return refuse(range, MP_REASON_CONFLICT, ret, "other memory has descriptors there");
	}
	ret = backed ? backing_device_add(range->start, range_len(range)) : 0;
	if (ret) {
		sections_remove(pfn, nr);
		if (altmap_of(pgmap))
			altmap_return(&pgmap->altmap, nr);
		return refuse(range, MP_REASON_SYSTEM, ret,
			      ret == -EINVAL ? "its file has only a part of it, or is too short now" :
			      "the host gives no mapping for it");
	}
	ret = device_pages_enter(&NODE_DATA(nid)->node_zones[ZONE_DEVICE], pfn, nr);
	if (ret) {
		range_remove_locked(pgmap, i);
		return refuse(range, MP_REASON_NO_MEMORY, ret, "no memory for its zone");
	}
	return 0;
}

static bool covered(u64 pfn)
{
	struct dev_pagemap *pgmap = get_dev_pagemap(pfn, NULL);

	put_dev_pagemap(pgmap);
	return pgmap;
}

/* The checks of DEVMEM-5 that come before the range is entered anywhere. */
static int range_check(struct dev_pagemap *pgmap, int i)
{
	const struct range *range = &pgmap->ranges[i];

	if (range->end < range->start || !IS_ALIGNED(range->start | (range->end + 1), SZ_2M))
		return refuse(range, MP_REASON_ARGUMENT, -EINVAL, "not whole pieces of 2 MiB");
	if (WARN(altmap_of(pgmap) && i, "an altmap serves one range of device memory only"))
		return refuse(range, MP_REASON_ARGUMENT, -EINVAL, "an altmap serves one range only");
	if (WARN(covered(range_first(pgmap, i)) || covered(PHYS_PFN(range->end)),
		 "0x%llx-0x%llx is device memory already", (unsigned long long)range->start,
		 (unsigned long long)range->end))
		return refuse(range, MP_REASON_CONFLICT, -ENOMEM, "it is device memory already");
	if (WARN_ONCE(system_ram_pages(range_first(pgmap, i), range_pages(pgmap, i)),
		      "device memory at 0x%llx-0x%llx touches System RAM",
		      (unsigned long long)range->start, (unsigned long long)range->end))
		return refuse(range, MP_REASON_CONFLICT, -ENXIO, "System RAM is there");
	return 0;
}

static int range_add(struct dev_pagemap *pgmap, int i, int nid, const void *site)
{
	const struct range *range = &pgmap->ranges[i];
	u64 pfn, nr;
	int ret;

	ret = range_check(pgmap, i);
	if (ret)
		return ret;
	pfn = range_first(pgmap, i);
	nr = range_pages(pgmap, i);
	ret = pagemap_insert(pgmap, pfn, pfn + nr, site);
	if (ret)
		return refuse(range, ret == -ENOMEM ? MP_REASON_NO_MEMORY : MP_REASON_CONFLICT, ret,
			      ret == -ENOMEM ? "no memory to enter it" :
			      "a part of it is device memory already");
	if (!mhp_range_allowed(range->start, range_len(range),
			       pgmap->type != MEMORY_DEVICE_PRIVATE)) {
		ret = refuse(range, MP_REASON_ARGUMENT, -EINVAL, "not addressable");
	} else {
		mem_hotplug_begin();
		ret = range_add_locked(pgmap, i, nid);
		mem_hotplug_done();
	}
	if (ret) {
		pagemap_erase(pfn);
		return ret;
	}
	device_pages_init(pfn, nr, pgmap, !pagemap_pages_count_zero(pgmap));
	if (!pagemap_pages_count_zero(pgmap))
		percpu_ref_get_many(&pgmap->ref, nr);
	pagemap_open(pfn);
	return 0;
}

static void range_remove(struct dev_pagemap *pgmap, int i)
{
	u64 pfn = range_first(pgmap, i), nr = range_pages(pgmap, i);

	mem_hotplug_begin();
	device_pages_leave(page_zone(pfn_to_page(pfn)), pfn, nr);
	range_remove_locked(pgmap, i);
	mem_hotplug_done();
	pagemap_erase(pfn);
}

/* ---- a map ---- */

static void last_user_left(struct percpu_ref *ref)
{
	complete_all(&container_of(ref, struct dev_pagemap, ref)->done);
}

/* DEVMEM-11, for the ranges that are there. */
static void unmap(struct dev_pagemap *pgmap)
{
	int i;

	percpu_ref_kill(&pgmap->ref);
	if (!pagemap_pages_count_zero(pgmap))
		for (i = 0; i < pgmap->nr_range; i++)
			percpu_ref_put_many(&pgmap->ref, range_pages(pgmap, i));
	wait_for_completion(&pgmap->done);
	for (i = 0; i < pgmap->nr_range; i++)
		range_remove(pgmap, i);
	percpu_ref_exit(&pgmap->ref);
	WARN_ONCE(altmap_of(pgmap) && pgmap->altmap.alloc,
		  "%lu pages of a device memory's altmap are left", pgmap->altmap.alloc);
}

/* DEVMEM-3, 4. */
static int check_map(const struct dev_pagemap *pgmap)
{
	const struct dev_pagemap_ops *ops = pgmap->ops;
	const char *lacks = NULL;

	if (WARN_ONCE(pgmap->nr_range <= 0, "device memory without a range"))
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "device memory",
				  "device memory refused: its map has no range");
	switch (pgmap->type) {
	case MEMORY_DEVICE_PRIVATE:
		lacks = !ops || !ops->migrate_to_ram ? "migrate_to_ram" : NULL;
		fallthrough;
	case MEMORY_DEVICE_COHERENT:
		if (!lacks)
			lacks = !ops || !ops->page_free ? "page_free" : !pgmap->owner ? "owner" : NULL;
		break;
	case MEMORY_DEVICE_FS_DAX:
	case MEMORY_DEVICE_GENERIC:
	case MEMORY_DEVICE_PCI_P2PDMA:
		break;
	default:
		WARN(true, "device memory of an unknown type, %d", pgmap->type);
	}
	if (WARN(lacks, "device memory of type %d lacks %s", pgmap->type, lacks))
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "device memory",
				  "device memory refused: its map lacks %s", lacks);
	return 0;
}

static int find_node(int nid)
{
	if (nid < 0)
		for_each_node_state(nid, N_MEMORY)
			break;
	if (nid < MAX_NUMNODES && NODE_DATA(nid))
		return nid;
	return reason_set(MP_REASON_ARGUMENT, -EINVAL, "node",
			  "device memory refused: there is no node %d", nid);
}

static int remap(struct dev_pagemap *pgmap, int nid, const void *site)
{
	int nr_range = pgmap->nr_range, i, ret;

	ret = plug_need_machine() ?: check_map(pgmap);
	if (ret)
		return ret;
	if (WARN(pagemap_has(pgmap, range_first(pgmap, 0)), "the map is there already"))
		return refuse(&pgmap->range, MP_REASON_CONFLICT, -ENOMEM, "the map is there already");
	nid = find_node(nid);
	if (nid < 0)
		return nid;
	init_completion(&pgmap->done);
	percpu_ref_init(&pgmap->ref, last_user_left, 0, GFP_KERNEL);
	/* Grows with the ranges that are there, for who looks pages up meanwhile. */
	WRITE_ONCE(pgmap->nr_range, 0);
	for (i = 0; i < nr_range; i++) {
		ret = range_add(pgmap, i, nid, site);
		if (ret)
			break;
		WRITE_ONCE(pgmap->nr_range, i + 1);
	}
	if (ret)
		unmap(pgmap);
	WRITE_ONCE(pgmap->nr_range, nr_range);
	return ret;
}

static void *remap_at(struct dev_pagemap *pgmap, int nid, const void *site)
{
	int ret;

	if (!plug_allowed("memremap_pages", site))
		return ERR_PTR(-EDEADLK);
	if (!pgmap)
		return ERR_PTR(-EINVAL);
	reason_begin("device memory", -1);
	ret = remap(pgmap, nid, site);
	reason_end();
	return ret ? ERR_PTR(ret) : __va(pgmap->range.start);
}

void *memremap_pages(struct dev_pagemap *pgmap, int nid)
{
	return remap_at(pgmap, nid, __builtin_return_address(0));
}

void memunmap_pages(struct dev_pagemap *pgmap)
{
	if (!plug_allowed("memunmap_pages", __builtin_return_address(0)) || !pgmap)
		return;
	if (WARN(pgmap->nr_range <= 0 || !pagemap_has(pgmap, range_first(pgmap, 0)),
		 "memunmap_pages() of a map that is not there"))
		return;
	unmap(pgmap);
}

/* ---- with the device ---- */

static void unmap_action(void *data)
{
	memunmap_pages(data);
}

void *devm_memremap_pages(struct device *dev, struct dev_pagemap *pgmap)
{
	const void *site = __builtin_return_address(0);
	void *address;
	int ret;

	if (!dev)
		return ERR_PTR(-EINVAL);
	address = remap_at(pgmap, dev_to_node(dev), site);
	if (IS_ERR(address))
		return address;
	ret = devm_add_action_or_reset(dev, unmap_action, pgmap);
	return ret ? ERR_PTR(ret) : address;
}

void devm_memunmap_pages(struct device *dev, struct dev_pagemap *pgmap)
{
	devm_release_action(dev, unmap_action, pgmap);
}

/* ---- its file ---- */

int mp_device_file(uint64_t start, uint64_t size, int fd, uint64_t offset)
{
	if (!READ_ONCE(machine_booted))
		return -ENXIO;
	if (fd < 0)
		return -EBADF;
	if (!size || !IS_ALIGNED(start | size, SZ_2M) || !IS_ALIGNED(offset, PAGE_SIZE) ||
	    offset + size < size || !mhp_range_allowed(start, size, true))
		return -EINVAL;
	return backing_file_add(start, size, fd, offset);
}

int mp_device_file_remove(uint64_t start)
{
	return READ_ONCE(machine_booted) ? backing_file_remove(start) : -ENXIO;
}
