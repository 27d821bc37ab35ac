/* SPDX-License-Identifier: MIT */
/* Small arithmetic and container helpers that a notifier in kernel form uses. */
#if __has_include_next(<linux/kernel.h>)
#include_next <linux/kernel.h>
#endif

#ifndef MEMPLUG_LINUX_KERNEL_H
#define MEMPLUG_LINUX_KERNEL_H

#include <stdio.h>
#include <string.h>
#include <linux/types.h>
#include <linux/errno.h>
#include <linux/err.h>
#include <linux/printk.h>
#include <linux/bug.h>

#define container_of(ptr, type, member)                                                            \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#ifndef min
#define min(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) __a = (a);                                                           \
		__typeof__(b) __b = (b);                                                           \
		__a < __b ? __a : __b;                                                             \
	})
#define max(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) __a = (a);                                                           \
		__typeof__(b) __b = (b);                                                           \
		__a > __b ? __a : __b;                                                             \
	})
#endif
#define min_t(t, a, b) min((t)(a), (t)(b))
#define max_t(t, a, b) max((t)(a), (t)(b))
#define clamp(v, lo, hi) min(max(v, lo), hi)

#define BITS_PER_LONG 64
#ifndef BIT
#define BIT(n) (1UL << (n))
#endif
#define ALIGN(x, a) (((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a) - 1)) == 0)
#ifndef DIV_ROUND_UP
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#endif
#define SZ_4K 0x1000UL
#define SZ_2M 0x200000UL
#define SZ_128M 0x8000000UL
#define SZ_1G 0x40000000UL

#endif
