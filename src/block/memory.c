// SPDX-License-Identifier: MIT
/*
 * Memory block devices: their life, and what the memory bus does to bring one
 * online or offline (BLOCK-1..23, ONLINE-2, OFFLINE-2). The device lock guards
 * a block's state, device_hotplug_lock creation, removal and online_type.
 */
#include "backing/backing.h"
#include "block/block.h"
#include "device/bus.h"
#include "device/tree.h"
#include "device/uevent.h"
#include "hotplug/hotplug.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"
#include "sync/changes.h"

static struct {
	u64 size;
	unsigned long count, online; /* atomics */
} blocks;

static int memory_subsys_online(struct device *dev);
static int memory_subsys_offline(struct device *dev);

struct bus_type memory_subsys = {
	.name = "memory",
	.dev_name = "memory",
	.online = memory_subsys_online,
	.offline = memory_subsys_offline,
	.dev_attrs = memory_block_attrs,
};

unsigned long memory_block_size_bytes(void)
{
	return READ_ONCE(blocks.size);
}

unsigned long memory_block_pages(void)
{
	return PHYS_PFN(READ_ONCE(blocks.size));
}

static unsigned long sections_per_block(void)
{
	return memory_block_pages() / PAGES_PER_SECTION;
}

unsigned long memory_block_id(const struct memory_block *mem)
{
	return mem->start_section_nr / sections_per_block();
}

unsigned long memory_block_pfn(const struct memory_block *mem)
{
	return section_nr_to_pfn(mem->start_section_nr);
}

unsigned long memory_blocks_count(bool online_only)
{
	return READ_ONCE(*(online_only ? &blocks.online : &blocks.count));
}

const char *memory_block_state_name(unsigned long state)
{
	switch (state) {
	case MEM_ONLINE:
		return "online";
	case MEM_OFFLINE:
		return "offline";
	case MEM_GOING_OFFLINE:
		return "going-offline";
	default:
		return NULL;
	}
}

static void set_state(struct memory_block *mem, unsigned long state)
{
	unsigned long old = mem->state;

	changes_begin();
	WRITE_ONCE(mem->state, state);
	changes_end();
	ring_record(MP_RING_STATE, (s64)memory_block_id(mem), (s64)old, (s64)state,
		    dev_name(&mem->dev));
}

/* ---- the bus methods; device lock held ---- */

/* The pages at the block's start that hold its own descriptors join the zone (SECT-7). */
static void selfhosted_enter(struct memory_block *mem, struct zone *zone, unsigned long pfn)
{
	if (!mem->nr_vmemmap_pages)
		return;
	move_pfn_range_to_zone(zone, pfn, mem->nr_vmemmap_pages);
	pages_reserve_selfhosted(pfn, mem->nr_vmemmap_pages);
}

static void selfhosted_leave(struct memory_block *mem, struct zone *zone, unsigned long pfn)
{
	if (!mem->nr_vmemmap_pages)
		return;
	pages_release_selfhosted(pfn, mem->nr_vmemmap_pages);
	remove_pfn_range_from_zone(zone, pfn, mem->nr_vmemmap_pages);
}

/* present, of zone and group, by the self-hosted pages. */
static void selfhosted_count(struct memory_block *mem, struct zone *zone, unsigned long pfn,
			     int sign)
{
	long nr = sign * (long)mem->nr_vmemmap_pages;

	if (!nr)
		return;
	adjust_present_page_count(pfn, zone, nr);
	group_adjust_present(mem->group, zone, nr);
}

static int memory_block_online(struct memory_block *mem)
{
	unsigned long pfn = memory_block_pfn(mem), nr = memory_block_pages();
	unsigned long vmemmap = mem->nr_vmemmap_pages;
	struct zone *zone;
	int ret;

	/* Before mem_hotplug_lock, and not looked at again (POLICY-8). */
	zone = zone_for_pfn_range(mem->online_type, mem->nid, mem->group, pfn, nr);
	mem_hotplug_begin();
	ret = backing_commit(PFN_PHYS(pfn), blocks.size);
	if (ret)
		goto done;
	selfhosted_enter(mem, zone, pfn);
	ret = online_pages(pfn + vmemmap, nr - vmemmap, zone, mem->group);
	if (ret && !pfn_to_online_page(pfn + vmemmap)) {
		selfhosted_leave(mem, zone, pfn);
		backing_uncommit(PFN_PHYS(pfn), blocks.size);
		goto done;
	}
	/* Also after a late veto that could not be carried out: the block is online. */
	selfhosted_count(mem, zone, pfn, 1);
	WRITE_ONCE(mem->zone, zone);
done:
	mem_hotplug_done();
	return ret;
}

static int memory_block_offline(struct memory_block *mem)
{
	unsigned long pfn = memory_block_pfn(mem), nr = memory_block_pages();
	unsigned long vmemmap = mem->nr_vmemmap_pages;
	struct zone *zone = mem->zone;
	u64 began;
	s64 given;
	int ret;

	if (!zone)
		return reason_set(MP_REASON_STATE, -EINVAL, "zone",
				  "memory%lu: offline refused: the block has no single zone; it can only stay online",
				  memory_block_id(mem));
	mem_hotplug_begin();
	selfhosted_count(mem, zone, pfn, -1);
	ret = offline_pages(pfn + vmemmap, nr - vmemmap, zone, mem->group);
	if (ret) {
		selfhosted_count(mem, zone, pfn, 1);
		goto done;
	}
	selfhosted_leave(mem, zone, pfn);
	WRITE_ONCE(mem->zone, NULL);
	began = os_now_ns();
	given = backing_give_back(PFN_PHYS(pfn), blocks.size);
	if (given > 0)
		__atomic_fetch_add(&hotplug_counters.bytes_given_back, (u64)given,
				   __ATOMIC_RELAXED);
	ring_record(MP_RING_GIVE_BACK, (s64)PFN_PHYS(pfn), given, (s64)(os_now_ns() - began),
		    dev_name(&mem->dev));
done:
	mem_hotplug_done();
	return ret;
}

static void count_result(u64 *good, u64 *bad, int ret)
{
	__atomic_fetch_add(ret ? bad : good, 1, __ATOMIC_RELAXED);
}

/* The caller gets an error, so device_online() will not do this (DESIGN D1.1). */
static void online_in_spite_of_veto(struct device *dev)
{
	char path[64];

	snprintf(path, sizeof(path), "/devices/system/memory/%s", dev_name(dev));
	uevent_send("online", path, "memory", NULL);
	dev->offline = false;
}

static int memory_subsys_online(struct device *dev)
{
	struct memory_block *mem = to_memory_block(dev);
	int ret;

	if (mem->state == MEM_ONLINE)
		return 0;
	reason_begin("online", (long)memory_block_id(mem));
	if (mem->state != MEM_OFFLINE) {
		ret = reason_set(MP_REASON_STATE, -EINVAL, "state",
				 "memory%lu: online refused: the block is not offline",
				 memory_block_id(mem));
		goto out;
	}
	if (mem->online_type == MMOP_OFFLINE)
		mem->online_type = MMOP_ONLINE;
	ret = memory_block_online(mem);
	mem->online_type = MMOP_OFFLINE;
	if (mem->zone) {
		set_state(mem, MEM_ONLINE);
		__atomic_fetch_add(&blocks.online, 1, __ATOMIC_RELAXED);
		if (ret)
			online_in_spite_of_veto(dev);
	}
	count_result(&hotplug_counters.online, &hotplug_counters.online_failed, ret);
out:
	reason_end();
	return ret;
}

static int memory_subsys_offline(struct device *dev)
{
	struct memory_block *mem = to_memory_block(dev);
	int ret;

	if (mem->state == MEM_OFFLINE)
		return 0;
	reason_begin("offline", (long)memory_block_id(mem));
	if (mem->state != MEM_ONLINE) {
		ret = reason_set(MP_REASON_STATE, -EINVAL, "state",
				 "memory%lu: offline refused: the block is not online",
				 memory_block_id(mem));
		goto out;
	}
	ret = interrupt_begin();
	if (ret)
		goto count;
	set_state(mem, MEM_GOING_OFFLINE);
	ret = memory_block_offline(mem);
	set_state(mem, ret ? MEM_ONLINE : MEM_OFFLINE);
	if (!ret)
		__atomic_fetch_sub(&blocks.online, 1, __ATOMIC_RELAXED);
	interrupt_end();
count:
	count_result(&hotplug_counters.offline, &hotplug_counters.offline_failed, ret);
out:
	reason_end();
	return ret;
}

/* ---- life ---- */

static void memory_block_release(struct device *dev)
{
	os_free(to_memory_block(dev));
}

static int block_create(unsigned long id, unsigned long state, int nid, struct zone *zone,
			unsigned long vmemmap_pages, struct memory_group *group)
{
	struct memory_block *mem = block_table_get(id);
	int ret;

	if (mem) {
		put_device(&mem->dev);
		return -EEXIST;
	}
	mem = os_alloc(sizeof(*mem));
	if (!mem)
		return -ENOMEM;
	mem->start_section_nr = id * sections_per_block();
	mem->state = state;
	mem->nid = nid;
	mem->zone = zone;
	mem->nr_vmemmap_pages = vmemmap_pages;
	INIT_LIST_HEAD(&mem->group_next);
	device_initialize(&mem->dev);
	mem->dev.bus = &memory_subsys;
	mem->dev.id = (u32)id;
	mem->dev.release = memory_block_release;
	mem->dev.offline = state == MEM_OFFLINE;
	ret = device_add(&mem->dev);
	if (ret) {
		put_device(&mem->dev);
		return ret;
	}
	ret = block_table_insert(id, mem);
	if (ret) {
		device_unregister(&mem->dev);
		return ret;
	}
	if (group) {
		changes_begin();
		WRITE_ONCE(mem->group, group);
		changes_end();
		list_add_tail(&mem->group_next, &group->memory_blocks);
	}
	__atomic_fetch_add(&blocks.count, 1, __ATOMIC_RELAXED);
	if (state == MEM_ONLINE)
		__atomic_fetch_add(&blocks.online, 1, __ATOMIC_RELAXED);
	return 0;
}

static void block_destroy(struct memory_block *mem)
{
	unlink_memory_block(mem);
	block_table_remove(memory_block_id(mem));
	if (mem->group) {
		list_del_init(&mem->group_next);
		changes_begin();
		WRITE_ONCE(mem->group, NULL);
		changes_end();
	}
	__atomic_fetch_sub(&blocks.count, 1, __ATOMIC_RELAXED);
	if (mem->state == MEM_ONLINE)
		__atomic_fetch_sub(&blocks.online, 1, __ATOMIC_RELAXED);
	put_device(&mem->dev); /* the caller's look-up */
	device_unregister(&mem->dev);
}

int memory_block_create_boot(unsigned long id, int nid, struct zone *zone)
{
	return block_create(id, MEM_ONLINE, nid, zone, 0, NULL);
}

static bool range_ok(unsigned long start, unsigned long size)
{
	return !WARN_ONCE(!blocks.size || !size || start % blocks.size || size % blocks.size,
			  "memory blocks: 0x%lx+0x%lx is not aligned to blocks", start, size);
}

void remove_memory_block_devices(unsigned long start, unsigned long size)
{
	unsigned long id, end;

	if (!range_ok(start, size))
		return;
	end = (start + size) / blocks.size;
	for (id = start / blocks.size; id < end; id++) {
		struct memory_block *mem = block_table_get(id);

		if (!WARN_ONCE(!mem, "memory%lu is not there to be removed", id))
			block_destroy(mem);
	}
}

int create_memory_block_devices(unsigned long start, unsigned long size,
				unsigned long vmemmap_pages, struct memory_group *group)
{
	unsigned long id, first, end;
	int ret = 0;

	if (!range_ok(start, size))
		return -EINVAL;
	first = start / blocks.size;
	end = (start + size) / blocks.size;
	for (id = first; id < end && !ret; id++)
		ret = block_create(id, MEM_OFFLINE, NUMA_NO_NODE, NULL, vmemmap_pages, group);
	if (!ret)
		return 0;
	for (end = id - 1, id = first; id < end; id++)
		block_destroy(block_table_get(id));
	return ret;
}

/* ---- looking up ---- */

struct memory_block *find_memory_block(unsigned long section_nr)
{
	return blocks.size ? block_table_get(section_nr / sections_per_block()) : NULL;
}

int walk_memory_blocks(unsigned long start, unsigned long size, void *arg,
		       walk_memory_blocks_func_t fn)
{
	unsigned long id, last;
	int ret = 0;

	if (!size || !blocks.size)
		return 0;
	last = (start + size - 1) / blocks.size;
	for (id = start / blocks.size; !ret; id++) {
		struct memory_block *mem;

		id = block_table_next(id, last);
		if (id > last)
			break;
		mem = block_table_get(id);
		if (!mem)
			continue;
		ret = fn(mem, arg);
		put_device(&mem->dev);
	}
	return ret;
}

struct walk_arg {
	walk_memory_blocks_func_t fn;
	void *arg;
};

static int call_for_block(struct device *dev, void *data)
{
	struct walk_arg *walk = data;

	return walk->fn(to_memory_block(dev), walk->arg);
}

int for_each_memory_block(void *arg, walk_memory_blocks_func_t fn)
{
	struct walk_arg walk = { fn, arg };

	return blocks.size ? bus_for_each_dev(&memory_subsys, call_for_block, &walk) : 0;
}

int memory_dev_init(u64 block_size)
{
	int ret;

	blocks.count = 0;
	blocks.online = 0;
	WRITE_ONCE(blocks.size, block_size);
	ret = subsys_register(&memory_subsys, memory_root_attrs);
	if (ret)
		WRITE_ONCE(blocks.size, 0);
	return ret;
}

void memory_dev_forget(void)
{
	memset(&blocks, 0, sizeof(blocks));
	memory_subsys.p = NULL;
	memory_subsys.dev_root = NULL;
}

void memory_dev_exit(void)
{
	unsigned long id = 0;

	while ((id = block_table_next(id, ~0UL - 1)) != ~0UL)
		block_destroy(block_table_get(id));
	block_table_exit();
	subsys_unregister(&memory_subsys);
	WRITE_ONCE(blocks.size, 0);
}
