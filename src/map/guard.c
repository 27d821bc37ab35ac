// SPDX-License-Identifier: MIT
/*
 * The last guard against pages that the kernel or a device still uses by their
 * old place: direct I/O under way, buffers registered with io_uring, pages in a
 * pipe. Nothing tells of them before a block is empty; then its file can be
 * sealed, or not. If not, everything moves back to the pages it left, and the
 * offline is refused. What arrived there meanwhile is kept: sums made while
 * copying tell where. Only the offlining thread, under mem_hotplug_lock, comes
 * here, but for guard_moved() and guard_forget(): map_state.lock.
 */
#include "map/map.h"
#include "backing/backing.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"

#include <linux/memory.h>

static struct {
	u64 start, size; /* of the block that leaves; size 0: none */
	u32 *sums;	 /* for each SUM_BYTES of it; 0: not copied */
	unsigned long *where; /* for each granule: the page it is in now; 0: was not here, or is gone */
	void *memory; /* reserved; what is above begins at a huge page of it */
	size_t memory_size;
	bool moved;
} guard;

static size_t granules(void)
{
	return guard.size / GRANULE;
}

/*
 * In a window nothing is allocated, not by the host either, and nothing is touched for the first time: on
 * some hosts that takes as long as the copying. A huge page is touched once.
 */
static int take_memory(size_t bytes)
{
	int error = os_reserve_zeroed(bytes + HUGE_BYTES, &guard.memory);

	if (error)
		return error;
	guard.memory_size = bytes + HUGE_BYTES;
	guard.sums = (void *)ALIGN((uintptr_t)guard.memory, HUGE_BYTES);
	os_dontfork(guard.memory, guard.memory_size);
	os_hugepages(guard.memory, guard.memory_size);
	error = os_populate(guard.sums, bytes);
	if (!error)
		memset(guard.sums, 0, bytes);
	return error;
}

static void give_memory(void)
{
	/* Near the limit of mappings it may take a second time. */
	if (os_unmap(guard.memory, guard.memory_size) && os_unmap(guard.memory, guard.memory_size))
		pr_warn("map: %zu bytes of sums stay mapped", guard.memory_size);
	guard.memory = NULL;
}

int guard_begin(unsigned long pfn, unsigned long nr_pages)
{
	u64 start = PFN_PHYS(pfn), size = PFN_PHYS(nr_pages);
	size_t sums = size / SUM_BYTES * sizeof(u32);
	int error;

	if (!backing_sealable(start, size))
		return 0;
	error = take_memory(ALIGN(sums + size / GRANULE * sizeof(unsigned long), PAGE_SIZE));
	if (error) {
		if (guard.memory)
			give_memory();
		return error;
	}
	guard.where = (void *)((char *)guard.sums + sums);
	guard.moved = false;
	mutex_lock(&map_state.lock);
	guard.start = start;
	WRITE_ONCE(guard.size, size);
	mutex_unlock(&map_state.lock);
	return 0;
}

static void guard_end(void)
{
	mutex_lock(&map_state.lock);
	WRITE_ONCE(guard.size, 0);
	mutex_unlock(&map_state.lock);
	give_memory();
}

u32 *guard_sums(const char *from)
{
	u64 at = (u64)(from - mp_direct_map) - guard.start;

	/* Whoever else moves pages moves none of this block. */
	return at < READ_ONCE(guard.size) ? guard.sums + at / SUM_BYTES : NULL;
}

/* Of a page that something left: its `where`; else the entry of what was there, or NULL. */
static unsigned long *entry_of_target(unsigned long pfn)
{
	size_t i;

	for (i = 0; i < granules(); i++)
		if (guard.where[i] == pfn)
			return &guard.where[i];
	return NULL;
}

static void change(unsigned long pfn, unsigned long to)
{
	u64 at = PFN_PHYS(pfn) - guard.start;
	unsigned long *entry = at < guard.size ? &guard.where[at / GRANULE] : entry_of_target(pfn);

	if (entry)
		*entry = to;
	guard.moved |= at < guard.size && to;
}

void guard_moved(const struct page *src, const struct page *dst, size_t bytes)
{
	size_t i;

	for (i = 0; guard.size && i < bytes >> PAGE_SHIFT; i += GRANULE_PAGES)
		change(page_to_pfn(src) + i, page_to_pfn(dst) + i);
}

void guard_forget(const struct page *page)
{
	size_t i;

	if (!READ_ONCE(guard.size))
		return;
	mutex_lock(&map_state.lock);
	for (i = 0; guard.size && i < 1UL << READ_ONCE(page->order); i += GRANULE_PAGES)
		change(page_to_pfn(page) + i, 0);
	mutex_unlock(&map_state.lock);
}

/* In a fork child: its parent's offline is none of its own, and the sums are not there. */
void guard_forget_all(void)
{
	memset(&guard, 0, sizeof(guard));
}

/* ---- moving back ---- */

/* The program's address of a granule; 0: of none. map_state.lock held. */
static char *address_of(unsigned long pfn)
{
	unsigned long first = ALIGN_DOWN(pfn, 1UL << HUGE_ORDER);
	char *at = (char *)READ_ONCE(pfn_to_page(first)->index) + PFN_PHYS(pfn - first);

	if (!table_get(at) || entry_pfn(table_get(at)) != pfn)
		at = (char *)READ_ONCE(pfn_to_page(pfn)->index);
	return table_get(at) && entry_pfn(table_get(at)) == pfn ? at : NULL;
}

/* It is a unit of its own afterwards: its neighbours may be elsewhere by now. */
static int make_granule(unsigned long pfn)
{
	entry_t entry = 0;
	char *at, *start = NULL;
	int error;

	mutex_lock(&map_state.lock);
	at = address_of(pfn);
	if (at) {
		entry = await_unit(at);
		start = unit_start(at, entry);
	}
	mutex_unlock(&map_state.lock);
	if (!entry)
		return -ENOENT;
	if (!(entry & MAP_HUGE))
		return 0;
	error = claim_range("offline", start, HUGE_BYTES, false);
	if (!error) {
		unit_split(start);
		unclaim_range(start, HUGE_BYTES);
	}
	return error;
}

static int take_back(size_t i)
{
	struct page *src = pfn_to_page(guard.where[i]), *dst;
	u64 home = guard.start + i * GRANULE;
	entry_t entry;
	int error = make_granule(guard.where[i]);

	if (error)
		return error;
	dst = page_take_isolated(PHYS_PFN(home), GRANULE_ORDER, READ_ONCE(src->owner));
	if (!dst)
		return -EBUSY;
	lock_page(src);
	lock_page(dst);
	entry = begin_move(src);
	error = entry ? move_back(dst, src, guard_sums(mp_direct_map + home)) : -EBUSY;
	if (entry)
		finish_move(dst, src, entry, error);
	unlock_page(dst);
	unlock_page(src);
	if (!error)
		futex_unit_moved((char *)dst->index, page_address(src), GRANULE);
	put_page(error ? dst : src);
	return error;
}

static void take_all_back(void)
{
	unsigned long lost = 0;
	size_t i;

	futex_begin();
	for (i = 0; i < granules(); i++) {
		int error = guard.where[i] ? take_back(i) : 0;

		/* The program has given it up meanwhile. */
		lost += error && error != -ENOENT;
	}
	futex_all_moved();
	if (lost)
		pr_err("map: %lu granules of memory%llu cannot move back: what the kernel writes where they were is lost",
		       lost, (unsigned long long)(guard.start / memory_block_size_bytes()));
}

static int refuse(int error)
{
	unsigned long long block = guard.start / memory_block_size_bytes();

	if (error != -EBUSY)
		return reason_set(MP_REASON_SYSTEM, error, "memfd",
				  "memory%llu: offline refused: whether the kernel uses pages of it cannot be checked (%s); retry",
				  block, strerror(-error));
	return reason_set(MP_REASON_PAGE, -EBUSY, "kernel",
			  "memory%llu: offline refused: the kernel or a device uses pages of it: direct I/O under way, buffers "
			  "registered with io_uring, pages in a pipe; end that, or mp_pin() such buffers, and retry",
			  block);
}

int guard_check(int error)
{
	if (!guard.size)
		return error;
	if (!error && guard.moved) {
		error = backing_seal_and_drop(guard.start, guard.size);
		if (error) {
			take_all_back();
			error = refuse(error);
		}
	}
	guard_end();
	return error;
}
