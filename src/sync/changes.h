/* SPDX-License-Identifier: MIT */
/*
 * How often what steady attributes show has changed: begun before the first
 * store of a change, ended behind the last. Who found both alike and the same twice has a
 * text that nobody has changed between (docs/protocol.md, CHANGES). Changes nest and overlap.
 */
#ifndef MEMPLUG_SYNC_CHANGES_H
#define MEMPLUG_SYNC_CHANGES_H

#include <memplug/serve.h>

/* Where the counts are: shared with other processes, or this one's own without a machine. */
extern struct mp_changes *changes_page;

static inline void changes_begin(void)
{
	__atomic_fetch_add(&changes_page->begun, 1, __ATOMIC_RELAXED);
	/* Whoever sees what comes now sees the count, too. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void changes_end(void)
{
	/* Release: who sees the count sees what came before it. */
	__atomic_fetch_add(&changes_page->ended, 1, __ATOMIC_RELEASE);
}

/*
 * The counts move to `page`, or to where they were first (NULL). Inside one change, the caller's, and
 * no other: there is no machine, and mem_hotplug_lock is held for writing.
 */
void changes_move(struct mp_changes *page);
/* In a fork child: back to counts of its own. */
void changes_forget(void);

#endif
