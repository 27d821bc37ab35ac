/* SPDX-License-Identifier: MIT */
/*
 * How a layer says what happened: records in the event ring, the reason of a
 * refusal, names of code addresses. All of it may be called with any lock held
 * and none of it allocates or sleeps.
 */
#ifndef MEMPLUG_REPORT_H
#define MEMPLUG_REPORT_H

#include <linux/types.h>
#include <linux/printk.h>
#include <linux/bug.h>
#include <memplug/reason.h>
#include <memplug/ring.h>

/* Debug-build assertions: the second kind walks whole structures. */
#ifdef MEMPLUG_DEBUG
#define mp_assert(cond)                                                                            \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			mp_fatal_at(__FILE__, __LINE__, "assertion failed: %s", #cond);            \
	} while (0)
#else
#define mp_assert(cond) ((void)sizeof(!(cond)))
#endif

/* Called after each record, from whoever made it, under any lock: wakes a reader, and no more. Atomic. */
extern void (*ring_wake_hook)(void);
void ring_record(enum mp_ring_type type, s64 a, s64 b, s64 c, const char *name);
/* In a fork child: its thread has another id. Called by the sync layer. */
void ring_at_fork_child(void);

/* What looks whether all is consistent: each inconsistency is counted and told. */
struct checker {
	void (*say)(const char *text, void *arg);
	void *arg;
	int found;
};
void checker_found(struct checker *check, const char *fmt, ...) __printf(2, 3);

/* Begins an operation of this thread: later reason_set() calls refer to it. Nests: the outer wins,
 * but for its block, when it has none (-1). */
void reason_begin(const char *operation, long block);
void reason_end(void);
/* An operation that stands for itself, also inside another one (a callback's call that may fail without
 * harm): its reasons are no reasons of the outer one, which is kept in *outer meanwhile. */
struct reason_outer {
	unsigned int depth;
	bool refused, fresh;
	const char *operation;
	long block;
	u64 since_ns;
};
void reason_begin_apart(const char *operation, struct reason_outer *outer);
void reason_end_apart(const struct reason_outer *outer);
/* Has this operation already got a reason? (The place that refuses first fills it in.) */
bool reason_is_set(void);
/*
 * Why the operation is refused; returns `error`, so that the place which
 * refuses can `return reason_set(...)`. The first reason of an operation
 * stays. Text: "memory7: offline refused: 3 pages pinned by X; unpin or retry".
 */
int reason_set(enum mp_reason_kind kind, int error, const char *actor, const char *fmt, ...)
	__printf(4, 5);
/* The page behind the reason just set. */
void reason_page(unsigned long pfn, unsigned long left);
/* Reasons per block are kept by the block layer through this hook (may be NULL). */
extern void (*reason_block_hook)(const struct mp_reason *reason);

/* Text and place of a registration, by notifier block (side table of DESIGN D9). */
int names_add(const void *key, const char *text, const char *file, int line);
void names_remove(const void *key);
/* "text (file:line)" of `key`, else the name of `fallback_addr`. */
int names_get(const void *key, const void *fallback_addr, char *buf, size_t size);

/* The function that a return address lies in; returns buf. For messages that name call sites. */
const char *site_name(const void *site, char *buf, size_t size);
#define SITE_NAME_SIZE 96

#endif
