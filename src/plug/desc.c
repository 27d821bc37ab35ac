// SPDX-License-Identifier: MIT
/*
 * Machine descriptions built by calls: options, nodes, CPUs, ranges. A
 * description is the caller's own; nothing here is shared.
 */
#include <stdarg.h>
#include <errno.h>
#include <stdlib.h>
#include <linux/cpumask.h>
#include <linux/memory_hotplug.h>
#include "device/bus.h"
#include "hotplug/hotplug.h"
#include "os/os.h"
#include "plug/desc.h"

#define MAX_CPU NR_CPUS

struct mp_desc *mp_desc_new(void)
{
	struct mp_desc *desc = os_alloc(sizeof(*desc));

	if (!desc)
		return NULL;
	desc->document = true;
	desc->block_size = SZ_128M;
	desc->max_phys = 16ULL << 40;
	strcpy(desc->backing, "memfd");
	desc->default_online_type = MMOP_OFFLINE;
	desc->auto_movable_ratio = 301;
	desc->auto_movable_numa_aware = true;
	return desc;
}

void mp_desc_free(struct mp_desc *desc)
{
	if (!desc)
		return;
	os_free(desc->ram.at);
	os_free(desc->reserved.at);
	os_free(desc->offline.at);
	os_free(desc->backings);
	os_free(desc->cpus);
	os_free(desc->distances);
	os_free(desc);
}

const char *mp_desc_error(const struct mp_desc *desc)
{
	return desc ? desc->error : "no description";
}

int desc_fail(struct mp_desc *desc, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(desc->error, sizeof(desc->error), fmt, ap);
	va_end(ap);
	return error;
}

int desc_parse_size(const char *text, u64 *size)
{
	static const char units[] = "KMGTP";
	const char *unit;
	char *end;
	u64 value;
	int shift = 0;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno)
		return -ERANGE;
	if (*end) {
		unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);
		if (!unit || end[1])
			return -EINVAL;
		shift = 10 * (int)(unit - units + 1);
	}
	if (shift && value >> (64 - shift))
		return -ERANGE;
	*size = value << shift;
	return 0;
}

static int set_word(const char *value, const char *const *words, int count, int *out)
{
	int i;

	for (i = 0; i < count; i++) {
		if (!strcmp(value, words[i])) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_contract(struct mp_desc *desc, const char *value)
{
	static const char *const words[] = { "linux-6.1", "document" };
	int i, ret = set_word(value, words, 2, &i);

	if (!ret)
		desc->document = i;
	return ret;
}

static int set_block(struct mp_desc *desc, const char *value)
{
	u64 size = 0;

	if (strcmp(value, "auto") &&
	    (desc_parse_size(value, &size) || size < SZ_2M || size > 64 * SZ_1G ||
	     (size & (size - 1))))
		return -EINVAL;
	desc->block_size = size;
	return 0;
}

static int set_max_phys(struct mp_desc *desc, const char *value)
{
	u64 size;

	if (desc_parse_size(value, &size) || size < SZ_2M || size > 64ULL << 40 ||
	    !IS_ALIGNED(size, SZ_2M))
		return -EINVAL;
	desc->max_phys = size;
	return 0;
}

static int set_backing(struct mp_desc *desc, const char *value)
{
	static const char *const words[] = { "memfd", "anonymous", "hugetlb", "hugetlb-1G" };
	int i, ret = set_word(value, words, 4, &i);

	if (!ret)
		strcpy(desc->backing, words[i]);
	return ret;
}

static int set_commit(struct mp_desc *desc, const char *value)
{
	static const char *const words[] = { "lazy", "populate" };
	int i, ret = set_word(value, words, 2, &i);

	if (!ret)
		desc->populate = i;
	return ret;
}

static int set_default_state(struct mp_desc *desc, const char *value)
{
	int type = mhp_online_type_from_str(value);

	/* Linux ignores an unknown keyword silently (PARAM-9). */
	if (type >= 0)
		desc->default_online_type = type;
	return type >= 0 || !desc->document ? 0 : -EINVAL;
}

static int set_online_policy(struct mp_desc *desc, const char *value)
{
	static const char *const words[] = { "contig-zones", "auto-movable" };

	return set_word(value, words, 2, &desc->online_policy);
}

static int set_ratio(struct mp_desc *desc, const char *value)
{
	return parse_u32(value, &desc->auto_movable_ratio);
}

#define SET_BOOL(field)                                                                            \
	static int set_##field(struct mp_desc *desc, const char *value)                           \
	{                                                                                          \
		return parse_bool(value, &desc->field);                                            \
	}
SET_BOOL(overcommit)
SET_BOOL(auto_movable_numa_aware)
SET_BOOL(memmap_on_memory)
SET_BOOL(movable_node)
SET_BOOL(probe)

static const struct option {
	const char *name;
	int (*set)(struct mp_desc *desc, const char *value);
} options[] = {
	{ "contract", set_contract },
	{ "block", set_block },
	{ "max_phys", set_max_phys },
	{ "backing", set_backing },
	{ "commit", set_commit },
	{ "overcommit", set_overcommit },
	{ "memhp_default_state", set_default_state },
	{ "online_policy", set_online_policy },
	{ "auto_movable_ratio", set_ratio },
	{ "auto_movable_numa_aware", set_auto_movable_numa_aware },
	{ "memmap_on_memory", set_memmap_on_memory },
	{ "movable_node", set_movable_node },
	{ "probe", set_probe },
};

int mp_desc_set(struct mp_desc *desc, const char *name, const char *value)
{
	static const char prefix[] = "memory_hotplug.";
	size_t i;

	if (!desc || !name || !value)
		return -EINVAL;
	if (!strncmp(name, prefix, sizeof(prefix) - 1))
		name += sizeof(prefix) - 1;
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (strcmp(name, options[i].name))
			continue;
		if (!options[i].set(desc, value))
			return 0;
		return desc_fail(desc, -EINVAL, "%s: \"%s\" is not a value for it", name, value);
	}
	return desc_fail(desc, -ENOENT, "no option is called \"%s\"", name);
}

static bool bit(const u64 *bits, int nid)
{
	return nid >= 0 && nid < MAX_NUMNODES && (bits[nid / 64] >> (nid % 64) & 1);
}

bool desc_node_possible(const struct mp_desc *desc, int nid)
{
	return bit(desc->possible, nid);
}

int mp_desc_add_node(struct mp_desc *desc, int nid)
{
	if (!desc)
		return -EINVAL;
	if (nid < 0 || nid >= MAX_NUMNODES)
		return desc_fail(desc, -EINVAL, "node %d: numbers are 0 to %d", nid,
				 MAX_NUMNODES - 1);
	if (bit(desc->described, nid))
		return desc_fail(desc, -EEXIST, "node %d is described twice", nid);
	desc->described[nid / 64] |= 1ULL << (nid % 64);
	desc->possible[nid / 64] |= 1ULL << (nid % 64);
	return 0;
}

/* A node named by a range or a CPU is possible. */
static int need_node(struct mp_desc *desc, int nid)
{
	if (nid < 0 || nid >= MAX_NUMNODES)
		return desc_fail(desc, -EINVAL, "node %d: numbers are 0 to %d", nid,
				 MAX_NUMNODES - 1);
	desc->possible[nid / 64] |= 1ULL << (nid % 64);
	return 0;
}

void *desc_grown(void *at, int count, size_t size)
{
	void *larger;

	/* There is room up to the next power of two, so that long texts are read in linear time. */
	if (at && (count & (count - 1)))
		return at;
	larger = os_alloc((size_t)max(count, 1) * 2 * size);
	if (larger && at)
		memcpy(larger, at, (size_t)count * size);
	if (larger)
		os_free(at);
	return larger;
}

int mp_desc_set_distance(struct mp_desc *desc, int from, int to, int distance)
{
	struct desc_distance *larger;
	int ret;

	if (!desc)
		return -EINVAL;
	if (distance < 1 || distance > 254)
		return desc_fail(desc, -EINVAL, "distance %d: must be 1 to 254", distance);
	ret = need_node(desc, from) ?: need_node(desc, to);
	if (ret)
		return ret;
	larger = desc_grown(desc->distances, desc->nr_distances, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	desc->distances = larger;
	larger[desc->nr_distances++] = (struct desc_distance){ from, to, distance };
	return 0;
}

static struct desc_cpu *find_cpu(struct mp_desc *desc, int cpu)
{
	int i;

	for (i = 0; i < desc->nr_cpus; i++)
		if (desc->cpus[i].cpu == cpu)
			return &desc->cpus[i];
	return NULL;
}

static int check_cpu_state(struct mp_desc *desc, int cpu, const char *state)
{
	if (strcmp(state, "online") && strcmp(state, "offline") && strcmp(state, "absent"))
		return desc_fail(desc, -EINVAL, "cpu %d: \"%s\" is not online, offline or absent",
				 cpu, state);
	if (!cpu && strcmp(state, "online"))
		return desc_fail(desc, -EINVAL, "cpu 0 boots the machine: it is online");
	return 0;
}

static void set_cpu_state(struct desc_cpu *cpu, const char *state)
{
	cpu->online = !strcmp(state, "online");
	cpu->present = strcmp(state, "absent");
}

int desc_add_cpu(struct mp_desc *desc, int cpu, int nid, const char *state)
{
	struct desc_cpu *larger;
	int ret;

	if (cpu < 0 || cpu >= MAX_CPU)
		return desc_fail(desc, -EINVAL, "cpu %d: numbers are 0 to %d", cpu, MAX_CPU - 1);
	if (find_cpu(desc, cpu))
		return desc_fail(desc, -EEXIST, "cpu %d is described twice", cpu);
	ret = check_cpu_state(desc, cpu, state) ?: need_node(desc, nid);
	if (ret)
		return ret;
	larger = desc_grown(desc->cpus, desc->nr_cpus, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	desc->cpus = larger;
	larger[desc->nr_cpus] = (struct desc_cpu){ .cpu = cpu, .nid = nid };
	set_cpu_state(&larger[desc->nr_cpus++], state);
	return 0;
}

int mp_desc_add_cpu(struct mp_desc *desc, int cpu, int nid)
{
	return desc ? desc_add_cpu(desc, cpu, nid, "online") : -EINVAL;
}

int mp_desc_set_cpu(struct mp_desc *desc, int cpu, const char *state)
{
	struct desc_cpu *found;
	int ret;

	if (!desc || !state)
		return -EINVAL;
	found = find_cpu(desc, cpu);
	if (!found)
		return desc_fail(desc, -ENOENT, "cpu %d is not described", cpu);
	ret = check_cpu_state(desc, cpu, state);
	if (!ret)
		set_cpu_state(found, state);
	return ret;
}

/* Keeps the list sorted; overlaps are refused. */
static int add_range(struct mp_desc *desc, struct desc_ranges *list, struct desc_range range)
{
	struct desc_range *larger;
	int i, room;

	if (!range.size || !IS_ALIGNED(range.start | range.size, PAGE_SIZE) ||
	    range.start + range.size < range.start)
		return desc_fail(desc, -EINVAL, "range 0x%llx+0x%llx is empty, not whole pages, or wraps",
				 (unsigned long long)range.start, (unsigned long long)range.size);
	for (i = list->count; i > 0 && list->at[i - 1].start >= range.start; i--)
		;
	if ((i > 0 && list->at[i - 1].start + list->at[i - 1].size > range.start) ||
	    (i < list->count && range.start + range.size > list->at[i].start))
		return desc_fail(desc, -EEXIST, "range 0x%llx+0x%llx overlaps another",
				 (unsigned long long)range.start, (unsigned long long)range.size);
	if (list->count == list->room) {
		room = list->room ? list->room * 2 : 16;
		larger = os_alloc((size_t)room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		if (list->at)
			memcpy(larger, list->at, (size_t)list->count * sizeof(*larger));
		os_free(list->at);
		list->at = larger;
		list->room = room;
	}
	memmove(&list->at[i + 1], &list->at[i], (size_t)(list->count - i) * sizeof(*list->at));
	list->at[i] = range;
	list->count++;
	return 0;
}

int mp_desc_add_ram(struct mp_desc *desc, uint64_t start, uint64_t size, int nid, bool movable)
{
	int ret;

	if (!desc)
		return -EINVAL;
	ret = need_node(desc, nid);
	return ret ?: add_range(desc, &desc->ram, (struct desc_range){ start, size, nid, movable });
}

int mp_desc_reserve(struct mp_desc *desc, uint64_t start, uint64_t size)
{
	if (!desc)
		return -EINVAL;
	return add_range(desc, &desc->reserved, (struct desc_range){ start, size, 0, false });
}

int mp_desc_add_offline(struct mp_desc *desc, uint64_t start, uint64_t size, int nid)
{
	int ret;

	if (!desc)
		return -EINVAL;
	ret = need_node(desc, nid);
	return ret ?: add_range(desc, &desc->offline,
				(struct desc_range){ start, size, nid, false });
}

int desc_parse_list(const char *text, int (*fn)(int number, void *arg), void *arg)
{
	char *end;
	int ret;

	while (*text && *text != '\n') {
		long from = strtol(text, &end, 10), to = from;

		if (end == text || from < 0)
			return -EINVAL;
		if (*end == '-') {
			text = end + 1;
			to = strtol(text, &end, 10);
			if (end == text || to < from)
				return -EINVAL;
		}
		if (to > 1 << 20)
			return -EINVAL;
		for (; from <= to; from++) {
			ret = fn((int)from, arg);
			if (ret)
				return ret;
		}
		text = *end == ',' ? end + 1 : end;
		if (*end && *end != ',' && *end != '\n')
			return -EINVAL;
	}
	return 0;
}
