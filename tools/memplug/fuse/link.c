// SPDX-License-Identifier: MIT
/*
 * Connections to the machine for calls that are answered at once: a few, each
 * used by one thread at a time. When the machine has gone they are closed and
 * made again, so that the tree comes back with a machine at the same socket.
 * links.lock guards the list of those that nobody uses.
 */
#include "mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_LINKS 4

static struct {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct link *unused;
	int made;
	struct sockaddr_un address;
	struct fuse_session *session; /* NULL: not yet */
} links = { .lock = PTHREAD_MUTEX_INITIALIZER, .returned = PTHREAD_COND_INITIALIZER };

void link_set_path(const char *path)
{
	links.address.sun_family = AF_UNIX;
	snprintf(links.address.sun_path, sizeof(links.address.sun_path), "%s", path);
}

void link_set_session(struct fuse_session *session)
{
	links.session = session;
}

/* Nobody is answered any more. */
static bool ending(void)
{
	return links.session && fuse_session_exited(links.session);
}

int link_connect(void)
{
	struct { struct mp_packet head; char text[128]; } hello;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&links.address, sizeof(links.address)) ||
	    recv(fd, &hello, sizeof(hello), 0) < (ssize_t)sizeof(hello.head) ||
	    hello.head.op != MP_PACKET_HELLO || hello.head.value != MP_PACKET_VERSION) {
		close(fd);
		return -ENOTCONN;
	}
	return fd;
}

static struct link *new_link(void)
{
	struct link *link = calloc(1, sizeof(*link));

	if (!link)
		return NULL;
	link->fd = -1;
	link->data = link->packet + sizeof(struct mp_packet);
	return link;
}

struct link *link_get(void)
{
	struct link *link;

	pthread_mutex_lock(&links.lock);
	while (!links.unused && links.made == MAX_LINKS)
		pthread_cond_wait(&links.returned, &links.lock);
	link = links.unused;
	if (link)
		links.unused = link->next;
	else
		link = new_link();
	links.made += link && link->fd < 0;
	pthread_mutex_unlock(&links.lock);
	if (link && link->fd < 0) {
		link->fd = link_connect();
		if (link->fd < 0) {
			link_put(link);
			return NULL;
		}
	}
	return link;
}

void link_put(struct link *link)
{
	pthread_mutex_lock(&links.lock);
	if (link->fd < 0) {
		links.made--;
		free(link);
	} else {
		link->next = links.unused;
		links.unused = link;
	}
	pthread_cond_signal(&links.returned);
	pthread_mutex_unlock(&links.lock);
}

size_t link_packet(char *packet, size_t room, const struct mp_packet *head, const char *path,
		   const void *data, size_t count)
{
	size_t length = strlen(path) + 1, size = sizeof(*head);

	if (size + length + count > room)
		return 0;
	memcpy(packet, head, size);
	memcpy(packet + size, path, length);
	if (count)
		memcpy(packet + size + length, data, count);
	return size + length + count;
}

static bool call(struct link *link, struct mp_packet *head, const char *path, uint64_t object)
{
	char request[1024];
	size_t size = link_packet(request, sizeof(request), head, path, &object,
				  object ? sizeof(object) : 0);
	uint32_t id = head->id;
	ssize_t n;

	if (!size || send(link->fd, request, size, MSG_NOSIGNAL) < 0)
		return false;
	do {
		n = recv(link->fd, link->packet, MP_PACKET_MAX, 0);
		if (n < (ssize_t)sizeof(*head) && (n >= 0 || errno != EINTR || ending()))
			return false;
		if (n > 0)
			memcpy(head, link->packet, sizeof(*head));
	} while (n < 0 || head->id != id);
	link->flags = head->flags;
	link->size = (size_t)n - sizeof(*head);
	link->data[link->size] = '\0';
	return true;
}

static int64_t call_again(struct link *link, const struct mp_packet *request, const char *path,
			  uint64_t object)
{
	struct mp_packet head;
	int tries;

	/* The second time with a new connection: the machine may be another one by now. */
	for (tries = 0; tries < 2 && link->fd >= 0 && !ending(); tries++) {
		head = *request;
		head.id = ++link->last_id;
		if (call(link, &head, path, object))
			return head.value == -ENXIO ? -ENOTCONN : head.value;
		close(link->fd);
		link->fd = ending() ? -1 : link_connect();
	}
	if (link->fd < 0)
		link->fd = -1;
	return -ENOTCONN;
}

int64_t link_call(struct link *link, enum mp_packet_op op, int64_t value, const char *path,
		  uint64_t object)
{
	struct mp_packet head = { .op = (uint16_t)op, .value = value };

	return call_again(link, &head, path, object);
}

int64_t link_list(struct link *link, int64_t skip, const char *path)
{
	struct mp_packet head = { .op = MP_PACKET_LIST, .flags = MP_PACKET_TEXTS, .value = skip };

	return call_again(link, &head, path, 0);
}
