/* SPDX-License-Identifier: MIT */
/* Messages with descriptors over a socket of packets. No state. */
#include "channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int channel_send(int channel, const struct message *message, int fd)
{
	struct iovec part = { (void *)message, sizeof(*message) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd >= 0) {
		packet.msg_control = &control;
		packet.msg_controllen = sizeof(control);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	}
	return sendmsg(channel, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int channel_receive(int channel, struct message *message, int *fd)
{
	struct iovec part = { message, sizeof(*message) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
				 .msg_controllen = sizeof(control) };
	struct cmsghdr *head;
	ssize_t n = recvmsg(channel, &packet, MSG_CMSG_CLOEXEC);

	*fd = -1;
	if (n < 0)
		return -errno;
	head = CMSG_FIRSTHDR(&packet);
	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(head), sizeof(*fd));
	return n == 0 ? 0 : n == sizeof(*message) ? 1 : -EBADMSG;
}
