/* SPDX-License-Identifier: MIT */
/*
 * A thread of the machine: gives back what the program has freed and jemalloc
 * still keeps, whenever a block is to go. The offliner waits for it only for a
 * moment, since it may itself wait for a thread that waits for the offliner.
 * policy.lock guards all.
 */
#include "preload.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <linux/memory.h>

#define PATIENCE_NS 20000000

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	uint64_t wanted, finished; /* purges */
	bool registered;
} policy = { .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER,
	     .done = PTHREAD_COND_INITIALIZER };

static void *policy_thread(void *arg)
{
	uint64_t wanted;

	(void)arg;
	thread_kind = THREAD_SERVICE;
	pthread_mutex_lock(&policy.lock);
	for (;;) {
		while (policy.finished == policy.wanted)
			pthread_cond_wait(&policy.work, &policy.lock);
		wanted = policy.wanted;
		pthread_mutex_unlock(&policy.lock);
		front_purge();
		pthread_mutex_lock(&policy.lock);
		policy.finished = wanted;
		pthread_cond_broadcast(&policy.done);
	}
	return NULL;
}

static void purge_soon(void)
{
	struct timespec end;
	uint64_t mine;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += PATIENCE_NS;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	pthread_mutex_lock(&policy.lock);
	mine = ++policy.wanted;
	pthread_cond_signal(&policy.work);
	while (policy.finished < mine &&
	       !pthread_cond_timedwait(&policy.done, &policy.lock, &end))
		;
	pthread_mutex_unlock(&policy.lock);
}

static int on_memory(struct notifier_block *block, unsigned long action, void *data)
{
	(void)block, (void)data;
	if (action == MEM_GOING_OFFLINE && machine_here())
		purge_soon();
	return NOTIFY_OK;
}

static struct notifier_block give_back_freed = { .notifier_call = on_memory, .priority = 1000 };

int policy_start(void)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, policy_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return -error;
	pthread_detach(thread);
	if (!policy.registered)
		policy.registered = !register_memory_notifier(&give_back_freed);
	return 0;
}

void policy_in_child(void)
{
	pthread_mutex_init(&policy.lock, NULL);
	pthread_cond_init(&policy.work, NULL);
	pthread_cond_init(&policy.done, NULL);
	policy.finished = policy.wanted;
}
