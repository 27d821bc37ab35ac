// SPDX-License-Identifier: MIT
/*
 * Requests that may wait for an operation, perhaps for ever: sent over one
 * connection, answered to the kernel by the thread that receives there, so that
 * any number of them waits without a thread each. A signal of the one who waits
 * cancels: what runs at once, what queues only if the signal ends the process.
 * waiting.lock guards the list.
 */
#include "mount.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How soon a second signal is seen, of which the kernel does not tell. */
#define LOOK_AGAIN_MS 50

static struct {
	pthread_mutex_t lock;
	int fd; /* -1: not connected; else a thread receives there */
	unsigned int receivers; /* threads; one more while the last connection is wound up */
	pthread_cond_t gone;	/* none is left */
	uint32_t last_id;
	struct waiting *first;
} waiting = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .gone = PTHREAD_COND_INITIALIZER };

/* Lock held. */
static void send_packet(struct waiting *w)
{
	w->parked = false;
	/* A connection that fails is noticed by its receiver. */
	if (send(waiting.fd, w->packet, w->size, MSG_NOSIGNAL) < 0)
		shutdown(waiting.fd, SHUT_RDWR);
}

/* Lock held. Takes it out of the list; false: it has been answered. */
static bool take(struct waiting *w)
{
	struct waiting **at = &waiting.first;

	while (*at && *at != w)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = w->next;
	return true;
}

static void finish(struct waiting *w, int64_t value, const char *data, size_t size)
{
	w->done(w, value, data, size);
	free(w);
}

/* Lock held. The answer wakes the receiver, also when there was nothing to cancel. */
static void send_cancel(struct waiting *w)
{
	struct mp_packet head = { .op = MP_PACKET_CANCEL, .value = w->id };

	if (w->cancelled)
		return;
	/* An operation that runs ends with any signal (OFFLINE-8), waiting only with one that kills. */
	w->cancelled = signal_is_fatal(w->tid);
	if (!w->cancelled)
		head.flags = MP_PACKET_RUNNING;
	if (send(waiting.fd, &head, sizeof(head), MSG_NOSIGNAL) < 0)
		shutdown(waiting.fd, SHUT_RDWR);
}

/*
 * The kernel's word that a signal has come; it speaks of each request once. It
 * may come from inside fuse_req_interrupt_func(), where nothing may be answered.
 */
static void on_interrupt(fuse_req_t req, void *id)
{
	struct waiting *w;

	(void)req;
	pthread_mutex_lock(&waiting.lock);
	for (w = waiting.first; w && w->id != (uint32_t)(uintptr_t)id; w = w->next)
		;
	if (w) {
		w->interrupted = true;
		send_cancel(w);
	}
	pthread_mutex_unlock(&waiting.lock);
}

/* Signals that have come since, and requests that were cancelled before they were sent. */
static void look_at_signals(void)
{
	struct waiting **at, *w, *done = NULL;

	pthread_mutex_lock(&waiting.lock);
	for (w = waiting.first; w; w = w->next)
		if (w->interrupted && !w->cancelled && signal_is_fatal(w->tid))
			send_cancel(w);
	for (at = &waiting.first; (w = *at);) {
		if (w->cancelled && w->parked && w->ready) {
			*at = w->next;
			w->next = done;
			done = w;
		} else {
			at = &w->next;
		}
	}
	pthread_mutex_unlock(&waiting.lock);
	while ((w = done)) {
		done = w->next;
		finish(w, -EINTR, NULL, 0);
	}
}

static bool any_interrupted(void)
{
	struct waiting *w;
	bool any = false;

	pthread_mutex_lock(&waiting.lock);
	for (w = waiting.first; w; w = w->next)
		any |= w->interrupted && (!w->cancelled || w->parked);
	pthread_mutex_unlock(&waiting.lock);
	return any;
}

/* An answer has come: there is room at the machine again. */
static void send_parked(void)
{
	struct waiting *w;

	for (w = waiting.first; w; w = w->next) {
		if (w->parked && w->ready && !w->cancelled) {
			send_packet(w);
			return;
		}
	}
}

static void deliver(const struct mp_packet *head, const char *data, size_t size)
{
	struct waiting *w;

	pthread_mutex_lock(&waiting.lock);
	for (w = waiting.first; w && w->id != head->id; w = w->next)
		;
	if (w && head->value == -EAGAIN && w->next) {
		/* The machine's table is full: others of this list will be answered. */
		w->parked = true;
		w = NULL;
	} else if (w) {
		take(w);
		send_parked();
	}
	pthread_mutex_unlock(&waiting.lock);
	if (w)
		finish(w, head->value, data, size);
}

static void lost(int fd)
{
	struct waiting *w, *next;

	pthread_mutex_lock(&waiting.lock);
	w = waiting.first;
	waiting.first = NULL;
	waiting.fd = -1;
	close(fd);
	pthread_mutex_unlock(&waiting.lock);
	for (; w; w = next) {
		next = w->next;
		finish(w, -ENOTCONN, NULL, 0);
	}
	pthread_mutex_lock(&waiting.lock);
	if (!--waiting.receivers)
		pthread_cond_broadcast(&waiting.gone);
	pthread_mutex_unlock(&waiting.lock);
}

static void *receiver(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct { struct mp_packet head; char data[MP_PACKET_MAX - sizeof(struct mp_packet)]; } *packet;
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	ssize_t n = -1;

	packet = malloc(sizeof(*packet));
	while (packet) {
		bool look = any_interrupted();

		if (look)
			look_at_signals();
		if (!poll(&ready, 1, look ? LOOK_AGAIN_MS : -1))
			continue;
		n = recv(fd, packet, sizeof(*packet), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(packet->head))
			break;
		deliver(&packet->head, packet->data, (size_t)n - sizeof(packet->head));
	}
	free(packet);
	lost(fd);
	return NULL;
}

/* Lock held. */
static int connect_waiting(void)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	if (waiting.fd >= 0)
		return 0;
	waiting.fd = link_connect();
	if (waiting.fd < 0) {
		error = waiting.fd;
		waiting.fd = -1;
		return error;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, receiver, (void *)(intptr_t)waiting.fd);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		close(waiting.fd);
		waiting.fd = -1;
	} else {
		waiting.receivers++;
	}
	return -error;
}

void waiting_stop(void)
{
	pthread_mutex_lock(&waiting.lock);
	if (waiting.fd >= 0)
		shutdown(waiting.fd, SHUT_RDWR);
	while (waiting.receivers)
		pthread_cond_wait(&waiting.gone, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
}

void waiting_start(fuse_req_t req, enum mp_packet_op op, int64_t value, const char *path,
		   const void *data, size_t count, waiting_fn *done, void *context)
{
	struct waiting *w = calloc(1, sizeof(*w));
	struct mp_packet head = { .op = (uint16_t)op, .value = value };
	uint32_t id = 0;
	int error;

	if (!w) {
		struct waiting failed = { .req = req, .context = context };

		done(&failed, -ENOMEM, NULL, 0);
		return;
	}
	w->req = req;
	w->done = done;
	w->context = context;
	w->tid = fuse_req_ctx(req)->pid;
	pthread_mutex_lock(&waiting.lock);
	error = connect_waiting();
	if (!error) {
		/* 0 is for the cancels. */
		id = ++waiting.last_id ?: ++waiting.last_id;
		w->id = head.id = id;
		w->size = link_packet(w->packet, sizeof(w->packet), &head, path, data, count);
		w->parked = true;
		w->next = waiting.first;
		waiting.first = w;
	}
	pthread_mutex_unlock(&waiting.lock);
	if (error) {
		finish(w, error, NULL, 0);
		return;
	}
	/* Not sent before, since with the answer the request would be gone. */
	fuse_req_interrupt_func(req, on_interrupt, (void *)(uintptr_t)id);
	pthread_mutex_lock(&waiting.lock);
	for (w = waiting.first; w && w->id != id; w = w->next)
		;
	if (w) {
		w->ready = true;
		if (!w->cancelled)
			send_packet(w);
	}
	pthread_mutex_unlock(&waiting.lock);
}
