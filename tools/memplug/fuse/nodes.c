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
	node->mode = entry->mode;
	node->waits = entry->waits;
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

struct node *node_look_up(const char *path, const struct mp_packet_entry *entry, bool alone)
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
	if (node)
		node->lookups++;
	pthread_mutex_unlock(&nodes.lock);
	return node;
}

struct node *node_find(const char *path)
{
	uint32_t hash = hash_path(path);
	struct node *node = NULL;

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
		free(node);
	}
	pthread_mutex_unlock(&nodes.lock);
}

bool node_child_path(const struct node *node, const char *name, char *path)
{
	const char *parent = node == &root.node ? "" : node->path;

	return snprintf(path, 512, "%s/%s", parent, name) < 512;
}
