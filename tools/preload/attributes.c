/* SPDX-License-Identifier: MIT */
/*
 * mprotect() and madvise() of the program: of what is the machine's the library must know, so that it lasts when
 * the pages move. No state.
 */
#include "preload.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memplug/map.h>

#define PAGE 4096u

struct call {
	long number;
	int (*of_machine)(void *at, size_t size, int what);
	int what;
};

/* Piece by piece: the kernel's, the machine's. */
static int change(char *at, size_t size, const struct call *call)
{
	char *end = at + ((size + PAGE - 1) & ~(size_t)(PAGE - 1)), *start;
	size_t run;
	int error;

	for (; at < end; at = start + run) {
		start = at;
		run = region_machine_run(&start, end);
		if (!run)
			start = end;
		if (start > at && syscall(call->number, at, start - at, call->what))
			return -1;
		error = run ? call->of_machine(start, run, call->what) : 0;
		if (error) {
			errno = -error;
			return -1;
		}
	}
	return 0;
}

static int lead(void *addr, size_t size, const struct call *call)
{
	if (likely(!region_meets(addr, size)) || (uintptr_t)addr % PAGE || !machine_here())
		return (int)syscall(call->number, addr, size, call->what);
	return change(addr, size, call);
}

EXPORT int mprotect(void *addr, size_t size, int prot)
{
	struct call call = { SYS_mprotect, mp_map_protect, prot };

	return lead(addr, size, &call);
}

EXPORT int madvise(void *addr, size_t size, int advice)
{
	struct call call = { SYS_madvise, mp_map_advise, advice };

	return lead(addr, size, &call);
}
