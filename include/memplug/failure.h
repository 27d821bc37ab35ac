/* SPDX-License-Identifier: MIT */
/*
 * Pages that fail: who is told when the contents of a page are lost
 * (memory_failure() of <linux/mm.h>). A program registers a handler for the
 * memory it uses; the one whose page it is restores the contents elsewhere, or
 * gives them up, and frees the page.
 */
#ifndef MEMPLUG_FAILURE_H
#define MEMPLUG_FAILURE_H

#ifdef __cplusplus
extern "C" {
#endif

struct page;

struct mp_failure {
	unsigned long pfn; /* the page that failed */
	struct page *page; /* the allocation's first page: what alloc_pages() returned */
	int flags;	   /* MF_ bits, as given to memory_failure() */
};

enum mp_failure_answer {
	MP_FAILURE_NOT_MINE, /* the next handler is asked */
	MP_FAILURE_HANDLED,  /* nobody uses the contents any more */
	MP_FAILURE_LOST,     /* it is mine, and I cannot do without it */
};

/*
 * Called in the order of registration, by the thread that reports the failure,
 * with mem_hotplug_lock held shared: it may allocate, free and wait for its
 * own locks; it must not add, remove, online or offline memory, nor report a
 * failure or register handlers.
 */
typedef enum mp_failure_answer (*mp_failure_fn)(const struct mp_failure *failure, void *arg);

/* Survives mp_shutdown(). 0, -EINVAL (fn NULL), -EEXIST (fn with arg is there), -ENOMEM. */
int mp_failure_register(mp_failure_fn fn, void *arg);
/* When it returns the handler is not running and is not called again. 0, -ENOENT. */
int mp_failure_unregister(mp_failure_fn fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
