/* SPDX-License-Identifier: MIT */
/* What the socket door takes from the heap: nothing for texts of a page, whoever reads them; a list and a long text give it back. */
#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memplug/runtime.h>
#include <memplug/serve.h>

#define MEMORY "/sys/devices/system/memory"

/* Of the library's threads alone: this one's own allocations do not count. */
static long taken, given;

void *mp_heap_alloc(size_t size)
{
	if (mp_service_thread())
		__atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
	return calloc(1, size);
}

void mp_heap_free(void *p)
{
	if (p && mp_service_thread())
		__atomic_fetch_add(&given, 1, __ATOMIC_RELAXED);
	free(p);
}

static char answer[MP_PACKET_MAX + 1];

static int client(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_GT(recv(fd, answer, MP_PACKET_MAX, 0), 0);
	return fd;
}

/* The answer's value; its payload is in `answer`, behind the head. */
static s64 ask(int fd, int op, s64 value, const char *name)
{
	struct mp_packet head = { .id = 1, .op = (u16)op, .value = value };
	char packet[512];
	ssize_t n;

	memcpy(packet, &head, sizeof(head));
	strcpy(packet + sizeof(head), name);
	CHECK_GT(send(fd, packet, sizeof(head) + strlen(name) + 1, MSG_NOSIGNAL), 0);
	n = recv(fd, answer, MP_PACKET_MAX, 0);
	CHECK_GE(n, (ssize_t)sizeof(head));
	answer[n] = '\0';
	memcpy(&head, answer, sizeof(head));
	return head.value;
}

static const char *text_at(int fd, s64 offset, const char *name)
{
	CHECK_GE(ask(fd, MP_PACKET_READ, offset, name), 0);
	return answer + sizeof(struct mp_packet);
}

TEST(serve_heap, "reading a text of a page takes nothing from the heap, in the I/O thread and in workers")
{
	char path[64];
	int fd;

	machine_boot(NULL);
	snprintf(path, sizeof(path), "/tmp/memplug-heap-%d", getpid());
	CHECK_EQ(mp_serve(path, 1), 0);
	fd = client(path);
	/* Who works for the first time takes what its thread needs. */
	text_at(fd, 0, MEMORY "/memory1/online");
	text_at(fd, 0, MEMORY "/memory1/online");
	__atomic_store_n(&taken, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&given, 0, __ATOMIC_RELAXED);
	CHECK_STR(text_at(fd, 0, MEMORY "/memory1/state"), "online\n");
	CHECK_STR(text_at(fd, 0, MEMORY "/memory1/online"), "1\n");
	CHECK_STR(text_at(fd, 0, "/sys/devices/system/node/node0/cpulist"), "0\n");
	CHECK_EQ(ask(fd, MP_PACKET_STAT, 0, MEMORY "/memory1/state"), 0);
	/* From the middle, the end and behind it. */
	CHECK_STR(text_at(fd, 2, MEMORY "/memory1/state"), "line\n");
	CHECK_STR(text_at(fd, 1, MEMORY "/memory1/online"), "\n");
	CHECK_EQ(ask(fd, MP_PACKET_READ, 7, MEMORY "/memory1/state"), 0);
	CHECK_EQ(ask(fd, MP_PACKET_READ, INT64_MAX, MEMORY "/memory1/state"), 0);
	CHECK_EQ(ask(fd, MP_PACKET_READ, INT64_MAX, MEMORY "/memory1/online"), 0);
	CHECK_EQ(ask(fd, MP_PACKET_READ, 0, MEMORY "/memory1/none"), -ENOENT);
	CHECK_EQ(ask(fd, MP_PACKET_CANCEL, 77, ""), -ENOENT);
	CHECK_EQ(__atomic_load_n(&taken, __ATOMIC_RELAXED), 0);
	CHECK_EQ(__atomic_load_n(&given, __ATOMIC_RELAXED), 0);
	/* These are as long as they are: they take it, and give it back. */
	CHECK_GT(ask(fd, MP_PACKET_LIST, 0, MEMORY), 0);
	CHECK_GT(ask(fd, MP_PACKET_READ, 0, "/proc/zoneinfo"), 0);
	CHECK_GT(ask(fd, MP_PACKET_READ, 0, "/memplug/blocks"), 0);
	CHECK_GT(__atomic_load_n(&taken, __ATOMIC_RELAXED), 0);
	/* A file that was read to its end is closed before the answer goes out; two more answers for sure. */
	CHECK_EQ(ask(fd, MP_PACKET_STAT, 0, MEMORY), 0);
	CHECK_EQ(__atomic_load_n(&taken, __ATOMIC_RELAXED), __atomic_load_n(&given, __ATOMIC_RELAXED));
	close(fd);
	CHECK_EQ(mp_serve_stop(), 0);
}
