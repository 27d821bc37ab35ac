/* SPDX-License-Identifier: MIT */
/* What a machine description holds; built by desc*.c, read by boot.c. */
#ifndef MEMPLUG_PLUG_DESC_H
#define MEMPLUG_PLUG_DESC_H

#include <linux/types.h>
#include <memplug/machine.h>
#include "backing/backing.h"

struct desc_range {
	u64 start, size;
	int nid;
	bool movable;
};

struct desc_ranges {
	struct desc_range *at;
	int count, room;
};

struct desc_cpu {
	int cpu, nid;
	bool present, online;
};

struct desc_distance {
	int from, to, distance;
};

struct mp_desc {
	bool document;
	u64 block_size; /* 0: auto (BLOCK-3) */
	u64 max_phys;
	char backing[16];
	struct backing_rule *backings;
	int nr_backings;
	bool populate, overcommit;
	int default_online_type;
	int online_policy;
	u32 auto_movable_ratio;
	bool auto_movable_numa_aware, memmap_on_memory, movable_node, probe;
	u64 possible[16], described[16]; /* nodes: bits */
	struct desc_ranges ram, reserved, offline;
	struct desc_cpu *cpus;
	int nr_cpus;
	struct desc_distance *distances;
	int nr_distances;
	char error[256];
};

/* Records `error` with a text; returns it. */
int desc_fail(struct mp_desc *desc, int error, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));
bool desc_node_possible(const struct mp_desc *desc, int nid);
/* `at`, or a copy in its place, with room for one more than its `count` items; or NULL. Only this grows the list. */
void *desc_grown(void *at, int count, size_t size);
/* mp_desc_add_cpu() in a state of mp_desc_set_cpu(). */
int desc_add_cpu(struct mp_desc *desc, int cpu, int nid, const char *state);
/* "128M", "0x1000", "4096": 0 or -EINVAL, -ERANGE. */
int desc_parse_size(const char *text, u64 *size);
/* A whole file as a NUL-terminated heap text (os_alloc). Length or -errno. */
ssize_t desc_read_text(const char *path, char **text);
/* "0-3,7": calls fn for each number; 0 or -EINVAL or fn's non-zero. */
int desc_parse_list(const char *text, int (*fn)(int number, void *arg), void *arg);

#endif
