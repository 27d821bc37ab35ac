/* SPDX-License-Identifier: MIT */
/* `memplug online` and `memplug offline`: blocks one after the other, as chmem does. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

struct job {
	const struct options *options;
	bool online;
	int nid;	  /* -1: any */
	const char *zone; /* online: "movable", "kernel" or NULL; offline: a zone's name or NULL: any */
	uint64_t size;	  /* with a size instead of numbers: as much as that */
	uint64_t moved;
	struct blocks blocks;
	int done, failed;
};

/* ---- progress, on a terminal ---- */

static struct {
	long block, pages; /* to leave the block when it began */
	uint64_t before;   /* moved before */
	uint64_t moved;	   /* of it, until the last look */
	double began;
} progress;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t pages_moved(void)
{
	char *text = client_read("/memplug/statistics"), *at;
	uint64_t moved = 0;

	at = text ? strstr(text, "pages_migrated ") : NULL;
	if (at)
		moved = strtoull(at + 15, NULL, 10);
	free(text);
	return moved;
}

static long number_behind(const char *line, const char *key)
{
	const char *at = line ? strstr(line, key) : NULL;

	return at ? strtol(at + strlen(key), NULL, 10) : 0;
}

/* What has to leave the block before it is offline; 0 also when it has no line. */
static long pages_in(long block)
{
	char *text = client_read("/memplug/plan"), *at, key[40];
	long pages;

	snprintf(key, sizeof(key), "\nblock %ld ", block);
	at = text ? strstr(text, key) : NULL;
	pages = number_behind(at, " used ") - number_behind(at, " listed ") - number_behind(at, " skipped ");
	free(text);
	return pages;
}

static void show_progress(void)
{
	uint64_t moved = pages_moved() - progress.before;
	double seconds = now() - progress.began;
	long left = progress.pages > (long)moved ? progress.pages - (long)moved : 0;

	fprintf(stderr, "\r\033[Kmemory%ld: offline: %ld page%s left, ", progress.block, left,
		left == 1 ? "" : "s");
	if (moved == progress.moved)
		fprintf(stderr, "nothing moves now");
	else
		fprintf(stderr, "%.1f MiB/s", (double)moved / 256 / (seconds > 0 ? seconds : 1));
	fprintf(stderr, ", %.0f s (Ctrl-C cancels)", seconds);
	progress.moved = moved;
}

/* ---- one block ---- */

int change_block(const struct options *options, long block, const char *text)
{
	bool shown = isatty(STDERR_FILENO) && !strcmp(text, "offline");
	char path[96];
	int64_t ret;

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%ld/state", block);
	if (shown) {
		progress.block = block;
		progress.pages = pages_in(block);
		progress.before = pages_moved();
		progress.moved = 0;
		progress.began = now();
	}
	ret = client_write(path, text, options->deadline, shown ? show_progress : NULL);
	if (shown)
		fprintf(stderr, "\r\033[K");
	return ret < 0 ? (int)ret : 0;
}

void report_block(const struct options *options, long block, const char *to, int error, char *why)
{
	if (options->json) {
		printf("{\"block\": %ld, \"to\": \"%s\", \"error\": %d, \"reason\": ", block, to, error);
		json_string_or_null(why);
		printf("}\n");
		fflush(stdout);
	} else if (error) {
		if (why)
			complain("%s", why);
		else
			complain("memory%ld: %s", block, strerror(-error));
	}
	free(why);
}

void no_such_blocks(const struct options *options, const char *to_state, long from, long to)
{
	char text[120];

	if (from == to)
		snprintf(text, sizeof(text), "memory%ld: there is no such block; `memplug ls` lists those that are",
			 from);
	else
		snprintf(text, sizeof(text), "memory%ld-%ld: there are no such blocks; `memplug ls` lists those that are",
			 from, to);
	if (options && options->json)
		report_block(options, from, to_state, -ENOENT, strdup(text));
	else
		complain("%s", text);
}

static bool change(struct block *block, void *arg)
{
	struct job *job = arg;
	const char *text = !job->online ? "offline" : !job->zone ? "online" :
			   !strcmp(job->zone, "movable") ? "online_movable" : "online_kernel";
	int error;

	if (block->offline != job->online || (job->nid >= 0 && block->nid != job->nid) ||
	    (!job->online && job->zone && strcasecmp(job->zone, block->zone)))
		return true; /* as wished, or not meant */
	error = change_block(job->options, block->id, text);
	report_block(job->options, block->id, text, error,
		     error && error != -ENOENT ? reason_field(block->id, "text") : NULL);
	if (!error) {
		job->done++;
		job->moved += job->blocks.size;
	} else {
		job->failed++;
	}
	return error != -EINTR;
}

static void missing(long from, long to, void *arg)
{
	struct job *job = arg;

	no_such_blocks(job->options, job->online ? "online" : "offline", from, to);
	job->failed++;
}

static bool change_range(long from, long to, void *arg)
{
	struct job *job = arg;

	return blocks_each(&job->blocks, from, to, change, missing, job);
}

/* Online the lowest, offline the highest first, as chmem does, passing over those that refuse. */
static void change_size(struct job *job)
{
	char got[SIZE_TEXT], wished[SIZE_TEXT];
	long i;

	for (i = 0; i < job->blocks.count && job->moved < job->size; i++)
		if (!change(&job->blocks.at[job->online ? i : job->blocks.count - 1 - i], job))
			break;
	if (job->moved < job->size)
		complain("%s only %s of %s", job->online ? "onlined" : "offlined",
			 size_text(job->moved, got), size_text(job->size, wished));
}

static int carry_out(struct job *job, char **words)
{
	long i;

	client_connect(job->options);
	blocks_need(&job->blocks);
	if (*words)
		words_ranges(words, job->blocks.size, change_range, job);
	for (i = 0; !*words && i < job->blocks.count && change(&job->blocks.at[i], job); i++)
		;
	if (job->size)
		change_size(job);
	free(job->blocks.at);
	if (job->size)
		return job->moved >= job->size ? EXIT_DONE : job->moved ? EXIT_SOME : EXIT_NOTHING;
	return !job->failed ? EXIT_DONE : job->done ? EXIT_SOME : EXIT_NOTHING;
}

static bool zone_ok(const char *zone, bool online)
{
	if (online)
		return !strcmp(zone, "movable") || !strcmp(zone, "kernel");
	return zone_name(zone);
}

static int run(struct options *options, int argc, char **argv, bool online)
{
	static const struct option longs[] = {
		{ "node", required_argument, NULL, 'n' }, { "zone", required_argument, NULL, 'z' },
		{ "deadline", required_argument, NULL, 'd' }, { 0 },
	};
	struct job job = { .options = options, .online = online, .nid = -1 };
	bool ok = true;
	char *end;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "n:z:d:", longs, NULL)) != -1) {
		if (c == 'n') {
			ok = parse_node(optarg, &job.nid);
		} else if (c == 'z') {
			job.zone = optarg;
			ok = zone_ok(optarg, online);
		} else if (c == 'd') {
			options->deadline = strtod(optarg, &end);
			ok = !*end && end != optarg && options->deadline > 0;
		}
		if (c == '?' || !ok) {
			complain("%s: not understood; `memplug %s --help`", argv[optind - 1], argv[0]);
			return EXIT_USAGE;
		}
	}
	if (!argv[optind] && job.nid < 0 && (online || !job.zone)) {
		complain("%s needs block numbers (3-6), a physical range, a size (1G) or --node; `memplug %s --help`",
			 argv[0], argv[0]);
		return EXIT_USAGE;
	}
	if (!words_check(argv[0], argv + optind))
		return EXIT_USAGE;
	job.size = words_size(argv + optind);
	return carry_out(&job, argv + optind);
}

static int online(struct options *options, int argc, char **argv)
{
	return run(options, argc, argv, true);
}

static int offline(struct options *options, int argc, char **argv)
{
	return run(options, argc, argv, false);
}

const struct verb verb_online = {
	"online", "[--zone movable|kernel] [--node N] [--deadline S] BLOCKS|RANGE|SIZE...",
	"bring blocks online",
	BLOCKS_HELP
	"SIZE: 512M, 4G: the lowest blocks that are offline, as many as that.\n"
	"  --zone movable|kernel  where their pages go; else the machine's policy decides\n"
	"  --node N               only blocks of this node; without BLOCKS: all of them\n"
	"  --deadline SECONDS     give up on a block after that\n\n"
	"  memplug online 32-35                       these four\n"
	"  memplug online --zone movable --node 1 2G  2 GiB of node 1 that can be taken offline again\n\n"
	"Exit code: 0 all, 64 some, 1 none.\n",
	online,
};

const struct verb verb_offline = {
	"offline", "[--zone ZONE] [--node N] [--deadline S] BLOCKS|RANGE|SIZE...", "take blocks offline",
	"What lives in them is moved; Ctrl-C cancels and leaves the block online. `memplug plan` tells before what\n"
	"would happen, `memplug why` afterwards what was in the way.\n"
	BLOCKS_HELP
	"SIZE: 512M, 4G: the highest blocks first; those that refuse are passed over.\n"
	"  --zone ZONE            only blocks of this zone: Movable, Normal, ...\n"
	"  --node N               only blocks of this node; without BLOCKS: all of them\n"
	"  --deadline SECONDS     give up on a block after that\n\n"
	"  memplug offline 32                         this one\n"
	"  memplug offline --deadline 10 --node 1 2G  2 GiB of node 1, no longer than 10 s a block\n\n"
	"Exit code: 0 all, 64 some, 1 none.\n",
	offline,
};
