/* SPDX-License-Identifier: MIT */
/* How much of a move goes into one window (step.c): for window.c alone. */
#ifndef MEMPLUG_MAP_STEP_H
#define MEMPLUG_MAP_STEP_H

#include <linux/kernel.h>

enum step_way { STEP_PIECES, STEP_WHOLE, NR_STEP_WAYS };

/* `huge`: both sides are huge pages. In pieces those are taken apart and have to be put together again. */
enum step_way step_way(bool huge);
/* A huge move has ended, its longest window took so long. */
void step_way_took(enum step_way way, u64 ns);

/* Bytes of a piece: GRANULE or more, a power of 2. */
size_t step_piece(void);
/* Copying a piece took so long. */
void step_piece_took(size_t bytes, u64 ns);

#endif
