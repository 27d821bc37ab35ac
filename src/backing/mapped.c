// SPDX-License-Identifier: MIT
/*
 * A second mapping of memory files, for programs: may it be, where, and what
 * is a hole. No state of its own; backing_lock guards the extents.
 */
#include "backing/backing.h"
#include "backing/extent.h"
#include "os/os.h"
#include "report/report.h"

#include <linux/kernel.h>
#include <linux/mutex.h>

int backing_use_for_maps(u64 start, u64 *granule)
{
	struct extent *extent;
	int error = -EOPNOTSUPP;

	mutex_lock(&backing_lock);
	extent = extent_at(start);
	if (extent && extent->start <= start && kind_of(extent)->movable) {
		extent_use_for_maps(extent);
		*granule = kind_of(extent)->granule;
		error = 0;
	}
	if (extent && extent->start <= start && kind_of(extent)->apart) {
		*granule = kind_of(extent)->granule;
		error = BACKING_APART;
	}
	mutex_unlock(&backing_lock);
	return error;
}

struct backing_kinds backing_kinds(void)
{
	struct backing_kinds kinds = { 0 };
	struct extent *extent;

	mutex_lock(&backing_lock);
	for (extent = extent_at(0); extent && !(kinds.files && kinds.apart); extent = extent->next) {
		kinds.files |= kind_of(extent)->movable;
		kinds.apart |= kind_of(extent)->apart;
	}
	mutex_unlock(&backing_lock);
	return kinds;
}

int backing_map_again(u64 start, void *at, u64 size, int prot)
{
	struct extent *extent;
	int error = -EINVAL;

	mutex_lock(&backing_lock);
	extent = extent_at(start);
	if (extent && extent->start <= start && extent->fd >= 0)
		error = os_map_fd_as(at, size, prot, extent->fd, extent->base + start - extent->start);
	mutex_unlock(&backing_lock);
	/* It is mapped already: advice that the host does not take now is no reason to take that back. */
	if (!error && os_dontfork(at, size))
		pr_warn("backing: %p is not left out of fork", at);
	if (!error)
		os_hugepages(at, size);
	return error;
}

int backing_map_private(u64 start, void *at, u64 size, int prot)
{
	struct extent *extent;
	int error = -EINVAL;

	mutex_lock(&backing_lock);
	extent = extent_at(start);
	if (extent && extent->start <= start && extent->fd >= 0)
		error = os_map_private(at, size, prot, extent->fd, extent->base + start - extent->start);
	mutex_unlock(&backing_lock);
	return error;
}

int backing_hole(u64 start, u64 size)
{
	struct extent *extent;
	s64 data = -EINVAL;
	u64 offset = 0;

	mutex_lock(&backing_lock);
	extent = extent_at(start);
	if (extent && extent->start <= start && extent->fd >= 0) {
		offset = extent->base + start - extent->start;
		data = os_next_data(extent->fd, offset);
	}
	mutex_unlock(&backing_lock);
	if (data == -ENXIO)
		return 1;
	return data < 0 ? (int)data : data >= (s64)(offset + size);
}
