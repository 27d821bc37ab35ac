// SPDX-License-Identifier: MIT
/*
 * The backend of anonymous memory: a unit's memory lies at the program's address
 * alone, and which pages of the machine it is only says to which block it
 * counts. So an offline counts it elsewhere, and nobody waits; the host moves it
 * itself if the other block is bound to another of its nodes. What the program
 * unmaps or discards is the host's at once, and fork() is the host's own.
 */
#include "map/map.h"
#include "backing/backing.h"
#include "os/os.h"

static int need_nothing(void)
{
	return 0;
}

static int clear(struct page *page, size_t bytes)
{
	(void)page;
	(void)bytes;
	return 0; /* what is mapped is new */
}

static int place_apart(struct page *page, char *at, size_t bytes, unsigned int flags)
{
	return backing_map_apart(page_to_phys(page), at, bytes, flags & MAP_FORK);
}

static int count_elsewhere(struct page *dst, struct page *src, entry_t entry, size_t bytes)
{
	(void)entry;
	return backing_count_apart(page_to_phys(src), page_to_phys(dst), (char *)src->index, bytes);
}

static int discard(char *at, size_t bytes, entry_t entry)
{
	(void)entry;
	return os_discard(at, bytes);
}

const struct map_backend map_anonymous_backend = {
	.name = "anonymous",
	.entry_flag = MAP_APART,
	.ready = need_nothing,
	.clear = clear,
	.place = place_apart,
	.move = count_elsewhere,
	.runs = true,
	.discard = discard,
};

/* ---- what the host holds ---- */

static u64 resident_at(char *at, size_t bytes)
{
	unsigned char vec[HUGE_BYTES >> PAGE_SHIFT];
	u64 pages = 0;
	size_t i;

	/* Unmapped meanwhile: then it is none. */
	if (os_residency(at, bytes, vec))
		return 0;
	for (i = 0; i < bytes >> PAGE_SHIFT; i++)
		pages += vec[i] & 1;
	return pages << PAGE_SHIFT;
}

/* Without the lock: what moves or goes meanwhile is counted or not. */
u64 anonymous_resident(u64 start, u64 size)
{
	char *at = NULL, *end = table_end();
	u64 bytes = 0;

	while ((at = table_next(at, end))) {
		entry_t entry = table_get(at);
		u64 phys = PFN_PHYS(entry_pfn(entry));

		if (entry & MAP_APART && phys - start < size)
			bytes += resident_at(at, GRANULE);
		at += GRANULE;
	}
	return bytes;
}
