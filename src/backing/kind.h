/* SPDX-License-Identifier: MIT */
/* What an extent can be made of: one table of operations for each kind. */
#ifndef MEMPLUG_BACKING_KIND_H
#define MEMPLUG_BACKING_KIND_H

#include <linux/types.h>

struct extent {
	struct extent *next;
	u64 start, end; /* its window of the direct map */
	u64 nr_live;	/* blocks of the window that are mapped */
	bool used;	/* some of it was mapped before */
	bool populated; /* some of it was made resident without being touched */
	int fd;
	u64 live[];	/* a bit for each block: it is mapped */
};

/* All return 0 or -errno; `start` is in the direct map, `at` its address. backing.lock held. */
struct backing_kind {
	const char *name;
	int (*open)(struct extent *extent);
	void (*close)(struct extent *extent);
	int (*map)(struct extent *extent, void *at, u64 start, u64 size);
	/* Makes the range resident. */
	int (*populate)(struct extent *extent, void *at, u64 start, u64 size);
	/* Back to the host; reads as zero afterwards. */
	int (*discard)(struct extent *extent, void *at, u64 start, u64 size);
	/* Bytes of the range that the host holds for us; `vec` is for the answer's bits. */
	s64 (*resident)(struct extent *extent, void *at, u64 start, u64 size, unsigned char *vec,
			size_t vec_size);
};

/* NULL: no such kind. */
const struct backing_kind *backing_kind_find(const char *name);

#endif
