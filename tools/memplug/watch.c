/* SPDX-License-Identifier: MIT */
/* `memplug watch`: events, uevents and refusals as they happen, until Ctrl-C. */
#include "memplug.h"
#include "json.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memplug/ring.h>

#define MAX_RANGES 32
#define MAX_TYPES 32
#define UEVENT 31 /* as a type; the ring has its own record of uevents, without the text */

static struct {
	uint32_t types; /* bits: those to show; 0: all */
	struct {
		long from, to;
	} range[MAX_RANGES];
	int ranges;
	uint64_t block_size;
	long left; /* lines to print still; -1: no end */
	/* Callbacks do not say which block: that of the thread's last notification. */
	int tid;
	long block;
} filter = { .left = -1 };

static bool add_range(long from, long to, void *arg)
{
	(void)arg;
	if (filter.ranges == MAX_RANGES)
		return false;
	filter.range[filter.ranges].from = from;
	filter.range[filter.ranges++].to = to;
	return true;
}

static bool in_ranges(long from, long to)
{
	int i;

	for (i = 0; i < filter.ranges; i++)
		if (from <= filter.range[i].to && to >= filter.range[i].from)
			return true;
	return !filter.ranges;
}

static bool record_wanted(const struct mp_ring_record *r)
{
	uint64_t pages = filter.block_size / 4096;

	if (filter.types && (r->type >= MAX_TYPES || !(filter.types >> r->type & 1)) &&
	    r->type != MP_RING_EVENT)
		return false;
	switch (filter.ranges ? r->type : 0) {
	case MP_RING_EVENT:
		filter.tid = r->tid;
		filter.block = (long)((uint64_t)r->b / pages);
		if (!in_ranges(filter.block, filter.block))
			return false;
		break;
	case MP_RING_CALLBACK:
		if (r->tid == filter.tid && !in_ranges(filter.block, filter.block))
			return false;
		break;
	case MP_RING_ISOLATE:
	case MP_RING_MIGRATE:
		if (!in_ranges((long)((uint64_t)r->a / pages), (long)((uint64_t)r->a / pages)))
			return false;
		break;
	case MP_RING_STATE:
	case MP_RING_REFUSAL:
		if (!in_ranges((long)r->a, (long)r->a))
			return false;
		break;
	case MP_RING_ADD:
	case MP_RING_REMOVE:
		if (!in_ranges((long)((uint64_t)r->a / filter.block_size),
			       (long)((uint64_t)(r->a + r->b - 1) / filter.block_size)))
			return false;
		break;
	case 0:
		break;
	default:
		return false; /* of no block */
	}
	return !filter.types || (r->type < MAX_TYPES && filter.types >> r->type & 1);
}

static bool uevent_wanted(void)
{
	const char *at = strstr(client_data, "/memory/memory");
	long block = at ? strtol(at + 14, NULL, 10) : -1;

	if (filter.types && !(filter.types >> UEVENT & 1))
		return false;
	return !filter.ranges || (block >= 0 && in_ranges(block, block));
}

static void show_record(const struct mp_ring_record *r, bool json)
{
	char text[192];

	if (json) {
		printf("{\"type\": \"%s\", \"seq\": %" PRIu64 ", \"time_ns\": %" PRIu64
		       ", \"tid\": %d, \"a\": %" PRId64 ", \"b\": %" PRId64 ", \"c\": %" PRId64
		       ", \"name\": ", mp_ring_type_name(r->type), r->seq, r->time_ns, r->tid, r->a,
		       r->b, r->c);
		json_string(r->name);
		printf("}\n");
		return;
	}
	mp_ring_text(r, text, sizeof(text));
	printf("%12.6f %s%s%s\n", (double)r->time_ns / 1e9,
	       paint(stdout, r->type == MP_RING_REFUSAL ? PAINT_BAD :
		     r->type == MP_RING_EVENT ? PAINT_BOLD : PAINT_NONE), text,
	       paint(stdout, PAINT_NONE));
}

static void show_uevent(bool json)
{
	const char *at = client_data, *end = client_data + client_size;

	if (json) {
		printf("{\"type\": \"uevent\", \"text\": [");
		for (; at < end; at += strlen(at) + 1) {
			if (at != client_data)
				printf(", ");
			json_string(at);
		}
		printf("]}\n");
	} else {
		printf("             uevent    %s\n", at);
	}
}

/* True: shown. */
static bool show_news(const struct options *options, const struct mp_packet *head)
{
	struct mp_ring_record record;

	if (head->flags & MP_PACKET_LOST) {
		complain("%" PRId64 " missed", head->value);
		return false;
	}
	if (head->value == MP_WATCH_UEVENTS) {
		if (!uevent_wanted())
			return false;
		show_uevent(options->json);
		return true;
	}
	if (client_size != sizeof(record))
		return false;
	memcpy(&record, client_data, sizeof(record));
	if (!record_wanted(&record))
		return false;
	show_record(&record, options->json);
	return true;
}

/* "callback,refusal,uevent" */
static bool parse_types(const char *text)
{
	size_t length;
	uint32_t type;

	for (; *text; text += length + !!text[length]) {
		length = strcspn(text, ",");
		for (type = 1; type < UEVENT; type++)
			if (type != MP_RING_UEVENT && strlen(mp_ring_type_name(type)) == length &&
			    !strncmp(text, mp_ring_type_name(type), length))
				break;
		if (type == UEVENT && (length != 6 || strncmp(text, "uevent", 6)))
			return false;
		filter.types |= 1u << type;
	}
	return filter.types;
}

static bool parse_count(const char *text)
{
	char *end;

	filter.left = strtol(text, &end, 10);
	return end != text && !*end && filter.left > 0;
}

static int watch(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "only", required_argument, NULL, 'o' }, { "block", required_argument, NULL, 'b' },
		{ "count", required_argument, NULL, 'c' }, { 0 },
	};
	char *words[] = { NULL, NULL };
	struct mp_packet head;
	struct blocks blocks;
	bool ok = true;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "o:b:c:", longs, NULL)) != -1) {
		if (c == 'o')
			ok = parse_types(optarg);
		else if (c == 'c')
			ok = parse_count(optarg);
		else if (c == 'b')
			words[0] = optarg, ok = words_check("watch", words) && !words_size(words);
		if (c == '?' || !ok) {
			complain("%s: not understood; `memplug watch --help`", argv[optind - 1]);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		complain("watch takes no argument: \"%s\"; `memplug watch --help`", argv[optind]);
		return EXIT_USAGE;
	}
	client_connect(options);
	if (words[0]) {
		blocks_need(&blocks);
		filter.block_size = blocks.size;
		words_ranges(words, blocks.size, add_range, NULL);
		free(blocks.at);
	}
	client_call(MP_PACKET_WATCH, MP_WATCH_EVENTS | MP_WATCH_UEVENTS | MP_WATCH_REASONS, NULL,
		    NULL, 0);
	while (filter.left && client_news(&head)) {
		if (show_news(options, &head) && filter.left > 0)
			filter.left--;
		fflush(stdout);
	}
	return EXIT_DONE;
}

const struct verb verb_watch = {
	"watch", "[--only TYPE,...] [--block BLOCKS] [--count N]", "what happens, as it happens",
	"Prints notifications, the callbacks' answers, uevents and refusals until Ctrl-C.\n"
	"  --only TYPE,...        event, callback, isolate, migrate, state, add, remove, give_back, lock_wait,\n"
	"                         refusal, boot, cpu, slot, uevent\n"
	"  --block BLOCKS         what is of these blocks: 7, 3-6, a physical range\n"
	"  --count N              end after N lines\n\n"
	"  memplug watch --only event,callback,refusal --block 32\n"
	"  memplug watch --only uevent --count 1\n",
	watch,
};
