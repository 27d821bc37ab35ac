/* SPDX-License-Identifier: MIT */
/*
 * For the files of this directory: a call on descriptors, made where these are (table.c). CALLn(name, ...) is the
 * C library's name(...), or for a thread of the program the system call of that name by one that has the table.
 */
#ifndef MEMPLUG_OS_TABLE_H
#define MEMPLUG_OS_TABLE_H

#include <stdbool.h>
#include <sys/syscall.h>

extern bool table_apart;	    /* atomic */
extern __thread bool table_inside; /* this thread has the library's table */

/* The descriptors are in another table than this thread's. */
static inline bool table_away(void)
{
	return __builtin_expect(__atomic_load_n(&table_apart, __ATOMIC_RELAXED), 0) && !table_inside;
}

/* As syscall(), there. */
long table_call(long number, long a, long b, long c, long d, long e, long f);
/* The number of the program's that the library keeps open, or no more (file.c). */
void table_own(int fd, bool yes);
/* In a fork child that is putting itself right: the parent's descriptors, whose numbers mean nothing here. */
bool table_is_gone(void);

#define SYS_pread SYS_pread64

#define CALL1(name, a) (table_away() ? table_call(SYS_##name, (long)(a), 0, 0, 0, 0, 0) : name(a))
#define CALL2(name, a, b)                                                                          \
	(table_away() ? table_call(SYS_##name, (long)(a), (long)(b), 0, 0, 0, 0) : name(a, b))
#define CALL3(name, a, b, c)                                                                       \
	(table_away() ? table_call(SYS_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0) : name(a, b, c))
#define CALL4(name, a, b, c, d)                                                                    \
	(table_away() ? table_call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0) : \
			name(a, b, c, d))

#endif
