// SPDX-License-Identifier: MIT
/*
 * The files of the oracle's kernel module, in the machine's tree: `ctl` takes
 * one command per write, reading `log` empties it. No state of their own.
 */
#include "conformance.h"

#include <stdlib.h>
#include <string.h>

#include "device/text.h"
#include "device/tree.h"

static ssize_t ctl_store(void *owner, const struct tree_attr *attr, const char *buf, size_t count)
{
	int rc = hptrace_command(buf);

	(void)owner;
	(void)attr;
	return rc ? rc : (ssize_t)count;
}

static ssize_t log_show_and_empty(void *owner, const struct tree_attr *attr, char **buf)
{
	struct lines lines = {0};
	struct text text = {0};
	int i;

	(void)owner;
	(void)attr;
	log_flush(&lines, 0);
	for (i = 0; i < lines.count; i++)
		text_printf(&text, "%s\n", lines.text[i]);
	lines_free(&lines);
	return text_take(&text, buf);
}

static const struct tree_attr ctl_attr = {.name = "ctl", .mode = 0200, .store = ctl_store};
static const struct tree_attr log_attr = {.name = "log", .mode = 0400,
					  .show_long = log_show_and_empty};
static const struct tree_attr *const hptrace_attrs[] = {&ctl_attr, &log_attr, NULL};

int files_add(void)
{
	struct mp_dir *debug;
	int error = 0;

	debug = tree_mkpath(tree_root, "sys/kernel/debug", &error);
	if (debug)
		tree_mkdir(debug, "hptrace", hptrace_attrs, NULL, &error);
	return error;
}
