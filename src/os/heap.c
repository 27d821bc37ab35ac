/* SPDX-License-Identifier: MIT */
/* The heap: a pair of its own, so that a test can make the nth allocation fail. */
#include "os/os.h"

#include <stdlib.h>

void *os_alloc(size_t size)
{
	return calloc(1, size);
}

void os_free(void *p)
{
	free(p);
}
