// SPDX-License-Identifier: MIT
/*
 * Booting a machine from its description and taking it down (BOOT-1..5,
 * DESIGN D2). Boot is a list of steps with an undo each; what fails half-way
 * leaves nothing. Runs alone: `booting` refuses a second one.
 */
#include <memplug/machine.h>
#include "backing/backing.h"
#include "block/block.h"
#include "block/cpu.h"
#include "device/bus.h"
#include "device/tree.h"
#include "hotplug/hotplug.h"
#include "hotplug/pagemap.h"
#include "hotplug/timings.h"
#include "os/os.h"
#include "page/page.h"
#include "plug/boot_ram.h"
#include "plug/desc.h"
#include "plug/plug.h"
#include "plug/plug_files.h"
#include "plug/slot.h"
#include "report/report.h"
#include "sync/thread.h"

bool machine_booted;

static struct {
	struct mutex lock; /* one boot or shutdown at a time */
	struct backing_config backing;
	u64 block_size;
	struct mp_desc desc; /* lists are borrowed, during boot only */
} machine;

u64 machine_max_phys(void)
{
	return machine.backing.max_phys;
}

bool mp_booted(void)
{
	return READ_ONCE(machine_booted);
}

static void reset_after_fork(void)
{
	/* The chains stay; everything that belongs to the machine is gone. */
	WRITE_ONCE(machine_booted, false);
	mutex_init(&machine.lock);
	nr_node_ids = 0;
	memset(node_states, 0, sizeof(nodemask_t) * NR_NODE_STATES);
	inject_tree_forget();
	params_forget();
	own_plug_forget();
	memory_dev_forget();
	cpu_dev_forget();
	slots_forget();
	node_dev_forget();
	online_page_callback_forget();
	backing_forget();
}

__attribute__((constructor)) static void boot_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

static int refuse(int error, const char *text)
{
	return reason_set(MP_REASON_ARGUMENT, error, "description", "boot refused: %s", text);
}

/* ---- step 0: does the description make sense ---- */

static u64 ram_end(const struct mp_desc *desc)
{
	const struct desc_range *last = &desc->ram.at[desc->ram.count - 1];

	return last->start + last->size;
}

/* BLOCK-3, the virtual machine's rule. */
static u64 auto_block_size(u64 end)
{
	u64 size = SZ_1G * 2;

	if (end < 64 * SZ_1G)
		return SZ_128M;
	while (size > SZ_128M && !IS_ALIGNED(end, size))
		size /= 2;
	return size;
}

static int check_desc(const struct mp_desc *desc, u64 *block_size)
{
	const struct desc_range *range;
	int i;

	if (!desc)
		return refuse(-EINVAL, "no description");
	if (!desc->ram.count)
		return refuse(-EINVAL, "the machine has no RAM to boot with; add a ram range");
	*block_size = desc->block_size ? desc->block_size : auto_block_size(ram_end(desc));
	for (i = 0; i < desc->ram.count; i++) {
		range = &desc->ram.at[i];
		if (range->start + range->size > desc->max_phys)
			return refuse(-EINVAL, "RAM above max_phys");
		if (range->movable && !IS_ALIGNED(range->start | range->size, SZ_2M))
			return refuse(-EINVAL, "movable RAM must be whole 2 MiB pageblocks");
	}
	for (i = 0; i < desc->offline.count; i++) {
		range = &desc->offline.at[i];
		if (!IS_ALIGNED(range->start | range->size, *block_size))
			return refuse(-EINVAL, "offline memory must be whole blocks");
		if (range->start + range->size > desc->max_phys)
			return refuse(-EINVAL, "offline memory above max_phys");
	}
	return 0;
}

/* ---- nodes ---- */

static void nodes_prepare(const struct mp_desc *desc)
{
	int nid, i;

	memset(node_states, 0, sizeof(nodemask_t) * NR_NODE_STATES);
	nr_node_ids = 0;
	for (nid = 0; nid < MAX_NUMNODES; nid++) {
		if (!desc_node_possible(desc, nid))
			continue;
		node_set_state(nid, N_POSSIBLE);
		nr_node_ids = nid + 1;
	}
	for (i = 0; i < desc->nr_cpus; i++)
		if (desc->cpus[i].online)
			node_set_state(desc->cpus[i].nid, N_ONLINE);
	for (i = 0; i < desc->ram.count; i++)
		node_set_state(desc->ram.at[i].nid, N_ONLINE);
}

static void cpus_prepare(const struct mp_desc *desc)
{
	int nid, i;

	cpus_clear();
	cpu_online_node_hook = try_online_node;
	for (i = 0; i < desc->nr_cpus; i++)
		cpu_describe(desc->cpus[i].cpu, desc->cpus[i].nid, desc->cpus[i].present,
			     desc->cpus[i].online);
	for_each_node(nid)
		cpu_count_node(nid);
}

static int page_boot(const struct mp_desc *desc)
{
	struct page_config config = {
		.max_phys = machine.backing.max_phys,
		.block_size = machine.block_size,
		.nr_node_ids = nr_node_ids,
		.follow_linux = !desc->document,
	};
	int *distance, i, j, ret;

	distance = os_alloc((size_t)nr_node_ids * (size_t)nr_node_ids * sizeof(*distance));
	if (!distance)
		return -ENOMEM;
	for (i = 0; i < nr_node_ids; i++)
		for (j = 0; j < nr_node_ids; j++)
			distance[i * nr_node_ids + j] = i == j ? 10 : 20;
	for (i = 0; i < desc->nr_distances; i++)
		distance[desc->distances[i].from * nr_node_ids + desc->distances[i].to] =
			desc->distances[i].distance;
	config.distance = distance;
	ret = page_init(&config);
	os_free(distance);
	return ret;
}

/* ---- devices ---- */

static int devices_boot(const struct mp_desc *desc)
{
	int nid, ret;

	probe_file_exists = desc->probe;
	ret = memory_dev_init(machine.block_size);
	if (ret)
		return ret;
	ret = ram_devices(desc) ?: node_dev_init() ?: cpu_dev_init();
	if (ret)
		return ret;
	for_each_online_node(nid) {
		ret = register_one_node(nid);
		if (ret)
			return ret;
	}
	return ram_links(desc) ?: proc_register() ?: params_register() ?:
		inject_tree_register() ?: firmware_map_register() ?: slots_register() ?: own_files_register();
}

static void devices_exit(void)
{
	own_files_unregister();
	firmware_map_unregister();
	inject_tree_unregister();
	params_unregister();
	proc_unregister();
	slots_exit();
	memory_dev_exit();
	cpu_dev_exit();
	node_dev_exit();
}

/* ---- the whole ---- */

static void settings(const struct mp_desc *desc)
{
	contract_set(desc->document);
	mhp_default_online_type = desc->default_online_type;
	online_policy = desc->online_policy;
	auto_movable_ratio = desc->auto_movable_ratio;
	auto_movable_numa_aware = desc->auto_movable_numa_aware;
	memmap_on_memory = desc->memmap_on_memory;
	movable_node_enabled = desc->movable_node;
	memset(&hotplug_counters, 0, sizeof(hotplug_counters));
	block_reasons_init();
	timings_reset();
}

enum boot_level { NOTHING, TREE, BACKING, PAGES, RAM, DEVICES };

static void boot_undo(enum boot_level level)
{
	switch (level) {
	case DEVICES:
		devices_exit();
		fallthrough;
	case RAM:
		firmware_map_exit();
		resource_exit();
		groups_exit();
		fallthrough;
	case PAGES:
		page_exit();
		fallthrough;
	case BACKING:
		backing_exit();
		fallthrough;
	case TREE:
		tree_exit();
		fallthrough;
	case NOTHING:
		tree_changes_unshare();
		cpus_clear();
		memset(node_states, 0, sizeof(nodemask_t) * NR_NODE_STATES);
		nr_node_ids = 0;
	}
}

static int boot_steps(const struct mp_desc *desc, enum boot_level *level)
{
	int ret;

	settings(desc);
	nodes_prepare(desc);
	ret = tree_changes_share() ?: tree_init();
	if (ret)
		return ret;
	*level = TREE;
	machine.backing = (struct backing_config){
		.kind = desc->backing,
		.rules = desc->backings,
		.nr_rules = desc->nr_backings,
		.populate = desc->populate,
		.overcommit = desc->overcommit,
		.block_size = machine.block_size,
		.max_phys = desc->max_phys,
	};
	ret = backing_init(&machine.backing);
	if (ret)
		return ret;
	*level = BACKING;
	if (ram_end(desc) > machine.backing.max_phys)
		return reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "address space",
				  "boot refused: RAM up to 0x%llx needs more address space than the %llu GiB to be had",
				  (unsigned long long)ram_end(desc),
				  (unsigned long long)(machine.backing.max_phys >> 30));
	ret = page_boot(desc);
	if (ret)
		return ret;
	*level = PAGES;
	cpus_prepare(desc);
	failure_init();
	ret = resource_init();
	if (ret)
		return ret;
	*level = RAM;
	ret = ram_populate(desc, machine.block_size);
	if (ret)
		return ret;
	*level = DEVICES;
	return devices_boot(desc);
}

static int add_offline_ranges(const struct mp_desc *desc)
{
	int type = mhp_default_online_type, i, ret = 0;

	/* It was there, offline, when the machine was described: it stays so. */
	mhp_default_online_type = MMOP_OFFLINE;
	for (i = 0; i < desc->offline.count && !ret; i++)
		ret = add_memory(desc->offline.at[i].nid, desc->offline.at[i].start,
				 desc->offline.at[i].size, MHP_NONE);
	mhp_default_online_type = type;
	return ret;
}

int mp_boot(const struct mp_desc *desc)
{
	enum boot_level level = NOTHING;
	int ret;

	if (!plug_allowed("mp_boot", __builtin_return_address(0)))
		return -EDEADLK;
	reason_begin("boot", -1);
	mutex_lock(&machine.lock);
	if (machine_booted) {
		ret = reason_set(MP_REASON_BUSY, -EBUSY, "machine",
				 "boot refused: this process has a machine; mp_shutdown() it first");
		goto out;
	}
	ret = check_desc(desc, &machine.block_size);
	if (ret)
		goto out;
	/* The device layers below take their locks as in a running machine. */
	lock_device_hotplug();
	mem_hotplug_begin();
	ret = boot_steps(desc, &level);
	mem_hotplug_done();
	if (!ret)
		WRITE_ONCE(machine_booted, true);
	unlock_device_hotplug();
	if (!ret) {
		ret = add_offline_ranges(desc);
		if (ret)
			WRITE_ONCE(machine_booted, false);
	}
	if (ret) {
		lock_device_hotplug();
		mem_hotplug_begin();
		boot_undo(level);
		mem_hotplug_done();
		unlock_device_hotplug();
		reason_set(ret == -ENOMEM ? MP_REASON_NO_MEMORY : MP_REASON_SYSTEM, ret, "boot",
			   "boot refused: error %d; nothing is left of it", ret);
		/* BOOT-1 */
		if (!desc->document)
			mp_fatal_at(__FILE__, __LINE__, "the machine cannot boot: error %d", ret);
	}
	ring_record(MP_RING_BOOT, (s64)memory_blocks_count(false), 0, ret, NULL);
out:
	mutex_unlock(&machine.lock);
	reason_end();
	if (!ret)
		modules_load_all();
	return ret;
}

/* ---- shutdown ---- */

static int referenced_block(struct memory_block *mem, void *arg)
{
	/* The table's own reference and the walk's. */
	if (READ_ONCE(mem->dev.refs) <= 2)
		return 0;
	*(unsigned long *)arg = memory_block_id(mem);
	return 1;
}

static int in_use(void)
{
	char holder[96], state[64];
	unsigned long block = 0, pages;
	struct page *page = NULL;
	unsigned long pfn;
	const void *site;

	pages = page_in_use(&page);
	if (pages) {
		page_describe(page_to_pfn(page), holder, sizeof(holder), state, sizeof(state));
		reason_set(MP_REASON_BUSY, -EBUSY, holder,
			   "shutdown refused: %lu pages are allocated, for example 0x%lx (%s) by %s; free them",
			   pages, page_to_pfn(page), state, holder);
		reason_page(page_to_pfn(page), pages);
		return -EBUSY;
	}
	if (pagemap_any(&pfn, &site)) {
		mp_symbol_name(site, holder, sizeof(holder));
		return reason_set(MP_REASON_BUSY, -EBUSY, holder,
				  "shutdown refused: device memory at 0x%llx of %s is there; memunmap_pages() it",
				  (unsigned long long)PFN_PHYS(pfn), holder);
	}
	if (for_each_memory_block(&block, referenced_block))
		return reason_set(MP_REASON_BUSY, -EBUSY, "device reference",
				  "shutdown refused: memory%lu is referenced; put_device() it",
				  block);
	return 0;
}

int mp_shutdown(void)
{
	int ret;

	if (!plug_allowed("mp_shutdown", __builtin_return_address(0)))
		return -EDEADLK;
	reason_begin("shutdown", -1);
	mutex_lock(&machine.lock);
	ret = plug_need_machine();
	if (ret)
		goto out;
	if (device_hotplug_lock_held() || percpu_is_read_locked(&mp_mem_hotplug_lock)) {
		ret = reason_set(MP_REASON_BUSY, -EBUSY, "mem_hotplug_lock",
				 "shutdown refused: an operation or a read section is active");
		goto out;
	}
	lock_device_hotplug();
	mem_hotplug_begin();
	ret = in_use();
	if (!ret) {
		WRITE_ONCE(machine_booted, false);
		boot_undo(DEVICES);
	}
	mem_hotplug_done();
	unlock_device_hotplug();
out:
	mutex_unlock(&machine.lock);
	reason_end();
	return ret;
}
