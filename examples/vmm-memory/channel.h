/* SPDX-License-Identifier: MIT */
/*
 * What the two processes say to each other: a request, with a descriptor if it is ADD, and its answer.
 * One at a time, as vhost-user has it with VHOST_USER_ADD_MEM_REG and VHOST_USER_REM_MEM_REG.
 */
#ifndef VMM_MEMORY_CHANNEL_H
#define VMM_MEMORY_CHANNEL_H

#include <stdint.h>

enum request {
	ADD = 1, /* memory at `address` is `size` bytes of the file from `offset` on: map it */
	REMOVE,	 /* unmap what begins at `address`; -EBUSY while a transfer into it is not over */
	FILL,	 /* write what a disk holds for sector `value` to [address, address + size) */
	BEGIN,	 /* the same, but the disk is slow: END says that it has come */
	END,
};

struct message {
	uint32_t request;
	int32_t answer; /* 0 or -errno */
	uint64_t address, size, offset, value;
};

/* `fd`: -1, or one that goes along. 0 or -errno. */
int channel_send(int channel, const struct message *message, int fd);
/* *fd: one that came along, or -1. 1; 0: the other side has ended; -errno. */
int channel_receive(int channel, struct message *message, int *fd);

/* What the disk has in sector `value`. */
static inline uint64_t disk_word(uint64_t value, uint64_t i)
{
	return value * 1000003 + i;
}

/* The device's process: serves the channel until its end. Returns the regions that are left. */
int device_process(int channel);

#endif
