/* SPDX-License-Identifier: MIT */
/*
 * The records of threads. A record lies in its thread's own storage, so that
 * registering allocates nothing; it is on the list from the thread's first
 * slow path until its exit. The list is guarded by threads.lock, which fork()
 * takes too, so that a child finds it whole.
 */
#include "sync/thread.h"
#include "sync/internal.h"
#include "report/report.h"
#include "os/os.h"

#include <memplug/runtime.h>
#include <linux/list.h>
#include <linux/mutex.h>

#define MAX_RESETS 32
#define BARRIER_TRIES 1000

struct list_head sync_threads = LIST_HEAD_INIT(sync_threads);
void (*sync_thread_exit_hook)(struct sync_thread *thread);
bool sync_has_membarrier;

static struct {
	struct mutex lock;
	pthread_once_t once;
	pthread_key_t key; /* its destructor tells a thread's exit */
	bool has_key;
	void (*resets[MAX_RESETS])(void);
	unsigned int nr_resets;
} threads = { .lock = __MUTEX_INITIALIZER(sync_threads), .once = PTHREAD_ONCE_INIT };

static __thread struct {
	struct sync_thread record;
	bool listed;
	bool exiting; /* its record went; it gets no other */
	bool service; /* the library's own thread */
	s32 tid;
} self;

s32 sync_tid(void)
{
	if (unlikely(!self.tid))
		self.tid = os_gettid();
	return self.tid;
}

void sync_threads_lock(void)
{
	mutex_lock(&threads.lock);
}

void sync_threads_unlock(void)
{
	mutex_unlock(&threads.lock);
}

static void thread_exits(void *record)
{
	void (*hook)(struct sync_thread *thread);

	prw_thread_exits();
	hook = __atomic_load_n(&sync_thread_exit_hook, __ATOMIC_ACQUIRE);
	if (hook)
		hook(&self.record);
	sync_threads_lock();
	prw_thread_unlisted();
	list_del(&self.record.node);
	self.listed = false;
	self.exiting = true;
	sync_threads_unlock();
}

static void before_fork(void)
{
	sync_tid(); /* the child must know who it was */
	sync_threads_lock();
}

/* The only thread now: it keeps what it held itself, the rest is as new. */
static void in_fork_child(void)
{
	s32 old_tid = self.tid;

	self.tid = os_gettid();
	mp_mutex_init(&threads.lock, "sync_threads");
	INIT_LIST_HEAD(&sync_threads);
	if (self.listed) {
		self.record.tid = self.tid;
		self.record.stop = asym_initial_stop();
		list_add(&self.record.node, &sync_threads);
	}
	if (sync_has_membarrier)
		os_membarrier_register();
	ring_at_fork_child();
	prw_at_fork_child(old_tid);
	lockorder_at_fork_child();
	os_table_in_child(true);
	for (unsigned int i = 0; i < threads.nr_resets; i++)
		threads.resets[i]();
	os_table_in_child(false);
}

static void init_once(void)
{
	sync_has_membarrier = os_membarrier_register() == 0;
	threads.has_key = pthread_key_create(&threads.key, thread_exits) == 0;
	pthread_atfork(before_fork, sync_threads_unlock, in_fork_child);
}

/* After the report layer's constructor, see report/lock.c. */
__attribute__((constructor(102))) static void sync_init(void)
{
	pthread_once(&threads.once, init_once);
}

static struct sync_thread *enlist(void)
{
	sync_init(); /* another constructor may come first */
	if (self.exiting || !threads.has_key || pthread_setspecific(threads.key, &self.record))
		return NULL;
	self.record.pthread = pthread_self();
	self.record.tid = sync_tid();
	self.record.readers = mp_prw_readers;
	self.record.stop = asym_initial_stop();
	sync_threads_lock();
	list_add_tail(&self.record.node, &sync_threads);
	prw_thread_listed();
	self.listed = true;
	sync_threads_unlock();
	return &self.record;
}

struct sync_thread *sync_self(void)
{
	return likely(self.listed) ? &self.record : enlist();
}

struct sync_thread *sync_self_or_null(void)
{
	return self.listed ? &self.record : NULL;
}

bool refuse_in_callback(const char *what, const void *site)
{
	const struct sync_thread *me = sync_self_or_null();
	char here[128], there[128];

	if (!me || !me->callback_site)
		return false;
	mp_symbol_name(site, here, sizeof(here));
	mp_symbol_name(me->callback_site, there, sizeof(there));
	mp_fatal_at(__FILE__, __LINE__,
		    "deadlock: %s at %s, inside a memory event callback called at %s, waits for itself", what, here,
		    there);
	return true;
}

void sync_serve(void)
{
	self.service = true;
	os_table_enter();
}

bool mp_service_thread(void)
{
	return self.service;
}

bool sync_thread_exited(void)
{
	return self.exiting;
}

void sync_at_fork_child(void (*reset)(void))
{
	sync_threads_lock();
	if (threads.nr_resets < MAX_RESETS)
		threads.resets[threads.nr_resets++] = reset;
	else
		mp_fatal_at(__FILE__, __LINE__, "too many fork resets");
	sync_threads_unlock();
}

void sync_membarrier(void)
{
	int error = os_membarrier();

	/* The kernel may be short of memory for it, or this process not registered (yet). */
	for (int try = 0; error && try < BARRIER_TRIES; try++) {
		os_membarrier_register();
		os_sleep_ns(1000000);
		error = os_membarrier();
	}
	if (error)
		mp_fatal_at(__FILE__, __LINE__,
			    "membarrier fails with error %d: threads cannot be held back", -error);
}
