/* SPDX-License-Identifier: MIT */
/*
 * The names and order of the kernel's memory counters. This machine has no
 * page cache, no reclaim and no swap, so most of them are zero for ever; they
 * are there because programs look for them. No state.
 */
#include <linux/kernel.h>
#include "block/vmstat.h"

static const char *const zone_counters[] = {
	"nr_free_pages",
	"nr_zone_inactive_anon",
	"nr_zone_active_anon",
	"nr_zone_inactive_file",
	"nr_zone_active_file",
	"nr_zone_unevictable",
	"nr_zone_write_pending",
	"nr_mlock",
	"nr_bounce",
	"nr_zspages",
	"nr_free_cma",
};

static const char *const numa_counters[] = {
	"numa_hit",	   "numa_miss",	 "numa_foreign",
	"numa_interleave", "numa_local", "numa_other",
};

static const char *const node_counters[] = {
	"nr_inactive_anon",
	"nr_active_anon",
	"nr_inactive_file",
	"nr_active_file",
	"nr_unevictable",
	"nr_slab_reclaimable",
	"nr_slab_unreclaimable",
	"nr_isolated_anon",
	"nr_isolated_file",
	"workingset_nodes",
	"workingset_refault_anon",
	"workingset_refault_file",
	"workingset_activate_anon",
	"workingset_activate_file",
	"workingset_restore_anon",
	"workingset_restore_file",
	"workingset_nodereclaim",
	"nr_anon_pages",
	"nr_mapped",
	"nr_file_pages",
	"nr_dirty",
	"nr_writeback",
	"nr_writeback_temp",
	"nr_shmem",
	"nr_shmem_hugepages",
	"nr_shmem_pmdmapped",
	"nr_file_hugepages",
	"nr_file_pmdmapped",
	"nr_anon_transparent_hugepages",
	"nr_vmscan_write",
	"nr_vmscan_immediate_reclaim",
	"nr_dirtied",
	"nr_written",
	"nr_throttled_written",
	"nr_kernel_misc_reclaimable",
	"nr_foll_pin_acquired",
	"nr_foll_pin_released",
	"nr_kernel_stack",
	"nr_page_table_pages",
	"nr_sec_page_table_pages",
	"nr_swapcached",
	"pgpromote_success",
	"pgpromote_candidate",
};

static void line(struct text *text, const char *indent, int width, const char *name,
		 unsigned long value)
{
	text_printf(text, "%s%-*s %lu\n", indent, width, name, value);
}

void vmstat_zone_counters(struct text *text, const char *indent, int width, unsigned long free)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(zone_counters); i++)
		line(text, indent, width, zone_counters[i], i ? 0 : free);
}

/* Who asks for a node gets it or nothing, so each allocation is a local hit. */
void vmstat_numa_counters(struct text *text, const char *indent, int width, unsigned long hits)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numa_counters); i++)
		line(text, indent, width, numa_counters[i], i == 0 || i == 4 ? hits : 0);
}

void vmstat_node_counters(struct text *text, const char *indent, int width)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(node_counters); i++)
		line(text, indent, width, node_counters[i], 0);
}

unsigned long node_free_pages(const pg_data_t *node)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		sum += (unsigned long)READ_ONCE(node->node_zones[i].nr_free);
	return sum;
}

unsigned long node_managed_pages(const pg_data_t *node)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < MAX_NR_ZONES; i++)
		sum += zone_managed_pages(&node->node_zones[i]);
	return sum;
}

unsigned long node_allocations(const pg_data_t *node)
{
	return node_pgalloc(node);
}
