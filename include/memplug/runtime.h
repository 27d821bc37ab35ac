/* SPDX-License-Identifier: MIT */
/*
 * For whoever puts an allocator on top of a machine, as `memplug run` does:
 * where the library's own heap comes from, which threads and descriptors are
 * the library's, and when memory may be plugged from inside an allocation.
 * All may be called from anywhere, without a machine too, and never sleep.
 */
#ifndef MEMPLUG_RUNTIME_H
#define MEMPLUG_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The program may define both: the library's heap then comes from there, zeroed,
 * or NULL for want of memory. An allocator whose memory lies in the machine
 * must: what the library keeps may not move with a block, since the thread that
 * moves it uses it meanwhile. Called under the library's locks; neither may
 * call back into it. Without them, calloc() and free().
 */
void *mp_heap_alloc(size_t size);
void mp_heap_free(void *p);

/* Is this one of the library's threads (mp_serve() and others)? They may not touch memory that moves. */
bool mp_service_thread(void);
/*
 * Could this thread add or online memory now? Not inside a callback, a read
 * section of mem_hotplug_lock, an operation, or with device_hotplug_lock held.
 */
bool mp_may_plug(void);
/* Is the descriptor one that the library keeps open in this process? Closing it would take memory away. */
bool mp_owns_descriptor(int fd);
/* The lowest of them from `fd` on, or -1. */
int mp_next_descriptor(int fd);

#ifdef __cplusplus
}
#endif
#endif
