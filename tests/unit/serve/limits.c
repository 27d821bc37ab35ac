/* SPDX-License-Identifier: MIT */
/* The socket door at its limits: other users, a crowd, clients that go while they wait, long texts that wait. */
#include "machine.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <memplug/serve.h>

#define STATE(n) "/sys/devices/system/memory/memory" #n "/state"

static char path[64];
static char data[MP_PACKET_MAX + 1];

static int try_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* The next packet's head; its payload is in `data`. False: closed. */
static bool receive(int fd, struct mp_packet *head)
{
	static char packet[MP_PACKET_MAX];
	ssize_t n = recv(fd, packet, sizeof(packet), 0);

	if (n < (ssize_t)sizeof(*head))
		return false;
	memcpy(head, packet, sizeof(*head));
	memcpy(data, packet + sizeof(*head), (size_t)n - sizeof(*head));
	data[(size_t)n - sizeof(*head)] = '\0';
	return true;
}

static int client(void)
{
	struct mp_packet hello;
	int fd = try_connect();

	CHECK_GE(fd, 0);
	CHECK(receive(fd, &hello));
	CHECK_EQ(hello.op, MP_PACKET_HELLO);
	return fd;
}

static void ask(int fd, u32 id, int op, s64 value, const char *name, const char *text)
{
	struct mp_packet head = { .id = id, .op = (u16)op, .value = value };
	char packet[1024];
	size_t size = sizeof(head);

	memcpy(packet, &head, size);
	if (name)
		size += (size_t)snprintf(packet + size, 600, "%s", name) + 1;
	if (text)
		size += (size_t)snprintf(packet + size, 200, "%s", text);
	CHECK_EQ(send(fd, packet, size, MSG_NOSIGNAL), (ssize_t)size);
}

static s64 call(int fd, int op, s64 value, const char *name, const char *text)
{
	struct mp_packet head;

	ask(fd, 9999, op, value, name, text);
	do
		CHECK(receive(fd, &head));
	while (head.id != 9999);
	return head.flags & MP_PACKET_MORE ? head.value + (1LL << 32) : head.value;
}

static void serve(unsigned int workers)
{
	machine_boot(NULL);
	add_blocks(1, 32, 2);
	snprintf(path, sizeof(path), "/tmp/memplug-limits-%d", getpid());
	CHECK_EQ(mp_serve(path, workers), 0);
}

TEST(serve_other_user, "another user is turned away by the file's mode, and when that lets them in, by their id")
{
	int status, mode;

	if (getuid())
		SKIP("only root can be somebody else");
	serve(1);
	for (mode = 0600; mode <= 0666; mode += 066) {
		pid_t pid;

		CHECK_EQ(chmod(path, (mode_t)mode), 0);
		pid = fork();
		if (!pid) {
			struct mp_packet head;
			int fd;

			if (setuid(65534))
				_exit(3);
			fd = try_connect();
			_exit(fd < 0 ? 1 : receive(fd, &head) ? 2 : 0);
		}
		waitpid(pid, &status, 0);
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), mode == 0600 ? 1 : 0);
	}
	close(client());
	CHECK_EQ(mp_serve_stop(), 0);
}

TEST(serve_crowd, "the 33rd client is turned away until another one goes")
{
	struct mp_packet head;
	int fd[32], i, more;

	serve(1);
	for (i = 0; i < 32; i++)
		fd[i] = client();
	more = try_connect();
	CHECK_GE(more, 0);
	CHECK(!receive(more, &head));
	close(more);
	close(fd[5]);
	/* An answer to one that comes later in the round: the server knows. */
	CHECK_GT(call(fd[31], MP_PACKET_READ, 0, STATE(32), NULL), 0);
	close(client());
	CHECK_EQ(mp_serve_stop(), 0);
}

TEST(serve_queue, "64 requests wait, the next one is told so; all of them are answered")
{
	struct mp_packet head;
	int fd, i, again = 0;

	serve(2);
	fd = client();
	lock_device_hotplug();
	for (i = 0; i < 66; i++)
		ask(fd, (u32)i, MP_PACKET_WRITE, 0, "/sys/devices/system/memory/memory32/online", "1");
	for (i = 0; i < 2; i++) {
		CHECK(receive(fd, &head));
		CHECK_EQ(head.value, -EAGAIN);
		CHECK_GE(head.id, 64);
	}
	unlock_device_hotplug();
	for (i = 0; i < 64; i++) {
		CHECK(receive(fd, &head));
		again += head.value == 1;
	}
	CHECK_EQ(again, 64);
	CHECK_EQ(mp_serve_stop(), 0);
	machine_check();
}

TEST(serve_gone, "what a client asked for and did not wait for is not done")
{
	int first, second, third, i;
	struct mp_packet head;

	serve(1);
	first = client();
	second = client();
	third = client();
	lock_device_hotplug();
	ask(first, 1, MP_PACKET_WRITE, 0, STATE(32), "online");
	ask(second, 2, MP_PACKET_WRITE, 0, STATE(33), "online");
	/* Answered, and so the others' requests were taken in before. */
	CHECK_GT(call(third, MP_PACKET_READ, 0, STATE(32), NULL), 0);
	close(second);
	CHECK_GT(call(third, MP_PACKET_READ, 0, STATE(32), NULL), 0);
	unlock_device_hotplug();
	CHECK(receive(first, &head));
	CHECK_EQ(head.id, 1);
	CHECK_STR(read_block(32, "state"), "online");
	/* One that was being tried is behind the first of these, but before the second. */
	for (i = 0; i < 2; i++)
		CHECK_EQ(call(first, MP_PACKET_WRITE, 0, "/memplug/remove", "4G 128M 1"), -EINVAL);
	CHECK_STR(read_block(33, "state"), "offline");
	CHECK_EQ(mp_serve_stop(), 0);
	machine_check();
}

TEST(serve_waiting_text, "a text that a worker makes may be longer than a page, and is read on at once")
{
	static struct listener listener[90];
	static char whole[65536], pieces[65536];
	ssize_t n;
	size_t at = 0;
	s64 got;
	int fd, i;

	serve(1);
	for (i = 0; i < 90; i++)
		listen_as(&listener[i], "one of many", i);
	fd = client();
	n = mp_read("/memplug/callbacks", whole, sizeof(whole));
	CHECK_GT(n, MP_ATTR_SIZE);
	do {
		got = call(fd, MP_PACKET_READ, (s64)at, "/memplug/callbacks", NULL);
		CHECK_GT(got, 0);
		memcpy(pieces + at, data, (size_t)(u32)got);
		at += (size_t)(u32)got;
		/* Behind the first piece no worker is needed any more. */
		if (at == MP_ATTR_SIZE) {
			lock_device_hotplug();
			ask(fd, 1, MP_PACKET_WRITE, 0, STATE(32), "online");
		}
	} while (got >> 32);
	unlock_device_hotplug();
	CHECK_EQ(at, n);
	CHECK(!memcmp(whole, pieces, at));
	/* One that is dropped half-way leaves nothing. */
	CHECK_GT(call(fd, MP_PACKET_READ, 0, "/memplug/callbacks", NULL), 0);
	CHECK_GT(call(fd, MP_PACKET_READ, 0, "/memplug/check", NULL), 0);
	close(fd);
	CHECK_EQ(mp_serve_stop(), 0);
	machine_check();
}

TEST(serve_stop_cancels, "mp_serve_stop() ends an offline that would last for ever; the block is online")
{
	struct page *page;
	int fd, other;

	serve(1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	page = stuck_take(1);
	fd = client();
	other = client();
	ask(fd, 1, MP_PACKET_WRITE, 0, STATE(32), "offline");
	while (call(other, MP_PACKET_READ, 0, STATE(32), NULL) > 0 && strcmp(data, "going-offline\n"))
		sched_yield();
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_STR(read_block(32, "state"), "online");
	__free_page(page);
	machine_check();
}
