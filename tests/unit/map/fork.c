/* SPDX-License-Identifier: MIT */
/* fork() and mapped memory: what a child sees, and what becomes of the parent's (docs/live-memory.md). */
#include "live.h"

#include "map/map.h"

#include <sys/mman.h>
#include <sys/wait.h>

/* A child that runs `body` when it is told to, and again until it is told to end. */
struct child {
	pid_t pid;
	int orders[2], answers[2];
};

static void child_start(struct child *me, int (*body)(void))
{
	char order;

	CHECK_EQ(pipe(me->orders) | pipe(me->answers), 0);
	me->pid = fork();
	if (me->pid)
		return;
	while (read(me->orders[0], &order, 1) == 1 && order == 'r') {
		int result = body();

		if (write(me->answers[1], &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(0);
}

static int child_run(struct child *me)
{
	int result = -1;

	CHECK_EQ(write(me->orders[1], "r", 1), 1);
	CHECK_EQ(read(me->answers[0], &result, sizeof(result)), (ssize_t)sizeof(result));
	return result;
}

static void child_end(struct child *me)
{
	int status;

	CHECK_EQ(write(me->orders[1], "e", 1), 1);
	CHECK_EQ(waitpid(me->pid, &status, 0), me->pid);
	CHECK_EQ(status, 0);
}

static char *range;
static size_t length = 10 * MIB + 3 * GRANULE;

static int snapshot_wrong(void)
{
	return (int)wrong(range, length, 1);
}

static void start_with_range(void)
{
	start(3);
	range = map(length, MP_MAP_FORK);
	write_pattern(range, length, 1);
}

static void await_folded(void)
{
	AWAIT(!map_stats().snapshots);
}

static void finish_range(uint64_t seed)
{
	await_folded();
	CHECK_EQ(wrong(range, length, seed), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(set_state(HOT_BLOCK + i, "offline"), 0);
		CHECK_EQ(mp_block_resident(HOT_BLOCK + i), 0);
		CHECK_EQ(set_state(HOT_BLOCK + i, "online_movable"), 0);
	}
	CHECK_EQ(wrong(range, length, seed), 0);
	CHECK_EQ(mp_unmap(range, length), 0);
	finish();
}

TEST(fork_snapshot, "a child keeps what was there at fork while the parent writes; both write apart")
{
	struct child child;

	start_with_range();
	child_start(&child, snapshot_wrong);
	write_pattern(range, length, 2);
	CHECK_EQ(child_run(&child), 0);
	/* Of anonymous memory the host keeps the snapshot. */
	CHECK_EQ(map_stats().snapshots > 0, !is_anonymous());
	write_pattern(range, length, 3);
	CHECK_EQ(child_run(&child), 0);
	CHECK_EQ(wrong(range, length, 3), 0);
	child_end(&child);
	finish_range(3);
}

static int write_in_child(void)
{
	write_pattern(range, length, 8);
	return (int)wrong(range, length, 8);
}

TEST(fork_child_writes, "what a child writes is the child's alone")
{
	struct child child;

	start_with_range();
	child_start(&child, write_in_child);
	CHECK_EQ(child_run(&child), 0);
	CHECK_EQ(wrong(range, length, 1), 0);
	child_end(&child);
	finish_range(1);
}

static bool is_locked(void)
{
	return !has_flag(range, " lo") && has_flag(range + MIB, " lo") && has_flag(range + MIB + 4096, " lo") &&
	       !has_flag(range + MIB + 8192, " lo") && has_flag(range + 4 * MIB, " lo") &&
	       has_flag(range + 7 * MIB - 4096, " lo") && !has_flag(range + 7 * MIB, " lo");
}

TEST(fork_mlock, "what the parent has locked in memory is locked while a child is there, and when it is gone and all has moved")
{
	struct child child;

	start_with_range();
	/* Not by mlock(): sanitizers make that do nothing. */
	if (syscall(SYS_mlock, range + MIB, 8192) || syscall(SYS_mlock, range + 4 * MIB, 3 * MIB))
		SKIP("RLIMIT_MEMLOCK");
	child_start(&child, snapshot_wrong);
	CHECK(is_locked());
	write_pattern(range, 2 * MIB, 9);
	CHECK_EQ(child_run(&child), 0);
	CHECK(is_locked());
	/* Not for good. */
	CHECK_EQ(syscall(SYS_munlock, range + 5 * MIB, MIB), 0);
	child_end(&child);
	AWAIT(map_stats().snapshots == 0);
	CHECK(has_flag(range + 5 * MIB - 4096, " lo") && !has_flag(range + 5 * MIB, " lo") && has_flag(range + 6 * MIB, " lo"));
	CHECK_EQ(syscall(SYS_mlock, range + 5 * MIB, MIB), 0);
	for (int i = 0; i < 2; i++) {
		move_about(1);
		CHECK(is_locked());
	}
	CHECK_EQ(wrong(range, 2 * MIB, 9), 0);
	CHECK_EQ(mp_unmap(range, length), 0);
	finish();
}

TEST(fork_blocks_leave, "blocks without a snapshot leave at once, the others when the child is gone; the reason says so")
{
	struct state_write offline = { HOT_BLOCK, "offline" };
	struct mp_reason reason;
	struct worker worker;
	struct child child;
	long block = -1;

	start_with_range();
	child_start(&child, snapshot_wrong);
	if (is_anonymous()) {
		/* The snapshot is the host's, and holds no block. */
		for (long i = HOT_BLOCK; i < HOT_BLOCK + 3; i++) {
			CHECK_EQ(set_state(i, "offline"), 0);
			CHECK_EQ(mp_block_resident(i), 0);
			CHECK_EQ(set_state(i, "online_movable"), 0);
		}
		CHECK_EQ(child_run(&child), 0);
		child_end(&child);
		finish_range(1);
		return;
	}
	for (long i = HOT_BLOCK; i < HOT_BLOCK + 3; i++) {
		if (mp_block_resident(i)) {
			CHECK_EQ(block, -1);
			block = i;
		} else {
			CHECK_EQ(set_state(i, "offline"), 0);
			CHECK_EQ(set_state(i, "online_movable"), 0);
		}
	}
	CHECK_GE(block, 0);
	mp_set_deadline(50);
	CHECK_EQ(set_state(block, "offline"), -EINTR);
	mp_set_deadline(0);
	CHECK_EQ(mp_block_reason(block, &reason), 0);
	CHECK(strstr(reason.text, "read by a fork child") != NULL);
	offline.block = block;
	worker_start(&worker, write_state, &offline);
	worker_await_sleep(&worker);
	write_pattern(range, length, 4);
	CHECK_EQ(child_run(&child), 0);
	CHECK(!worker_done(&worker));
	child_end(&child);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_EQ(wrong(range, length, 4), 0);
	CHECK_EQ(set_state(block, "online_movable"), 0);
	finish_range(4);
}

TEST(fork_unmap, "MIGRATION pitfall 10: what the parent unmaps and maps anew meanwhile is no page of the child's")
{
	struct child first, second;
	char *other;

	start_with_range();
	child_start(&first, snapshot_wrong);
	write_pattern(range + 4 * MIB, MIB, 5);
	/* Private already: not made private again, which would lose what was written since. */
	child_start(&second, NULL);
	CHECK_EQ(wrong(range + 4 * MIB, MIB, 5), 0);
	CHECK_EQ(mp_unmap(range + 8 * MIB, length - 8 * MIB), 0);
	CHECK_EQ(mp_map_discard(range, MIB), 0);
	CHECK(is_zero(range, MIB));
	other = map(20 * MIB, 0);
	write_pattern(other, 20 * MIB, 6);
	CHECK_EQ(child_run(&first), 0);
	child_end(&first);
	child_end(&second);
	CHECK(is_zero(range, MIB));
	CHECK_EQ(wrong(other, 20 * MIB, 6), 0);
	CHECK_EQ(mp_unmap(other, 20 * MIB), 0);
	await_folded();
	CHECK_EQ(wrong(range + 4 * MIB, MIB, 5), 0);
	CHECK_EQ(mp_unmap(range, 8 * MIB), 0);
	AWAIT(!mp_shutdown());
}

TEST(fork_pinned, "a unit that is pinned while a child lives stays the copy that it is until it is unpinned; the others are folded")
{
	struct child child;

	start_with_range();
	if (is_anonymous()) {
		/* The copies are the host's: there is nothing to fold. */
		finish_range(1);
		return;
	}
	child_start(&child, snapshot_wrong);
	write_pattern(range, length, 2);
	/* The first: whoever folds comes by it before the others. */
	CHECK_EQ(mp_pin(range, GRANULE), 0);
	CHECK_EQ(child_run(&child), 0);
	child_end(&child);
	AWAIT(map_stats().snapshots <= unit_bytes(table_get(range)) / GRANULE);
	CHECK(table_get(range) & MAP_PRIVATE_COPY);
	CHECK(!(table_get(range + length - GRANULE) & MAP_PRIVATE_COPY));
	CHECK_EQ(mp_unpin(range, GRANULE), 0);
	finish_range(2);
}

static int fork_and_exit(void)
{
	int result, fds[2];

	/* Closes all it can, as daemons do; its own child is the one that reads. */
	if (pipe(fds))
		return -1;
	if (!fork()) {
		for (int i = 3; i < 4096; i++)
			if (i != fds[1])
				close(i);
		result = snapshot_wrong();
		_exit(write(fds[1], &result, sizeof(result)) != sizeof(result));
	}
	result = read(fds[0], &result, sizeof(result)) == sizeof(result) ? result : -1;
	close(fds[0]);
	close(fds[1]);
	return result;
}

TEST(fork_daemon, "MIGRATION pitfall 11: a grandchild that closed all descriptors keeps its snapshot")
{
	struct child child;

	start_with_range();
	child_start(&child, fork_and_exit);
	write_pattern(range, length, 7);
	CHECK_EQ(child_run(&child), 0);
	child_end(&child);
	finish_range(7);
}

static int is_absent(void)
{
	unsigned char vec[16];

	return mincore(range, GRANULE, vec) == -1 && errno == ENOMEM ? 0 : 1;
}

TEST(fork_default, "MIGRATION pitfall 11: without MP_MAP_FORK, and in a child of a bare clone(), the range is not there")
{
	struct child child;
	int status;
	pid_t pid;

	start_with_range();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	/* Anonymous memory with MP_MAP_FORK is a child's like any other. */
	if (!pid)
		_exit(is_absent() != is_anonymous());
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(mp_unmap(range, length), 0);
	range = map(length, 0);
	write_pattern(range, length, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	child_start(&child, is_absent);
	CHECK_EQ(child_run(&child), 0);
	child_end(&child);
	finish_range(1);
}

static int boots_its_own(void)
{
	void *at = NULL;
	int bad = snapshot_wrong();

	if (mp_map(&at, MIB, -1, 0) != -ENXIO || mp_pin(range, 1) != -ENXIO)
		return -1;
	machine_boot(NULL);
	if (mp_map(&at, MIB, -1, MP_MAP_FORK | MP_MAP_POPULATE) || !is_zero(at, MIB))
		return -2;
	write_pattern(at, MIB, 5);
	return bad + (int)wrong(at, MIB, 5) + snapshot_wrong() + mp_unmap(at, MIB);
}

TEST(fork_own_machine, "a child has no machine until it boots its own; its snapshot stays readable")
{
	struct child child;

#if defined(__SANITIZE_THREAD__)
	SKIP("TSan allows no new threads in the child of a process with threads");
#endif
	start_with_range();
	child_start(&child, boots_its_own);
	CHECK_EQ(child_run(&child), 0);
	child_end(&child);
	finish_range(1);
}

TEST(fork_while_leaving, "a child that is made while a block leaves does not take that for a block of its own machine")
{
	static struct state_write offline = { .text = "offline" };
	struct child reader, child;
	struct worker worker;

#if defined(__SANITIZE_THREAD__)
	SKIP("TSan allows no new threads in the child of a process with threads");
#endif
	start_with_range();
	if (is_anonymous()) {
		/* There a block does not wait for a child. */
		finish_range(1);
		return;
	}
	/* What it reads stays until it has ended. */
	child_start(&reader, snapshot_wrong);
	for (offline.block = HOT_BLOCK; !mp_block_resident(offline.block);)
		offline.block++;
	worker_start(&worker, write_state, &offline);
	worker_await_sleep(&worker);
	child_start(&child, boots_its_own);
	CHECK_EQ(child_run(&child), 0);
	child_end(&child);
	CHECK(!worker_done(&worker));
	child_end(&reader);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_EQ(set_state(offline.block, "online_movable"), 0);
	finish_range(1);
}

/* ---- snapshots under load: the first word of a pair is always raised before the second ---- */

#define PAIRS 40
static int stop; /* atomic */

static uint64_t *word(unsigned int i, unsigned int which)
{
	return (uint64_t *)(range + i * 4 * GRANULE + (which ? 2 * GRANULE + 8 : 0));
}

static void *raise_pairs(void *arg)
{
	uint64_t n = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		n++;
		for (unsigned int i = 0; i < PAIRS; i++) {
			__atomic_store_n(word(i, 0), n, __ATOMIC_RELEASE);
			__atomic_store_n(word(i, 1), n, __ATOMIC_RELEASE);
		}
	}
	*(uint64_t *)arg = n;
	return NULL;
}

static int torn(void)
{
	int bad = 0;

	for (unsigned int i = 0; i < PAIRS; i++)
		bad += *word(i, 0) != *word(i, 1) && *word(i, 0) != *word(i, 1) + 1;
	return bad;
}

static void *leave_and_return(void *arg)
{
	(void)arg;
	mp_set_deadline(200);
	for (long i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
		int ret = set_state(HOT_BLOCK + i % 3, "offline");

		/* A snapshot may keep it for longer than that. */
		if (ret && ret != -EINTR && ret != -ENOMEM)
			FAIL("offline: %d", ret);
		if (!ret)
			CHECK_EQ(set_state(HOT_BLOCK + i % 3, "online_movable"), 0);
	}
	return NULL;
}

TEST(fork_load, "snapshots are of one moment while threads write and blocks leave and return")
{
	pthread_t writer, mover;
	uint64_t last = 0;
	int status;

	start_with_range();
	memset(range, 0, length);
	CHECK_EQ(pthread_create(&writer, NULL, raise_pairs, &last), 0);
	CHECK_EQ(pthread_create(&mover, NULL, leave_and_return, NULL), 0);
	for (int i = 0; i < 12; i++) {
		pid_t pid = fork();
		if (!pid)
			_exit(torn());
		if (i % 3 == 0)
			await_folded();
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, 0);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	CHECK_EQ(pthread_join(writer, NULL), 0);
	CHECK_EQ(pthread_join(mover, NULL), 0);
	await_folded();
	for (unsigned int i = 0; i < PAIRS; i++)
		CHECK(*word(i, 0) == last && *word(i, 1) == last);
	machine_check();
}
