/* SPDX-License-Identifier: MIT */
/*
 * The lock of the report layer. fork() takes it, so that a child never
 * inherits it held by a thread that does not exist there. Its handlers are
 * registered before those of sync/thread.c (constructor priority), hence run
 * after them in the parent: the thread list is locked outside of this lock.
 */
#include "report/lock.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void report_lock(void)
{
	pthread_mutex_lock(&lock);
}

void report_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

__attribute__((constructor(101))) static void report_prepare_fork(void)
{
	/* Without memory a fork of a threaded process is as safe as any program's. */
	pthread_atfork(report_lock, report_unlock, report_unlock);
}
