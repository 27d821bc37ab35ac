/* SPDX-License-Identifier: MIT */
/*
 * close() and its relatives, for hosts where the machine's descriptors must be
 * among the program's (grow.c). Programs close descriptors that they did not
 * open: all up to a limit, or the one that they want for a copy. Without those
 * of the machine its memory could neither move nor go; to the program they look
 * closed. No state.
 */
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memplug/runtime.h>

static int not_open(void)
{
	errno = EBADF;
	return -1;
}

EXPORT int close(int fd)
{
	static int (*next)(int fd);

	if (unlikely(mp_owns_descriptor(fd)))
		return not_open();
	/* The library closes under its own locks, but never a ring. */
	if (unlikely(pins_any()) && thread_kind == THREAD_PROGRAM)
		ring_gone((uintptr_t)fd + 1);
	if (unlikely(!next)) /* the C library's is a point of cancellation */
		next = dlsym(RTLD_NEXT, "close");
	return next ? next(fd) : (int)syscall(SYS_close, fd);
}

/* Over a descriptor of the machine nothing can be copied; nobody asks for numbers as high. */
EXPORT int dup3(int from, int to, int flags)
{
	if (unlikely(mp_owns_descriptor(to) || mp_owns_descriptor(from)))
		return not_open();
	return (int)syscall(SYS_dup3, from, to, flags);
}

EXPORT int dup2(int from, int to)
{
	if (from != to)
		return dup3(from, to, 0);
	return mp_owns_descriptor(from) ? not_open() : fcntl(from, F_GETFD) < 0 ? -1 : to;
}

/* The pieces between the machine's. */
EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	unsigned int from = first;
	int fd;

	while (first <= last && from <= INT_MAX && (fd = mp_next_descriptor((int)from)) >= 0 &&
	       (unsigned int)fd <= last) {
		if ((unsigned int)fd > from &&
		    syscall(SYS_close_range, from, (unsigned int)fd - 1, flags))
			return -1;
		from = (unsigned int)fd + 1;
		if ((unsigned int)fd == last)
			return 0;
	}
	return (int)syscall(SYS_close_range, from, last, flags);
}

EXPORT void closefrom(int lowest)
{
	close_range(lowest < 0 ? 0 : (unsigned int)lowest, UINT_MAX, 0);
}
