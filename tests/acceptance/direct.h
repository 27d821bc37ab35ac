/* SPDX-License-Identifier: MIT */
/*
 * What the programs share whose buffers the kernel writes to by itself (run_direct.c, run_rings.c): a file with a
 * pattern, and readers that say how much of it they miss.
 */
#ifndef TESTS_ACCEPTANCE_DIRECT_H
#define TESTS_ACCEPTANCE_DIRECT_H

#include "guest.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 8 /* of the file, 1 MiB each */

static inline uint64_t word(size_t i)
{
	return i * 0x9e3779b97f4a7c15ULL + 1;
}

static inline void *buffer(size_t size)
{
	void *p = NULL;

	NEED(!posix_memalign(&p, 4096, size));
	memset(p, 0xff, size);
	return p;
}

/* Of a piece: how many sectors are not what the file has. */
static inline long lost(const uint64_t *p, size_t piece)
{
	long n = 0;

	for (size_t s = 0; s < MIB / 512; s++)
		for (size_t i = s * 64; i < s * 64 + 64; i++)
			if (p[i] != word(piece * MIB / 8 + i)) {
				n++;
				break;
			}
	return n;
}

static inline int open_direct(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
	uint64_t *p;

	if (fd < 0 && errno == EINVAL) {
		puts("none");
		exit(0);
	}
	NEED(fd >= 0);
	p = buffer(PIECES * MIB);
	for (size_t i = 0; i < PIECES * MIB / 8; i++)
		p[i] = word(i);
	NEED(pwrite(fd, p, PIECES * MIB, 0) == PIECES * MIB);
	free(p);
	return fd;
}

static inline bool goes_on(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char byte;

	return !poll(&input, 1, 0) || read(0, &byte, 1) > 0;
}

typedef ssize_t (*reader)(int fd, void *p, size_t size, off_t at);

static inline void reads(int fd, const reader *way, size_t ways)
{
	char *p = buffer(PIECES * MIB);
	long rounds = 0, bad = 0;

	say_ready();
	/* All in one, so that the disk writes nearly all the time. */
	for (; goes_on(); rounds++) {
		memset(p, 0xff, PIECES * MIB);
		NEED(way[(size_t)rounds % ways](fd, p, PIECES * MIB, 0) == PIECES * MIB);
		for (size_t piece = 0, before = bad; piece < PIECES && bad == (long)before; piece++)
			bad += lost((uint64_t *)(p + piece * MIB), piece) != 0;
	}
	printf("%ld reads, %ld with lost sectors\n", rounds, bad);
	NEED(!bad && rounds);
}

#endif
