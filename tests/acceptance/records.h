/* SPDX-License-Identifier: MIT */
/* Records that know what they must hold, for programs under `memplug run` (run_guest.c, run_short.c). */
#ifndef TESTS_ACCEPTANCE_RECORDS_H
#define TESTS_ACCEPTANCE_RECORDS_H

#include "guest.h"

#include <stdint.h>
#include <stdlib.h>

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

struct record {
	size_t words;
	uint64_t seed;
	uint64_t word[];
};

static inline struct record *make(uint64_t seed)
{
	/* Mostly small, some of several pages, a few large. */
	size_t words = 2 + mix(seed) % (seed % 97 == 0 ? 60000 : seed % 11 == 0 ? 1500 : 40);
	struct record *r = malloc(sizeof(*r) + words * sizeof(uint64_t));

	if (!r)
		return NULL;
	r->words = words;
	r->seed = seed;
	for (size_t i = 0; i < words; i++)
		r->word[i] = mix(seed + i);
	return r;
}

static inline void check(const struct record *r, uint64_t seed)
{
	NEED(r->seed == seed);
	for (size_t i = 0; i < r->words; i++)
		NEED(r->word[i] == mix(seed + i));
}

#define MANY 4000
static struct record *many[MANY];

static inline void check_many(void)
{
	for (uint64_t i = 0; i < MANY; i++)
		check(many[i], i);
}

#endif
