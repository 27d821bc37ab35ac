/* SPDX-License-Identifier: MIT */
/*
 * The direct map and the extents that back it. An extent is a window of the
 * direct map with a file of its own; parts of the window may be empty. While
 * there are few, a window is one block, so that giving a block up closes its
 * file; later ones grow, so that descriptors stay few however many blocks come.
 *
 * backing.lock guards all. The list of extents is whole at every moment, since
 * a fork child walks it without the lock.
 */
#include "backing/backing.h"
#include "backing/extent.h"
#include "backing/host.h"
#include "backing/kind.h"
#include "backing/rule.h"
#include "report/report.h"
#include "sync/thread.h"
#include "os/os.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#define FEW_EXTENTS 256u
#define GROWTH_STEP 64u /* that many extents later, windows are 16 times as large */
#define SMALLEST_MAP (1ULL << 30)
#define VEC_SIZE 32768

char *mp_direct_map;

static struct {
	struct mutex lock;
	bool populate, overcommit;
	u64 block_size, max_phys;
	void *reserved;
	size_t reserved_len;
	struct extent *extents; /* by address */
	unsigned int nr_extents;
	u64 committed; /* bytes that went online and may be touched */
	unsigned char vec[VEC_SIZE];
} backing = { .lock = __MUTEX_INITIALIZER(backing) };

static void *address(u64 start)
{
	return mp_direct_map + start;
}

static const struct backing_kind *kind_of(const struct extent *extent)
{
	return extent->rule->kind;
}

/* ---- life ---- */

static void reset_lock_in_child(void)
{
	mp_mutex_init(&backing.lock, "backing");
}

static void register_reset(void)
{
	sync_at_fork_child(reset_lock_in_child);
}

int backing_init(struct backing_config *config)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	/* Natural alignment of blocks also in the address space, as far as huge pages care. */
	u64 align = min_t(u64, config->block_size, SZ_1G);
	u64 size = config->max_phys;
	int error;

	pthread_once(&once, register_reset);
	error = rules_init(config);
	if (error)
		return error;
	while ((error = os_reserve(size + align, &backing.reserved)) &&
	       size / 2 >= max_t(u64, SMALLEST_MAP, config->block_size))
		size /= 2;
	if (error) {
		rules_exit();
		return -ENOMEM;
	}
	backing.reserved_len = size + align;
	error = os_dontfork(backing.reserved, backing.reserved_len);
	if (error) {
		os_unmap(backing.reserved, backing.reserved_len);
		rules_exit();
		return error;
	}
	mp_direct_map = (char *)ALIGN((uintptr_t)backing.reserved, align);
	backing.populate = config->populate;
	backing.overcommit = config->overcommit;
	backing.block_size = config->block_size;
	backing.max_phys = size;
	backing.committed = 0;
	config->max_phys = size;
	host_forget();
	return 0;
}

static void drop_extents(void)
{
	backing_device_exit();
	while (backing.extents) {
		struct extent *extent = backing.extents;

		backing.extents = extent->next;
		kind_of(extent)->close(extent);
		os_free(extent);
	}
	rules_exit();
	backing.nr_extents = 0;
	backing.committed = 0;
}

void backing_exit(void)
{
	int error;

	if (!mp_direct_map)
		return;
	mutex_lock(&backing.lock);
	error = os_unmap(backing.reserved, backing.reserved_len);
	if (error)
		pr_err("backing: the direct map stays mapped: error %d", -error);
	drop_extents();
	mp_direct_map = NULL;
	mutex_unlock(&backing.lock);
}

void backing_forget(void)
{
	if (!mp_direct_map)
		return;
	drop_extents();
	mp_direct_map = NULL;
}

/* ---- extents ---- */

/* The extent that covers `pos`, or else the first one behind it (NULL: none). */
static struct extent *extent_at(u64 pos)
{
	struct extent *extent = backing.extents;

	while (extent && extent->end <= pos)
		extent = extent->next;
	return extent;
}

/* Where the window of a new extent ends that is to back [pos, end). */
static u64 window_end(const struct rule *rule, u64 pos, u64 end, u64 limit)
{
	u64 blocks = (end - pos) / backing.block_size, step = backing.block_size;
	unsigned int nr = backing.nr_extents;

	if (nr + blocks <= FEW_EXTENTS || rule_single_blocks(rule))
		return pos + step;
	for (; nr >= FEW_EXTENTS && step < backing.max_phys; nr -= GROWTH_STEP)
		step *= 16;
	end = ALIGN(end, step);
	return min(end, limit);
}

static int make_extent(const struct rule *rule, u64 start, u64 end, struct extent **result)
{
	u64 words = DIV_ROUND_UP((end - start) / backing.block_size, BITS_PER_LONG);
	struct extent *extent = os_alloc(sizeof(*extent) + words * sizeof(u64));
	struct extent **link = &backing.extents;
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
	backing.nr_extents++;
	*result = extent;
	return 0;
}

static void free_extent(struct extent *extent)
{
	struct extent **link = &backing.extents;

	while (*link != extent)
		link = &(*link)->next;
	*link = extent->next;
	backing.nr_extents--;
	kind_of(extent)->close(extent);
	os_free(extent);
}

static bool is_live(const struct extent *extent, u64 pos)
{
	u64 block = (pos - extent->start) / backing.block_size;

	return extent->live[block / BITS_PER_LONG] >> block % BITS_PER_LONG & 1;
}

/* Where the run of blocks ends that are all live or all not, like the one at `pos`. */
static u64 run_end(const struct extent *extent, u64 pos, u64 end)
{
	bool live = is_live(extent, pos);

	do
		pos += backing.block_size;
	while (pos < end && is_live(extent, pos) == live);
	return pos;
}

static void set_live(struct extent *extent, u64 start, u64 end, bool live)
{
	for (; start < end; start += backing.block_size) {
		u64 block = (start - extent->start) / backing.block_size;

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
			  (unsigned long long)(start / backing.block_size), node, strerror(-error));
}

/* Maps [start, end) of the extent, reading as zero. Nothing is mapped on failure. */
static int map_part(struct extent *extent, u64 start, u64 end)
{
	const struct backing_kind *kind = kind_of(extent);
	void *at = address(start);
	int error = 0;

	if (is_live(extent, start) || run_end(extent, start, end) < end)
		return -EEXIST;
	/* The window was used before perhaps, and the host refused to punch the hole then. */
	if (extent->used && !kind->discard_mapped)
		error = kind->discard(extent, at, start, end - start);
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
	extent->used = true;
	set_live(extent, start, end, true);
	return 0;
}

/* [start, end) is live. */
static void unmap_part(struct extent *extent, u64 start, u64 end)
{
	void *at = address(start);
	int error = os_map_nothing(at, end - start);

	/* The mapping itself goes at the next use of the range, or at shutdown. */
	if (error)
		pr_warn("backing: 0x%llx stays mapped: error %d", (unsigned long long)start, -error);
	set_live(extent, start, end, false);
	if ((error || extent->nr_live || kind_of(extent)->open_path) && !kind_of(extent)->discard_mapped)
		error = kind_of(extent)->discard(extent, at, start, end - start);
	if (error)
		pr_warn("backing: memory at 0x%llx stays with the process: error %d",
			(unsigned long long)start, -error);
}

static void remove_range(u64 start, u64 end)
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

static int add_range(u64 start, u64 end, int nid)
{
	u64 pos = start, part_end;
	int error = 0;

	for (; pos < end; pos = part_end) {
		const struct rule *rule = rule_find(pos, nid);
		struct extent *extent = extent_at(pos);

		if (!extent || extent->start > pos) {
			u64 limit = min(extent ? extent->start : backing.max_phys,
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
		remove_range(start, pos);
	return error;
}

int backing_add_node(u64 start, u64 size, int nid)
{
	int error;

	if (!IS_ALIGNED(start | size, backing.block_size) || start + size < start ||
	    start + size > backing.max_phys)
		return -EINVAL;
	if (backing_device_meets(start, size))
		return -EEXIST;
	mutex_lock(&backing.lock);
	error = add_range(start, start + size, nid);
	mutex_unlock(&backing.lock);
	return error;
}

void backing_remove(u64 start, u64 size)
{
	mutex_lock(&backing.lock);
	remove_range(start, start + size);
	mutex_unlock(&backing.lock);
}

void backing_restore(u64 start, u64 size)
{
	u64 end = start + size;
	struct extent *extent;
	int error;

	mutex_lock(&backing.lock);
	error = os_map_nothing(address(start), size);
	for (extent = extent_at(start); extent && extent->start < end; extent = extent->next) {
		u64 from = max(start, extent->start), to = min(end, extent->end);

		/* Device memory among ordinary memory is in holes of one block: all live or none. */
		if (!is_live(extent, from))
			continue;
		error = kind_of(extent)->map(extent, address(from), from, to - from) ?:
			os_dontfork(address(from), to - from);
	}
	mutex_unlock(&backing.lock);
	if (error)
		pr_warn("backing: device memory at 0x%llx stays mapped: error %d",
			(unsigned long long)start, -error);
}

/* ---- memory of the host ---- */

static u64 resident_total(void)
{
	u64 total = 0;

	for (struct extent *extent = backing.extents; extent; extent = extent->next) {
		s64 bytes = kind_of(extent)->resident(extent, address(extent->start), extent->start,
						   extent->end - extent->start, backing.vec,
						   sizeof(backing.vec));

		total += bytes > 0 ? (u64)bytes : 0;
	}
	return total;
}

u64 backing_resident_total(void)
{
	u64 total;

	mutex_lock(&backing.lock);
	total = resident_total();
	mutex_unlock(&backing.lock);
	return total;
}

static s64 resident(u64 start, u64 end)
{
	struct extent *extent = extent_at(start);
	s64 total = 0;

	for (; extent && extent->start < end; extent = extent->next) {
		u64 from = max(start, extent->start), to = min(end, extent->end);
		s64 bytes = kind_of(extent)->resident(extent, address(from), from, to - from,
						   backing.vec, sizeof(backing.vec));

		if (bytes < 0)
			return bytes;
		total += bytes;
	}
	return total;
}

s64 backing_resident(u64 start, u64 size)
{
	s64 bytes;

	mutex_lock(&backing.lock);
	bytes = resident(start, start + size);
	mutex_unlock(&backing.lock);
	return bytes;
}

/* What all online blocks may come to use must fit in what is free now and what is ours already. */
static int check_host(u64 start, u64 size)
{
	u64 capacity = host_capacity(resident_total);

	if (backing.committed + size <= capacity)
		return 0;
	return reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "host",
			  "memory%llu: online refused: %llu MiB online, the host has %llu MiB for them; "
			  "free memory there or boot with overcommit=yes",
			  (unsigned long long)(start / backing.block_size),
			  (unsigned long long)((backing.committed + size) >> 20),
			  (unsigned long long)(capacity >> 20));
}

enum step { POPULATE, POPULATE_EAGER, DISCARD };

static int part_step(struct extent *extent, enum step step, u64 start, u64 size)
{
	const struct backing_kind *kind = kind_of(extent);

	if (step == DISCARD)
		return kind->discard(extent, address(start), start, size);
	return step == POPULATE || kind->eager ? kind->populate(extent, address(start), start, size) : 0;
}

/* Takes each part of the range in an extent; stops at an error, *pos then tells behind which one and
 * *failed where it was (both may be NULL). */
static int for_each_part(u64 start, u64 end, enum step step, u64 *pos, struct extent **failed)
{
	struct extent *extent = extent_at(start);
	int error = 0;

	for (; extent && extent->start < end; extent = extent->next) {
		u64 from = max(start, extent->start), to = min(end, extent->end);

		error = part_step(extent, step, from, to - from);
		if (error) {
			if (pos)
				*pos = to;
			if (failed)
				*failed = extent;
			break;
		}
	}
	return error;
}

static int populate(u64 start, u64 end, bool all)
{
	struct extent *failed = NULL;
	u64 pos = end;
	int error = for_each_part(start, end, all ? POPULATE : POPULATE_EAGER, &pos, &failed);

	if (!error)
		return 0;
	/* The part that failed may have become resident to a degree. */
	for_each_part(start, pos, DISCARD, NULL, NULL);
	return rule_explain(failed->rule, start / backing.block_size, end - start, error);
}

int backing_make_sure(u64 start, u64 size)
{
	int error;

	mutex_lock(&backing.lock);
	error = populate(start, start + size, false);
	mutex_unlock(&backing.lock);
	return error;
}

/* Of the range: what takes from the host's ordinary memory. A block is of one kind. */
static u64 counted(u64 start, u64 size)
{
	struct extent *extent = extent_at(start);

	return extent && extent->start <= start && kind_of(extent)->counts ? size : 0;
}

int backing_commit(u64 start, u64 size)
{
	int error = 0;

	mutex_lock(&backing.lock);
	if (!backing.overcommit && counted(start, size))
		error = check_host(start, size);
	if (!error)
		error = populate(start, start + size, backing.populate);
	if (!error)
		backing.committed += counted(start, size);
	mutex_unlock(&backing.lock);
	return error;
}

static int discard(u64 start, u64 end)
{
	return for_each_part(start, end, DISCARD, NULL, NULL);
}

static bool eager_at(u64 start)
{
	struct extent *extent = extent_at(start);

	return backing.populate || (extent && kind_of(extent)->eager);
}

void backing_uncommit(u64 start, u64 size)
{
	int error = 0;

	mutex_lock(&backing.lock);
	backing.committed -= min(counted(start, size), backing.committed);
	if (eager_at(start))
		error = discard(start, start + size);
	mutex_unlock(&backing.lock);
	if (error)
		pr_warn("backing: memory at 0x%llx stays with the process: error %d",
			(unsigned long long)start, -error);
}

s64 backing_give_back(u64 start, u64 size)
{
	s64 bytes;
	int error;

	mutex_lock(&backing.lock);
	bytes = resident(start, start + size);
	error = discard(start, start + size);
	backing.committed -= min(counted(start, size), backing.committed);
	mutex_unlock(&backing.lock);
	if (error) {
		pr_warn("backing: memory at 0x%llx stays with the process: error %d",
			(unsigned long long)start, -error);
		return error;
	}
	return max_t(s64, bytes, 0);
}
