/* SPDX-License-Identifier: MIT */
/*
 * The texts of the node files (SYSFS-29..35), made from the masks and the
 * nodes' counters at each read, without a lock. No state.
 */
#include <linux/device.h>
#include <linux/cpu.h>
#include <linux/errno.h>
#include <linux/mmzone.h>
#include "block/block.h"
#include "block/node_attrs.h"
#include "block/vmstat.h"
#include "device/text.h"
#include "page/page.h"

/* ---- /sys/devices/system/node ---- */

static ssize_t mask_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_print_list(buf, node_states[attr->data].bits, MAX_NUMNODES);
}

#define MASK_ATTR(file, state)                                                                     \
	static const struct tree_attr file##_attr = {                                              \
		.name = #file, .mode = 0444, .show = mask_show, .data = state                      \
	}
MASK_ATTR(possible, N_POSSIBLE);
MASK_ATTR(online, N_ONLINE);
MASK_ATTR(has_normal_memory, N_NORMAL_MEMORY);
MASK_ATTR(has_memory, N_MEMORY);
MASK_ATTR(has_cpu, N_CPU);
MASK_ATTR(has_generic_initiator, N_GENERIC_INITIATOR);

const struct tree_attr *const node_root_attrs[] = {
	&possible_attr, &online_attr,  &has_normal_memory_attr,
	&has_memory_attr, &has_cpu_attr, &has_generic_initiator_attr, NULL,
};

/* ---- nodeN ---- */

static int nid_of(void *owner)
{
	const struct device *dev = owner;

	return (int)dev->id;
}

/* The online CPUs of the node; returns the number of CPU ids that the machine uses. */
static int node_cpus(int nid, unsigned long *bits)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (cpu_to_node((int)cpu) == nid)
			bits[cpu / BITS_PER_LONG] |= BIT(cpu % BITS_PER_LONG);
	return (int)nr_cpu_ids;
}

static ssize_t cpumap_show(void *owner, const struct tree_attr *attr, char *buf)
{
	unsigned long bits[NR_CPUS / BITS_PER_LONG] = { 0 };
	int nr = node_cpus(nid_of(owner), bits);

	return page_print_mask(buf, bits, nr);
}

static ssize_t cpulist_show(void *owner, const struct tree_attr *attr, char *buf)
{
	unsigned long bits[NR_CPUS / BITS_PER_LONG] = { 0 };
	int nr = node_cpus(nid_of(owner), bits);

	return page_print_list(buf, bits, nr);
}

static ssize_t distance_show(void *owner, const struct tree_attr *attr, char *buf)
{
	int nid, len = 0;

	/* A blank before every node but node 0, also at the start of the line (SYSFS-33). */
	for_each_online_node(nid)
		len += page_printf(buf, len, "%s%d", nid ? " " : "",
				   node_distance(nid_of(owner), nid));
	return len + page_printf(buf, len, "\n");
}

/* Keys after MemUsed; a leading '!' means a single blank behind the colon (SYSFS-31). */
static const char *const meminfo_zero_keys[] = {
	"SwapCached",	 "Active",	   "Inactive",	      "Active(anon)",	"Inactive(anon)",
	"Active(file)",	 "Inactive(file)", "Unevictable",     "Mlocked",	"Dirty",
	"Writeback",	 "FilePages",	   "Mapped",	      "AnonPages",	"Shmem",
	"KernelStack",	 "PageTables",	   "SecPageTables",   "NFS_Unstable",	"Bounce",
	"WritebackTmp",	 "KReclaimable",   "Slab",	      "SReclaimable",	"SUnreclaim",
	"AnonHugePages", "ShmemHugePages", "ShmemPmdMapped",  "!FileHugePages", "!FilePmdMapped",
};

static int meminfo_line(char *buf, int at, int nid, const char *key, unsigned long pages)
{
	bool narrow = key[0] == '!';
	int width = (int)sizeof("Inactive(anon):");
	char name[24];

	snprintf(name, sizeof(name), "%s:", key + narrow);
	return page_printf(buf, at, "Node %d %-*s%s%8lu kB\n", nid, narrow ? 0 : width, name,
			   narrow ? " " : "", pages << (PAGE_SHIFT - 10));
}

static ssize_t meminfo_show(void *owner, const struct tree_attr *attr, char *buf)
{
	int nid = nid_of(owner), len = 0;
	const pg_data_t *node = NODE_DATA(nid);
	unsigned long total = node_managed_pages(node), free = node_free_pages(node);
	size_t i;

	/* Read one after the other; used memory is not less than none. */
	free = min(free, total);
	len += meminfo_line(buf, len, nid, "MemTotal", total);
	len += meminfo_line(buf, len, nid, "MemFree", free);
	len += meminfo_line(buf, len, nid, "MemUsed", total - free);
	for (i = 0; i < ARRAY_SIZE(meminfo_zero_keys); i++)
		len += meminfo_line(buf, len, nid, meminfo_zero_keys[i], 0);
	len += page_printf(buf, len, "Node %d HugePages_Total: %5u\n", nid, 0);
	len += page_printf(buf, len, "Node %d HugePages_Free:  %5u\n", nid, 0);
	len += page_printf(buf, len, "Node %d HugePages_Surp:  %5u\n", nid, 0);
	return len;
}

static ssize_t numastat_show(void *owner, const struct tree_attr *attr, char *buf)
{
	unsigned long hits = node_allocations(NODE_DATA(nid_of(owner)));

	return page_printf(buf, 0,
			   "numa_hit %lu\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\n"
			   "local_node %lu\nother_node 0\n",
			   hits, hits);
}

static ssize_t vmstat_show(void *owner, const struct tree_attr *attr, char **text)
{
	const pg_data_t *node = NODE_DATA(nid_of(owner));
	struct text out = { 0 };

	vmstat_zone_counters(&out, "", 0, node_free_pages(node));
	vmstat_numa_counters(&out, "", 0, node_allocations(node));
	vmstat_node_counters(&out, "", 0);
	return text_take(&out, text);
}

/*
 * The allocator's bitmaps need no compaction; what hides free runs is pages in
 * the threads' lists, and these are fetched back.
 */
static ssize_t compact_store(void *owner, const struct tree_attr *attr, const char *buf,
			     size_t count)
{
	if (node_online(nid_of(owner)))
		drain_pages_range(0, ~0UL);
	return (ssize_t)count;
}

#define SHOW_ATTR(file)                                                                            \
	static const struct tree_attr file##_attr = { .name = #file, .mode = 0444,                 \
						      .show = file##_show }
SHOW_ATTR(cpumap);
SHOW_ATTR(cpulist);
SHOW_ATTR(distance);
SHOW_ATTR(meminfo);
SHOW_ATTR(numastat);
static const struct tree_attr vmstat_attr = { .name = "vmstat", .mode = 0444,
					      .show_long = vmstat_show };
static const struct tree_attr compact_attr = { .name = "compact", .mode = 0200,
					       .store = compact_store };
static const struct tree_attr hugepages_dir = { .name = "hugepages/" };
#ifdef __x86_64__
/* What the processor adds, which is nothing here. */
static const struct tree_attr x86_dir = { .name = "x86/" };
#endif

const struct tree_attr *const node_dev_attrs[] = {
	&cpumap_attr, &cpulist_attr, &distance_attr, &meminfo_attr, &numastat_attr,
	&vmstat_attr, &compact_attr, &hugepages_dir,
#ifdef __x86_64__
	&x86_dir,
#endif
	NULL,
};
