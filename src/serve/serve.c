// SPDX-License-Identifier: MIT
/*
 * The socket door's I/O thread: it alone speaks to clients, and never waits
 * for the machine. What may wait goes to the workers (requests.c); listing,
 * reading, watching and cancelling are answered here. serve.lock serialises
 * start and stop; all else is the I/O thread's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <memplug/machine.h>
#include <memplug/ring.h>
#include <linux/kernel.h>
#include "backing/file.h"
#include "device/tree.h"
#include "os/os.h"
#include "report/report.h"
#include "serve/serve_internal.h"
#include "sync/thread.h"

#define SOCKET_PATH_MAX 108
#define MAX_WORKERS 16
#define ACCEPT_AGAIN_MS 1000
#define PAYLOAD (MP_PACKET_MAX - sizeof(struct mp_packet))

struct client {
	int fd; /* -1: free */
	u32 watch, watch_id;
	bool full;  /* it takes no more for now */
	u64 lost;
	u64 ring, uevent; /* where it has come to */
	/* The file whose text it reads in pieces: they are of one moment. */
	struct mp_file *file;
	char file_path[MAX_PATH];
	s64 file_next;
};

static struct {
	pthread_mutex_t lock;
	bool running;
	u32 stop; /* atomic */
	int listener, eventfd;
	char path[SOCKET_PATH_MAX];
	pthread_t thread;
	struct client client[MAX_CLIENTS];
	_Alignas(8) char in[MP_PACKET_MAX], out[MP_PACKET_MAX];
} serve = { .lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1, .eventfd = -1 };

static void client_close(struct client *client)
{
	requests_drop((unsigned int)(client - serve.client));
	mp_file_close(client->file);
	os_close(client->fd);
	client->fd = -1;
	client->file = NULL;
}

/* A packet of `size` bytes behind serve.out's header. A client that does not take replies is closed. */
static void answer(struct client *client, const struct mp_packet *request, s64 value,
		   unsigned int flags, size_t size)
{
	struct mp_packet packet = { .id = request->id, .op = request->op, .flags = (u16)flags,
				    .value = value };

	memcpy(serve.out, &packet, sizeof(packet));
	if (os_send(client->fd, serve.out, sizeof(packet) + size) < 0)
		client_close(client);
}

/* ---- what is answered at once ---- */

struct listing {
	s64 skip;
	s64 count;
	size_t size;
	bool more;
};

static size_t put_entry(char *at, size_t room, const struct mp_entry *entry)
{
	struct mp_packet_entry head = { .type = (u8)entry->type, .waits = entry->waits,
					.mode = (u16)entry->mode, .size = (u32)entry->size,
					.id = entry->id };
	size_t name = strlen(entry->name) + 1, target = strlen(entry->target) + 1;

	if (sizeof(head) + name + target > room)
		return 0;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), entry->name, name);
	memcpy(at + sizeof(head) + name, entry->target, target);
	return sizeof(head) + name + target;
}

static int list_one(const struct mp_entry *entry, void *arg)
{
	struct listing *listing = arg;
	size_t size;

	if (listing->skip-- > 0)
		return 0;
	size = put_entry(serve.out + sizeof(struct mp_packet) + listing->size,
			 PAYLOAD - listing->size, entry);
	listing->more = !size;
	if (listing->more)
		return 1;
	listing->size += size;
	listing->count++;
	return 0;
}

static void do_list(struct client *client, const struct mp_packet *request, const char *path)
{
	struct listing listing = { .skip = request->value };
	int ret = mp_list(path, list_one, &listing);

	if (ret < 0)
		answer(client, request, ret, 0, 0);
	else
		answer(client, request, listing.count, listing.more ? MP_PACKET_MORE : 0,
		       listing.size);
}

static void do_stat(struct client *client, const struct mp_packet *request, const char *path)
{
	struct mp_entry entry;
	int ret = mp_stat(path, &entry);

	answer(client, request, ret, 0,
	       ret ? 0 : put_entry(serve.out + sizeof(struct mp_packet), PAYLOAD, &entry));
}

static void file_close(struct client *client)
{
	mp_file_close(client->file);
	client->file = NULL;
}

/* The text is there already, of the file that this client reads. */
static bool goes_on(const struct client *client, const struct mp_packet *request, const char *path)
{
	return client->file && request->value && request->value == client->file_next &&
	       !strcmp(path, client->file_path);
}

static void do_read(struct client *client, const struct mp_packet *request, const char *path,
		    u64 object)
{
	bool more = false;
	ssize_t n = 0;
	char next;

	if (!goes_on(client, request, path)) {
		file_close(client);
		n = tree_open(path, object, O_RDONLY, &client->file);
		snprintf(client->file_path, sizeof(client->file_path), "%s", path);
	}
	if (!n) {
		n = mp_file_read(client->file, serve.out + sizeof(struct mp_packet), PAYLOAD,
				 request->value);
		client->file_next = request->value + n;
		more = n == (ssize_t)PAYLOAD &&
		       mp_file_read(client->file, &next, 1, client->file_next) == 1;
	}
	if (!more)
		file_close(client);
	answer(client, request, n, more ? MP_PACKET_MORE : 0, n > 0 ? (size_t)n : 0);
}

/* ---- watching ---- */

static void watching(void)
{
	unsigned int i;
	bool any = false;

	for (i = 0; i < MAX_CLIENTS; i++)
		any |= serve.client[i].fd >= 0 && serve.client[i].watch;
	news_wanted(any);
}

static void do_watch(struct client *client, const struct mp_packet *request)
{
	struct mp_ring_record record;

	if (request->value < 0 || request->value > 7) {
		answer(client, request, -EINVAL, 0, 0);
		return;
	}
	client->watch = (u32)request->value;
	client->watch_id = request->id;
	client->lost = 0;
	client->full = false;
	/* From now on: what the ring has is old. */
	client->ring = 0;
	while (mp_ring_read(&client->ring, &record) == 1)
		;
	client->uevent = news_uevent_next();
	answer(client, request, 0, 0, 0);
}

/* False: the client takes no more. */
static bool send_news(struct client *client, unsigned int flags, s64 value, size_t size)
{
	struct mp_packet packet = { .id = client->watch_id, .op = MP_PACKET_WATCH,
				    .flags = (u16)(MP_PACKET_NEWS | flags), .value = value };
	ssize_t n;

	memcpy(serve.out, &packet, sizeof(packet));
	n = os_send(client->fd, serve.out, sizeof(packet) + size);
	client->full = n == -EAGAIN;
	if (n < 0 && n != -EAGAIN)
		client_close(client);
	return n >= 0;
}

/* Sends what was lost before what comes; a record that cannot be sent is lost. */
static void tell(struct client *client, u32 what, const void *data, size_t size)
{
	if (client->lost) {
		if (!send_news(client, MP_PACKET_LOST, (s64)client->lost, 0)) {
			client->lost++;
			return;
		}
		client->lost = 0;
	}
	memcpy(serve.out + sizeof(struct mp_packet), data, size);
	if (client->fd >= 0 && !send_news(client, 0, what, size))
		client->lost++;
}

static void tell_client(struct client *client)
{
	struct mp_ring_record record;
	static char text[NEWS_TEXT];
	u64 cursor;
	size_t size;

	for (;;) {
		cursor = client->ring;
		if (client->fd < 0 || !client->watch || mp_ring_read(&client->ring, &record) != 1)
			break;
		/* Those that the ring dropped before they were read. */
		if (cursor && record.seq > cursor)
			client->lost += record.seq - cursor;
		if (record.type == MP_RING_REFUSAL ? client->watch & MP_WATCH_REASONS :
		    client->watch & MP_WATCH_EVENTS)
			tell(client, record.type == MP_RING_REFUSAL ? MP_WATCH_REASONS :
			     MP_WATCH_EVENTS, &record, sizeof(record));
	}
	for (;;) {
		cursor = client->uevent;
		if (client->fd < 0 || !(client->watch & MP_WATCH_UEVENTS) ||
		    !news_uevent(&client->uevent, text, &size))
			break;
		client->lost += client->uevent - cursor;
		client->uevent++;
		tell(client, MP_WATCH_UEVENTS, text, size);
	}
}

/* ---- one packet ---- */

static void do_packet(struct client *client, size_t size)
{
	unsigned int number = (unsigned int)(client - serve.client);
	struct mp_packet request;
	char *path = serve.in + sizeof(request);
	size_t length;
	u64 object;
	int ret = 0;

	if (size < sizeof(request) || size > sizeof(serve.in)) {
		client_close(client); /* it does not speak this language */
		return;
	}
	memcpy(&request, serve.in, sizeof(request));
	if (request.op == MP_PACKET_WATCH) {
		do_watch(client, &request);
		watching();
		return;
	}
	if (request.op == MP_PACKET_CANCEL) {
		ret = request.value < 0 || request.value > 0xffffffffLL ? -EINVAL :
		      requests_cancel(number, (u32)request.value, request.flags & MP_PACKET_RUNNING);
		answer(client, &request, ret, 0, 0);
		return;
	}
	length = strnlen(path, size - sizeof(request));
	object = request.op == MP_PACKET_WRITE ? (u64)request.value : 0;
	if (request.op == MP_PACKET_READ && size - sizeof(request) - length == 1 + sizeof(object))
		memcpy(&object, path + length + 1, sizeof(object));
	if (request.op < MP_PACKET_LIST || request.op > MP_PACKET_WRITE)
		ret = -ENOSYS;
	else if (length == size - sizeof(request) || !length || length >= MAX_PATH ||
		 (request.op != MP_PACKET_WRITE && request.value < 0))
		ret = -EINVAL;
	else if (request.op == MP_PACKET_LIST)
		do_list(client, &request, path);
	else if (request.op == MP_PACKET_STAT)
		do_stat(client, &request, path);
	else if (request.op == MP_PACKET_READ &&
		 (goes_on(client, &request, path) || !tree_read_waits(path)))
		do_read(client, &request, path, object);
	else
		ret = requests_add(number, &request, path, object, path + length + 1,
				   size - sizeof(request) - length - 1);
	if (ret)
		answer(client, &request, ret, 0, 0);
}

static void deliver_replies(void)
{
	static struct reply reply;
	struct client *client;
	unsigned int number;

	while (requests_done(&number, &reply)) {
		client = &serve.client[number];
		/* What a worker had to wait for is read on like any other text. */
		if (reply.file && client->fd >= 0) {
			file_close(client);
			client->file = reply.file;
			client->file_next = reply.next;
			memcpy(client->file_path, reply.path, sizeof(client->file_path));
		} else {
			mp_file_close(reply.file);
		}
		if (client->fd < 0)
			continue;
		memcpy(serve.out + sizeof(struct mp_packet), reply.data, reply.size);
		answer(client, &reply.packet, reply.packet.value, reply.file ? MP_PACKET_MORE : 0,
		       reply.size);
	}
}

/* ---- clients come ---- */

static void greet(struct client *client)
{
	struct mp_packet hello = { .op = MP_PACKET_HELLO };
	const char *contract = mp_contract();
	int n = snprintf(serve.out + sizeof(hello), 64, "memplug %s %s", mp_version(),
			 contract ? contract : "none");

	answer(client, &hello, MP_PACKET_VERSION, 0, (size_t)n + 1);
}

/* False: it cannot be taken now, as long as the process is short of descriptors or memory. */
static bool accept_client(void)
{
	int fd = os_accept(serve.listener), pid;
	unsigned int uid, i;

	if (fd < 0)
		return fd == -EAGAIN || fd == -EINTR || fd == -ECONNABORTED;
	fd = backing_fd_high(fd);
	for (i = 0; i < MAX_CLIENTS && serve.client[i].fd >= 0; i++)
		;
	if (i == MAX_CLIENTS || os_peer(fd, &pid, &uid) || (uid && uid != os_uid())) {
		os_close(fd);
		return true;
	}
	serve.client[i] = (struct client){ .fd = fd };
	greet(&serve.client[i]);
	return true;
}

static void serve_client(struct client *client, short events)
{
	ssize_t n;

	if (events & POLLOUT)
		client->full = false;
	if (events & (POLLIN | POLLHUP | POLLERR)) {
		n = os_receive(client->fd, serve.in, sizeof(serve.in));
		if (n > 0)
			do_packet(client, (size_t)n);
		else if (n != -EAGAIN && n != -EINTR)
			client_close(client);
	}
}

static void *io_thread(void *arg)
{
	struct pollfd fds[MAX_CLIENTS + 2];
	bool accepts;
	u64 deaf_until = 0;
	unsigned int i;

	(void)arg;
	sync_serve();
	sync_self();
	while (!__atomic_load_n(&serve.stop, __ATOMIC_ACQUIRE)) {
		accepts = !deaf_until || os_now_ns() >= deaf_until;
		fds[0] = (struct pollfd){ .fd = serve.eventfd, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = accepts ? serve.listener : -1, .events = POLLIN };
		for (i = 0; i < MAX_CLIENTS; i++) {
			struct client *client = &serve.client[i];

			fds[i + 2] = (struct pollfd){ .fd = client->fd, .events = POLLIN };
			if (client->fd >= 0 && client->full)
				fds[i + 2].events |= POLLOUT;
		}
		/* Who cannot be taken waits in the queue of the socket, and is looked at again. */
		if (os_poll(fds, MAX_CLIENTS + 2, accepts ? -1 : ACCEPT_AGAIN_MS) < 0)
			continue;
		if (fds[0].revents) {
			os_eventfd_clear(serve.eventfd);
			deliver_replies();
		}
		watching();
		for (i = 0; i < MAX_CLIENTS; i++) {
			struct client *client = &serve.client[i];

			if (client->fd >= 0 && client->fd == fds[i + 2].fd && fds[i + 2].revents)
				serve_client(client, fds[i + 2].revents);
			if (client->fd >= 0 && client->watch && !client->full)
				tell_client(client);
		}
		if (fds[1].revents)
			deaf_until = accept_client() ? 0 : os_now_ns() + ACCEPT_AGAIN_MS * 1000000ULL;
	}
	for (i = 0; i < MAX_CLIENTS; i++)
		if (serve.client[i].fd >= 0)
			client_close(&serve.client[i]);
	return NULL;
}

/* ---- start and stop ---- */

static bool is_served(const char *path)
{
	int fd = os_packet_socket(), error;

	if (fd < 0)
		return true; /* not known: leave it alone */
	error = os_connect_path(fd, path);
	os_close(fd);
	return error != -ECONNREFUSED;
}

static int make_listener(const char *path)
{
	int fd = os_packet_socket(), error;

	if (fd < 0)
		return fd;
	/* The file gets the socket's mode when it is bound. */
	error = os_set_mode(fd, 0600) ?: os_bind_path(fd, path);
	if (error == -EADDRINUSE && !is_served(path))
		error = os_unlink(path) ?: os_bind_path(fd, path);
	if (!error) {
		error = os_listen(fd);
		if (error)
			os_unlink(path);
	}
	if (error) {
		os_close(fd);
		return error;
	}
	return backing_fd_high(fd);
}

static int start_thread(void)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&serve.thread, NULL, io_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

static void forget(void)
{
	unsigned int i;

	pthread_mutex_init(&serve.lock, NULL);
	if (!serve.running)
		return;
	for (i = 0; i < MAX_CLIENTS; i++)
		if (serve.client[i].fd >= 0)
			os_close(serve.client[i].fd);
	os_close(serve.listener);
	os_close(serve.eventfd);
	serve.running = false;
	requests_forget();
	news_forget();
}

static void register_forget(void)
{
	sync_at_fork_child(forget);
}

static int start(const char *path, unsigned int workers)
{
	int error;
	unsigned int i;

	snprintf(serve.path, sizeof(serve.path), "%s", path);
	__atomic_store_n(&serve.stop, 0, __ATOMIC_RELEASE);
	for (i = 0; i < MAX_CLIENTS; i++)
		serve.client[i].fd = -1;
	serve.eventfd = os_eventfd();
	if (serve.eventfd < 0)
		return serve.eventfd;
	serve.eventfd = backing_fd_high(serve.eventfd);
	serve.listener = make_listener(path);
	if (serve.listener < 0) {
		error = serve.listener;
		goto event;
	}
	error = news_start(serve.eventfd);
	if (error)
		goto listener;
	error = requests_start(workers, serve.eventfd);
	if (error)
		goto news;
	error = start_thread();
	if (!error)
		return 0;
	requests_stop();
news:
	news_stop();
listener:
	os_unlink(path);
	os_close(serve.listener);
event:
	os_close(serve.eventfd);
	return error;
}

int mp_serve(const char *path, unsigned int workers)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int error = -EALREADY;

	if (!path || !*path || strlen(path) >= SOCKET_PATH_MAX || workers > MAX_WORKERS)
		return -EINVAL;
	pthread_once(&once, register_forget);
	pthread_mutex_lock(&serve.lock);
	if (!serve.running) {
		error = start(path, workers ? workers : 4);
		serve.running = !error;
	}
	pthread_mutex_unlock(&serve.lock);
	return error;
}

int mp_serve_stop(void)
{
	static const u64 one = 1;
	int error = -ESRCH;

	pthread_mutex_lock(&serve.lock);
	if (serve.running) {
		os_unlink(serve.path);
		__atomic_store_n(&serve.stop, 1, __ATOMIC_RELEASE);
		os_write(serve.eventfd, &one, sizeof(one));
		pthread_join(serve.thread, NULL);
		requests_stop();
		news_stop();
		os_close(serve.listener);
		os_close(serve.eventfd);
		serve.running = false;
		error = 0;
	}
	pthread_mutex_unlock(&serve.lock);
	return error;
}
