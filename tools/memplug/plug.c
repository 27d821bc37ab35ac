/* SPDX-License-Identifier: MIT */
/* `memplug add` and `memplug remove`: memory comes and goes, by /memplug/add and /memplug/remove. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *refusal(const char *file)
{
	char *record = client_read(file), *text = record ? field_of(record, "text") : NULL;

	free(record);
	return text;
}

/* ---- add ---- */

struct addition {
	const struct options *options;
	struct blocks blocks;
	int nid;
	bool placed; /* at `at`, not anywhere */
	uint64_t at;
	const char *how; /* "", " online", " online_movable", " online_kernel" */
	int done, failed;
};

static bool add_range(long from, long to, void *arg)
{
	struct addition *add = arg;
	uint64_t start = (uint64_t)from * add->blocks.size;
	uint64_t size = (uint64_t)(to - from + 1) * add->blocks.size;
	char request[120], text[SIZE_TEXT], *why = NULL;
	int64_t ret;

	snprintf(request, sizeof(request), "0x%" PRIx64 " 0x%" PRIx64 " %d%s", start, size, add->nid,
		 add->how);
	ret = client_write("/memplug/add", request, add->options->deadline, NULL);
	if (ret < 0)
		why = refusal("/memplug/add");
	ret = ret < 0 ? ret : 0;
	*(ret ? &add->failed : &add->done) += 1;
	if (add->options->json) {
		printf("{\"start\": %" PRIu64 ", \"size\": %" PRIu64 ", \"first\": %ld, \"last\": %ld, \"node\": %d, \"error\": %d, \"reason\": ",
		       start, size, from, to, add->nid, (int)ret);
		json_string_or_null(why);
		printf("}\n");
	} else if (ret) {
		complain("%s", why ? why : strerror((int)-ret));
	} else {
		printf("added %s at 0x%" PRIx64 " on node %d: memory%ld", size_text(size, text), start,
		       add->nid, from);
		printf(from == to ? "\n" : "-%ld\n", to);
	}
	free(why);
	return true;
}

/* At the address, or behind all that there is and above what 32 bits reach, where hot memory lives. */
static bool add_size(struct addition *add, uint64_t size)
{
	uint64_t block = add->blocks.size;
	long first = (long)(add->at / block);
	char text[SIZE_TEXT];

	if (size % block || add->at % block) {
		complain("memory comes in whole blocks of %s", size_text(block, text));
		return false;
	}
	if (!add->placed) {
		first = (long)((4ULL << 30) / block);
		if (add->blocks.count && add->blocks.at[add->blocks.count - 1].id >= first)
			first = add->blocks.at[add->blocks.count - 1].id + 1;
	}
	return add_range(first, first + (long)(size / block) - 1, add);
}

static int run_add(struct addition *add, char **words)
{
	uint64_t size = words_size(words);
	bool placed;

	client_connect(add->options);
	blocks_need(&add->blocks);
	words_ranges(words, add->blocks.size, add_range, add);
	placed = !size || add_size(add, size);
	free(add->blocks.at);
	if (!placed)
		return EXIT_USAGE;
	return !add->failed ? EXIT_DONE : add->done ? EXIT_SOME : EXIT_NOTHING;
}

static bool parse_address(const char *text, uint64_t *at)
{
	char *end;

	if (parse_size(text, at))
		return true;
	*at = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && !*end;
}

static int add(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "node", required_argument, NULL, 'n' }, { "at", required_argument, NULL, 'a' },
		{ "online", optional_argument, NULL, 'o' }, { 0 },
	};
	struct addition add = { .options = options, .how = "" };
	bool ok = true;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "n:a:o", longs, NULL)) != -1) {
		if (c == 'n') {
			ok = parse_node(optarg, &add.nid);
		} else if (c == 'a') {
			add.placed = true;
			ok = parse_address(optarg, &add.at);
		} else if (c == 'o') {
			add.how = !optarg ? " online" : !strcmp(optarg, "movable") ? " online_movable" :
				  !strcmp(optarg, "kernel") ? " online_kernel" : NULL;
			ok = add.how;
		}
		if (c == '?' || !ok) {
			complain("%s: not understood; `memplug add --help`", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (!argv[optind]) {
		complain("add needs a size (1G), a physical range or block numbers; `memplug add --help`");
		return EXIT_USAGE;
	}
	return words_check("add", argv + optind) ? run_add(&add, argv + optind) : EXIT_USAGE;
}

const struct verb verb_add = {
	"add", "[--node N] [--at ADDRESS] [--online[=movable|kernel]] SIZE|RANGE|BLOCKS...",
	"plug memory in",
	"SIZE: 1G: behind all memory that there is, or --at an address. RANGE: 0x180000000-0x1bfffffff.\n"
	"BLOCKS: 48-55: where blocks with these numbers lie. It comes offline unless auto_online_blocks says otherwise.\n"
	"  --node N                    the node it belongs to (0)\n"
	"  --online[=movable|kernel]   bring it online at once\n\n"
	"  memplug add --node 1 --online=movable 1G\n\n"
	"Exit code: 0 all, 64 some, 1 none.\n",
	add,
};

/* ---- remove ---- */

struct removal {
	const struct options *options;
	struct blocks blocks;
	int nid;
	bool offline;
	uint64_t size, gone;
	int done, failed;
};

static bool remove_block(struct block *block, void *arg)
{
	struct removal *remove = arg;
	char request[80], *why = NULL;
	int ret = 0;

	if (remove->nid >= 0 && block->nid != remove->nid)
		return true;
	if (!block->offline && remove->offline) {
		ret = change_block(remove->options, block->id, "offline");
		why = ret ? reason_field(block->id, "text") : NULL;
	}
	if (!ret) {
		snprintf(request, sizeof(request), "0x%" PRIx64 " 0x%" PRIx64,
			 (uint64_t)block->id * remove->blocks.size, remove->blocks.size);
		ret = (int)client_write("/memplug/remove", request, remove->options->deadline, NULL);
		ret = ret < 0 ? ret : 0;
		why = ret ? refusal("/memplug/remove") : NULL;
	}
	report_block(remove->options, block->id, "removed", ret, why);
	*(ret ? &remove->failed : &remove->done) += 1;
	remove->gone += ret ? 0 : remove->blocks.size;
	return ret != -EINTR;
}

static void missing(long from, long to, void *arg)
{
	struct removal *remove = arg;

	no_such_blocks(remove->options, "removed", from, to);
	remove->failed++;
}

static bool remove_range(long from, long to, void *arg)
{
	struct removal *remove = arg;

	return blocks_each(&remove->blocks, from, to, remove_block, missing, remove);
}

/* The highest first; those that are offline before those that would have to go offline. */
static void remove_size(struct removal *remove)
{
	char got[SIZE_TEXT], wished[SIZE_TEXT];
	int online;
	long i;

	for (online = 0; online <= remove->offline; online++)
		for (i = remove->blocks.count - 1; i >= 0 && remove->gone < remove->size; i--)
			if (remove->blocks.at[i].offline == !online &&
			    !remove_block(&remove->blocks.at[i], remove))
				return;
	if (remove->gone < remove->size)
		complain("removed only %s of %s%s", size_text(remove->gone, got),
			 size_text(remove->size, wished),
			 remove->offline ? "" : "; the rest is online: --offline takes it offline before");
}

static int remove_memory(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "node", required_argument, NULL, 'n' }, { "offline", no_argument, NULL, 'o' },
		{ "deadline", required_argument, NULL, 'd' }, { 0 },
	};
	struct removal remove = { .options = options, .nid = -1 };
	bool ok = true;
	char *end;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "n:od:", longs, NULL)) != -1) {
		if (c == 'n') {
			ok = parse_node(optarg, &remove.nid);
		} else if (c == 'o') {
			remove.offline = true;
		} else if (c == 'd') {
			options->deadline = strtod(optarg, &end);
			ok = !*end && end != optarg && options->deadline > 0;
		}
		if (c == '?' || !ok) {
			complain("%s: not understood; `memplug remove --help`", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (!argv[optind]) {
		complain("remove needs block numbers (3-6), a physical range or a size (1G); `memplug remove --help`");
		return EXIT_USAGE;
	}
	if (!words_check("remove", argv + optind))
		return EXIT_USAGE;
	remove.size = words_size(argv + optind);
	client_connect(options);
	blocks_need(&remove.blocks);
	words_ranges(argv + optind, remove.blocks.size, remove_range, &remove);
	if (remove.size)
		remove_size(&remove);
	free(remove.blocks.at);
	if (remove.size)
		return remove.gone >= remove.size ? EXIT_DONE : remove.gone ? EXIT_SOME : EXIT_NOTHING;
	return !remove.failed ? EXIT_DONE : remove.done ? EXIT_SOME : EXIT_NOTHING;
}

const struct verb verb_remove = {
	"remove", "[--offline] [--node N] [--deadline S] BLOCKS|RANGE|SIZE...", "unplug memory",
	"The blocks must be offline, or are put offline before with --offline.\n"
	BLOCKS_HELP
	"SIZE: 512M, 4G: the highest blocks that are offline, then (--offline) that are online.\n"
	"  --offline              put them offline before; what refuses stays\n"
	"  --node N               only blocks of this node\n"
	"  --deadline SECONDS     give up on a block after that\n\n"
	"  memplug remove --offline 36-39\n\n"
	"Exit code: 0 all, 64 some, 1 none.\n",
	remove_memory,
};
