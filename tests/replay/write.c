// SPDX-License-Identifier: MIT
/*
 * W lines: one write to a file of the tree with its errno, where the trace
 * says so interrupted by a signal. The writer that gets one runs on a thread
 * of its own, and `done` is set under the event log's mutex.
 */
#include "replay.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <memplug/machine.h>
#include <memplug/ring.h>
#include <memplug/tree.h>

struct write_request {
	char path[512];
	char text[512];
	size_t length;
	int rc;
	bool done;
};

/* Text between the quotes, escapes decoded; true when it holds a newline of its own. */
static bool decode(const char *from, const char *end, struct write_request *request)
{
	bool newline = false;

	request->length = 0;
	for (; from < end && request->length < sizeof(request->text) - 2; from++) {
		if (from[0] == '\\' && from[1] == 'n') {
			newline = true;
			request->text[request->length++] = '\n';
			from++;
		} else {
			request->text[request->length++] = *from;
		}
	}
	return newline;
}

static int write_now(struct write_request *request)
{
	ssize_t rc;

	rc = mp_write(request->path, request->text, request->length);
	if (rc < 0)
		return rc;
	return (size_t)rc == request->length ? 0 : -EIO;
}

static void ignore_signal(int sig)
{
	(void)sig;
}

static void *writer(void *arg)
{
	struct write_request *request = arg;

	request->rc = write_now(request);
	log_set_done(&request->done);
	return NULL;
}

/* The end of the event ring: what is recorded from now on lies behind it. */
static uint64_t ring_end(void)
{
	struct mp_ring_record record;
	uint64_t cursor = 0;

	while (mp_ring_read(&cursor, &record) == 1)
		;
	return cursor;
}

/* True when an offline has made a pass in which no page moved; false when the write is done. */
static bool wait_until_stuck(uint64_t cursor, struct write_request *request)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct mp_ring_record record;

	while (!log_is_done(&request->done)) {
		while (mp_ring_read(&cursor, &record) == 1)
			if (record.type == MP_RING_MIGRATE && record.b == 0)
				return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* A writer that is inside an offline; the same signal as in the trace ends it. */
static bool write_with_signal(struct write_request *request, int sig, char *result, size_t size)
{
	struct sigaction action = {.sa_handler = ignore_signal};
	uint64_t cursor = ring_end();
	bool pending;
	pthread_t thread;

	if (sig != SIGKILL)
		sigaction(sig, &action, NULL);
	if (pthread_create(&thread, NULL, writer, request))
		abort();
	pending = wait_until_stuck(cursor, request);
	if (pending && sig != SIGKILL)
		pthread_kill(thread, sig);
	else if (pending)
		mp_cancel(thread);
	pthread_join(thread, NULL);
	/* SIGKILL would end this program too: its stand-in is the cancellation, seen as -EINTR. */
	if (sig == SIGKILL && request->rc == -EINTR)
		snprintf(result, size, "killed by signal %d", sig);
	else
		snprintf(result, size, "%s", result_text(request->rc));
	return pending;
}

void replay_write(struct lines *out, int number, const char *line)
{
	struct write_request request = {.rc = 0};
	char path[256], result[256], pending[64] = "";
	const char *value = strstr(line, " <- \""), *end, *tail;
	int milliseconds, sig;
	bool raw;

	snprintf(path, sizeof(path), "%.*s", (int)(value - line - 2), line + 2);
	full_path(path, request.path, sizeof(request.path));
	value += strlen(" <- \"");
	/* The last quote before the result: values hold none. */
	end = strchr(value, '"');
	tail = end + 1;
	raw = starts_with(tail, " (no newline)");
	if (!decode(value, end, &request) && !raw)
		request.text[request.length++] = '\n';
	if (sscanf(tail, " : [pending after %d ms, sending signal %d]", &milliseconds, &sig) == 2) {
		if (write_with_signal(&request, sig, result, sizeof(result)))
			snprintf(pending, sizeof(pending),
				 "[pending after %d ms, sending signal %d] ", milliseconds, sig);
	} else {
		snprintf(result, sizeof(result), "%s", result_text(write_now(&request)));
	}
	lines_add(out, number, "W %s <- \"%.*s\"%s : %s%s", path, (int)(end - value), value,
		  raw ? " (no newline)" : "", pending, result);
}
