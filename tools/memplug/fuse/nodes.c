// SPDX-License-Identifier: MIT
/*
 * The nodes that the kernel knows by number: a path each, in a hash, as long as
 * the kernel or an open file refers to it. nodes.lock guards all.
 */
#include "mount.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIN_BUCKETS 1024u

static struct {
	pthread_mutex_t lock;
	struct node **bucket;
	uint32_t nr_buckets, nr; /* a power of two; nodes in the hash */
} nodes = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Never forgotten. */
static union {
	struct node node;
	char room[sizeof(struct node) + 2];
} root = { .room = { [offsetof(struct node, path)] = '/' } };

struct node *node_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &root.node : (struct node *)(uintptr_t)ino;
}

fuse_ino_t node_ino(const struct node *node)
{
	return node == &root.node ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node;
}

static uint32_t hash_path(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325u;

	while (*path)
		hash = (hash ^ (unsigned char)*path++) * 0x100000001b3u;
	return (uint32_t)(hash ^ hash >> 32);
}

/* Lock held. Without memory for it the chains get longer; false: there is no table at all. */
static bool grow(void)
{
	uint32_t i, nr = nodes.nr_buckets ? nodes.nr_buckets * 2 : MIN_BUCKETS;
	struct node **bucket = calloc(nr, sizeof(*bucket)), *node, *next;

	if (!bucket)
		return nodes.nr_buckets;
	for (i = 0; i < nodes.nr_buckets; i++) {
		for (node = nodes.bucket[i]; node; node = next) {
			next = node->next;
			node->next = bucket[node->hash & (nr - 1)];
			bucket[node->hash & (nr - 1)] = node;
		}
	}
	free(nodes.bucket);
	nodes.bucket = bucket;
	nodes.nr_buckets = nr;
	return true;
}

/* Lock held. */
static struct node *new_node(const char *path, uint32_t hash, const struct mp_packet_entry *entry)
{
	size_t length = strlen(path) + 1;
	struct node *node = NULL, **first;

	if (nodes.nr < nodes.nr_buckets || grow())
		node = calloc(1, sizeof(*node) + length);
	if (!node)
		return NULL;
	memcpy(node->path, path, length);
	node->id = entry->id;
	node->hash = hash;
	first = &nodes.bucket[hash & (nodes.nr_buckets - 1)];
	node->next = *first;
	*first = node;
	nodes.nr++;
	return node;
}

static bool is_node_of(const struct node *node, const char *path, uint32_t hash, uint64_t id)
{
	return node->hash == hash && node->id == id && !node->alone && !strcmp(node->path, path) &&
	       !__atomic_load_n(&node->writers, __ATOMIC_RELAXED);
}

struct node *node_look_up(const char *path, const struct mp_packet_entry *entry, bool alone,
			  uint64_t stamp)
{
	uint32_t hash = hash_path(path);
	struct node *node = NULL;

	pthread_mutex_lock(&nodes.lock);
	if (nodes.nr_buckets)
		node = nodes.bucket[hash & (nodes.nr_buckets - 1)];
	while (node && (alone || !is_node_of(node, path, hash, entry->id)))
		node = node->next;
	if (!node)
		node = new_node(path, hash, entry);
	if (node && alone)
		node->alone = true;
	if (node) {
		node->lookups++;
		node->entry = *entry;
		node->known = stamp;
	}
	pthread_mutex_unlock(&nodes.lock);
	return node;
}

void node_set_known(struct node *node, const struct mp_packet_entry *entry, uint64_t stamp)
{
	pthread_mutex_lock(&nodes.lock);
	node->entry = *entry;
	node->known = stamp;
	pthread_mutex_unlock(&nodes.lock);
}

bool node_known(struct node *node, uint64_t stamp, struct mp_packet_entry *entry)
{
	bool known;

	pthread_mutex_lock(&nodes.lock);
	known = stamp && node->known == stamp;
	if (known)
		*entry = node->entry;
	pthread_mutex_unlock(&nodes.lock);
	return known;
}

void node_set_text(struct node *node, struct text *text, uint64_t stamp)
{
	struct text *old;

	pthread_mutex_lock(&nodes.lock);
	old = node->text;
	node->text = text_get(text);
	node->text_stamp = stamp;
	pthread_mutex_unlock(&nodes.lock);
	text_put(old);
}

struct text *node_text(struct node *node, uint64_t stamp)
{
	struct text *text = NULL;

	pthread_mutex_lock(&nodes.lock);
	if (stamp && node->text_stamp == stamp)
		text = text_get(node->text);
	pthread_mutex_unlock(&nodes.lock);
	return text;
}

void node_set_listing(struct node *node, struct listing *listing)
{
	struct listing *old;

	pthread_mutex_lock(&nodes.lock);
	old = node->listing;
	node->listing = listing;
	node->large = !listing;
	if (listing)
		__atomic_fetch_add(&listing->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&nodes.lock);
	listing_put(old);
}

struct listing *node_listing(struct node *node, uint64_t stamp)
{
	struct listing *listing;

	pthread_mutex_lock(&nodes.lock);
	listing = node->listing;
	if (listing && stamp && listing->stamp == stamp)
		__atomic_fetch_add(&listing->refs, 1, __ATOMIC_RELAXED);
	else
		listing = NULL;
	pthread_mutex_unlock(&nodes.lock);
	return listing;
}

struct node *node_learn(const char *path, const struct mp_packet_entry *entry, const char *text,
			size_t size, uint64_t stamp)
{
	struct node *node = node_look_up(path, entry, false, stamp);
	struct text *known, *copy;

	if (!node || !text || !stamp)
		return node;
	known = node_text(node, stamp);
	copy = known ? NULL : text_new(text, size);
	if (copy)
		node_set_text(node, copy, stamp);
	text_put(known);
	text_put(copy);
	return node;
}

void nodes_for_each(void (*fn)(const char *path))
{
	char **paths = NULL;
	struct node *node;
	size_t nr = 0;
	uint32_t i;

	pthread_mutex_lock(&nodes.lock);
	if (nodes.nr)
		paths = calloc(nodes.nr, sizeof(*paths));
	for (i = 0; paths && i < nodes.nr_buckets; i++) {
		for (node = nodes.bucket[i]; node; node = node->next) {
			paths[nr] = strdup(node->path);
			nr += paths[nr] != NULL;
		}
	}
	pthread_mutex_unlock(&nodes.lock);
	while (nr) {
		fn(paths[--nr]);
		free(paths[nr]);
	}
	free(paths);
}

struct node *node_find(const char *path)
{
	uint32_t hash = hash_path(path);
	struct node *node = NULL;

	if (!strcmp(path, "/"))
		return &root.node;
	pthread_mutex_lock(&nodes.lock);
	if (nodes.nr_buckets)
		node = nodes.bucket[hash & (nodes.nr_buckets - 1)];
	while (node && (node->hash != hash || strcmp(node->path, path)))
		node = node->next;
	if (node)
		node->lookups++;
	pthread_mutex_unlock(&nodes.lock);
	return node;
}

void node_get(struct node *node)
{
	pthread_mutex_lock(&nodes.lock);
	node->lookups++;
	pthread_mutex_unlock(&nodes.lock);
}

void node_forget(struct node *node, uint64_t lookups)
{
	struct node **at;

	if (node == &root.node)
		return;
	pthread_mutex_lock(&nodes.lock);
	node->lookups -= lookups;
	if (!node->lookups) {
		at = &nodes.bucket[node->hash & (nodes.nr_buckets - 1)];
		while (*at != node)
			at = &(*at)->next;
		*at = node->next;
		nodes.nr--;
	} else {
		node = NULL;
	}
	pthread_mutex_unlock(&nodes.lock);
	if (node) {
		text_put(node->text);
		listing_put(node->listing);
		free(node);
	}
}

bool node_child_path(const struct node *node, const char *name, char *path)
{
	const char *parent = node == &root.node ? "" : node->path;

	return snprintf(path, 512, "%s/%s", parent, name) < 512;
}
