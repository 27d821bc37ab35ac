/* SPDX-License-Identifier: MIT */
/* `memplug online` and `memplug offline`: blocks by number, range or size, one after the other. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct wish {
	bool online;
	int nid;	  /* -1: any */
	const char *zone; /* "movable", "kernel" or NULL */
	uint64_t size;	  /* with a size instead of numbers: as much as that */
};

/* "1G" in whole blocks; false: no size. */
static bool parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGTP";
	char *end;
	unsigned long long value = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (end == text || *text == '-' || !unit || end[1] || !value)
		return false;
	*size = value << (10 * (unit - units + 1));
	return *size >> (10 * (unit - units + 1)) == value;
}

/* "7", "3-6", "3,5-7". */
static bool parse_numbers(const char *text, bool (*fn)(long from, long to, void *arg), void *arg)
{
	char *end;

	for (;;) {
		long from = strtol(text, &end, 10), to = from;

		if (end == text || from < 0)
			return false;
		if (*end == '-') {
			text = end + 1;
			to = strtol(text, &end, 10);
			if (end == text || to < from)
				return false;
		}
		if ((*end && *end != ',') || (fn && !fn(from, to, arg)))
			return false;
		if (!*end)
			return true;
		text = end + 1;
	}
}

static struct block *blocks;
static long nr_blocks;

static struct block *find(long id)
{
	long i;

	for (i = 0; i < nr_blocks; i++)
		if (blocks[i].id == id)
			return &blocks[i];
	return NULL;
}

static int done, failed;
static uint64_t moved, block_size;

/* One block; a word on a terminal while it lasts, the reason when it is refused. */
static bool change(const struct options *options, const struct wish *wish, struct block *block)
{
	const char *text = !wish->online ? "offline" : !wish->zone ? "online" :
			   !strcmp(wish->zone, "movable") ? "online_movable" : "online_kernel";
	char path[96], *why;
	bool progress = isatty(STDERR_FILENO);
	int64_t ret;

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%ld/state", block->id);
	if (progress)
		fprintf(stderr, "\rmemory%ld: %s ... (Ctrl-C cancels)", block->id, text);
	ret = client_write(path, text, options->deadline);
	if (progress)
		fprintf(stderr, "\r\033[K");
	if (options->json) {
		printf("{\"block\": %ld, \"to\": \"%s\", \"error\": %lld, \"reason\": ", block->id,
		       text, ret < 0 ? (long long)ret : 0LL);
		why = ret < 0 ? reason_field(block->id, "text") : NULL;
		if (why)
			json_string(why);
		else
			printf("null");
		printf("}\n");
		free(why);
	} else if (ret < 0) {
		why = ret == -ENOENT ? NULL : reason_field(block->id, "text");
		if (why)
			complain("%s", why);
		else
			complain("memory%ld: %s", block->id, strerror((int)-ret));
		free(why);
	}
	if (ret >= 0) {
		done++;
		moved += block_size;
	} else {
		failed++;
	}
	return ret != -EINTR;
}

struct job {
	const struct options *options;
	const struct wish *wish;
};

static bool change_range(long from, long to, void *arg)
{
	const struct job *job = arg;
	struct block *block;

	for (; from <= to; from++) {
		block = find(from);
		if (!block) {
			complain("memory%ld: there is no such block", from);
			failed++;
		} else if (!strcmp(block->state, "offline") != job->wish->online) {
			continue; /* as wished */
		} else if (!change(job->options, job->wish, block)) {
			return false;
		}
	}
	return true;
}

/* Online the lowest, offline the highest first, as chmem does, passing over those that refuse. */
static void change_size(const struct job *job)
{
	long i;

	for (i = 0; i < nr_blocks && moved < job->wish->size; i++) {
		struct block *block = &blocks[job->wish->online ? i : nr_blocks - 1 - i];

		if (!strcmp(block->state, "offline") != job->wish->online ||
		    (job->wish->nid >= 0 && block->nid != job->wish->nid))
			continue;
		if (!change(job->options, job->wish, block))
			return;
	}
	if (moved < job->wish->size)
		complain("only %llu of %llu MiB", (unsigned long long)moved >> 20,
			 (unsigned long long)job->wish->size >> 20);
}

static int run(struct options *options, int argc, char **argv, bool online)
{
	static const struct option longs[] = {
		{ "node", required_argument, NULL, 'n' }, { "zone", required_argument, NULL, 'z' },
		{ "deadline", required_argument, NULL, 'd' }, { 0 },
	};
	struct wish wish = { .online = online, .nid = -1 };
	struct job job = { options, &wish };
	const char *name = argv[0];
	char *end;
	int c, i;

	optind = 1;
	while ((c = getopt_long(argc, argv, "+n:z:d:", longs, NULL)) != -1) {
		if (c == 'n') {
			wish.nid = (int)strtol(optarg, &end, 10);
			if (*end || end == optarg || wish.nid < 0)
				c = '?';
		} else if (c == 'z') {
			wish.zone = optarg;
			if (!online || (strcmp(optarg, "movable") && strcmp(optarg, "kernel")))
				c = '?';
		} else if (c == 'd') {
			options->deadline = strtod(optarg, &end);
			if (*end || end == optarg || !(options->deadline > 0))
				c = '?';
		}
		if (c == '?') {
			complain("%s: not understood; `memplug %s --help`", argv[optind - 1], name);
			return EXIT_USAGE;
		}
	}
	for (i = optind; i < argc; i++) {
		uint64_t size;

		if (parse_size(argv[i], &size)) {
			wish.size += size;
		} else if (!parse_numbers(argv[i], NULL, NULL)) {
			complain("%s: neither block numbers (3-6) nor a size (1G)", argv[i]);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		complain("%s needs block numbers (3-6) or a size (1G)", name);
		return EXIT_USAGE;
	}
	client_connect(options);
	nr_blocks = blocks_read(&blocks, &block_size);
	if (nr_blocks < 0) {
		complain("the machine cannot be read: %s", strerror((int)-nr_blocks));
		return EXIT_NOTHING;
	}
	for (i = optind; i < argc; i++) {
		uint64_t size;

		if (!parse_size(argv[i], &size) && !parse_numbers(argv[i], change_range, &job))
			break;
	}
	if (wish.size)
		change_size(&job);
	free(blocks);
	if (wish.size)
		return moved >= wish.size ? EXIT_DONE : moved ? EXIT_SOME : EXIT_NOTHING;
	return !failed ? EXIT_DONE : done ? EXIT_SOME : EXIT_NOTHING;
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
	"online", "[--zone movable|kernel] [--node N] BLOCKS|SIZE...", "bring blocks online",
	"BLOCKS: 7, 3-6, 3,5-7. SIZE: 512M, 4G: the lowest blocks that are offline, as many as that.\n"
	"  --zone movable|kernel  where their pages go; else the machine's policy decides\n"
	"  --node N               with a size: only blocks of this node\n"
	"  --deadline SECONDS     give up after that\n"
	"Exit code: 0 all, 64 some, 1 none.\n",
	online,
};

const struct verb verb_offline = {
	"offline", "[--node N] [--deadline SECONDS] BLOCKS|SIZE...", "take blocks offline",
	"What lives in them is moved; Ctrl-C cancels and leaves the block online.\n"
	"BLOCKS: 7, 3-6, 3,5-7. SIZE: 512M, 4G: the highest blocks first; those that refuse are passed over.\n"
	"  --node N               with a size: only blocks of this node\n"
	"  --deadline SECONDS     give up on a block after that\n"
	"Exit code: 0 all, 64 some, 1 none.\n",
	offline,
};
