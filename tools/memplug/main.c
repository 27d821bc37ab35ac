/* SPDX-License-Identifier: MIT */
/* The command: its options, its verbs, its help. */
#include "ns.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <memplug/machine.h>

static const struct verb *const verbs[] = {
	&verb_run, &verb_boot, &verb_ls, &verb_show, &verb_stats, &verb_add, &verb_remove, &verb_online,
	&verb_offline, &verb_plan, &verb_why, &verb_watch, &verb_inject,
	&verb_mount, &verb_ns,
};

static void help(FILE *out)
{
	size_t i;

	fputs("usage: memplug [--socket PATH] [--json] VERB ...\n\n"
	      "Looks at and changes the memory of a running memplug machine.\n\n", out);
	for (i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		fprintf(out, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
	fputs("\n  --socket PATH  the machine's socket; else MEMPLUG_SOCKET, else the only machine that runs\n"
	      "  --json         for programs: see memplug(1)\n"
	      "  --version\n\n"
	      "Try:\n"
	      "  memplug boot &            a machine to play with\n"
	      "  memplug ls\n"
	      "  memplug online 32-35\n"
	      "  memplug offline 32\n"
	      "`memplug VERB --help` tells more.\n", out);
}

static void verb_help(const struct verb *verb)
{
	printf("usage: memplug %s %s\n\n%s: %s\n\n%s", verb->name, verb->arguments, verb->name,
	       verb->summary, verb->help);
}

/* What follows its options is another command's. */
static bool takes_command(const struct verb *verb)
{
	return verb == &verb_ns || verb == &verb_run;
}

static int run(const struct verb *verb, struct options *options, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--") || (takes_command(verb) && argv[i][0] != '-'))
			break;
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			verb_help(verb);
			return EXIT_DONE;
		}
	}
	/* The verbs say themselves what they do not understand. */
	opterr = 0;
	return verb->run(options, argc, argv);
}

static const struct verb *find_verb(const char *name)
{
	size_t v;

	for (v = 0; v < sizeof(verbs) / sizeof(*verbs); v++)
		if (!strcmp(name, verbs[v]->name))
			return verbs[v];
	return NULL;
}

/*
 * Takes options that every verb has out of the arguments, wherever they stand before "--" or the command
 * of `ns` and `run`. 0: wrong.
 */
static int common_options(struct options *options, int argc, char **argv)
{
	const struct verb *verb = NULL;
	int i, kept = 1;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--") || (takes_command(verb) && argv[i][0] != '-'))
			break;
		if (!verb)
			verb = find_verb(argv[i]);
		if (!strcmp(argv[i], "--socket")) {
			if (++i == argc) {
				complain("--socket needs a path");
				return 0;
			}
			options->socket = argv[i];
		} else if (!strncmp(argv[i], "--socket=", 9)) {
			options->socket = argv[i] + 9;
		} else if (!strcmp(argv[i], "--json")) {
			options->json = true;
		} else {
			argv[kept++] = argv[i];
		}
	}
	while (i < argc)
		argv[kept++] = argv[i++];
	argv[kept] = NULL;
	return kept;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	const struct verb *verb;

	/* Said by scripts that `ns` makes. */
	if (argc > 2 && !strcmp(argv[1], "--as"))
		return ns_standin(argc - 2, argv + 2);
	argc = common_options(&options, argc, argv);
	if (argc < 2) {
		if (argc == 1)
			help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("memplug %s\n", mp_version());
		return EXIT_DONE;
	}
	verb = find_verb(argv[1]);
	if (verb)
		return run(verb, &options, argc - 1, argv + 1);
	complain("%s: no such %s; `memplug --help`", argv[1], argv[1][0] == '-' ? "option" : "verb");
	return EXIT_USAGE;
}
