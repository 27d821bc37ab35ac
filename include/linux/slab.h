/* SPDX-License-Identifier: MIT */
/*
 * kmalloc and friends on the program's own heap: small metadata of a module.
 * Memory that takes part in hotplug comes from alloc_pages().
 */
#ifndef MEMPLUG_LINUX_SLAB_H
#define MEMPLUG_LINUX_SLAB_H

#include <linux/types.h>
#include <linux/gfp.h>

/* At least `size` bytes, or NULL; only __GFP_ZERO of `gfp` has an effect. */
void *kmalloc(size_t size, gfp_t gfp) MP_SYM(kmalloc);
void *kzalloc(size_t size, gfp_t gfp) MP_SYM(kzalloc);
/* n * size bytes, zeroed; NULL also when the product overflows. */
void *kcalloc(size_t n, size_t size, gfp_t gfp) MP_SYM(kcalloc);
void *kmalloc_array(size_t n, size_t size, gfp_t gfp) MP_SYM(kmalloc_array);
/* Accepts NULL. */
void kfree(const void *p) MP_SYM(kfree);

#endif
