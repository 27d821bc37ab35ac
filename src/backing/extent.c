// SPDX-License-Identifier: MIT
/*
 * The list of extents. An extent is a window of the direct map with a file of
 * its own; parts of the window may be empty. While there are few, a window is
 * one block, so that giving a block up closes its file; later ones grow, so
 * that descriptors stay few however many blocks come. backing_lock guards it.
 */
#include "backing/extent.h"
#include "report/report.h"
#include "os/os.h"

#include <linux/kernel.h>

#define FEW_EXTENTS 256u
#define GROWTH_STEP 64u /* that many extents later, windows are 16 times as large */
#define VEC_SIZE 32768

static struct {
	struct extent *first; /* by address */
	struct extent *last_found; /* or the one before: the next search begins there if it can */
	unsigned int nr;
	u64 block_size, max_phys;
	unsigned char vec[VEC_SIZE];
} list;

void extents_init(u64 block_size, u64 max_phys)
{
	list.block_size = block_size;
	list.max_phys = max_phys;
}

void extents_drop(void)
{
	while (list.first) {
		struct extent *extent = list.first;

		list.first = extent->next;
		kind_of(extent)->close(extent);
		os_free(extent);
	}
	list.last_found = NULL;
	list.nr = 0;
}

struct extent *extent_at(u64 pos)
{
	struct extent *extent = list.last_found;

	if (!extent || extent->start > pos)
		extent = list.first;
	while (extent && extent->end <= pos) {
		list.last_found = extent;
		extent = extent->next;
	}
	return extent;
}

/* Where the window of a new extent ends that is to back [pos, end). */
static u64 window_end(const struct rule *rule, u64 pos, u64 end, u64 limit)
{
	u64 blocks = (end - pos) / list.block_size, step = list.block_size;
	unsigned int nr = list.nr;

	if (nr + blocks <= FEW_EXTENTS || rule_single_blocks(rule))
		return pos + step;
	for (; nr >= FEW_EXTENTS && step < list.max_phys; nr -= GROWTH_STEP)
		step *= 16;
	end = ALIGN(end, step);
	return min(end, limit);
}

static int make_extent(const struct rule *rule, u64 start, u64 end, struct extent **result)
{
	u64 words = DIV_ROUND_UP((end - start) / list.block_size, BITS_PER_LONG);
	struct extent *extent = os_alloc(sizeof(*extent) + 2 * words * sizeof(u64));
	struct extent **link = &list.first;
	int error;

	if (!extent)
		return -ENOMEM;
	extent->start = start;
	extent->end = end;
	extent->rule = rule;
	extent->rule_fd = rule->fd;
	if (rule->fd >= 0)
		extent->base = rule->want.offset + (start - rule->want.start);
	error = kind_of(extent)->open(extent);
	if (error) {
		os_free(extent);
		return error;
	}
	while (*link && (*link)->start < start)
		link = &(*link)->next;
	extent->next = *link;
	*link = extent;
	list.nr++;
	*result = extent;
	return 0;
}

static void free_extent(struct extent *extent)
{
	struct extent **link = &list.first;

	while (*link != extent)
		link = &(*link)->next;
	*link = extent->next;
	list.last_found = NULL;
	list.nr--;
	kind_of(extent)->close(extent);
	os_free(extent);
}

static u64 *populated_word(struct extent *extent, u64 block)
{
	u64 words = DIV_ROUND_UP((extent->end - extent->start) / list.block_size, BITS_PER_LONG);

	return &extent->live[words + block / BITS_PER_LONG];
}

static void set_populated(struct extent *extent, u64 start, u64 size, bool populated)
{
	u64 block = (start - extent->start) / list.block_size;
	u64 end = block + size / list.block_size;

	for (; block < end; block++) {
		if (populated)
			*populated_word(extent, block) |= BIT(block % BITS_PER_LONG);
		else
			*populated_word(extent, block) &= ~BIT(block % BITS_PER_LONG);
	}
}

s64 part_resident(struct extent *extent, u64 start, u64 end)
{
	const struct backing_kind *kind = kind_of(extent);
	s64 bytes = 0;

	if (kind->resident)
		return kind->resident(extent, direct_address(start), start, end - start, list.vec,
				      sizeof(list.vec));
	for (; start < end; start += list.block_size) {
		u64 block = (start - extent->start) / list.block_size;

		if (*populated_word(extent, block) & BIT(block % BITS_PER_LONG))
			bytes += (s64)list.block_size;
	}
	return bytes;
}

int part_discard(struct extent *extent, u64 start, u64 size)
{
	int error = kind_of(extent)->discard(extent, direct_address(start), start, size);

	if (!error)
		set_populated(extent, start, size, false);
	return error;
}

static bool is_live(const struct extent *extent, u64 pos)
{
	u64 block = (pos - extent->start) / list.block_size;

	return extent->live[block / BITS_PER_LONG] >> block % BITS_PER_LONG & 1;
}

/* Where the run of blocks ends that are all live or all not, like the one at `pos`. */
static u64 run_end(const struct extent *extent, u64 pos, u64 end)
{
	bool live = is_live(extent, pos);

	do
		pos += list.block_size;
	while (pos < end && is_live(extent, pos) == live);
	return pos;
}

static void set_live(struct extent *extent, u64 start, u64 end, bool live)
{
	for (; start < end; start += list.block_size) {
		u64 block = (start - extent->start) / list.block_size;

		extent->live[block / BITS_PER_LONG] ^= BIT(block % BITS_PER_LONG);
		extent->nr_live += live ? 1 : -1;
	}
}

static int bind_part(struct extent *extent, void *at, u64 start, u64 size)
{
	int node = extent->rule->want.host_node, error;

	if (node < 0)
		return 0;
	error = os_bind(at, size, node);
	if (!error)
		return 0;
	return reason_set(MP_REASON_SYSTEM, error, "mbind",
			  "memory%llu: not bound to node %d of the host (%s); name one of /sys/devices/system/node/has_memory there",
			  (unsigned long long)(start / list.block_size), node, strerror(-error));
}

/* Advice only: what the host does not take costs speed, or a larger core. */
static void advise_for_maps(u64 start, u64 end)
{
	os_hugepages(direct_address(start), end - start);
	os_dontdump(direct_address(start), end - start);
}

void extent_use_for_maps(struct extent *extent)
{
	u64 pos = extent->start, run;

	if (extent->for_maps)
		return;
	extent->for_maps = true;
	for (; pos < extent->end; pos = run) {
		run = run_end(extent, pos, extent->end);
		if (is_live(extent, pos))
			advise_for_maps(pos, run);
	}
}

/* Maps [start, end) of the extent, reading as zero. Nothing is mapped on failure. */
static int map_part(struct extent *extent, u64 start, u64 end)
{
	const struct backing_kind *kind = kind_of(extent);
	void *at = direct_address(start);
	int error = 0;

	if (is_live(extent, start) || run_end(extent, start, end) < end)
		return -EEXIST;
	/* The window was used before perhaps, and the host refused to punch the hole then. */
	if (extent->used && !kind->discard_mapped)
		error = part_discard(extent, start, end - start);
	if (!error)
		error = kind->map(extent, at, start, end - start);
	if (!error)
		error = os_dontfork(at, end - start);
	if (!error)
		error = bind_part(extent, at, start, end - start);
	if (error) {
		os_map_nothing(at, end - start);
		if (!extent->nr_live)
			free_extent(extent);
		return error;
	}
	if (extent->for_maps)
		advise_for_maps(start, end);
	extent->used = true;
	set_live(extent, start, end, true);
	return 0;
}

/* [start, end) is live. */
static void unmap_part(struct extent *extent, u64 start, u64 end)
{
	void *at = direct_address(start);
	int error = os_map_nothing(at, end - start);

	/* The mapping itself goes at the next use of the range, or at shutdown. */
	if (error)
		pr_warn("backing: 0x%llx stays mapped: error %d", (unsigned long long)start, -error);
	set_live(extent, start, end, false);
	if ((error || extent->nr_live || kind_of(extent)->open_path) && !kind_of(extent)->discard_mapped)
		error = part_discard(extent, start, end - start);
	if (error)
		pr_warn("backing: memory at 0x%llx stays with the process: error %d",
			(unsigned long long)start, -error);
}

void extents_remove(u64 start, u64 end)
{
	struct extent *extent = extent_at(start), *next;

	for (; extent && extent->start < end; extent = next) {
		u64 pos = max(start, extent->start), part_end = min(end, extent->end), run;

		next = extent->next;
		for (; pos < part_end; pos = run) {
			run = run_end(extent, pos, part_end);
			if (is_live(extent, pos))
				unmap_part(extent, pos, run);
		}
		if (!extent->nr_live)
			free_extent(extent);
	}
}

int extents_add(u64 start, u64 end, int nid)
{
	u64 pos = start, part_end;
	int error = 0;

	for (; pos < end; pos = part_end) {
		const struct rule *rule = rule_find(pos, nid);
		struct extent *extent = extent_at(pos);

		if (!extent || extent->start > pos) {
			u64 limit = min(extent ? extent->start : list.max_phys,
					rule_limit(rule, pos));

			error = make_extent(rule, pos,
					    window_end(rule, pos, min(end, limit), limit), &extent);
			if (error)
				break;
		} else if (extent->rule != rule) {
			error = -EEXIST;
			break;
		}
		part_end = min(end, extent->end);
		error = map_part(extent, pos, part_end);
		if (error)
			break;
	}
	if (error)
		extents_remove(start, pos);
	return error;
}

int part_populate(struct extent *extent, u64 start, u64 size)
{
	int error = kind_of(extent)->populate(extent, direct_address(start), start, size);

	if (!error)
		set_populated(extent, start, size, true);
	return error;
}

int part_restore(struct extent *extent, u64 start, u64 end)
{
	void *at = direct_address(start);

	int error;

	/* Device memory among ordinary memory is in holes of one block: all live or none. */
	if (!is_live(extent, start))
		return 0;
	error = kind_of(extent)->map(extent, at, start, end - start) ?: os_dontfork(at, end - start) ?:
		bind_part(extent, at, start, end - start);
	if (!error && extent->for_maps)
		advise_for_maps(start, end);
	return error;
}
