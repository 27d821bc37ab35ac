// SPDX-License-Identifier: MIT
/*
 * A process of the guest that owns memory. Here its pages are movable pages of
 * memplug's allocator with a known content, and its page table is the array
 * `pages`, which migration updates. An entry changes only under the lock of the
 * page it names; the stressing thread looks at a page only under it.
 */
#include "guest.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <memplug/tree.h>

#define WORDS       512
#define STRESS_WORD 1 /* of each page; those that verify reads are multiples of 8 */

struct process {
	struct page **pages;
	long count;
	struct {
		pthread_t thread;
		bool running, stop;
		unsigned long rounds, bad;
	} stress;
};

static uint64_t pattern(uint64_t page, uint64_t word)
{
	uint64_t x = page * 0x9e3779b97f4a7c15ull + word * 0xc2b2ae3d27d4eb4full + 1;

	return (x ^ (x >> 31)) * 0xd6e8feb86659fd93ull;
}

/* ------------------------------------------------------------- migration */

static bool isolate(struct page *page, isolate_mode_t mode)
{
	(void)page;
	(void)mode;
	return true;
}

static void adopt(struct process *process, long index, struct page *page);

static int migrate(struct page *to, struct page *from, enum migrate_mode mode)
{
	struct process *process = (struct process *)page_private(from);
	long index = from->index;

	(void)mode;
	memcpy(page_address(to), page_address(from), WORDS * sizeof(uint64_t));
	adopt(process, index, to);
	__ClearPageMovable(from);
	return MIGRATEPAGE_SUCCESS;
}

static void putback(struct page *page)
{
	(void)page;
}

static const struct movable_operations operations = {
	.isolate_page = isolate,
	.migrate_page = migrate,
	.putback_page = putback,
};

/* The page is locked: from here on it is the process's page `index`. */
static void adopt(struct process *process, long index, struct page *page)
{
	page->index = index;
	set_page_private(page, (unsigned long)process);
	__SetPageMovable(page, &operations);
	/* Pairs with the acquire in find_page(). */
	__atomic_store_n(&process->pages[index], page, __ATOMIC_RELEASE);
}

/* The page of an index, locked and with a reference of the caller's. */
static struct page *find_page(struct process *process, long index)
{
	struct page *page;

	for (;;) {
		page = __atomic_load_n(&process->pages[index], __ATOMIC_ACQUIRE);
		if (!get_page_unless_zero(page)) { /* it has moved on */
			sched_yield();
			continue;
		}
		lock_page(page);
		if (page == __atomic_load_n(&process->pages[index], __ATOMIC_ACQUIRE))
			return page;
		unlock_page(page);
		put_page(page);
	}
}

static void release_page(struct page *page)
{
	unlock_page(page);
	put_page(page);
}

/* ---------------------------------------------------------- life and death */

static void fill(struct page *page, long index)
{
	uint64_t *words = page_address(page);
	int w;

	for (w = 0; w < WORDS; w += 8)
		words[w] = pattern(index, w);
}

static bool has_flag(char **words, int count, const char *flag)
{
	int i;

	for (i = 2; i < count; i++)
		if (!strcmp(words[i], flag))
			return true;
	return false;
}

/* Takes `count` pages, of the node first (MPOL_PREFERRED), or of no other (MPOL_BIND). */
static bool populate(struct process *process, int node, long count, bool bind)
{
	gfp_t gfp = GFP_HIGHUSER_MOVABLE | __GFP_NOWARN | (bind ? __GFP_THISNODE : 0);
	struct page *page;
	long i;

	process->pages = calloc(count, sizeof(struct page *));
	if (!process->pages)
		return false;
	for (i = 0; i < count; i++) {
		page = alloc_pages_node(node, gfp, 0);
		if (!page)
			return false;
		fill(page, i);
		lock_page(page);
		process->count = i + 1;
		adopt(process, i, page);
		unlock_page(page);
	}
	return true;
}

struct process *process_start(char **words, int count, char *reply, size_t size)
{
	int node = count > 1 ? atoi(words[0]) : -1;
	long pages = count > 1 ? atol(words[1]) * 256 : 0;
	struct process *process;

	snprintf(reply, size, "map: %s", result_text(-EINVAL));
	if (node < 0 || node >= MAX_NUMNODES || !node_state(node, N_MEMORY) || pages <= 0)
		return NULL;
	/* Nobody reserved huge pages. */
	snprintf(reply, size, "map: %s", result_text(-ENOMEM));
	if (has_flag(words, count, "hugetlb"))
		return NULL;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	if (populate(process, node, pages, has_flag(words, count, "bind"))) {
		snprintf(reply, size, "ready pages=%ld", process->count);
		return process;
	}
	process_end(process);
	return NULL;
}

static void calm(struct process *process)
{
	__atomic_store_n(&process->stress.stop, true, __ATOMIC_RELAXED);
	pthread_join(process->stress.thread, NULL);
	process->stress.running = false;
}

void process_end(struct process *process)
{
	struct page *page;
	long i;

	if (process->stress.running)
		calm(process);
	for (i = 0; i < process->count; i++) {
		page = find_page(process, i);
		__ClearPageMovable(page);
		release_page(page);
		__free_page(page);
	}
	free(process->pages);
	free(process);
}

/* ----------------------------------------------------------------- stress */

static void write_stress_words(struct process *process)
{
	struct page *page;
	long i;

	for (i = 0; i < process->count; i++) {
		page = find_page(process, i);
		((uint64_t *)page_address(page))[STRESS_WORD] = pattern(i, 0);
		release_page(page);
	}
}

static void *stress(void *arg)
{
	struct process *process = arg;
	struct page *page;
	uint64_t *word;
	unsigned long round;
	long i;

	for (round = 0; round < 2 || !__atomic_load_n(&process->stress.stop, __ATOMIC_RELAXED);
	     round++) {
		for (i = 0; i < process->count; i++) {
			page = find_page(process, i);
			word = (uint64_t *)page_address(page) + STRESS_WORD;
			process->stress.bad += *word != pattern(i, round);
			*word = pattern(i, round + 1);
			release_page(page);
		}
	}
	process->stress.rounds = round;
	return NULL;
}

/* --------------------------------------------------------------- commands */

static long count_in(struct process *process, unsigned long start_pfn, unsigned long nr,
		     long *first)
{
	unsigned long pfn;
	long i, in = 0;

	for (i = 0; i < process->count; i++) {
		pfn = page_to_pfn(process->pages[i]);
		if (pfn < start_pfn || pfn >= start_pfn + nr)
			continue;
		if (!in++ && first)
			*first = i;
	}
	return in;
}

static long count_bad(struct process *process)
{
	long i, bad = 0;
	uint64_t *words;
	int w;

	for (i = 0; i < process->count; i++) {
		words = page_address(process->pages[i]);
		for (w = 0; w < WORDS && words[w] == pattern(i, w); w += 8)
			;
		bad += w < WORDS;
	}
	return bad;
}

/* madvise(MADV_SOFT_OFFLINE) of one page, by its physical address. */
static const char *soft_offline(struct process *process, long index)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx",
		 (unsigned long long)page_to_pfn(process->pages[index]) * 4096);
	return result_text(mp_write_string("/sys/devices/system/memory/soft_offline_page", text));
}

bool process_command(struct process *process, char **w, int count, char *reply, size_t size)
{
	long a = 0, b = 0, first = -1;

	if (count > 1)
		parse_long(w[1], &a);
	if (count > 2)
		parse_long(w[2], &b);
	snprintf(reply, size, "?");
	if (!count)
		return true;
	if (!strcmp(w[0], "where")) {
		snprintf(reply, size, "where in_range=%ld present=%ld of %ld",
			 count_in(process, a, b, NULL), process->count, process->count);
	} else if (!strcmp(w[0], "verify")) {
		snprintf(reply, size, "verify bad_pages=%ld of %ld", count_bad(process),
			 process->count);
	} else if (!strcmp(w[0], "firstin")) {
		if (count_in(process, a, b, &first))
			snprintf(reply, size, "%ld 0x%lx", first,
				 page_to_pfn(process->pages[first]));
		else
			snprintf(reply, size, "none");
	} else if (!strcmp(w[0], "pfn") && a >= 0 && a < process->count) {
		snprintf(reply, size, "0x%lx", page_to_pfn(process->pages[a]));
	} else if (!strcmp(w[0], "soft") && a >= 0 && a < process->count) {
		snprintf(reply, size, "%s", soft_offline(process, a));
	} else if (!strcmp(w[0], "stress") && !process->stress.running) {
		write_stress_words(process);
		process->stress.stop = false;
		process->stress.bad = 0;
		process->stress.running =
			!pthread_create(&process->stress.thread, NULL, stress, process);
		snprintf(reply, size, "stress started");
	} else if (!strcmp(w[0], "calm") && process->stress.running) {
		calm(process);
		snprintf(reply, size, "stress rounds=%s bad_pages=%lu",
			 process->stress.rounds > 1 ? "many" : "few", process->stress.bad);
	}
	return strcmp(w[0], "quit") != 0;
}
