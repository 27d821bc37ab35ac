/* SPDX-License-Identifier: MIT */
/*
 * Kinds of extents: a memory file, which can be mapped a second time and punched,
 * and plain anonymous memory. No state.
 */
#include "backing/file.h"
#include "backing/kind.h"
#include "report/report.h"
#include "os/os.h"

#include <linux/kernel.h>

#define PAGE_BYTES 4096u

static s64 resident_pages(struct extent *extent, void *at, u64 start, u64 size, unsigned char *vec,
			  size_t vec_size)
{
	s64 bytes = 0;

	while (size) {
		u64 part = min_t(u64, size, vec_size * PAGE_BYTES);
		int error = os_residency(at, part, vec);

		if (error)
			return error;
		for (u64 i = 0; i < part / PAGE_BYTES; i++)
			bytes += (vec[i] & 1) * PAGE_BYTES;
		at = (char *)at + part;
		size -= part;
	}
	return bytes;
}

/* ---- memfd ---- */

int backing_fd_high(int fd)
{
	int high;

	if (os_table_apart())
		return fd;
	high = os_dup_from(fd, max(3, os_nofile_limit() / 2));
	if (high < 0)
		return fd; /* low is better than none */
	os_close(fd);
	return high;
}

int backing_take_fd(struct extent *extent, int fd)
{
	int error;

	if (fd < 0)
		return fd;
	error = os_truncate(fd, extent->end - extent->start);
	if (error) {
		os_close(fd);
		return error;
	}
	extent->fd = backing_fd_high(fd);
	return 0;
}

static int memfd_open(struct extent *extent)
{
	return backing_take_fd(extent, os_memfd("memplug"));
}

void memfd_close(struct extent *extent)
{
	int error = os_close(extent->fd);

	/* Linux has closed it all the same. */
	if (error)
		pr_warn("backing: closing descriptor %d: error %d", extent->fd, -error);
}

int memfd_map(struct extent *extent, void *at, u64 start, u64 size)
{
	return os_map_fd(at, size, extent->fd, extent->base + start - extent->start);
}

int memfd_populate(struct extent *extent, void *at, u64 start, u64 size)
{
	extent->populated = true;
	return os_allocate(extent->fd, extent->base + start - extent->start, size);
}

int memfd_discard(struct extent *extent, void *at, u64 start, u64 size)
{
	return os_punch_hole(extent->fd, extent->base + start - extent->start, size);
}

static s64 memfd_resident(struct extent *extent, void *at, u64 start, u64 size, unsigned char *vec,
			  size_t vec_size)
{
	u64 offset = extent->base + start - extent->start;
	s64 data;

	if (size == extent->end - extent->start)
		return os_file_resident(extent->fd);
	/* Asking for each page takes long, and most of a large machine was never touched. */
	data = extent->populated ? (s64)offset : os_next_data(extent->fd, offset);
	if (data == -ENXIO || data >= (s64)(offset + size))
		return 0;
	if (data > (s64)offset) {
		at = (char *)at + (data - offset);
		size -= data - offset;
	}
	return resident_pages(extent, at, start, size, vec, vec_size);
}

/* ---- anonymous ---- */

static int anonymous_open(struct extent *extent)
{
	extent->fd = -1;
	return 0;
}

static void anonymous_close(struct extent *extent)
{
}

static int anonymous_map(struct extent *extent, void *at, u64 start, u64 size)
{
	return os_map_anonymous(at, size);
}

static int anonymous_populate(struct extent *extent, void *at, u64 start, u64 size)
{
	return os_populate(at, size);
}

static int anonymous_discard(struct extent *extent, void *at, u64 start, u64 size)
{
	return os_discard(at, size);
}

static const struct backing_kind memfd = {
	"memfd", memfd_open, memfd_close, memfd_map, memfd_populate, memfd_discard, memfd_resident,
	.counts = true, .sealable = true, .movable = true, .granule = PAGE_BYTES,
};
static const struct backing_kind anonymous = {
	"anonymous", anonymous_open, anonymous_close, anonymous_map, anonymous_populate,
	anonymous_discard, resident_pages, .counts = true, .apart = true, .granule = PAGE_BYTES,
};

static const struct backing_kind *const kinds[] = {
	&memfd, &anonymous, &backing_hugetlb, &backing_hugetlb_1g, &backing_file, &backing_dax,
};

const struct backing_kind *backing_kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

int backing_kind_check(const char *name, bool *by_path)
{
	const struct backing_kind *kind = backing_kind_find(name);

	*by_path = kind && kind->open_path;
	return kind ? 0 : -EINVAL;
}
