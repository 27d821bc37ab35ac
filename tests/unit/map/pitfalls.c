/* SPDX-License-Identifier: MIT */
/*
 * What is known to go wrong with memory that moves, each with the number under which
 * docs/live-memory.md tells of it. Those of fork() are in fork.c.
 */
#include "live.h"
#include "hugepages.h"

#include "map/map.h"
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

static int stop; /* atomic */

static bool running(void)
{
	return !__atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* One writer that counts in `words` places, each in a granule of its own. */
struct writer {
	pthread_t thread;
	char *at;
	unsigned int words;
	uint64_t rounds, bad; /* rounds: atomic */
};

static void *write_words(void *arg)
{
	struct writer *me = arg;
	uint64_t n = 0;

	for (; running(); n++) {
		for (unsigned int i = 0; i < me->words; i++) {
			volatile uint64_t *word = (uint64_t *)(me->at + i * GRANULE + i % 8 * 8);

			me->bad += *word != n;
			*word = n + 1;
		}
		__atomic_store_n(&me->rounds, n + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void writer_start(struct writer *me, char *at, unsigned int words)
{
	*me = (struct writer){ .at = at, .words = words };
	CHECK_EQ(pthread_create(&me->thread, NULL, write_words, me), 0);
	AWAIT(__atomic_load_n(&me->rounds, __ATOMIC_RELAXED) > 2);
}

static void writer_end(struct writer *me)
{
	uint64_t seen = __atomic_load_n(&me->rounds, __ATOMIC_RELAXED);

	/* It still runs: nobody forgot to wake it. */
	AWAIT(__atomic_load_n(&me->rounds, __ATOMIC_RELAXED) > seen + 1);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(me->thread, NULL), 0);
	CHECK_EQ(me->bad, 0);
}

TEST(pitfall_1, "MIGRATION pitfall 1: a writer that met a window is woken; mapping anew wakes nobody")
{
	struct writer writer;
	char *at;

	start(2);
	at = map(GRANULE, 0);
	writer_start(&writer, at, 1);
	move_about(20);
	writer_end(&writer);
	CHECK_GE(map_stats().moved, 19);
	CHECK_EQ(mp_unmap(at, GRANULE), 0);
	finish();
}

TEST(pitfall_2, "MIGRATION pitfall 2: our descriptors closed by the program, also in a window: nothing is lost")
{
	struct writer writer;
	char *at;

	start(2);
	at = map(MIB, 0);
	writer_start(&writer, at, 16);
	for (int i = 0; i < 8; i++) {
		/* As a daemon's close_range() would. */
		close(mechanism.uffd);
		if (i % 2)
			close(mechanism.pagemap);
		move_about(1);
	}
	writer_end(&writer);
	CHECK_EQ(mp_unmap(at, MIB), 0);
	finish();
}

#define DATAGRAMS 3000

static void *send_datagrams(void *arg)
{
	uint64_t block[64];

	for (uint64_t i = 0; i < DATAGRAMS; i++) {
		for (int j = 0; j < 64; j++)
			block[j] = i * 64 + (uint64_t)j;
		CHECK_EQ(send(*(int *)arg, block, sizeof(block), 0), (ssize_t)sizeof(block));
	}
	return NULL;
}

static long receive_datagrams(void *arg)
{
	void **what = arg;
	char *at = what[0];
	long bad = 0;

	for (uint64_t i = 0; i < DATAGRAMS; i++) {
		/* Over the border of two granules. */
		uint64_t *to = (uint64_t *)(at + (1 + i % 14) * GRANULE - 256);

		bad += recv(*(int *)what[1], to, 512, 0) != 512;
		for (uint64_t j = 0; j < 64; j++)
			bad += to[j] != i * 64 + j;
	}
	return bad;
}

TEST(pitfall_3, "MIGRATION pitfall 3: a system call that meets a window waits; no datagram is lost")
{
	struct worker receiver;
	pthread_t sender;
	void *what[2];
	int fds[2];

	start(2);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	what[0] = map(MIB, 0);
	what[1] = &fds[1];
	worker_start(&receiver, receive_datagrams, what);
	CHECK_EQ(pthread_create(&sender, NULL, send_datagrams, &fds[0]), 0);
	while (!worker_done(&receiver))
		move_about(2);
	CHECK_EQ(worker_join(&receiver), 0);
	CHECK_EQ(pthread_join(sender, NULL), 0);
	CHECK_EQ(mp_unmap(what[0], MIB), 0);
	finish();
}

static void *touch_holes(void *arg)
{
	char *at = arg;

	for (size_t i = 0; i < 16 * MIB; i += 4096) {
		*(uint64_t *)(at + i) = i + 1;
		if (i % (256 << 10) == 0)
			sched_yield();
	}
	return NULL;
}

TEST(pitfall_4, "MIGRATION pitfall 4: a write to a page that is still a hole while it moves is not lost")
{
	pthread_t toucher;
	size_t bad = 0;
	char *at;

	start(2);
	at = map(16 * MIB, 0);
	CHECK_EQ(pthread_create(&toucher, NULL, touch_holes, at), 0);
	move_about(6);
	CHECK_EQ(pthread_join(toucher, NULL), 0);
	for (size_t i = 0; i < 16 * MIB; i += 4096)
		bad += *(uint64_t *)(at + i) != i + 1;
	CHECK_EQ(bad, 0);
	CHECK_EQ(mp_unmap(at, 16 * MIB), 0);
	finish();
}

static void *wait_for_stop(void *arg)
{
	(void)arg;
	while (running())
		sched_yield();
	return NULL;
}

TEST(pitfall_5, "MIGRATION pitfall 5: a thread's stack in mapped memory is pinned, and its block stays until it ends")
{
	pthread_attr_t attr;
	pthread_t thread;
	char *stack;
	long block = HOT_BLOCK;

	start(2);
	stack = map(MIB, MP_MAP_POPULATE);
	block += !mp_block_resident(block);
	CHECK_EQ(mp_pin(stack, MIB), 0);
	CHECK_EQ(pthread_attr_init(&attr), 0);
	CHECK_EQ(pthread_attr_setstack(&attr, stack, MIB), 0);
	CHECK_EQ(pthread_create(&thread, &attr, wait_for_stop, NULL), 0);
	CHECK_EQ(set_state(block, "offline"), -EBUSY);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(mp_unpin(stack, MIB), 0);
	CHECK_EQ(set_state(block, "offline"), 0);
	CHECK_EQ(mp_unmap(stack, MIB), 0);
	finish();
}

static int signals; /* atomic */

static void on_signal(int number)
{
	(void)number;
	__atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
}

TEST(pitfall_6, "MIGRATION pitfall 6: signals run their handlers in a thread that a window holds; it then goes on")
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct writer writer;
	char *at;

	start(2);
	at = map(MIB, 0);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	writer_start(&writer, at, 16);
	for (int i = 0; i < 6; i++) {
		for (int j = 0; j < 50; j++)
			CHECK_EQ(pthread_kill(writer.thread, SIGUSR1), 0);
		move_about(1);
	}
	writer_end(&writer);
	CHECK_GT(__atomic_load_n(&signals, __ATOMIC_RELAXED), 0);
	CHECK_EQ(mp_unmap(at, MIB), 0);
	finish();
}

/* ---- shared futexes ---- */

static long sleep_on(void *arg)
{
	uint32_t *word = arg;
	long sleeps = 0;

	for (; !__atomic_load_n(word, __ATOMIC_ACQUIRE); sleeps++)
		syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL);
	return sleeps;
}

TEST(pitfall_8, "MIGRATION pitfall 8: who sleeps on a shared futex is found by the next wake, wherever the page went")
{
	struct worker sleeper;
	uint32_t *word;
	char *at;

	start(2);
	at = map(MIB, 0);
	for (int i = 0; i < 8; i++) {
		word = (uint32_t *)(at + i * GRANULE + 64);
		worker_start(&sleeper, sleep_on, word);
		worker_await_sleep(&sleeper);
		move_about(1 + i % 3);
		__atomic_store_n(word, 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, word, FUTEX_WAKE, 1);
		CHECK_GT(worker_join(&sleeper), 0);
	}
	/* Those of anonymous memory are known by address. */
	CHECK_EQ(map_stats().futexes_woken > 0, !is_anonymous());
	CHECK_EQ(mp_unmap(at, MIB), 0);
	finish();
}

struct shared_lock {
	pthread_mutex_t lock;
	uint64_t count;
};

static long count_under_lock(void *arg)
{
	struct shared_lock *shared = arg;
	long n = 0;

	while (running()) {
		CHECK_EQ(pthread_mutex_lock(&shared->lock), 0);
		shared->count++;
		n++;
		if (n % 16 == 0)
			sched_yield();
		CHECK_EQ(pthread_mutex_unlock(&shared->lock), 0);
	}
	return n;
}

TEST(pitfall_8_robust, "MIGRATION pitfall 8: a robust mutex hands over while its page moves")
{
	struct worker workers[3];
	struct shared_lock *shared;
	pthread_mutexattr_t attr;
	uint64_t total = 0;

	start(2);
	shared = (struct shared_lock *)map(GRANULE, 0);
	CHECK_EQ(pthread_mutexattr_init(&attr), 0);
	CHECK_EQ(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
	CHECK_EQ(pthread_mutex_init(&shared->lock, &attr), 0);
	for (int i = 0; i < 3; i++)
		worker_start(&workers[i], count_under_lock, shared);
	move_about(12);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		total += (uint64_t)worker_join(&workers[i]);
	CHECK_EQ(shared->count, total);
	CHECK_EQ(mp_unmap(shared, GRANULE), 0);
	finish();
}

TEST(pitfall_9, "MIGRATION pitfall 9: direct I/O into a pinned range arrives, and its block stays meanwhile")
{
	char name[] = "/var/tmp/memplug-direct-XXXXXX", *at;
	long block = HOT_BLOCK;
	int fd;

	start(2);
	at = map(MIB, MP_MAP_POPULATE);
	block += !mp_block_resident(block);
	write_pattern(at, MIB, 1);
	fd = mkostemp(name, O_DIRECT);
	if (fd < 0)
		SKIP("/var/tmp has no direct I/O");
	unlink(name);
	CHECK_EQ(mp_pin(at, MIB), 0);
	CHECK_EQ(pwrite(fd, at, MIB, 0), (ssize_t)MIB);
	memset(at, 0, MIB);
	CHECK_EQ(set_state(block, "offline"), -EBUSY);
	CHECK_EQ(pread(fd, at, MIB, 0), (ssize_t)MIB);
	CHECK_EQ(wrong(at, MIB, 1), 0);
	CHECK_EQ(mp_unpin(at, MIB), 0);
	CHECK_EQ(set_state(block, "offline"), 0);
	CHECK_EQ(wrong(at, MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, MIB), 0);
	close(fd);
	finish();
}

static bool is_online(long block)
{
	char path[80], text[16] = "";

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%ld/state", block);
	CHECK_GT(mp_read(path, text, sizeof(text)), 0);
	return !strcmp(text, "online\n");
}

TEST(pitfall_9_pipe, "MIGRATION pitfall 9: pages in a pipe keep their block online with a reason; read, they let it go")
{
	struct iovec piece;
	long block = HOT_BLOCK;
	struct mp_reason reason;
	char got[GRANULE], *at;
	int pipes[2];

	start(2);
	at = map(4 * MIB, MP_MAP_POPULATE);
	block += !mp_block_resident(block);
	write_pattern(at, 4 * MIB, 1);
	CHECK_EQ(pipe(pipes), 0);
	piece = (struct iovec){ at + 2 * MIB + 4096, 8192 };
	CHECK_EQ(vmsplice(pipes[1], &piece, 1, 0), 8192);
	if (is_anonymous()) {
		/* They stay what they are, so the block may go. */
		CHECK_EQ(set_state(block, "offline"), 0);
		CHECK_EQ(set_state(block, "online_movable"), 0);
		block = HOT_BLOCK + !mp_block_resident(HOT_BLOCK);
	} else {
		CHECK_EQ(set_state(block, "offline"), -EBUSY);
		CHECK_EQ(mp_last_reason(&reason), 0);
		CHECK(strstr(reason.text, "kernel") && strstr(reason.text, "pipe"));
		CHECK(is_online(block));
	}
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	/* Its pages are where they were: what is written now is in the pipe. */
	write_pattern(at, 4 * MIB, 2);
	CHECK_EQ(read(pipes[0], got, sizeof(got)), 8192);
	CHECK_EQ(memcmp(got, at + 2 * MIB + 4096, 8192), 0);
	CHECK_EQ(set_state(block, "offline"), 0);
	CHECK_EQ(mp_block_resident(block), 0);
	CHECK_EQ(wrong(at, 4 * MIB, 2), 0);
	CHECK_EQ(set_state(block, "online_movable"), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

/* Writes all the time where the pages are; stands for a device with a registered buffer. */
static void *write_as_device(void *arg)
{
	uint64_t *at = arg;

	for (uint64_t n = 1; running(); n++)
		for (unsigned int i = 0; i < 16; i++)
			__atomic_store_n(&at[i * GRANULE / 8], n, __ATOMIC_RELAXED);
	return NULL;
}

TEST(pitfall_9_device, "MIGRATION pitfall 9: what a device writes into pages while they cannot leave is not lost, nor what the program writes")
{
	struct writer writer;
	pthread_t device;
	long block = HOT_BLOCK;
	char *at, *theirs;

	start(2);
	at = map(2 * MIB, MP_MAP_POPULATE);
	block += !mp_block_resident(block);
	theirs = mremap(page_address(entry_unit(table_get(at))), 0, 2 * MIB, MREMAP_MAYMOVE);
	/* Anonymous pages cannot be mapped by others. */
	CHECK_EQ(theirs == MAP_FAILED, is_anonymous());
	if (is_anonymous()) {
		CHECK_EQ(mp_unmap(at, 2 * MIB), 0);
		finish();
		return;
	}
	writer_start(&writer, at + SUM_BYTES, 32);
	CHECK_EQ(pthread_create(&device, NULL, write_as_device, theirs), 0);
	AWAIT(__atomic_load_n((uint64_t *)theirs, __ATOMIC_RELAXED));
	for (int i = 0; i < 5; i++)
		CHECK_EQ(set_state(block, "offline"), -EBUSY);
	writer_end(&writer);
	CHECK_EQ(pthread_join(device, NULL), 0);
	/* The same pages, so the same contents. */
	CHECK_EQ(memcmp(at, theirs, 2 * MIB), 0);
	CHECK_GT(*(uint64_t *)at, 0);
	CHECK_EQ(munmap(theirs, 2 * MIB), 0);
	CHECK_EQ(set_state(block, "offline"), 0);
	CHECK_EQ(mp_unmap(at, 2 * MIB), 0);
	finish();
}

TEST(pitfall_9_sums, "MIGRATION pitfall 9: going back, what has changed in the old page stays, the rest is copied")
{
	static char old[GRANULE] __attribute__((aligned(4096))), now[GRANULE] __attribute__((aligned(4096)));
	static uint32_t sums[GRANULE / SUM_BYTES];

	write_pattern(old, GRANULE, 1);
	copy_summed(now, old, GRANULE, sums);
	CHECK_EQ(wrong(now, GRANULE, 1), 0);
	/* The program writes, then the device: one bit, and two words exchanged. */
	write_pattern(now, GRANULE, 2);
	old[5 * SUM_BYTES + 77] ^= 1;
	memcpy(old + 9 * SUM_BYTES, now + 3 * SUM_BYTES, 8);
	memcpy(old + 9 * SUM_BYTES + 16, now + 4 * SUM_BYTES, 8);
	for (int twice = 0; twice < 2; twice++) {
		copy_back(old, now, GRANULE, sums);
		for (size_t i = 0; i < GRANULE; i += SUM_BYTES) {
			bool same = !memcmp(old + i, now + i, SUM_BYTES);

			CHECK_EQ(same, i != 5 * SUM_BYTES && i != 9 * SUM_BYTES);
		}
		/* Once more, since the window failed: the program has gone on. */
		write_pattern(now, GRANULE, 3);
	}
}

/* ---- the host's limits ---- */

/* Takes mappings until the host refuses; every second page keeps them apart. */
static size_t exhaust_mappings(char **hoard, size_t *hoard_length)
{
	size_t length = (size_t)1 << 30, n = 0;

	*hoard = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(*hoard != MAP_FAILED);
	*hoard_length = length;
	for (size_t i = 4096; i < length && !mprotect(*hoard + i, 4096, PROT_READ); i += 8192)
		n++;
	return n;
}

TEST(pitfall_12, "MIGRATION pitfall 12: at the host's limit of mappings a move is rolled back and tried again later")
{
	size_t hoard_length, n;
	struct writer writer;
	char *at, *hoard;
	long block = HOT_BLOCK;
	void *more = NULL;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	SKIP("a sanitizer needs mappings of its own");
#endif
	start(2);
	at = map(4 * MIB, MP_MAP_POPULATE);
	block += !mp_block_resident(block);
	writer_start(&writer, at, 64);
	n = exhaust_mappings(&hoard, &hoard_length);
	if (n > 500000)
		SKIP("vm.max_map_count is too large to be met: %zu", n);
	/* Anonymous memory needs no mapping to move; the rest tries until it is told to end. */
	mp_set_deadline(is_anonymous() ? 0 : 300);
	CHECK_EQ(set_state(block, "offline"), is_anonymous() ? 0 : -EINTR);
	mp_set_deadline(0);
	CHECK_EQ(mp_map(&more, MIB, 1, 0), -ENOMEM);
	CHECK_EQ(munmap(hoard, hoard_length), 0);
	if (is_anonymous())
		CHECK_EQ(set_state(block, "online_movable"), 0);
	CHECK_EQ(set_state(block, "offline"), 0);
	writer_end(&writer);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

TEST(pitfall_13, "MIGRATION pitfalls 13, 16: what moved is still left out of fork, in huge pages where the host has them, and in a core once")
{
	char flags[256];
	char *at;

	start(2);
	at = map(4 * MIB, MP_MAP_POPULATE);
	for (int i = 0; i < 3; i++) {
		vm_flags(at + MIB, flags, sizeof(flags));
		CHECK(strstr(flags, " dc") != NULL);
		CHECK(strstr(flags, " hg") != NULL);
		CHECK(strstr(flags, " dd") == NULL);
		move_about(1);
		if (is_anonymous())
			continue;
		/* The same pages in the direct map. */
		vm_flags(page_address(entry_unit(table_get(at + MIB))), flags, sizeof(flags));
		CHECK(strstr(flags, " dd") != NULL);
	}
	CHECK_LE(map_stats().mappings, 3);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

TEST(pitfall_13_mlock, "MIGRATION pitfall 13: what the program has locked in memory, page by page, is locked after it has moved")
{
	char *at;

	start(2);
	at = map(4 * MIB + GRANULE, MP_MAP_POPULATE);
	/* Nothing is locked, which is known for a while. */
	move_about(1);
	/* Not by mlock(): sanitizers make that do nothing. */
	if (syscall(SYS_mlock, at + MIB + 4096, MIB) || syscall(SYS_mlock, at + 4 * MIB, GRANULE))
		SKIP("RLIMIT_MEMLOCK");
	for (int i = 0; i < 3; i++) {
		move_about(1);
		CHECK(!has_flag(at, " lo"));
		CHECK(!has_flag(at + MIB, " lo"));
		CHECK(has_flag(at + MIB + 4096, " lo"));
		CHECK(has_flag(at + 2 * MIB, " lo"));
		CHECK(!has_flag(at + 2 * MIB + 4096, " lo"));
		CHECK(!has_flag(at + 4 * MIB - 4096, " lo"));
		CHECK(has_flag(at + 4 * MIB + GRANULE - 4096, " lo"));
	}
	CHECK_EQ(mp_unmap(at, 4 * MIB + GRANULE), 0);
	finish();
}

TEST(pitfall_14, "MIGRATION pitfall 14: memory is counted once, as the host counts it, and follows what leaves")
{
	struct mp_stats before, after;
	char *at;

	start(2);
	at = map(16 * MIB, MP_MAP_POPULATE);
	CHECK_EQ(mp_get_stats(&before), 0);
	CHECK_GE(before.bytes_resident, 16 * MIB);
	move_about(2);
	CHECK_EQ(mp_get_stats(&after), 0);
	CHECK_LE(after.bytes_resident, before.bytes_resident + before.bytes_resident / 50);
	CHECK_GE(after.bytes_resident, 16 * MIB);
	CHECK_EQ(mp_unmap(at, 16 * MIB), 0);
	finish();
}

TEST(pitfall_15, "MIGRATION pitfall 15: units of the pool of huge pages move whole; their targets are there already")
{
	struct mp_map_stats stats;
	void *at = NULL;
	int ret;

	pool_borrow(24);
	machine_boot_text("node 0\nnode 1\ncpu 0 node 0\nram 1M 127M node 0\nblock = 16M\novercommit = yes\n"
			  "backing node 1 hugetlb\nmemhp_default_state = online_movable\n");
	ret = add_memory(1, HOT, 32 << 20, MHP_NONE) ?: mp_map_prepare();
	if (!ret)
		ret = mp_map(&at, 6 * MIB, 1, MP_MAP_THISNODE | MP_MAP_HUGE);
	if (!ret) {
		write_pattern(at, 6 * MIB, 1);
		ret = mp_write_string("/sys/devices/system/memory/memory256/state", "offline") ?:
		      mp_get_map_stats(&stats);
	}
	if (ret == -ENOMEM && !at)
		SKIP("the host has no 32 MiB of huge pages just now");
	CHECK_EQ(ret, 0);
	CHECK_EQ(wrong(at, 6 * MIB, 1), 0);
	CHECK_EQ(stats.bytes_moved, 6 * MIB);
	CHECK_EQ(mp_unmap(at, 6 * MIB), 0);
	finish();
}

TEST(pitfall_17, "MIGRATION pitfall 17: a granule that was used before is zero before anybody hears of it")
{
	char *at;

	start(2);
	for (int i = 0; i < 20; i++) {
		at = map(3 * GRANULE, 0);
		CHECK(is_zero(at, 3 * GRANULE));
		memset(at, 0xff, 3 * GRANULE);
		CHECK_EQ(mp_unmap(at + GRANULE, GRANULE), 0);
		CHECK_EQ(mp_unmap(at, GRANULE), 0);
		CHECK_EQ(mp_unmap(at + 2 * GRANULE, GRANULE), 0);
	}
	finish();
}
