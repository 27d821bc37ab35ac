/* SPDX-License-Identifier: MIT */
/*
 * Uevents: composing the message, numbering it and giving it to the listeners,
 * and the synthetic ones that a write to a `uevent` file asks for. uevents.lock
 * guards the number and the list and is held while listeners run, so that all
 * see the order of the numbers. Listeners live as long as the process.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include "device/uevent.h"
#include "memplug/tree.h"
#include "os/os.h"
#include "report/report.h"
#include "sync/thread.h"

#define MAX_VARIABLES 64
#define MAX_BYTES 2048 /* of all variables, with their NULs */
#define MAX_HEADER 256
#define UUID_LEN 36

struct listener {
	struct list_head node;
	mp_uevent_fn fn;
	void *arg;
};

static struct {
	struct mutex lock;
	struct list_head listeners;
	u64 seqnum;
} uevents = { .lock = __MUTEX_INITIALIZER(uevents), .listeners = LIST_HEAD_INIT(uevents.listeners) };

/* The message under construction: header first, then the variables. */
struct message {
	char text[MAX_HEADER + MAX_BYTES];
	size_t header; /* bytes, with the NUL */
	size_t used;   /* bytes of variables */
	int variables;
};

static void unlock_in_child(void)
{
	mp_mutex_init(&uevents.lock, "uevents");
}

/* Before anybody who listens, and whose own reset in a child may end that. */
__attribute__((constructor)) static void uevents_at_start(void)
{
	sync_at_fork_child(unlock_in_child);
}

/* 0 or -ENOMEM; a variable that does not fit leaves the message as it was (UEVENT-4). */
static int add_variable(struct message *m, const char *key, const char *value)
{
	size_t room = MAX_BYTES - m->used;
	int len = snprintf(m->text + m->header + m->used, room, "%s%s", key, value);

	if (m->variables == MAX_VARIABLES || (size_t)len >= room)
		return -ENOMEM;
	m->variables++;
	m->used += (size_t)len + 1;
	return 0;
}

static int compose(struct message *m, const char *action, const char *devpath,
		   const char *subsystem, const char *const *extra)
{
	int len = snprintf(m->text, MAX_HEADER, "%s@%s", action, devpath);
	int error;

	if (len >= MAX_HEADER)
		return -ENOMEM;
	m->header = (size_t)len + 1;
	m->used = 0;
	m->variables = 0;
	error = add_variable(m, "ACTION=", action);
	if (!error)
		error = add_variable(m, "DEVPATH=", devpath);
	if (!error)
		error = add_variable(m, "SUBSYSTEM=", subsystem);
	for (; !error && extra && *extra; extra++)
		error = add_variable(m, *extra, "");
	return error;
}

/* uevents.lock held. Only a message that is sent uses up a number (UEVENT-3). */
static int emit(struct message *m, const char *action, const char *devpath)
{
	struct listener *listener;
	char number[24], name[64];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)uevents.seqnum + 1);
	if (add_variable(m, "SEQNUM=", number))
		return -ENOMEM;
	uevents.seqnum++;
	snprintf(name, sizeof(name), "%s@%s", action, strrchr(devpath, '/') + 1);
	ring_record(MP_RING_UEVENT, (s64)uevents.seqnum, 0, 0, name);
	list_for_each_entry(listener, &uevents.listeners, node)
		listener->fn(m->text, m->header + m->used, listener->arg);
	return 0;
}

int uevent_send(const char *action, const char *devpath, const char *subsystem,
		const char *const *extra)
{
	struct message m;
	int error = compose(&m, action, devpath, subsystem, extra);

	if (!error) {
		mutex_lock(&uevents.lock);
		error = emit(&m, action, devpath);
		mutex_unlock(&uevents.lock);
	}
	WARN(error, "uevent: %s@%s does not fit and is dropped", action, devpath);
	return error;
}

int mp_uevent_listen(mp_uevent_fn fn, void *arg)
{
	struct listener *listener;

	if (!fn)
		return -EINVAL;
	listener = os_alloc(sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	listener->fn = fn;
	listener->arg = arg;
	mutex_lock(&uevents.lock);
	list_add_tail(&listener->node, &uevents.listeners);
	mutex_unlock(&uevents.lock);
	return 0;
}

int mp_uevent_unlisten(mp_uevent_fn fn, void *arg)
{
	struct listener *listener, *found = NULL;

	mutex_lock(&uevents.lock);
	list_for_each_entry(listener, &uevents.listeners, node)
		if (!found && listener->fn == fn && listener->arg == arg)
			found = listener;
	if (found)
		list_del(&found->node);
	mutex_unlock(&uevents.lock);
	os_free(found);
	return found ? 0 : -ENOENT;
}

static const char *const actions[] = { "add",	  "remove",  "change", "move",
				       "online", "offline", "bind",   "unbind" };

static const char *find_action(const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(actions); i++)
		if (strlen(actions[i]) == len && !strncmp(actions[i], text, len))
			return actions[i];
	return NULL;
}

static bool uuid_ok(const char *text, const char *end)
{
	int i;

	if (end - text < UUID_LEN)
		return false;
	for (i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return true;
}

/* Letters and digits from `text` to before `end`; their number. */
static size_t word_len(const char *text, const char *end)
{
	const char *at = text;

	while (at < end && isalnum((unsigned char)*at))
		at++;
	return (size_t)(at - text);
}

/* The extra variables of a synthetic event, one after the other in `text`. */
struct arguments {
	char text[MAX_BYTES + 64];
	size_t used;
	const char *variable[MAX_VARIABLES + 1]; /* NULL-terminated */
	int variables;
};

/* -ENOMEM where the message could not hold it either. */
static int add_argument(struct arguments *a, const char *key, size_t key_len, const char *value,
			size_t value_len)
{
	const char *prefix = key ? "SYNTH_ARG_" : "SYNTH_UUID";
	size_t room = sizeof(a->text) - a->used;
	int len = snprintf(a->text + a->used, room, "%s%.*s=%.*s", prefix, (int)key_len,
			   key ? key : "", (int)value_len, value);

	if (a->variables == MAX_VARIABLES || (size_t)len >= room)
		return -ENOMEM;
	a->variable[a->variables++] = a->text + a->used;
	a->used += (size_t)len + 1;
	return 0;
}

/* " UUID[ KEY=VALUE]..." (UEVENT-11); -EINVAL comes before -ENOMEM. */
static int parse_arguments(struct arguments *a, const char *text, const char *end)
{
	int error;

	if (text == end)
		return add_argument(a, NULL, 0, "0", 1);
	text++;
	if (!uuid_ok(text, end))
		return -EINVAL;
	error = add_argument(a, NULL, 0, text, UUID_LEN);
	text += UUID_LEN;
	while (text < end) {
		const char *key = text + 1, *value;
		size_t key_len, value_len;

		key_len = word_len(key, end);
		value = key + key_len + 1;
		if (*text != ' ' || !key_len || value >= end || value[-1] != '=')
			return -EINVAL;
		value_len = word_len(value, end);
		text = value + value_len;
		if (!value_len || (text < end && *text != ' '))
			return -EINVAL;
		if (!error)
			error = add_argument(a, key, key_len, value, value_len);
	}
	return error;
}

ssize_t uevent_store(const char *devpath, const char *subsystem, const char *buf, size_t count)
{
	struct arguments arguments = { .used = 0 };
	const char *action, *space, *end = buf + count;
	int error;

	if (!count)
		return 0;
	if (end[-1] == '\n' || !end[-1])
		end--;
	space = memchr(buf, ' ', (size_t)(end - buf));
	if (!space)
		space = end;
	action = find_action(buf, (size_t)(space - buf));
	if (!action)
		return -EINVAL;
	error = parse_arguments(&arguments, space, end);
	if (error == -EINVAL)
		return error;
	if (!devpath) /* validated only (UEVENT-13) */
		return (ssize_t)count;
	if (!WARN(error, "uevent: arguments written to %s do not fit", devpath))
		error = uevent_send(action, devpath, subsystem, arguments.variable);
	return error ? error : (ssize_t)count;
}
