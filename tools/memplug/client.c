/* SPDX-License-Identifier: MIT */
/* The connection to a running machine: finding its socket, requests, cancelling by Ctrl-C or deadline. */
#include "memplug.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_FOUND 16 /* machines to list */

static int connection = -1;
static uint32_t last_id;
static char packet[MP_PACKET_MAX + 1];
static volatile sig_atomic_t interrupted;
/* Has a byte once a signal came: one that comes just before a wait ends it too. */
static int wakeup[2] = { -1, -1 };
char *client_data = packet + sizeof(struct mp_packet);
size_t client_size;
bool client_more;
/* The write that is under way: its answer may come while something else is asked. */
static struct {
	uint32_t id; /* 0: none */
	bool done;
	int64_t value;
} pending;
int client_failure = EXIT_NOTHING;

void complain(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("memplug: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* The only machine of this user, its path into `result`; several: a message with their names. */
static int find_machine(char *result)
{
	const char *directory = socket_directory(false);
	char path[360], found[MAX_FOUND][360];
	struct dirent *entry;
	int fd = -1, one, count = 0;
	bool dead = false;
	DIR *dir = directory ? opendir(directory) : NULL;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		one = entry->d_name[0] == '.' ? -1 : connect_to(path);
		dead |= one == -ECONNREFUSED;
		if (one < 0)
			continue;
		if (count < MAX_FOUND)
			memcpy(found[count], path, sizeof(path));
		if (!count)
			memcpy(result, path, sizeof(path));
		if (count++)
			close(one);
		else
			fd = one;
	}
	if (dir)
		closedir(dir);
	if (dead)
		sockets_tidy(directory);
	if (count == 1)
		return fd;
	if (!count) {
		complain("no machine runs; start one with `memplug boot`, or name its --socket");
		return -1;
	}
	close(fd);
	complain("%d machines run; say which one: memplug --socket PATH ..., or set MEMPLUG_SOCKET", count);
	for (one = 0; one < count && one < MAX_FOUND; one++)
		fprintf(stderr, "  %s\n", found[one]);
	return -1;
}

static bool receive(struct mp_packet *head)
{
	ssize_t n;

	do
		n = recv(connection, packet, MP_PACKET_MAX, 0);
	while (n < 0 && errno == EINTR && (!interrupted || pending.id));
	if (n < (ssize_t)sizeof(*head))
		return false;
	memcpy(head, packet, sizeof(*head));
	client_size = (size_t)n - sizeof(*head);
	client_data[client_size] = '\0';
	client_more = head->flags & MP_PACKET_MORE;
	if (pending.id && head->id == pending.id && !(head->flags & MP_PACKET_NEWS)) {
		pending.done = true;
		pending.value = head->value;
	}
	return true;
}

static void lost(void)
{
	complain("the machine is gone");
	exit(EXIT_NOTHING);
}

/* The socket of the machine that is meant; *fd a connection, which the caller has to look at. */
static const char *find_socket(const struct options *options, int *fd)
{
	static char found[360];
	const char *path = options->socket ? options->socket : getenv("MEMPLUG_SOCKET");

	*fd = path ? connect_to(path) : find_machine(found);
	if (*fd < 0) {
		if (path)
			complain("%s: no machine answers there: %s; `memplug boot --socket %s` starts one",
				 path, strerror(-*fd), path);
		exit(client_failure);
	}
	return path ? path : found;
}

const char *client_find(const struct options *options)
{
	int fd;
	const char *path = find_socket(options, &fd);

	close(fd);
	return path;
}

const char *client_connect(const struct options *options)
{
	static char said[64];
	const char *path = find_socket(options, &connection);
	struct mp_packet hello;

	if (!receive(&hello) || hello.op != MP_PACKET_HELLO) {
		complain("%s: refused: only its owner and root may speak to a machine",
			 path);
		exit(client_failure);
	}
	if (hello.value != MP_PACKET_VERSION) {
		complain("the machine speaks version %lld, this command %d", (long long)hello.value,
			 MP_PACKET_VERSION);
		exit(client_failure);
	}
	snprintf(said, sizeof(said), "%s", client_data);
	return said;
}

static uint32_t ask(enum mp_packet_op op, int64_t value, const char *path, const char *data,
		    size_t count)
{
	struct mp_packet head = { .id = ++last_id, .op = (uint16_t)op, .value = value };
	char request[8192];
	size_t size = sizeof(head), length = path ? strlen(path) + 1 : 0;

	if (length + count > sizeof(request) - size) {
		complain("too long for a request");
		exit(EXIT_USAGE);
	}
	memcpy(request, &head, size);
	if (path)
		memcpy(request + size, path, length);
	if (count)
		memcpy(request + size + length, data, count);
	if (send(connection, request, size + length + count, MSG_NOSIGNAL) < 0)
		lost();
	return head.id;
}

int64_t client_call(enum mp_packet_op op, int64_t value, const char *path, const char *data,
		    size_t count)
{
	uint32_t id = ask(op, value, path, data, count);
	struct mp_packet head;

	do {
		if (!receive(&head))
			lost();
	} while (head.id != id || head.flags & MP_PACKET_NEWS);
	return head.value;
}

char *client_read(const char *path)
{
	char *text = NULL, *larger;
	size_t size = 0;
	struct mp_packet head;

	do {
		uint32_t id = ask(MP_PACKET_READ, (int64_t)size, path, NULL, 0);

		do {
			if (!receive(&head))
				lost();
		} while (head.id != id);
		if (head.value < 0) {
			free(text);
			errno = (int)-head.value;
			return NULL;
		}
		larger = realloc(text, size + client_size + 1);
		if (!larger) {
			free(text);
			errno = ENOMEM;
			return NULL;
		}
		text = larger;
		memcpy(text + size, client_data, client_size + 1);
		size += client_size;
	} while (head.flags & MP_PACKET_MORE);
	return text;
}

static void on_signal(int signal)
{
	int error = errno;

	(void)signal;
	interrupted = 1;
	if (write(wakeup[1], "", 1) < 0)
		errno = error;
}

/* Ctrl-C is a word to the machine, and waiting goes on; the second one ends the command. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	if (wakeup[0] < 0 && pipe2(wakeup, O_CLOEXEC | O_NONBLOCK))
		wakeup[0] = wakeup[1] = -1; /* then it can be missed */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define TICK_MS 250

/* How long to wait for the answer, in ms; 0: the deadline has passed; -1: for ever. */
static int patience(double deadline, double end, bool tick)
{
	double left = (end - now()) * 1000;
	int ms = tick ? TICK_MS : -1;

	if (deadline <= 0)
		return ms;
	if (left <= 0)
		return 0;
	return ms < 0 || left < ms ? (int)left + 1 : ms;
}

/* 1: a packet has come, 0: none in `ms`, below 0: a signal has, unless those are over. */
static int wait_for_packet(int ms, bool deaf)
{
	struct pollfd ready[2] = { { .fd = connection, .events = POLLIN },
				   { .fd = deaf ? -1 : wakeup[0], .events = POLLIN } };
	int n = poll(ready, 2, ms);

	return n <= 0 ? n : ready[0].revents ? 1 : -1;
}

int64_t client_write(const char *path, const char *text, double deadline, void (*tick)(void))
{
	bool late = false, cancelled = false;
	double end = now() + deadline;
	struct mp_packet head;

	catch_signals();
	pending.done = false;
	pending.id = ask(MP_PACKET_WRITE, 0, path, text, strlen(text));
	while (!pending.done) {
		int timeout = patience(cancelled ? 0 : deadline, end, tick);

		if ((interrupted || !timeout) && !cancelled) {
			late = !interrupted;
			cancelled = true;
			/* Its own answer is passed over. */
			ask(MP_PACKET_CANCEL, pending.id, NULL, NULL, 0);
			continue;
		}
		timeout = wait_for_packet(timeout, cancelled);
		if (timeout > 0 && !receive(&head))
			lost();
		if (!timeout && tick)
			tick();
	}
	pending.id = 0;
	return pending.value == -EINTR && late ? -ETIMEDOUT : pending.value;
}

bool client_news(struct mp_packet *head)
{
	catch_signals();
	while (!interrupted && wait_for_packet(-1, false) < 0)
		;
	return !interrupted && receive(head);
}
