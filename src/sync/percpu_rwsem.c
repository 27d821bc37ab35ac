/* SPDX-License-Identifier: MIT */
/*
 * The slow half of the percpu reader/writer semaphore, and its writer.
 *
 * A writer sets `block` (under sem->lock, so one at a time), takes the fast
 * path from every listed thread, makes all of them pass a barrier, and sleeps
 * until no thread's depth is left. A reader that finds its fast path gone
 * looks at `block`, and queues behind it. Who waits is in one queue, first
 * come first served; the releasing writer hands the lock over to the readers
 * at its head and to at most one writer.
 *
 * Threads that cannot be listed (no key, exit handlers that run late) are
 * counted in slots[].unlisted with atomics instead.
 *
 * Order of locks: sem->lock and the thread list are never held together.
 */
#include <linux/percpu-rwsem.h>
#include "sync/futex.h"
#include "sync/internal.h"
#include "sync/thread.h"
#include "report/report.h"
#include "os/os.h"

#include <linux/list.h>
#include <linux/errno.h>

struct waiter {
	struct waiter *next;
	struct mp_prw_reader *reader; /* NULL: a writer */
	bool unlisted;
	s32 tid;
	const void *site;
	u32 granted; /* futex word */
};

/* What must outlive the semaphore: readers leave without touching it. */
struct slot {
	struct percpu_rw_semaphore *sem; /* thread list lock */
	struct waiter *first, **end;	 /* sem->lock; end NULL: empty since ever */
	u32 unlisted;			 /* readers without a record */
	u32 draining;			 /* a writer waits for readers to leave */
	u32 left;			 /* futex word of that writer */
};

static struct slot slots[MP_PRW_SLOTS] = {
	[0].sem = &mp_mem_hotplug_lock,
	[1].sem = &cpu_hotplug_lock,
};

__thread struct mp_prw_reader mp_prw_readers[MP_PRW_SLOTS]
	__attribute__((tls_model("initial-exec")));

static __thread struct {
	u32 unlisted;		   /* slots in which this thread is counted as unlisted */
	u8 ignored[MP_PRW_SLOTS]; /* write sections that were refused and count for nothing */
} self;

static bool is_writer(const struct percpu_rw_semaphore *sem)
{
	/* Only the writer can find its own id there, so no order is needed. */
	return __atomic_load_n(&sem->owner, __ATOMIC_RELAXED) == sync_tid();
}

static bool is_blocked(const struct percpu_rw_semaphore *sem)
{
	/* Pairs with the release in percpu_up_write(). */
	return __atomic_load_n(&sem->block, __ATOMIC_SEQ_CST);
}

static void misuse(const struct percpu_rw_semaphore *sem, const char *held, const void *first,
		   const char *wanted, const void *second)
{
	char first_name[SITE_NAME_SIZE] = "", second_name[SITE_NAME_SIZE];

	if (first)
		site_name(first, first_name, sizeof(first_name));
	mp_fatal_at(__FILE__, __LINE__,
		    "%s: held for %s%s%s, and asked for %s by the same thread in %s", sem->name, held,
		    first ? " since " : "", first_name, wanted,
		    site_name(second, second_name, sizeof(second_name)));
}

static void set_depth(struct mp_prw_reader *reader, u32 depth)
{
	__atomic_store_n(&reader->depth, depth, __ATOMIC_RELEASE);
}

static void count_unlisted(int slot)
{
	__atomic_fetch_add(&slots[slot].unlisted, 1, __ATOMIC_SEQ_CST);
	self.unlisted |= 1u << slot;
}

static void uncount_unlisted(int slot)
{
	if (!(self.unlisted & 1u << slot))
		return;
	self.unlisted &= ~(1u << slot);
	__atomic_fetch_sub(&slots[slot].unlisted, 1, __ATOMIC_SEQ_CST);
}

/* After the depth came down: a writer that waits for it looks again. */
static void tell_writer(struct slot *slot)
{
	/* Pairs with draining = 1 and the barrier before the writer's sum: one sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&slot->draining, __ATOMIC_SEQ_CST))
		return;
	__atomic_fetch_add(&slot->left, 1, __ATOMIC_SEQ_CST);
	os_futex_wake(&slot->left, 1);
}

static void enqueue(struct slot *slot, struct waiter *waiter)
{
	if (!slot->first)
		slot->end = &slot->first;
	*slot->end = waiter;
	slot->end = &waiter->next;
}

static void sleep_until_granted(struct waiter *waiter)
{
	while (!__atomic_load_n(&waiter->granted, __ATOMIC_ACQUIRE)) /* pairs with grant() */
		os_futex_wait(&waiter->granted, 0, 0);
}

/* The waiter may be gone as soon as it is granted; a stray wake-up on its stack harms nobody. */
static void grant(struct waiter *waiter)
{
	__atomic_store_n(&waiter->granted, 1, __ATOMIC_RELEASE);
	os_futex_wake(&waiter->granted, 1);
}

/* ---- readers ---- */

/* Depth is 1 and a writer is there: steps back and comes in when it is this thread's turn. */
static void wait_for_writer(struct percpu_rw_semaphore *sem, struct mp_prw_reader *reader,
			    bool listed)
{
	struct waiter waiter = { .reader = reader, .unlisted = !listed, .tid = sync_tid() };
	u64 since = os_now_ns();

	set_depth(reader, 0);
	uncount_unlisted(sem->slot);
	tell_writer(&slots[sem->slot]);

	futex_lock(&sem->lock);
	if (!is_blocked(sem)) {
		/* The next writer takes sem->lock after this. */
		set_depth(reader, 1);
		if (!listed)
			count_unlisted(sem->slot);
		futex_unlock(&sem->lock);
		return;
	}
	enqueue(&slots[sem->slot], &waiter);
	futex_unlock(&sem->lock);
	sleep_until_granted(&waiter);
	if (!listed)
		self.unlisted |= 1u << sem->slot; /* the writer has counted it */
	lock_waited(since, sem->name);
}

/* Nothing to check any more for this thread, until a writer comes. */
static void open_fast_path(struct percpu_rw_semaphore *sem, struct mp_prw_reader *reader)
{
	if (!sync_has_membarrier)
		return;
	sync_threads_lock();
	if (!is_blocked(sem))
		__atomic_store_n(&reader->fast, 1, __ATOMIC_RELAXED);
	sync_threads_unlock();
}

void mp_percpu_down_read_slow(struct percpu_rw_semaphore *sem)
{
	struct mp_prw_reader *reader = &mp_prw_readers[sem->slot];
	bool nested = reader->depth > 1;
	bool listed;

	if (is_writer(sem)) {
		misuse(sem, "writing", sem->site, "reading", __builtin_return_address(0));
		return;
	}
	listed = sync_self() != NULL;
	if (nested) {
#ifdef MEMPLUG_DEBUG
		WARN_ONCE(is_blocked(sem),
			  "%s: read inside read while a writer waits: Linux would hang", sem->name);
#endif
		return;
	}
	if (!listed)
		count_unlisted(sem->slot);
	/* Pairs with block = 1 and the barrier before the writer's sum: one sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (is_blocked(sem))
		wait_for_writer(sem, reader, listed);
	if (listed)
		open_fast_path(sem, reader);
}

void mp_percpu_up_read_slow(struct mp_prw_reader *reader)
{
	int index = (int)(reader - mp_prw_readers);
	char site[SITE_NAME_SIZE];

	if ((s32)reader->depth < 0) {
		set_depth(reader, 0);
		/* A thread's sections end before its last exit handlers. */
		if (!sync_thread_exited())
			mp_fatal_at(__FILE__, __LINE__, "read section left in %s without being in one",
				    site_name(__builtin_return_address(0), site, sizeof(site)));
		return;
	}
	if (reader->depth)
		return;
	uncount_unlisted(index);
	tell_writer(&slots[index]);
}

bool percpu_down_read_trylock(struct percpu_rw_semaphore *sem)
{
	struct mp_prw_reader *reader = &mp_prw_readers[sem->slot];

#ifdef MEMPLUG_DEBUG
	reader->site = __builtin_return_address(0);
#endif
	__atomic_store_n(&reader->depth, reader->depth + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&reader->fast, __ATOMIC_RELAXED))
		goto entered;
	if (is_writer(sem)) {
		set_depth(reader, reader->depth - 1);
		return false;
	}
	if (reader->depth > 1)
		goto entered;
	/* Getting a record could sleep. */
	if (!sync_self_or_null())
		count_unlisted(sem->slot);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* as in mp_percpu_down_read_slow() */
	if (is_blocked(sem)) {
		set_depth(reader, 0);
		uncount_unlisted(sem->slot);
		tell_writer(&slots[sem->slot]);
		return false;
	}
entered:
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	mp_tsan_acquire(sem);
	return true;
}

/* ---- the writer ---- */

static void set_fast_all(int slot, u32 fast)
{
	struct sync_thread *thread;

	sync_for_each_thread(thread)
		__atomic_store_n(&thread->readers[slot].fast, fast, __ATOMIC_RELAXED);
}

static bool readers_inside(int slot)
{
	u64 sum = __atomic_load_n(&slots[slot].unlisted, __ATOMIC_ACQUIRE);
	struct sync_thread *thread;

	sync_threads_lock();
	sync_for_each_thread(thread)
		/* Pairs with the release in mp_prw_leave(). */
		sum += __atomic_load_n(&thread->readers[slot].depth, __ATOMIC_ACQUIRE);
	sync_threads_unlock();
	return sum != 0;
}

static void drain_readers(struct percpu_rw_semaphore *sem)
{
	struct slot *slot = &slots[sem->slot];

	__atomic_store_n(&slot->draining, 1, __ATOMIC_SEQ_CST);
	sync_threads_lock();
	set_fast_all(sem->slot, 0);
	sync_threads_unlock();
	/* From here on, who is inside shows its depth, and who comes or leaves finds no fast path. */
	if (sync_has_membarrier)
		sync_membarrier();
	else
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (;;) {
		u32 left = __atomic_load_n(&slot->left, __ATOMIC_SEQ_CST);

		if (!readers_inside(sem->slot))
			break;
		os_futex_wait(&slot->left, left, 0);
	}
	__atomic_store_n(&slot->draining, 0, __ATOMIC_RELAXED);
}

/* Under sem->lock, block being 0. */
static void set_writer(struct percpu_rw_semaphore *sem, s32 tid, const void *site)
{
	__atomic_store_n(&sem->owner, tid, __ATOMIC_RELAXED);
	__atomic_store_n(&sem->site, site, __ATOMIC_RELAXED);
	__atomic_store_n(&sem->block, 1, __ATOMIC_SEQ_CST);
}

void prw_down_write(struct percpu_rw_semaphore *sem, const void *site)
{
	struct waiter waiter = { .tid = sync_tid(), .site = site };
	u64 since;

	if (is_writer(sem) || mp_prw_readers[sem->slot].depth) {
		if (is_writer(sem))
			misuse(sem, "writing", sem->site, "writing", site);
		else
			misuse(sem, "reading", mp_prw_readers[sem->slot].site, "writing", site);
		self.ignored[sem->slot]++;
		return;
	}
	sync_self(); /* for its exit handler, should the thread exit while it holds the lock */
	since = os_now_ns();
	futex_lock(&sem->lock);
	if (is_blocked(sem)) {
		enqueue(&slots[sem->slot], &waiter);
		futex_unlock(&sem->lock);
		sleep_until_granted(&waiter);
	} else {
		set_writer(sem, waiter.tid, site);
		futex_unlock(&sem->lock);
	}
	drain_readers(sem);
	mp_tsan_acquire(sem);
	lock_waited(since, sem->name);
}

void percpu_down_write(struct percpu_rw_semaphore *sem)
{
	prw_down_write(sem, __builtin_return_address(0));
}

/* Serves the queue up to and including one writer; true: there was one. Under sem->lock. */
static bool hand_over(struct percpu_rw_semaphore *sem)
{
	struct slot *slot = &slots[sem->slot];
	bool writer = false;

	while (slot->first && !writer) {
		struct waiter *waiter = slot->first;

		slot->first = waiter->next;
		writer = !waiter->reader;
		if (writer) {
			set_writer(sem, waiter->tid, waiter->site);
		} else {
			__atomic_fetch_add(&waiter->reader->depth, 1, __ATOMIC_SEQ_CST);
			if (waiter->unlisted)
				__atomic_fetch_add(&slot->unlisted, 1, __ATOMIC_SEQ_CST);
		}
		grant(waiter);
	}
	return writer;
}

void percpu_up_write(struct percpu_rw_semaphore *sem)
{
	char site[SITE_NAME_SIZE];
	bool blocked;

	if (self.ignored[sem->slot]) {
		self.ignored[sem->slot]--;
		return;
	}
	if (!is_writer(sem)) {
		mp_fatal_at(__FILE__, __LINE__, "%s: released in %s by a thread that does not hold it",
			    sem->name,
			    site_name(__builtin_return_address(0), site, sizeof(site)));
		return;
	}
	mp_tsan_release(sem);
	futex_lock(&sem->lock);
	__atomic_store_n(&sem->owner, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&sem->site, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&sem->block, 0, __ATOMIC_SEQ_CST);
	blocked = hand_over(sem);
	futex_unlock(&sem->lock);
	if (blocked || !sync_has_membarrier)
		return;
#if !defined(__x86_64__)
	/*
	 * The fast path has no acquire: whoever finds it open must not have read ahead what the
	 * writer wrote. x86 keeps loads in order; elsewhere everyone passes a barrier first.
	 */
	sync_membarrier();
#endif
	sync_threads_lock();
	if (!is_blocked(sem))
		set_fast_all(sem->slot, 1);
	sync_threads_unlock();
}

bool percpu_is_write_locked(struct percpu_rw_semaphore *sem)
{
	return is_blocked(sem);
}

bool percpu_is_read_locked(struct percpu_rw_semaphore *sem)
{
	return !is_blocked(sem) && readers_inside(sem->slot);
}

/* ---- life ---- */

int mp_percpu_init_rwsem(struct percpu_rw_semaphore *sem, const char *name)
{
	int error = -ENOMEM;

	*sem = (struct percpu_rw_semaphore){ .name = name_of_lock(name) };
	sync_threads_lock();
	for (int i = 0; i < MP_PRW_SLOTS && error; i++) {
		if (slots[i].sem)
			continue;
		sem->slot = i;
		slots[i].sem = sem;
		error = 0;
	}
	sync_threads_unlock();
	return error;
}

void percpu_free_rwsem(struct percpu_rw_semaphore *sem)
{
	if (WARN(is_blocked(sem) || readers_inside(sem->slot), "%s: freed while held", sem->name))
		return;
	sync_threads_lock();
	set_fast_all(sem->slot, 0);
	slots[sem->slot].sem = NULL;
	sync_threads_unlock();
}

void prw_thread_listed(void)
{
	/* Writers see its depth from now on. */
	for (int i = 0; i < MP_PRW_SLOTS; i++)
		uncount_unlisted(i);
}

void prw_thread_unlisted(void)
{
	/* Writers cannot close its fast path any more. */
	for (int i = 0; i < MP_PRW_SLOTS; i++)
		__atomic_store_n(&mp_prw_readers[i].fast, 0, __ATOMIC_RELAXED);
}

void prw_thread_exits(void)
{
	for (int i = 0; i < MP_PRW_SLOTS; i++) {
		struct percpu_rw_semaphore *sem = __atomic_load_n(&slots[i].sem, __ATOMIC_RELAXED);
		struct mp_prw_reader *reader = &mp_prw_readers[i];

		if (reader->depth) {
			mp_warn_at(__FILE__, __LINE__,
				   "%s: thread %d exits inside a read section, which ends now",
				   sem ? sem->name : "?", sync_tid());
			set_depth(reader, 0);
			tell_writer(&slots[i]);
		}
		if (sem && is_writer(sem)) {
			mp_warn_at(__FILE__, __LINE__,
				   "%s: thread %d exits holding it for writing; it is released",
				   sem->name, sync_tid());
			self.ignored[i] = 0;
			percpu_up_write(sem);
		}
	}
}

void prw_at_fork_child(s32 old_tid)
{
	for (int i = 0; i < MP_PRW_SLOTS; i++) {
		struct percpu_rw_semaphore *sem = slots[i].sem;

		slots[i] = (struct slot){ .sem = sem, .unlisted = self.unlisted >> i & 1 };
		mp_prw_readers[i].fast = 0;
		if (!sem)
			continue;
		sem->lock = 0;
		if (sem->block && sem->owner == old_tid) {
			sem->owner = sync_tid();
		} else {
			sem->block = 0;
			sem->owner = 0;
			sem->site = NULL;
		}
	}
}
