// SPDX-License-Identifier: MIT
/*
 * What happened, in order: calls of notifiers, uevents, probes, under one
 * sequence number; and the uevents as their receivers see them. Guarded by the
 * mutex, since callbacks and listeners run on whatever thread.
 */
#include "guest.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memplug/tree.h>

static struct {
	pthread_mutex_t lock;
	struct lines lines, uevents;
	unsigned long seq;
	bool uevents_in_log;
} events = {.lock = PTHREAD_MUTEX_INITIALIZER};

void log_event(char letter, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&events.lock);
	lines_add(&events.lines, 0, "%c %lu %s", letter, ++events.seq, text);
	pthread_mutex_unlock(&events.lock);
}

static void move_lines(struct lines *from, struct lines *out, int number)
{
	int i;

	pthread_mutex_lock(&events.lock);
	for (i = 0; i < from->count; i++)
		lines_add(out, number, "%s", from->text[i]);
	lines_free(from);
	pthread_mutex_unlock(&events.lock);
}

void log_flush(struct lines *out, int number)
{
	move_lines(&events.lines, out, number);
}

void uevents_flush(struct lines *out, int number)
{
	move_lines(&events.uevents, out, number);
}

bool log_is_done(const bool *done)
{
	bool finished;

	pthread_mutex_lock(&events.lock);
	finished = *done;
	pthread_mutex_unlock(&events.lock);
	return finished;
}

void log_set_done(bool *done)
{
	pthread_mutex_lock(&events.lock);
	*done = true;
	pthread_mutex_unlock(&events.lock);
}

/* The header and all keys but SEQNUM, blank-separated, as the oracle's listener prints them. */
static void keep_uevent(const char *text, size_t size)
{
	char line[1024] = "E";
	const char *part;

	for (part = text; part < text + size; part += strlen(part) + 1) {
		if (starts_with(part, "SEQNUM="))
			continue;
		strncat(line, " ", sizeof(line) - strlen(line) - 1);
		strncat(line, part, sizeof(line) - strlen(line) - 1);
	}
	pthread_mutex_lock(&events.lock);
	lines_add(&events.uevents, 0, "%s", line);
	pthread_mutex_unlock(&events.lock);
}

static void uevent(const char *text, size_t size, void *arg)
{
	char action[16], folder[16], name[32];

	(void)arg;
	/* Objects below a directory called memory or node: blocks and nodes. */
	if (sscanf(text, "%15[a-z]@/devices/system/%15[a-z]/%31s", action, folder, name) != 3 ||
	    (strcmp(folder, "memory") && strcmp(folder, "node")))
		return;
	keep_uevent(text, size);
	if (__atomic_load_n(&events.uevents_in_log, __ATOMIC_RELAXED))
		log_event('U', "%s %s", action, name);
}

void uevents_log(bool on)
{
	__atomic_store_n(&events.uevents_in_log, on, __ATOMIC_RELAXED);
}

void uevents_start(void)
{
	if (mp_uevent_listen(uevent, NULL))
		abort();
}
