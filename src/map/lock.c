// SPDX-License-Identifier: MIT
/*
 * What the program has mlock()ed stays so when it moves, and over a fork: mapping
 * anew drops the lock. Which pages have it the host tells only by refusing advice
 * for them: MADV_DONTNEED (of others it drops the page table's entries, not the
 * page), of private pages, which that would throw away, MADV_COLD. That is asked
 * only while the process has locked memory at all. locks guards nothing: what it
 * keeps is a hint of 10 ms.
 */
#include "map/map.h"
#include "os/os.h"
#include "report/report.h"

#include <stdlib.h>

#define KEEP_NS 10000000ULL

static struct {
	u64 asked_ns; /* 0: never */
	bool any;
} locks;

/* "VmLck:	       0 kB" */
static bool ask_status(void)
{
	char text[4096];
	const char *line;
	int fd = os_open_read("/proc/self/status");
	ssize_t n;

	if (fd < 0)
		return true;
	n = os_read_at(fd, text, sizeof(text) - 1, 0);
	os_close(fd);
	if (n <= 0)
		return true;
	text[n] = '\0';
	line = strstr(text, "VmLck:");
	return !line || strtoul(line + 6, NULL, 10);
}

static bool anything_locked(void)
{
	u64 now = os_now_ns(), asked = __atomic_load_n(&locks.asked_ns, __ATOMIC_ACQUIRE);

	if (!asked || now - asked > KEEP_NS) {
		__atomic_store_n(&locks.any, ask_status(), __ATOMIC_RELAXED);
		__atomic_store_n(&locks.asked_ns, now, __ATOMIC_RELEASE);
	}
	return __atomic_load_n(&locks.any, __ATOMIC_RELAXED);
}

void locks_ask_anew(void)
{
	__atomic_store_n(&locks.asked_ns, 0, __ATOMIC_RELEASE);
}

static bool refused(char *at, size_t bytes, bool own)
{
	return (own ? os_advise(at, bytes, OS_COLD) : os_discard(at, bytes)) == -EINVAL;
}

static bool find_locked(char *at, size_t bytes, struct page_bits *locked, bool own)
{
	size_t i;

	if (!anything_locked() || !refused(at, bytes, own))
		return false;
	memset(locked, 0, sizeof(*locked));
	for (i = 0; i < bytes >> PAGE_SHIFT; i++)
		if (refused(at + (i << PAGE_SHIFT), PAGE_SIZE, own))
			locked->word[i / 64] |= 1ULL << i % 64;
	return true;
}

bool locked_pages(char *at, size_t bytes, struct page_bits *locked)
{
	return find_locked(at, bytes, locked, false);
}

bool locked_private_pages(char *at, size_t bytes, struct page_bits *locked)
{
	return find_locked(at, bytes, locked, true);
}

static bool is_locked(const struct page_bits *locked, size_t i)
{
	return locked->word[i / 64] >> i % 64 & 1;
}

/* Calls it for each run of locked pages. */
static void for_locked(char *at, size_t bytes, const struct page_bits *locked,
		       int (*lock)(char *at, size_t bytes))
{
	size_t pages = bytes >> PAGE_SHIFT, i, end;
	int error;

	for (i = 0; i < pages; i = end) {
		for (end = i + 1; end < pages && is_locked(locked, end) == is_locked(locked, i);)
			end++;
		if (!is_locked(locked, i))
			continue;
		error = lock(at + (i << PAGE_SHIFT), (end - i) << PAGE_SHIFT);
		if (error)
			pr_warn("map: %p is no longer locked in memory: mlock() says error %d",
				(void *)(at + (i << PAGE_SHIFT)), -error);
	}
}

static int lock_now(char *at, size_t bytes)
{
	return os_lock(at, bytes, false);
}

static int lock_later(char *at, size_t bytes)
{
	return os_lock(at, bytes, true);
}

/* mlock() would write to them, so that each were copied. */
static int lock_shared(char *at, size_t bytes)
{
	int error = os_lock(at, bytes, true);

	/* What may not be read is locked when that changes. */
	if (!error)
		os_populate_read(at, bytes);
	return error;
}

void lock_again(char *at, size_t bytes, const struct page_bits *locked, bool sparse)
{
	for_locked(at, bytes, locked, sparse ? lock_later : lock_now);
}

void lock_private_again(char *at, size_t bytes, const struct page_bits *locked)
{
	for_locked(at, bytes, locked, lock_shared);
}
