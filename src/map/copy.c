// SPDX-License-Identifier: MIT
/*
 * Copying what moves, and sums of it: should the kernel still write to the page
 * that was left, the sums tell where, and only what it has not written there is
 * copied back (guard.c). No state.
 */
#include "map/map.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define VECTORS (SUM_BYTES / sizeof(vector))

typedef u64 vector __attribute__((vector_size(16)));

/* The second one depends on the order. 0 stands for: no sum. */
static u32 sum_of(vector first, vector second)
{
	u64 sum = first[0] * 0x9e3779b97f4a7c15u ^ first[1] * 0xc2b2ae3d27d4eb4fu;

	sum ^= (second[0] << 1 | second[0] >> 63) * 0x165667b19e3779f9u;
	sum ^= (second[1] << 1 | second[1] >> 63) * 0x27d4eb2f165667c5u;
	return (u32)(sum >> 32) | 1;
}

/* Past the caches: the program's own data stays there, and the target's lines need not be read first. */
static inline void store(vector *to, vector what)
{
#ifdef __SSE2__
	_mm_stream_si128((__m128i *)to, (__m128i)what);
#else
	*to = what;
#endif
}

static void stores_done(void)
{
#ifdef __SSE2__
	/* Such stores wait for nobody: here they must be done. */
	_mm_sfence();
#endif
}

void copy_summed(char *to, const char *from, size_t bytes, u32 *sums)
{
	const vector *in = (const void *)from;
	vector *out = (void *)to;
	size_t i, j;

	/* Not memcpy(): each word is read once, so that sum and copy are of the same. */
	for (i = 0; i < bytes / SUM_BYTES; i++, in += VECTORS, out += VECTORS) {
		vector first = { 0 }, second = { 0 };

		for (j = 0; j < VECTORS; j++) {
			vector v = in[j];

			store(&out[j], v);
			first += v;
			second += first;
		}
		if (sums)
			sums[i] = sum_of(first, second);
	}
	stores_done();
}

static bool changed(const char *line, u32 sum)
{
	const volatile vector *in = (const volatile void *)line;
	vector first = { 0 }, second = { 0 };
	size_t j;

	for (j = 0; j < VECTORS; j++) {
		first += in[j];
		second += first;
	}
	return sum && sum_of(first, second) != sum;
}

void copy_back(char *to, const char *from, size_t bytes, u32 *sums)
{
	size_t i;

	/* The sums are those of what is put there: this may have to be done once more. */
	for (i = 0; i < bytes; i += SUM_BYTES)
		if (!changed(to + i, sums[i / SUM_BYTES]))
			copy_summed(to + i, from + i, SUM_BYTES, &sums[i / SUM_BYTES]);
}
