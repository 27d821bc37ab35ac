/* SPDX-License-Identifier: MIT */
/*
 * The socket door: what its clients ask for, beside what waits; what becomes of slow, dead and unruly
 * ones; who may speak to it.
 */
#include "machine.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <memplug/serve.h>

#define STATE "/sys/devices/system/memory/memory32/state"

static char path[64];

static void serve(unsigned int workers)
{
	snprintf(path, sizeof(path), "/tmp/memplug-serve-%d", getpid());
	CHECK_EQ(mp_serve(path, workers), 0);
}

struct answer {
	struct mp_packet head;
	size_t size;
	char data[MP_PACKET_MAX];
};

static int connect_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* False: the connection is closed. */
static bool receive(int fd, struct answer *answer)
{
	static char packet[MP_PACKET_MAX];
	ssize_t n = recv(fd, packet, sizeof(packet), 0);

	if (n <= 0)
		return false;
	CHECK_GE(n, (ssize_t)sizeof(answer->head));
	memcpy(&answer->head, packet, sizeof(answer->head));
	answer->size = (size_t)n - sizeof(answer->head);
	memcpy(answer->data, packet + sizeof(answer->head), answer->size);
	if (answer->size < sizeof(answer->data))
		answer->data[answer->size] = '\0';
	return true;
}

static int client(void)
{
	static struct answer hello;
	int fd = connect_socket();

	CHECK(receive(fd, &hello));
	CHECK_EQ(hello.head.op, MP_PACKET_HELLO);
	CHECK_EQ(hello.head.value, MP_PACKET_VERSION);
	CHECK(!strncmp(hello.data, "memplug ", 8));
	return fd;
}

static void ask(int fd, u32 id, int op, s64 value, const char *name, const char *data)
{
	char packet[2048];
	struct mp_packet head = { .id = id, .op = (u16)op, .value = value };
	size_t size = sizeof(head);

	memcpy(packet, &head, sizeof(head));
	if (name) {
		strcpy(packet + size, name);
		size += strlen(name) + 1;
	}
	if (data) {
		memcpy(packet + size, data, strlen(data));
		size += strlen(data);
	}
	CHECK_EQ(send(fd, packet, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* The reply to request `id`; news that come before are counted. */
static s64 reply(int fd, u32 id, struct answer *answer)
{
	do {
		CHECK(receive(fd, answer));
	} while (answer->head.flags & MP_PACKET_NEWS);
	CHECK_EQ(answer->head.id, id);
	return answer->head.value;
}

static struct answer got;

static s64 call(int fd, int op, s64 value, const char *name, const char *data)
{
	static u32 id;

	ask(fd, ++id, op, value, name, data);
	return reply(fd, id, &got);
}

TEST(serve_files, "list, stat, read and write are what they are in the process")
{
	char text[MP_ATTR_SIZE + 1];
	struct mp_packet_entry entry;
	ssize_t n;
	int fd;

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	serve(0);
	fd = client();
	n = mp_read(STATE, text, sizeof(text));
	CHECK_EQ(call(fd, MP_PACKET_READ, 0, STATE, NULL), n);
	CHECK_STR(got.data, text);
	CHECK_EQ(call(fd, MP_PACKET_READ, 3, STATE, NULL), n - 3);
	CHECK_STR(got.data, text + 3);
	CHECK_EQ(call(fd, MP_PACKET_WRITE, 0, STATE, "online_movable"), 14);
	CHECK_STR(read_block(32, "state"), "online");
	CHECK_EQ(call(fd, MP_PACKET_READ, 0, "/sys/devices/system/memory/memory32/online", NULL), 2);
	CHECK_STR(got.data, "1\n");
	CHECK_EQ(call(fd, MP_PACKET_STAT, 0, STATE, NULL), 0);
	memcpy(&entry, got.data, sizeof(entry));
	CHECK_EQ(entry.mode, 0644);
	CHECK_EQ(entry.size, 4096);
	CHECK_STR(got.data + sizeof(entry), "state");
	/* memory0 to 2, 32, 33 and the files between them, in order. */
	n = call(fd, MP_PACKET_LIST, 0, "/sys/devices/system/memory", NULL);
	CHECK_GT(n, 8);
	CHECK(!(got.head.flags & MP_PACKET_MORE));
	CHECK_STR(got.data + sizeof(entry), "auto_online_blocks");
	CHECK_EQ(call(fd, MP_PACKET_LIST, n - 1, "/sys/devices/system/memory", NULL), 1);
	CHECK_EQ(call(fd, MP_PACKET_LIST, n, "/sys/devices/system/memory", NULL), 0);
	/* Errors are the tree's. */
	CHECK_EQ(call(fd, MP_PACKET_READ, 0, "/sys/nothing", NULL), -ENOENT);
	CHECK_EQ(call(fd, MP_PACKET_LIST, 0, STATE, NULL), -ENOTDIR);
	CHECK_EQ(call(fd, MP_PACKET_WRITE, 0, STATE, "nonsense"), -EINVAL);
	CHECK_EQ(call(fd, MP_PACKET_WRITE, 0, "/proc/meminfo", "x"), -EACCES);
	close(fd);
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_NE(access(path, F_OK), 0);
	machine_check();
}

TEST(serve_long_file, "a file longer than a packet comes in pieces")
{
	static char whole[400000], pieces[400000];
	ssize_t n;
	size_t at = 0;
	int fd;

	machine_boot(NULL);
	add_blocks(1, 32, 300);
	serve(1);
	fd = client();
	n = mp_read("/proc/iomem", whole, sizeof(whole));
	do {
		s64 piece = call(fd, MP_PACKET_READ, (s64)at, "/proc/iomem", NULL);

		CHECK_GE(piece, 0);
		memcpy(pieces + at, got.data, (size_t)piece);
		at += (size_t)piece;
	} while (got.head.flags & MP_PACKET_MORE);
	CHECK_EQ(at, n);
	CHECK(!memcmp(whole, pieces, at));
	at = 0;
	do
		at += (size_t)call(fd, MP_PACKET_LIST, (s64)at, "/sys/devices/system/memory", NULL);
	while (got.head.flags & MP_PACKET_MORE);
	CHECK_GT(at, 303);
}

TEST(serve_beside_waiting, "with all workers waiting, reads, watches and cancels are answered; the rest queues")
{
	s64 sum = 0;
	int fd, i;

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	serve(2);
	fd = client();
	lock_device_hotplug();
	for (i = 1; i <= 4; i++)
		ask(fd, (u32)(1000 + i), MP_PACKET_WRITE, 0, STATE, "online");
	CHECK_GT(call(fd, MP_PACKET_READ, 0, STATE, NULL), 0);
	CHECK_STR(got.data, "offline\n");
	CHECK_EQ(call(fd, MP_PACKET_WATCH, 0, NULL, NULL), 0);
	/* One that waits in a worker and one that waits for one. */
	ask(fd, 7, MP_PACKET_CANCEL, 1001, NULL, NULL);
	ask(fd, 8, MP_PACKET_CANCEL, 1004, NULL, NULL);
	for (i = 0; i < 4; i++) {
		CHECK(receive(fd, &got));
		if (got.head.id == 7 || got.head.id == 8)
			CHECK_EQ(got.head.value, 0);
		else if (got.head.id == 1001 || got.head.id == 1004)
			CHECK_EQ(got.head.value, -EINTR);
		else
			FAIL("an answer to %u", got.head.id);
	}
	CHECK_EQ(call(fd, MP_PACKET_CANCEL, 1001, NULL, NULL), -ENOENT);
	unlock_device_hotplug();
	/* The other two, in either order: one brings it online, one finds it so (BLOCK-19). */
	for (i = 0; i < 2; i++) {
		CHECK(receive(fd, &got));
		CHECK(got.head.id == 1002 || got.head.id == 1003);
		sum += got.head.value;
	}
	CHECK_EQ(sum, 6 - EINVAL);
	CHECK_STR(read_block(32, "state"), "online");
	machine_check();
}

TEST(serve_cancel_offline, "an offline that would last for ever ends with cancel, and with its client")
{
	struct page *page;
	int fd, other;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	page = stuck_take(1);
	serve(1);
	fd = client();
	other = client();
	ask(fd, 5, MP_PACKET_WRITE, 0, STATE, "offline");
	while (call(other, MP_PACKET_READ, 0, STATE, NULL) > 0 && strcmp(got.data, "going-offline\n"))
		sched_yield();
	/* Nobody cancels what is not theirs. */
	CHECK_EQ(call(other, MP_PACKET_CANCEL, 5, NULL, NULL), -ENOENT);
	ask(fd, 6, MP_PACKET_CANCEL, 5, NULL, NULL);
	CHECK_EQ(reply(fd, 6, &got), 0);
	CHECK_EQ(reply(fd, 5, &got), -EINTR);
	CHECK_STR(read_block(32, "state"), "online");
	ask(fd, 9, MP_PACKET_WRITE, 0, STATE, "offline");
	while (call(other, MP_PACKET_READ, 0, STATE, NULL) > 0 && strcmp(got.data, "going-offline\n"))
		sched_yield();
	close(fd);
	while (call(other, MP_PACKET_READ, 0, STATE, NULL) > 0 && strcmp(got.data, "online\n"))
		sched_yield();
	__free_page(page);
	/* The worker is as new. */
	CHECK_EQ(call(other, MP_PACKET_WRITE, 0, STATE, "offline"), 7);
	CHECK_EQ(mp_serve_stop(), 0);
	machine_check();
}

TEST(serve_watch, "a watcher hears of events, uevents and refusals as they happen, and of nothing else")
{
	struct mp_ring_record record;
	bool event = false, uevent = false, refusal = false;
	static struct listener listener;
	int fd;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	listen_as(&listener, "veto", 0);
	listener_answer(&listener, MEM_GOING_OFFLINE, NOTIFY_BAD);
	serve(0);
	fd = client();
	CHECK_EQ(call(fd, MP_PACKET_WATCH, 8, NULL, NULL), -EINVAL);
	ask(fd, 77, MP_PACKET_WATCH, MP_WATCH_EVENTS | MP_WATCH_UEVENTS | MP_WATCH_REASONS, NULL, NULL);
	CHECK_EQ(reply(fd, 77, &got), 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	while (!event || !uevent || !refusal) {
		CHECK(receive(fd, &got));
		CHECK_EQ(got.head.id, 77);
		CHECK_EQ(got.head.flags, MP_PACKET_NEWS);
		if (got.head.value == MP_WATCH_UEVENTS) {
			CHECK(!strncmp(got.data, "online@/devices/system/memory/memory32", 38));
			uevent = true;
			continue;
		}
		CHECK_EQ(got.size, sizeof(record));
		memcpy(&record, got.data, sizeof(record));
		CHECK_EQ(record.type == MP_RING_REFUSAL, got.head.value == MP_WATCH_REASONS);
		event |= record.type == MP_RING_EVENT && record.a == MEM_GOING_ONLINE;
		refusal |= record.type == MP_RING_REFUSAL && record.b == -EPERM;
	}
	ask(fd, 78, MP_PACKET_WATCH, 0, NULL, NULL);
	CHECK_EQ(reply(fd, 78, &got), 0);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_GT(call(fd, MP_PACKET_READ, 0, STATE, NULL), 0);
}

TEST(serve_slow_watcher, "a watcher that does not read holds nobody up, and is told how much it missed")
{
	s64 lost = 0, heard = 0;
	int fd, other, i;
	struct pollfd ready;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	serve(0);
	fd = client();
	other = client();
	ask(fd, 1, MP_PACKET_WATCH, MP_WATCH_EVENTS | MP_WATCH_UEVENTS, NULL, NULL);
	for (i = 0; i < 1500; i++) {
		CHECK_EQ(set_state(32, "online_movable"), 0);
		CHECK_EQ(set_state(32, "offline"), 0);
	}
	CHECK_GT(call(other, MP_PACKET_READ, 0, STATE, NULL), 0);
	ready = (struct pollfd){ .fd = fd, .events = POLLIN };
	/* What it missed is said when it reads again, with the next news. */
	while (!lost) {
		while (poll(&ready, 1, 0) == 1) {
			CHECK(receive(fd, &got));
			if (got.head.flags & MP_PACKET_LOST)
				lost += got.head.value;
			else
				heard++;
		}
		CHECK_EQ(set_state(32, "online_movable"), 0);
		CHECK_EQ(set_state(32, "offline"), 0);
	}
	CHECK_GT(heard, 0);
	machine_check();
}

TEST(serve_burst, "a watcher that is busy elsewhere misses no uevent of 1 000 blocks that are added and go again")
{
	const int blocks = 1000;
	struct mp_packet head;
	int fd, other, added = 0, removed = 0;

	machine_boot_text("max_phys = 256G\n" "overcommit = yes\n" "node 0\n" "node 1\n" "cpu 0 node 0\n"
			  "ram 0 384M node 0\n");
	serve(0);
	fd = client();
	other = client();
	ask(fd, 1, MP_PACKET_WATCH, MP_WATCH_UEVENTS, NULL, NULL);
	CHECK_EQ(reply(fd, 1, &got), 0);
	add_blocks(1, 32, blocks);
	/* Answered, and so the I/O thread has met a watcher that takes no more. */
	CHECK_GT(call(other, MP_PACKET_READ, 0, STATE, NULL), 0);
	CHECK_EQ(remove_blocks(32, blocks), 0);
	while (removed < blocks) {
		CHECK(receive(fd, &got));
		head = got.head;
		CHECK_EQ(head.flags, MP_PACKET_NEWS);
		/* In order: each block once. */
		if (!strncmp(got.data, "add@/devices/system/memory/memory", 33))
			CHECK_EQ(atoi(got.data + 33), 32 + added++);
		if (!strncmp(got.data, "remove@/devices/system/memory/memory", 36))
			CHECK_EQ(atoi(got.data + 36), 32 + removed++);
	}
	CHECK_EQ(added, blocks);
	CHECK_EQ(mp_serve_stop(), 0);
	machine_check();
}

TEST(serve_unruly, "nonsense in packets: an errno, or the connection ends; the machine is as before")
{
	static char large[MP_PACKET_MAX + 100];
	char longer[700];
	int fd, i;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	serve(0);
	fd = client();
	CHECK_EQ(call(fd, 99, 0, STATE, NULL), -ENOSYS);
	CHECK_EQ(call(fd, MP_PACKET_HELLO, 0, STATE, NULL), -ENOSYS);
	CHECK_EQ(call(fd, MP_PACKET_READ, -1, STATE, NULL), -EINVAL);
	CHECK_EQ(call(fd, MP_PACKET_READ, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(call(fd, MP_PACKET_READ, 0, NULL, "/sys/no/nul"), -EINVAL);
	CHECK_EQ(call(fd, MP_PACKET_LIST, 0, "", NULL), -EINVAL);
	CHECK_EQ(call(fd, MP_PACKET_CANCEL, -1, NULL, NULL), -EINVAL);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CHECK_EQ(call(fd, MP_PACKET_READ, 0, longer, NULL), -EINVAL);
	CHECK_EQ(send(fd, "short", 5, 0), 5);
	CHECK(!receive(fd, &got));
	close(fd);
	fd = client();
	CHECK_EQ(send(fd, large, sizeof(large), 0), (ssize_t)sizeof(large));
	CHECK(!receive(fd, &got));
	close(fd);
	/* One that asks and never reads loses its connection, not the server. */
	fd = client();
	for (i = 0; i < 100000; i++) {
		struct mp_packet head = { .op = MP_PACKET_CANCEL };

		if (send(fd, &head, sizeof(head), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE)
			break;
	}
	close(fd);
	fd = client();
	CHECK_GT(call(fd, MP_PACKET_READ, 0, STATE, NULL), 0);
	machine_check();
}

TEST(serve_life, "one server at a path, owner's alone; a dead one's file is replaced; bad calls are refused")
{
	char longer[200];
	struct stat st;
	pid_t pid;
	int status;

	CHECK_EQ(mp_serve(NULL, 0), -EINVAL);
	CHECK_EQ(mp_serve("", 0), -EINVAL);
	CHECK_EQ(mp_serve("/tmp/x", 17), -EINVAL);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CHECK_EQ(mp_serve(longer, 0), -EINVAL);
	CHECK_EQ(mp_serve("/nonexistent/socket", 0), -ENOENT);
	CHECK_EQ(mp_serve_stop(), -ESRCH);

	snprintf(path, sizeof(path), "/tmp/memplug-serve-%d", getpid());
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(mp_serve(path, 1), 0);
		_exit(0); /* without stopping */
	}
	waitpid(pid, &status, 0);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(mp_serve(path, 1), 0);
	CHECK_EQ(mp_serve(path, 1), -EALREADY);
	pid = fork();
	if (pid == 0) {
		/* The child serves nothing, and may serve elsewhere. */
		status = mp_serve(path, 1) == -EADDRINUSE && mp_serve_stop() == -ESRCH;
		_exit(!status);
	}
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
	/* Without a machine: asked all the same. */
	CHECK_EQ(call(client(), MP_PACKET_READ, 0, STATE, NULL), -ENXIO);
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_NE(stat(path, &st), 0);
	CHECK_EQ(mp_serve(path, 1), 0);
	CHECK_EQ(mp_serve_stop(), 0);
}
