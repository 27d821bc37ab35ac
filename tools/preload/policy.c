/* SPDX-License-Identifier: MIT */
/*
 * A thread of the machine: gives back what the program has freed and jemalloc
 * still keeps, whenever a block is to go. The offliner waits for it only for a
 * moment, since it may itself wait for a thread that waits for the offliner.
 * With --auto it also brings a block before it is needed, and takes one away
 * when two have been free for a while. policy.lock guards the requests.
 */
#include "preload.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <memplug/machine.h>
#include <memplug/runtime.h>
#include <linux/memory.h>

#define PATIENCE_NS 20000000
#define LOOK_NS 250000000	 /* between two looks, with --auto */
#define QUIET 40		 /* looks without growth before a block goes: 10 s */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	uint64_t wanted, finished; /* purges */
	bool registered, offlining;
	pthread_t offliner;
	pthread_t thread;
	unsigned int quiet; /* looks; the thread's own */
} policy = { .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER,
	     .done = PTHREAD_COND_INITIALIZER };

static struct timespec after(long ns)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_nsec += ns;
	if (end.tv_nsec >= 1000000000) {
		end.tv_nsec -= 1000000000;
		end.tv_sec++;
	}
	return end;
}

/* --auto: half a block to spare, two at most. */
static void look(void)
{
	uint64_t pages = config.block / 4096;
	struct mp_stats stats;

	if (mp_get_stats(&stats))
		return;
	if (stats.pages_free < pages / 2) {
		region_grow();
		policy.quiet = 0;
	} else if (stats.pages_free <= 2 * pages) {
		/* What the program freed may be jemalloc's yet: a program at rest gives nothing back. */
		if (++policy.quiet >= QUIET) {
			front_purge();
			policy.quiet = 0;
		}
	} else if (++policy.quiet >= QUIET) {
		front_purge();
		machine_shrink();
		policy.quiet = QUIET - 4; /* the next one soon */
	}
}

static void wait_for_work(void)
{
	struct timespec end = after(LOOK_NS);

	while (policy.finished == policy.wanted) {
		if (!config.automatic) {
			pthread_cond_wait(&policy.work, &policy.lock);
		} else if (pthread_cond_timedwait(&policy.work, &policy.lock, &end)) {
			pthread_mutex_unlock(&policy.lock);
			look();
			pthread_mutex_lock(&policy.lock);
			end = after(LOOK_NS);
		}
	}
}

static void *policy_thread(void *arg)
{
	uint64_t wanted;

	(void)arg;
	thread_kind = THREAD_SERVICE;
	pthread_mutex_lock(&policy.lock);
	for (;;) {
		wait_for_work();
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
	struct timespec end = after(PATIENCE_NS);
	uint64_t mine;

	pthread_mutex_lock(&policy.lock);
	mine = ++policy.wanted;
	pthread_cond_signal(&policy.work);
	while (policy.finished < mine &&
	       !pthread_cond_timedwait(&policy.done, &policy.lock, &end))
		;
	pthread_mutex_unlock(&policy.lock);
}

/* Who takes a block away, between the first word of it and the last. */
static void note_offliner(unsigned long action)
{
	pthread_mutex_lock(&policy.lock);
	policy.offlining = action == MEM_GOING_OFFLINE;
	policy.offliner = pthread_self();
	pthread_mutex_unlock(&policy.lock);
}

void policy_cancel_offline(void)
{
	pthread_mutex_lock(&policy.lock);
	if (policy.offlining)
		mp_cancel(policy.offliner);
	pthread_mutex_unlock(&policy.lock);
}

static int on_memory(struct notifier_block *block, unsigned long action, void *data)
{
	(void)block, (void)data;
	if (action == MEM_GOING_OFFLINE || action == MEM_CANCEL_OFFLINE || action == MEM_OFFLINE)
		note_offliner(action);
	/* The thread itself has done it when it takes a block away. */
	if (action == MEM_GOING_OFFLINE && machine_here() &&
	    !pthread_equal(pthread_self(), policy.thread))
		purge_soon();
	return NOTIFY_OK;
}

static struct notifier_block give_back_freed = { .notifier_call = on_memory, .priority = 1000 };

int policy_start(void)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = mp_start_service(&policy.thread, policy_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return error;
	pthread_detach(policy.thread);
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
	policy.offlining = false;
}
