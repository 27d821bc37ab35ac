// SPDX-License-Identifier: MIT
/*
 * From the program's addresses to pages: a page table of our own in two
 * levels, a word for each granule. The lower level comes from the host in
 * pieces for 1 GiB that stay until the process forgets the machine.
 */
#include "map/map.h"
#include "os/os.h"

#include <linux/memory.h>

#define ADDRESS_BITS 47
#define CHUNK_SHIFT 30
#define GRANULE_SHIFT 16
#define CHUNKS (1UL << (ADDRESS_BITS - CHUNK_SHIFT))
#define CHUNK_ENTRIES (1UL << (CHUNK_SHIFT - GRANULE_SHIFT))
/* Behind the entries: what attributes.c notes, of each page. */
#define CHUNK_BYTES (CHUNK_ENTRIES * sizeof(entry_t) + (sizeof(attributes_t) << (CHUNK_SHIFT - PAGE_SHIFT)))

static entry_t **chunks; /* CHUNKS of them, atomic; NULL before table_begin() */

static entry_t *chunk_of(uintptr_t at)
{
	/* Acquire pairs with table_reserve(). */
	return __atomic_load_n(&chunks[at >> CHUNK_SHIFT], __ATOMIC_ACQUIRE);
}

static entry_t *slot(entry_t *chunk, uintptr_t at)
{
	return &chunk[(at >> GRANULE_SHIFT) % CHUNK_ENTRIES];
}

int table_begin(void)
{
	size_t bytes = CHUNKS * sizeof(*chunks);
	void *top;
	int error;

	if (chunks)
		return 0;
	error = os_reserve_zeroed(bytes, &top);
	if (error)
		return error;
	os_dontfork(top, bytes);
	chunks = top;
	return 0;
}

bool table_covers(const void *at, size_t length)
{
	uintptr_t start = (uintptr_t)at;

	return start && length && start + length > start && start + length <= 1UL << ADDRESS_BITS;
}

int table_reserve(const void *at, size_t length)
{
	uintptr_t i = (uintptr_t)at >> CHUNK_SHIFT, last = ((uintptr_t)at + length - 1) >> CHUNK_SHIFT;
	size_t bytes = CHUNK_BYTES;

	for (; i <= last; i++) {
		entry_t *none = NULL;
		void *chunk;
		int error;

		if (__atomic_load_n(&chunks[i], __ATOMIC_RELAXED))
			continue;
		error = os_reserve_zeroed(bytes, &chunk);
		if (error)
			return error;
		os_dontfork(chunk, bytes);
		/* Release: who finds the chunk finds it zero. Another thread may have been faster. */
		if (!__atomic_compare_exchange_n(&chunks[i], &none, chunk, false, __ATOMIC_RELEASE,
						 __ATOMIC_RELAXED))
			os_unmap(chunk, bytes);
	}
	return 0;
}

static entry_t read_entry(uintptr_t at)
{
	entry_t *chunk = !chunks || at >> ADDRESS_BITS ? NULL : chunk_of(at);

	return chunk ? __atomic_load_n(slot(chunk, at), __ATOMIC_ACQUIRE) : 0;
}

entry_t table_get(const void *at)
{
	return read_entry((uintptr_t)at);
}

attributes_t *table_attributes(const void *address)
{
	uintptr_t at = (uintptr_t)address, page = at % (1UL << CHUNK_SHIFT) >> PAGE_SHIFT;

	return (attributes_t *)(chunk_of(at) + CHUNK_ENTRIES) + page;
}

/* One mapping of the host: anonymous neighbours, or neighbours whose pages are neighbours too, in one block. */
static bool joined(entry_t first, entry_t second)
{
	unsigned long block_pages = memory_block_size_bytes() >> PAGE_SHIFT;

	if (first & second & MAP_APART)
		return true;
	return first && second && !((first ^ second) & MAP_APART) && entry_pfn(first) + GRANULE_PAGES == entry_pfn(second) &&
	       entry_pfn(second) % block_pages;
}

static int borders(uintptr_t at, entry_t entry)
{
	if (!entry)
		return 0;
	return 1 - joined(read_entry(at - GRANULE), entry) - joined(entry, read_entry(at + GRANULE));
}

void table_set(const void *address, entry_t entry)
{
	uintptr_t at = (uintptr_t)address;
	entry_t *place = slot(chunk_of(at), at);
	int before = borders(at, *place);

	WRITE_ONCE(map_state.mappings, map_state.mappings + (u64)(s64)(borders(at, entry) - before));
	/* Release pairs with read_entry(): table_get() is called without the lock too. */
	__atomic_store_n(place, entry, __ATOMIC_RELEASE);
}

char *table_end(void)
{
	return (char *)(1UL << ADDRESS_BITS);
}

char *table_next(char *from, char *end)
{
	uintptr_t at = (uintptr_t)from;

	while (chunks && at < (uintptr_t)end) {
		entry_t *chunk = chunk_of(at);

		if (!chunk) {
			at = (at | ((1UL << CHUNK_SHIFT) - 1)) + 1;
			continue;
		}
		if (__atomic_load_n(slot(chunk, at), __ATOMIC_RELAXED))
			return (char *)at;
		at += GRANULE;
	}
	return NULL;
}

/* Nothing of it is there in a fork child (MADV_DONTFORK). */
void table_forget(void)
{
	chunks = NULL;
}
