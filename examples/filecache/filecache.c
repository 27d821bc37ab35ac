/* SPDX-License-Identifier: MIT */
/*
 * How a subsystem lives in memory that comes and goes. It has three duties: pages that can move
 * (cache_movable_ops), a callback that gives up what it can spare when a block is about to leave
 * (cache_callback), and readers that are never caught with a page that moves (filecache_read).
 *
 * Locks, outermost first: cache->lock (hash, lru, and that an entry found stays), entry->lock
 * (entry->page), the page lock. Whoever unlinks an entry under cache->lock owns it once it has had
 * entry->lock, since a reader takes entry->lock before it lets cache->lock go.
 */
#include "filecache.h"

#include <stdlib.h>

#include <linux/list.h>
#include <linux/memory.h>
#include <linux/migrate.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#define BUCKETS (1u << 16)

struct entry {
	struct list_head lru; /* the coldest first */
	struct entry *next;   /* in its bucket */
	struct mutex lock;
	struct page *page; /* changes when it moves: use it under `lock` */
	struct filecache *cache;
	u64 key, checksum;
};

struct filecache {
	struct mutex lock;
	struct list_head lru;
	struct notifier_block notifier;
	filecache_fill_t fill;
	int nid;
	struct filecache_counts count; /* atomics */
	struct entry *bucket[BUCKETS];
};

static void count_up(unsigned long *counter, long by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

static struct entry **find(struct filecache *cache, u64 key)
{
	struct entry **at = &cache->bucket[(key * 0x9e3779b97f4a7c15UL) >> 48];

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

/* ---- pages that can move ---- */

/* An isolated page stays readable: what stops readers is entry->lock, in cache_migrate(). */
static bool cache_isolate(struct page *page, isolate_mode_t mode)
{
	return true;
}

/*
 * Both pages are locked, so the entry cannot go (give_up() locks the page first). Its lock comes
 * before a page lock, so only a try is allowed here: a reader is gone in a microsecond, and we are
 * called again.
 */
static int cache_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	struct entry *entry = (struct entry *)page_private(src);

	if (!mutex_trylock(&entry->lock))
		return -EAGAIN;
	memcpy(page_address(dst), page_address(src), PAGE_SIZE);
	set_page_private(dst, (unsigned long)entry);
	__SetPageMovable(dst, page_movable_ops(src));
	__ClearPageMovable(src);
	WRITE_ONCE(entry->page, dst);
	/* The reference that the allocation gave goes from the old page to the new one. */
	get_page(dst);
	put_page(src);
	count_up(&entry->cache->count.moved, 1);
	mutex_unlock(&entry->lock);
	return MIGRATEPAGE_SUCCESS;
}

static void cache_putback(struct page *page)
{
}

static const struct movable_operations cache_movable_ops = {
	.isolate_page = cache_isolate,
	.migrate_page = cache_migrate,
	.putback_page = cache_putback,
};

/* Ends an entry that is linked nowhere. */
static void give_up(struct entry *entry)
{
	mutex_lock(&entry->lock);
	/* With the page locked it is not being moved, and without its operations it will not be. */
	lock_page(entry->page);
	__ClearPageMovable(entry->page);
	unlock_page(entry->page);
	__free_page(entry->page);
	mutex_unlock(&entry->lock);
	kfree(entry);
}

/* ---- giving back ---- */

static bool lies_in(struct entry *entry, unsigned long pfn, unsigned long nr)
{
	return page_to_pfn(READ_ONCE(entry->page)) - pfn < nr;
}

/* Gives up the colder `percent` of the entries whose page lies in [pfn, pfn + nr). */
static unsigned long drop_range(struct filecache *cache, unsigned long pfn, unsigned long nr,
				unsigned int percent)
{
	unsigned long there = 0, dropped = 0;
	struct entry *entry, *n;
	LIST_HEAD(victims);

	mutex_lock(&cache->lock);
	list_for_each_entry (entry, &cache->lru, lru)
		there += lies_in(entry, pfn, nr);
	list_for_each_entry_safe (entry, n, &cache->lru, lru) {
		if (dropped >= there * percent / 100)
			break;
		if (!lies_in(entry, pfn, nr))
			continue;
		*find(cache, entry->key) = entry->next;
		list_move_tail(&entry->lru, &victims);
		dropped++;
	}
	mutex_unlock(&cache->lock);
	list_for_each_entry_safe (entry, n, &victims, lru)
		give_up(entry);
	count_up(&cache->count.entries, -(long)dropped);
	return dropped;
}

/*
 * All of the cache can be read again from where it came, so the colder half of a leaving block is
 * given up: that is cheaper than moving it. The other half will be moved. There is nothing to undo
 * when the block stays after all: what was given up comes back as it is read.
 */
static int cache_callback(struct notifier_block *self, unsigned long action, void *arg)
{
	struct filecache *cache = container_of(self, struct filecache, notifier);
	struct memory_notify *mem = arg;

	if (action == MEM_GOING_OFFLINE)
		count_up(&cache->count.dropped,
			 drop_range(cache, mem->start_pfn, mem->nr_pages, 50));
	return NOTIFY_OK;
}

/* ---- reading ---- */

/* An entry with a page of its own, not linked yet; NULL when the node has none to spare. */
static struct entry *new_entry(struct filecache *cache, u64 key, const void *buf, u64 checksum)
{
	struct page *page = alloc_pages_node(cache->nid, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE, 0);
	struct entry *entry = page ? kzalloc(sizeof(*entry), GFP_KERNEL) : NULL;

	if (!entry) {
		if (page)
			__free_page(page);
		return NULL;
	}
	memcpy(page_address(page), buf, FILECACHE_PAGE);
	mutex_init(&entry->lock);
	entry->cache = cache;
	entry->page = page;
	entry->key = key;
	entry->checksum = checksum;
	/* From here on it may be moved. */
	lock_page(page);
	set_page_private(page, (unsigned long)entry);
	__SetPageMovable(page, &cache_movable_ops);
	unlock_page(page);
	return entry;
}

static void keep(struct filecache *cache, u64 key, const void *buf, u64 checksum)
{
	struct entry *entry = new_entry(cache, key, buf, checksum), **at;

	if (!entry) {
		count_up(&cache->count.uncached, 1);
		return;
	}
	mutex_lock(&cache->lock);
	at = find(cache, key);
	if (!*at) {
		*at = entry;
		list_add_tail(&entry->lru, &cache->lru);
		count_up(&cache->count.entries, 1);
		entry = NULL;
	}
	mutex_unlock(&cache->lock);
	if (entry) /* another thread was faster */
		give_up(entry);
}

int filecache_read(struct filecache *cache, u64 key, void *buf, u64 *checksum)
{
	struct entry *entry;
	int ret;

	mutex_lock(&cache->lock);
	entry = *find(cache, key);
	if (!entry) {
		mutex_unlock(&cache->lock);
		count_up(&cache->count.misses, 1);
		ret = cache->fill(key, buf);
		if (ret == 0) {
			*checksum = filecache_checksum(buf);
			keep(cache, key, buf, *checksum);
		}
		return ret;
	}
	list_move_tail(&entry->lru, &cache->lru);
	/*
	 * The page stays where it is while this is held, since cache_migrate() needs it too. A
	 * reference to the page would do for reading, but keep it from being moved and so its block
	 * from leaving.
	 */
	mutex_lock(&entry->lock);
	mutex_unlock(&cache->lock);
	memcpy(buf, page_address(entry->page), FILECACHE_PAGE);
	*checksum = entry->checksum;
	mutex_unlock(&entry->lock);
	count_up(&cache->count.hits, 1);
	return 0;
}

/* ---- beginning and end ---- */

struct filecache *filecache_new(int nid, filecache_fill_t fill)
{
	struct filecache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	mutex_init(&cache->lock);
	INIT_LIST_HEAD(&cache->lru);
	cache->nid = nid;
	cache->fill = fill;
	cache->notifier.notifier_call = cache_callback;
	if (register_memory_notifier(&cache->notifier) == 0)
		return cache;
	free(cache);
	return NULL;
}

void filecache_empty(struct filecache *cache)
{
	drop_range(cache, 0, ~0UL, 100);
}

void filecache_free(struct filecache *cache)
{
	/* When this returns the callback is not running and will not be called. */
	unregister_memory_notifier(&cache->notifier);
	filecache_empty(cache);
	free(cache);
}

void filecache_count(struct filecache *cache, struct filecache_counts *counts)
{
	counts->entries = READ_ONCE(cache->count.entries);
	counts->hits = READ_ONCE(cache->count.hits);
	counts->misses = READ_ONCE(cache->count.misses);
	counts->uncached = READ_ONCE(cache->count.uncached);
	counts->dropped = READ_ONCE(cache->count.dropped);
	counts->moved = READ_ONCE(cache->count.moved);
}

u64 filecache_checksum(const void *page)
{
	const u64 *word = page;
	u64 sum[4] = {1, 2, 3, 4};

	/* Four lanes, so that the multiplications overlap. */
	for (unsigned int i = 0; i < FILECACHE_PAGE / sizeof(*word); i++)
		sum[i % 4] = (sum[i % 4] ^ word[i]) * 0x9e3779b97f4a7c15UL + (sum[i % 4] >> 29);
	return sum[0] ^ (sum[1] << 1) ^ (sum[2] << 2) ^ (sum[3] << 3);
}
