/* SPDX-License-Identifier: MIT */
/* `memplug watch`: events, uevents and refusals as they happen, until Ctrl-C. */
#include "memplug.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <memplug/ring.h>

static void show_record(const struct mp_ring_record *r, bool json)
{
	if (json) {
		printf("{\"type\": \"%s\", \"seq\": %" PRIu64 ", \"time_ns\": %" PRIu64
		       ", \"tid\": %d, \"a\": %" PRId64 ", \"b\": %" PRId64 ", \"c\": %" PRId64
		       ", \"name\": ", mp_ring_type_name(r->type), r->seq, r->time_ns, r->tid, r->a,
		       r->b, r->c);
		json_string(r->name);
		printf("}\n");
		return;
	}
	printf("%12.6f %-9s ", (double)r->time_ns / 1e9, mp_ring_type_name(r->type));
	if (r->type == MP_RING_EVENT)
		printf("%s pfn 0x%" PRIx64 " pages %" PRId64, mp_event_name((unsigned long)r->a),
		       (uint64_t)r->b, r->c);
	else if (r->type == MP_RING_CALLBACK)
		printf("%s by %s: 0x%" PRIx64 ", %.1f us", mp_event_name((unsigned long)r->a), r->name,
		       (uint64_t)r->b, (double)r->c / 1e3);
	else if (r->type == MP_RING_REFUSAL)
		printf("memory%" PRId64 " error %" PRId64 " by %s", r->a, r->b, r->name);
	else
		printf("0x%" PRIx64 " %" PRId64 " %" PRId64 " %s", (uint64_t)r->a, r->b, r->c, r->name);
	putchar('\n');
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

static int watch(struct options *options, int argc, char **argv)
{
	struct mp_ring_record record;
	struct mp_packet head;

	if (argc > 1) {
		complain("watch takes no argument: \"%s\"", argv[1]);
		return EXIT_USAGE;
	}
	client_connect(options);
	client_call(MP_PACKET_WATCH, MP_WATCH_EVENTS | MP_WATCH_UEVENTS | MP_WATCH_REASONS, NULL,
		    NULL, 0);
	while (client_news(&head)) {
		if (head.flags & MP_PACKET_LOST) {
			complain("%" PRId64 " missed", head.value);
		} else if (head.value == MP_WATCH_UEVENTS) {
			show_uevent(options->json);
		} else if (client_size == sizeof(record)) {
			memcpy(&record, client_data, sizeof(record));
			show_record(&record, options->json);
		}
		fflush(stdout);
	}
	return EXIT_DONE;
}

const struct verb verb_watch = {
	"watch", "", "what happens, as it happens",
	"Prints notifications, the callbacks' answers, uevents and refusals until Ctrl-C.\n",
	watch,
};
