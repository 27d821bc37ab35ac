/* SPDX-License-Identifier: MIT */
/* `memplug ls` and `memplug show`: the blocks as ranges, and any file of the tree. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool alike(const struct block *a, const struct block *b)
{
	return !strcmp(a->state, b->state) && a->nid == b->nid && !strcmp(a->zone, b->zone);
}

static void print_size(uint64_t bytes)
{
	static const char units[] = "BKMGTPE";
	int unit = 0;

	while (bytes >= 1024 && bytes % 1024 == 0 && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	printf("%5" PRIu64 "%c", bytes, units[unit]);
}

static void print_range(const struct block *first, const struct block *last, uint64_t size)
{
	char ids[48];

	snprintf(ids, sizeof(ids), first == last ? "%ld" : "%ld-%ld", first->id, last->id);
	printf("0x%016" PRIx64 "-0x%016" PRIx64 " ", (uint64_t)first->id * size,
	       (uint64_t)(last->id + 1) * size - 1);
	print_size((uint64_t)(last->id - first->id + 1) * size);
	printf("  %-14s %4d  %-8s  %s\n", first->state, first->nid, first->zone, ids);
}

static void print_json(const struct block *first, const struct block *last, uint64_t size, bool more)
{
	printf("    {\"start\": %" PRIu64 ", \"size\": %" PRIu64 ", \"first\": %ld, \"last\": %ld, ",
	       (uint64_t)first->id * size, (uint64_t)(last->id - first->id + 1) * size, first->id,
	       last->id);
	printf("\"state\": \"%s\", \"node\": %d, \"zone\": ", first->state, first->nid);
	if (strcmp(first->zone, "none"))
		json_string(first->zone);
	else
		printf("null");
	printf("}%s\n", more ? "," : "");
}

static int ls(struct options *options, int argc, char **argv)
{
	struct block *blocks;
	uint64_t size, online = 0, offline = 0;
	long count, i, first;

	if (argc > 1) {
		complain("ls takes no argument: \"%s\"", argv[1]);
		return EXIT_USAGE;
	}
	client_connect(options);
	count = blocks_read(&blocks, &size);
	if (count < 0) {
		complain("the machine cannot be read: %s", strerror((int)-count));
		return EXIT_NOTHING;
	}
	if (options->json)
		printf("{\n  \"block_size\": %" PRIu64 ",\n  \"ranges\": [\n", size);
	else
		printf("%-37s   %4s  %-14s %4s  %-8s  %s\n", "RANGE", "SIZE", "STATE", "NODE", "ZONE",
		       "BLOCK");
	for (i = 0, first = 0; i < count; i++) {
		*(strcmp(blocks[i].state, "offline") ? &online : &offline) += size;
		if (i + 1 < count && blocks[i + 1].id == blocks[i].id + 1 &&
		    alike(&blocks[i], &blocks[i + 1]))
			continue;
		if (options->json)
			print_json(&blocks[first], &blocks[i], size, i + 1 < count);
		else
			print_range(&blocks[first], &blocks[i], size);
		first = i + 1;
	}
	if (options->json) {
		printf("  ],\n  \"online\": %" PRIu64 ",\n  \"offline\": %" PRIu64 "\n}\n", online,
		       offline);
	} else {
		printf("\nBlock size:  ");
		print_size(size);
		printf("\nOnline:      ");
		print_size(online);
		printf("\nOffline:     ");
		print_size(offline);
		putchar('\n');
	}
	free(blocks);
	return EXIT_DONE;
}

const struct verb verb_ls = {
	"ls", "", "the memory blocks, as ranges of equal ones",
	"Prints each run of neighbouring blocks that have the same state, node and zone, then the sums.\n",
	ls,
};

static int show(struct options *options, int argc, char **argv)
{
	char *text;
	int i, failed = 0;

	if (argc < 2) {
		complain("show needs the path of a file, like /proc/meminfo");
		return EXIT_USAGE;
	}
	client_connect(options);
	for (i = 1; i < argc; i++) {
		text = client_read(argv[i]);
		if (!text) {
			complain("%s: %s", argv[i], strerror(errno));
			failed++;
			continue;
		}
		if (options->json) {
			printf("{\"path\": ");
			json_string(argv[i]);
			printf(", \"text\": ");
			json_string(text);
			printf("}\n");
		} else {
			fputs(text, stdout);
		}
		free(text);
	}
	return !failed ? EXIT_DONE : failed == argc - 1 ? EXIT_NOTHING : EXIT_SOME;
}

const struct verb verb_show = {
	"show", "PATH...", "files of the machine's tree",
	"Prints files as the machine shows them: /sys/devices/system/memory/memory32/state, /proc/zoneinfo,\n"
	"/memplug/statistics.\n",
	show,
};
