/* SPDX-License-Identifier: MIT */
/* The page that counts changes: every change of what a steady file shows moves it, and nobody else writes to it. */
#include "machine.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memplug/serve.h>
#include <memplug/tree.h>

#define MEMORY "/sys/devices/system/memory"
#define PARAMETERS "/sys/module/memory_hotplug/parameters"

static char path[64];
static char data[MP_PACKET_MAX];
static const struct mp_changes *page;

static int connect_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_GT(recv(fd, data, sizeof(data), 0), 0);
	return fd;
}

static struct mp_packet ask(int fd, struct mp_packet head, const char *name, size_t *size)
{
	char request[300];
	ssize_t n = (ssize_t)sizeof(head);

	memcpy(request, &head, sizeof(head));
	if (name)
		n += snprintf(request + n, 200, "%s", name) + 1;
	CHECK_EQ(send(fd, request, (size_t)n, 0), n);
	n = recv(fd, data, sizeof(data), 0);
	CHECK_GE(n, (ssize_t)sizeof(head));
	memcpy(&head, data, sizeof(head));
	*size = (size_t)n - sizeof(head);
	return head;
}

/* The descriptor that comes with the answer, or -1; *value is the answer's. */
static int ask_for_page(int fd, s64 *value)
{
	struct mp_packet head = { .id = 9, .op = MP_PACKET_CHANGES };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { &head, sizeof(head) };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };
	int file = -1;

	CHECK_EQ(send(fd, &head, sizeof(head), 0), (ssize_t)sizeof(head));
	CHECK_EQ(recvmsg(fd, &message, 0), (ssize_t)sizeof(head));
	CHECK_EQ(head.id, 9);
	*value = head.value;
	if (CMSG_FIRSTHDR(&message))
		memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(file));
	return file;
}

static int serve_page(void)
{
	int fd, file;
	s64 value;

	snprintf(path, sizeof(path), "/tmp/memplug-changes-%d", getpid());
	CHECK_EQ(mp_serve(path, 2), 0);
	fd = connect_socket();
	file = ask_for_page(fd, &value);
	CHECK_EQ(value, 0);
	CHECK_GE(file, 0);
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
	CHECK(page != MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED);
	CHECK_EQ(pwrite(file, "x", 1, 0), -1);
	CHECK_EQ(ftruncate(file, 0), -1);
	close(file);
	return fd;
}

static u64 quiet(void)
{
	u64 ended = __atomic_load_n(&page->ended, __ATOMIC_ACQUIRE);

	CHECK_EQ(__atomic_load_n(&page->begun, __ATOMIC_ACQUIRE), ended);
	return ended;
}

#define CHANGES(call) \
	do { \
		u64 before = quiet(); \
		CHECK_EQ(call, 0); \
		CHECK_GT(quiet(), before); \
	} while (0)

TEST(serve_changes, "each change of what a steady file shows is counted, before and behind it")
{
	struct page *stuck;
	struct state_write offline = { 32, "offline" };
	struct worker worker;
	u64 before;
	int fd;

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	fd = serve_page();
	CHANGES(set_state(32, "online_movable"));
	CHANGES(set_state(32, "offline"));
	CHANGES(mp_write_string(MEMORY "/auto_online_blocks", "online"));
	CHANGES(mp_write_string(PARAMETERS "/online_policy", "auto-movable"));
	CHANGES(mp_write_string(PARAMETERS "/auto_movable_ratio", "100"));
	CHANGES(mp_write_string(PARAMETERS "/auto_movable_numa_aware", "N"));
	CHANGES(add_memory(1, HOT + 2 * BLOCK_BYTES, BLOCK_BYTES, MHP_NONE));
	CHANGES(set_state(34, "offline"));
	CHANGES(remove_blocks(34, 1));
	before = quiet();
	CHECK_STR(read_block(32, "state"), "offline");
	CHECK_EQ(set_state(32, "offline"), -EINVAL);
	CHECK_EQ(quiet(), before);
	/* While one runs nobody may trust what he knows. */
	CHECK_EQ(set_state(32, "online_movable"), 0);
	stuck = stuck_take(1);
	worker_start(&worker, write_state, &offline);
	AWAIT(!strcmp(read_block(32, "state"), "going-offline"));
	AWAIT(__atomic_load_n(&page->begun, __ATOMIC_ACQUIRE) != __atomic_load_n(&page->ended, __ATOMIC_ACQUIRE));
	__free_page(stuck);
	CHECK_EQ(worker_join(&worker), 0);
	quiet();
	close(fd);
	CHANGES(mp_serve_stop());
	machine_check();
}

TEST(serve_changes_machines, "each machine has its page, and what was the last one's is never trusted again")
{
	s64 value;
	int fd;

	snprintf(path, sizeof(path), "/tmp/memplug-changes-%d", getpid());
	CHECK_EQ(mp_serve(path, 1), 0);
	fd = connect_socket();
	CHECK_EQ(ask_for_page(fd, &value), -1);
	CHECK_EQ(value, -ENXIO);
	close(fd);
	CHECK_EQ(mp_serve_stop(), 0);
	machine_boot(NULL);
	fd = serve_page();
	quiet();
	CHECK_EQ(mp_shutdown(), 0);
	CHECK_EQ(page->begun, MP_CHANGES_OVER);
	CHECK_EQ(ask_for_page(fd, &value), -1);
	CHECK_EQ(mp_serve_stop(), 0);
	close(fd);
	machine_boot(NULL);
	CHECK_EQ(page->begun, MP_CHANGES_OVER);
	close(serve_page());
	quiet();
	CHECK_EQ(mp_serve_stop(), 0);
}

TEST(serve_list_texts, "a listing brings the texts of steady files along, and of no others")
{
	struct mp_packet head = { .id = 1, .op = MP_PACKET_LIST, .flags = MP_PACKET_TEXTS };
	struct mp_packet_entry entry;
	char name[200], text[MP_ATTR_SIZE];
	const char *at = data + sizeof(head);
	int i, texts = 0, fd;
	size_t size;
	u32 length;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	fd = serve_page();
	head = ask(fd, head, MEMORY "/memory32", &size);
	CHECK_GT(head.value, 5);
	for (i = 0; i < head.value; i++) {
		memcpy(&entry, at, sizeof(entry));
		at += sizeof(entry);
		snprintf(name, sizeof(name), MEMORY "/memory32/%s", at);
		at += strlen(at) + 1;
		at += strlen(at) + 1;
		memcpy(&length, at, sizeof(length));
		at += sizeof(length);
		CHECK_EQ(length != MP_NO_TEXT, !!(entry.how & MP_ENTRY_STEADY));
		if (length == MP_NO_TEXT)
			continue;
		CHECK_EQ(mp_read(name, text, sizeof(text)), (ssize_t)length);
		CHECK(!memcmp(at, text, length));
		at += length;
		texts++;
	}
	CHECK_EQ(at, data + sizeof(head) + size);
	CHECK_EQ(texts, 5);
	close(fd);
	CHECK_EQ(mp_serve_stop(), 0);
}
