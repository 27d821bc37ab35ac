/* SPDX-License-Identifier: MIT */
/*
 * The event ring. Writers claim a number, then the slot of that number; each
 * slot's state tells which record it holds (2 * seq) or that one is being
 * written (2 * seq - 1). Nobody waits: a reader that meets a change gives up
 * on that slot, a writer that was lapped drops its record.
 *
 * The words of a record are stored with release and loaded with acquire, so
 * the state is seen to change before them and to be checked after them.
 */
#include "report/report.h"
#include "os/os.h"

#include <linux/memory.h>
#include <linux/kernel.h>

/*
 * One USDT probe for each type of record, with its number and contents: a no-op
 * until bpftrace, perf or SystemTap asks for it (docs/tracing.md).
 */
#if defined(MEMPLUG_SDT)
#include <sys/sdt.h>
#define PROBE(name) DTRACE_PROBE5(memplug, name, seq, a, b, c, text)
#else
#define PROBE(name) ((void)0)
#endif

#define RING_RECORDS 8192u
#define NAME_WORDS 6
#define WORDS (5 + NAME_WORDS) /* time, tid and type, a, b, c, name */

_Static_assert(sizeof(((struct mp_ring_record *)0)->name) == NAME_WORDS * sizeof(u64), "name");

static struct {
	u64 head; /* number of the last record begun */
	struct {
		u64 state;
		u64 words[WORDS];
	} slots[RING_RECORDS];
} ring;

void (*ring_wake_hook)(void);
static __thread s32 ring_tid; /* 0: ask */

/* A number and its slot, not shared with another writer. Returns the number. */
static u64 claim(void)
{
	for (;;) {
		u64 seq = __atomic_add_fetch(&ring.head, 1, __ATOMIC_RELAXED);
		u64 *state = &ring.slots[(seq - 1) % RING_RECORDS].state;
		u64 old = __atomic_load_n(state, __ATOMIC_RELAXED);

		/* Odd: a writer sleeps there since a whole round; its slot is lost for this one. */
		if (old % 2 == 0 && old < 2 * seq &&
		    __atomic_compare_exchange_n(state, &old, 2 * seq - 1, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return seq;
	}
}

static void probe(enum mp_ring_type type, u64 seq, s64 a, s64 b, s64 c, const char *text)
{
	switch (type) {
	case MP_RING_EVENT:
		PROBE(event);
		break;
	case MP_RING_CALLBACK:
		PROBE(callback);
		break;
	case MP_RING_ISOLATE:
		PROBE(isolate);
		break;
	case MP_RING_MIGRATE:
		PROBE(migrate);
		break;
	case MP_RING_STATE:
		PROBE(state);
		break;
	case MP_RING_ADD:
		PROBE(add);
		break;
	case MP_RING_REMOVE:
		PROBE(remove);
		break;
	case MP_RING_GIVE_BACK:
		PROBE(give_back);
		break;
	case MP_RING_LOCK_WAIT:
		PROBE(lock_wait);
		break;
	case MP_RING_REFUSAL:
		PROBE(refusal);
		break;
	case MP_RING_UEVENT:
		PROBE(uevent);
		break;
	case MP_RING_BOOT:
		PROBE(boot);
		break;
	case MP_RING_CPU:
		PROBE(cpu);
		break;
	case MP_RING_SLOT:
		PROBE(slot);
		break;
	}
}

void ring_record(enum mp_ring_type type, s64 a, s64 b, s64 c, const char *name)
{
	u64 seq, words[WORDS] = { 0 };
	void (*wake)(void);

	if (!ring_tid)
		ring_tid = os_gettid();
	words[0] = os_now_ns();
	words[1] = (u64)(u32)ring_tid << 32 | (u32)type;
	words[2] = (u64)a;
	words[3] = (u64)b;
	words[4] = (u64)c;
	if (name)
		strncpy((char *)&words[5], name, NAME_WORDS * sizeof(u64) - 1);
	seq = claim();
	probe(type, seq, a, b, c, (const char *)&words[5]);
	for (unsigned int i = 0; i < WORDS; i++)
		__atomic_store_n(&ring.slots[(seq - 1) % RING_RECORDS].words[i], words[i],
				 __ATOMIC_RELEASE);
	__atomic_store_n(&ring.slots[(seq - 1) % RING_RECORDS].state, 2 * seq, __ATOMIC_RELEASE);
	wake = __atomic_load_n(&ring_wake_hook, __ATOMIC_ACQUIRE);
	if (wake)
		wake();
}

/* A fork child's thread has another id. */
void ring_at_fork_child(void)
{
	ring_tid = 0;
}

/* 1: copied; 0: not written yet; -1: gone. */
static int copy(u64 seq, struct mp_ring_record *record)
{
	u64 *state = &ring.slots[(seq - 1) % RING_RECORDS].state;
	u64 words[WORDS];
	u64 before = __atomic_load_n(state, __ATOMIC_ACQUIRE); /* pairs with ring_record()'s end */

	if (before != 2 * seq)
		return before > 2 * seq ? -1 : 0;
	for (unsigned int i = 0; i < WORDS; i++)
		words[i] = __atomic_load_n(&ring.slots[(seq - 1) % RING_RECORDS].words[i],
					   __ATOMIC_ACQUIRE);
	if (__atomic_load_n(state, __ATOMIC_RELAXED) != before)
		return -1;
	*record = (struct mp_ring_record){ .seq = seq,
					   .time_ns = words[0],
					   .tid = (s32)(words[1] >> 32),
					   .type = (u32)words[1],
					   .a = (s64)words[2],
					   .b = (s64)words[3],
					   .c = (s64)words[4] };
	memcpy(record->name, &words[5], sizeof(record->name));
	return 1;
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = os_write(fd, at, size);

		if (n < 0 && n != -EINTR)
			return (int)n;
		at += max_t(ssize_t, n, 0);
		size -= (size_t)max_t(ssize_t, n, 0);
	}
	return 0;
}

int mp_ring_save(const char *path)
{
	struct mp_ring_record batch[32];
	u64 cursor = 0, last = __atomic_load_n(&ring.head, __ATOMIC_RELAXED);
	int fd, error, closed;
	size_t n;

	if (!path)
		return -EINVAL;
	fd = os_create(path);
	if (fd < 0)
		return fd;
	error = write_all(fd, MP_RING_MAGIC, sizeof(MP_RING_MAGIC));
	/* Not what comes while it writes: there might be no end. */
	do {
		for (n = 0; n < ARRAY_SIZE(batch) && cursor <= last; n++)
			if (mp_ring_read(&cursor, &batch[n]) <= 0)
				break;
		if (!error && n)
			error = write_all(fd, batch, n * sizeof(batch[0]));
	} while (!error && n == ARRAY_SIZE(batch));
	closed = os_close(fd);
	return error ? error : closed;
}

int mp_ring_read(uint64_t *cursor, struct mp_ring_record *record)
{
	u64 head = __atomic_load_n(&ring.head, __ATOMIC_RELAXED);
	u64 seq;

	if (!cursor || !record)
		return -EINVAL;
	seq = *cursor ? *cursor : 1;
	if (head > RING_RECORDS && seq <= head - RING_RECORDS)
		seq = head - RING_RECORDS + 1;
	for (; seq <= head; seq++) {
		int result = copy(seq, record);

		if (result > 0) {
			*cursor = seq + 1;
			return 1;
		}
		/* Half a round behind, an empty slot is one that its writer gave up. */
		if (result == 0 && head - seq < RING_RECORDS / 2)
			break;
	}
	*cursor = seq;
	return 0;
}

const char *mp_event_name(unsigned long action)
{
	switch (action) {
	case MEM_ONLINE:
		return "MEM_ONLINE";
	case MEM_GOING_OFFLINE:
		return "MEM_GOING_OFFLINE";
	case MEM_OFFLINE:
		return "MEM_OFFLINE";
	case MEM_GOING_ONLINE:
		return "MEM_GOING_ONLINE";
	case MEM_CANCEL_ONLINE:
		return "MEM_CANCEL_ONLINE";
	case MEM_CANCEL_OFFLINE:
		return "MEM_CANCEL_OFFLINE";
	}
	return "?";
}

const char *mp_ring_type_name(uint32_t type)
{
	static const char *const names[] = {
		[MP_RING_EVENT] = "event",	   [MP_RING_CALLBACK] = "callback",
		[MP_RING_ISOLATE] = "isolate",	   [MP_RING_MIGRATE] = "migrate",
		[MP_RING_STATE] = "state",	   [MP_RING_ADD] = "add",
		[MP_RING_REMOVE] = "remove",	   [MP_RING_GIVE_BACK] = "give_back",
		[MP_RING_LOCK_WAIT] = "lock_wait", [MP_RING_REFUSAL] = "refusal",
		[MP_RING_UEVENT] = "uevent",	   [MP_RING_BOOT] = "boot",
		[MP_RING_CPU] = "cpu",		   [MP_RING_SLOT] = "slot",
	};

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "?";
}
