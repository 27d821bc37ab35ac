/* SPDX-License-Identifier: MIT */
/* `memplug ls`: the blocks as ranges of equal ones, or one by one. */
#include "memplug.h"
#include "json.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct {
	bool each;
	int nid;
	const char *state, *zone;
} wanted;

static bool is_wanted(const struct block *b)
{
	return (wanted.nid < 0 || b->nid == wanted.nid) &&
	       (!wanted.state || !strcmp(wanted.state, b->state)) &&
	       (!wanted.zone || !strcasecmp(wanted.zone, b->zone));
}

static bool joins(const struct block *a, const struct block *b)
{
	return !wanted.each && b->id == a->id + 1 && is_wanted(b) && a->nid == b->nid &&
	       !strcmp(a->state, b->state) && !strcmp(a->zone, b->zone);
}

static void print_range(const struct block *first, const struct block *last, uint64_t size)
{
	char ids[48], bytes[SIZE_TEXT];

	snprintf(ids, sizeof(ids), first == last ? "%ld" : "%ld-%ld", first->id, last->id);
	printf("0x%016" PRIx64 "-0x%016" PRIx64 " %6s  %s%-14s%s %4d  %-8s  %s\n",
	       (uint64_t)first->id * size, (uint64_t)(last->id + 1) * size - 1,
	       size_text((uint64_t)(last->id - first->id + 1) * size, bytes),
	       paint(stdout, !strcmp(first->state, "online") ? PAINT_GOOD :
		     first->offline ? PAINT_NONE : PAINT_WARN),
	       first->state, paint(stdout, PAINT_NONE), first->nid, first->zone, ids);
}

static void print_json(const struct block *first, const struct block *last, uint64_t size, bool more)
{
	printf("%s\n    {\"start\": %" PRIu64 ", \"size\": %" PRIu64 ", \"first\": %ld, \"last\": %ld, ",
	       more ? "," : "", (uint64_t)first->id * size,
	       (uint64_t)(last->id - first->id + 1) * size, first->id, last->id);
	printf("\"state\": \"%s\", \"node\": %d, \"zone\": ", first->state, first->nid);
	json_string_or_null(strcmp(first->zone, "none") ? first->zone : NULL);
	printf("}");
}

static void print_all(const struct options *options, const struct blocks *blocks)
{
	uint64_t online = 0, offline = 0, size = blocks->size;
	char a[SIZE_TEXT], b[SIZE_TEXT], c[SIZE_TEXT];
	const struct block *at = blocks->at, *first = NULL, *end = at + blocks->count;
	bool more = false;

	if (options->json)
		printf("{\n  \"block_size\": %" PRIu64 ",\n  \"ranges\": [", size);
	else
		printf("%-37s %6s  %-14s %4s  %-8s  %s\n", "RANGE", "SIZE", "STATE", "NODE", "ZONE",
		       "BLOCK");
	for (; at < end; at++) {
		if (!is_wanted(at))
			continue;
		first = first ? first : at;
		*(at->offline ? &offline : &online) += size;
		if (at + 1 < end && joins(at, at + 1))
			continue;
		if (options->json)
			print_json(first, at, size, more);
		else
			print_range(first, at, size);
		first = NULL;
		more = true;
	}
	if (options->json)
		printf("\n  ],\n  \"online\": %" PRIu64 ",\n  \"offline\": %" PRIu64 "\n}\n", online,
		       offline);
	else
		printf("\nBlock size:  %6s\nOnline:      %6s\nOffline:     %6s\n", size_text(size, a),
		       size_text(online, b), size_text(offline, c));
}

static bool state_name(const char *text)
{
	return !strcmp(text, "online") || !strcmp(text, "offline") || !strcmp(text, "going-offline");
}

static int ls(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' }, { "node", required_argument, NULL, 'n' },
		{ "state", required_argument, NULL, 's' }, { "zone", required_argument, NULL, 'z' }, { 0 },
	};
	struct blocks blocks;
	bool ok = true;
	int c;

	wanted.nid = -1;
	optind = 1;
	while ((c = getopt_long(argc, argv, "an:s:z:", longs, NULL)) != -1) {
		if (c == 'a')
			wanted.each = true;
		else if (c == 'n')
			ok = parse_node(optarg, &wanted.nid);
		else if (c == 's')
			ok = state_name(wanted.state = optarg);
		else if (c == 'z')
			ok = zone_name(wanted.zone = optarg) || !strcmp(optarg, "none");
		if (c == '?' || !ok) {
			complain("%s: not understood; `memplug ls --help`", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		complain("ls takes no argument: \"%s\"; `memplug ls --help`", argv[optind]);
		return EXIT_USAGE;
	}
	client_connect(options);
	blocks_need(&blocks);
	print_all(options, &blocks);
	free(blocks.at);
	return EXIT_DONE;
}

const struct verb verb_ls = {
	"ls", "[--all] [--node N] [--state STATE] [--zone ZONE]", "the memory blocks, as ranges of equal ones",
	"Prints each run of neighbouring blocks that have the same state, node and zone, then the sums.\n"
	"  --all                  a line for each block\n"
	"  --node N, --state STATE, --zone ZONE\n"
	"                         only blocks of that node, state (online, offline, going-offline), zone\n\n"
	"  memplug ls --state offline --node 1\n",
	ls,
};
