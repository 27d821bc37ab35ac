// SPDX-License-Identifier: MIT
/*
 * Requests that may wait, carried out by a pool of threads in the order in
 * which they came. One that has to wait for a lock goes to the end, so that none
 * holds a thread but the operation that runs (LOCK-16, MAP-2). A fixed table;
 * requests.lock guards it and what runs where.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <memplug/machine.h>
#include <linux/kernel.h>
#include "device/tree.h"
#include "os/os.h"
#include "serve/serve_internal.h"
#include "sync/thread.h"

#define MAX_REQUESTS 64
#define MAX_WORKERS 16
#define RETRY_NS 5000000 /* before what would wait is tried again */

enum request_state { FREE, QUEUED, RUNNING, DONE };
enum cancelled { NOT_CANCELLED, RUNNING_CANCELLED, CANCELLED };

struct request {
	enum request_state state;
	u64 order; /* of arrival */
	unsigned int client;
	bool orphan; /* nobody waits for the reply */
	enum cancelled cancelled;
	pthread_t worker;
	u64 object;
	size_t size;
	char data[MP_ATTR_SIZE + 1];
	struct reply reply;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool stop;
	int eventfd;
	u64 next_order;
	unsigned int nr_workers;
	pthread_t worker[MAX_WORKERS];
	/* Those behind have never been used: their pages are not even there. */
	unsigned int nr_used;
	struct request at[MAX_REQUESTS];
} requests = { .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER };

#define for_each_request(r) for ((r) = requests.at; (r) < requests.at + requests.nr_used; (r)++)

static struct request *oldest(enum request_state state)
{
	struct request *found = NULL, *r;

	for_each_request(r)
		if (r->state == state && (!found || r->order < found->order))
			found = r;
	return found;
}

static void wake_io(void)
{
	static const u64 one = 1;

	os_write(requests.eventfd, &one, sizeof(one));
}

/* Lock held. */
static void forget_reply(struct request *r)
{
	mp_file_close(r->reply.file);
	r->reply.file = NULL;
	r->state = FREE;
}

/* Lock held. */
static void finish(struct request *r, s64 value)
{
	r->reply.packet.value = value;
	r->state = DONE;
	if (r->orphan)
		forget_reply(r);
	else
		wake_io();
}

/* A text of one page, without the heap; -EFBIG: it may be longer. */
static s64 read_page(struct request *r)
{
	struct reply *reply = &r->reply;
	bool busy;
	s64 value = tree_try_read(reply->path, r->object, reply->data, &busy), from;

	if (busy)
		os_sleep_ns(RETRY_NS);
	if (value > 0 && reply->packet.value) {
		from = min_t(s64, reply->packet.value, value);
		value -= from;
		memmove(reply->data, reply->data + from, (size_t)value);
	}
	reply->size = value > 0 ? (u32)value : 0;
	return value;
}

/* Lock not held; the request is this thread's. */
static s64 carry_out(struct request *r)
{
	struct reply *reply = &r->reply;
	struct mp_file *file;
	s64 value;
	char more;

	if (reply->packet.op == MP_PACKET_WRITE)
		return tree_try_write(reply->path, r->object, r->data, r->size);
	value = read_page(r);
	if (value != -EFBIG)
		return value;
	value = tree_open(reply->path, r->object, O_RDONLY, &file);
	if (value)
		return value;
	if (tree_file_busy(file)) {
		os_sleep_ns(RETRY_NS);
		value = -ERESTARTNOINTR;
	} else {
		value = tree_file_try_read(file, reply->data, sizeof(reply->data),
					   reply->packet.value);
	}
	reply->size = value > 0 ? (u32)value : 0;
	reply->next = reply->packet.value + reply->size;
	if (value > 0 && mp_file_read(file, &more, 1, reply->next) == 1)
		reply->file = file;
	else
		mp_file_close(file);
	return value;
}

/* Lock held. A signal that was handled meanwhile is over when its turn comes. */
static void wait_again(struct request *r)
{
	r->cancelled = NOT_CANCELLED;
	r->order = requests.next_order++;
	r->state = QUEUED;
}

static void *work(void *arg)
{
	struct sync_thread *self = sync_self();
	struct request *r;
	s64 value;

	(void)arg;
	sync_serve();
	pthread_mutex_lock(&requests.lock);
	while (!requests.stop || oldest(QUEUED)) {
		r = oldest(QUEUED);
		if (!r) {
			pthread_cond_wait(&requests.work, &requests.lock);
			continue;
		}
		r->state = RUNNING;
		r->worker = pthread_self();
		/* What was meant for the request before came too late for it. */
		if (self)
			__atomic_store_n(&self->cancel, 0, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&requests.lock);
		value = self ? carry_out(r) : -ENOMEM;
		pthread_mutex_lock(&requests.lock);
		if (value != -ERESTARTNOINTR)
			finish(r, value);
		else if (r->cancelled == CANCELLED)
			finish(r, -EINTR);
		else
			wait_again(r);
	}
	pthread_mutex_unlock(&requests.lock);
	return NULL;
}

static void forget_all(void)
{
	memset(requests.at, 0, requests.nr_used * sizeof(*requests.at));
	requests.nr_used = 0;
}

int requests_start(unsigned int workers, int eventfd)
{
	sigset_t all, before;
	int error = 0;

	forget_all();
	requests.stop = false;
	requests.eventfd = eventfd;
	requests.nr_workers = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!error && requests.nr_workers < workers) {
		error = os_thread(&requests.worker[requests.nr_workers], work, NULL);
		requests.nr_workers += !error;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		requests_stop();
	return error;
}

/* Lock held. */
static void cancel(struct request *r, enum cancelled how)
{
	if (r->state == QUEUED && how == CANCELLED) {
		finish(r, -EINTR);
	} else if (r->state == RUNNING) {
		r->cancelled = max_t(enum cancelled, r->cancelled, how);
		mp_cancel(r->worker);
	}
}

void requests_stop(void)
{
	struct request *r;
	unsigned int i;

	pthread_mutex_lock(&requests.lock);
	requests.stop = true;
	for_each_request(r) {
		r->orphan = true;
		cancel(r, CANCELLED);
	}
	pthread_cond_broadcast(&requests.work);
	pthread_mutex_unlock(&requests.lock);
	for (i = 0; i < requests.nr_workers; i++)
		pthread_join(requests.worker[i], NULL);
	requests.nr_workers = 0;
	for_each_request(r)
		if (r->state == DONE)
			forget_reply(r);
}

/* Lock held. NULL: all are in use. */
static struct request *free_request(void)
{
	struct request *r;

	for_each_request(r)
		if (r->state == FREE)
			return r;
	return requests.nr_used < MAX_REQUESTS ? &requests.at[requests.nr_used++] : NULL;
}

int requests_add(unsigned int client, const struct mp_packet *packet, const char *path, u64 object,
		 const char *data, size_t size)
{
	struct request *r;

	pthread_mutex_lock(&requests.lock);
	r = free_request();
	if (r) {
		r->order = requests.next_order++;
		r->client = client;
		r->orphan = false;
		r->cancelled = NOT_CANCELLED;
		r->object = object;
		snprintf(r->reply.path, sizeof(r->reply.path), "%s", path);
		r->size = min_t(size_t, size, MP_ATTR_SIZE);
		memcpy(r->data, data, r->size);
		r->reply.packet = *packet;
		r->reply.size = 0;
		r->reply.file = NULL;
		r->state = QUEUED;
		pthread_cond_signal(&requests.work);
	}
	pthread_mutex_unlock(&requests.lock);
	return r ? 0 : -EAGAIN;
}

int requests_cancel(unsigned int client, u32 id, bool only_running)
{
	struct request *r;
	int ret = -ENOENT;

	pthread_mutex_lock(&requests.lock);
	for_each_request(r) {
		if ((r->state != QUEUED && r->state != RUNNING) || r->orphan ||
		    r->client != client || r->reply.packet.id != id)
			continue;
		cancel(r, only_running ? RUNNING_CANCELLED : CANCELLED);
		ret = 0;
	}
	pthread_mutex_unlock(&requests.lock);
	return ret;
}

void requests_drop(unsigned int client)
{
	struct request *r;

	pthread_mutex_lock(&requests.lock);
	for_each_request(r) {
		if (r->state == FREE || r->orphan || r->client != client)
			continue;
		r->orphan = true;
		if (r->state == DONE)
			forget_reply(r);
		else
			cancel(r, CANCELLED);
	}
	pthread_mutex_unlock(&requests.lock);
}

bool requests_done(unsigned int *client, struct reply *reply)
{
	struct request *r;

	pthread_mutex_lock(&requests.lock);
	r = oldest(DONE);
	if (r) {
		*client = r->client;
		*reply = r->reply;
		r->reply.file = NULL; /* the receiver's */
		r->state = FREE;
	}
	pthread_mutex_unlock(&requests.lock);
	return r;
}

void requests_forget(void)
{
	pthread_mutex_init(&requests.lock, NULL);
	pthread_cond_init(&requests.work, NULL);
	requests.nr_workers = 0;
	forget_all();
}
