/* SPDX-License-Identifier: MIT */
/* How long each callback took, by event. */
#ifndef MEMPLUG_HOTPLUG_TIMINGS_H
#define MEMPLUG_HOTPLUG_TIMINGS_H

#include <linux/types.h>

struct callback_timing {
	unsigned long action; /* 0: callbacks that had no place in the table */
	char name[96];
	u64 calls, refusals; /* answers that mean an errno */
	u64 total_ns, max_ns, last_ns;
	int answer; /* the last one */
};

/* One callback has answered. May be called with any lock held. */
void timings_record(unsigned long action, const char *name, int answer, u64 ns);
/* The entry of that number, from 0; false: there is none. */
bool timings_get(int number, struct callback_timing *timing);
/* At boot. */
void timings_reset(void);
/* The callbacks that a notification would call now, in order (events.c). Waits for a registration. */
void callbacks_for_each(void (*fn)(const char *name, int priority, void *arg), void *arg);

#endif
