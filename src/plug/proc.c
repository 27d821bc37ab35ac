/* SPDX-License-Identifier: MIT */
/*
 * The files of /proc that show memory (PROC-1..8). Their texts are made at each
 * read from counters that change meanwhile; no lock is taken that an offline
 * holds, so they can be read while one runs. State: none but the directory.
 */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/mmzone.h>
#include "block/block.h"
#include "block/vmstat.h"
#include "device/text.h"
#include "device/tree.h"
#include "hotplug/hotplug.h"
#include "page/page.h"
#include "plug/plug_files.h"

#define MAX_THRESHOLD 125
#define KB(pages) ((pages) << (PAGE_SHIFT - 10))

static struct mp_dir *proc_dir;

#define for_each_zone_of(zone, node)                                                               \
	for ((zone) = (node)->node_zones; (zone) < (node)->node_zones + MAX_NR_ZONES; (zone)++)

/* ---- zoneinfo ---- */

static int last_set_bit(unsigned long value)
{
	return value ? BITS_PER_LONG - __builtin_clzl(value) : 0;
}

/* How far a CPU's private counters would stray: grows with CPUs and memory. */
static int stat_threshold(const struct zone *zone)
{
	unsigned long blocks = zone_managed_pages(zone) >> (27 - PAGE_SHIFT);

	return min(2 * last_set_bit(num_online_cpus()) * (1 + last_set_bit(blocks)),
		   MAX_THRESHOLD);
}

/* Lists belong to threads here; the zone's sum stands with the first CPU. */
static void show_pagesets(struct text *text, struct zone *zone)
{
	bool disabled = READ_ONCE(zone->pcp_disabled);
	unsigned long count = zone_pcp_pages(zone);
	unsigned int cpu;

	text_printf(text, "  pagesets\n");
	for_each_online_cpu(cpu) {
		text_printf(text,
			    "    cpu: %u\n"
			    "              count: %lu\n"
			    "              high:  %i\n"
			    "              batch: %i\n"
			    "  vm stats threshold: %d\n",
			    cpu, count, disabled ? 0 : READ_ONCE(zone->pageset_high),
			    disabled ? 1 : READ_ONCE(zone->pageset_batch), stat_threshold(zone));
		count = 0;
	}
}

static void show_zone_sizes(struct text *text, const struct zone *zone)
{
	int i;

	text_printf(text,
		    "  pages free     %lu\n"
		    "        boost    0\n"
		    "        min      %lu\n"
		    "        low      %lu\n"
		    "        high     %lu\n"
		    "        spanned  %lu\n"
		    "        present  %lu\n"
		    "        managed  %lu\n"
		    "        cma      0\n"
		    "        protection: (",
		    (unsigned long)READ_ONCE(zone->nr_free), READ_ONCE(zone->_watermark[WMARK_MIN]),
		    READ_ONCE(zone->_watermark[WMARK_LOW]), READ_ONCE(zone->_watermark[WMARK_HIGH]),
		    READ_ONCE(zone->spanned_pages), READ_ONCE(zone->present_pages),
		    zone_managed_pages(zone));
	for (i = 0; i < MAX_NR_ZONES; i++)
		text_printf(text, "%s%ld", i ? ", " : "", READ_ONCE(zone->lowmem_reserve[i]));
	text_printf(text, ")\n");
}

static void show_zone(struct text *text, const pg_data_t *node, struct zone *zone, bool first)
{
	text_printf(text, "Node %d, zone %8s\n", node->node_id, zone->name);
	if (first) {
		text_printf(text, "  per-node stats\n");
		vmstat_node_counters(text, "      ", 12);
	}
	show_zone_sizes(text, zone);
	if (!populated_zone(zone))
		return;
	vmstat_zone_counters(text, "      ", 12, (unsigned long)READ_ONCE(zone->nr_free));
	/* Allocations are counted per node: all of them stand with its first zone. */
	vmstat_numa_counters(text, "      ", 12, first ? node_allocations(node) : 0);
	show_pagesets(text, zone);
	text_printf(text, "  node_unreclaimable:  0\n  start_pfn:           %lu\n",
		    READ_ONCE(zone->zone_start_pfn));
}

static ssize_t zoneinfo_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct text text = { 0 };
	struct zone *zone;
	int nid;

	for_each_online_node(nid) {
		pg_data_t *node = NODE_DATA(nid);
		bool first_seen = false;

		for_each_zone_of(zone, node) {
			bool first = !first_seen && populated_zone(zone);

			first_seen |= first;
			show_zone(&text, node, zone, first);
		}
	}
	return text_take(&text, buf);
}

/* ---- buddyinfo, pagetypeinfo ---- */

static ssize_t buddyinfo_show(void *owner, const struct tree_attr *attr, char **buf)
{
	unsigned long nr_free[MAX_ORDER];
	struct text text = { 0 };
	struct zone *zone;
	int nid, order;

	for_each_online_node(nid)
		for_each_zone_of(zone, NODE_DATA(nid)) {
			if (!populated_zone(zone))
				continue;
			zone_free_counts(zone, -1, nr_free);
			text_printf(&text, "Node %d, zone %8s ", nid, zone->name);
			for (order = 0; order < MAX_ORDER; order++)
				text_printf(&text, "%6lu ", nr_free[order]);
			text_printf(&text, "\n");
		}
	return text_take(&text, buf);
}

static const char *const type_names[MIGRATE_TYPES] = {
	[MIGRATE_UNMOVABLE] = "Unmovable",
	[MIGRATE_MOVABLE] = "Movable",
	[MIGRATE_RECLAIMABLE] = "Reclaimable",
	[MIGRATE_HIGHATOMIC] = "HighAtomic",
	[MIGRATE_ISOLATE] = "Isolate",
};

#define LIST_CAP 100000UL /* longer lists are not counted to their end (PROC-5) */

static void show_type_lists(struct text *text, int nid, struct zone *zone)
{
	unsigned long nr_free[MAX_ORDER];
	int type, order;

	for (type = 0; type < MIGRATE_TYPES; type++) {
		zone_free_counts(zone, type, nr_free);
		text_printf(text, "Node %4d, zone %8s, type %12s ", nid, zone->name,
			    type_names[type]);
		for (order = 0; order < MAX_ORDER; order++)
			text_printf(text, "%s%6lu ", nr_free[order] >= LIST_CAP ? ">" : "",
				    min(nr_free[order], LIST_CAP));
		text_printf(text, "\n");
	}
}

static void show_pageblocks(struct text *text, int nid, struct zone *zone)
{
	unsigned long count[MIGRATE_TYPES];
	int type;

	zone_pageblock_counts(zone, count);
	text_printf(text, "Node %d, zone %8s ", nid, zone->name);
	for (type = 0; type < MIGRATE_TYPES; type++)
		text_printf(text, "%12lu ", count[type]);
	text_printf(text, "\n");
}

static void show_node_types(struct text *text, pg_data_t *node)
{
	struct zone *zone;
	int i;

	text_printf(text, "Page block order: %d\nPages per block:  %lu\n\n", pageblock_order,
		    pageblock_nr_pages);
	text_printf(text, "%-43s ", "Free pages count per migrate type at order");
	for (i = 0; i < MAX_ORDER; i++)
		text_printf(text, "%6d ", i);
	text_printf(text, "\n");
	for_each_zone_of(zone, node)
		if (populated_zone(zone))
			show_type_lists(text, node->node_id, zone);
	text_printf(text, "\n%-23s", "Number of blocks type ");
	for (i = 0; i < MIGRATE_TYPES; i++)
		text_printf(text, "%12s ", type_names[i]);
	text_printf(text, "\n");
	for_each_zone_of(zone, node)
		if (populated_zone(zone))
			show_pageblocks(text, node->node_id, zone);
}

static ssize_t pagetypeinfo_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct text text = { 0 };
	int nid;

	for_each_node_state(nid, N_MEMORY)
		show_node_types(&text, NODE_DATA(nid));
	return text_take(&text, buf);
}

/* ---- meminfo, vmstat, iomem ---- */

/* What could still be allocated without reaching the low watermarks. */
static unsigned long available_pages(void)
{
	unsigned long sum = 0, free, low;
	struct zone *zone;
	int nid;

	for_each_online_node(nid)
		for_each_zone_of(zone, NODE_DATA(nid)) {
			free = (unsigned long)READ_ONCE(zone->nr_free);
			low = READ_ONCE(zone->_watermark[WMARK_LOW]);
			sum += free > low ? free - low : 0;
		}
	return sum;
}

static const char *const meminfo_zero_keys[] = {
	"Buffers",	  "Cached",	    "SwapCached",   "Active",	    "Inactive",
	"Active(anon)",	  "Inactive(anon)", "Active(file)", "Inactive(file)", "Unevictable",
	"Mlocked",	  "SwapTotal",	    "SwapFree",	    "Dirty",	    "Writeback",
	"AnonPages",	  "Mapped",	    "Shmem",	    "KReclaimable", "Slab",
	"SReclaimable",	  "SUnreclaim",	    "KernelStack",  "PageTables",   "SecPageTables",
	"NFS_Unstable",	  "Bounce",	    "WritebackTmp",
};

static void meminfo_line(struct text *text, const char *key, unsigned long pages)
{
	text_printf(text, "%s:%*s%8lu kB\n", key, max(15 - (int)strlen(key), 1), "", KB(pages));
}

static ssize_t meminfo_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct text text = { 0 };
	size_t i;

	meminfo_line(&text, "MemTotal", totalram_pages());
	meminfo_line(&text, "MemFree", nr_free_pages());
	meminfo_line(&text, "MemAvailable", available_pages());
	for (i = 0; i < ARRAY_SIZE(meminfo_zero_keys); i++)
		meminfo_line(&text, meminfo_zero_keys[i], 0);
	text_printf(&text, "HardwareCorrupted: %5lu kB\n",
		    (unsigned long)KB(__atomic_load_n(&page_poisoned, __ATOMIC_RELAXED)));
	text_printf(&text,
		    "HugePages_Total:       0\nHugePages_Free:        0\n"
		    "HugePages_Rsvd:        0\nHugePages_Surp:        0\n"
		    "Hugepagesize:       2048 kB\n");
	return text_take(&text, buf);
}

static ssize_t vmstat_show(void *owner, const struct tree_attr *attr, char **buf)
{
	unsigned long allocated = 0, freed = 0;
	struct text text = { 0 };
	int nid;

	for_each_online_node(nid) {
		allocated += node_allocations(NODE_DATA(nid));
		freed += node_pgfree(NODE_DATA(nid));
	}
	vmstat_zone_counters(&text, "", 0, nr_free_pages());
	vmstat_numa_counters(&text, "", 0, allocated);
	vmstat_node_counters(&text, "", 0);
	text_printf(&text, "pgfree %lu\npgmigrate_success %lu\npgmigrate_fail %lu\n", freed,
		    READ_ONCE(page_migrate_success), READ_ONCE(page_migrate_fail));
	text_printf(&text,
		    "thp_migration_success 0\nthp_migration_fail 0\nthp_migration_split 0\n");
	return text_take(&text, buf);
}

/* In-process callers own the machine: they see addresses (PROC-7). */
static ssize_t iomem_show(void *owner, const struct tree_attr *attr, char **buf)
{
	return resource_show(buf, false);
}

#define PROC_ATTR(file, mode_)                                                                     \
	static const struct tree_attr file##_attr = { .name = #file, .mode = mode_,                \
						      .show_long = file##_show }
PROC_ATTR(zoneinfo, 0444);
PROC_ATTR(buddyinfo, 0444);
PROC_ATTR(pagetypeinfo, 0400);
PROC_ATTR(meminfo, 0444);
PROC_ATTR(vmstat, 0444);
PROC_ATTR(iomem, 0444);
static const struct tree_attr *const proc_attrs[] = {
	&zoneinfo_attr, &buddyinfo_attr, &pagetypeinfo_attr, &meminfo_attr,
	&vmstat_attr,	&iomem_attr,	 NULL,
};

int proc_register(void)
{
	int error;

	proc_dir = tree_mkdir(tree_root, "proc", proc_attrs, NULL, &error);
	return error;
}

void proc_unregister(void)
{
	tree_rmdir(proc_dir);
	proc_dir = NULL;
}
