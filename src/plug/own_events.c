// SPDX-License-Identifier: MIT
/*
 * /memplug/events and /memplug/callbacks: the event ring as text, and which
 * callbacks there are and how long each took. No state.
 */
#include <inttypes.h>
#include <linux/kernel.h>
#include <linux/memory.h>
#include <memplug/ring.h>
#include "device/text.h"
#include "hotplug/timings.h"
#include "plug/plug_files.h"

static ssize_t events_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct mp_ring_record record;
	struct text text = { 0 };
	char line[192];
	u64 cursor = 0;
	int n = 0;

	(void)owner;
	(void)attr;
	/* Not what comes meanwhile: there might be no end. */
	while (n++ < 8192 && mp_ring_read(&cursor, &record) == 1) {
		mp_ring_text(&record, line, sizeof(line));
		text_printf(&text, "%" PRIu64 " %" PRIu64 ".%06" PRIu64 " %d %s\n", record.seq,
			    record.time_ns / 1000000000, record.time_ns / 1000 % 1000000, record.tid,
			    line);
	}
	return text_take(&text, buf);
}

static void show_callback(const char *name, int priority, void *arg)
{
	text_printf(arg, "registered priority %d %s\n", priority, name);
}

static ssize_t callbacks_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct callback_timing timing;
	struct text text = { 0 };
	int i;

	(void)owner;
	(void)attr;
	callbacks_for_each(show_callback, &text);
	for (i = 0; timings_get(i, &timing); i++)
		text_printf(&text,
			    "timing %s calls %" PRIu64 " refusals %" PRIu64 " total_ns %" PRIu64
			    " max_ns %" PRIu64 " last_ns %" PRIu64 " answer 0x%x %s\n",
			    timing.action ? mp_event_name(timing.action) : "others", timing.calls,
			    timing.refusals, timing.total_ns, timing.max_ns, timing.last_ns,
			    timing.answer, timing.name);
	return text_take(&text, buf);
}

const struct tree_attr own_events_attr = { .name = "events", .mode = 0444,
					   .show_long = events_show };
/* A registration waits for a notification that runs, and who comes behind it waits, too. */
const struct tree_attr own_callbacks_attr = { .name = "callbacks", .mode = 0444, .waits = true,
					      .show_long = callbacks_show };
