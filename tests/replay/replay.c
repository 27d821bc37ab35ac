// SPDX-License-Identifier: MIT
/*
 * Replays one golden trace: boots the machine that its head describes, does
 * what its W, C, Q and X lines say, makes every line of an observation again
 * at its place, and compares. A golden line only tells what to do or what to
 * look at; no text of it reaches the comparison but the words of a request.
 */
#include "replay.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/errno.h>
#include <memplug/hooks.h>
#include <memplug/machine.h>
#include <memplug/tree.h>

struct replay {
	struct trace trace;
	struct lines golden, got;
	char last_path[256];
	struct process *processes[2];
	struct mp_file *kept_open; /* over the removal of its block (trace 47) */
	bool want_open_file, has_uevents;
};

static const char *line_at(const struct replay *replay, int i)
{
	return i >= 0 && i < replay->trace.lines.count ? replay->trace.lines.text[i] : "";
}

/* How many lines from i on begin with `prefix`. */
static int run_length(const struct replay *replay, int i, const char *prefix)
{
	int n = i;

	while (n < replay->trace.lines.count && starts_with(line_at(replay, n), prefix))
		n++;
	return n - i;
}

/* The words of a record between its letter and " : ". */
static void request_of(const char *line, char *buf, size_t size)
{
	const char *end = strstr(line, " : ");

	snprintf(buf, size, "%.*s", (int)(end ? end - line - 2 : (long)strlen(line) - 2), line + 2);
}

static void flush(struct replay *replay, int number)
{
	log_flush(&replay->got, number);
}

static void replay_request(struct replay *replay, int number, const char *line)
{
	char request[256], copy[256], *words[8];
	const char *reply;
	int count;

	request_of(line, request, sizeof(request));
	snprintf(copy, sizeof(copy), "%s", request);
	count = split(copy, words, 8);
	/* What the guest's own eject did was seen after the emulator had been asked. */
	if (!starts_with(request, "wait-deleted "))
		flush(replay, number);
	if (replay->want_open_file && !replay->kept_open && starts_with(request, "dimm-del"))
		mp_open("/sys/devices/system/memory/memory32/state", O_RDWR, &replay->kept_open);
	reply = starts_with(request, "vmem-size ") ? vmem_request(words[1], words[2])
						   : dimm_request(words, count);
	lines_add(&replay->got, number, "Q %s : %s", request, reply);
	flush(replay, number);
}

static void replay_command(struct replay *replay, int number, const char *line)
{
	char command[256];
	int rc;

	request_of(line, command, sizeof(command));
	rc = hptrace_command(command);
	lines_add(&replay->got, number, "C %s : %s", command, result_text(rc));
	flush(replay, number);
}

/* P NAME mem NODE MB [FLAG...]; P NAME COMMAND; P NAME ended */
static void replay_process(struct replay *replay, int number, const char *line)
{
	char request[256], copy[256], reply[128] = "?", *w[8];
	struct process **process = &replay->processes[starts_with(line, "P p2")];
	int count;

	request_of(line, request, sizeof(request));
	snprintf(copy, sizeof(copy), "%s", request);
	count = split(copy, w, 8);
	if (count == 2 && !strcmp(w[1], "ended")) {
		if (*process)
			process_end(*process);
		*process = NULL;
		lines_add(&replay->got, number, "P %s", request);
		return;
	}
	if (count >= 4 && !strcmp(w[1], "mem"))
		*process = process_start(w + 2, count - 2, reply, sizeof(reply));
	else if (*process)
		process_command(*process, w + 1, count - 1, reply, sizeof(reply));
	lines_add(&replay->got, number, "P %s : %s", request, reply);
}

/* insmod and rmmod: error injection, whose framework is one with it, and the virtio-mem driver. */
static void replay_module(struct replay *replay, int number, const char *line)
{
	char request[256], copy[256], *words[4];
	int count, priority = 0, rc = -ENOENT;

	request_of(line, request, sizeof(request));
	snprintf(copy, sizeof(copy), "%s", request);
	count = split(copy, words, 4);
	if (count >= 2 && !strcmp(words[1], "virtio_mem")) {
		rc = vmem_load();
	} else if (count >= 2 && (starts_with(words[1], "virtio") ||
				  !strcmp(words[1], "notifier-error-inject"))) {
		rc = 0;
	} else if (count >= 2 && !strcmp(words[1], "memory-notifier-error-inject")) {
		if (count > 2)
			sscanf(words[2], "priority=%d", &priority);
		rc = strcmp(words[0], "insmod") ? mp_inject_unload() : mp_inject_load(priority);
	}
	lines_add(&replay->got, number, "X %s : %s", request, rc ? "failed" : "ok");
}

/*
 * A list of every added block can be told from a list of named ones by what
 * follows it: the masks or the resources.
 */
static int replay_blocks(struct replay *replay, int i)
{
	int n, length = run_length(replay, i, "B ");
	const char *next = line_at(replay, i + length);
	char name[32] = "";

	if (!strcmp(line_at(replay, i), "B none above 4 GiB") || starts_with(next, "G possible=") ||
	    starts_with(next, "I ")) {
		show_blocks(&replay->got, i + 1);
		return length;
	}
	for (n = i; n < i + length; n++) {
		sscanf(line_at(replay, n), "B %31s", name);
		show_block(&replay->got, n + 1, name);
	}
	return length;
}

static int replay_zones(struct replay *replay, int i)
{
	int n = i;

	while (starts_with(line_at(replay, n), "Z ") &&
	       !starts_with(line_at(replay, n), "Z MemTotal="))
		n++;
	show_zones(&replay->got, i + 1);
	return n + 1 - i;
}

static void replay_open_file(struct replay *replay, int number, const char *line)
{
	char text[64] = "";
	ssize_t rc = -EBADF;

	if (starts_with(line, "L write")) {
		if (replay->kept_open)
			rc = mp_file_write(replay->kept_open, "online\n", strlen("online\n"));
		lines_add(&replay->got, number, "L write to removed block: %s",
			  rc < 0 ? strerror(-rc) : "");
		return;
	}
	if (replay->kept_open)
		rc = mp_file_read(replay->kept_open, text, sizeof(text) - 1, 0);
	lines_add(&replay->got, number, "L read of removed block: %s %s", text,
		  rc < 0 ? strerror(-rc) : "");
}

static void replay_read(struct replay *replay, int number, const char *line)
{
	const char *end = strstr(line, " = \"");

	end = end ? end : strstr(line, " : ");
	snprintf(replay->last_path, sizeof(replay->last_path), "%.*s", (int)(end - line - 2),
		 line + 2);
	show_file(&replay->got, number, replay->last_path);
}

/* Makes the observation at line i again; how many golden lines it stands for, 0: none. */
static int replay_line(struct replay *replay, int i)
{
	const char *line = line_at(replay, i);

	switch (line[0]) {
	case 'W':
		replay_write(&replay->got, i + 1, line);
		/* Recorded behind the emulator's answer: Linux ejects from a work queue. */
		if (!strstr(line, "/eject <- "))
			flush(replay, i + 1);
		return 1;
	case 'C':
		replay_command(replay, i + 1, line);
		return 1;
	case 'Q':
		replay_request(replay, i + 1, line);
		return 1;
	case 'X':
		replay_module(replay, i + 1, line);
		return 1;
	case 'P':
		replay_process(replay, i + 1, line);
		return 1;
	case 'R':
		replay_read(replay, i + 1, line);
		return 1;
	case 'L':
		replay_open_file(replay, i + 1, line);
		return 1;
	case 'B':
		return replay_blocks(replay, i);
	case 'G':
		show_nodes(&replay->got, i + 1);
		return 1 + run_length(replay, i + 1, "G node");
	case 'Z':
		return replay_zones(replay, i);
	case 'I':
		show_iomem(&replay->got, i + 1);
		return run_length(replay, i, "I ");
	case 'E':
		uevents_flush(&replay->got, i + 1);
		return run_length(replay, i, "E ");
	case 'A': /* what the commands before them left in the log */
	case 'N':
	case 'U':
		return 1;
	}
	return 0;
}

static void replay_all(struct replay *replay)
{
	int i = 0, n, count = replay->trace.lines.count;

	while (i < count) {
		n = show_note(&replay->got, &replay->golden, &replay->trace, i, replay->last_path);
		if (n) {
			i += n;
			continue;
		}
		if (line_at(replay, i)[0] == 'S')
			flush(replay, i + 1);
		n = replay_line(replay, i);
		if (!n)
			i++;
		for (; n > 0; n--, i++)
			lines_add(&replay->golden, i + 1, "%s", line_at(replay, i));
	}
	flush(replay, count);
	if (replay->has_uevents)
		uevents_flush(&replay->got, count);
}

/* Why this trace cannot be replayed, or NULL. */
static const char *unable(const struct replay *replay)
{
	int i;

	for (i = 0; i < replay->trace.lines.count; i++) {
		if (starts_with(line_at(replay, i), "P ") && strstr(line_at(replay, i), " hugetlb"))
			return "needs hugetlbfs";
		if (starts_with(line_at(replay, i), "S mem-on-off-test.sh"))
			return "runs a script of the kernel's tree in the guest";
	}
	return NULL;
}

static void be_silent(const char *text, void *arg)
{
	(void)text;
	(void)arg;
}

static void be_silent_log(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static void say(const char *text, void *arg)
{
	(void)arg;
	printf("# check: %s\n", text);
}

/* The machine's own checker must agree at the end. */
static int check_machine(const char *name)
{
	int wrong = mp_check(say, NULL);

	if (wrong)
		printf("not ok replay %s: %d inconsistencies in the machine at the end\n", name,
		       wrong);
	else
		printf("ok replay %s\n", name);
	return !!wrong;
}

int main(int argc, char **argv)
{
	struct replay replay = {.kept_open = NULL};
	bool verbose = argc == 3 && !strcmp(argv[1], "-v");
	const char *reason;
	int i, rc;

	if (argc != 2 && !verbose) {
		fprintf(stderr, "usage: replay [-v] TRACE\n");
		return 2;
	}
	rc = trace_read(&replay.trace, argv[argc - 1]);
	if (rc) {
		printf("not ok replay %s: %s\n", argv[argc - 1], strerror(-rc));
		return 1;
	}
	reason = unable(&replay);
	if (reason) {
		printf("skip replay %s: %s\n", replay.trace.name, reason);
		return 77;
	}
	if (!verbose) {
		mp_set_warn_hook(be_silent, NULL);
		mp_set_log_hook(be_silent_log, NULL);
	}
	rc = guest_boot(&replay.trace.guest);
	if (rc) {
		printf("not ok replay %s: the machine does not boot: %s\n", replay.trace.name,
		       strerror(-rc));
		return 1;
	}
	for (i = 0; i < replay.trace.lines.count; i++) {
		replay.want_open_file |= starts_with(line_at(&replay, i), "L write");
		replay.has_uevents |= starts_with(line_at(&replay, i), "E ");
	}
	uevents_start();
	observe_start();
	replay_all(&replay);
	if (replay.kept_open)
		mp_file_close(replay.kept_open);
	rc = compare(replay.trace.name, &replay.golden, &replay.got, verbose);
	if (!rc)
		rc = check_machine(replay.trace.name);
	lines_free(&replay.golden);
	lines_free(&replay.got);
	lines_free(&replay.trace.lines);
	return rc;
}
