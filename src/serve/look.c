// SPDX-License-Identifier: MIT
/*
 * Requests that never wait: listing, looking at one entry, reading files
 * whose text is made without a lock. The I/O thread's own; no other state than
 * the file that a client reads in pieces.
 */
#include <fcntl.h>
#include <string.h>
#include <linux/kernel.h>
#include "device/tree.h"
#include "serve/serve_internal.h"

struct listing {
	const char *path;
	bool texts;
	s64 skip;
	s64 count;
	size_t size;
	bool more;
};

static size_t put_entry(char *at, size_t room, const struct mp_entry *entry)
{
	struct mp_packet_entry head = { .type = (u8)entry->type,
					.how = (u8)(entry->waits * MP_ENTRY_WAITS |
						    entry->steady * MP_ENTRY_STEADY),
					.mode = (u16)entry->mode, .size = (u32)entry->size,
					.id = entry->id };
	size_t name = strlen(entry->name) + 1, target = strlen(entry->target) + 1;

	if (sizeof(head) + name + target > room)
		return 0;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), entry->name, name);
	memcpy(at + sizeof(head) + name, entry->target, target);
	return sizeof(head) + name + target;
}

/* The text behind an entry, or that there is none; 0: no room. */
static size_t put_text(char *at, size_t room, const char *directory, const struct mp_entry *entry)
{
	static char text[MP_ATTR_SIZE];
	char path[MAX_PATH];
	u32 size = MP_NO_TEXT;
	ssize_t n = -EAGAIN;

	if (entry->steady && snprintf(path, sizeof(path), "%s/%s", directory, entry->name) < MAX_PATH)
		n = tree_read_steady(path, entry->id, text);
	if (n >= 0)
		size = (u32)n;
	else
		n = 0;
	if (sizeof(size) + (size_t)n > room)
		return 0;
	memcpy(at, &size, sizeof(size));
	memcpy(at + sizeof(size), text, (size_t)n);
	return sizeof(size) + (size_t)n;
}

static int list_one(const struct mp_entry *entry, void *arg)
{
	struct listing *listing = arg;
	size_t size;

	char *at = packet_out + sizeof(struct mp_packet) + listing->size;
	size_t room = PAYLOAD - listing->size, text = 0;

	if (listing->skip-- > 0)
		return 0;
	size = put_entry(at, room, entry);
	if (size && listing->texts) {
		text = put_text(at + size, room - size, listing->path, entry);
		size = text ? size + text : 0;
	}
	listing->more = !size;
	if (listing->more)
		return 1;
	listing->size += size;
	listing->count++;
	return 0;
}

void look_list(struct client *client, const struct mp_packet *request, const char *path)
{
	struct listing listing = { .path = path, .skip = request->value,
				   .texts = request->flags & MP_PACKET_TEXTS };
	int ret = mp_list(path, list_one, &listing);

	if (ret < 0)
		client_answer(client, request, ret, 0, 0);
	else
		client_answer(client, request, listing.count, listing.more ? MP_PACKET_MORE : 0,
		       listing.size);
}

void look_stat(struct client *client, const struct mp_packet *request, const char *path)
{
	struct mp_entry entry;
	int ret = mp_stat(path, &entry);

	client_answer(client, request, ret, 0,
	       ret ? 0 : put_entry(packet_out + sizeof(struct mp_packet), PAYLOAD, &entry));
}

void look_close(struct client *client)
{
	mp_file_close(client->file);
	client->file = NULL;
}

/* The text is there already, of the file that this client reads. */
bool look_goes_on(const struct client *client, const struct mp_packet *request, const char *path)
{
	return client->file && request->value && request->value == client->file_next &&
	       !strcmp(path, client->file_path);
}

/* Most texts are a page: without the heap, straight into the answer. False: this one may be longer. */
static bool read_page(struct client *client, const struct mp_packet *request, const char *path,
		      u64 object)
{
	char *text = packet_out + sizeof(struct mp_packet);
	bool busy;
	ssize_t n = tree_try_read(path, object, text, &busy), from;

	_Static_assert(PAYLOAD >= MP_ATTR_SIZE, "a page is one answer");
	if (n == -EFBIG)
		return false;
	look_close(client);
	if (n > 0 && request->value) {
		from = min_t(s64, request->value, n);
		n -= from;
		memmove(text, text + from, (size_t)n);
	}
	client_answer(client, request, n, 0, n > 0 ? (size_t)n : 0);
	return true;
}

void look_read(struct client *client, const struct mp_packet *request, const char *path,
		    u64 object)
{
	bool more = false;
	ssize_t n = 0;
	char next;

	if (!look_goes_on(client, request, path) && read_page(client, request, path, object))
		return;
	if (!look_goes_on(client, request, path)) {
		look_close(client);
		n = tree_open(path, object, O_RDONLY, &client->file);
		snprintf(client->file_path, sizeof(client->file_path), "%s", path);
	}
	if (!n) {
		n = mp_file_read(client->file, packet_out + sizeof(struct mp_packet), PAYLOAD,
				 request->value);
		client->file_next = request->value + n;
		more = n == (ssize_t)PAYLOAD &&
		       mp_file_read(client->file, &next, 1, client->file_next) == 1;
	}
	if (!more)
		look_close(client);
	client_answer(client, request, n, more ? MP_PACKET_MORE : 0, n > 0 ? (size_t)n : 0);
}
