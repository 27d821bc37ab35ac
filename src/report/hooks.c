/* SPDX-License-Identifier: MIT */
/*
 * Warnings, fatal errors and log lines on their way to the program's hooks.
 * The hooks are guarded by the report lock, which is not held while one runs.
 */
#include <memplug/hooks.h>
#include "report/lock.h"
#include "report/report.h"
#include "os/os.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 1024
#define LEVEL_WARNING 4

static void print_line(const char *text)
{
	char line[LINE_SIZE + 16];
	int n = snprintf(line, sizeof(line), "memplug: %s\n", text);

	os_tell(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void default_fatal(const char *text, void *arg)
{
	print_line(text);
	abort();
}

static void default_warn(const char *text, void *arg)
{
	print_line(text);
}

static void default_log(int level, const char *text, void *arg)
{
	if (level <= LEVEL_WARNING)
		print_line(text);
}

static struct {
	mp_fatal_hook_t fatal;
	void *fatal_arg;
	mp_warn_hook_t warn;
	void *warn_arg;
	mp_log_hook_t log;
	void *log_arg;
	unsigned long warnings; /* atomic */
} hooks = { default_fatal, NULL, default_warn, NULL, default_log, NULL, 0 };

void mp_set_fatal_hook(mp_fatal_hook_t hook, void *arg)
{
	report_lock();
	hooks.fatal = hook ? hook : default_fatal;
	hooks.fatal_arg = arg;
	report_unlock();
}

void mp_set_warn_hook(mp_warn_hook_t hook, void *arg)
{
	report_lock();
	hooks.warn = hook ? hook : default_warn;
	hooks.warn_arg = arg;
	report_unlock();
}

void mp_set_log_hook(mp_log_hook_t hook, void *arg)
{
	report_lock();
	hooks.log = hook ? hook : default_log;
	hooks.log_arg = arg;
	report_unlock();
}

unsigned long mp_warn_count(void)
{
	return __atomic_load_n(&hooks.warnings, __ATOMIC_RELAXED);
}

/* "TEXT at FILE:LINE"; the builder's path to the source tree helps nobody. */
static __printf(5, 0) void format_at(char *line, size_t size, const char *file, int line_number,
				     const char *fmt, va_list args)
{
	int n = vsnprintf(line, size, fmt, args);

	while (strncmp(file, "../", 3) == 0)
		file += 3;
	if (n < 0)
		n = 0;
	if ((size_t)n < size)
		snprintf(line + n, size - (size_t)n, " at %s:%d", file, line_number);
}

void mp_warn_at(const char *file, int line, const char *fmt, ...)
{
	char text[LINE_SIZE];
	mp_warn_hook_t hook;
	va_list args;
	void *arg;

	va_start(args, fmt);
	format_at(text, sizeof(text), file, line, fmt, args);
	va_end(args);
	__atomic_fetch_add(&hooks.warnings, 1, __ATOMIC_RELAXED);
	report_lock();
	hook = hooks.warn;
	arg = hooks.warn_arg;
	report_unlock();
	hook(text, arg);
}

void mp_fatal_at(const char *file, int line, const char *fmt, ...)
{
	char text[LINE_SIZE];
	mp_fatal_hook_t hook;
	va_list args;
	void *arg;

	va_start(args, fmt);
	format_at(text, sizeof(text), file, line, fmt, args);
	va_end(args);
	report_lock();
	hook = hooks.fatal;
	arg = hooks.fatal_arg;
	report_unlock();
	hook(text, arg);
}

int printk(const char *fmt, ...)
{
	char text[LINE_SIZE];
	int level = LEVEL_WARNING, n;
	mp_log_hook_t hook;
	va_list args;
	size_t length;
	void *arg;

	if (fmt[0] == KERN_SOH[0] && fmt[1] >= '0' && fmt[1] <= '7') {
		level = fmt[1] - '0';
		fmt += 2;
	}
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0)
		return 0;
	length = strlen(text);
	if (length && text[length - 1] == '\n')
		text[length - 1] = '\0';
	report_lock();
	hook = hooks.log;
	arg = hooks.log_arg;
	report_unlock();
	hook(level, text, arg);
	return n;
}
