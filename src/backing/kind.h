/* SPDX-License-Identifier: MIT */
/* What an extent can be made of: one table of operations for each kind. */
#ifndef MEMPLUG_BACKING_KIND_H
#define MEMPLUG_BACKING_KIND_H

#include <linux/types.h>

struct rule;
struct backing_rule;

struct extent {
	struct extent *next;
	u64 start, end; /* its window of the direct map */
	u64 nr_live;	/* blocks of the window that are mapped */
	bool used;	/* some of it was mapped before */
	bool for_maps;	/* programs have mapped some of it */
	bool populated; /* some of it was made resident without being touched */
	bool given;	/* somebody else has its descriptor */
	u64 dropped;	/* bytes that went back before backing_give_back() */
	int fd;
	u64 base; /* place of `start` in the file */
	const struct rule *rule;
	int rule_fd; /* of a kind with open_path */
	u64 live[];	/* a bit for each block: it is mapped; as many words: it was populated */
};

/* All return 0 or -errno; `start` is in the direct map, `at` its address. backing_lock held. */
struct backing_kind {
	const char *name;
	int (*open)(struct extent *extent);
	void (*close)(struct extent *extent);
	int (*map)(struct extent *extent, void *at, u64 start, u64 size);
	/* Makes the range resident. */
	int (*populate)(struct extent *extent, void *at, u64 start, u64 size);
	/* Back to the host; reads as zero afterwards. */
	int (*discard)(struct extent *extent, void *at, u64 start, u64 size);
	/* Bytes of the range that the host holds for us (NULL: what was populated, or none); `vec` is for the answer's bits. */
	s64 (*resident)(struct extent *extent, void *at, u64 start, u64 size, unsigned char *vec,
			size_t vec_size);
	/* Opens what a rule names by its path, for all its extents. May be NULL. */
	int (*open_path)(const struct backing_rule *want, int *fd);
	bool eager;	     /* populated when it goes online, also with commit=lazy */
	bool single_blocks;  /* an extent is never larger than a block */
	bool discard_mapped; /* discard() needs the mapping */
	bool counts;	     /* of the host's ordinary memory */
	bool sealable;	     /* its file can be sealed, and can be replaced */
	bool movable;	     /* userfaultfd can hold it still, and it can be mapped twice */
	bool apart;	     /* what programs map is memory of its own, and only counts as the block's */
	u64 granule;	     /* bytes of its pages */
};

/* NULL: no such kind. */
const struct backing_kind *backing_kind_find(const char *name);

#endif
