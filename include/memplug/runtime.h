/* SPDX-License-Identifier: MIT */
/*
 * For whoever puts an allocator on top of a machine, as `memplug run` does:
 * where the library's own heap comes from, which threads and descriptors are
 * the library's, and when memory may be plugged from inside an allocation.
 * All may be called from anywhere, without a machine too, and never sleep, but
 * where it is said otherwise.
 */
#ifndef MEMPLUG_RUNTIME_H
#define MEMPLUG_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

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
/*
 * From now on the library keeps its descriptors in a table of its own, which only its own threads have: the
 * program's numbers are as without it, and neither the program nor a fork child can close or inherit any. Called
 * before mp_boot() and mp_serve(), by a thread that no other one runs beside. A thread of the program asks one of
 * the library's for each call on a descriptor: so memory is to be taken away by the library's threads (mp_serve(),
 * mp_start_service()), not by the program's, and mp_block_fd() says -EOPNOTSUPP. Descriptors that the program gives
 * the library are those of its first thread's table. Sleeps. 0; -EBUSY: the library has threads or a table
 * already; another error: the host does not allow it (it takes Linux 5.9: close_range(), pidfd_getfd()), and all is
 * as before. A fork child is as if it had not been called.
 */
int mp_descriptors_apart(void);
/* As pthread_create(): a thread that counts as the library's own, and has its descriptors. 0, -ENOMEM, -EAGAIN. Sleeps. */
int mp_start_service(pthread_t *thread, void *(*run)(void *arg), void *arg);
/* Writes to the program's standard error, from any thread. */
void mp_tell(const char *text, size_t size);
/* Is the descriptor one that the library keeps open among the program's? Closing it would take memory away. */
bool mp_owns_descriptor(int fd);
/* The lowest of them from `fd` on, or -1. */
int mp_next_descriptor(int fd);

#ifdef __cplusplus
}
#endif
#endif
