/* SPDX-License-Identifier: MIT */
/*
 * The heap: a pair of its own, so that a test can make the nth allocation fail,
 * and a program whose malloc() lies in the machine can put it elsewhere
 * (<memplug/runtime.h>).
 */
#include "os/os.h"

#include <stdlib.h>

/* The program's own, when it has them. */
void *mp_heap_alloc(size_t size) __attribute__((weak));
void mp_heap_free(void *p) __attribute__((weak));

void *os_alloc(size_t size)
{
	return mp_heap_alloc ? mp_heap_alloc(size) : calloc(1, size);
}

void os_free(void *p)
{
	if (mp_heap_free)
		mp_heap_free(p);
	else
		free(p);
}
