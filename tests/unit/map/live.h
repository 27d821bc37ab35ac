/* SPDX-License-Identifier: MIT */
/* What the tests of mapped memory share: a machine with movable blocks on node 1, patterns, numbers. */
#ifndef TESTS_MAP_LIVE_H
#define TESTS_MAP_LIVE_H

#include "../../lib/machine.h"

#include "page/page.h"
#include <errno.h>
#include <memplug/map.h>
#include <sys/syscall.h>

#define GRANULE ((size_t)MP_MAP_GRANULE)
#define MIB ((size_t)1 << 20)

/* What the machine's memory is; programs are built for each (tests/meson.build). */
#ifndef MAP_BACKING
#define MAP_BACKING "memfd"
#endif
#define MACHINE "overcommit = yes\nbacking = " MAP_BACKING "\n"

static inline bool is_anonymous(void)
{
	return !strcmp(MAP_BACKING, "anonymous");
}

/* Node 1 has that many movable blocks; all of what is mapped comes from there. */
static inline void start(int blocks)
{
	machine_boot(MACHINE);
	add_blocks(1, HOT_BLOCK, blocks);
	for (int i = 0; i < blocks; i++)
		CHECK_EQ(set_state(HOT_BLOCK + i, "online_movable"), 0);
	if (mp_map_prepare() == -EOPNOTSUPP) {
		struct mp_reason reason;

		mp_last_reason(&reason);
		SKIP("%s", reason.text);
	}
}

static inline char *map(size_t length, unsigned int flags)
{
	void *at = NULL;

	CHECK_EQ(mp_map(&at, length, 1, flags | MP_MAP_THISNODE), 0);
	return at;
}

static inline struct mp_map_stats map_stats(void)
{
	struct mp_map_stats stats;

	CHECK_EQ(mp_get_map_stats(&stats), 0);
	return stats;
}

static inline bool is_zero(const char *at, size_t length)
{
	for (size_t i = 0; i < length; i += 8)
		if (*(const uint64_t *)(at + i))
			return false;
	return true;
}

static inline void write_pattern(char *at, size_t length, uint64_t seed)
{
	for (size_t i = 0; i < length; i += 8)
		*(uint64_t *)(at + i) = seed + i * 0x9e3779b97f4a7c15u;
}

static inline size_t wrong(const char *at, size_t length, uint64_t seed)
{
	size_t bad = 0;

	for (size_t i = 0; i < length; i += 8)
		bad += *(const uint64_t *)(at + i) != seed + i * 0x9e3779b97f4a7c15u;
	return bad;
}

/* The blocks of node 1 leave and return, one after the other: what lies there moves each time. */
static inline void move_about(int rounds)
{
	static int next;

	for (int i = 0; i < rounds; i++, next++) {
		CHECK_EQ(set_state(HOT_BLOCK + next % 2, "offline"), 0);
		CHECK_EQ(mp_block_resident(HOT_BLOCK + next % 2), 0);
		CHECK_EQ(set_state(HOT_BLOCK + next % 2, "online_movable"), 0);
	}
}

/* VmFlags of the mapping that holds `at`, from /proc/self/smaps. */
static inline void vm_flags(const char *at, char *flags, size_t size)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false;
	char line[1024];

	flags[0] = '\0';
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (unsigned long)at >= start && (unsigned long)at < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, size, "%.*s", (int)size - 1, line + 8);
	}
	fclose(f);
}

static inline bool has_flag(const char *at, const char *flag)
{
	char flags[256];

	vm_flags(at, flags, sizeof(flags));
	return strstr(flags, flag) != NULL;
}

static inline void finish(void)
{
	CHECK_EQ(map_stats().bytes, 0);
	machine_check();
	CHECK_EQ(mp_shutdown(), 0);
}

#endif
