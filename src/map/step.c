// SPDX-License-Identifier: MIT
/*
 * How much of a move goes into one window: writers wait for that long, and each
 * window costs system calls. What is small enough is what this host was seen to
 * do in time. Atomics: several threads may move, and all see the same host.
 */
#include "map/map.h"
#include "map/step.h"

/* A piece is as large as can be copied in this time, so that writers need not wait for long. */
#define COPY_NS 80000u
#define PIECE_MAX ((size_t)256 << 10)
/*
 * A huge page moves in one window if that is this short, or not much longer than the longest that pieces
 * need: they make writers wait several times and map the page anew once more.
 */
#define WAIT_NS 200000u
#define TRY_OTHER 64u /* every so many moves */
#define SMOOTH 8

/* GRANULE to PIECE_MAX, a power of 2. */
static size_t piece = PIECE_MAX;
static u64 longest[NR_STEP_WAYS]; /* window of a move, smoothed; 0: not tried yet */
static unsigned int moves;

enum step_way step_way(bool huge)
{
	u64 whole = __atomic_load_n(&longest[STEP_WHOLE], __ATOMIC_RELAXED);
	u64 pieces = __atomic_load_n(&longest[STEP_PIECES], __ATOMIC_RELAXED);
	bool other;

	if (!huge)
		return STEP_PIECES;
	if (whole <= WAIT_NS)
		return STEP_WHOLE;
	other = __atomic_add_fetch(&moves, 1, __ATOMIC_RELAXED) % TRY_OTHER == 0;
	return (whole <= pieces + pieces / 2) != other ? STEP_WHOLE : STEP_PIECES;
}

void step_way_took(enum step_way way, u64 ns)
{
	u64 before = __atomic_load_n(&longest[way], __ATOMIC_RELAXED);

	__atomic_store_n(&longest[way], before ? before - before / SMOOTH + ns / SMOOTH : ns, __ATOMIC_RELAXED);
}

size_t step_piece(void)
{
	return __atomic_load_n(&piece, __ATOMIC_RELAXED);
}

void step_piece_took(size_t bytes, u64 ns)
{
	/* Not of a rest: half of that need not be whole pages. */
	if (bytes & (bytes - 1) || bytes > PIECE_MAX)
		return;
	if (ns > COPY_NS && bytes > GRANULE)
		__atomic_store_n(&piece, bytes / 2, __ATOMIC_RELAXED);
	else if (ns * 2 < COPY_NS && bytes < PIECE_MAX)
		__atomic_store_n(&piece, bytes * 2, __ATOMIC_RELAXED);
}
