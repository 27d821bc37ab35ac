/* SPDX-License-Identifier: MIT */
/*
 * malloc() and its relatives, as the program and its libraries find them. A
 * thread of the program goes on to jemalloc, whose arenas lie in the region; a
 * thread of the machine gets plain memory, since what it uses must not move
 * under its own hands. C++ operators come along: libstdc++ calls these.
 * No state.
 */
#include "preload.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memplug/runtime.h>

/* More than any machine has: not worth looking for. */
#define ABSURD ((size_t)1 << 47)

/* Before the machine is there, from the machine, or from a thread not seen before. True: plain memory. */
static bool plain(void)
{
	if (unlikely(!front.malloc))
		front_find();
	if (thread_kind == THREAD_NEW)
		front_thread();
	return thread_kind == THREAD_SERVICE;
}

/* What the program has freed is still jemalloc's; short of memory, that is the first to look at. */
static bool again(size_t size)
{
	if (size >= ABSURD || thread_kind != THREAD_PROGRAM)
		return false;
	front_purge();
	return true;
}

EXPORT void *malloc(size_t size)
{
	void *p;

	if (unlikely(thread_kind != THREAD_PROGRAM) && plain())
		return front_plain(size);
	p = front.malloc(size);
	if (unlikely(!p) && again(size))
		p = front.malloc(size);
	return p;
}

EXPORT void free(void *p)
{
	if (unlikely(!front.malloc))
		front_find();
	front.free(p);
}

EXPORT void *calloc(size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (unlikely(thread_kind != THREAD_PROGRAM) && plain()) {
		if (__builtin_mul_overflow(n, size, &bytes)) {
			errno = ENOMEM;
			return NULL;
		}
		return front_plain(bytes);
	}
	p = front.calloc(n, size);
	if (unlikely(!p) && !__builtin_mul_overflow(n, size, &bytes) && again(bytes))
		p = front.calloc(n, size);
	return p;
}

/* The machine's threads: what they hold may come from either side. */
static void *plain_realloc(void *old, size_t size)
{
	void *p = front_plain(size);
	size_t had;

	if (!p || !old)
		return p;
	had = front.malloc_usable_size(old);
	memcpy(p, old, had < size ? had : size);
	front.free(old);
	return p;
}

EXPORT void *realloc(void *old, size_t size)
{
	void *p;

	if (unlikely(thread_kind != THREAD_PROGRAM) && plain())
		return plain_realloc(old, size);
	p = front.realloc(old, size);
	if (unlikely(!p) && size && again(size))
		p = front.realloc(old, size);
	return p;
}

EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

EXPORT int posix_memalign(void **p, size_t alignment, size_t size)
{
	int error;

	if (unlikely(thread_kind != THREAD_PROGRAM))
		plain();
	error = front.posix_memalign(p, alignment, size);
	if (unlikely(error == ENOMEM) && again(size))
		error = front.posix_memalign(p, alignment, size);
	return error;
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	void *p;

	if (unlikely(thread_kind != THREAD_PROGRAM))
		plain();
	p = front.aligned_alloc(alignment, size);
	if (unlikely(!p && errno == ENOMEM) && again(size))
		p = front.aligned_alloc(alignment, size);
	return p;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
	void *p;

	if (unlikely(thread_kind != THREAD_PROGRAM))
		plain();
	p = front.memalign(alignment, size);
	if (unlikely(!p && errno == ENOMEM) && again(size))
		p = front.memalign(alignment, size);
	return p;
}

EXPORT void *valloc(size_t size)
{
	return memalign((size_t)sysconf(_SC_PAGESIZE), size);
}

EXPORT void *pvalloc(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (size > SIZE_MAX - page) {
		errno = ENOMEM;
		return NULL;
	}
	size = (size + page - 1) & ~(page - 1);
	return memalign(page, size ? size : page);
}

EXPORT size_t malloc_usable_size(void *p)
{
	if (unlikely(!front.malloc))
		front_find();
	return front.malloc_usable_size(p);
}

/* glibc's: 1 when something was given back. */
EXPORT int malloc_trim(size_t pad)
{
	uint64_t before = region_committed();

	(void)pad;
	if (thread_kind == THREAD_PROGRAM)
		front_purge();
	return region_committed() < before;
}

/* The library's own heap (<memplug/runtime.h>). */
EXPORT void *mp_heap_alloc(size_t size)
{
	return front_plain(size);
}

EXPORT void mp_heap_free(void *p)
{
	front_plain_free(p);
}
