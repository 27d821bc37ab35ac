// SPDX-License-Identifier: MIT
/* A record of the event ring as a line of text. No state. */
#include <inttypes.h>
#include <stdio.h>
#include <linux/errno.h>
#include <linux/memory.h>
#include "report/report.h"

static const char *state_name(s64 state)
{
	switch (state) {
	case MEM_ONLINE:
		return "online";
	case MEM_GOING_OFFLINE:
		return "going-offline";
	case MEM_OFFLINE:
		return "offline";
	case MEM_GOING_ONLINE:
		return "going-online";
	}
	return "?";
}

static int refusal_text(const struct mp_ring_record *r, char *buf, size_t size)
{
	char block[32] = "";

	if (r->a >= 0)
		snprintf(block, sizeof(block), "memory%" PRId64 " ", r->a);
	return snprintf(buf, size, "%serror %" PRId64 " (%s) by %s", block, r->b,
			mp_reason_kind_name((enum mp_reason_kind)r->c), r->name);
}

/* Behind the type's name. */
static int details(const struct mp_ring_record *r, char *buf, size_t size)
{
	switch (r->type) {
	case MP_RING_EVENT:
		return snprintf(buf, size, "%s pfn 0x%" PRIx64 " pages %" PRId64,
				mp_event_name((unsigned long)r->a), (u64)r->b, r->c);
	case MP_RING_CALLBACK:
		return snprintf(buf, size, "%s of %s answered 0x%" PRIx64 " after %.1f us",
				mp_event_name((unsigned long)r->a), r->name, (u64)r->b,
				(double)r->c / 1e3);
	case MP_RING_ISOLATE:
		return snprintf(buf, size, "pfn 0x%" PRIx64 " pages %" PRId64 " result %" PRId64,
				(u64)r->a, r->b, r->c);
	case MP_RING_MIGRATE:
		return snprintf(buf, size, "from pfn 0x%" PRIx64 ": %" PRId64 " moved, %" PRId64 " not",
				(u64)r->a, r->b, r->c);
	case MP_RING_STATE:
		return snprintf(buf, size, "memory%" PRId64 " %s -> %s", r->a, state_name(r->b),
				state_name(r->c));
	case MP_RING_ADD:
	case MP_RING_REMOVE:
		return snprintf(buf, size, "0x%" PRIx64 "+0x%" PRIx64 " result %" PRId64, (u64)r->a,
				(u64)r->b, r->c);
	case MP_RING_GIVE_BACK:
		return snprintf(buf, size, "0x%" PRIx64 " bytes %" PRId64 " in %.1f us", (u64)r->a, r->b,
				(double)r->c / 1e3);
	case MP_RING_LOCK_WAIT:
		return snprintf(buf, size, "%s for %.1f us", r->name, (double)r->a / 1e3);
	case MP_RING_REFUSAL:
		return refusal_text(r, buf, size);
	case MP_RING_UEVENT:
		return snprintf(buf, size, "%s seqnum %" PRId64, r->name, r->a);
	case MP_RING_BOOT:
		return snprintf(buf, size, "%" PRId64 " blocks result %" PRId64, r->a, r->c);
	case MP_RING_CPU:
		return snprintf(buf, size, "%s %s result %" PRId64, r->name, r->b ? "up" : "down", r->c);
	case MP_RING_SLOT:
		return snprintf(buf, size, "%" PRId64 " source 0x%" PRIx64 " status 0x%" PRIx64, r->a,
				(u64)r->b, (u64)r->c);
	}
	return snprintf(buf, size, "0x%" PRIx64 " %" PRId64 " %" PRId64 " %s", (u64)r->a, r->b, r->c,
			r->name);
}

int mp_ring_text(const struct mp_ring_record *record, char *buf, size_t size)
{
	char text[160];

	if (!record || (!buf && size))
		return -EINVAL;
	details(record, text, sizeof(text));
	return snprintf(buf, size, "%-9s %s", mp_ring_type_name(record->type), text);
}
