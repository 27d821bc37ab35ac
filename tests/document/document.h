/* SPDX-License-Identifier: MIT */
/* What the document tests have besides the standard machine: the first hot blocks, their node. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "machine.h"
#include "page/page.h"

#define NODE 1

/* Of hot memory; not there before they are added. */
enum { FIRST = HOT_BLOCK, SECOND, THIRD, FOURTH };

/* Answers `answer` to one event from now on and NOTIFY_DONE to all others. */
static inline void answer_only(struct listener *me, unsigned long action, int answer)
{
	memset(me->answers, 0, sizeof(me->answers));
	if (action)
		listener_answer(me, action, answer);
}

/* Free pages of the machine, those in the threads' lists among them. */
static inline unsigned long all_free_pages(void)
{
	drain_pages_range(0, ~0UL);
	return nr_free_pages();
}

#endif
