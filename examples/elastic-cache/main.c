/* SPDX-License-Identifier: MIT */
/*
 * A cache that gives way. Its entries lie in mp_map()ped memory, so that blocks can be taken away while
 * requests are served: what is hot moves, what is cold is given up when its block is about to go, and a
 * buffer that a device writes to is pinned, so that its block stays for as long as that takes.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define MIB (1UL << 20)
#define ENTRIES 256
#define ENTRY_BYTES MP_MAP_GRANULE
#define HOT 32 /* entries 0 to 31 are asked for all the time */

struct entry {
	pthread_mutex_t lock;
	char *data;	    /* NULL: not cached */
	unsigned long uses; /* since the last time somebody looked */
};
static struct entry cache[ENTRIES];
static unsigned long hits, misses, wrong, given_up;
static int stop;

/* ---- the cache ---- */

static void fill(char *data, unsigned int key)
{
	for (size_t i = 0; i < ENTRY_BYTES; i += sizeof(long))
		*(unsigned long *)(data + i) = key * 1000003UL + i;
}

static bool is_right(const char *data, unsigned int key)
{
	for (size_t i = 0; i < ENTRY_BYTES; i += sizeof(long))
		if (*(const unsigned long *)(data + i) != key * 1000003UL + i)
			return false;
	return true;
}

static void request(unsigned int key)
{
	struct entry *entry = &cache[key];
	void *at = NULL;

	pthread_mutex_lock(&entry->lock);
	if (entry->data) {
		hits++;
		wrong += !is_right(entry->data, key);
	} else {
		misses++;
		/* Without room it is answered uncached. */
		if (!mp_map(&at, ENTRY_BYTES, NUMA_NO_NODE, 0)) {
			entry->data = at;
			fill(entry->data, key);
		}
	}
	entry->uses++;
	pthread_mutex_unlock(&entry->lock);
}

static void *serve(void *arg)
{
	unsigned int i = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		request(i++ % HOT);
	return arg;
}

/* ---- memory goes ---- */

/* Whatever was not asked for since the last time makes room, wherever it lies: its block or one for what moves. */
static int give_way(struct notifier_block *self, unsigned long action, void *arg)
{
	const struct memory_notify *mem = arg;

	(void)self;
	if (action != MEM_GOING_OFFLINE)
		return NOTIFY_OK;
	for (unsigned int i = 0; i < ENTRIES; i++) {
		struct entry *entry = &cache[i];

		/* A request that is being answered keeps its entry. */
		if (pthread_mutex_trylock(&entry->lock))
			continue;
		if (entry->data && !entry->uses && !mp_unmap(entry->data, ENTRY_BYTES)) {
			entry->data = NULL;
			given_up++;
		}
		entry->uses = 0;
		pthread_mutex_unlock(&entry->lock);
	}
	printf("memory%lu goes: %lu cold entries given up\n",
	       (mem->start_pfn << 12) / memory_block_size_bytes(), given_up);
	return NOTIFY_OK;
}

static int offline(const char *block)
{
	char path[128];
	struct mp_reason reason;
	int ret;

	snprintf(path, sizeof(path), "/sys/devices/system/memory/%s/state", block);
	ret = mp_write_string(path, "offline");
	if (ret < 0 && !mp_last_reason(&reason))
		printf("%s stays: %s\n", block, reason.text);
	return ret;
}

static int boot(void)
{
	struct mp_desc *desc = mp_desc_new();
	int ret;

	mp_desc_parse(desc, "node 0\ncpu 0 node 0\nram 1M 63M node 0\nblock = 16M\n"
			    "memhp_default_state = online_movable\n", "elastic-cache");
	ret = mp_boot(desc);
	mp_desc_free(desc);
	return ret ?: add_memory(0, 4096 * MIB, 32 * MIB, MHP_NONE);
}

int main(void)
{
	pthread_t thread;
	int refused, went;

	if (boot() || mp_map_prepare()) {
		struct mp_reason reason = { .text = "no machine" };

		mp_last_reason(&reason);
		printf("cannot run here: %s\n", reason.text);
		return 77;
	}
	for (unsigned int i = 0; i < ENTRIES; i++)
		pthread_mutex_init(&cache[i].lock, NULL);
	hotplug_memory_notifier(give_way, 0);
	for (unsigned int i = 0; i < ENTRIES; i++)
		request(i);
	for (unsigned int i = 0; i < ENTRIES; i++)
		cache[i].uses = 0;
	pthread_create(&thread, NULL, serve, NULL);

	/* A device writes into entry 0 just now. */
	mp_pin(cache[0].data, ENTRY_BYTES);
	refused = offline("memory256");
	mp_unpin(cache[0].data, ENTRY_BYTES);
	went = offline("memory256") ?: offline("memory257");

	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	printf("%lu hits, %lu misses, %lu given up, %lu wrong\n", hits, misses, given_up, wrong);
	return refused == -EBUSY && !went && !wrong && given_up ? 0 : 1;
}
