/* SPDX-License-Identifier: MIT */
/* `memplug inject`: the notifier error injector, loaded, unloaded and set. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ACTIONS "/sys/kernel/debug/notifier-error-inject/memory/actions/"

static const struct {
	const char *name, *event;
} events[] = {
	{ "online", "MEM_GOING_ONLINE" },
	{ "offline", "MEM_GOING_OFFLINE" },
};

static const struct {
	const char *name;
	int error;
} errors[] = {
	{ "EPERM", EPERM }, { "EINTR", EINTR }, { "EIO", EIO }, { "EAGAIN", EAGAIN }, { "ENOMEM", ENOMEM },
	{ "EACCES", EACCES }, { "EBUSY", EBUSY }, { "ENODEV", ENODEV }, { "EINVAL", EINVAL }, { "ENOSPC", ENOSPC },
	{ "off", 0 },
};

static int read_error(const char *event)
{
	char path[120], *text;
	int error;

	snprintf(path, sizeof(path), ACTIONS "%s/error", event);
	text = client_read(path);
	error = text ? atoi(text) : 0;
	free(text);
	return error;
}

static int show(const struct options *options)
{
	char *text = client_read("/memplug/inject"), *at = text ? strstr(text, "priority=") : NULL;
	int priority = at ? atoi(at + 9) : 0;
	bool loaded = text && *text;

	free(text);
	if (options->json)
		printf("{\"loaded\": %s, \"priority\": %d, \"MEM_GOING_ONLINE\": %d, \"MEM_GOING_OFFLINE\": %d}\n",
		       loaded ? "true" : "false", priority, read_error("MEM_GOING_ONLINE"),
		       read_error("MEM_GOING_OFFLINE"));
	else if (!loaded)
		printf("not loaded; `memplug inject load`\n");
	else
		printf("loaded, priority %d\nMEM_GOING_ONLINE   %d\nMEM_GOING_OFFLINE  %d\n", priority,
		       read_error("MEM_GOING_ONLINE"), read_error("MEM_GOING_OFFLINE"));
	return EXIT_DONE;
}

static int failed(const char *what, int error)
{
	complain("%s: %s", what, error == -EEXIST ? "the injector is loaded already; `memplug inject unload` first" :
		 error == -ENOENT ? "the injector is not loaded; `memplug inject load`" : strerror(-error));
	return EXIT_NOTHING;
}

static int module(const struct options *options, const char *request)
{
	int error = (int)client_write("/memplug/inject", request, 0, NULL);

	if (error < 0)
		return failed(request, error);
	return options->json ? show(options) : EXIT_DONE;
}

/* "ENOMEM", "-12", "12", "off". False: neither. */
static bool parse_error(const char *text, int *error)
{
	char *end;
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		if (!strcasecmp(text, errors[i].name)) {
			*error = -errors[i].error;
			return true;
		}
	}
	*error = (int)strtol(text, &end, 10);
	if (*error > 0)
		*error = -*error;
	return end != text && !*end && *error >= -4095;
}

static int set(const struct options *options, const char *event, int error)
{
	char path[120], text[16];
	int64_t ret;

	snprintf(path, sizeof(path), ACTIONS "%s/error", event);
	snprintf(text, sizeof(text), "%d", error);
	client_connect(options);
	ret = client_write(path, text, 0, NULL);
	if (ret < 0)
		return failed(event, (int)ret);
	return options->json ? show(options) : EXIT_DONE;
}

static int inject(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = { { "priority", required_argument, NULL, 'p' }, { 0 } };
	char request[64] = "load", *end;
	int c, error;
	size_t i;

	optind = 1;
	while ((c = getopt_long(argc, argv, "+p:", longs, NULL)) != -1 || (optind == 2 && argc == 4 &&
	       !strcmp(argv[1], "load") && (c = getopt_long(argc - 1, argv + 1, "p:", longs, NULL)) != -1)) {
		long priority = c == 'p' ? strtol(optarg, &end, 10) : 0;

		if (c != 'p' || end == optarg || *end || priority != (int)priority) {
			complain("%s: not understood; `memplug inject --help`", argv[optind - 1]);
			return EXIT_USAGE;
		}
		snprintf(request, sizeof(request), "load priority=%ld", priority);
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		client_connect(options);
		return show(options);
	}
	if (argc == 1 && (!strcmp(argv[0], "load") || !strcmp(argv[0], "unload"))) {
		client_connect(options);
		return module(options, strcmp(argv[0], "load") ? "unload" : request);
	}
	for (i = 0; argc == 2 && i < 2; i++)
		if ((!strcasecmp(argv[0], events[i].name) || !strcmp(argv[0], events[i].event)) &&
		    parse_error(argv[1], &error))
			return set(options, events[i].event, error);
	complain("%s: not understood: load, unload, or online|offline and an error like ENOMEM, -12, off; `memplug inject --help`",
		 argv[argc - 1]);
	return EXIT_USAGE;
}

const struct verb verb_inject = {
	"inject", "[[--priority N] load | unload | online|offline ERROR]", "make operations fail, to test",
	"The kernel's notifier error injector: a callback that refuses MEM_GOING_ONLINE or MEM_GOING_OFFLINE.\n"
	"Without arguments: how it is set. ERROR: a name (ENOMEM), a number (-12), or off.\n"
	"  --priority N           of the callback (0)\n\n"
	"  memplug inject load\n"
	"  memplug inject offline EBUSY               from now on every offline is refused\n"
	"  memplug inject unload\n",
	inject,
};
