/* SPDX-License-Identifier: MIT */
#ifndef MEMPLUG_LINUX_RANGE_H
#define MEMPLUG_LINUX_RANGE_H
#include <linux/types.h>

/* Both ends inclusive. */
struct range {
	u64 start;
	u64 end;
};

static inline u64 range_len(const struct range *range)
{
	return range->end - range->start + 1;
}

#endif
