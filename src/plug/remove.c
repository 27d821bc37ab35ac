// SPDX-License-Identifier: MIT
/*
 * Removing memory and nodes (REMOVE-1..15, NODE-6..8). Serialised by
 * device_hotplug_lock; blocks must be offline before anything is undone.
 */
#include "backing/backing.h"
#include "block/block.h"
#include "block/cpu.h"
#include "device/bus.h"
#include "hotplug/hotplug.h"
#include "os/os.h"
#include "page/page.h"
#include "plug/plug.h"
#include "report/report.h"

/* ---- nodes ---- */

int plug_online_node(int nid, bool set_online)
{
	int ret;

	if (node_online(nid))
		return 0;
	node_data_reset(nid);
	if (!set_online)
		return 1;
	node_set_state(nid, N_ONLINE);
	ret = register_one_node(nid);
	if (!ret)
		return 1;
	if (!contract_is_document())
		mp_fatal_at(__FILE__, __LINE__, "node %d cannot be registered: error %d", nid, ret);
	node_clear_state(nid, N_ONLINE);
	return ret;
}

int try_online_node(int nid)
{
	int ret;

	if (!plug_allowed("try_online_node", __builtin_return_address(0)))
		return -EDEADLK;
	if (!machine_booted)
		return -ENXIO;
	if (!node_possible(nid))
		return -EINVAL;
	mem_hotplug_begin();
	ret = plug_online_node(nid, true);
	mem_hotplug_done();
	return ret < 0 ? ret : 0;
}

static int block_on_node(struct memory_block *mem, void *arg)
{
	return mem->nid == *(int *)arg;
}

void try_offline_node(int nid)
{
	if (!machine_booted || !node_online(nid) || NODE_DATA(nid)->node_spanned_pages ||
	    node_next_cpu(nid, -1) >= 0 || for_each_memory_block(&nid, block_on_node))
		return;
	node_clear_state(nid, N_ONLINE);
	unregister_one_node(nid);
}

/* ---- remove_memory ---- */

struct removal {
	int nid;
	bool selfhosted;
	unsigned long busy; /* block that is not offline */
};

static int look_at_block(struct memory_block *mem, void *arg)
{
	struct removal *removal = arg;

	removal->nid = mem->nid;
	if (mem->nr_vmemmap_pages)
		removal->selfhosted = true;
	if (READ_ONCE(mem->state) == MEM_OFFLINE)
		return 0;
	removal->busy = memory_block_id(mem);
	return -EBUSY;
}

static int try_remove(u64 start, u64 size)
{
	struct removal removal = { .nid = NUMA_NO_NODE };
	u64 block = memory_block_size_bytes();
	int ret;

	if (!size || start % block || size % block || start + size < start) {
		if (!contract_is_document())
			mp_fatal_at(__FILE__, __LINE__,
				    "remove of 0x%llx+0x%llx: not whole blocks",
				    (unsigned long long)start, (unsigned long long)size);
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "alignment",
				  "remove of 0x%llx+0x%llx refused: not whole blocks",
				  (unsigned long long)start, (unsigned long long)size);
	}
	ret = walk_memory_blocks(start, size, &removal, look_at_block);
	if (ret) {
		pr_warn("removing memory fails, memory%lu is not offline", removal.busy);
		return reason_set(MP_REASON_STATE, ret, "state",
				  "remove of 0x%llx+0x%llx refused: memory%lu is not offline; offline it first",
				  (unsigned long long)start, (unsigned long long)size,
				  removal.busy);
	}
	if (memmap_on_memory && removal.selfhosted && size != block) {
		pr_warn("cannot remove memory: wrong granularity");
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "memmap_on_memory",
				  "remove of 0x%llx+0x%llx refused: blocks with their own descriptors go one by one",
				  (unsigned long long)start, (unsigned long long)size);
	}
	firmware_map_remove(start, start + size - 1, "System RAM");
	remove_memory_block_devices(start, size);
	mem_hotplug_begin();
	sections_remove(PHYS_PFN(start), PHYS_PFN(size));
	backing_remove(start, size);
	release_mem_region_adjustable(start, size);
	if (removal.nid != NUMA_NO_NODE)
		try_offline_node(removal.nid);
	mem_hotplug_done();
	return 0;
}

int plug_remove(u64 start, u64 size)
{
	int ret;

	reason_begin("remove", -1);
	ret = plug_need_machine() ?: try_remove(start, size);
	ring_record(MP_RING_REMOVE, (s64)start, (s64)size, ret, NULL);
	__atomic_fetch_add(ret ? &hotplug_counters.remove_failed : &hotplug_counters.remove, 1,
			   __ATOMIC_RELAXED);
	reason_end();
	return ret;
}

int remove_memory(u64 start, u64 size)
{
	int ret;

	if (!plug_allowed("remove_memory", __builtin_return_address(0)))
		return -EDEADLK;
	lock_device_hotplug();
	ret = plug_remove(start, size);
	unlock_device_hotplug();
	return ret;
}

void __remove_memory(u64 start, u64 size)
{
	int ret;

	if (!plug_allowed("__remove_memory", __builtin_return_address(0)))
		return;
	ret = plug_remove(start, size);
	if (ret)
		mp_fatal_at(__FILE__, __LINE__, "__remove_memory of 0x%llx+0x%llx: error %d",
			    (unsigned long long)start, (unsigned long long)size, ret);
}

/* ---- offline_and_remove_memory ---- */

/* What each block was before: MMOP_OFFLINE: offline already; else how to bring it back. */
struct walk_back {
	u8 *was;
	u64 first;
};

static int offline_block(struct memory_block *mem, void *arg)
{
	struct walk_back *back = arg;
	u8 *was = &back->was[memory_block_id(mem) - back->first];
	struct page *page = pfn_to_online_page(memory_block_pfn(mem));
	bool movable = page && page_zone(page) && page_zonenum(page) == ZONE_MOVABLE;
	int ret;

	ret = device_offline(&mem->dev);
	if (!ret)
		*was = movable ? MMOP_ONLINE_MOVABLE : MMOP_ONLINE_KERNEL;
	return ret < 0 ? ret : 0;
}

static int online_block_again(struct memory_block *mem, void *arg)
{
	struct walk_back *back = arg;
	u8 was = back->was[memory_block_id(mem) - back->first];
	int ret;

	if (was == MMOP_OFFLINE)
		return 0;
	mem->online_type = was;
	ret = device_online(&mem->dev);
	if (ret < 0)
		pr_warn("%s: cannot be onlined again: error %d", dev_name(&mem->dev), ret);
	return 0;
}

int plug_offline_and_remove(u64 start, u64 size)
{
	u64 block = memory_block_size_bytes();
	struct walk_back back = { .was = os_alloc(size / block), .first = start / block };
	int ret;

	reason_begin("offline+remove", -1);
	if (!back.was) {
		ret = reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "heap",
				 "offline and remove refused: no memory for bookkeeping");
		goto out;
	}
	ret = walk_memory_blocks(start, size, &back, offline_block);
	if (!ret)
		ret = plug_remove(start, size);
	if (ret) {
		event_ignore_late_veto(true);
		walk_memory_blocks(start, size, &back, online_block_again);
		event_ignore_late_veto(false);
	}
	os_free(back.was);
out:
	reason_end();
	return ret;
}

int offline_and_remove_memory(u64 start, u64 size)
{
	u64 block = memory_block_size_bytes();
	int ret;

	if (!plug_allowed("offline_and_remove_memory", __builtin_return_address(0)))
		return -EDEADLK;
	reason_begin("offline+remove", -1);
	ret = plug_need_machine();
	if (ret)
		goto out;
	if (!size || start % block || size % block || start + size < start) {
		ret = reason_set(MP_REASON_ARGUMENT, -EINVAL, "alignment",
				 "offline and remove of 0x%llx+0x%llx refused: not whole blocks",
				 (unsigned long long)start, (unsigned long long)size);
		goto out;
	}
	lock_device_hotplug();
	ret = plug_offline_and_remove(start, size);
	unlock_device_hotplug();
out:
	reason_end();
	return ret;
}
