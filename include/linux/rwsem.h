/* SPDX-License-Identifier: MIT */
/* The kernel's reader/writer semaphore; a waiting writer holds back new readers. */
#ifndef MEMPLUG_LINUX_RWSEM_H
#define MEMPLUG_LINUX_RWSEM_H

#include <linux/types.h>

/* All zero is free. */
struct rw_semaphore {
	u32 state;	  /* bit 31 writer, below: readers */
	u32 wait_writers; /* writers that wait or hold */
	u32 gen;	  /* futex word: bumped at each release that may wake */
	s32 owner;	  /* thread id of the writer */
	const void *site;
	const char *name;
};

#define __RWSEM_INITIALIZER(n) { 0, 0, 0, 0, NULL, #n }
#define DECLARE_RWSEM(n) struct rw_semaphore n = __RWSEM_INITIALIZER(n)
#define init_rwsem(s) mp_init_rwsem(s, #s)

void mp_init_rwsem(struct rw_semaphore *sem, const char *name);
void down_read(struct rw_semaphore *sem) MP_SYM(down_read);
int down_read_trylock(struct rw_semaphore *sem) MP_SYM(down_read_trylock);
void up_read(struct rw_semaphore *sem) MP_SYM(up_read);
void down_write(struct rw_semaphore *sem) MP_SYM(down_write);
int down_write_trylock(struct rw_semaphore *sem) MP_SYM(down_write_trylock);
void up_write(struct rw_semaphore *sem) MP_SYM(up_write);

#endif
