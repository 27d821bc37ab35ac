/* SPDX-License-Identifier: MIT */
/* `memplug why`: the last refusal of a block, in words. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
		{ "deadline", "give it more time, or see what holds its pages" },
		{ "state", "look at the block's state and zone" },
		{ "no memory", "free memory on the machine or on the host" },
	};
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (!strcmp(kind, steps[i].kind))
			return steps[i].step;
	return NULL;
}

static int why(struct options *options, int argc, char **argv)
{
	static const char *const fields[] = { "operation", "error", "kind", "actor", "pfn", "left",
					      "text" };
	char *value[7], *end;
	long block;
	size_t i;

	block = argc == 2 ? strtol(argv[1], &end, 10) : -1;
	if (argc != 2 || *end || end == argv[1] || block < 0) {
		complain("why needs one block number");
		return EXIT_USAGE;
	}
	client_connect(options);
	for (i = 0; i < 7; i++)
		value[i] = reason_field(block, fields[i]);
	if (!value[6]) {
		complain("memory%ld: nothing was refused", block);
		return EXIT_NOTHING;
	}
	if (options->json) {
		printf("{\"block\": %ld", block);
		for (i = 0; i < 7; i++) {
			printf(", \"%s\": ", fields[i]);
			json_string(value[i] ? value[i] : "");
		}
		printf("}\n");
	} else {
		printf("%s\n", value[6]);
		printf("  operation: %s   error: %s\n", value[0], strerror(-atoi(value[1])));
		printf("  because of: %s (%s)\n", value[3], value[2]);
		if (strcmp(value[5], "0"))
			printf("  pages left: %s, the first one: %s\n", value[5], value[4]);
		if (next_step(value[2]))
			printf("  next: %s\n", next_step(value[2]));
	}
	for (i = 0; i < 7; i++)
		free(value[i]);
	return EXIT_DONE;
}

const struct verb verb_why = {
	"why", "BLOCK", "why the block was refused last",
	"Tells who refused (a callback, a page and its holder), what was left, and what to do next.\n",
	why,
};
