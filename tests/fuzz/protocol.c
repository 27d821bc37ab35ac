/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the socket door of a machine that is served. Input: steps. A step is a byte, its low 3 bits the
 * client, and what to do: connect anew, close, take the answers, or send the packet that follows: two bytes of
 * length, which may say more than there is, then the bytes. After it the server still answers.
 */
#include "fuzz.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS 8
#define STEPS 200

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static char packet[MP_PACKET_MAX + 4096];

static int connect_client(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fuzz_fail("connect: %s", strerror(errno));
	return fd;
}

/* All that is there. Each packet has a header, or the connection is closed. */
static void take(int fd)
{
	ssize_t n;

	while ((n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		if (n < (ssize_t)sizeof(struct mp_packet) || n > MP_PACKET_MAX)
			fuzz_fail("an answer of %zd bytes", n);
}

static void do_step(int *fd, unsigned int what, const uint8_t *data, size_t size)
{
	if (*fd < 0)
		*fd = connect_client();
	switch (what & 3) {
	case 0:
		close(*fd);
		*fd = connect_client();
		break;
	case 1:
		close(*fd);
		*fd = -1;
		break;
	case 2:
		take(*fd);
		break;
	default:
		/* Larger than what is there: padded, up to more than the door takes. */
		memset(packet, 0, sizeof(packet));
		memcpy(packet, data, size);
		if (what & 4)
			size = MP_PACKET_MAX + (what & 8 ? 1 : 0);
		send(*fd, packet, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

/* A client that behaves: hello, then an answer to its question. */
static void still_answers(void)
{
	static const char path[] = "/sys/devices/system/memory/block_size_bytes";
	struct mp_packet head = { .id = 99, .op = MP_PACKET_READ };
	struct pollfd wait = { .fd = connect_client(), .events = POLLIN };
	bool greeted = false;
	ssize_t n;

	memcpy(packet, &head, sizeof(head));
	memcpy(packet + sizeof(head), path, sizeof(path));
	if (send(wait.fd, packet, sizeof(head) + sizeof(path), MSG_NOSIGNAL) < 0)
		fuzz_fail("send: %s", strerror(errno));
	for (;;) {
		if (poll(&wait, 1, 20000) != 1)
			fuzz_fail("the server does not answer");
		n = recv(wait.fd, packet, sizeof(packet), 0);
		if (n < (ssize_t)sizeof(head))
			fuzz_fail("a client that behaves is closed");
		memcpy(&head, packet, sizeof(head));
		if (greeted)
			break;
		greeted = head.op == MP_PACKET_HELLO;
	}
	if (head.id != 99 || head.value != 8 || memcmp(packet + sizeof(head), "8000000\n", 8))
		fuzz_fail("a wrong answer: id %u, value %ld", head.id, (long)head.value);
	close(wait.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fds[CLIENTS], i, n, error;
	size_t length;

	memset(fds, -1, sizeof(fds));
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/memplug-fuzz-%d", getpid());
	fuzz_hooks(false);
	machine_up(size && data[0] & 0x80);
	error = mp_serve(address.sun_path, 2);
	if (error)
		fuzz_fail("mp_serve: %d", error);
	for (n = 0; size && n < STEPS; n++) {
		unsigned int step = *data++;

		size--;
		length = 0;
		if ((step >> 3 & 3) == 3 && size >= 2) {
			length = (size_t)data[0] | (size_t)data[1] << 8;
			data += 2;
			size -= 2;
			length = length < size ? length : size;
		}
		do_step(&fds[step & 7], step >> 3, data, length);
		data += length;
		size -= length;
	}
	for (i = 0; i < CLIENTS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	still_answers();
	error = mp_serve_stop();
	if (error)
		fuzz_fail("mp_serve_stop: %d", error);
	machine_compare();
	machine_down();
	return 0;
}
