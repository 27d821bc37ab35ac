/* SPDX-License-Identifier: MIT */
/* kmalloc and friends: the library's heap under the kernel's names. */
#include <linux/slab.h>
#include "os/os.h"

void *kmalloc(size_t size, gfp_t gfp)
{
	return os_alloc(size);
}

void *kzalloc(size_t size, gfp_t gfp)
{
	return os_alloc(size);
}

void *kmalloc_array(size_t n, size_t size, gfp_t gfp)
{
	size_t bytes;

	return __builtin_mul_overflow(n, size, &bytes) ? NULL : os_alloc(bytes);
}

void *kcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kmalloc_array(n, size, gfp);
}

void kfree(const void *p)
{
	os_free((void *)p);
}
