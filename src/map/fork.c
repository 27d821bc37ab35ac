// SPDX-License-Identifier: MIT
/*
 * fork() and MP_MAP_FORK. Before a fork the units become private mappings of
 * the pages they lie in: both sides copy what they write, and the pages
 * themselves stay as they are for the child. While a child reads them such
 * units do not move and their pages are not used again. Afterwards what the
 * parent wrote is folded back into the pages, and they are shared as before.
 *
 * A child is alive as long as the token, a memory file that its mapping makes
 * writable, cannot be sealed: this also sees grandchildren, exec() and death,
 * and no closing of descriptors can fool it. map_state.lock guards all; it is
 * not held across the fork, since an allocator's own handlers wait for threads
 * that may wait for it.
 */
#include "map/map.h"
#include "backing/file.h"
#include "os/os.h"
#include "report/report.h"
#include "sync/thread.h"

#include <pthread.h>

#define POLL_FIRST_NS 5000000ULL
#define POLL_LAST_NS 200000000ULL

static struct {
	int forking;	/* threads between prepare and parent */
	int token;	/* descriptor; -1: no child reads */
	void *token_map; /* ours, NULL when unmapped */
	struct page *quarantine; /* NULL: none; linked by page->index */
	u32 sequence;	/* one step for each fork: the folding thread sleeps on it */
	bool has_thread;
	bool for_good;	/* the token is lost */
} fork_state = { .token = -1 };

/* This thread's fork is one of `forking`: there was something to do for it when it began. */
static __thread bool counted;

/* ---- the token; all with map_state.lock held ---- */

static int token_make(void)
{
	int fd, error;

	if (fork_state.token_map)
		return 0;
	if (fork_state.token < 0) {
		fd = os_memfd("memplug-fork");
		if (fd < 0)
			return fd;
		error = os_truncate(fd, PAGE_SIZE);
		if (error) {
			os_close(fd);
			return error;
		}
		fork_state.token = backing_fd_high(fd);
	}
	error = os_reserve(PAGE_SIZE, &fork_state.token_map);
	if (error)
		return error;
	error = os_map_fd(fork_state.token_map, PAGE_SIZE, fork_state.token, 0);
	if (error) {
		os_unmap(fork_state.token_map, PAGE_SIZE);
		fork_state.token_map = NULL;
	}
	return error;
}

bool snapshots_read(void)
{
	int error;

	if (fork_state.for_good || fork_state.forking || fork_state.token_map)
		return true;
	if (fork_state.token < 0)
		return false;
	error = os_seal_write(fork_state.token);
	if (error == -EBUSY)
		return true;
	if (error) {
		/* Not our file any more: the program closes descriptors. Nobody can tell when the child is gone. */
		pr_warn("map: the token of a fork child is lost (error %d): its snapshot is kept for good",
			-error);
		fork_state.for_good = true;
		fork_state.token = -1;
		return true;
	}
	os_close(fork_state.token);
	fork_state.token = -1;
	return false;
}

/* ---- before and after a fork ---- */

/* Not those that somebody outside keeps an address of: what they write would miss the program's copy. */
static bool goes_private(entry_t entry, const struct page *page)
{
	return (entry & (MAP_FORK | MAP_PRIVATE_COPY)) == MAP_FORK && !unit_pins(page) &&
	       backend_of(entry)->make_private;
}

static void make_private(char *at, entry_t entry)
{
	struct page *page = entry_unit(entry);
	int error = backend_of(entry)->make_private(page, at, unit_bytes(entry));

	if (error) {
		pr_warn("map: %p is not in the fork child: error %d", at, -error);
		return;
	}
	table_set(at, entry | MAP_PRIVATE_COPY);
	map_state.snapshots += unit_bytes(entry) / GRANULE;
}

void fork_new_unit(char *at)
{
	entry_t entry = table_get(at);

	if (fork_state.forking && goes_private(entry, entry_unit(entry)))
		make_private(at, entry);
}

static void make_all_private(void *arg)
{
	char *at = NULL, *end = table_end();

	(void)arg;
	mutex_lock(&map_state.lock);
	fork_state.forking++;
	locks_ask_anew();
	if (token_make())
		pr_warn("map: no token for a fork child; it will not have the mapped ranges");
	else
		while ((at = table_next(at, end))) {
			entry_t entry = await_unit(at);

			if (!entry)
				continue;
			at = unit_start(at, entry);
			if (goes_private(entry, entry_unit(entry)))
				make_private(at, entry);
			at += unit_bytes(entry);
		}
	mutex_unlock(&map_state.lock);
}

static void before_fork(void)
{
	if (!__atomic_load_n(&map_state.fork_units, __ATOMIC_RELAXED))
		return;
	counted = true;
	/* There are many: where the files are, not one by one from here. */
	os_table_run(make_all_private, NULL);
}

static void after_fork(void)
{
	if (!counted)
		return;
	counted = false;
	mutex_lock(&map_state.lock);
	if (!--fork_state.forking && fork_state.token_map) {
		os_unmap(fork_state.token_map, PAGE_SIZE);
		fork_state.token_map = NULL;
	}
	mutex_unlock(&map_state.lock);
	__atomic_fetch_add(&fork_state.sequence, 1, __ATOMIC_RELEASE);
	os_futex_wake(&fork_state.sequence, 1);
}

void fork_forget(void)
{
	/* The token's mapping stays: it says that this process reads. */
	if (fork_state.token >= 0)
		os_close(fork_state.token);
	memset(&fork_state, 0, sizeof(fork_state));
	fork_state.token = -1;
	counted = false;
}

/* ---- pages that the program gave up while a child reads them ---- */

void quarantine_page(struct page *page)
{
	page->index = (unsigned long)fork_state.quarantine;
	fork_state.quarantine = page;
}

static void quarantine_empty(void)
{
	struct page *page, *next;

	mutex_lock(&map_state.lock);
	page = snapshots_read() ? NULL : fork_state.quarantine;
	if (page)
		fork_state.quarantine = NULL;
	mutex_unlock(&map_state.lock);
	for (; page; page = next) {
		next = (struct page *)page->index;
		unit_free(page);
	}
}

/* ---- folding ---- */

/* Every unit that can be; what fails is tried again at the next opportunity. */
static bool fold_all(void)
{
	char *at = NULL, *end = table_end();
	bool all = true, pinned = false;

	while (all) {
		entry_t entry = 0;

		mutex_lock(&map_state.lock);
		if (snapshots_read())
			all = false;
		else if (!map_state.snapshots)
			at = NULL;
		else
			at = table_next(at, end);
		if (all && at) {
			entry = await_unit(at);
			if (entry)
				at = unit_start(at, entry);
			/* What somebody outside writes to goes to this copy: it stays. */
			if (entry & MAP_PRIVATE_COPY && unit_pins(entry_unit(entry))) {
				entry &= ~(entry_t)MAP_PRIVATE_COPY;
				pinned = true;
			}
			if (entry & MAP_PRIVATE_COPY)
				claim_unit(at);
		}
		mutex_unlock(&map_state.lock);
		if (!all || !at)
			break;
		if (entry & MAP_PRIVATE_COPY && fold_claimed(at))
			all = false;
		at += entry ? unit_bytes(entry) : GRANULE;
	}
	quarantine_empty();
	return all && !pinned;
}

static void *fold_when_gone(void *arg)
{
	u32 seen = 0, now;
	u64 pause;

	sync_serve();
	for (;;) {
		while ((now = __atomic_load_n(&fork_state.sequence, __ATOMIC_ACQUIRE)) == seen)
			os_futex_wait(&fork_state.sequence, seen, 0);
		seen = now;
		for (pause = POLL_FIRST_NS; !fold_all(); pause = min(pause * 2, (u64)POLL_LAST_NS))
			os_sleep_ns(pause);
	}
	return arg;
}

static void register_handlers(void)
{
	pthread_atfork(before_fork, after_fork, NULL);
}

int fork_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_t thread;
	sigset_t old;
	int error;

	pthread_once(&once, register_handlers);
	if (fork_state.has_thread)
		return 0;
	error = os_signals_block(&old);
	if (error)
		return error;
	error = os_thread(&thread, fold_when_gone, NULL);
	os_signals_restore(&old);
	if (error)
		return error;
	pthread_detach(thread);
	fork_state.has_thread = true;
	return 0;
}
