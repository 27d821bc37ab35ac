/* SPDX-License-Identifier: MIT */
/* How much memory the host could give this process. */
#ifndef MEMPLUG_BACKING_HOST_H
#define MEMPLUG_BACKING_HOST_H

#include <linux/types.h>

/*
 * Bytes that all online blocks together may come to use: what the host has
 * available, within the limits of the process's control groups, and what is
 * `held` by the blocks already. Asked of the host at most every 100 ms; without
 * an answer there is no limit. backing_lock held.
 */
u64 host_capacity(u64 (*held)(void));
/* Asks the host anew at the next call. */
void host_forget(void);

#endif
