/* SPDX-License-Identifier: MIT */
/*
 * Compiler hints in the kernel's spelling, and MP_SYM, which gives a
 * kernel-named declaration its ELF name: every symbol of the library begins
 * with mp_, so that no name meets another library's.
 */
#ifndef MEMPLUG_LINUX_COMPILER_H
#define MEMPLUG_LINUX_COMPILER_H

#define MP_SYM(name) __asm__("mp_" #name)

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
#define barrier() __asm__ __volatile__("" ::: "memory")

#ifndef __maybe_unused
#define __maybe_unused __attribute__((__unused__))
#endif
#ifndef __must_check
#define __must_check __attribute__((__warn_unused_result__))
#endif
#ifndef __printf
#define __printf(a, b) __attribute__((__format__(__printf__, a, b)))
#endif
#ifndef __aligned
#define __aligned(x) __attribute__((__aligned__(x)))
#endif
#ifndef __force
#define __force
#endif
#ifndef __user
#define __user
#endif
#ifndef fallthrough
#define fallthrough __attribute__((__fallthrough__))
#endif
#define __init
#define __exit
#define __initdata
#define __ref
#define __meminit
#define __read_mostly

#endif
