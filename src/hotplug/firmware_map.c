// SPDX-License-Identifier: MIT
/*
 * The firmware memory map: one numbered entry per range of ordinary memory
 * (RES-10). Changes under mem_hotplug_lock; `lock` guards the list for readers.
 */
#include "hotplug/hotplug.h"
#include "os/os.h"
#include "sync/thread.h"

#define BUCKETS 16384

static struct {
	struct mutex lock;
	struct list_head entries;
	int next_number; /* never reused */
	/* By start: neighbours side by side. Whole pages, so that they can be forgotten without touching them. */
	struct firmware_map_entry *buckets[BUCKETS] __attribute__((aligned(PAGE_SIZE)));
} map = { .entries = LIST_HEAD_INIT(map.entries) };

void (*firmware_map_hook)(struct firmware_map_entry *entry, bool added);

static void forget_entries(void)
{
	INIT_LIST_HEAD(&map.entries);
	if (os_discard(map.buckets, sizeof(map.buckets)))
		memset(map.buckets, 0, sizeof(map.buckets));
	map.next_number = 0;
}

static void reset_after_fork(void)
{
	mutex_init(&map.lock);
	forget_entries();
}

__attribute__((constructor)) static void firmware_map_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

static struct firmware_map_entry **bucket_of(u64 start)
{
	return &map.buckets[(start >> mp_section_shift) % BUCKETS];
}

/* Where the entry is linked in its bucket, or where its end is. */
static struct firmware_map_entry **find(u64 start, u64 end, const char *type)
{
	struct firmware_map_entry **at = bucket_of(start);

	while (*at && ((*at)->start != start || (*at)->end != end || strcmp((*at)->type, type)))
		at = &(*at)->next;
	return at;
}

int firmware_map_add(u64 start, u64 end, const char *type)
{
	struct firmware_map_entry *entry = NULL, **at;

	mutex_lock(&map.lock);
	at = find(start, end, type);
	if (!*at) {
		entry = os_alloc(sizeof(*entry));
		if (!entry) {
			mutex_unlock(&map.lock);
			return -ENOMEM;
		}
		entry->start = start;
		entry->end = end;
		entry->type = type;
		entry->number = map.next_number++;
		list_add_tail(&entry->node, &map.entries);
		*at = entry;
	}
	mutex_unlock(&map.lock);
	if (entry && firmware_map_hook)
		firmware_map_hook(entry, true);
	return 0;
}

int firmware_map_remove(u64 start, u64 end, const char *type)
{
	struct firmware_map_entry *entry, **at;

	mutex_lock(&map.lock);
	at = find(start, end, type);
	entry = *at;
	if (entry) {
		list_del(&entry->node);
		*at = entry->next;
	}
	mutex_unlock(&map.lock);
	if (!entry)
		return -EINVAL;
	if (firmware_map_hook)
		firmware_map_hook(entry, false);
	os_free(entry);
	return 0;
}

int firmware_map_for_each(int (*fn)(struct firmware_map_entry *entry, void *arg), void *arg)
{
	struct firmware_map_entry *entry;
	int ret = 0;

	mutex_lock(&map.lock);
	list_for_each_entry(entry, &map.entries, node) {
		ret = fn(entry, arg);
		if (ret)
			break;
	}
	mutex_unlock(&map.lock);
	return ret;
}

void firmware_map_exit(void)
{
	struct firmware_map_entry *entry, *next;

	list_for_each_entry_safe(entry, next, &map.entries, node)
		os_free(entry);
	forget_entries();
}
