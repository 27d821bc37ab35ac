/* SPDX-License-Identifier: MIT */
/*
 * The standard machine of the unit tests and their tools: listeners that write down what they hear and
 * answer as told, uevents as text, counted warnings and fatal errors, movable and stuck pages, threads
 * that can be seen waiting.
 *
 * Node 0 has CPU 0 and 384 MiB of boot RAM at 0 (memory0 is DMA and DMA32, memory1 and memory2 are DMA32);
 * nodes 1 to 3 are possible and empty. Blocks are 128 MiB, hot memory begins at 4 GiB: memory32. A test
 * runs in a process of its own, so nothing is reset.
 */
#ifndef TESTS_MACHINE_H
#define TESTS_MACHINE_H

#include "mptest.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/device.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/node.h>
#include <linux/page-isolation.h>
#include <linux/slab.h>
#include <memplug/memplug.h>

#define BLOCK_BYTES (128UL << 20)
#define BLOCK_PAGES (BLOCK_BYTES >> PAGE_SHIFT)
#define HOT (4UL << 30)
#define HOT_PFN (HOT >> PAGE_SHIFT)
#define HOT_BLOCK 32L
#define BOOT_BYTES (384UL << 20)

/* Requests served by one node only. */
#define MOVABLE (GFP_HIGHUSER_MOVABLE | __GFP_THISNODE)
#define KERNEL (GFP_KERNEL | __GFP_THISNODE)

#define LINUX "contract = linux-6.1\n"

/* Gives way until the condition holds; mptest watches the clock. */
#define AWAIT(condition)                                                                           \
	do {                                                                                       \
		while (!(condition))                                                               \
			sched_yield();                                                             \
	} while (0)

/* ---- the machine ---- */

/* Boots the standard machine; `more` (may be NULL) are further lines of its description. */
void machine_boot(const char *more);
/* Boots exactly what `text` describes. */
void machine_boot_text(const char *text);
/* Nothing of the machine contradicts itself. */
void machine_check(void);

/*
 * What the library complains of fails the test unless it is allowed; then it is counted and its text kept
 * (the last one). Allowed fatal errors return, so the call that met one fails with its errno.
 */
void allow_warnings(void);
void allow_fatal(void);
int warnings(void);
int fatals(void);
const char *warning_text(void);
const char *fatal_text(void);

/* ---- blocks, by number: memory32 is the first hot one ---- */

/* add_memory() of `count` blocks, which must succeed. */
void add_blocks(int nid, long first, int count);
int remove_blocks(long first, int count);
/* echo TEXT > memoryN/state: 0 or -errno. */
int set_state(long block, const char *text);
/* echo TEXT > memoryN/FILE */
int write_block(long block, const char *file, const char *text);
/* A file of the tree without its newline, or "error -2"; lives until the thread's next call. */
const char *read_file(const char *path);
const char *read_block(long block, const char *file);
/* The block with a reference: put_device(&mem->dev). */
struct memory_block *get_block(long block);
static inline unsigned long block_pfn(long block)
{
	return (unsigned long)block * BLOCK_PAGES;
}
bool in_block(const struct page *page, long block);
struct zone *zone_of(int nid, enum zone_type type);
/* Sum over all nodes and zones, under get_online_mems(). */
unsigned long present_pages(void);

/* ---- what was heard: "A:GOING_ONLINE A:ONLINE" ---- */

void note(const char *who, const char *what);
/* The text since the last call. */
const char *heard(void);
/* "online@memory32 ..." since the last call (or since boot). */
const char *uevents(void);

#define NR_EVENTS 6
#define MAX_SEEN 64

struct listener {
	struct notifier_block nb;
	const char *name;
	/* By event, see listener_answer(); NOTIFY_DONE (0) unless set. */
	int answers[NR_EVENTS];
	/* Called before it answers; may be NULL. */
	void (*hook)(struct listener *me, unsigned long action, struct memory_notify *arg);
	int calls;
	/* What it heard, oldest first; the payload as it was when it was called. */
	struct {
		unsigned long action;
		struct memory_notify payload;
		struct memory_notify *arg;
		pthread_t thread;
	} seen[MAX_SEEN];
};

/* Registers it; `name` is for the log. */
void listen_as(struct listener *me, const char *name, int priority);
void listener_answer(struct listener *me, unsigned long action, int answer);
/* Its last notification. */
#define last_seen(me) ((me)->seen[(me)->calls - 1])

/* ---- pages ---- */

/* A pattern that depends on the seed; whether a page holds it. */
void fill(struct page *page, unsigned long seed);
bool holds(struct page *page, unsigned long seed);

/* A page whose owner lets it move: `page` is where it lives now. Guarded by `lock`. */
struct moving {
	pthread_mutex_t lock;
	struct page *page;
	unsigned long moves;
	bool refuse; /* it answers isolate_page with false */
};
/* Takes a page of the node (MOVABLE); false when there is none. */
bool moving_take(struct moving *me, int nid);
void moving_free(struct moving *me);

/* A page that nothing can move: without movable_operations in ZONE_MOVABLE. Must succeed. */
struct page *stuck_take(int nid);
/* Order-0 pages until the node has no more for `gfp`; how many went into `pages` (at most `room`). */
unsigned long take_all(int nid, gfp_t gfp, struct page **pages, unsigned long room);
void free_all(struct page **pages, unsigned long count);

/* ---- threads ---- */

struct worker {
	pthread_t thread;
	long (*run)(void *arg);
	void *arg;
	int tid;
	int done;
	long result;
};

void worker_start(struct worker *me, long (*run)(void *arg), void *arg);
bool worker_done(struct worker *me);
long worker_join(struct worker *me);
/* Until the thread sleeps in the kernel; it must not have come to its end. */
void worker_await_sleep(struct worker *me);

/* For workers: writes to the state of a block. */
struct state_write {
	long block;
	const char *text;
};
long write_state(void *what);

#endif
