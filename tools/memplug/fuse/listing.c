// SPDX-License-Identifier: MIT
/*
 * The entries of directories, with the texts of their steady files: asked for
 * at once, and as good as asked for again until the stamp is another one. A listing
 * does not change; who holds it counts.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *listing_entry(const char *at, const char *end, struct mp_packet_entry *entry,
			  const char **name, const char **text, uint32_t *size)
{
	const char *target;

	at = entry_parse(at, end, entry, name, &target);
	if (!at || end - at < (ptrdiff_t)sizeof(*size))
		return NULL;
	memcpy(size, at, sizeof(*size));
	at += sizeof(*size);
	*text = NULL;
	if (*size == MP_NO_TEXT)
		return at;
	*text = at;
	return *size <= (size_t)(end - at) ? at + *size : NULL;
}

void listing_put(struct listing *listing)
{
	if (!listing || __atomic_sub_fetch(&listing->refs, 1, __ATOMIC_ACQ_REL))
		return;
	free(listing->at);
	free(listing->entries);
	free(listing);
}

/* Finds where each entry begins; false: no memory, or the machine sent something else. */
static bool find_entries(struct listing *listing)
{
	const char *at = listing->entries, *end = at + listing->size, *name, *text;
	struct mp_packet_entry entry;
	uint32_t size;
	size_t i;

	listing->at = calloc(listing->count + 1, sizeof(*listing->at));
	for (i = 0; listing->at && at && i < listing->count; i++) {
		listing->at[i] = at;
		at = listing_entry(at, end, &entry, &name, &text, &size);
	}
	return listing->at && at;
}

static int add_packet(struct listing *listing, const struct link *link, int64_t count)
{
	char *larger = realloc(listing->entries, listing->size + link->size + 1);

	if (!larger)
		return -ENOMEM;
	memcpy(larger + listing->size, link->data, link->size);
	listing->entries = larger;
	listing->size += link->size;
	listing->count += (size_t)count;
	return 0;
}

/* In as many packets as it takes, or as one holds; -E2BIG: it does not. */
static int fetch(struct link *link, const char *path, bool whole, struct listing *listing)
{
	int64_t ret;
	int error;

	do {
		ret = link_list(link, (int64_t)listing->count, path);
		error = ret < 0 ? (int)ret : add_packet(listing, link, ret);
		if (!error && !whole && link->flags & MP_PACKET_MORE)
			error = -E2BIG;
	} while (!error && link->flags & MP_PACKET_MORE);
	if (!error && !find_entries(listing))
		error = -EIO;
	return error;
}

static int new_listing(const char *path, bool whole, struct listing **result)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	struct link *link = listing ? link_get() : NULL;
	int error = listing ? -ENOTCONN : -ENOMEM;

	*result = NULL;
	if (link) {
		listing->refs = 1;
		/* Before it is asked for: what changes meanwhile makes it old. */
		listing->stamp = changes_now();
		error = fetch(link, path, whole, listing);
		link_put(link);
	}
	if (!error) {
		*result = listing;
	} else if (listing) {
		listing->refs = 1;
		listing_put(listing);
	}
	return error;
}

int listing_fetch(const char *path, struct listing **listing)
{
	return new_listing(path, true, listing);
}

struct listing *listing_of(struct node *directory, uint64_t stamp)
{
	struct listing *listing = node_listing(directory, stamp);
	struct mp_packet_entry entry;
	int error;

	if (listing || !stamp || __atomic_load_n(&directory->large, __ATOMIC_RELAXED) ||
	    node_verify(directory, &entry))
		return listing;
	error = new_listing(directory->path, false, &listing);
	if (!error || error == -E2BIG)
		node_set_listing(directory, listing);
	if (listing && listing->stamp != stamp) {
		listing_put(listing);
		listing = NULL;
	}
	return listing;
}

bool listing_find(const struct listing *listing, const char *name, struct mp_packet_entry *entry,
		  const char **text, uint32_t *size)
{
	size_t low = 0, high = listing->count, middle;
	const char *found;
	int order;

	while (low < high) {
		middle = (low + high) / 2;
		order = strcmp(listing->at[middle] + sizeof(*entry), name);
		if (!order)
			return listing_entry(listing->at[middle], listing->entries + listing->size,
					     entry, &found, text, size);
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
