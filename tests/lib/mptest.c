/* SPDX-License-Identifier: MIT */
/*
 * The main() of every test program. The parent forks one child per test, watches the clock, and prints
 * one line per test: ok, not ok, or skip. The child leaves its verdict in a page shared with the parent;
 * verdict.stage says who may write the message: the thread that moves it from NONE to WRITING.
 */
#include "mptest.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum stage { NONE, WRITING, FAILED, SKIPPED };

struct verdict {
	_Atomic unsigned long checks;
	_Atomic bool returned;
	_Atomic int stage;
	char message[3000];
};

static struct verdict *verdict;
static struct mptest *tests, **tests_end = &tests;

void mptest_register(struct mptest *test)
{
	*tests_end = test;
	tests_end = &test->next;
}

/* Records the first verdict and ends the process; the shared page tells the parent, not the exit code. */
static __attribute__((noreturn, format(printf, 4, 0)))
void conclude(enum stage stage, const char *file, int line, const char *format, va_list args)
{
	int none = NONE, used = 0;

	if (!atomic_compare_exchange_strong(&verdict->stage, &none, WRITING)) {
		/* Another thread is writing: ending the process now would cut its message short. */
		while (atomic_load(&verdict->stage) == WRITING)
			usleep(1000);
		_exit(1);
	}
	if (file) {
		const char *base = strrchr(file, '/');

		used = snprintf(verdict->message, sizeof(verdict->message), "%s:%d: ",
				base ? base + 1 : file, line);
	}
	vsnprintf(verdict->message + used, sizeof(verdict->message) - used, format, args);
	for (char *c = verdict->message; *c; c++)
		if (*c == '\n')
			*c = '|';
	atomic_store(&verdict->stage, stage);
	_exit(1);
}

void mptest_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	conclude(FAILED, file, line, format, args);
}

void mptest_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	conclude(SKIPPED, NULL, 0, format, args);
}

void mptest_check(bool holds, const char *file, int line, const char *text)
{
	atomic_fetch_add(&verdict->checks, 1);
	if (!holds)
		mptest_fail(file, line, "%s is false", text);
}

static int order(struct mptest_value a, struct mptest_value b)
{
	bool a_negative = a.is_signed && (int64_t)a.bits < 0;
	bool b_negative = b.is_signed && (int64_t)b.bits < 0;

	if (a_negative != b_negative)
		return a_negative ? -1 : 1;
	return a.bits < b.bits ? -1 : a.bits > b.bits;
}

static const char *show(struct mptest_value value, char *text, size_t size)
{
	if (value.is_signed)
		snprintf(text, size, "%lld", (long long)value.bits);
	else if (value.bits < 10)
		snprintf(text, size, "%llu", (unsigned long long)value.bits);
	else
		snprintf(text, size, "%llu (%#llx)", (unsigned long long)value.bits,
			 (unsigned long long)value.bits);
	return text;
}

void mptest_compare(struct mptest_value a, struct mptest_value b, const char *operation,
		    const char *file, int line, const char *a_text, const char *b_text)
{
	int by = order(a, b);
	bool equal_will_do = operation[1] == '=' && operation[0] != '!';
	bool holds = by == 0 ? equal_will_do :
		     by < 0 ? operation[0] == '<' || operation[0] == '!' :
			      operation[0] == '>' || operation[0] == '!';
	char a_value[64], b_value[64];

	atomic_fetch_add(&verdict->checks, 1);
	if (!holds)
		mptest_fail(file, line, "%s %s %s does not hold: %s and %s", a_text, operation,
			    b_text, show(a, a_value, sizeof(a_value)),
			    show(b, b_value, sizeof(b_value)));
}

void mptest_check_str(const char *a, const char *b, const char *file, int line, const char *a_text,
		      const char *b_text)
{
	atomic_fetch_add(&verdict->checks, 1);
	if (a == b || (a && b && strcmp(a, b) == 0))
		return;
	mptest_fail(file, line, "%s is \"%s\", %s is \"%s\"", a_text, a ? a : "(null)", b_text,
		    b ? b : "(null)");
}

uint64_t mptest_seed(void)
{
	const char *text = getenv("MPTEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 1;

	printf("# seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

/* EVENT_7 is the rule EVENT-7; every other identifier stays what it is. */
static const char *shown_id(const char *id, char *text, size_t size)
{
	size_t area = 0, digits;

	while (isupper((unsigned char)id[area]))
		area++;
	snprintf(text, size, "%s", id);
	if (area == 0 || id[area] != '_')
		return text;
	digits = strspn(id + area + 1, "0123456789");
	if (digits > 0 && id[area + 1 + digits] == '\0' && area < size)
		text[area] = '-';
	return text;
}

static void run_child(struct mptest *test, const sigset_t *old_mask)
{
	/* A core file of a machine with terabytes reserved helps nobody. */
	const struct rlimit no_core = { 0, 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
	sigprocmask(SIG_SETMASK, old_mask, NULL);
	test->body();
	atomic_store(&verdict->returned, true);
	exit(0);
}

/* Waits for the child until the deadline; SIGCHLD is blocked, so none is missed. Returns false on timeout. */
static bool wait_child(pid_t child, const sigset_t *sigchld, long seconds, int *status)
{
	struct timespec now, until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	for (;;) {
		struct timespec pause = { 1, 0 };

		if (waitpid(child, status, WNOHANG) == child)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > until.tv_sec ||
		    (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec))
			return false;
		sigtimedwait(sigchld, NULL, &pause);
	}
}

static bool run_test(struct mptest *test, const char *id, long seconds)
{
	sigset_t sigchld, old_mask;
	bool in_time, passed = false;
	char ending[100] = "";
	int status = 0;
	pid_t child;

	memset(verdict, 0, sizeof(*verdict));
	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &sigchld, &old_mask);
	fflush(NULL);
	child = fork();
	if (child < 0) {
		printf("not ok %s %s: fork: %s\n", id, test->title, strerror(errno));
		return false;
	}
	if (child == 0)
		run_child(test, &old_mask);
	/* Both sides set it, so that the group exists before it may be killed. */
	setpgid(child, child);
	in_time = wait_child(child, &sigchld, seconds, &status);
	kill(-child, SIGKILL);
	if (!in_time)
		waitpid(child, &status, 0);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);

	if (!in_time)
		snprintf(ending, sizeof(ending), "timed out after %ld s", seconds);
	else if (WIFSIGNALED(status))
		snprintf(ending, sizeof(ending), "killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		snprintf(ending, sizeof(ending), "exited with %d", WEXITSTATUS(status));
	else if (!verdict->returned)
		snprintf(ending, sizeof(ending), "ended before the test returned");
	else if (verdict->checks == 0)
		snprintf(ending, sizeof(ending), "asserted nothing");

	if (verdict->stage == FAILED)
		printf("not ok %s %s: %s\n", id, test->title, verdict->message);
	else if (verdict->stage == SKIPPED && in_time && WIFEXITED(status)) {
		printf("skip %s %s: %s\n", id, test->title, verdict->message);
		passed = true;
	} else if (ending[0])
		printf("not ok %s %s: %s\n", id, test->title, ending);
	else {
		printf("ok %s %s\n", id, test->title);
		passed = true;
	}
	fflush(stdout);
	return passed;
}

static int usage(const char *program)
{
	fprintf(stderr,
		"usage: %s [--list] [text]\n"
		"Runs each test, or those whose id or title contains the text.\n"
		"MPTEST_FILTER: run only the tests of exactly this id; MPTEST_TIMEOUT: seconds per test;\n"
		"MPTEST_SEED: seed of random operations.\n", program);
	return 2;
}

int main(int argc, char **argv)
{
	const char *exact = getenv("MPTEST_FILTER"), *timeout = getenv("MPTEST_TIMEOUT");
	long seconds = timeout ? strtol(timeout, NULL, 10) : 120;
	const char *part = NULL;
	bool list = false;
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--list") == 0)
			list = true;
		else if (argv[i][0] == '-' || part)
			return usage(argv[0]);
		else
			part = argv[i];
	}
	verdict = mmap(NULL, sizeof(*verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (verdict == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	for (struct mptest *test = tests; test; test = test->next) {
		char id[80];

		shown_id(test->id, id, sizeof(id));
		if (exact && exact[0] && strcmp(exact, id) != 0)
			continue;
		if (part && !strstr(id, part) && !strstr(test->title, part))
			continue;
		if (list)
			printf("%s %s\n", id, test->title);
		else
			failed += !run_test(test, id, seconds > 0 ? seconds : 120);
	}
	return failed != 0;
}
