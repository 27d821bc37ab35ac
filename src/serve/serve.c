// SPDX-License-Identifier: MIT
/*
 * The socket door's life: the socket, the I/O thread that alone speaks to
 * clients and never waits for the machine, start and stop. serve.lock
 * serialises these.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <linux/kernel.h>
#include "backing/file.h"
#include "device/tree.h"
#include "os/os.h"
#include "serve/serve_internal.h"
#include "sync/thread.h"

#define SOCKET_PATH_MAX 108
#define MAX_WORKERS 16
#define ACCEPT_AGAIN_MS 1000
#define LOCK_TRIES 100
#define LOCK_PAUSE_NS 10000000u

static struct {
	pthread_mutex_t lock;
	bool running;
	u32 stop; /* atomic */
	int listener, eventfd;
	char path[SOCKET_PATH_MAX];
	pthread_t thread;
} serve = { .lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1, .eventfd = -1 };

/* What to wait for: the event, the listener, then the clients, whose places go to `of`. How many it is. */
static unsigned int wait_for(struct pollfd *fds, unsigned int *of, bool accepts)
{
	unsigned int i, nr = 2;

	fds[0] = (struct pollfd){ .fd = serve.eventfd, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = accepts ? serve.listener : -1, .events = POLLIN };
	for (i = 0; i < MAX_CLIENTS; i++) {
		if (clients[i].fd < 0)
			continue;
		fds[nr] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
		if (clients[i].full)
			fds[nr].events |= POLLOUT;
		of[nr++] = i;
	}
	return nr;
}

static void *io_thread(void *arg)
{
	struct pollfd fds[MAX_CLIENTS + 2];
	unsigned int of[MAX_CLIENTS + 2], i, nr;
	bool accepts;
	u64 deaf_until = 0;

	(void)arg;
	sync_serve();
	sync_self();
	while (!__atomic_load_n(&serve.stop, __ATOMIC_ACQUIRE)) {
		accepts = !deaf_until || os_now_ns() >= deaf_until;
		nr = wait_for(fds, of, accepts);
		/* Who cannot be taken waits in the queue of the socket, and is looked at again. */
		if (os_poll(fds, nr, accepts ? -1 : ACCEPT_AGAIN_MS) < 0)
			continue;
		if (fds[0].revents) {
			os_eventfd_clear(serve.eventfd);
			clients_deliver();
		}
		watch_any();
		for (i = 2; i < nr; i++) {
			struct client *client = &clients[of[i]];

			/* Delivering may have closed it. */
			if (client->fd >= 0 && fds[i].revents)
				client_serve(client, fds[i].revents);
			if (client->fd >= 0 && client->watch && !client->full)
				watch_tell(client);
		}
		if (fds[1].revents)
			deaf_until = client_accept(serve.listener) ? 0 :
				     os_now_ns() + ACCEPT_AGAIN_MS * 1000000ULL;
	}
	for (i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd >= 0)
			client_close(&clients[i]);
	return NULL;
}

static bool is_served(const char *path)
{
	int fd = os_packet_socket(), error;

	if (fd < 0)
		return true; /* not known: leave it alone */
	error = os_connect_path(fd, path);
	os_close(fd);
	return error != -ECONNREFUSED;
}

/*
 * Between bind and listen a socket looks as one that nobody listens on, and whoever removes such ones locks their
 * directory meanwhile, as the command does. The descriptor, to be closed; negative: goes on without.
 */
static int lock_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[SOCKET_PATH_MAX] = ".";
	int fd, try;

	if (slash)
		snprintf(directory, sizeof(directory), "%.*s", (int)max_t(long, slash - path, 1), path);
	fd = os_open_read(directory);
	for (try = 0; fd >= 0 && os_lock_file(fd) == -EAGAIN && try < LOCK_TRIES; try++)
		os_sleep_ns(LOCK_PAUSE_NS);
	return fd;
}

static int bind_and_listen(int fd, const char *path)
{
	int error;

	/* The file gets the socket's mode when it is bound. */
	error = os_set_mode(fd, 0600) ?: os_bind_path(fd, path);
	if (error == -EADDRINUSE && !is_served(path))
		error = os_unlink(path) ?: os_bind_path(fd, path);
	if (!error) {
		error = os_listen(fd);
		if (error)
			os_unlink(path);
	}
	return error;
}

static int make_listener(const char *path)
{
	int fd = os_packet_socket(), lock, error;

	if (fd < 0)
		return fd;
	lock = lock_directory(path);
	error = bind_and_listen(fd, path);
	if (lock >= 0)
		os_close(lock);
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
	error = os_thread(&serve.thread, io_thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void forget(void)
{
	unsigned int i;

	pthread_mutex_init(&serve.lock, NULL);
	if (!serve.running)
		return;
	for (i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].fd >= 0)
			os_close(clients[i].fd);
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
		clients[i].fd = -1;
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
		/* What clients know is to be asked for again, which then fails. */
		tree_changes_count();
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
