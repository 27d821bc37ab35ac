/* SPDX-License-Identifier: MIT */
/* The kinds of file.c, and what they share with memory files. */
#ifndef MEMPLUG_BACKING_FILE_H
#define MEMPLUG_BACKING_FILE_H

#include "backing/backing.h"
#include "backing/kind.h"

extern const struct backing_kind backing_hugetlb, backing_hugetlb_1g, backing_file, backing_dax;

/* A copy of the descriptor with a high number, or itself: select() and the like want low ones. */
int backing_fd_high(int fd);
/* The extent's file, a new one, or the errno of making it: gets the extent's size. 0 or -errno. */
int backing_take_fd(struct extent *extent, int fd);
void memfd_close(struct extent *extent);
int memfd_map(struct extent *extent, void *at, u64 start, u64 size);
int memfd_populate(struct extent *extent, void *at, u64 start, u64 size);
int memfd_discard(struct extent *extent, void *at, u64 start, u64 size);

#endif
