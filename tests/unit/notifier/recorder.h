/* SPDX-License-Identifier: MIT */
/* Blocks that write down who was called with what, and answer as told. */
#ifndef TESTS_NOTIFIER_RECORDER_H
#define TESTS_NOTIFIER_RECORDER_H

#include "machine.h"

#include <linux/kernel.h>
#include <linux/notifier.h>

struct recorder {
	struct notifier_block nb;
	const char *name;
	int answer;
	void (*hook)(struct recorder *me, unsigned long action, void *data);
	int calls;
};

static int record(struct notifier_block *nb, unsigned long action, void *data)
{
	struct recorder *me = container_of(nb, struct recorder, nb);
	char text[24];

	snprintf(text, sizeof(text), "%lu", action);
	note(me->name, text);
	__atomic_fetch_add(&me->calls, 1, __ATOMIC_SEQ_CST);
	if (me->hook)
		me->hook(me, action, data);
	return me->answer;
}

#define RECORDER(text, prio) \
	{ .nb = { .notifier_call = record, .priority = (prio) }, .name = (text) }

#endif
