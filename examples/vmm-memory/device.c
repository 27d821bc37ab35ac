/* SPDX-License-Identifier: MIT */
/*
 * The back end: a process of its own, as a vhost-user device is. It maps the memory that it is told of,
 * and "reads from disk" into it. It knows nothing of memplug: a block is a file, an offset and a length.
 */
#include "channel.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGIONS 32

static struct region {
	uint64_t address, size;
	char *at; /* NULL: unused */
	int transfers; /* begun and not ended */
} regions[REGIONS];

static struct region *region_of(uint64_t address, uint64_t size)
{
	for (struct region *r = regions; r < regions + REGIONS; r++)
		if (r->at && address >= r->address && address - r->address <= r->size &&
		    size <= r->size - (address - r->address))
			return r;
	return NULL;
}

static int add(const struct message *message, int fd)
{
	struct region *r = regions;

	if (region_of(message->address, message->size))
		return 0; /* it was told before */
	while (r->at)
		if (++r == regions + REGIONS)
			return -ENOSPC;
	r->at = mmap(NULL, message->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)message->offset);
	if (r->at == MAP_FAILED) {
		r->at = NULL;
		return -errno;
	}
	r->address = message->address;
	r->size = message->size;
	return 0;
}

static int take_away(const struct message *message)
{
	struct region *r = region_of(message->address, 1);

	if (!r)
		return 0;
	if (r->transfers)
		return -EBUSY;
	munmap(r->at, r->size);
	r->at = NULL;
	return 0;
}

static int transfer(const struct message *message)
{
	struct region *r = region_of(message->address, message->size);
	uint64_t *to;

	if (!r)
		return -EFAULT; /* a guest's address without memory: never touch anything else */
	if (message->request == BEGIN) {
		r->transfers++;
		return 0;
	}
	to = (uint64_t *)(r->at + (message->address - r->address));
	for (uint64_t i = 0; i < message->size / sizeof(*to); i++)
		to[i] = disk_word(message->value, i);
	r->transfers -= message->request == END;
	return 0;
}

int device_process(int channel)
{
	struct message message;
	int fd, left = 0;

	while (channel_receive(channel, &message, &fd) > 0) {
		switch (message.request) {
		case ADD:
			message.answer = fd < 0 ? -EBADF : add(&message, fd);
			break;
		case REMOVE:
			message.answer = take_away(&message);
			break;
		default:
			message.answer = transfer(&message);
		}
		if (fd >= 0)
			close(fd); /* the mapping has its own reference */
		if (channel_send(channel, &message, -1))
			break;
	}
	for (struct region *r = regions; r < regions + REGIONS; r++)
		left += r->at != NULL;
	return left;
}
