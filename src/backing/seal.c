// SPDX-License-Identifier: MIT
/*
 * Giving a block's memory back only if nobody in the kernel holds a page of it:
 * a memory file that is mapped nowhere can be sealed against writing unless
 * such a page is there. A sealed file is of no further use: a fresh one takes
 * its place. Under backing_lock, which backing.c takes.
 */
#include "backing/extent.h"
#include "backing/file.h"
#include "os/os.h"
#include "report/report.h"

#include <linux/kernel.h>

bool extent_sealable(const struct extent *extent, u64 start, u64 size)
{
	return extent && kind_of(extent)->sealable && !extent->given && extent->start == start &&
	       extent->end == start + size;
}

/* That file from now on. Twice: half of it is no state to be in. */
static int map_file(struct extent *extent, int fd)
{
	extent->fd = fd;
	return part_restore(extent, extent->start, extent->end) ?
		       part_restore(extent, extent->start, extent->end) : 0;
}

static int back_to(struct extent *extent, int old, int error)
{
	int fresh = extent->fd;

	if (map_file(extent, old)) {
		/* Empty it is all the same: what is not known is whether the kernel holds some of it. */
		pr_err("backing: 0x%llx cannot be mapped again: what the kernel writes there is lost",
		       (unsigned long long)extent->start);
		map_file(extent, fresh);
		os_close(old);
		return 0;
	}
	os_close(fresh);
	return error;
}

int extent_seal_and_drop(struct extent *extent)
{
	s64 bytes = part_resident(extent, extent->start, extent->end);
	int old = extent->fd, error = kind_of(extent)->open(extent);

	if (error)
		return error;
	/* The fresh one's mapping takes the old one's place, which could not be sealed with it. */
	error = map_file(extent, extent->fd) ?: os_seal_write(old);
	if (error)
		return back_to(extent, old, error);
	os_close(old);
	extent->dropped += bytes > 0 ? (u64)bytes : 0;
	return 0;
}
