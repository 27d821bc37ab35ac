/* SPDX-License-Identifier: MIT */
/*
 * System calls about threads: futex, membarrier, sleeping, signal masks, time.
 * No state of its own.
 */
#include "os/os.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
				  .tv_nsec = (long)(ns % 1000000000) };
}

int os_membarrier_register(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) ? -errno : 0;
}

int os_membarrier(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) ? -errno : 0;
}

int os_futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	struct timespec timeout = timespec_of(timeout_ns);

	return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout_ns ? &timeout : NULL) ?
		       -errno : 0;
}

int os_futex_wake(uint32_t *word, int count)
{
	long woken = syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count);

	return woken < 0 ? -errno : (int)woken;
}

int os_futex_wake_shared(uint32_t *word, int count)
{
	long woken = syscall(SYS_futex, word, FUTEX_WAKE, count);

	return woken < 0 ? -errno : (int)woken;
}

long os_futex_number(void)
{
	return SYS_futex;
}

int os_sleep_ns(uint64_t ns)
{
	struct timespec pause = timespec_of(ns);

	return -clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

int os_sched_policy(void)
{
	int policy = sched_getscheduler(0);

	return policy < 0 ? -errno : policy;
}

bool os_sched_is_urgent(int policy)
{
	int kind = policy & ~SCHED_RESET_ON_FORK;

	return kind != SCHED_OTHER && kind != SCHED_BATCH && kind != SCHED_IDLE;
}

int os_sched_urgent(int policy)
{
	struct sched_param param = { .sched_priority = 1 };

	return sched_setscheduler(0, SCHED_FIFO | (policy & SCHED_RESET_ON_FORK), &param) ? -errno : 0;
}

int os_sched_restore(int policy)
{
	struct sched_param param = { 0 };

	return sched_setscheduler(0, policy, &param) ? -errno : 0;
}

int os_signals_block(sigset_t *old)
{
	/* Those that a thread brings upon itself stay: blocked, they would kill it. */
	static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
					   SIGABRT };
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++)
		sigdelset(&set, synchronous[i]);
	return -pthread_sigmask(SIG_BLOCK, &set, old);
}

int os_signals_restore(const sigset_t *old)
{
	return -pthread_sigmask(SIG_SETMASK, old, NULL);
}

int os_signals_pending(sigset_t *pending)
{
	return sigpending(pending) ? -errno : 0;
}

int os_signal_ignored(int signal)
{
	struct sigaction action;

	if (sigaction(signal, NULL, &action))
		return -errno;
	if (action.sa_handler == SIG_IGN)
		return 1;
	return action.sa_handler == SIG_DFL && (signal == SIGCHLD || signal == SIGURG ||
						signal == SIGWINCH || signal == SIGCONT);
}

int32_t os_gettid(void)
{
	return (int32_t)syscall(SYS_gettid);
}

uint64_t os_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
