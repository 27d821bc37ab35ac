/* SPDX-License-Identifier: MIT */
/*
 * Pages allocated and freed, beside the allocators of Debian: tcmalloc (minimal), jemalloc, mimalloc, glibc. Each
 * is loaded when it is there; one that is missing is said so. One thread: its CPU time; two: the clock on the wall.
 * Targets: 1024 random <= 1.0 of tcmalloc, two threads <= 1.1 of one.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <memplug/memplug.h>

#include "pairs.h"

#define HOT (4UL << 30)
#define BLOCK (128UL << 20)
#define LIVE 1024
#define RING 256

struct allocator {
	const char *name;
	void *(*get)(size_t size);
	void (*put)(void *at);
	void (*put_large)(void *at);
};

struct work {
	const struct allocator *from;
	double (*run)(const struct work *work, long rounds);
	size_t size;
	long rounds;
	int threads;
};

static void *take_page(size_t size)
{
	return alloc_pages_node(1, GFP_HIGHUSER_MOVABLE, size > PAGE_SIZE ? 9 : 0);
}

static void put_single(void *page)
{
	__free_pages(page, 0);
}

static void put_huge(void *page)
{
	__free_pages(page, 9);
}

static const struct allocator memplug = { "memplug", take_page, put_single, put_huge };

static void *need(void *at)
{
	if (at)
		return at;
	fprintf(stderr, "allocator: out of memory\n");
	exit(1);
}

/* ---- the work ---- */

static double run_pair(const struct work *work, long rounds)
{
	void (*put)(void *) = work->size > PAGE_SIZE ? work->from->put_large : work->from->put;
	clockid_t clock = work->threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
	double start = clock_ns(clock);
	long i;

	for (i = 0; i < rounds; i++)
		put(need(work->from->get(work->size)));
	return (clock_ns(clock) - start) / (double)rounds;
}

static double run_random(const struct work *work, long rounds)
{
	clockid_t clock = work->threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
	void *live[LIVE];
	unsigned int state = 1;
	double start, cost;
	long i;

	for (i = 0; i < LIVE; i++)
		live[i] = need(work->from->get(work->size));
	start = clock_ns(clock);
	for (i = 0; i < rounds; i++) {
		unsigned int at;

		state = state * 1664525u + 1013904223u;
		at = (state >> 16) % LIVE;
		work->from->put(live[at]);
		live[at] = need(work->from->get(work->size));
	}
	cost = (clock_ns(clock) - start) / (double)rounds;
	for (i = 0; i < LIVE; i++)
		work->from->put(live[i]);
	return cost;
}

/* One thread allocates, the other frees; a ring between them. */
static struct {
	const struct work *work;
	long rounds;
	void *at[RING];
	_Alignas(64) unsigned long head;
	_Alignas(64) unsigned long tail;
} ring;

static void *consume(void *arg)
{
	long i;

	for (i = 0; i < ring.rounds; i++) {
		while (__atomic_load_n(&ring.head, __ATOMIC_ACQUIRE) == (unsigned long)i)
			sched_yield();
		ring.work->from->put(ring.at[i % RING]);
		__atomic_store_n(&ring.tail, (unsigned long)i + 1, __ATOMIC_RELEASE);
	}
	return arg;
}

static double run_hand_over(const struct work *work, long rounds)
{
	pthread_t consumer;
	double start;
	long i;

	ring.work = work;
	ring.rounds = rounds;
	ring.head = ring.tail = 0;
	start = clock_ns(CLOCK_MONOTONIC);
	pthread_create(&consumer, NULL, consume, NULL);
	for (i = 0; i < rounds; i++) {
		while ((unsigned long)i - __atomic_load_n(&ring.tail, __ATOMIC_ACQUIRE) == RING)
			sched_yield();
		ring.at[i % RING] = need(work->from->get(work->size));
		__atomic_store_n(&ring.head, (unsigned long)i + 1, __ATOMIC_RELEASE);
	}
	pthread_join(consumer, NULL);
	return (clock_ns(CLOCK_MONOTONIC) - start) / (double)rounds;
}

/* ---- one or two threads of it ---- */

struct thread {
	pthread_t thread;
	const struct work *work;
	double cost;
};

static void *thread_main(void *arg)
{
	struct thread *me = arg;

	me->cost = me->work->run(me->work, me->work->rounds);
	return NULL;
}

static double measure(const void *arg)
{
	const struct work *work = arg;
	struct thread two[2] = { { .work = work }, { .work = work } };

	if (work->threads == 1 || work->run == run_hand_over)
		return work->run(work, work->rounds);
	pthread_create(&two[0].thread, NULL, thread_main, &two[0]);
	pthread_create(&two[1].thread, NULL, thread_main, &two[1]);
	pthread_join(two[0].thread, NULL);
	pthread_join(two[1].thread, NULL);
	return (two[0].cost + two[1].cost) / 2;
}

static const struct {
	const char *name;
	double (*run)(const struct work *work, long rounds);
	size_t size;
	long rounds;
	int threads;
} works[] = {
	{ "4 KiB pair, 1 thread", run_pair, PAGE_SIZE, 200000, 1 },
	{ "4 KiB pair, 2 threads", run_pair, PAGE_SIZE, 100000, 2 },
	{ "1024 random, 1 thread", run_random, PAGE_SIZE, 100000, 1 },
	{ "1024 random, 2 threads", run_random, PAGE_SIZE, 50000, 2 },
	{ "producer to consumer", run_hand_over, PAGE_SIZE, 20000, 2 },
	{ "2 MiB pair, 1 thread", run_pair, 2UL << 20, 5000, 1 },
	{ "2 MiB pair, 2 threads", run_pair, 2UL << 20, 5000, 2 },
};

static void against(const struct allocator *peer)
{
	size_t i;

	for (i = 0; i < sizeof(works) / sizeof(*works); i++) {
		struct work ours = { &memplug, works[i].run, works[i].size, works[i].rounds,
				     works[i].threads };
		struct work theirs = ours;

		theirs.from = peer;
		pairs_compare(works[i].name, peer->name, measure, &ours, measure, &theirs);
	}
}

/* Two threads against one, ours both. */
static void against_itself(void)
{
	struct work one = { &memplug, run_pair, PAGE_SIZE, 200000, 1 }, two = one;

	two.threads = 2;
	pairs_compare("4 KiB pair, 2 threads", "1 thread", measure, &two, measure, &one);
	one.run = two.run = run_random;
	one.rounds = two.rounds = 100000;
	pairs_compare("1024 random, 2 threads", "1 thread", measure, &two, measure, &one);
}

static void against_library(const char *name, const char *file, const char *package, const char *get,
			    const char *put)
{
	struct allocator peer = { .name = name };
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);

	if (!library) {
		printf("%s: not here (apt-get install %s): %s\n", name, package, dlerror());
		return;
	}
	peer.get = (void *(*)(size_t))dlsym(library, get);
	peer.put = peer.put_large = (void (*)(void *))dlsym(library, put);
	if (peer.get && peer.put)
		against(&peer);
	else
		printf("%s: no %s in %s\n", name, get, file);
}

static void quiet(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

/* jemalloc wants more room for thread-local storage than a program has left that starts without it. */
static void make_room(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=65536", 1);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	static const struct allocator libc = { "glibc", malloc, free, free };
	struct mp_desc *desc = mp_desc_new();

	make_room(argv);
	mp_set_log_hook(quiet, NULL);
	if (mp_desc_parse(desc, "overcommit = yes\nnode 0\nnode 1\nram 0x100000 383M node 0\n", "bench") ||
	    mp_boot(desc) || add_memory(1, HOT, 4 * BLOCK, MHP_NONE) ||
	    mp_write_string("/sys/devices/system/memory/memory32/state", "online_movable") ||
	    mp_write_string("/sys/devices/system/memory/memory33/state", "online_movable") ||
	    mp_write_string("/sys/devices/system/memory/memory34/state", "online_movable")) {
		fprintf(stderr, "allocator: no machine\n");
		return 1;
	}
	mp_desc_free(desc);
	against_itself();
	against_library("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4", "tc_malloc", "tc_free");
	against_library("jemalloc", "libjemalloc.so.2", "libjemalloc2", "malloc", "free");
	against_library("mimalloc", "libmimalloc.so.2.0", "libmimalloc2.0", "mi_malloc", "mi_free");
	against(&libc);
	return 0;
}
