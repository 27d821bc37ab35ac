// SPDX-License-Identifier: MIT
/*
 * The clients of the socket door: their packets in, their answers out, their
 * coming and going. What may wait goes to the workers (requests.c), the rest is
 * answered here. All of it is the I/O thread's own.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <memplug/machine.h>
#include <linux/kernel.h>
#include "backing/file.h"
#include "device/tree.h"
#include "os/os.h"
#include "serve/serve_internal.h"

struct client clients[MAX_CLIENTS];
_Alignas(8) char packet_out[MP_PACKET_MAX];
static _Alignas(8) char packet_in[MP_PACKET_MAX];

void client_close(struct client *client)
{
	requests_drop((unsigned int)(client - clients));
	look_close(client);
	os_close(client->fd);
	client->fd = -1;
}

void client_answer(struct client *client, const struct mp_packet *request, s64 value,
		   unsigned int flags, size_t size)
{
	struct mp_packet packet = { .id = request->id, .op = request->op, .flags = (u16)flags,
				    .value = value };

	memcpy(packet_out, &packet, sizeof(packet));
	if (os_send(client->fd, packet_out, sizeof(packet) + size) < 0)
		client_close(client);
}

/* The page that counts changes goes with the answer. */
static void answer_changes(struct client *client, const struct mp_packet *request)
{
	struct mp_packet packet = { .id = request->id, .op = request->op };
	int fd = tree_changes_fd();

	if (fd < 0)
		client_answer(client, request, -ENXIO, 0, 0);
	else if (os_send_fd(client->fd, &packet, sizeof(packet), fd) < 0)
		client_close(client);
}

static void do_packet(struct client *client, size_t size)
{
	unsigned int number = (unsigned int)(client - clients);
	struct mp_packet request;
	char *path = packet_in + sizeof(request);
	size_t length;
	u64 object;
	int ret = 0;

	if (size < sizeof(request) || size > sizeof(packet_in)) {
		client_close(client); /* it does not speak this language */
		return;
	}
	memcpy(&request, packet_in, sizeof(request));
	if (request.op == MP_PACKET_WATCH) {
		watch_begin(client, &request);
		watch_any();
		return;
	}
	if (request.op == MP_PACKET_CANCEL) {
		ret = request.value < 0 || request.value > 0xffffffffLL ? -EINVAL :
		      requests_cancel(number, (u32)request.value, request.flags & MP_PACKET_RUNNING);
		client_answer(client, &request, ret, 0, 0);
		return;
	}
	if (request.op == MP_PACKET_CHANGES) {
		answer_changes(client, &request);
		return;
	}
	length = strnlen(path, size - sizeof(request));
	object = request.op == MP_PACKET_WRITE ? (u64)request.value : 0;
	if (request.op == MP_PACKET_READ && size - sizeof(request) - length == 1 + sizeof(object))
		memcpy(&object, path + length + 1, sizeof(object));
	if (request.op < MP_PACKET_LIST || request.op > MP_PACKET_WRITE)
		ret = -ENOSYS;
	else if (length == size - sizeof(request) || !length || length >= MAX_PATH ||
		 (request.op != MP_PACKET_WRITE && request.value < 0))
		ret = -EINVAL;
	else if (request.op == MP_PACKET_LIST)
		look_list(client, &request, path);
	else if (request.op == MP_PACKET_STAT)
		look_stat(client, &request, path);
	else if (request.op == MP_PACKET_READ &&
		 (look_goes_on(client, &request, path) || !tree_read_waits(path)))
		look_read(client, &request, path, object);
	else
		ret = requests_add(number, &request, path, object, path + length + 1,
				   size - sizeof(request) - length - 1);
	if (ret)
		client_answer(client, &request, ret, 0, 0);
}

void clients_deliver(void)
{
	static struct reply reply;
	struct client *client;
	unsigned int number;

	while (requests_done(&number, &reply)) {
		client = &clients[number];
		/* What a worker had to wait for is read on like any other text. */
		if (reply.file && client->fd >= 0) {
			look_close(client);
			client->file = reply.file;
			client->file_next = reply.next;
			memcpy(client->file_path, reply.path, sizeof(client->file_path));
		} else {
			mp_file_close(reply.file);
		}
		if (client->fd < 0)
			continue;
		memcpy(packet_out + sizeof(struct mp_packet), reply.data, reply.size);
		client_answer(client, &reply.packet, reply.packet.value, reply.file ? MP_PACKET_MORE : 0,
		       reply.size);
	}
}

/* ---- coming and going ---- */

static void greet(struct client *client)
{
	struct mp_packet hello = { .op = MP_PACKET_HELLO };
	const char *contract = mp_contract();
	int n = snprintf(packet_out + sizeof(hello), 64, "memplug %s %s", mp_version(),
			 contract ? contract : "none");

	client_answer(client, &hello, MP_PACKET_VERSION, 0, (size_t)n + 1);
}

bool client_accept(int listener)
{
	int fd = os_accept(listener), pid;
	unsigned int uid, i;

	if (fd < 0)
		return fd == -EAGAIN || fd == -EINTR || fd == -ECONNABORTED;
	fd = backing_fd_high(fd);
	for (i = 0; i < MAX_CLIENTS && clients[i].fd >= 0; i++)
		;
	if (i == MAX_CLIENTS || os_peer(fd, &pid, &uid) || (uid && uid != os_uid())) {
		os_close(fd);
		return true;
	}
	clients[i] = (struct client){ .fd = fd };
	greet(&clients[i]);
	return true;
}

void client_serve(struct client *client, short events)
{
	ssize_t n;

	if (events & POLLOUT)
		client->full = false;
	if (events & (POLLIN | POLLHUP | POLLERR)) {
		n = os_receive(client->fd, packet_in, sizeof(packet_in));
		if (n > 0)
			do_packet(client, (size_t)n);
		else if (n != -EAGAIN && n != -EINTR)
			client_close(client);
	}
}
