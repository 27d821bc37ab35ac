/* SPDX-License-Identifier: MIT */
/*
 * The addresses that jemalloc gets for the program, and the memory behind them.
 * jemalloc commits and decommits single pages; the machine's memory comes in
 * granules, so each granule has a map of the pages in use in it. A process
 * without a machine, a fork child, has private memory of the kernel's there.
 * region.lock guards all; a granule's bits are set after its memory is there
 * and cleared before it goes, so that a fork child finds it usable at any moment.
 */
#include "preload.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include <memplug/map.h>
#include <memplug/reason.h>

#define PAGE 4096u
#define GRANULE ((size_t)64 << 10)
#define FULL 0xffffu /* all pages of a granule */

static struct {
	pthread_mutex_t lock;
	char *start;
	size_t size, used;
	uint16_t *pages;	/* of each granule: the pages that are committed */
	unsigned char *machine; /* is its memory the machine's? */
	uint64_t committed;	/* bytes; atomic */
} region = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *map(void *at, size_t size, int access, int flags)
{
	void *p = mmap(at, size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int region_init(uint64_t limit)
{
	size_t granules, align = (size_t)2 << 20;

	/* Fragments of addresses cost nothing, as long as there are many. */
	for (region.size = (limit + align) * 16 & ~(align - 1); region.size >= limit; region.size /= 2) {
		region.size &= ~(align - 1);
		region.start = map(NULL, region.size + align, PROT_NONE, 0);
		if (region.start)
			break;
	}
	if (!region.start)
		return -ENOMEM;
	region.start = (char *)(((uintptr_t)region.start + align - 1) & ~(align - 1));
	madvise(region.start, region.size, MADV_DONTDUMP);
	region.used = GRANULE; /* the spare one */
	granules = region.size / GRANULE;
	region.pages = map(NULL, granules * sizeof(*region.pages), PROT_READ | PROT_WRITE, 0);
	region.machine = map(NULL, granules, PROT_READ | PROT_WRITE, 0);
	return region.pages && region.machine ? 0 : -ENOMEM;
}

void *region_spare(void)
{
	return region.start;
}

uint64_t region_committed(void)
{
	return __atomic_load_n(&region.committed, __ATOMIC_RELAXED);
}

void *region_reserve(size_t size, size_t alignment)
{
	char *p = NULL;
	size_t at;

	if (alignment < GRANULE)
		alignment = GRANULE; /* arenas share no granule from the start */
	pthread_mutex_lock(&region.lock);
	at = (((uintptr_t)region.start + region.used + alignment - 1) & ~(alignment - 1)) -
	     (uintptr_t)region.start;
	if (at <= region.size && size <= region.size - at) {
		p = region.start + at;
		region.used = at + size;
	}
	pthread_mutex_unlock(&region.lock);
	return p;
}

static size_t granule_of(const char *addr)
{
	return (size_t)(addr - region.start) / GRANULE;
}

/* The pages of granule `g` that lie in [addr, addr + size). */
static unsigned int mask_of(size_t g, const char *addr, size_t size)
{
	const char *start = region.start + g * GRANULE, *end = addr + size;
	unsigned int first = addr > start ? (unsigned int)((size_t)(addr - start) / PAGE) : 0;
	unsigned int last = end < start + GRANULE ? (unsigned int)((size_t)(end - start) / PAGE) :
						   (unsigned int)(GRANULE / PAGE);

	return (FULL >> (GRANULE / PAGE - (last - first))) << first;
}

/* Not memory: more of it would not help. Said once, since malloc() only says ENOMEM. */
static bool lacks_mappings(void)
{
	static bool said;
	struct mp_reason reason;

	if (mp_last_reason(&reason) || strcmp(reason.actor, "vm.max_map_count"))
		return false;
	if (!said)
		say("malloc() fails: %s", reason.text);
	said = true;
	return true;
}

/* Memory behind granules [from, to), lock held. The machine grows for it as far as it may. */
static int fill(size_t from, size_t to)
{
	void *at = region.start + from * GRANULE;
	size_t size = (to - from) * GRANULE;
	/* Small pieces are used at once: one call instead of 16 page faults. Of large ones who knows what is touched. */
	unsigned int flags = MP_MAP_FIXED | MP_MAP_FORK | (size == GRANULE ? MP_MAP_POPULATE : 0);
	int error;

	if (region.machine[from]) { /* it could not go when it should */
		memset(at, 0, size);
		return 0;
	}
	if (!machine_here())
		machine_take_over();
	if (!machine_here())
		return map(at, size, PROT_READ | PROT_WRITE, MAP_FIXED) ? 0 : -ENOMEM;
	do
		error = mp_map(&at, size, machine_prefer(), flags);
	while (error == -ENOMEM && !lacks_mappings() && !machine_grow());
	if (!error)
		memset(region.machine + from, 1, to - from);
	return error;
}

/* Lock held: granules [from, to) are unused. */
static void empty(size_t from, size_t to)
{
	size_t end;

	for (; from < to; from = end) {
		char *at = region.start + from * GRANULE;
		bool machine = region.machine[from];

		for (end = from + 1; end < to && region.machine[end] == machine; end++)
			;
		/* What cannot go (it is pinned) stays, and is used again as it is. */
		if (machine && mp_unmap_reserve(at, (end - from) * GRANULE))
			continue;
		if (!machine)
			map(at, (end - from) * GRANULE, PROT_NONE, MAP_FIXED);
		memset(region.machine + from, 0, end - from);
	}
}

/* Lock held. Pages of granules that are there already must read as zero again. */
static void take(char *addr, size_t size)
{
	size_t g = granule_of(addr), end = granule_of(addr + size - 1) + 1;

	for (; g < end; g++) {
		unsigned int mask = mask_of(g, addr, size), had = region.pages[g], page;

		for (page = 0; had && page < GRANULE / PAGE; page++)
			if (mask & ~had & 1u << page)
				memset(region.start + g * GRANULE + page * PAGE, 0, PAGE);
		__atomic_store_n(&region.pages[g], (uint16_t)(had | mask), __ATOMIC_RELEASE);
	}
}

/* Where the run of granules ends that are like the one at `from`. */
static size_t run_end(size_t from, size_t end)
{
	size_t to = from + 1;

	while (to < end && !region.pages[to] == !region.pages[from] &&
	       (region.pages[to] || region.machine[to] == region.machine[from]))
		to++;
	return to;
}

int region_commit(char *addr, size_t size)
{
	enum thread_kind kind = thread_kind;
	size_t first = granule_of(addr), end = granule_of(addr + size - 1) + 1, from, to;
	int error = 0, before = errno;

	thread_kind = THREAD_SERVICE; /* what the machine needs itself */
	pthread_mutex_lock(&region.lock);
	for (from = first; from < end; from = to) {
		to = run_end(from, end);
		if (!region.pages[from])
			error = fill(from, to);
		if (error)
			break;
	}
	if (!error) {
		take(addr, size);
		__atomic_add_fetch(&region.committed, size, __ATOMIC_RELAXED);
	} else {
		/* What was filled for nothing; nobody's bits are set there yet. */
		for (end = from, from = first; from < end; from = to) {
			to = run_end(from, end);
			if (!region.pages[from])
				empty(from, to);
		}
	}
	pthread_mutex_unlock(&region.lock);
	thread_kind = kind;
	errno = before;
	return error;
}

void region_decommit(char *addr, size_t size)
{
	enum thread_kind kind = thread_kind;
	size_t g = granule_of(addr), end = granule_of(addr + size - 1) + 1, from = g;
	int before = errno;

	thread_kind = THREAD_SERVICE;
	pthread_mutex_lock(&region.lock);
	for (; g < end; g++) {
		unsigned int left = region.pages[g] & ~mask_of(g, addr, size);

		__atomic_store_n(&region.pages[g], (uint16_t)left, __ATOMIC_RELEASE);
		if (left) {
			empty(from, g);
			from = g + 1;
		}
	}
	empty(from, end);
	__atomic_sub_fetch(&region.committed, size, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&region.lock);
	thread_kind = kind;
	errno = before;
}

bool region_meets(const void *addr, size_t size)
{
	const char *at = addr;

	return region.start && size && at < region.start + region.size && at + size > region.start;
}

size_t region_machine_run(char **at, const char *end)
{
	size_t g, last;

	if (!region_meets(*at, (size_t)(end - *at)) || end <= *at)
		return 0;
	if (*at < region.start)
		*at = region.start;
	last = granule_of((end < region.start + region.size ? end : region.start + region.size) - 1);
	for (g = granule_of(*at); g <= last && !region.machine[g]; g++)
		;
	if (g > last)
		return 0;
	if (*at < region.start + g * GRANULE)
		*at = region.start + g * GRANULE;
	while (g <= last && region.machine[g])
		g++;
	return (size_t)((end < region.start + g * GRANULE ? end : region.start + g * GRANULE) - *at);
}

int region_grow(void)
{
	int error;

	pthread_mutex_lock(&region.lock);
	error = machine_grow();
	pthread_mutex_unlock(&region.lock);
	return error;
}

/* What was mapped is this process's private copy now, the kernel's. */
void region_in_child(void)
{
	pthread_mutex_init(&region.lock, NULL);
	if (region.machine)
		memset(region.machine, 0, region.used / GRANULE + 1);
}
