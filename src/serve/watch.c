// SPDX-License-Identifier: MIT
/*
 * Watching: what happened since a client asked, as fast as it takes it. Nothing
 * is kept for a client but how far it has come: the ring and the last uevents
 * are there for all, and who is so slow that they are written over is told how
 * much it missed. The I/O thread's own.
 */
#include <errno.h>
#include <string.h>
#include <memplug/ring.h>
#include <linux/kernel.h>
#include "os/os.h"
#include "serve/serve_internal.h"

void watch_any(void)
{
	unsigned int i;
	bool any = false;

	for (i = 0; i < MAX_CLIENTS; i++)
		any |= clients[i].fd >= 0 && clients[i].watch;
	news_wanted(any);
}

void watch_begin(struct client *client, const struct mp_packet *request)
{
	struct mp_ring_record record;

	if (request->value < 0 || request->value > 7) {
		client_answer(client, request, -EINVAL, 0, 0);
		return;
	}
	client->watch = (u32)request->value;
	client->watch_id = request->id;
	client->lost = 0;
	client->full = false;
	/* From now on: what the ring has is old. */
	client->ring = 0;
	while (mp_ring_read(&client->ring, &record) == 1)
		;
	client->uevent = news_uevent_next();
	client_answer(client, request, 0, 0, 0);
}

/* False: the client takes no more, or has gone. */
static bool send_news(struct client *client, unsigned int flags, s64 value, size_t size)
{
	struct mp_packet packet = { .id = client->watch_id, .op = MP_PACKET_WATCH,
				    .flags = (u16)(MP_PACKET_NEWS | flags), .value = value };
	ssize_t n;

	memcpy(packet_out, &packet, sizeof(packet));
	n = os_send(client->fd, packet_out, sizeof(packet) + size);
	client->full = n == -EAGAIN;
	if (n < 0 && n != -EAGAIN)
		client_close(client);
	return n >= 0;
}

/* What was lost comes before what follows it. False: the client takes no more, or has gone. */
static bool tell(struct client *client, u32 what, const void *data, size_t size)
{
	if (client->lost && !send_news(client, MP_PACKET_LOST, (s64)client->lost, 0))
		return false;
	client->lost = 0;
	memcpy(packet_out + sizeof(struct mp_packet), data, size);
	return send_news(client, 0, what, size);
}

/* 0: there is none for now; below 0: the client takes no more. */
static int tell_record(struct client *client)
{
	struct mp_ring_record record;
	u64 cursor = client->ring;
	bool refusal;

	if (mp_ring_read(&client->ring, &record) != 1)
		return 0;
	/* Those that the ring dropped before they were read. */
	if (cursor && record.seq > cursor)
		client->lost += record.seq - cursor;
	refusal = record.type == MP_RING_REFUSAL;
	if (!(client->watch & (refusal ? MP_WATCH_REASONS : MP_WATCH_EVENTS)) ||
	    tell(client, refusal ? MP_WATCH_REASONS : MP_WATCH_EVENTS, &record, sizeof(record)))
		return 1;
	/* The same one again, when there is room. */
	client->ring = record.seq;
	return -EAGAIN;
}

static int tell_uevent(struct client *client)
{
	static char text[NEWS_TEXT];
	u64 cursor = client->uevent;
	size_t size;

	if (!(client->watch & MP_WATCH_UEVENTS) || !news_uevent(&client->uevent, text, &size))
		return 0;
	client->lost += client->uevent - cursor;
	if (!tell(client, MP_WATCH_UEVENTS, text, size))
		return -EAGAIN;
	client->uevent++;
	return 1;
}

void watch_tell(struct client *client)
{
	int more = 1;

	while (more > 0)
		more = tell_record(client);
	if (!more)
		more = 1;
	while (more > 0)
		more = tell_uevent(client);
}
