/* SPDX-License-Identifier: MIT */
/* Ranges as map.c and remap.c see them. */
#ifndef MEMPLUG_MAP_RANGE_H
#define MEMPLUG_MAP_RANGE_H

#include "map/map.h"

struct map_request {
	char *at;
	size_t length;
	int nid;
	unsigned int flags; /* MP_MAP_... */
	const void *site;   /* who asks */
};

/* Address space without access for `length` bytes, at the same place within 2 MiB as `phase`. */
int find_room(size_t length, uintptr_t phase, char **at);
/* Fills reserved address space with units; table_reserve() was called. Reserved again on failure. */
int map_range(const struct map_request *req);
/* Machine, alignment, size. 0, -ENXIO, -EINVAL. */
int check_range(const void *addr, size_t length);
/* mp_unmap(). */
int unmap_range(char *at, size_t length);

#endif
