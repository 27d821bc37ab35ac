/* SPDX-License-Identifier: MIT */
/*
 * The threads that use the library: one record each, made at a thread's first
 * slow path, taken away when it exits. The records are listed under one mutex;
 * a record's own fields say who may touch them.
 */
#ifndef MEMPLUG_SYNC_THREAD_H
#define MEMPLUG_SYNC_THREAD_H

#include <pthread.h>
#include <linux/types.h>
#include <linux/percpu-rwsem.h>

struct sync_thread {
	struct list_head node;
	pthread_t pthread;
	s32 tid;
	struct mp_prw_reader *readers; /* that thread's TLS array */
	u32 busy;  /* the owner is inside an asym section (asym.h) */
	u32 stop;  /* somebody asks the owner to stay out */
	void *pages; /* the page layer's lists of this thread */
	u32 cancel;  /* mp_cancel() */
	u64 deadline_ms;
	const void *callback_site; /* != NULL: inside a memory event callback, this call site */
	const void *hotplug_site;  /* != NULL: inside mem_hotplug_begin(), its call site */
};

/* The calling thread's record, registering it at first; NULL only when memory is short. */
struct sync_thread *sync_self(void);
/* The record if there is one already (no registration), else NULL. */
struct sync_thread *sync_self_or_null(void);
/* True, after the fatal hook returned, inside a memory event callback, where the call `what` made at `site` would
 * wait for itself (NOTIFY-34, 35, 38); the caller gives up. */
bool refuse_in_callback(const char *what, const void *site);
/* The calling thread's id, without a system call. */
s32 sync_tid(void);
/* The list is stable between the two. */
void sync_threads_lock(void);
void sync_threads_unlock(void);
extern struct list_head sync_threads;
#define sync_for_each_thread(t) list_for_each_entry(t, &sync_threads, node)
/* Called for a thread that exits, before its record goes; the page layer sets it. */
extern void (*sync_thread_exit_hook)(struct sync_thread *thread);
/*
 * A function that puts one module's locks and state right in a fork child
 * (the machine is gone there). Registered once by each module with such state;
 * called in order of registration, single-threaded. At most 32.
 */
void sync_at_fork_child(void (*reset)(void));

/* Can other threads be made to pass a barrier (membarrier)? Settled before main(). */
extern bool sync_has_membarrier;
/* The calling thread is the library's own from now on: mp_service_thread(). */
void sync_serve(void);
/* Every running thread of the process passes a full barrier before this returns. */
void sync_membarrier(void);

#endif
