// SPDX-License-Identifier: MIT
/*
 * The commands of the oracle's kernel module: notifiers that are registered,
 * told what to answer and what to do. They change only between operations, so
 * nothing guards their list.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/memory.h>
#include <linux/mm.h>

#define ACTIONS 6

static const char *const action_names[ACTIONS] = {
	"ONLINE", "GOING_OFFLINE", "OFFLINE", "GOING_ONLINE", "CANCEL_ONLINE", "CANCEL_OFFLINE",
};

enum deed { DO_NOTHING, DO_ALLOC, DO_FREE, DO_UNREF, DO_REREF, DO_FORGET, DO_HOLD, DEEDS };
static const char *const deed_names[DEEDS] = {"none",  "alloc",  "free", "unref",
					      "reref", "forget", "hold"};

struct traced {
	struct traced *next;
	char name[24];
	struct {
		bool has_rule;
		int ret, times; /* times < 0: for ever */
		enum deed deed;
		char arg[24];
	} on[ACTIONS];
	struct notifier_block nb;
};

static struct traced *all;

/* ------------------------------------------------------------- callbacks */

static const char *answer_text(int ret, char *buf, size_t size)
{
	switch (ret) {
	case NOTIFY_DONE:
		return "DONE";
	case NOTIFY_OK:
		return "OK";
	case NOTIFY_STOP:
		return "STOP";
	case NOTIFY_BAD:
		return "BAD";
	}
	if ((ret & NOTIFY_STOP_MASK) && !(ret & 0x7fff0000) && notifier_to_errno(ret))
		snprintf(buf, size, "ERRNO(%d)", notifier_to_errno(ret));
	else
		snprintf(buf, size, "RAW(0x%x)", ret);
	return buf;
}

static int hold_in(const char *name, const struct memory_notify *range)
{
	return hold_pages(name, page_to_nid(pfn_to_page(range->start_pfn)), range->start_pfn,
			  range->nr_pages, 1, "kernel");
}

static void do_deed(enum deed deed, const char *arg, const struct memory_notify *range, char *note,
		    size_t size)
{
	static const enum hold_operation operation[DEEDS] = {
		[DO_FREE] = HOLD_FREE,
		[DO_UNREF] = HOLD_UNREF,
		[DO_REREF] = HOLD_REREF,
		[DO_FORGET] = HOLD_FORGET,
	};
	int count, rc;

	switch (deed) {
	case DO_NOTHING:
		return;
	case DO_ALLOC:
		snprintf(
			note, size, " alloc_kernel=%d alloc_movable=%d",
			pages_can_be_allocated(false, atoi(arg), range->start_pfn, range->nr_pages),
			pages_can_be_allocated(true, atoi(arg), range->start_pfn, range->nr_pages));
		return;
	case DO_HOLD:
		snprintf(note, size, " hold=%d", hold_in(arg, range));
		return;
	default:
		count = hold_apply(arg, operation[deed], &rc);
		if (count < 0)
			snprintf(note, size, " %s=none", deed_names[deed]);
		else
			snprintf(note, size, " %s=%d", deed_names[deed], count);
	}
}

static int callback(struct notifier_block *nb, unsigned long action, void *data)
{
	struct traced *traced = container_of(nb, struct traced, nb);
	const struct memory_notify *range = data;
	int a = -1, ret = NOTIFY_OK;
	char buf[24], note[96] = "";

	if (action && !(action & (action - 1)) && action < 1ul << ACTIONS)
		a = __builtin_ctzl(action);
	if (a >= 0 && traced->on[a].has_rule && traced->on[a].times) {
		ret = traced->on[a].ret;
		if (traced->on[a].times > 0)
			traced->on[a].times--;
	}
	if (a >= 0)
		do_deed(traced->on[a].deed, traced->on[a].arg, range, note, sizeof(note));
	log_event('N',
		  "cb=%s prio=%d action=MEM_%s start_pfn=0x%lx nr_pages=%lu nid_normal=%d nid=%d "
		  "ret=%s%s",
		  traced->name, nb->priority, a >= 0 ? action_names[a] : "?", range->start_pfn,
		  range->nr_pages, range->status_change_nid_normal, range->status_change_nid,
		  answer_text(ret, buf, sizeof(buf)), note);
	return ret;
}

/* -------------------------------------------------------------- commands */

static struct traced **find(const char *name)
{
	struct traced **traced = &all;

	while (*traced && strcmp((*traced)->name, name))
		traced = &(*traced)->next;
	return traced;
}

static int command_reg(char **w, int n)
{
	struct traced **last = find(w[1]), *traced;
	long priority;
	int rc;

	if (n != 3 || !parse_long(w[2], &priority))
		return -EINVAL;
	if (*last)
		return -EEXIST;
	traced = calloc(1, sizeof(*traced));
	if (!traced)
		return -ENOMEM;
	strncpy(traced->name, w[1], sizeof(traced->name) - 1);
	traced->nb.notifier_call = callback;
	traced->nb.priority = priority;
	rc = register_memory_notifier(&traced->nb);
	if (rc)
		free(traced);
	else
		*last = traced;
	return rc;
}

static int command_rereg(char **w, int n)
{
	struct traced *traced = *find(w[1]);

	(void)n;
	return traced ? register_memory_notifier(&traced->nb) : -ENOENT;
}

static int command_unreg(char **w, int n)
{
	struct traced **place = find(w[1]), *traced = *place;

	(void)n;
	if (!traced)
		return -ENOENT;
	unregister_memory_notifier(&traced->nb);
	*place = traced->next;
	free(traced);
	return 0;
}

static int command_clear(char **w, int n)
{
	struct traced *traced;
	int rc = -ENOENT;

	(void)n;
	for (traced = all; traced; traced = traced->next) {
		if (strcmp(w[1], "*") && strcmp(w[1], traced->name))
			continue;
		memset(traced->on, 0, sizeof(traced->on));
		rc = 0;
	}
	return rc;
}

static int parse_action(const char *text)
{
	int a;

	for (a = 0; a < ACTIONS; a++)
		if (!strcmp(text, action_names[a]))
			return a;
	return -EINVAL;
}

static bool parse_answer(const char *text, int *ret)
{
	static const struct {
		const char *name;
		int ret;
	} named[] = {{"DONE", NOTIFY_DONE},
		     {"OK", NOTIFY_OK},
		     {"STOP", NOTIFY_STOP},
		     {"BAD", NOTIFY_BAD}};
	unsigned int i;
	long value;

	for (i = 0; i < ARRAY_SIZE(named); i++) {
		if (strcmp(text, named[i].name))
			continue;
		*ret = named[i].ret;
		return true;
	}
	if (!parse_long(text, &value))
		return false;
	*ret = *text == '-' ? notifier_from_errno(value) : (int)value;
	return true;
}

static int command_rule(char **w, int n)
{
	struct traced *traced = *find(w[1]);
	int a = n >= 4 ? parse_action(w[2]) : -EINVAL;
	long times = -1;

	if (!traced || a < 0)
		return traced ? a : -ENOENT;
	if (!parse_answer(w[3], &traced->on[a].ret) || (n > 4 && !parse_long(w[4], &times)))
		return -EINVAL;
	traced->on[a].times = times;
	traced->on[a].has_rule = true;
	return 0;
}

static int command_act(char **w, int n)
{
	struct traced *traced = *find(w[1]);
	int a = n >= 4 ? parse_action(w[2]) : -EINVAL, deed;

	if (!traced || a < 0)
		return traced ? a : -ENOENT;
	for (deed = 0; deed < DEEDS; deed++) {
		if (strcmp(w[3], deed_names[deed]))
			continue;
		strncpy(traced->on[a].arg, n > 4 ? w[4] : "", sizeof(traced->on[a].arg) - 1);
		traced->on[a].deed = deed;
		return 0;
	}
	return -EINVAL;
}

static int command_hold(char **w, int n)
{
	long nid, start, nr, count;

	if (n != 7 || !parse_long(w[2], &nid) || !parse_long(w[3], &start) ||
	    !parse_long(w[4], &nr) || !parse_long(w[5], &count))
		return -EINVAL;
	return hold_pages(w[1], nid, start, nr, count, w[6]);
}

static int command_free(char **w, int n)
{
	int rc, count = hold_apply(w[1], HOLD_FREE, &rc);

	(void)n;
	return count < 0 ? count : rc;
}

static int command_tryalloc(char **w, int n)
{
	long nid, start, nr;

	if (n != 4 || !parse_long(w[1], &nid) || !parse_long(w[2], &start) ||
	    !parse_long(w[3], &nr))
		return -EINVAL;
	log_event('A', "start_pfn=0x%lx nr_pages=%ld alloc_kernel=%d alloc_movable=%d", start, nr,
		  pages_can_be_allocated(false, nid, start, nr),
		  pages_can_be_allocated(true, nid, start, nr));
	return 0;
}

static int command_uevents(char **w, int n)
{
	(void)n;
	uevents_log(w[1][0] == '1');
	return 0;
}

int hptrace_command(const char *line)
{
	static const struct {
		const char *name;
		int (*run)(char **words, int count);
	} commands[] = {
		{"reg", command_reg},           {"rereg", command_rereg},
		{"unreg", command_unreg},       {"clear", command_clear},
		{"rule", command_rule},         {"act", command_act},
		{"hold", command_hold},         {"free", command_free},
		{"tryalloc", command_tryalloc}, {"uevents", command_uevents},
	};
	char copy[256], *words[8];
	unsigned int i;
	int count;

	snprintf(copy, sizeof(copy), "%s", line);
	count = split(copy, words, 8);
	for (i = 0; count >= 2 && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(words[0], commands[i].name))
			return commands[i].run(words, count);
	return -EINVAL;
}
