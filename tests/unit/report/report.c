/* SPDX-License-Identifier: MIT */
/* How things are told: hooks, log lines, the ring, reasons, names of code and of registrations. */
#include "machine.h"

#include <linux/bug.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <memplug/ring.h>
#include "report/report.h"

#include <errno.h>

/* ---- hooks ---- */

static struct {
	int level;
	char text[200];
	void *arg;
	int calls;
} last;

static void keep_line(int level, const char *text, void *arg)
{
	last.level = level;
	snprintf(last.text, sizeof(last.text), "%s", text);
	last.arg = arg;
	last.calls++;
}

static void keep_text(const char *text, void *arg)
{
	keep_line(-1, text, arg);
}

TEST(printk_lines, "a line has the level of its prefix, no newline, and its length")
{
	mp_set_log_hook(keep_line, &last);
	CHECK_EQ(printk(KERN_INFO "block %d\n", 7), 8);
	CHECK_STR(last.text, "block 7");
	CHECK_EQ(last.level, 6);
	CHECK_EQ(last.arg, (void *)&last);
	printk("plain");
	CHECK_EQ(last.level, 4);
	CHECK_STR(last.text, "plain");
	pr_debug("%s", "deep");
	CHECK_EQ(last.level, 7);
	pr_err("bad");
	CHECK_EQ(last.level, 3);
	CHECK_EQ(last.calls, 4);
}

TEST(warn_and_fatal, "WARN tells its text and place and counts, a fatal hook that returns lets things go on")
{
	mp_set_warn_hook(keep_text, NULL);
	mp_set_fatal_hook(keep_text, NULL);
	CHECK(!WARN(false, "not %d", 1));
	CHECK_EQ(last.calls, 0);
	CHECK(WARN(true, "it is %d", 2));
	CHECK(strstr(last.text, "it is 2 at "));
	CHECK(strstr(last.text, "report.c:"));
	CHECK(strncmp(last.text, "../", 3) != 0);
	for (int i = 0; i < 3; i++)
		WARN_ONCE(true, "once");
	CHECK_EQ(last.calls, 2);
	CHECK_EQ(mp_warn_count(), 2);
	BUG_ON(1 + 1 == 2);
	CHECK_EQ(last.calls, 3);
	CHECK(strstr(last.text, "BUG: 1 + 1 == 2"));
	CHECK_EQ(mp_warn_count(), 2);
}

/* ---- the ring ---- */

TEST(ring_order, "records come back in order, once, with all they were given")
{
	struct mp_ring_record record;
	uint64_t cursor = 0;

	CHECK_EQ(mp_ring_read(&cursor, &record), 0);
	ring_record(MP_RING_STATE, 1, -2, 1L << 60, "a name that is longer than the forty-seven characters");
	ring_record(MP_RING_ADD, 4, 5, 6, NULL);
	CHECK_EQ(mp_ring_read(&cursor, &record), 1);
	CHECK_EQ(record.seq, 1);
	CHECK_EQ(record.type, MP_RING_STATE);
	CHECK_EQ(record.tid, gettid());
	CHECK_EQ(record.a, 1);
	CHECK_EQ(record.b, -2);
	CHECK_EQ(record.c, 1L << 60);
	CHECK_EQ(strlen(record.name), 47);
	CHECK_EQ(mp_ring_read(&cursor, &record), 1);
	CHECK_EQ(record.seq, 2);
	CHECK_STR(record.name, "");
	CHECK_EQ(mp_ring_read(&cursor, &record), 0);
	ring_record(MP_RING_BOOT, 0, 0, 0, NULL);
	CHECK_EQ(mp_ring_read(&cursor, &record), 1);
	CHECK_EQ(record.seq, 3);
	CHECK_STR(mp_ring_type_name(MP_RING_LOCK_WAIT), "lock_wait");
	CHECK_STR(mp_ring_type_name(0), "?");
	CHECK_STR(mp_ring_type_name(999), "?");
	CHECK_STR(mp_event_name(MEM_CANCEL_OFFLINE), "MEM_CANCEL_OFFLINE");
	CHECK_STR(mp_event_name(3), "?");
}

TEST(ring_wraps, "a reader that was lapped goes on with the oldest, and the gap shows")
{
	struct mp_ring_record record;
	uint64_t cursor = 0;
	int count = 0;

	ring_record(MP_RING_ADD, 1, 0, 0, NULL);
	CHECK_EQ(mp_ring_read(&cursor, &record), 1);
	for (int i = 2; i <= 10000; i++)
		ring_record(MP_RING_ADD, i, 0, 0, NULL);
	while (mp_ring_read(&cursor, &record)) {
		if (!count++)
			CHECK_EQ(record.seq, 10000 - 8192 + 1);
		CHECK_EQ(record.a, (int64_t)record.seq);
	}
	CHECK_EQ(count, 8192);
}

static int writers_done;

static long write_records(void *number)
{
	for (long i = 0; i < 20000; i++)
		ring_record(MP_RING_ISOLATE, (long)number, i, (long)number ^ i, "same");
	__atomic_fetch_add(&writers_done, 1, __ATOMIC_SEQ_CST);
	return 0;
}

TEST(ring_concurrent, "records read while others are written are whole and in order")
{
	struct mp_ring_record record;
	struct worker writers[3];
	uint64_t cursor = 0, seq = 0;
	long seen = 0, last_of[3] = { -1, -1, -1 };
	bool over = false;

	for (long i = 0; i < 3; i++)
		worker_start(&writers[i], write_records, (void *)i);
	while (!over) {
		over = __atomic_load_n(&writers_done, __ATOMIC_SEQ_CST) == 3;
		while (mp_ring_read(&cursor, &record)) {
			CHECK_GT(record.seq, seq);
			seq = record.seq;
			CHECK_EQ(record.c, record.a ^ record.b);
			CHECK_STR(record.name, "same");
			CHECK_GT(record.b, last_of[record.a]);
			last_of[record.a] = record.b;
			seen++;
		}
	}
	for (int i = 0; i < 3; i++)
		worker_join(&writers[i]);
	CHECK_GE(seq, 60000);
	CHECK_GE(seen, 8192);
}

/* ---- reasons ---- */

static struct mp_reason block_reason;
static int block_reasons;

static void keep_block_reason(const struct mp_reason *reason)
{
	block_reason = *reason;
	block_reasons++;
}

TEST(reason_first_wins, "the first reason of an operation stays, with what it belongs to")
{
	struct mp_ring_record record;
	struct mp_reason reason;
	uint64_t cursor = 0;

	CHECK_EQ(mp_last_reason(&reason), -ENOENT);
	reason_block_hook = keep_block_reason;
	reason_begin("offline", 7);
	CHECK(!reason_is_set());
	/* An inner operation is a part of the outer one. */
	reason_begin("remove", 99);
	CHECK_EQ(reason_set(MP_REASON_PAGE, -EBUSY, "holder", "memory%d: refused", 7), -EBUSY);
	reason_page(1234, 3);
	reason_end();
	CHECK(reason_is_set());
	CHECK_EQ(reason_set(MP_REASON_VETO, -EPERM, "other", "later"), -EPERM);
	reason_page(1, 1);
	reason_end();
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_PAGE);
	CHECK_EQ(reason.error, -EBUSY);
	CHECK_EQ(reason.block, 7);
	CHECK_EQ(reason.pfn, 1234);
	CHECK_EQ(reason.left, 3);
	CHECK_GE(reason.at_ns, reason.since_ns);
	CHECK_STR(reason.operation, "offline");
	CHECK_STR(reason.actor, "holder");
	CHECK_STR(reason.text, "memory7: refused");
	CHECK_EQ(block_reasons, 2);
	CHECK_EQ(block_reason.pfn, 1234);
	CHECK_EQ(mp_ring_read(&cursor, &record), 1);
	CHECK_EQ(record.type, MP_RING_REFUSAL);
	CHECK_EQ(record.a, 7);
	CHECK_EQ(record.b, -EBUSY);
	CHECK_EQ(record.c, MP_REASON_PAGE);
	CHECK_STR(record.name, "holder");
	CHECK_EQ(mp_ring_read(&cursor, &record), 0);

	/* The next operation begins anew; without a refusal the old reason stays. */
	reason_begin("online", 8);
	CHECK(!reason_is_set());
	reason_end();
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.block, 7);
}

static long no_reason_here(void *unused)
{
	struct mp_reason reason;

	return mp_last_reason(&reason);
}

TEST(reason_per_thread, "a reason belongs to the thread that was refused; outside of operations the last counts")
{
	struct mp_reason reason;
	struct worker worker;

	reason_set(MP_REASON_STATE, -EINVAL, NULL, "first");
	reason_set(MP_REASON_ARGUMENT, -E2BIG, NULL, "second");
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_STR(reason.text, "second");
	CHECK_STR(reason.operation, "");
	CHECK_EQ(reason.block, -1);
	CHECK_EQ(reason.pfn, ~0UL);
	worker_start(&worker, no_reason_here, NULL);
	CHECK_EQ(worker_join(&worker), -ENOENT);
	CHECK_STR(mp_reason_kind_name(MP_REASON_NO_MEMORY), "no memory");
	CHECK_STR(mp_reason_kind_name((enum mp_reason_kind)-1), "?");
	CHECK_STR(mp_reason_kind_name((enum mp_reason_kind)1000), "?");
}

/* ---- names ---- */

static __attribute__((noinline)) int a_static_function(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}

TEST(symbol_names, "exported, static and unknown addresses have a name")
{
	char name[100], small[8];

	CHECK_EQ(a_static_function(1), 2);
	mp_symbol_name((void *)a_static_function, name, sizeof(name));
	CHECK_STR(name, "a_static_function");
	mp_symbol_name((char *)a_static_function + 1, name, sizeof(name));
	CHECK_STR(name, "a_static_function+0x1");
	mp_symbol_name((void *)qsort, name, sizeof(name));
	CHECK(strstr(name, "qsort"));
	CHECK_EQ(mp_symbol_name((void *)a_static_function, small, sizeof(small)),
		 (int)strlen("a_static_function"));
	CHECK_STR(small, "a_stati");
	mp_symbol_name((void *)8, name, sizeof(name));
	CHECK_STR(name, "0x8");
	mp_symbol_name(NULL, name, sizeof(name));
	CHECK_STR(name, "(none)");
}

TEST(registration_names, "a registration has the text and place of its macro, else the symbol")
{
	char name[100];
	int key = 0, other = 0;

	CHECK_EQ(names_add(&key, "my_callback", "driver.c", 12), 0);
	names_get(&key, (void *)a_static_function, name, sizeof(name));
	CHECK_STR(name, "my_callback (driver.c:12)");
	CHECK_EQ(names_add(&key, "again", "driver.c", 13), 0);
	names_get(&key, (void *)a_static_function, name, sizeof(name));
	CHECK_STR(name, "again (driver.c:13)");
	names_get(&other, (void *)a_static_function, name, sizeof(name));
	CHECK_STR(name, "a_static_function");
	names_remove(&key);
	names_remove(&key);
	names_get(&key, (void *)a_static_function, name, sizeof(name));
	CHECK_STR(name, "a_static_function");
}

TEST(slab, "kmalloc and friends are the heap; a product that overflows fails")
{
	char *p = kzalloc(100, GFP_KERNEL);

	CHECK(p);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(p[i], 0);
	kfree(p);
	kfree(NULL);
	p = kmalloc_array(10, 10, GFP_KERNEL);
	CHECK(p);
	kfree(p);
	CHECK_EQ(kcalloc(~0UL / 2, 3, GFP_KERNEL), NULL);
	CHECK_EQ(kmalloc_array(~0UL / 2, 3, GFP_KERNEL), NULL);
}
