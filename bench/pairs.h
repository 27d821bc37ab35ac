/* SPDX-License-Identifier: MIT */
/*
 * Figures as pairs: ours and the peer's, one run of each in turn, the first one alternating so that drift
 * favours neither; the median of the ratios with its 95 % interval (order statistics). No state.
 */
#ifndef BENCH_PAIRS_H
#define BENCH_PAIRS_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAIRS 21
#define SPREAD 4 /* ranks from the median to each end of its 95 % interval: 0.98 * sqrt(PAIRS) */

static inline double clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int pairs_by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Both return nanoseconds for one operation. Prints a line; returns the median ratio. */
static inline double pairs_compare(const char *what, const char *peer_name, double (*ours)(const void *),
			    const void *our_arg, double (*peer)(const void *), const void *peer_arg)
{
	double ratio[PAIRS], a[PAIRS], b[PAIRS];
	int i;

	/* Warm: caches, first touches, threads that register. */
	ours(our_arg);
	peer(peer_arg);
	for (i = 0; i < PAIRS; i++) {
		if (i % 2) {
			a[i] = ours(our_arg);
			b[i] = peer(peer_arg);
		} else {
			b[i] = peer(peer_arg);
			a[i] = ours(our_arg);
		}
		ratio[i] = a[i] / b[i];
	}
	qsort(ratio, PAIRS, sizeof(*ratio), pairs_by_value);
	qsort(a, PAIRS, sizeof(*a), pairs_by_value);
	qsort(b, PAIRS, sizeof(*b), pairs_by_value);
	printf("%s: %.1f ns, %s %.1f ns, ratio %.2f (%.2f to %.2f)\n", what, a[PAIRS / 2], peer_name,
	       b[PAIRS / 2], ratio[PAIRS / 2], ratio[PAIRS / 2 - SPREAD], ratio[PAIRS / 2 + SPREAD]);
	fflush(stdout);
	return ratio[PAIRS / 2];
}

#endif
