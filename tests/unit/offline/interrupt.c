/* SPDX-License-Identifier: MIT */
/*
 * What ends an offline before it is done: a pending signal (OFFLINE-8), mp_cancel(), a deadline, and the
 * reason that tells which.
 */
#include "machine.h"

#define NODE 1

static int handled;

static void count_signal(int signal)
{
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static struct page *boot_with_stuck_page(void)
{
	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	return stuck_take(NODE);
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	CHECK_EQ(sigaction(signal, &action, NULL), 0);
}

static enum mp_reason_kind last_kind(void)
{
	struct mp_reason reason;

	CHECK_EQ(mp_block_reason(32, &reason), 0);
	return reason.kind;
}

static long offline_32(void *arg)
{
	return set_state(32, "offline");
}

static void start_and_wait(struct worker *worker)
{
	worker_start(worker, offline_32, NULL);
	AWAIT(!strcmp(read_block(32, "state"), "going-offline"));
	worker_await_sleep(worker);
}

TEST(OFFLINE_8, "any pending unblocked signal gives EINTR, with SA_RESTART too; the handler runs on return")
{
	static const int signals[] = { SIGUSR1, SIGALRM, SIGTERM };
	struct worker worker;
	struct page *stuck = boot_with_stuck_page();

	for (unsigned int i = 0; i < ARRAY_SIZE(signals); i++) {
		handle(signals[i], SA_RESTART);
		start_and_wait(&worker);
		CHECK_EQ(__atomic_load_n(&handled, __ATOMIC_RELAXED), i);
		CHECK_EQ(pthread_kill(worker.thread, signals[i]), 0);
		CHECK_EQ(worker_join(&worker), -EINTR);
		CHECK_EQ(__atomic_load_n(&handled, __ATOMIC_RELAXED), i + 1);
		CHECK_EQ(last_kind(), MP_REASON_SIGNAL);
		CHECK_STR(read_block(32, "state"), "online");
	}
	__free_page(stuck);
	CHECK_EQ(set_state(32, "offline"), 0);
	machine_check();
}

static void signal_self(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE) {
		CHECK_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
		/* Held back until the offline returns. */
		CHECK_EQ(__atomic_load_n(&handled, __ATOMIC_RELAXED), 0);
	}
}

TEST(OFFLINE_8, "one that arrives before the loop counts, also when there is nothing to move")
{
	struct listener a = { .hook = signal_self };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	handle(SIGUSR1, 0);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), -EINTR);
	CHECK_EQ(handled, 1);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE");
}

TEST(OFFLINE_8, "a signal that the caller blocks, or that it ignores, ends nothing")
{
	struct listener a = { .hook = signal_self };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set, now;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	handle(SIGUSR1, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(handled, 0);
	/* The mask is what it was. */
	CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
	CHECK_EQ(sigismember(&now, SIGUSR2), 0);
	CHECK_EQ(sigismember(&now, SIGTERM), 0);
	CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
	CHECK_EQ(handled, 1);
	CHECK_EQ(sigaction(SIGUSR1, &ignore, NULL), 0);
	handled = 0;
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(handled, 0);
}

static void child_dies(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	/* What a parent gets whose child exits; by default it is ignored. */
	if (action == MEM_GOING_OFFLINE)
		CHECK_EQ(pthread_kill(pthread_self(), SIGCHLD), 0);
}

TEST(OFFLINE_8, "nor does one that is ignored by default, SIGCHLD say")
{
	struct listener a = { .hook = child_dies };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_STR(read_block(32, "state"), "offline");
}

TEST(cancel_running, "mp_cancel() ends the offline that a thread is in, and says so")
{
	struct worker worker;
	struct page *stuck = boot_with_stuck_page();
	struct mp_reason reason;

	start_and_wait(&worker);
	CHECK_EQ(mp_cancel(worker.thread), 0);
	CHECK_EQ(worker_join(&worker), -EINTR);
	CHECK_EQ(mp_block_reason(32, &reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_CANCEL);
	CHECK_EQ(reason.error, -EINTR);
	CHECK_EQ(reason.pfn, page_to_pfn(stuck));
	CHECK_EQ(reason.left, 1);
	__free_page(stuck);
	CHECK_EQ(set_state(32, "offline"), 0);
	machine_check();
}

TEST(cancel_next, "mp_cancel() of a thread that is in no operation ends its next one, and only that")
{
	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(mp_cancel(pthread_self()), 0);
	CHECK_EQ(set_state(32, "offline"), -EINTR);
	CHECK_EQ(last_kind(), MP_REASON_CANCEL);
	CHECK_EQ(set_state(32, "offline"), 0);
}

static long do_nothing(void *arg)
{
	return 0;
}

TEST(cancel_stranger, "mp_cancel() of a thread that the library does not know is ESRCH")
{
	struct worker worker;

	machine_boot(NULL);
	worker_start(&worker, do_nothing, NULL);
	CHECK_EQ(mp_cancel(worker.thread), -ESRCH);
	CHECK_EQ(worker_join(&worker), 0);
}

static struct memory_block *block;

static long offline_by_device(void *arg)
{
	int ret;

	mp_set_deadline(20);
	lock_device_hotplug();
	ret = device_offline(&block->dev);
	unlock_device_hotplug();
	return ret;
}

static long offline_by_tree(void *arg)
{
	mp_set_deadline(20);
	return set_state(32, "offline");
}

TEST(deadline, "a deadline gives ETIMEDOUT, through the tree EINTR, and its reason; zero is for ever")
{
	struct worker worker;
	struct page *stuck = boot_with_stuck_page();
	struct listener a = { 0 };
	struct mp_reason reason;

	listen_as(&a, "A", 0);
	block = get_block(32);
	worker_start(&worker, offline_by_device, NULL);
	CHECK_EQ(worker_join(&worker), -ETIMEDOUT);
	CHECK_STR(heard(), "A:GOING_OFFLINE A:CANCEL_OFFLINE");
	CHECK_EQ(mp_block_reason(32, &reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_DEADLINE);
	CHECK_EQ(reason.error, -ETIMEDOUT);
	CHECK_EQ(reason.pfn, page_to_pfn(stuck));
	worker_start(&worker, offline_by_tree, NULL);
	CHECK_EQ(worker_join(&worker), -EINTR);
	CHECK_EQ(last_kind(), MP_REASON_DEADLINE);
	CHECK_STR(read_block(32, "state"), "online");
	/* Another thread has none. */
	__free_page(stuck);
	mp_set_deadline(20);
	mp_set_deadline(0);
	CHECK_EQ(set_state(32, "offline"), 0);
	put_device(&block->dev);
	machine_check();
}
