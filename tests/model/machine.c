/* SPDX-License-Identifier: MIT */
/*
 * Eight threads do random operations on one machine: allocate, free, read and
 * verify, online, offline, add, remove, register, unregister, walk under
 * get_online_mems(). Each thread owns some blocks and knows, in a plain model,
 * what each of its operations must answer; every thousand operations all meet
 * at a barrier, where the whole machine is compared with the models. The seed
 * is printed (MPTEST_SEED repeats a run's decisions); MODEL_SECONDS says how long.
 */
#include "mptest.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <memplug/memplug.h>

#define THREADS 8
#define BLOCKS_EACH 3
#define BLOCK (4UL << 20)
#define BLOCK_PAGES (BLOCK / 4096)
#define HOT (4UL << 30)
#define FIRST (HOT / BLOCK)
#define OBJECTS 600 /* movable pages that a thread may hold */
#define KERNEL_PAGES 40
#define STEP 1000 /* operations between two barriers, of each thread */
#define NEEDED_OFFLINES 1000

enum operation {
	ALLOC, FREE, VERIFY, ALLOC_KERNEL, FREE_KERNEL, ONLINE, OFFLINE, ADD, REMOVE,
	REGISTER, UNREGISTER, WALK, OPERATIONS
};

static const char *const operation_names[OPERATIONS] = {
	"allocate movable", "free movable", "read and verify", "allocate kernel", "free kernel",
	"online", "offline", "add", "remove", "register", "unregister", "walk",
};

/* ---- movable objects: one page each, found by page->private ---- */

struct object {
	pthread_mutex_t lock; /* guards page and what it holds */
	struct page *page;
	uint64_t seed;
	unsigned long moves;
};

static void fill(struct page *page, uint64_t seed)
{
	uint64_t *words = page_address(page);
	int i;

	for (i = 0; i < 512; i += 8)
		words[i] = seed * 0x9e3779b97f4a7c15ULL + (uint64_t)i;
}

static bool intact(struct page *page, uint64_t seed)
{
	uint64_t *words = page_address(page);
	int i;

	for (i = 0; i < 512; i += 8)
		if (words[i] != seed * 0x9e3779b97f4a7c15ULL + (uint64_t)i)
			return false;
	return true;
}

static bool object_isolate(struct page *page, isolate_mode_t mode)
{
	(void)mode;
	return page->private != 0;
}

static int object_migrate(struct page *dst, struct page *src, enum migrate_mode mode);

static void object_putback(struct page *page)
{
	(void)page;
}

static const struct movable_operations object_ops = {
	.isolate_page = object_isolate,
	.migrate_page = object_migrate,
	.putback_page = object_putback,
};

/* The owner's reference goes from the old page to the new one, as every driver does it. */
static int object_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	struct object *object = (struct object *)src->private;

	(void)mode;
	/* The owner may hold its lock and wait for the page's: never wait here. */
	if (pthread_mutex_trylock(&object->lock))
		return -EAGAIN;
	if (object->page != src) {
		pthread_mutex_unlock(&object->lock);
		return -EAGAIN;
	}
	memcpy(page_address(dst), page_address(src), 4096);
	get_page(dst);
	dst->private = (unsigned long)object;
	__SetPageMovable(dst, &object_ops);
	object->page = dst;
	object->moves++;
	src->private = 0;
	__ClearPageMovable(src);
	put_page(src);
	pthread_mutex_unlock(&object->lock);
	return 0;
}

/* ---- one thread ---- */

enum block_state { ABSENT, IS_OFFLINE, IS_ONLINE };

struct worker {
	pthread_t thread;
	int number;
	uint64_t random;
	enum block_state block[BLOCKS_EACH];
	struct object object[OBJECTS];
	struct page *kernel[KERNEL_PAGES];
	struct notifier_block notifier;
	bool registered;
	unsigned long heard; /* events that its callback saw */
	unsigned long good[OPERATIONS], refused[OPERATIONS];
	unsigned long moving_offlines;
};

static struct worker workers[THREADS];
static uint64_t seed;
static pthread_barrier_t barrier;
static bool stop;
static time_t end_time;
static char failure[512];

static void fail(const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	FAIL("%s", text);
}

static uint64_t next(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static int callback(struct notifier_block *nb, unsigned long action, void *data)
{
	struct worker *w = container_of(nb, struct worker, notifier);

	(void)action;
	(void)data;
	__atomic_fetch_add(&w->heard, 1, __ATOMIC_RELAXED);
	return NOTIFY_OK;
}

static unsigned long block_of(const struct worker *w, int i)
{
	return FIRST + (unsigned long)(w->number * BLOCKS_EACH + i);
}

static int write_state(unsigned long block, const char *text)
{
	char path[80];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%lu/state", block);
	return mp_write_string(path, text);
}

static void count(struct worker *w, enum operation op, int ret)
{
	if (ret)
		w->refused[op]++;
	else
		w->good[op]++;
}

static void expect(struct worker *w, enum operation op, int ret, int expected)
{
	count(w, op, ret);
	if (ret != expected)
		fail("thread %d: %s gave %d, the model says %d (seed %lu)", w->number,
		     operation_names[op], ret, expected, (unsigned long)seed);
}

static void alloc_movable(struct worker *w)
{
	struct object *object = &w->object[next(w) % OBJECTS];
	struct page *page;

	pthread_mutex_lock(&object->lock);
	if (object->page) {
		pthread_mutex_unlock(&object->lock);
		return;
	}
	page = alloc_pages_node(1 + (int)(next(w) % 2), GFP_HIGHUSER_MOVABLE, 0);
	count(w, ALLOC, page ? 0 : -ENOMEM);
	if (page) {
		object->seed = next(w);
		fill(page, object->seed);
		page->private = (unsigned long)object;
		object->page = page;
		/* Nobody else can hold the lock of a page that is not movable yet. */
		lock_page(page);
		__SetPageMovable(page, &object_ops);
		unlock_page(page);
	}
	pthread_mutex_unlock(&object->lock);
}

/* Taking the page lock before the object's keeps the order of a migration. */
static void free_movable(struct worker *w)
{
	struct object *object = &w->object[next(w) % OBJECTS];
	struct page *page;

	pthread_mutex_lock(&object->lock);
	page = object->page;
	if (!page || !trylock_page(page)) {
		count(w, FREE, page ? -EAGAIN : -ENOENT);
		pthread_mutex_unlock(&object->lock);
		return;
	}
	if (!intact(page, object->seed))
		fail("thread %d: page 0x%lx lost its contents before free", w->number,
		     page_to_pfn(page));
	object->page = NULL;
	page->private = 0;
	__ClearPageMovable(page);
	unlock_page(page);
	put_page(page);
	pthread_mutex_unlock(&object->lock);
	count(w, FREE, 0);
}

static void verify(struct worker *w)
{
	struct object *object = &workers[next(w) % THREADS].object[next(w) % OBJECTS];

	pthread_mutex_lock(&object->lock);
	if (object->page && !intact(object->page, object->seed))
		fail("thread %d: page 0x%lx lost its contents", w->number,
		     page_to_pfn(object->page));
	count(w, VERIFY, object->page ? 0 : -ENOENT);
	pthread_mutex_unlock(&object->lock);
}

/* Kernel pages come from boot memory and never hinder the hot blocks. */
static void alloc_kernel(struct worker *w)
{
	struct page **slot = &w->kernel[next(w) % KERNEL_PAGES];

	if (*slot)
		return;
	*slot = alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE, 0);
	count(w, ALLOC_KERNEL, *slot ? 0 : -ENOMEM);
	if (*slot)
		fill(*slot, (uint64_t)(uintptr_t)slot);
}

static void free_kernel(struct worker *w)
{
	struct page **slot = &w->kernel[next(w) % KERNEL_PAGES];

	if (!*slot)
		return;
	if (!intact(*slot, (uint64_t)(uintptr_t)slot))
		fail("thread %d: kernel page lost its contents", w->number);
	__free_pages(*slot, 0);
	*slot = NULL;
	count(w, FREE_KERNEL, 0);
}

static void online(struct worker *w)
{
	int i = (int)(next(w) % BLOCKS_EACH);
	int expected = w->block[i] == IS_OFFLINE ? 0 : w->block[i] == ABSENT ? -ENOENT : -EINVAL;

	expect(w, ONLINE, write_state(block_of(w, i), "online_movable"), expected);
	if (!expected)
		w->block[i] = IS_ONLINE;
}

static void offline(struct worker *w)
{
	int i = (int)(next(w) % BLOCKS_EACH), ret;
	struct mp_stats before, after;
	struct memory_block *mem;

	if (w->block[i] != IS_ONLINE) {
		expect(w, OFFLINE, write_state(block_of(w, i), "offline"),
		       w->block[i] == ABSENT ? -ENOENT : -EINVAL);
		return;
	}
	/* Nobody else offlines meanwhile (device_hotplug_lock), so the difference is this block's. */
	lock_device_hotplug();
	mem = find_memory_block(pfn_to_section_nr(block_of(w, i) * BLOCK_PAGES));
	mp_get_stats(&before);
	ret = device_offline(&mem->dev);
	mp_get_stats(&after);
	put_device(&mem->dev);
	if (!ret && after.pages_migrated > before.pages_migrated)
		w->moving_offlines++;
	unlock_device_hotplug();
	count(w, OFFLINE, ret);
	/* Out of room elsewhere, the deadline ends it; nothing else may. */
	if (ret && ret != -ETIMEDOUT)
		fail("thread %d: offline of memory%lu gave %d", w->number, block_of(w, i), ret);
	if (!ret)
		w->block[i] = IS_OFFLINE;
}

static void add(struct worker *w)
{
	int i = (int)(next(w) % BLOCKS_EACH);
	bool absent = w->block[i] == ABSENT;

	expect(w, ADD, add_memory(1 + i % 2, block_of(w, i) * BLOCK, BLOCK, MHP_NONE),
	       absent ? 0 : -EEXIST);
	if (absent)
		w->block[i] = IS_OFFLINE;
}

static void remove_block(struct worker *w)
{
	int i = (int)(next(w) % BLOCKS_EACH);

	if (w->block[i] == ABSENT)
		return;
	expect(w, REMOVE, remove_memory(block_of(w, i) * BLOCK, BLOCK),
	       w->block[i] == IS_OFFLINE ? 0 : -EBUSY);
	if (w->block[i] == IS_OFFLINE)
		w->block[i] = ABSENT;
}

static void register_one(struct worker *w)
{
	if (w->registered)
		return;
	w->notifier.notifier_call = callback;
	w->notifier.priority = (int)(next(w) % 7) - 3;
	expect(w, REGISTER, register_memory_notifier(&w->notifier), 0);
	w->registered = true;
}

static void unregister_one(struct worker *w)
{
	unsigned long heard;

	if (!w->registered)
		return;
	unregister_memory_notifier(&w->notifier);
	heard = __atomic_load_n(&w->heard, __ATOMIC_RELAXED);
	w->registered = false;
	count(w, UNREGISTER, 0);
	/* Not called again once unregister has returned (NOTIFY-15). */
	if (heard != __atomic_load_n(&w->heard, __ATOMIC_RELAXED))
		fail("thread %d: called after unregister", w->number);
}

static void walk(struct worker *w)
{
	unsigned long pfn = HOT / 4096 + (next(w) % (THREADS * BLOCKS_EACH)) * BLOCK_PAGES;
	struct page *page;
	struct zone *zone;

	get_online_mems();
	page = pfn_to_online_page(pfn);
	if (page) {
		zone = page_zone(page);
		if (!zone || !zone_intersects(zone, pfn, 1) ||
		    zone->present_pages > zone->spanned_pages)
			fail("thread %d: a page under get_online_mems() has no sound zone",
			     w->number);
	}
	put_online_mems();
	count(w, WALK, page ? 0 : -ENOENT);
}

static void (*const run_operation[OPERATIONS])(struct worker *w) = {
	alloc_movable, free_movable, verify, alloc_kernel, free_kernel, online, offline, add,
	remove_block, register_one, unregister_one, walk,
};

/* Of 100: mostly pages, and enough hotplug to keep the blocks coming and going. */
static enum operation choose(struct worker *w)
{
	static const unsigned char weight[OPERATIONS] = { 33, 14, 18, 3, 3, 6, 5, 2, 1, 2, 2, 11 };
	int at = (int)(next(w) % 100), op;

	for (op = 0; op < OPERATIONS - 1 && at >= weight[op]; op++)
		at -= weight[op];
	return (enum operation)op;
}

/* ---- the barrier: one thread compares, the others wait ---- */

static void say(const char *text, void *arg)
{
	(void)arg;
	snprintf(failure, sizeof(failure), "%s", text);
}

static unsigned long count_moving(void)
{
	unsigned long moving = 0;
	int t;

	for (t = 0; t < THREADS; t++)
		moving += workers[t].moving_offlines;
	return moving;
}

static void compare(void)
{
	unsigned long pages = 0, online_pages = 0, blocks = 0, present = 0;
	struct mp_stats stats;
	char path[80], state[32];
	int t, i, nid;

	for (t = 0; t < THREADS; t++) {
		struct worker *w = &workers[t];

		for (i = 0; i < BLOCKS_EACH; i++) {
			enum block_state is = ABSENT;

			snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%lu/state",
				 block_of(w, i));
			if (mp_read(path, state, sizeof(state)) > 0)
				is = !strcmp(state, "online\n") ? IS_ONLINE : IS_OFFLINE;
			if (is != w->block[i])
				fail("memory%lu is %d, the model says %d", block_of(w, i), is,
				     w->block[i]);
			blocks += is != ABSENT;
			online_pages += is == IS_ONLINE ? BLOCK_PAGES : 0;
		}
		for (i = 0; i < OBJECTS; i++) {
			struct object *object = &w->object[i];

			if (!object->page)
				continue;
			pages++;
			if (!intact(object->page, object->seed) || page_count(object->page) != 1 ||
			    !pfn_to_online_page(page_to_pfn(object->page)))
				fail("object %d of thread %d: page 0x%lx count %d is not as it was left",
				     i, t, page_to_pfn(object->page), page_count(object->page));
		}
	}
	for (nid = 1; nid <= 2; nid++)
		present += NODE_DATA(nid)->node_present_pages;
	if (present != online_pages)
		fail("%lu pages present on the hot nodes, the model says %lu", present,
		     online_pages);
	mp_get_stats(&stats);
	if (stats.blocks != blocks + 64)
		fail("%lu blocks, the model says %lu", (unsigned long)stats.blocks, blocks + 64);
	if (mp_check(say, NULL))
		fail("machine check: %s", failure);
	/* On a machine that has little time for us, longer: what counts is what happened. mptest watches the clock. */
	stop = time(NULL) >= end_time && count_moving() >= NEEDED_OFFLINES;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int i;

	mp_set_deadline(200);
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		for (i = 0; i < STEP; i++)
			run_operation[choose(w)](w);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			compare();
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void boot(void)
{
	struct mp_desc *desc = mp_desc_new();

	CHECK(desc != NULL);
	CHECK_EQ(mp_desc_parse(desc,
			       "block = 4M\novercommit = yes\nmax_phys = 64G\n"
			       "node 0\nnode 1\nnode 2\ncpu 0 node 0\nram 0 256M node 0\n",
			       "model"), 0);
	CHECK_EQ(mp_boot(desc), 0);
	mp_desc_free(desc);
}

static void report(void)
{
	unsigned long good[OPERATIONS] = { 0 }, refused[OPERATIONS] = { 0 }, moves = 0;
	unsigned long moving = count_moving();
	int t, op, i;

	for (t = 0; t < THREADS; t++) {
		for (op = 0; op < OPERATIONS; op++) {
			good[op] += workers[t].good[op];
			refused[op] += workers[t].refused[op];
		}
		for (i = 0; i < OBJECTS; i++)
			moves += workers[t].object[i].moves;
	}
	for (op = 0; op < OPERATIONS; op++)
		printf("# %-18s %10lu ok %10lu refused\n", operation_names[op], good[op],
		       refused[op]);
	printf("# %lu offlines moved a page, %lu moves; seed %lu\n", moving, moves,
	       (unsigned long)seed);
	fflush(stdout);
	CHECK_GE(moving, NEEDED_OFFLINES);
}

static void take_down(void)
{
	int t, i;

	for (t = 0; t < THREADS; t++) {
		struct worker *w = &workers[t];

		for (i = 0; i < OBJECTS; i++) {
			struct page *page = w->object[i].page;

			if (!page)
				continue;
			lock_page(page);
			__ClearPageMovable(page);
			unlock_page(page);
			page->private = 0;
			put_page(page);
		}
		for (i = 0; i < KERNEL_PAGES; i++)
			if (w->kernel[i])
				__free_pages(w->kernel[i], 0);
		if (w->registered)
			unregister_memory_notifier(&w->notifier);
	}
	CHECK_EQ(mp_check(NULL, NULL), 0);
	CHECK_EQ(mp_shutdown(), 0);
}

static void quiet(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

TEST(none_model_machine, "eight threads of random operations agree with a plain model")
{
	const char *seconds = getenv("MODEL_SECONDS");
	int t, i;

	seed = mptest_seed();
	mp_set_log_hook(quiet, NULL);
	boot();
	end_time = time(NULL) + (seconds ? atol(seconds) : 10);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (t = 0; t < THREADS; t++) {
		workers[t].number = t;
		workers[t].random = (seed + 1) * 0x9e3779b97f4a7c15ULL + (uint64_t)t * 77;
		for (i = 0; i < OBJECTS; i++)
			pthread_mutex_init(&workers[t].object[i].lock, NULL);
	}
	for (t = 0; t < THREADS; t++)
		CHECK_EQ(pthread_create(&workers[t].thread, NULL, work, &workers[t]), 0);
	for (t = 0; t < THREADS; t++)
		pthread_join(workers[t].thread, NULL);
	report();
	take_down();
}
