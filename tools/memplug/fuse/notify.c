// SPDX-License-Identifier: MIT
/*
 * What the machine tells of itself: names that are gone are taken out of the
 * kernel's cache, all of them when news were missed; who polls a state is woken. One thread, for as long as the
 * process lasts; while no machine answers it looks for one now and then.
 */
#include "mount.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 200
#define PATIENCE_S 2

/* The lock keeps the session while it is told something; NULL: it has ended. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fuse_session *session;
static bool ending; /* atomic */
/* The first watch has begun, or is not waited for any more. */
static bool settled;
static pthread_cond_t settling = PTHREAD_COND_INITIALIZER;

static void forget_name(const char *directory, const char *name)
{
	struct node *node = node_find(directory);

	if (!node)
		return;
	if (!__atomic_load_n(&ending, __ATOMIC_RELAXED))
		fuse_lowlevel_notify_inval_entry(session, node_ino(node), name, strlen(name));
	node_forget(node, 1);
}

/* "remove@/devices/system/memory/memory7" */
static void on_uevent(const char *text)
{
	const char *path = strchr(text, '@'), *name = path ? strrchr(path, '/') : NULL;
	char directory[512], bus[64];

	if (!name || name[1] == '\0')
		return;
	snprintf(directory, sizeof(directory), "/sys%.*s", (int)(name - path - 1), path + 1);
	if (!strncmp(text, "remove@", 7)) {
		snprintf(bus, sizeof(bus), "/sys/bus/%.20s/devices", strrchr(directory, '/') + 1);
		forget_name(directory, name + 1);
		forget_name(bus, name + 1);
	} else if (!strncmp(text, "online@", 7) || !strncmp(text, "offline@", 8)) {
		snprintf(directory, sizeof(directory), "/sys%s/state", path + 1);
		files_changed(directory);
	}
}

/* Nobody knows what was missed: whatever the kernel remembers is to be looked up again. */
static void forget_path(const char *path)
{
	const char *name = strrchr(path, '/');
	char directory[512];

	snprintf(directory, sizeof(directory), "%.*s", (int)(name - path), path);
	if (name[1])
		forget_name(*directory ? directory : "/", name + 1);
}

/* Lock held. */
static void forget_all(void)
{
	nodes_for_each(forget_path);
	files_changed(NULL);
}

/* From here on nothing is missed; what was read before may have changed unheard. Lock held. */
static void on_watch(void)
{
	if (settled && session)
		forget_all();
	settled = true;
	pthread_cond_broadcast(&settling);
}

static void listen_to(int fd)
{
	struct mp_packet head = { .id = 1, .op = MP_PACKET_WATCH, .value = MP_WATCH_UEVENTS };
	static char packet[MP_PACKET_MAX + 1];
	ssize_t n;

	if (send(fd, &head, sizeof(head), MSG_NOSIGNAL) < 0)
		return;
	/* News without a page: there is another machine behind the socket. */
	while ((n = recv(fd, packet, MP_PACKET_MAX, 0)) >= (ssize_t)sizeof(head) &&
	       !changes_are_over()) {
		memcpy(&head, packet, sizeof(head));
		packet[n] = '\0';
		pthread_mutex_lock(&lock);
		if (session && head.flags & MP_PACKET_LOST)
			forget_all();
		else if (session && head.flags & MP_PACKET_NEWS)
			on_uevent(packet + sizeof(head));
		else if (!(head.flags & MP_PACKET_NEWS))
			on_watch();
		pthread_mutex_unlock(&lock);
	}
}

static void *notify_thread(void *arg)
{
	const struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * 1000000 };
	int fd;

	(void)arg;
	for (;;) {
		fd = link_connect();
		if (fd >= 0) {
			changes_connect(fd);
			listen_to(fd);
			changes_disconnect();
			modes_forget();
			close(fd);
			/* The next machine is another one. */
			pthread_mutex_lock(&lock);
			if (session)
				forget_all();
			pthread_mutex_unlock(&lock);
		}
		pthread_mutex_lock(&lock);
		settled = true;
		pthread_cond_broadcast(&settling);
		pthread_mutex_unlock(&lock);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

void notify_end(void)
{
	__atomic_store_n(&ending, true, __ATOMIC_RELAXED);
}

void notify_stop(void)
{
	pthread_mutex_lock(&lock);
	session = NULL;
	pthread_mutex_unlock(&lock);
}

int notify_start(struct fuse_session *of)
{
	sigset_t all, before;
	struct timespec until;
	pthread_t thread;
	int error;

	session = of;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, notify_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	/*
	 * Whoever reads a file before the watch has begun would not be told that it changes. A machine that takes
	 * longer is not waited for: all counts as changed when it answers.
	 */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&lock);
	while (!error && !settled && pthread_cond_timedwait(&settling, &lock, &until) != ETIMEDOUT)
		;
	settled = true;
	pthread_mutex_unlock(&lock);
	return -error;
}
