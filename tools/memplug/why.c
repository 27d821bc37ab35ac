/* SPDX-License-Identifier: MIT */
/* `memplug why`: the last refusal of a block, or of all, in words. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *next_step(const char *kind)
{
	static const struct {
		const char *kind, *step;
	} steps[] = {
		{ "veto", "ask the callback's owner, or unregister it" },
		{ "page", "make its holder free the page or give it movable_operations" },
		{ "isolated", "somebody else works on the range: try again when that is over" },
		{ "signal", "it was interrupted: try again" },
		{ "cancel", "it was cancelled: try again" },
		{ "deadline", "give it more time, or see what holds its pages: memplug plan" },
		{ "state", "look at the block's state and zone: memplug ls" },
		{ "argument", "see the form that is wanted: memplug VERB --help" },
		{ "conflict", "choose a range that is not taken: memplug show /proc/iomem" },
		{ "no memory", "free memory on the machine or on the host" },
		{ "system", "see what the host refuses: its limits and its log" },
	};
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (!strcmp(kind, steps[i].kind))
			return steps[i].step;
	return NULL;
}

enum { BLOCK, OPERATION, ERROR, KIND, ACTOR, PFN, LEFT, TEXT, SINCE, AT, FIELDS };

static void show(char *const *value)
{
	struct timespec now;
	double ago;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ago = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - strtod(value[AT], NULL) / 1e9;
	printf("%s%s%s\n", paint(stdout, PAINT_BOLD), value[TEXT], paint(stdout, PAINT_NONE));
	printf("  operation: %s   error: %s\n", value[OPERATION], strerror(-atoi(value[ERROR])));
	printf("  because of: %s (%s)\n", value[ACTOR], value[KIND]);
	if (strcmp(value[LEFT], "0"))
		printf("  pages left: %s, the first one: %s\n", value[LEFT], value[PFN]);
	printf("  when: %.1f s ago, after %.3f s\n", ago > 0 ? ago : 0,
	       (strtod(value[AT], NULL) - strtod(value[SINCE], NULL)) / 1e9);
	if (next_step(value[KIND]))
		printf("  next: %s\n", next_step(value[KIND]));
}

static void show_json(char *const *value)
{
	printf("{\"block\": %ld, \"operation\": ", strtol(value[BLOCK], NULL, 10));
	json_string(value[OPERATION]);
	printf(", \"error\": %d, \"kind\": ", atoi(value[ERROR]));
	json_string(value[KIND]);
	printf(", \"actor\": ");
	json_string(value[ACTOR]);
	printf(", \"pfn\": ");
	json_string_or_null(strcmp(value[LEFT], "0") ? value[PFN] : NULL);
	printf(", \"left\": %s, \"since_ns\": %s, \"at_ns\": %s, \"text\": ", value[LEFT], value[SINCE],
	       value[AT]);
	json_string(value[TEXT]);
	printf(", \"next\": ");
	json_string_or_null(next_step(value[KIND]));
	printf("}\n");
}

static int why(struct options *options, int argc, char **argv)
{
	static const char *const fields[FIELDS] = { "block", "operation", "error", "kind", "actor", "pfn",
						    "left", "text", "since_ns", "at_ns" };
	char *value[FIELDS], *end = NULL, *record;
	long block = -1;
	size_t i;

	if (argc == 2) {
		char *digits = argv[1] + (strncmp(argv[1], "memory", 6) ? 0 : 6);

		block = strtol(digits, &end, 10);
		if (*digits < '0' || *digits > '9' || *end)
			block = -1;
	}
	if (argc > 2 || (argc == 2 && block < 0)) {
		complain("why takes one block number: memplug why 32; `memplug why --help`");
		return EXIT_USAGE;
	}
	client_connect(options);
	record = reason_read(block);
	if (!record) {
		if (block >= 0)
			complain("memory%ld: nothing was refused", block);
		else
			complain("nothing was refused");
		return EXIT_NOTHING;
	}
	for (i = 0; i < FIELDS; i++) {
		value[i] = field_of(record, fields[i]);
		if (!value[i])
			value[i] = strdup("");
	}
	if (options->json)
		show_json(value);
	else
		show(value);
	for (i = 0; i < FIELDS; i++)
		free(value[i]);
	free(record);
	return EXIT_DONE;
}

const struct verb verb_why = {
	"why", "[BLOCK]", "why the block was refused last",
	"Tells who refused (a callback, a page and its holder), what was left, and what to do next.\n"
	"Without a block: the last refusal of any.\n\n"
	"  memplug offline 32 || memplug why 32\n\n"
	"Exit code: 1 when nothing was refused.\n",
	why,
};
