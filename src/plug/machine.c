// SPDX-License-Identifier: MIT
/*
 * Looking at the machine as a whole: statistics, the checker, the contract.
 * Reads atomics and the layers' own checkers; holds no state.
 */
#include <memplug/machine.h>
#include "backing/backing.h"
#include "block/block.h"
#include "block/cpu.h"
#include "device/bus.h"
#include "hotplug/hotplug.h"
#include "page/page.h"
#include "plug/plug.h"
#include "report/report.h"

#ifndef MEMPLUG_VERSION
#define MEMPLUG_VERSION "0.1.0"
#endif

const char *mp_version(void)
{
	return MEMPLUG_VERSION;
}

const char *mp_contract(void)
{
	if (!READ_ONCE(machine_booted))
		return NULL;
	return contract_is_document() ? "document" : "linux-6.1";
}

int mp_set_contract(const char *name)
{
	bool document;

	if (!machine_booted)
		return -ENXIO;
	if (!name)
		return -EINVAL;
	document = !strcmp(name, "document");
	if (!document && strcmp(name, "linux-6.1"))
		return -EINVAL;
	if (!plug_allowed("mp_set_contract", __builtin_return_address(0)))
		return -EDEADLK;
	lock_device_hotplug();
	contract_set(document);
	unlock_device_hotplug();
	return 0;
}

static u64 get(const u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

int mp_get_stats(struct mp_stats *stats)
{
	const struct hotplug_counters *c = &hotplug_counters;
	int nid;

	if (!stats)
		return -EINVAL;
	if (!machine_booted)
		return -ENXIO;
	*stats = (struct mp_stats){
		.blocks = memory_blocks_count(false),
		.blocks_online = memory_blocks_count(true),
		.pages_managed = totalram_pages(),
		.pages_free = nr_free_pages(),
		.bytes_resident = backing_resident_total(),
		.online = get(&c->online),
		.online_failed = get(&c->online_failed),
		.offline = get(&c->offline),
		.offline_failed = get(&c->offline_failed),
		.add = get(&c->add),
		.add_failed = get(&c->add_failed),
		.remove = get(&c->remove),
		.remove_failed = get(&c->remove_failed),
		.pages_migrated = get(&c->pages_migrated),
		.pages_migrate_failed = get(&c->pages_migrate_failed),
		.bytes_given_back = get(&c->bytes_given_back),
		.late_vetoes = get(&c->late_vetoes),
		.migrate_ns = get(&c->migrate_ns),
	};
	for_each_online_node(nid)
		stats->pages_present += READ_ONCE(NODE_DATA(nid)->node_present_pages);
	return 0;
}

int64_t mp_block_resident(long block)
{
	struct memory_block *mem;
	u64 size = memory_block_size_bytes();

	if (!machine_booted)
		return -ENXIO;
	mem = block < 0 ? NULL : block_table_get((unsigned long)block);
	if (!mem)
		return -ENOENT;
	put_device(&mem->dev);
	return backing_resident((u64)block * size, size);
}

int mp_block_fd(long block, uint64_t *offset)
{
	struct memory_block *mem;
	int fd;

	if (!machine_booted)
		return -ENXIO;
	mem = block < 0 ? NULL : block_table_get((unsigned long)block);
	if (!mem)
		return -ENOENT;
	/* The reference keeps the block's number taken, and so its extent. */
	fd = backing_fd((u64)block * memory_block_size_bytes(), offset);
	put_device(&mem->dev);
	return fd;
}

/* ---- the checker ---- */

static void say_log(const char *text, void *arg)
{
	(void)arg;
	pr_err("machine check: %s", text);
}

static int check_block(struct memory_block *mem, void *arg)
{
	struct checker *check = arg;
	const char *name = dev_name(&mem->dev);
	bool online = mem->state == MEM_ONLINE;

	if (mem->state != MEM_ONLINE && mem->state != MEM_OFFLINE)
		checker_found(check, "%s: state %lu between operations", name, mem->state);
	if (mem->dev.offline == online)
		checker_found(check, "%s: state %s but offline flag %d", name,
		      memory_block_state_name(mem->state), mem->dev.offline);
	if (!online && mem->zone)
		checker_found(check, "%s: offline but in a zone", name);
	if (!!pfn_to_online_page(memory_block_pfn(mem)) != online)
		checker_found(check, "%s: state %s but its first section disagrees", name,
		      memory_block_state_name(mem->state));
	if (online && mem->zone &&
	    !zone_intersects(mem->zone, memory_block_pfn(mem), memory_block_pages()))
		checker_found(check, "%s: outside the span of its zone %s", name, mem->zone->name);
	if (mem->nid < 0 || !node_online(mem->nid))
		checker_found(check, "%s: on node %d, which is not online", name, mem->nid);
	if (READ_ONCE(mem->dev.refs) > 2)
		checker_found(check, "%s: %d references too many", name, mem->dev.refs - 2);
	return 0;
}

static void check_nodes(struct checker *check)
{
	int nid, i;

	for_each_node(nid) {
		pg_data_t *node = NODE_DATA(nid);
		unsigned long present = 0, kernel = 0;

		for (i = 0; i < MAX_NR_ZONES; i++) {
			struct zone *zone = &node->node_zones[i];

			present += zone->present_pages;
			if (i <= ZONE_NORMAL)
				kernel += zone->present_pages;
			if (zone->present_pages > zone->spanned_pages)
				checker_found(check, "node %d zone %s: present %lu > spanned %lu", nid,
				      zone->name, zone->present_pages, zone->spanned_pages);
			if (zone->nr_isolate_pageblock || zone->pcp_disabled)
				checker_found(check, "node %d zone %s: %lu pageblocks left isolated, lists %s",
				      nid, zone->name, zone->nr_isolate_pageblock,
				      zone->pcp_disabled ? "off" : "on");
		}
		if (present != node->node_present_pages)
			checker_found(check, "node %d: zones have %lu pages, node %lu", nid, present,
			      node->node_present_pages);
		if (!!present != !!node_state(nid, N_MEMORY))
			checker_found(check, "node %d: %lu pages but N_MEMORY %d", nid, present,
			      node_state(nid, N_MEMORY));
		if (!!kernel != !!node_state(nid, N_NORMAL_MEMORY))
			checker_found(check, "node %d: %lu kernel pages but N_NORMAL_MEMORY %d", nid, kernel,
			      node_state(nid, N_NORMAL_MEMORY));
		if (!!mp_node_device(nid) != !!node_online(nid))
			checker_found(check, "node %d: online %d but device %d", nid, node_online(nid),
			      !!mp_node_device(nid));
	}
}

static void check_cpus(struct checker *check)
{
	unsigned int cpu;
	int nid;

	for_each_online_cpu(cpu)
		if (!cpu_present(cpu) || !node_online(cpu_to_node((int)cpu)) ||
		    !node_state(cpu_to_node((int)cpu), N_CPU))
			checker_found(check, "cpu%u: online, but present %d and node %d online %d", cpu,
			      cpu_present(cpu), cpu_to_node((int)cpu),
			      node_online(cpu_to_node((int)cpu)));
	for_each_possible_cpu(cpu)
		if (!!get_cpu_device(cpu) != cpu_present(cpu) ||
		    (cpu_present(cpu) && get_cpu_device(cpu)->offline == cpu_online(cpu)))
			checker_found(check, "cpu%u: present %d, online %d, and its device disagrees", cpu,
			      cpu_present(cpu), cpu_online(cpu));
	for_each_node_state(nid, N_CPU) {
		for_each_online_cpu(cpu)
			if (cpu_to_node((int)cpu) == nid)
				break;
		if (cpu >= NR_CPUS)
			checker_found(check, "node %d: in has_cpu without an online CPU", nid);
	}
}

int plug_check(void (*say)(const char *text, void *arg), void *arg)
{
	struct checker check = { say, arg, 0 };

	check.found += page_check(check.say, check.arg);
	for_each_memory_block(&check, check_block);
	check_nodes(&check);
	check_cpus(&check);
	return check.found;
}

int mp_check(void (*say)(const char *text, void *arg), void *arg)
{
	struct checker check = { say ? say : say_log, arg, 0 };

	if (!machine_booted)
		return 0;
	check.found = plug_check(check.say, check.arg);
	if (mp_mem_hotplug_lock.block || device_hotplug_lock_held())
		checker_found(&check, "a hotplug lock is held between operations");
	return check.found;
}
