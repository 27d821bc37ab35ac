// SPDX-License-Identifier: MIT
/*
 * What the program has set for single pages: protection, and advice that lasts.
 * Mapping a page anew would lose it, so it is noted in a byte of its own beside
 * the table (0: as mapped), and wherever a page is mapped it is mapped like that.
 * Noted are pages of memory files; anonymous ones stay what they are. A page's
 * byte goes with its unit: changed with map_state.lock while nobody has that
 * claimed, or by who has; read by who may read or move the unit.
 */
#include "map/map.h"
#include "backing/backing.h"
#include "os/os.h"
#include "plug/plug.h"
#include "report/report.h"

#define NO_READ 1u
#define NO_WRITE 2u
#define EXEC 4u
#define NO_DUMP 8u
#define NO_FORK 16u
#define NO_HUGE 32u
#define PROTECTION (NO_READ | NO_WRITE | EXEC)
#define PROT_ALL (OS_READ | OS_WRITE | OS_EXEC)

/* Anything was ever noted in this process; atomic. */
static bool noted;

/* ---- what is noted ---- */

size_t attributes_run(const char *at, size_t bytes, attributes_t *attributes)
{
	size_t i;

	*attributes = 0;
	if (!__atomic_load_n(&noted, __ATOMIC_RELAXED))
		return bytes;
	*attributes = *table_attributes(at);
	for (i = PAGE_SIZE; i < bytes && *table_attributes(at + i) == *attributes;)
		i += PAGE_SIZE;
	return i;
}

static void note(char *at, size_t bytes, unsigned int clear, unsigned int set)
{
	size_t i;

	__atomic_store_n(&noted, true, __ATOMIC_RELAXED);
	for (i = 0; i < bytes; i += PAGE_SIZE) {
		attributes_t *of = table_attributes(at + i);

		*of = (attributes_t)((*of & ~clear) | set);
	}
}

void attributes_forget(char *at, size_t bytes)
{
	if (__atomic_load_n(&noted, __ATOMIC_RELAXED))
		note(at, bytes, ~0u, 0);
}

void attributes_readdress(char *from, char *to, size_t bytes)
{
	size_t i;

	if (!__atomic_load_n(&noted, __ATOMIC_RELAXED))
		return;
	for (i = 0; i < bytes; i += PAGE_SIZE)
		*table_attributes(to + i) = *table_attributes(from + i);
	attributes_forget(from, bytes);
}

bool attributes_protect(attributes_t attributes)
{
	return attributes & PROTECTION;
}

bool attributes_hide(attributes_t attributes)
{
	return attributes & NO_READ;
}

static int prot_of(attributes_t attributes)
{
	return (attributes & NO_READ ? 0 : OS_READ) | (attributes & NO_WRITE ? 0 : OS_WRITE) |
	       (attributes & EXEC ? OS_EXEC : 0);
}

static unsigned int noted_of(int prot)
{
	return (prot & OS_READ ? 0 : NO_READ) | (prot & OS_WRITE ? 0 : NO_WRITE) |
	       (prot & OS_EXEC ? EXEC : 0);
}

/* ---- mapping ---- */

/* A core shows the program's addresses, not the direct map; what is lost of advice is told, not refused. */
static void advise_again(char *at, size_t bytes, attributes_t attributes)
{
	int error = attributes & NO_DUMP ? os_dontdump(at, bytes) : os_dodump(at, bytes);

	if (!error && attributes & NO_HUGE)
		error = os_advise(at, bytes, OS_NOHUGEPAGE);
	if (error)
		pr_warn("map: %p has lost advice that the program gave: error %d", (void *)at, -error);
}

int attributes_place(char *direct, char *at, size_t bytes, attributes_t attributes)
{
	return backing_map_again((u64)(direct - mp_direct_map), at, bytes, prot_of(attributes));
}

void attributes_again(char *at, size_t bytes)
{
	attributes_t attributes;
	size_t i, run;

	for (i = 0; i < bytes; i += run) {
		run = attributes_run(at + i, bytes - i, &attributes);
		advise_again(at + i, run, attributes);
	}
}

/*
 * What is to be left out of fork stays shared. Where some of it could not become private the child goes without
 * that; folding looks at each page.
 */
int attributes_make_private(u64 start, char *at, size_t bytes)
{
	attributes_t attributes;
	size_t i, run;
	int error;

	for (i = 0; i < bytes; i += run) {
		run = attributes_run(at + i, bytes - i, &attributes);
		if (attributes & NO_FORK)
			continue;
		error = backing_map_private(start + i, at + i, run, prot_of(attributes));
		if (error && !i)
			return error;
		if (error)
			pr_warn("map: %p is not in the fork child: error %d", (void *)(at + i), -error);
		else if (attributes)
			advise_again(at + i, run, attributes);
	}
	return 0;
}

int attributes_read_hidden(void *to, const char *from, size_t bytes)
{
	int fd = os_open_read("/proc/self/mem");
	ssize_t n;

	if (fd < 0)
		return fd;
	n = os_read_at(fd, to, bytes, (uintptr_t)from);
	os_close(fd);
	return n == (ssize_t)bytes ? 0 : n < 0 ? (int)n : -EIO;
}

/* Not by the program's mapping, where it may not be allowed to. */
int attributes_discard(char *at, size_t bytes, entry_t entry)
{
	char *direct = (char *)page_address(entry_unit(entry)) + (at - unit_start(at, entry));
	attributes_t attributes;
	size_t i, run;

	if (!(table_get(unit_start(at, entry)) & MAP_PRIVATE_COPY))
		return os_remove(direct, bytes);
	/* The page is a fork child's too, and what the program has written lies over it. */
	for (i = 0; i < bytes; i += run) {
		run = attributes_run(at + i, bytes - i, &attributes);
		if (attributes & (NO_READ | NO_WRITE))
			return -EACCES;
		memset(at + i, 0, run);
	}
	return 0;
}

/* ---- the calls ---- */

struct change {
	/* Of what lies in one unit, which nobody has claimed; map_state.lock held. */
	int (*make)(char *at, size_t bytes, entry_t entry, int what);
	int what;
};

/* All of it is mapped, or nothing happens. */
static int change_range(char *at, size_t length, const struct change *change)
{
	char *pos, *end = at + length, *to;
	int error = 0;

	mutex_lock(&map_state.lock);
	for (pos = at; pos < end && !error; pos = (char *)ALIGN_DOWN((uintptr_t)pos, GRANULE) + GRANULE)
		if (!table_get(pos))
			error = -EINVAL;
	for (pos = at; pos < end && !error; pos = to) {
		entry_t entry = await_unit(pos);

		/* Unmapped meanwhile, against the rules. */
		if (!entry) {
			error = -EINVAL;
			break;
		}
		to = min(end, unit_start(pos, entry) + unit_bytes(entry));
		error = change->make(pos, (size_t)(to - pos), table_get(pos), change->what);
	}
	mutex_unlock(&map_state.lock);
	return error;
}

static int check_pages(const void *addr, size_t *length)
{
	size_t rounded = ALIGN(*length, PAGE_SIZE);

	if (!machine_booted)
		return -ENXIO;
	if (rounded < *length || !IS_ALIGNED((uintptr_t)addr, PAGE_SIZE) || !table_covers(addr, rounded))
		return -EINVAL;
	*length = rounded;
	return 0;
}

static int protect(char *at, size_t bytes, entry_t entry, int prot)
{
	int error = os_protect(at, bytes, prot);

	if (!error && !(entry & MAP_APART))
		note(at, bytes, PROTECTION, noted_of(prot));
	return error;
}

int mp_map_protect(void *addr, size_t length, int prot)
{
	struct change change = { protect, prot };
	int error = check_pages(addr, &length);

	if (!error && prot & ~PROT_ALL)
		error = -EINVAL;
	return error ?: change_range(addr, length, &change);
}

static int discard(char *at, size_t bytes, entry_t entry, int advice)
{
	(void)advice;
	return backend_of(entry)->discard(at, bytes, entry);
}

/* Shared with a child it would be written by both: a range that is left out of fork stays so. */
static int advise_fork(char *at, size_t bytes, entry_t entry, int advice)
{
	int error = 0;

	if (!(entry & MAP_FORK))
		return advice == OS_DONTFORK ? 0 : -EINVAL;
	if (entry & MAP_APART)
		return os_advise(at, bytes, advice);
	if (table_get(unit_start(at, entry)) & MAP_PRIVATE_COPY && advice == OS_DONTFORK)
		error = os_advise(at, bytes, advice);
	if (!error)
		note(at, bytes, NO_FORK, advice == OS_DONTFORK ? NO_FORK : 0);
	return error;
}

static int advise_kept(char *at, size_t bytes, entry_t entry, int advice)
{
	unsigned int bit = advice == OS_DODUMP || advice == OS_DONTDUMP ? NO_DUMP : NO_HUGE;
	int error = os_advise(at, bytes, advice);

	if (!error && !(entry & MAP_APART))
		note(at, bytes, bit, advice == OS_DONTDUMP || advice == OS_NOHUGEPAGE ? bit : 0);
	return error;
}

static int advise_once(char *at, size_t bytes, entry_t entry, int advice)
{
	(void)entry;
	return os_advise(at, bytes, advice);
}

int mp_map_advise(void *addr, size_t length, int advice)
{
	struct change change = { advise_once, advice };
	int error = check_pages(addr, &length);

	if (error)
		return error;
	switch (advice) {
	case OS_DONTNEED:
	case OS_DONTNEED_LOCKED:
	case OS_FREE:
		change.make = discard;
		break;
	case OS_DONTFORK:
	case OS_DOFORK:
		change.make = advise_fork;
		break;
	case OS_DONTDUMP:
	case OS_DODUMP:
	case OS_NOHUGEPAGE:
	case OS_HUGEPAGE:
		change.make = advise_kept;
		break;
	case OS_REMOVE:
		return -EINVAL; /* as of a program's own memory */
	}
	return change_range(addr, length, &change);
}
