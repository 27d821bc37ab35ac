// SPDX-License-Identifier: MIT
/*
 * Kinds of extents that lie in files of the host's choosing: pools of huge
 * pages, a file by path, a DAX device. What is online is allocated, so that
 * nobody meets a SIGBUS for want of a page. No state.
 */
#include "backing/file.h"
#include "os/os.h"

#include <linux/kernel.h>
#include <stdio.h>
#include <stdlib.h>

#define S_TYPE 0170000
#define S_REGULAR 0100000
#define S_CHAR 0020000

/* ---- hugetlb: a memory file for each block ---- */

static int open_2m(struct extent *extent)
{
	return backing_take_fd(extent, os_memfd_huge("memplug", 21));
}

static int open_1g(struct extent *extent)
{
	return backing_take_fd(extent, os_memfd_huge("memplug", 30));
}

const struct backing_kind backing_hugetlb = {
	"hugetlb", open_2m, memfd_close, memfd_map, memfd_populate, memfd_discard, NULL,
	.eager = true, .single_blocks = true, .movable = true, .granule = SZ_2M,
};
const struct backing_kind backing_hugetlb_1g = {
	"hugetlb-1G", open_1g, memfd_close, memfd_map, memfd_populate, memfd_discard, NULL,
	.eager = true, .single_blocks = true, .granule = SZ_1G,
};

/* ---- a file by path: all its extents share the rule's descriptor ---- */

static int share_fd(struct extent *extent)
{
	extent->fd = extent->rule_fd;
	extent->used = true; /* what the file had is none of the memory's: it reads as zero */
	return 0;
}

static void close_nothing(struct extent *extent)
{
}

static int file_open_path(const struct backing_rule *want, int *result)
{
	u64 end = want->offset + (want->end - want->start);
	int fd = os_open_file(want->path), type, error = 0;
	s64 size;

	if (fd < 0)
		return fd;
	type = os_file_type(fd);
	size = type < 0 ? type : os_file_size(fd);
	if (size < 0)
		error = (int)size;
	else if ((type & S_TYPE) != S_REGULAR)
		error = -ENOTBLK;
	else if ((u64)size < end)
		error = os_truncate(fd, end);
	/* The first piece, as a trial: it is dropped anyway when its block comes. */
	if (!error)
		error = os_punch_hole(fd, want->offset, 4096);
	if (error) {
		os_close(fd);
		return error;
	}
	*result = backing_fd_high(fd);
	return 0;
}

const struct backing_kind backing_file = {
	"file", share_fd, close_nothing, memfd_map, memfd_populate, memfd_discard, NULL,
	.open_path = file_open_path, .eager = true, .granule = 4096,
};

/* ---- a DAX device: nothing to allocate, nothing to give back but zeroes ---- */

/* A number of the device's directory in the host's tree, or -errno. */
static s64 dax_number(const char *path, const char *what)
{
	const char *name = strrchr(path, '/');
	char file[128], text[32] = "";
	s64 value;
	int fd;

	snprintf(file, sizeof(file), "/sys/bus/dax/devices/%.64s/%s", name ? name + 1 : path, what);
	fd = os_open_read(file);
	if (fd < 0)
		return fd;
	value = os_read_at(fd, text, sizeof(text) - 1, 0);
	os_close(fd);
	return value < 0 ? value : strtoll(text, NULL, 0);
}

static int dax_open_path(const struct backing_rule *want, int *result)
{
	int fd = os_open_device(want->path), type, error = 0;
	s64 size, align;

	if (fd < 0)
		return fd;
	type = os_file_type(fd);
	if (type < 0 || (type & S_TYPE) != S_CHAR) {
		error = type < 0 ? type : -ENOTBLK;
	} else {
		size = dax_number(want->path, "size");
		align = dax_number(want->path, "align");
		if (size < 0 || align < 0)
			error = -ENOTBLK;
		else if ((u64)size < want->offset + (want->end - want->start) ||
			 (align && (want->offset | want->start | want->end) % (u64)align))
			error = -EFBIG;
	}
	if (error) {
		os_close(fd);
		return error;
	}
	*result = backing_fd_high(fd);
	return 0;
}

static int dax_open(struct extent *extent)
{
	extent->fd = extent->rule_fd;
	return 0;
}

static int dax_map(struct extent *extent, void *at, u64 start, u64 size)
{
	int error = memfd_map(extent, at, start, size);

	if (!error)
		memset(at, 0, size);
	return error;
}

static int dax_populate(struct extent *extent, void *at, u64 start, u64 size)
{
	return 0;
}

/* While it is mapped; dax_map() clears what comes again. */
static int dax_discard(struct extent *extent, void *at, u64 start, u64 size)
{
	memset(at, 0, size);
	return 0;
}

const struct backing_kind backing_dax = {
	"dax", dax_open, close_nothing, dax_map, dax_populate, dax_discard, NULL,
	.open_path = dax_open_path, .discard_mapped = true, .granule = 4096,
};
