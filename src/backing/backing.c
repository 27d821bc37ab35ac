/* SPDX-License-Identifier: MIT */
/*
 * The direct map, and how much of the host's memory is behind it: what may be
 * touched, what is made resident, what goes back. The extents are extent.c's.
 * backing_lock guards all.
 */
#include "backing/backing.h"
#include "backing/extent.h"
#include "backing/host.h"
#include "report/report.h"
#include "sync/thread.h"
#include "os/os.h"

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>

#define SMALLEST_MAP (1ULL << 30)

char *mp_direct_map;
u64 (*backing_apart_hook)(u64 start, u64 size);

struct mutex backing_lock = __MUTEX_INITIALIZER(backing);

static struct {
	bool populate, overcommit;
	u64 block_size, max_phys;
	void *reserved;
	size_t reserved_len;
	u64 committed; /* bytes that went online and may be touched */
} backing;

/* ---- life ---- */

static void reset_lock_in_child(void)
{
	mp_mutex_init(&backing_lock, "backing");
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
	extents_init(config->block_size, size);
	config->max_phys = size;
	host_forget();
	return 0;
}

static void drop_all(void)
{
	backing_device_exit();
	extents_drop();
	rules_exit();
	backing.committed = 0;
}

void backing_exit(void)
{
	int error;

	if (!mp_direct_map)
		return;
	mutex_lock(&backing_lock);
	error = os_unmap(backing.reserved, backing.reserved_len);
	if (error)
		pr_err("backing: the direct map stays mapped: error %d", -error);
	drop_all();
	mp_direct_map = NULL;
	mutex_unlock(&backing_lock);
}

void backing_forget(void)
{
	if (!mp_direct_map)
		return;
	drop_all();
	mp_direct_map = NULL;
}

int backing_add_node(u64 start, u64 size, int nid)
{
	int error;

	if (!IS_ALIGNED(start | size, backing.block_size) || start + size < start ||
	    start + size > backing.max_phys)
		return -EINVAL;
	if (backing_device_meets(start, size))
		return -EEXIST;
	mutex_lock(&backing_lock);
	error = extents_add(start, start + size, nid);
	mutex_unlock(&backing_lock);
	return error;
}

void backing_remove(u64 start, u64 size)
{
	mutex_lock(&backing_lock);
	extents_remove(start, start + size);
	mutex_unlock(&backing_lock);
}

void backing_restore(u64 start, u64 size)
{
	u64 end = start + size;
	struct extent *extent;
	int error;

	mutex_lock(&backing_lock);
	error = os_map_nothing(direct_address(start), size);
	for (extent = extent_at(start); extent && extent->start < end; extent = extent->next) {
		u64 from = max(start, extent->start), to = min(end, extent->end);

		error = part_restore(extent, from, to) ?: error;
	}
	mutex_unlock(&backing_lock);
	if (error)
		pr_warn("backing: device memory at 0x%llx stays mapped: error %d",
			(unsigned long long)start, -error);
}

/* ---- memory of the host ---- */

static s64 part_held(struct extent *extent, u64 start, u64 end)
{
	s64 bytes = part_resident(extent, start, end);

	if (bytes >= 0 && kind_of(extent)->apart && backing_apart_hook)
		bytes += (s64)backing_apart_hook(start, end - start);
	return bytes;
}

static u64 resident_of(bool all)
{
	u64 total = 0;

	for (struct extent *extent = extent_at(0); extent; extent = extent->next) {
		s64 bytes = all || kind_of(extent)->counts ?
			part_held(extent, extent->start, extent->end) : 0;

		total += bytes > 0 ? (u64)bytes : 0;
	}
	return total;
}

/* Of the host's ordinary memory: not its pools, nor files that it can write back. */
static u64 resident_counted(void)
{
	return resident_of(false);
}

u64 backing_resident_total(void)
{
	u64 total;

	mutex_lock(&backing_lock);
	total = resident_of(true);
	mutex_unlock(&backing_lock);
	return total;
}

static s64 resident(u64 start, u64 end)
{
	struct extent *extent = extent_at(start);
	s64 total = 0;

	for (; extent && extent->start < end; extent = extent->next) {
		u64 from = max(start, extent->start), to = min(end, extent->end);
		s64 bytes = part_held(extent, from, to);

		if (bytes < 0)
			return bytes;
		total += bytes;
	}
	return total;
}

s64 backing_resident(u64 start, u64 size)
{
	s64 bytes;

	mutex_lock(&backing_lock);
	bytes = resident(start, start + size);
	mutex_unlock(&backing_lock);
	return bytes;
}

int backing_fd(u64 start, u64 *offset)
{
	struct extent *extent;
	int fd = -ENOENT;

	mutex_lock(&backing_lock);
	extent = extent_at(start);
	if (extent && extent->start <= start) {
		*offset = extent->base + (start - extent->start);
		fd = extent->fd < 0 ? -EOPNOTSUPP : os_dup(extent->fd);
		extent->given |= fd >= 0;
	}
	mutex_unlock(&backing_lock);
	return fd;
}

/* What all online blocks may come to use must fit in what is free now and what is ours already. */
static int check_host(u64 start, u64 size)
{
	u64 capacity = host_capacity(resident_counted);

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
	if (step == DISCARD)
		return part_discard(extent, start, size);
	if (step == POPULATE_EAGER && !kind_of(extent)->eager)
		return 0;
	return part_populate(extent, start, size);
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

	mutex_lock(&backing_lock);
	error = populate(start, start + size, false);
	mutex_unlock(&backing_lock);
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

	mutex_lock(&backing_lock);
	if (!backing.overcommit && counted(start, size))
		error = check_host(start, size);
	if (!error)
		error = populate(start, start + size, backing.populate);
	if (!error)
		backing.committed += counted(start, size);
	mutex_unlock(&backing_lock);
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

	mutex_lock(&backing_lock);
	backing.committed -= min(counted(start, size), backing.committed);
	if (eager_at(start))
		error = discard(start, start + size);
	mutex_unlock(&backing_lock);
	if (error)
		pr_warn("backing: memory at 0x%llx stays with the process: error %d",
			(unsigned long long)start, -error);
}

bool backing_sealable(u64 start, u64 size)
{
	bool sealable;

	mutex_lock(&backing_lock);
	sealable = extent_sealable(extent_at(start), start, size);
	mutex_unlock(&backing_lock);
	return sealable;
}

int backing_seal_and_drop(u64 start, u64 size)
{
	struct extent *extent;
	int error = 0;

	mutex_lock(&backing_lock);
	extent = extent_at(start);
	/* Its descriptor may have been asked for meanwhile. */
	if (extent_sealable(extent, start, size))
		error = extent_seal_and_drop(extent);
	mutex_unlock(&backing_lock);
	return error;
}

/* What went before counts once. */
static s64 take_dropped(u64 start)
{
	struct extent *extent = extent_at(start);
	s64 bytes = 0;

	if (extent && extent->start == start) {
		bytes = (s64)extent->dropped;
		extent->dropped = 0;
	}
	return bytes;
}

s64 backing_give_back(u64 start, u64 size)
{
	s64 bytes;
	int error;

	mutex_lock(&backing_lock);
	bytes = resident(start, start + size);
	if (bytes >= 0)
		bytes += take_dropped(start);
	error = discard(start, start + size);
	backing.committed -= min(counted(start, size), backing.committed);
	mutex_unlock(&backing_lock);
	if (error) {
		pr_warn("backing: memory at 0x%llx stays with the process: error %d",
			(unsigned long long)start, -error);
		return error;
	}
	return max_t(s64, bytes, 0);
}

int backing_place_of(u64 start, struct backing_place *place)
{
	struct extent *extent;
	int error = -EINVAL;

	mutex_lock(&backing_lock);
	extent = extent_at(start);
	if (extent && extent->start <= start && kind_of(extent)->apart) {
		*place = (struct backing_place){ extent->rule->want.host_node, backing.populate };
		error = 0;
	}
	mutex_unlock(&backing_lock);
	return error;
}
