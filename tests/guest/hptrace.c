// SPDX-License-Identifier: MIT
/*
 * The commands of the oracle's kernel module: notifiers that are registered,
 * told what to answer and what to do, and calls of the kernel's interface. One
 * command at a time, under the mutex, which also guards the list; callbacks look
 * at their own entry only, as the module's do.
 */
#include "guest.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/errno.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>

#define ACTIONS  6
#define NAME_LEN 24

static const char *const action_names[ACTIONS] = {
	"ONLINE", "GOING_OFFLINE", "OFFLINE", "GOING_ONLINE", "CANCEL_ONLINE", "CANCEL_OFFLINE",
};

enum deed {
	DO_NOTHING, DO_ALLOC, DO_FREE, DO_UNREF, DO_REREF, DO_FORGET, DO_HOLD, DO_SLEEP, DO_STATE,
	DEEDS
};
static const char *const deed_names[DEEDS] = {"none",	"alloc", "free",  "unref", "reref",
					      "forget", "hold",	 "sleep", "state"};

struct traced {
	struct traced *next;
	char name[NAME_LEN];
	bool quiet;
	struct {
		bool has_rule;
		int ret, times; /* times < 0: for ever */
		enum deed deed;
		char arg[NAME_LEN];
	} on[ACTIONS];
	struct notifier_block nb;
};

static struct {
	pthread_mutex_t lock;
	struct traced *first;
} traced_list = {.lock = PTHREAD_MUTEX_INITIALIZER};

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

static void show_alloc(int nid, const struct memory_notify *range, char *note, size_t size)
{
	bool kernel = pages_can_be_allocated(false, nid, range->start_pfn, range->nr_pages);

	snprintf(note, size, " alloc_kernel=%d alloc_movable=%d", kernel,
		 pages_can_be_allocated(true, nid, range->start_pfn, range->nr_pages));
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
	int count, rc, value = 0;

	if ((deed == DO_ALLOC || deed == DO_SLEEP || deed == DO_STATE) && !parse_int(arg, &value))
		return;
	switch (deed) {
	case DO_NOTHING:
		return;
	case DO_ALLOC:
		show_alloc(value, range, note, size);
		return;
	case DO_HOLD:
		snprintf(note, size, " hold=%d", hold_in(arg, range));
		return;
	case DO_SLEEP:
		usleep((useconds_t)value * 3000); /* as tests/conformance/init */
		return;
	case DO_STATE:
		snprintf(note, size, " N_ONLINE=%d N_NORMAL_MEMORY=%d N_MEMORY=%d present=%lu",
			 node_state(value, N_ONLINE), node_state(value, N_NORMAL_MEMORY),
			 node_state(value, N_MEMORY), NODE_DATA(value)->node_present_pages);
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
	if (traced->quiet)
		return ret;
	log_event('N',
		  "cb=%s prio=%d action=MEM_%s start_pfn=0x%lx nr_pages=%lu nid_normal=%d nid=%d "
		  "ret=%s%s",
		  traced->name, nb->priority, a >= 0 ? action_names[a] : "?", range->start_pfn,
		  range->nr_pages, range->status_change_nid_normal, range->status_change_nid,
		  answer_text(ret, buf, sizeof(buf)), note);
	return ret;
}

/* ------------------------------------------------- notifiers come and go */

static struct traced **find(const char *name)
{
	struct traced **traced = &traced_list.first;

	while (*traced && strcmp((*traced)->name, name))
		traced = &(*traced)->next;
	return traced;
}

static int add_notifier(const char *name, int priority, bool quiet)
{
	struct traced *traced, **last = &traced_list.first;
	int rc;

	if (*find(name))
		return -EEXIST;
	traced = calloc(1, sizeof(*traced));
	if (!traced)
		return -ENOMEM;
	strncpy(traced->name, name, sizeof(traced->name) - 1);
	traced->quiet = quiet;
	traced->nb.notifier_call = callback;
	traced->nb.priority = priority;
	rc = register_memory_notifier(&traced->nb);
	if (rc) {
		free(traced);
		return rc;
	}
	while (*last)
		last = &(*last)->next;
	*last = traced;
	return 0;
}

static int command_reg(char **w, int n)
{
	int priority;

	if (!parse_int(w[2], &priority))
		return -EINVAL;
	return add_notifier(w[1], priority, n > 3 && !strcmp(w[3], "quiet"));
}

static int command_regmany(char **w, int n)
{
	int count, priority, i, rc;
	char name[NAME_LEN];

	(void)n;
	if (!parse_int(w[1], &count) || count < 0 || !parse_int(w[2], &priority))
		return -EINVAL;
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "q%d", i);
		rc = add_notifier(name, priority, true);
		if (rc)
			return rc;
	}
	return 0;
}

static int command_rereg(char **w, int n)
{
	struct traced *traced = *find(w[1]);

	(void)n;
	return traced ? register_memory_notifier(&traced->nb) : -ENOENT;
}

static bool is_meant(const struct traced *traced, const char *name)
{
	return !strcmp(name, "*") || !strcmp(name, traced->name);
}

static int command_unreg(char **w, int n)
{
	struct traced **place = &traced_list.first, *traced;
	int rc = -ENOENT;

	(void)n;
	while ((traced = *place)) {
		if (!is_meant(traced, w[1])) {
			place = &traced->next;
			continue;
		}
		unregister_memory_notifier(&traced->nb);
		*place = traced->next;
		free(traced);
		rc = 0;
	}
	return rc;
}

static int command_clear(char **w, int n)
{
	struct traced *traced;
	int rc = -ENOENT, a;

	(void)n;
	for (traced = traced_list.first; traced; traced = traced->next) {
		if (!is_meant(traced, w[1]))
			continue;
		for (a = 0; a < ACTIONS; a++) {
			traced->on[a].has_rule = false;
			traced->on[a].deed = DO_NOTHING;
		}
		rc = 0;
	}
	return rc;
}

/* ------------------------------------------- what a notifier is to answer */

static int parse_action(const char *text)
{
	int a;

	if (starts_with(text, "MEM_"))
		text += strlen("MEM_");
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
	int value;

	for (i = 0; i < ARRAY_SIZE(named); i++) {
		if (strcmp(text, named[i].name))
			continue;
		*ret = named[i].ret;
		return true;
	}
	if (!parse_int(text, &value))
		return false;
	*ret = *text == '-' ? notifier_from_errno(value) : value;
	return true;
}

static int command_rule(char **w, int n)
{
	struct traced *traced = *find(w[1]);
	int a = parse_action(w[2]), ret;

	if (!traced || a < 0)
		return traced ? a : -ENOENT;
	if (!parse_answer(w[3], &ret))
		return -EINVAL;
	traced->on[a].ret = ret;
	traced->on[a].times = -1;
	if (n > 4 && !parse_int(w[4], &traced->on[a].times))
		return -EINVAL;
	traced->on[a].has_rule = true;
	return 0;
}

static int command_act(char **w, int n)
{
	struct traced *traced = *find(w[1]);
	int a = parse_action(w[2]), deed;

	if (!traced || a < 0)
		return traced ? a : -ENOENT;
	for (deed = 0; deed < DEEDS; deed++) {
		if (strcmp(w[3], deed_names[deed]))
			continue;
		snprintf(traced->on[a].arg, NAME_LEN, "%s", n > 4 ? w[4] : "");
		traced->on[a].deed = deed;
		return 0;
	}
	return -EINVAL;
}

/* ----------------------------------------------------------------- pages */

static int command_hold(char **w, int n)
{
	unsigned long start, nr;
	int nid, count;

	(void)n;
	if (!parse_int(w[2], &nid) || !parse_ulong(w[3], &start) || !parse_ulong(w[4], &nr) ||
	    !parse_int(w[5], &count) || count < 0)
		return -EINVAL;
	return hold_pages(w[1], nid, start, nr, count, w[6]);
}

static int apply_hold(const char *name, enum hold_operation operation)
{
	int rc, count = hold_apply(name, operation, &rc);

	return count < 0 ? count : rc;
}

static int command_free(char **w, int n)
{
	(void)n;
	return apply_hold(w[1], HOLD_FREE);
}

static int command_unref(char **w, int n)
{
	(void)n;
	return apply_hold(w[1], HOLD_UNREF);
}

static int command_reref(char **w, int n)
{
	(void)n;
	return apply_hold(w[1], HOLD_REREF);
}

static int command_tryalloc(char **w, int n)
{
	unsigned long start, nr;
	bool kernel, movable;
	int nid;

	(void)n;
	if (!parse_int(w[1], &nid) || !parse_ulong(w[2], &start) || !parse_ulong(w[3], &nr))
		return -EINVAL;
	kernel = pages_can_be_allocated(false, nid, start, nr);
	movable = pages_can_be_allocated(true, nid, start, nr);
	log_event('A', "start_pfn=0x%lx nr_pages=%lu alloc_kernel=%d alloc_movable=%d", start, nr,
		  kernel, movable);
	return 0;
}

/* ------------------------------------------------------ the kernel's calls */

static int command_addmem(char **w, int n)
{
	unsigned long start, size;
	char *name = NULL;
	int nid, rc;

	if (!parse_int(w[1], &nid) || !parse_ulong(w[2], &start) || !parse_ulong(w[3], &size))
		return -EINVAL;
	descriptors_take(nid, start, size);
	/* The resource keeps the name for good. */
	if (n > 4 && asprintf(&name, "System RAM %s", w[4]) < 0)
		return -ENOMEM;
	rc = name ? add_memory_driver_managed(nid, start, size, name, MHP_NONE)
		  : add_memory(nid, start, size, MHP_NONE);
	if (rc)
		descriptors_give(start, size);
	return rc;
}

static int remove_with(int (*call)(u64 start, u64 size), char **w)
{
	unsigned long start, size;
	int rc;

	if (!parse_ulong(w[1], &start) || !parse_ulong(w[2], &size))
		return -EINVAL;
	rc = call(start, size);
	if (!rc)
		descriptors_give(start, size);
	return rc;
}

static int command_rmmem(char **w, int n)
{
	(void)n;
	return remove_with(remove_memory, w);
}

static int command_offrm(char **w, int n)
{
	(void)n;
	return remove_with(offline_and_remove_memory, w);
}

static int command_uevents(char **w, int n)
{
	(void)n;
	uevents_log(w[1][0] == '1');
	return 0;
}

/* -------------------------------------------------------------- commands */

/* `most` words at most; the module takes 8 and lets go of the rest. */
static const struct {
	const char *name;
	int least, most;
	int (*run)(char **words, int count);
} commands[] = {
	{"reg", 3, 8, command_reg},
	{"regmany", 3, 3, command_regmany},
	{"rereg", 2, 2, command_rereg},
	{"unreg", 2, 2, command_unreg},
	{"clear", 2, 2, command_clear},
	{"rule", 4, 8, command_rule},
	{"act", 4, 8, command_act},
	{"hold", 7, 7, command_hold},
	{"free", 2, 2, command_free},
	{"unref", 2, 2, command_unref},
	{"reref", 2, 2, command_reref},
	{"tryalloc", 4, 4, command_tryalloc},
	{"addmem", 4, 8, command_addmem},
	{"rmmem", 3, 3, command_rmmem},
	{"offrm", 3, 3, command_offrm},
	{"uevents", 2, 2, command_uevents},
};

static int run_command(char *line)
{
	char *words[8];
	unsigned int i;
	int count;

	if (starts_with(line, "mark ")) {
		log_event('M', "%s", line + strlen("mark "));
		return 0;
	}
	count = split(line, words, 8);
	for (i = 0; count && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(words[0], commands[i].name))
			return count < commands[i].least || count > commands[i].most
				       ? -EINVAL
				       : commands[i].run(words, count);
	return -EINVAL;
}

int hptrace_command(const char *line)
{
	char copy[1025];
	size_t length;
	int rc;

	if (strlen(line) > 1024)
		return -E2BIG;
	snprintf(copy, sizeof(copy), "%s", line + strspn(line, " \t\n"));
	for (length = strlen(copy); length && isspace((unsigned char)copy[length - 1]);)
		copy[--length] = 0;
	pthread_mutex_lock(&traced_list.lock);
	rc = run_command(copy);
	pthread_mutex_unlock(&traced_list.lock);
	return rc;
}
