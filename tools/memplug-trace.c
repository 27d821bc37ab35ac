/* SPDX-License-Identifier: MIT */
/*
 * Shows a saved event ring (mp_ring_save()): as text, a line for each record,
 * or as Chrome-trace JSON, which Perfetto and chrome://tracing open.
 */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <linux/memory.h>
#include <memplug/ring.h>

static const char usage[] =
	"usage: memplug-trace [--json] FILE\n"
	"Shows an event ring that mp_ring_save() wrote: as text, or as Chrome-trace JSON\n"
	"(for ui.perfetto.dev or chrome://tracing).\n";

/* ---- text ---- */

static void show_text(const struct mp_ring_record *r, uint64_t start)
{
	char text[192];

	mp_ring_text(r, text, sizeof(text));
	printf("%8" PRIu64 " %12.3f ms  %7d  %s\n", r->seq, (double)(r->time_ns - start) / 1e6, r->tid,
	       text);
}

/* ---- Chrome-trace JSON ---- */

/* Up to its arguments; `ns`: how long it took, and the record was made when it ended; 0: a moment. */
static void json_head(const struct mp_ring_record *r, const char *name, uint64_t ns, uint64_t start)
{
	static bool more;

	printf("%s\n{\"pid\":1,\"tid\":%d,\"cat\":\"%s\",\"name\":", more ? "," : "", r->tid,
	       mp_ring_type_name(r->type));
	more = true;
	json_string(name);
	printf(",\"ts\":%.3f,", ((double)r->time_ns - (double)start - (double)ns) / 1e3);
	if (ns)
		printf("\"ph\":\"X\",\"dur\":%.3f,", (double)ns / 1e3);
}

/* A transaction lasts from its GOING event to the one that ends it. */
static const char *event_phase(unsigned long action)
{
	return action == MEM_GOING_ONLINE || action == MEM_GOING_OFFLINE ? "b" : "e";
}

static const char *transaction(unsigned long action)
{
	return action & (MEM_GOING_ONLINE | MEM_ONLINE | MEM_CANCEL_ONLINE) ? "online" : "offline";
}

static void show_json(const struct mp_ring_record *r, uint64_t start)
{
	char name[96];

	switch (r->type) {
	case MP_RING_EVENT:
		json_head(r, transaction((unsigned long)r->a), 0, start);
		printf("\"ph\":\"%s\",\"id\":\"0x%" PRIx64 "\",\"args\":{\"event\":\"%s\",\"pages\":%" PRId64 "}}",
		       event_phase((unsigned long)r->a), (uint64_t)r->b, mp_event_name((unsigned long)r->a),
		       r->c);
		return;
	case MP_RING_CALLBACK:
		snprintf(name, sizeof(name), "%s: %s", mp_event_name((unsigned long)r->a), r->name);
		json_head(r, name, (uint64_t)(r->c > 0 ? r->c : 1), start);
		break;
	case MP_RING_GIVE_BACK:
		json_head(r, "give back", (uint64_t)(r->c > 0 ? r->c : 1), start);
		break;
	case MP_RING_LOCK_WAIT:
		json_head(r, r->name, (uint64_t)(r->a > 0 ? r->a : 1), start);
		break;
	default:
		json_head(r, *r->name ? r->name : mp_ring_type_name(r->type), 0, start);
		printf("\"ph\":\"i\",\"s\":\"t\",");
	}
	printf("\"args\":{\"seq\":%" PRIu64 ",\"a\":%" PRId64 ",\"b\":%" PRId64 ",\"c\":%" PRId64 "}}", r->seq,
	       r->a, r->b, r->c);
}

/* ---- the file ---- */

static int show(const char *path, bool json)
{
	char magic[sizeof(MP_RING_MAGIC)];
	struct mp_ring_record r;
	uint64_t start = 0;
	FILE *file = fopen(path, "rb");
	size_t got;

	if (!file) {
		fprintf(stderr, "memplug-trace: %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (fread(magic, sizeof(magic), 1, file) != 1 || memcmp(magic, MP_RING_MAGIC, sizeof(magic))) {
		fprintf(stderr, "memplug-trace: %s: not a saved event ring; make one with mp_ring_save()\n",
			path);
		fclose(file);
		return 1;
	}
	if (json)
		printf("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
	while ((got = fread(&r, 1, sizeof(r), file)) == sizeof(r)) {
		r.name[sizeof(r.name) - 1] = '\0';
		if (!start)
			start = r.time_ns;
		if (json)
			show_json(&r, start);
		else
			show_text(&r, start);
	}
	if (json)
		printf("\n]}\n");
	fclose(file);
	if (!got)
		return 0;
	fprintf(stderr, "memplug-trace: %s: ends within a record\n", path);
	return 1;
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && !strcmp(argv[1], "--json");

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc != 2 + json || (!json && argv[1][0] == '-')) {
		fputs(usage, stderr);
		return 2;
	}
	return show(argv[1 + json], json);
}
