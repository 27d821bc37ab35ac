/* SPDX-License-Identifier: MIT */
/*
 * System calls on sockets and what waits for them. Those that one thread of the library's alone makes, the socket
 * door's, need not ask where the descriptors are. No state of its own.
 */
#include "os/os.h"
#include "os/table.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int os_packet_socket(void)
{
	int fd = (int)CALL3(socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int os_set_mode(int fd, unsigned int mode)
{
	return CALL2(fchmod, fd, mode) ? -errno : 0;
}

static int address_of(const char *path, struct sockaddr_un *address)
{
	size_t length = strlen(path);

	if (!length || length >= sizeof(address->sun_path))
		return -EINVAL;
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length);
	return 0;
}

int os_bind_path(int fd, const char *path)
{
	struct sockaddr_un address;
	int error = address_of(path, &address);

	if (error)
		return error;
	return CALL3(bind, fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

int os_connect_path(int fd, const char *path)
{
	struct sockaddr_un address;
	int error = address_of(path, &address);

	if (error)
		return error;
	return CALL3(connect, fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

int os_listen(int fd)
{
	return CALL2(listen, fd, 16) ? -errno : 0;
}

int os_accept(int fd)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return client < 0 ? -errno : client;
}

int os_peer(int fd, int *pid, unsigned int *uid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return -errno;
	*pid = peer.pid;
	*uid = peer.uid;
	return 0;
}

unsigned int os_uid(void)
{
	return geteuid();
}

ssize_t os_receive(int fd, void *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size, MSG_DONTWAIT | MSG_TRUNC);

	return n < 0 ? -errno : n;
}

ssize_t os_send(int fd, const void *buf, size_t size)
{
	ssize_t n = send(fd, buf, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

ssize_t os_send_fd(int fd, const void *buf, size_t size, int passed)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec data = { (void *)buf, size };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };
	ssize_t n;

	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &passed, sizeof(passed));
	n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

int os_eventfd(void)
{
	int fd = table_away() ? (int)table_call(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0, 0) :
				eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

void os_eventfd_clear(int fd)
{
	uint64_t count;

	/* Empty already: as good. */
	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

int os_poll(struct pollfd *fds, unsigned int count, int timeout_ms)
{
	int n = poll(fds, count, timeout_ms);

	return n < 0 ? -errno : n;
}

int os_unlink(const char *path)
{
	return unlink(path) ? -errno : 0;
}
