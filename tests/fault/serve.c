/* SPDX-License-Identifier: MIT */
/*
 * The socket door when calls fail and when it closes while somebody has news:
 * nothing is left of it, and nothing is written to a descriptor that is closed.
 */
#include "mptest.h"
#include "wrap.h"
#include "device/uevent.h"
#include "report/report.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memplug/memplug.h>
#include <memplug/serve.h>

static char path[64];

static void quiet(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static void begin(void)
{
	snprintf(path, sizeof(path), "/tmp/memplug-fault-serve-%d", (int)getpid());
	mp_set_log_hook(quiet, NULL);
}

static int count_dir(const char *name)
{
	DIR *dir = opendir(name);
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/*
 * A joined thread is seen in /proc/self/task until the kernel has done with it, a little longer than
 * pthread_join() waits. True when no more than `least` are left.
 */
static bool threads_settle(int least)
{
	int tries;

	for (tries = 0; count_dir("/proc/self/task") > least; tries++) {
		if (tries == 10000)
			return false;
		usleep(1000);
	}
	return true;
}

/* Other threads' system calls are not this one's, so strace has nothing to compare. */
static void serve_loop(enum fault_kind kind)
{
	int fds, threads, ret;
	const char *what;
	bool hit = true;
	long n;

	begin();
	threads = count_dir("/proc/self/task");
	CHECK_EQ(mp_serve(path, 2) ?: mp_serve_stop(), 0);
	/* A sanitizer may have started one of its own. */
	threads_settle(threads);
	threads = count_dir("/proc/self/task");
	fds = count_dir("/proc/self/fd");
	for (n = 1; hit; n++) {
		fault_arm(kind, n);
		ret = mp_serve(path, 2);
		fault_disarm(&hit, &what);
		if (!hit || !ret)
			CHECK_EQ(ret ?: mp_serve_stop(), 0);
		if (count_dir("/proc/self/fd") != fds)
			FAIL("serve: %s number %ld failed, descriptors %d -> %d", what, n, fds,
			     count_dir("/proc/self/fd"));
		if (!threads_settle(threads))
			FAIL("serve: %s number %ld failed, threads %d -> %d", what, n, threads,
			     count_dir("/proc/self/task"));
		if (!access(path, F_OK))
			FAIL("serve: %s number %ld failed, and the socket is left", what, n);
		if (__atomic_load_n(&ring_wake_hook, __ATOMIC_ACQUIRE))
			FAIL("serve: %s number %ld failed, and the ring still calls", what, n);
	}
	CHECK_GT(n, kind == FAULT_SYSCALL ? 5 : 1);
	printf("# serve: N = %ld\n", n - 2);
}

TEST(serve_nth_call, "serving leaves nothing when its nth system call fails")
{
	serve_loop(FAULT_SYSCALL);
}

TEST(serve_nth_alloc, "serving leaves nothing when its nth allocation fails")
{
	serve_loop(FAULT_ALLOC);
}

/* ---- the last news ---- */

static __thread bool is_teller, is_stopper;
static int told_on; /* atomic: the descriptor that the teller is about to write to, -1: none */
static bool go_on, closed_under_it;

/* Holds the teller where it is about to write until the stopper waits for it, or does not. */
static void hold_teller(const char *what, int fd)
{
	if (is_teller && !strcmp(what, "os_write")) {
		__atomic_store_n(&told_on, fd, __ATOMIC_SEQ_CST);
		while (!__atomic_load_n(&go_on, __ATOMIC_SEQ_CST))
			sched_yield();
		__atomic_store_n(&told_on, -1, __ATOMIC_SEQ_CST);
	} else if (is_stopper && !strcmp(what, "os_futex_wait")) {
		__atomic_store_n(&go_on, true, __ATOMIC_SEQ_CST);
	} else if (is_stopper && !strcmp(what, "os_close") &&
		   fd == __atomic_load_n(&told_on, __ATOMIC_SEQ_CST)) {
		closed_under_it = true;
		__atomic_store_n(&go_on, true, __ATOMIC_SEQ_CST);
	}
}

static void *tell(void *arg)
{
	(void)arg;
	is_teller = true;
	/* A watcher is there, but the I/O thread may be busy with the news before. */
	while (!__atomic_load_n(&go_on, __ATOMIC_SEQ_CST)) {
		ring_record(MP_RING_STATE, 1, 2, 3, "news");
		sched_yield();
	}
	return NULL;
}

static void connect_to_server(int fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static int watcher(void)
{
	struct mp_packet packet = { .id = 1, .op = MP_PACKET_WATCH, .value = MP_WATCH_EVENTS };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char hello[256];

	connect_to_server(fd);
	CHECK_GT(recv(fd, hello, sizeof(hello), 0), 0);
	CHECK_EQ(send(fd, &packet, sizeof(packet), MSG_NOSIGNAL), (ssize_t)sizeof(packet));
	CHECK_EQ(recv(fd, &packet, sizeof(packet), 0), (ssize_t)sizeof(packet));
	return fd;
}

TEST(serve_last_news, "serving ends only when nobody is about to wake it any more")
{
	pthread_t teller;
	int fd;

	begin();
	CHECK_EQ(mp_serve(path, 1), 0);
	fd = watcher();
	told_on = -1;
	__atomic_store_n(&fault_hook, hold_teller, __ATOMIC_RELEASE);
	CHECK_EQ(pthread_create(&teller, NULL, tell, NULL), 0);
	while (__atomic_load_n(&told_on, __ATOMIC_SEQ_CST) < 0)
		sched_yield();
	is_stopper = true;
	CHECK_EQ(mp_serve_stop(), 0);
	is_stopper = false;
	__atomic_store_n(&go_on, true, __ATOMIC_SEQ_CST);
	pthread_join(teller, NULL);
	__atomic_store_n(&fault_hook, NULL, __ATOMIC_RELEASE);
	close(fd);
	if (closed_under_it)
		FAIL("the descriptor was closed under a thread that writes to it");
}

/* ---- no descriptor for a client ---- */

static int accepts; /* atomic */

static void count_accepts(const char *what, int fd)
{
	(void)fd;
	if (!strcmp(what, "os_accept"))
		__atomic_fetch_add(&accepts, 1, __ATOMIC_SEQ_CST);
}

TEST(serve_no_descriptor, "a client for whom there is no descriptor waits, and the thread does not turn in circles")
{
	struct mp_packet packet = { .id = 2, .op = 99 };
	int fd, late = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), last = -1, next, i;
	const struct rlimit few = { 64, 64 };
	char hello[256];

	begin();
	CHECK_EQ(mp_serve(path, 1), 0);
	fd = watcher();
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((next = dup(fd)) >= 0)
		last = next;
	__atomic_store_n(&fault_hook, count_accepts, __ATOMIC_RELEASE);
	connect_to_server(late);
	while (!__atomic_load_n(&accepts, __ATOMIC_SEQ_CST))
		sched_yield();
	/* Each of these turns the thread's loop once. */
	for (i = 0; i < 1000; i++) {
		CHECK_EQ(send(fd, &packet, sizeof(packet), MSG_NOSIGNAL), (ssize_t)sizeof(packet));
		CHECK_GT(recv(fd, hello, sizeof(hello), 0), 0);
	}
	CHECK_LT(__atomic_load_n(&accepts, __ATOMIC_SEQ_CST), 500);
	close(last);
	CHECK_GT(recv(late, hello, sizeof(hello), 0), 0);
	__atomic_store_n(&fault_hook, NULL, __ATOMIC_RELEASE);
	close(late);
	close(fd);
	CHECK_EQ(mp_serve_stop(), 0);
}

/* ---- fork ---- */

static sem_t telling, told_enough;

static void slow_listener(const char *text, size_t size, void *arg)
{
	(void)text;
	(void)size;
	(void)arg;
	sem_post(&telling);
	sem_wait(&told_enough);
}

static void *send_uevent(void *arg)
{
	(void)arg;
	uevent_send("change", "/devices/system/memory/memory1", "memory", NULL);
	return NULL;
}

TEST(serve_fork_while_told, "a fork() while another thread tells a uevent: its child is no server, and goes on")
{
	int status, tries;
	pthread_t teller;
	pid_t pid;

	begin();
	sem_init(&telling, 0, 0);
	sem_init(&told_enough, 0, 0);
	CHECK_EQ(mp_serve(path, 1), 0);
	CHECK_EQ(mp_uevent_listen(slow_listener, NULL), 0);
	CHECK_EQ(pthread_create(&teller, NULL, send_uevent, NULL), 0);
	sem_wait(&telling);
	pid = fork();
	if (!pid)
		_exit(mp_serve_stop() != -ESRCH || mp_uevent_unlisten(slow_listener, NULL));
	/* A child that waits for a thread which it does not have would do so for ever. */
	for (tries = 0; !waitpid(pid, &status, WNOHANG); tries++) {
		if (tries == 20000)
			kill(pid, SIGKILL);
		usleep(1000);
	}
	sem_post(&told_enough);
	pthread_join(teller, NULL);
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_EQ(status, 0);
}
