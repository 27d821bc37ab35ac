/* SPDX-License-Identifier: MIT */
/*
 * A cache of file contents that lives in hot-pluggable memory, a page at a time. It gives memory
 * back when it is told that a block goes offline, and lets the rest be moved.
 *
 * All calls may be made from any thread; after filecache_free() there is no cache.
 */
#ifndef FILECACHE_H
#define FILECACHE_H

#include <stdint.h>

#define FILECACHE_PAGE 4096

struct filecache;

/* Reads page `key` from where it comes from, all of it. 0 or -errno. */
typedef int (*filecache_fill_t)(uint64_t key, void *buf);

struct filecache_counts {
	unsigned long entries; /* pages held now */
	unsigned long hits, misses;
	unsigned long uncached; /* misses for which there was no page */
	unsigned long dropped;  /* given up because their block was about to go */
	unsigned long moved;    /* moved to another page */
};

/* A cache in the memory of node `nid` that listens to memory events; NULL without memory. */
struct filecache *filecache_new(int nid, filecache_fill_t fill);
/*
 * Copies page `key` to `buf`, from the cache or else from where it comes from, and keeps it.
 * *checksum is what was computed when it came. 0 or -errno.
 */
int filecache_read(struct filecache *cache, uint64_t key, void *buf, uint64_t *checksum);
/* Drops every entry. */
void filecache_empty(struct filecache *cache);
/* Drops every entry and ends the cache. */
void filecache_free(struct filecache *cache);
void filecache_count(struct filecache *cache, struct filecache_counts *counts);
uint64_t filecache_checksum(const void *page);

#endif
