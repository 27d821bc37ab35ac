/* SPDX-License-Identifier: MIT */
/*
 * A reader/writer semaphore whose readers pay one thread-local increment: no
 * atomic instruction, no fence. The writer pays instead (membarrier), sums
 * the readers' counters and sleeps until they are gone.
 *
 * | call            | against readers | against writers | may sleep | nests        |
 * | percpu_down_read | runs beside     | waits           | yes       | yes (warned) |
 * | percpu_down_write| waits           | waits           | yes       | no: fatal    |
 *
 * A reader may sleep and may run on any CPU, but the thread that took the
 * read side releases it. PRWSEM-6..14; the mechanism is memplug's own.
 */
#ifndef MEMPLUG_LINUX_PERCPU_RWSEM_H
#define MEMPLUG_LINUX_PERCPU_RWSEM_H

#include <linux/types.h>
#include <linux/compiler.h>

#define MP_PRW_SLOTS 16 /* semaphores alive at one time in a process */

/* One thread's state in one semaphore. */
struct mp_prw_reader {
	u32 depth; /* read sections that this thread is in */
	u32 fast;  /* 0: not registered, or a writer is there; 1: nothing to check */
	const void *site; /* where it entered last, in code built with MEMPLUG_DEBUG */
};

struct percpu_rw_semaphore {
	int slot;	  /* index into each thread's readers, set by init */
	u32 block;	  /* 1 from the moment a writer holds back new readers */
	u32 lock;	  /* guards the queue of those who wait and the change of hands */
	s32 owner;	  /* thread id of the writer */
	const void *site; /* where the writer took it */
	const char *name;
};

extern __thread struct mp_prw_reader mp_prw_readers[MP_PRW_SLOTS]
	__attribute__((tls_model("initial-exec")));

/*
 * Slow halves: thread not known yet, a writer waits or holds, misuse. The one
 * that leaves may not touch the semaphore: once the depth is down, its writer
 * may free it.
 */
void mp_percpu_down_read_slow(struct percpu_rw_semaphore *sem);
void mp_percpu_up_read_slow(struct mp_prw_reader *r);

/* Always inline, so that the slow halves see the caller as their call site. */
#define mp_prw_inline static inline __attribute__((__always_inline__))

#if defined(__SANITIZE_THREAD__)
#define MP_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MP_TSAN 1
#endif
#endif
#ifdef MP_TSAN
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);
#define mp_tsan_acquire(p) __tsan_acquire((void *)(p))
#define mp_tsan_release(p) __tsan_release((void *)(p))
#else
#define mp_tsan_acquire(p) ((void)0)
#define mp_tsan_release(p) ((void)0)
#endif

mp_prw_inline const void *mp_this_place(void)
{
	const void *here = NULL;

#if defined(__x86_64__)
	__asm__("leaq 0(%%rip), %0" : "=r"(here));
#elif defined(__aarch64__)
	__asm__("adr %0, 1f\n1:" : "=r"(here));
#endif
	return here;
}

mp_prw_inline void mp_prw_enter(struct mp_prw_reader *r, struct percpu_rw_semaphore *sem)
{
#ifdef MEMPLUG_DEBUG
	r->site = mp_this_place();
#endif
	__atomic_store_n(&r->depth, r->depth + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(!__atomic_load_n(&r->fast, __ATOMIC_RELAXED)))
		mp_percpu_down_read_slow(sem);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	mp_tsan_acquire(sem);
}

mp_prw_inline void mp_prw_leave(struct mp_prw_reader *r, struct percpu_rw_semaphore *sem)
{
	mp_tsan_release(sem);
	__atomic_store_n(&r->depth, r->depth - 1, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (unlikely(!__atomic_load_n(&r->fast, __ATOMIC_RELAXED)))
		mp_percpu_up_read_slow(r);
}

/*
 * Enters a read section; waits while a writer holds or waits for the lock.
 * By a thread that is already inside: succeeds (Linux would hang if a writer
 * waits; a debug build warns once). By the writer itself: fatal hook.
 */
mp_prw_inline void percpu_down_read(struct percpu_rw_semaphore *sem)
{
	mp_prw_enter(&mp_prw_readers[sem->slot], sem);
}

/* Leaves the read section that this thread entered last. */
mp_prw_inline void percpu_up_read(struct percpu_rw_semaphore *sem)
{
	mp_prw_leave(&mp_prw_readers[sem->slot], sem);
}

/* Returns true when the section was entered; never sleeps. */
bool percpu_down_read_trylock(struct percpu_rw_semaphore *sem) MP_SYM(percpu_down_read_trylock);
/* Excludes readers and writers. Uninterruptible. From inside a read section of this lock: fatal. */
void percpu_down_write(struct percpu_rw_semaphore *sem) MP_SYM(percpu_down_write);
void percpu_up_write(struct percpu_rw_semaphore *sem) MP_SYM(percpu_up_write);
/* True from the moment a writer holds back new readers (PRWSEM-13). */
bool percpu_is_write_locked(struct percpu_rw_semaphore *sem) MP_SYM(percpu_is_write_locked);
bool percpu_is_read_locked(struct percpu_rw_semaphore *sem) MP_SYM(percpu_is_read_locked);

/* Takes a slot. Returns 0, or -ENOMEM when MP_PRW_SLOTS semaphores exist. */
int mp_percpu_init_rwsem(struct percpu_rw_semaphore *sem, const char *name);
#define percpu_init_rwsem(sem) mp_percpu_init_rwsem(sem, #sem)
/* Gives the slot back; the lock must be free. */
void percpu_free_rwsem(struct percpu_rw_semaphore *sem) MP_SYM(percpu_free_rwsem);

#endif
