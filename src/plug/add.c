// SPDX-License-Identifier: MIT
/*
 * Adding memory (ADD-1..24): checks in Linux's order, then resource, backing,
 * sections, block devices, node, links; every failure undone. Serialised by
 * device_hotplug_lock.
 */
#include <memplug/machine.h>
#include "backing/backing.h"
#include "block/block.h"
#include "device/bus.h"
#include "hotplug/hotplug.h"
#include "page/page.h"
#include "plug/plug.h"
#include "report/report.h"
#include "sync/thread.h"

struct addition {
	int nid;
	u64 start, size;
	mhp_t flags;
	struct memory_group *group;
	unsigned long vmemmap_pages;
	bool new_node;
};

bool plug_allowed(const char *what, const void *site)
{
	return !refuse_in_callback(what, site);
}

int plug_need_machine(void)
{
	if (READ_ONCE(machine_booted))
		return 0;
	return reason_set(MP_REASON_STATE, -ENXIO, "machine",
			  "no machine is booted in this process; call mp_boot() first");
}

struct range mhp_get_pluggable_range(bool need_mapping)
{
	struct range range = { 0, 0 };

	(void)need_mapping; /* all that can be addressed is in the direct map */
	if (machine_booted)
		range.end = machine_max_phys() - 1;
	return range;
}

bool mhp_range_allowed(u64 start, u64 size, bool need_mapping)
{
	struct range range = mhp_get_pluggable_range(need_mapping);
	u64 end = start + size;

	return start < end && start >= range.start && end - 1 <= range.end;
}

bool mhp_supports_memmap_on_memory(unsigned long size)
{
	unsigned long vmemmap = size / PAGE_SIZE * sizeof(struct page);

	return memmap_on_memory && memory_block_size_bytes() == SZ_128M &&
	       size == memory_block_size_bytes() && IS_ALIGNED(vmemmap, SZ_2M) &&
	       IS_ALIGNED(size - vmemmap, pageblock_nr_pages << PAGE_SHIFT);
}

/* ---- the machine's part, mem_hotplug_lock held ---- */

/* Linux leaves the sections before the one that fails (ADD-10). */
static int add_sections(struct addition *add)
{
	unsigned long pfn = PHYS_PFN(add->start), end = pfn + PHYS_PFN(add->size);
	int ret = 0;

	if (contract_is_document())
		return sections_add(pfn, end - pfn, add->nid, false);
	for (; pfn < end && !ret; pfn += PAGES_PER_SECTION)
		ret = sections_add(pfn, PAGES_PER_SECTION, add->nid, false);
	return ret;
}

static int arch_add(struct addition *add)
{
	int ret;

	ret = backing_add_node(add->start, add->size, add->nid);
	if (ret == -EEXIST)
		return reason_set(MP_REASON_CONFLICT, ret, "device memory",
				  "add of 0x%llx+0x%llx refused: device memory is there",
				  (unsigned long long)add->start, (unsigned long long)add->size);
	if (ret)
		return reason_set(MP_REASON_SYSTEM, ret, "backing",
				  "add of 0x%llx+0x%llx refused: the host gives no mapping for it (error %d)",
				  (unsigned long long)add->start, (unsigned long long)add->size, ret);
	ret = add_sections(add);
	if (ret) {
		backing_remove(add->start, add->size);
		return reason_set(ret == -EEXIST ? MP_REASON_CONFLICT : MP_REASON_NO_MEMORY, ret,
				  "sections", "add of 0x%llx+0x%llx refused: its sections are %s",
				  (unsigned long long)add->start, (unsigned long long)add->size,
				  ret == -EEXIST ? "there already" : "not to be had");
	}
	return 0;
}

static void arch_remove(u64 start, u64 size)
{
	sections_remove(PHYS_PFN(start), PHYS_PFN(size));
	backing_remove(start, size);
}

static int link_block(struct memory_block *mem, void *arg)
{
	struct addition *add = arg;
	int ret = link_memory_block(mem, add->nid);

	/* Linux only logs it (ADD-13); the default contract takes the add back. */
	if (ret && !contract_is_document()) {
		pr_warn("%s: cannot be linked to node %d: error %d", dev_name(&mem->dev), add->nid,
			ret);
		ret = 0;
	}
	return ret;
}

static int add_devices(struct addition *add)
{
	int ret;

	ret = create_memory_block_devices(add->start, add->size, add->vmemmap_pages, add->group);
	if (ret)
		return reason_set(ret == -EEXIST ? MP_REASON_CONFLICT : MP_REASON_NO_MEMORY, ret,
				  "memory block device",
				  "add of 0x%llx+0x%llx refused: its block devices cannot be made (error %d)",
				  (unsigned long long)add->start, (unsigned long long)add->size, ret);
	if (add->new_node) {
		node_set_state(add->nid, N_ONLINE);
		ret = register_one_node(add->nid);
		if (ret && !contract_is_document())
			mp_fatal_at(__FILE__, __LINE__, "node %d cannot be registered: error %d",
				    add->nid, ret);
		if (ret)
			goto undo;
	}
	ret = walk_memory_blocks(add->start, add->size, add, link_block);
	if (!ret)
		return 0;
	if (add->new_node)
		unregister_one_node(add->nid);
undo:
	if (add->new_node)
		node_clear_state(add->nid, N_ONLINE);
	remove_memory_block_devices(add->start, add->size);
	return reason_set(MP_REASON_NO_MEMORY, ret, "node device",
			  "add of 0x%llx+0x%llx refused: node %d cannot be shown (error %d)",
			  (unsigned long long)add->start, (unsigned long long)add->size, add->nid,
			  ret);
}

static int add_locked(struct addition *add, const char *type)
{
	int ret;

	ret = plug_online_node(add->nid, false);
	if (ret < 0)
		return ret;
	add->new_node = ret;
	if (add->flags & MHP_MEMMAP_ON_MEMORY) {
		if (!mhp_supports_memmap_on_memory((unsigned long)add->size))
			return reason_set(MP_REASON_ARGUMENT, -EINVAL, "memmap_on_memory",
					  "add of 0x%llx+0x%llx refused: it cannot hold its own descriptors",
					  (unsigned long long)add->start,
					  (unsigned long long)add->size);
		add->vmemmap_pages =
			PHYS_PFN(PHYS_PFN(add->size) * sizeof(struct page));
	}
	ret = arch_add(add);
	if (ret)
		return ret;
	ret = add_devices(add);
	if (ret)
		goto remove;
	if (strcmp(type, "System RAM"))
		return 0;
	ret = firmware_map_add(add->start, add->start + add->size - 1, type);
	if (!ret || !contract_is_document())
		return 0;
	remove_memory_block_devices(add->start, add->size);
	if (add->new_node) {
		unregister_one_node(add->nid);
		node_clear_state(add->nid, N_ONLINE);
	}
	reason_set(MP_REASON_NO_MEMORY, ret, "firmware map",
		   "add of 0x%llx+0x%llx refused: no memory for its firmware map entry",
		   (unsigned long long)add->start, (unsigned long long)add->size);
remove:
	arch_remove(add->start, add->size);
	return ret;
}

/* ADD-5 to 7. */
static int check(struct addition *add)
{
	u64 block = memory_block_size_bytes();

	if (!add->size || add->start % block || add->size % block) {
		pr_err("adding 0x%llx+0x%llx fails, it is not whole blocks of 0x%llx",
		       (unsigned long long)add->start, (unsigned long long)add->size,
		       (unsigned long long)block);
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "alignment",
				  "add of 0x%llx+0x%llx refused: not whole blocks of 0x%llx",
				  (unsigned long long)add->start, (unsigned long long)add->size,
				  (unsigned long long)block);
	}
	if (add->flags & MHP_NID_IS_MGID) {
		add->group = memory_group_find_by_id(add->nid);
		if (!add->group)
			return reason_set(MP_REASON_ARGUMENT, -EINVAL, "group",
					  "add refused: no memory group %d", add->nid);
		add->nid = add->group->nid;
	}
	if (WARN(!node_possible(add->nid), "node %d is not possible", add->nid))
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "node",
				  "add refused: node %d is not possible", add->nid);
	return 0;
}

/* ADD-16: stops at the first block that fails; nobody hears of it but the log. */
static int auto_online_block(struct memory_block *mem, void *arg)
{
	int ret;

	(void)arg;
	mem->online_type = READ_ONCE(mhp_default_online_type);
	ret = device_online(&mem->dev);
	if (ret < 0)
		pr_info("%s: not onlined by itself: error %d", dev_name(&mem->dev), ret);
	return ret < 0 ? ret : 0;
}

int add_memory_resource(int nid, struct resource *res, mhp_t flags)
{
	struct addition add = { .nid = nid, .flags = flags };
	int ret;

	if (!plug_allowed("add_memory_resource", __builtin_return_address(0)))
		return -EDEADLK;
	if (!res)
		return -EINVAL;
	reason_begin("add", -1);
	ret = plug_need_machine();
	if (ret)
		goto out;
	add.start = res->start;
	add.size = resource_size(res);
	ret = mhp_range_allowed(add.start, add.size, true) ? check(&add)
		: reason_set(MP_REASON_ARGUMENT, -E2BIG, "address",
			     "add of 0x%llx+0x%llx refused: not addressable",
			     (unsigned long long)add.start, (unsigned long long)add.size);
	if (ret)
		goto out;
	mem_hotplug_begin();
	ret = add_locked(&add, res->name);
	mem_hotplug_done();
	if (ret)
		goto out;
	if (flags & MHP_MERGE_RESOURCE)
		merge_system_ram_resource(res);
out:
	ring_record(MP_RING_ADD, (s64)add.start, (s64)add.size, ret, NULL);
	__atomic_fetch_add(ret ? &hotplug_counters.add_failed : &hotplug_counters.add, 1,
			   __ATOMIC_RELAXED);
	reason_end();
	if (!ret && READ_ONCE(mhp_default_online_type) != MMOP_OFFLINE)
		walk_memory_blocks(add.start, add.size, NULL, auto_online_block);
	return ret;
}

/* The common way of __add_memory() and the driver-managed form; device_hotplug_lock held. */
static int add_named(int nid, u64 start, u64 size, const char *name, mhp_t flags)
{
	struct resource *res;
	int ret;

	reason_begin("add", -1);
	ret = plug_need_machine();
	if (ret)
		goto out;
	if (!mhp_range_allowed(start, size, true)) {
		pr_warn("hotplugged memory 0x%llx+0x%llx exceeds the addressable range",
			(unsigned long long)start, (unsigned long long)size);
		ret = reason_set(MP_REASON_ARGUMENT, -E2BIG, "address",
				 "add of 0x%llx+0x%llx refused: not addressable (the machine ends at 0x%llx)",
				 (unsigned long long)start, (unsigned long long)size,
				 (unsigned long long)machine_max_phys());
		goto out;
	}
	res = register_memory_resource(start, size, name, &ret);
	if (!res) {
		/* Linux says EEXIST here also for want of memory (ADD-4). */
		ret = reason_set(ret == -ENOMEM ? MP_REASON_NO_MEMORY : MP_REASON_CONFLICT,
				 ret == -ENOMEM && contract_is_document() ? -ENOMEM : -EEXIST,
				 "resource",
				 "add of 0x%llx+0x%llx refused: the range is taken or cannot be entered",
				 (unsigned long long)start, (unsigned long long)size);
		goto out;
	}
	ret = add_memory_resource(nid, res, flags);
	if (ret)
		release_memory_resource(res);
	reason_end();
	return ret;
out:
	__atomic_fetch_add(&hotplug_counters.add_failed, 1, __ATOMIC_RELAXED);
	reason_end();
	return ret;
}

int __add_memory(int nid, u64 start, u64 size, mhp_t flags)
{
	if (!plug_allowed("__add_memory", __builtin_return_address(0)))
		return -EDEADLK;
	return add_named(nid, start, size, "System RAM", flags);
}

int add_memory(int nid, u64 start, u64 size, mhp_t flags)
{
	int ret;

	if (!plug_allowed("add_memory", __builtin_return_address(0)))
		return -EDEADLK;
	lock_device_hotplug();
	ret = add_named(nid, start, size, "System RAM", flags);
	unlock_device_hotplug();
	return ret;
}

int add_memory_driver_managed(int nid, u64 start, u64 size, const char *name, mhp_t flags)
{
	static const char prefix[] = "System RAM (";
	int ret;

	if (!plug_allowed("add_memory_driver_managed", __builtin_return_address(0)))
		return -EDEADLK;
	if (!name || strncmp(name, prefix, sizeof(prefix) - 1) || name[strlen(name) - 1] != ')')
		return -EINVAL;
	lock_device_hotplug();
	ret = add_named(nid, start, size, name, flags);
	unlock_device_hotplug();
	return ret;
}

/* What the probe file adds: one block, on the node that has the nearest boot memory below. */
static int probe_add(u64 address)
{
	return add_named(first_online_node, address, memory_block_size_bytes(), "System RAM",
			 MHP_NONE);
}

__attribute__((constructor)) static void add_at_start(void)
{
	memory_probe_hook = probe_add;
}
