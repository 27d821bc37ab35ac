// SPDX-License-Identifier: MIT
/*
 * What the program has mlock()ed stays so when it moves: mapping anew drops the
 * lock. Which pages have it the host tells only by refusing MADV_DONTNEED for
 * them (of others it drops the page table's entries, not the page), and that
 * is asked only while the process has locked memory at all. locks guards
 * nothing: what it keeps is a hint of 10 ms.
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

bool locked_pages(char *at, size_t bytes, struct page_bits *locked)
{
	size_t i;

	if (!anything_locked() || os_discard(at, bytes) != -EINVAL)
		return false;
	memset(locked, 0, sizeof(*locked));
	for (i = 0; i < bytes >> PAGE_SHIFT; i++)
		if (os_discard(at + (i << PAGE_SHIFT), PAGE_SIZE) == -EINVAL)
			locked->word[i / 64] |= 1ULL << i % 64;
	return true;
}

static bool is_locked(const struct page_bits *locked, size_t i)
{
	return locked->word[i / 64] >> i % 64 & 1;
}

void lock_again(char *at, size_t bytes, const struct page_bits *locked, bool sparse)
{
	size_t pages = bytes >> PAGE_SHIFT, i, end;
	int error;

	for (i = 0; i < pages; i = end) {
		for (end = i + 1; end < pages && is_locked(locked, end) == is_locked(locked, i);)
			end++;
		if (!is_locked(locked, i))
			continue;
		error = os_lock(at + (i << PAGE_SHIFT), (end - i) << PAGE_SHIFT, sparse);
		if (error)
			pr_warn("map: %p moved and is no longer locked in memory: mlock() says error %d",
				(void *)(at + (i << PAGE_SHIFT)), -error);
	}
}
