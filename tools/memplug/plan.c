/* SPDX-License-Identifier: MIT */
/*
 * `memplug plan`: what an offline of these blocks would move, where to, how long it would take, and what
 * would refuse. Computed from /memplug/plan; no event is sent, nothing is touched.
 */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAGE 4096
#define MAX_NODES 1024
#define ASSUMED_BYTES_PER_SECOND (1024.0 * 1024 * 1024)
#define ENOUGH_PAGES 256 /* moved so far, to estimate by them */

/* A line of /memplug/plan. */
struct use {
	long used, movable, unmovable, reserved, offline, listed, skipped, isolated, holes;
	char first[256]; /* "0x... (...) held by ...", or "" */
};

enum verdict { GOES, WAITS, REFUSES };

struct planning {
	const struct options *options;
	struct blocks blocks;
	char *plan;
	int nid;
	const char *zone;
	uint64_t size;
	/* what comes out: */
	long chosen, going, waiting, refusing;
	uint64_t pages, bytes; /* to move; of blocks that would go or wait */
	long free[MAX_NODES];  /* pages on the node outside of the chosen blocks */
	long own_free[MAX_NODES];
	long from[MAX_NODES];  /* pages to move, by the node they are on */
	long to[MAX_NODES];    /* ... and where they would come to */
	long homeless;
	bool more;
};

static long number(const char *line, const char *name)
{
	char key[32];
	const char *at, *end = line + strcspn(line, "\n");

	snprintf(key, sizeof(key), " %s ", name);
	at = strstr(line, key);
	return at && at < end ? strtol(at + strlen(key), NULL, 10) : 0;
}

static void find_use(const struct planning *p, long block, struct use *use)
{
	const char *line, *at;
	char key[40];

	*use = (struct use){ 0 };
	snprintf(key, sizeof(key), "\nblock %ld ", block);
	line = strstr(p->plan, key);
	if (!line)
		return;
	line++;
	*use = (struct use){
		.used = number(line, "used"), .movable = number(line, "movable"),
		.unmovable = number(line, "unmovable"), .reserved = number(line, "reserved"),
		.offline = number(line, "offline"), .listed = number(line, "listed"),
		.skipped = number(line, "skipped"), .isolated = number(line, "isolated"),
		.holes = number(line, "holes"),
	};
	at = strstr(line, " first ");
	if (at && at < line + strcspn(line, "\n"))
		snprintf(use->first, sizeof(use->first), "%.*s", (int)strcspn(at + 7, "\n"), at + 7);
}

static enum verdict judge(const struct block *b, const struct use *use, char *text, size_t size)
{
	if (!strcmp(b->zone, "none"))
		return snprintf(text, size, "it has no single zone; it can only stay online"), REFUSES;
	if (use->holes)
		return snprintf(text, size, "%ld pages of it are holes; it can only stay online",
				use->holes), REFUSES;
	if (use->isolated)
		return snprintf(text, size, "somebody works on %ld pageblocks of it; try again later",
				use->isolated), REFUSES;
	if (use->reserved)
		return snprintf(text, size, "%ld pages belong to the firmware, the first %s",
				use->reserved, use->first), REFUSES;
	if (use->offline)
		return snprintf(text, size, "%ld pages are logically offline and referenced, the first %s; their driver must release them",
				use->offline, use->first), REFUSES;
	if (use->unmovable && !strcasecmp(b->zone, "Movable"))
		return snprintf(text, size, "%ld pages do not move, the first %s; it waits until they are freed",
				use->unmovable, use->first), WAITS;
	if (use->unmovable)
		return snprintf(text, size, "%ld pages do not move, the first %s; free them, or give them movable_operations",
				use->unmovable, use->first), REFUSES;
	*text = '\0';
	return GOES;
}

static void show_block(struct planning *p, const struct block *b, const struct use *use,
		       enum verdict verdict, const char *text)
{
	static const char *const words[] = { "goes", "waits", "refuses" };
	static const enum paint colours[] = { PAINT_GOOD, PAINT_WARN, PAINT_BAD };
	char bytes[SIZE_TEXT];

	if (p->options->json) {
		printf("%s\n    {\"block\": %ld, \"node\": %d, \"zone\": ", p->more ? "," : "", b->id,
		       b->nid);
		json_string_or_null(strcmp(b->zone, "none") ? b->zone : NULL);
		printf(", \"verdict\": \"%s\", \"move\": %ld, \"unmovable\": %ld, \"reserved\": %ld, \"reason\": ",
		       words[verdict], use->movable, use->unmovable, use->reserved);
		json_string_or_null(*text ? text : NULL);
		printf("}");
		p->more = true;
		return;
	}
	printf("memory%-6ld %s%-7s%s %s, node %d: ", b->id, paint(stdout, colours[verdict]),
	       words[verdict], paint(stdout, PAINT_NONE), b->zone, b->nid);
	if (use->movable)
		printf("%ld pages (%s) move%s", use->movable,
		       size_text((uint64_t)use->movable * PAGE, bytes), *text ? "; " : "");
	printf("%s\n", *text ? text : use->movable ? "" : "nothing to move");
}

static bool choose(struct block *b, void *arg)
{
	struct planning *p = arg;
	char text[400];
	enum verdict verdict;
	struct use use;

	if (b->offline || (p->nid >= 0 && b->nid != p->nid) ||
	    (p->zone && strcasecmp(p->zone, b->zone)))
		return true;
	find_use(p, b->id, &use);
	verdict = judge(b, &use, text, sizeof(text));
	/* By size: those that refuse are passed over, as `offline` does. */
	show_block(p, b, &use, verdict, text);
	p->chosen++;
	*(verdict == GOES ? &p->going : verdict == WAITS ? &p->waiting : &p->refusing) += 1;
	if (verdict == REFUSES)
		return true;
	p->pages += (uint64_t)use.movable;
	p->bytes += p->blocks.size;
	p->from[b->nid] += use.movable;
	p->own_free[b->nid] += (long)(p->blocks.size / PAGE) - use.used;
	return true;
}

static void missing(long from, long to, void *arg)
{
	struct planning *p = arg;

	no_such_blocks(NULL, NULL, from, to);
	p->chosen++;
	p->refusing++;
}

static bool choose_range(long from, long to, void *arg)
{
	struct planning *p = arg;

	return blocks_each(&p->blocks, from, to, choose, missing, p);
}

/* ---- where to ---- */

static void read_free(struct planning *p)
{
	const char *line;

	for (line = p->plan; line && !strncmp(line, "node ", 5); line = strchr(line, '\n') + 1) {
		long nid = strtol(line + 5, NULL, 10);

		if (nid >= 0 && nid < MAX_NODES)
			p->free[nid] += number(line, "free");
	}
	for (int nid = 0; nid < MAX_NODES; nid++)
		p->free[nid] -= p->own_free[nid];
}

static int distances(int from, int *distance)
{
	char path[80], *text, *at, *end;
	int n = 0;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/distance", from);
	text = client_read(path);
	for (at = text; at && n < MAX_NODES; at = end) {
		distance[n] = (int)strtol(at, &end, 10);
		if (end == at)
			break;
		n++;
	}
	free(text);
	return n;
}

static void place(struct planning *p, int nid, long *pages)
{
	long n = p->free[nid] < *pages ? p->free[nid] : *pages;

	if (n <= 0)
		return;
	p->free[nid] -= n;
	p->to[nid] += n;
	*pages -= n;
}

/*
 * By default a page stays on its node while there is room, then goes by distance; under
 * contract=linux-6.1 it leaves its node if it can.
 */
static void find_targets(struct planning *p, bool linux_contract)
{
	static int distance[MAX_NODES];
	int from, nid, n, near;

	for (from = 0; from < MAX_NODES; from++) {
		long pages = p->from[from];

		if (!pages)
			continue;
		if (!linux_contract)
			place(p, from, &pages);
		n = distances(from, distance);
		for (near = 10; near < 256 && pages; near++)
			for (nid = 0; nid < MAX_NODES && pages; nid++)
				if (nid != from && (nid < n ? distance[nid] : 255) == near)
					place(p, nid, &pages);
		place(p, from, &pages);
		p->homeless += pages;
	}
}

/* ---- how long, and who is asked ---- */

static double rate(bool *measured)
{
	char *text = client_read("/memplug/statistics"), *at;
	double ns = 0, pages = 0;

	if (text && (at = strstr(text, "migrate_ns ")))
		ns = strtod(at + 11, NULL);
	if (text && (at = strstr(text, "pages_migrated ")))
		pages = strtod(at + 15, NULL);
	free(text);
	*measured = pages >= ENOUGH_PAGES && ns > 0;
	return *measured ? pages * PAGE / (ns / 1e9) : ASSUMED_BYTES_PER_SECOND;
}

static void show_callbacks(const struct planning *p)
{
	static const char key[] = "registered priority ";
	char *text = client_read("/memplug/callbacks"), *at;
	bool more = false;

	for (at = text; at && !strncmp(at, key, strlen(key)); at = strchr(at, '\n') + 1) {
		char *name = strchr(at + strlen(key), ' ') + 1;
		char *copy = strndup(name, strcspn(name, "\n"));

		if (p->options->json) {
			printf(more ? ", " : "");
			json_string(copy);
		} else {
			printf("%-15s %s\n", more ? "" : "Would be asked:", copy);
		}
		free(copy);
		more = true;
	}
	free(text);
}

static void show_sums(struct planning *p)
{
	char a[SIZE_TEXT], b[SIZE_TEXT];
	bool measured, more = false;
	double bytes_per_second = rate(&measured), seconds = (double)p->pages * PAGE / bytes_per_second;
	int nid;

	if (p->options->json) {
		printf("\n  ],\n  \"frees\": %" PRIu64 ", \"move\": %" PRIu64 ", \"targets\": [", p->bytes,
		       p->pages * PAGE);
		for (nid = 0; nid < MAX_NODES; nid++) {
			if (!p->to[nid])
				continue;
			printf("%s{\"node\": %d, \"bytes\": %" PRIu64 "}", more ? ", " : "", nid,
			       (uint64_t)p->to[nid] * PAGE);
			more = true;
		}
		printf("], \"no_room\": %" PRIu64 ",\n  \"seconds\": %.6f, \"bytes_per_second\": %.0f, \"measured\": %s,\n  \"callbacks\": [",
		       (uint64_t)p->homeless * PAGE, seconds, bytes_per_second,
		       measured ? "true" : "false");
		show_callbacks(p);
		printf("]\n}\n");
		return;
	}
	printf("\nWould free:     %s\nWould move:     %s", size_text(p->bytes, a),
	       size_text(p->pages * PAGE, b));
	for (nid = 0; nid < MAX_NODES; nid++)
		if (p->to[nid])
			printf(", %s to node %d", size_text((uint64_t)p->to[nid] * PAGE, a), nid);
	if (p->homeless)
		printf("; no room for %s: free memory, or online some",
		       size_text((uint64_t)p->homeless * PAGE, a));
	printf("\nWould take:     %.3f s for the moving, at %.0f MiB/s, %s\n", seconds,
	       bytes_per_second / 1048576, measured ? "measured on this machine" :
	       "an assumption: it has moved nothing yet");
	show_callbacks(p);
}

static int run_plan(struct planning *p, char **words)
{
	char *hello = strdup(client_connect(p->options));
	long i;

	blocks_need(&p->blocks);
	p->plan = client_read("/memplug/plan");
	if (!p->plan) {
		complain("/memplug/plan cannot be read: %s", strerror(errno));
		return EXIT_NOTHING;
	}
	if (p->options->json)
		printf("{\n  \"blocks\": [");
	words_ranges(words, p->blocks.size, choose_range, p);
	for (i = p->blocks.count - 1; i >= 0 && p->bytes < p->size; i--)
		choose(&p->blocks.at[i], p);
	for (i = 0; !*words && i < p->blocks.count; i++)
		choose(&p->blocks.at[i], p);
	read_free(p);
	find_targets(p, strstr(hello, "linux-6.1"));
	show_sums(p);
	free(hello);
	free(p->plan);
	free(p->blocks.at);
	if (p->size)
		return p->bytes >= p->size && !p->homeless ? EXIT_DONE : p->bytes ? EXIT_SOME : EXIT_NOTHING;
	return !p->refusing && !p->homeless ? EXIT_DONE : p->going + p->waiting ? EXIT_SOME : EXIT_NOTHING;
}

static int plan(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "node", required_argument, NULL, 'n' }, { "zone", required_argument, NULL, 'z' }, { 0 },
	};
	static struct planning p;
	bool ok = true;
	int c;

	p = (struct planning){ .options = options, .nid = -1 };
	optind = 1;
	while ((c = getopt_long(argc, argv, "n:z:", longs, NULL)) != -1) {
		if (c == 'n')
			ok = parse_node(optarg, &p.nid);
		else if (c == 'z')
			ok = zone_name(p.zone = optarg);
		if (c == '?' || !ok) {
			complain("%s: not understood; `memplug plan --help`", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (!argv[optind] && p.nid < 0 && !p.zone) {
		complain("plan needs block numbers (3-6), a physical range, a size (1G), --node or --zone; `memplug plan --help`");
		return EXIT_USAGE;
	}
	if (!words_check("plan", argv + optind))
		return EXIT_USAGE;
	p.size = words_size(argv + optind);
	return run_plan(&p, argv + optind);
}

const struct verb verb_plan = {
	"plan", "[--zone ZONE] [--node N] BLOCKS|RANGE|SIZE...", "what an offline would do, without doing it",
	"Tells for each block whether it goes, waits for pages to be freed, or refuses, and what is in the way; then\n"
	"what would move where, and how long that would take. No callback is asked: those that may refuse are named.\n"
	BLOCKS_HELP
	"SIZE: 512M, 4G: the blocks that `memplug offline SIZE` would take.\n"
	"  --zone ZONE            only blocks of this zone: Movable, Normal, ...\n"
	"  --node N               only blocks of this node\n\n"
	"  memplug plan 2G && memplug offline 2G\n\n"
	"Exit code: 0 all would go, 64 some, 1 none.\n",
	plan,
};
