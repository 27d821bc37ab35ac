/* SPDX-License-Identifier: MIT */
/*
 * Uevents in `memplug ns`. What a privileged process of a network namespace
 * sends to the kernel over NETLINK_KOBJECT_UEVENT, the kernel broadcasts there
 * as its own, with its own SEQNUM behind it. State: the socket.
 */
#include "ns.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int netlink = -1;

void ns_net_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* A kernel without it is no worse a place for the command. */
	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
}

/* The text without its SEQNUM, of which the kernel has one of its own; the new length. */
static size_t strip_seqnum(char *text, size_t size)
{
	static const char key[] = "SEQNUM=";
	char *at = text, *end = text + size;

	while (at < end) {
		size_t length = strnlen(at, (size_t)(end - at)) + 1;

		if (length > (size_t)(end - at))
			length = (size_t)(end - at);
		if (strncmp(at, key, sizeof(key) - 1)) {
			at += length;
			continue;
		}
		memmove(at, at + length, (size_t)(end - at) - length);
		end -= length;
	}
	return (size_t)(end - text);
}

/* 0 or -errno: what the kernel says to it. */
static int send_uevent(const char *text, size_t size)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct {
		struct nlmsghdr head;
		char text[4096];
	} message = { .head = { .nlmsg_type = NLMSG_MIN_TYPE,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK } };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[sizeof(message)];
	} answer;
	ssize_t n;

	if (size > sizeof(message.text))
		return -EMSGSIZE;
	memcpy(message.text, text, size);
	message.head.nlmsg_len = (uint32_t)(sizeof(message.head) + size);
	if (sendto(netlink, &message, message.head.nlmsg_len, 0, (const struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	do
		n = recv(netlink, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)(sizeof(answer.head) + sizeof(answer.error)) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return answer.error.error;
}

int ns_relay(const struct ns *ns, int ready)
{
	const struct options options = { .socket = ns->socket };
	struct mp_packet head;
	int error;

	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
	if (netlink < 0) {
		ns_fail("a socket for uevents");
		return EXIT_OWN;
	}
	/* Before whoever makes the events, if it may be: the machine keeps only so many for us. */
	setpriority(PRIO_PROCESS, 0, -10);
	client_connect(&options);
	if (client_call(MP_PACKET_WATCH, MP_WATCH_UEVENTS, NULL, NULL, 0) < 0)
		return EXIT_OWN;
	if (write(ready, "", 1) != 1)
		return EXIT_OWN;
	close(ready);
	while (client_news(&head)) {
		if (head.flags & MP_PACKET_LOST) {
			complain("ns: %" PRId64 " uevents are lost: they came too fast", head.value);
			continue;
		}
		error = send_uevent(client_data, strip_seqnum(client_data, client_size));
		if (error) {
			errno = -error;
			ns_fail("uevent %s", client_data);
		}
	}
	return EXIT_DONE;
}
