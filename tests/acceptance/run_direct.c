/* SPDX-License-Identifier: MIT */
/*
 * An unmodified program for `memplug run` whose buffers the kernel and devices write to by themselves:
 * `run_direct WHAT FILE`. FILE has the pattern of word(). Prints "ready", goes on until its input ends (or
 * does what a line of it says), and prints "fine", or what was wrong.
 */
#include "guest.h"

#include <aio.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>

#define PIECES 8 /* of the file, 1 MiB each */

static uint64_t word(size_t i)
{
	return i * 0x9e3779b97f4a7c15ULL + 1;
}

static void *buffer(size_t size)
{
	void *p = NULL;

	NEED(!posix_memalign(&p, 4096, size));
	memset(p, 0xff, size);
	return p;
}

/* Of a piece: how many sectors are not what the file has. */
static long lost(const uint64_t *p, size_t piece)
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

static int open_direct(const char *path)
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

static bool goes_on(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char byte;

	return !poll(&input, 1, 0) || read(0, &byte, 1) > 0;
}

static void wait_for_word(void)
{
	char byte;

	say_ready();
	NEED(read(0, &byte, 1) == 1);
}

/* ---- direct I/O ---- */

typedef ssize_t (*reader)(int fd, void *p, size_t size, off_t at);

static ssize_t by_parts(int fd, void *p, size_t size, off_t at)
{
	struct iovec part[2] = { { p, size / 2 }, { (char *)p + size / 2, size / 2 } };

	return preadv(fd, part, 2, at);
}

static ssize_t by_position(int fd, void *p, size_t size, off_t at)
{
	return lseek(fd, at, SEEK_SET) == at ? read(fd, p, size) : -1;
}

/* A system call that nobody can see but the kernel. */
static ssize_t unseen(int fd, void *p, size_t size, off_t at)
{
#ifdef __x86_64__
	register off_t place __asm__("r10") = at;
	ssize_t n;

	__asm__ volatile("syscall" : "=a"(n) : "a"(SYS_pread64), "D"(fd), "S"(p), "d"(size), "r"(place)
			 : "rcx", "r11", "memory");
	return n;
#else
	return pread(fd, p, size, at);
#endif
}

static ssize_t by_posix_aio(int fd, void *p, size_t size, off_t at)
{
	struct aiocb request = { .aio_fildes = fd, .aio_buf = p, .aio_nbytes = size, .aio_offset = at };
	const struct aiocb *list[] = { &request };

	NEED(!aio_read(&request));
	while (aio_error(&request) == EINPROGRESS)
		aio_suspend(list, 1, NULL);
	return aio_return(&request);
}

static aio_context_t context;

static ssize_t by_linux_aio(int fd, void *p, size_t size, off_t at)
{
	struct iocb request = { .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)p, .aio_nbytes = size,
				.aio_offset = at, .aio_lio_opcode = IOCB_CMD_PREAD };
	struct iocb *list[] = { &request };
	struct io_event event;

	if (!context)
		NEED(!syscall(SYS_io_setup, 8, &context));
	NEED(syscall(SYS_io_submit, context, 1, list) == 1);
	NEED(syscall(SYS_io_getevents, context, 1, 1, &event, NULL) == 1);
	NEED(event.obj == (uintptr_t)&request);
	return event.res;
}

static void reads(int fd, const reader *way, size_t ways)
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

/* ---- what stays until it is told to go ---- */

static void ring(const char *path)
{
	struct io_uring_params params = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 8, &params), status;
	struct iovec part = { buffer(MIB), MIB };
	pid_t pid;

	(void)path;
	if (fd < 0) {
		puts("none");
		exit(0);
	}
	strcpy(part.iov_base, "registered");
	NEED(!syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &part, 1));
	NEED(syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &part, 1) == -1 && errno == EBUSY);
	wait_for_word();
	/* What is pinned is in the child, too. */
	pid = fork();
	if (!pid) {
		NEED(!strcmp(part.iov_base, "registered"));
		strcpy(part.iov_base, "mine");
		free(malloc(MIB));
		_exit(0);
	}
	NEED(waitpid(pid, &status, 0) == pid && !status);
	NEED(!strcmp(part.iov_base, "registered"));
	NEED(!syscall(SYS_io_uring_register, fd, IORING_UNREGISTER_BUFFERS, NULL, 0));
	wait_for_word();
	NEED(!syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &part, 1));
	wait_for_word();
	close(fd);
	wait_for_word();
	NEED(!strcmp(part.iov_base, "registered"));
}

/* What was given to a pipe is read from it after its block has left. */
static void pipes(void)
{
	struct iovec part = { buffer(16 * 4096), 16 * 4096 };
	char found[4096];
	int fd[2];

	for (size_t i = 0; i < part.iov_len / 8; i++)
		((uint64_t *)part.iov_base)[i] = word(i);
	NEED(!pipe(fd));
	NEED(vmsplice(fd[1], &part, 1, 0) == (ssize_t)part.iov_len);
	memset(part.iov_base, 0, part.iov_len);
	wait_for_word();
	for (size_t i = 0; i < part.iov_len / 8; i += sizeof(found) / 8) {
		NEED(read(fd[0], found, sizeof(found)) == sizeof(found));
		for (size_t j = 0; j < sizeof(found) / 8; j++)
			NEED(((uint64_t *)found)[j] == word(i + j));
	}
	part.iov_len = sizeof(found);
	NEED(write(fd[1], found, sizeof(found)) == sizeof(found));
	NEED(vmsplice(fd[0], &part, 1, 0) == sizeof(found)); /* and out of it */
	NEED(!memcmp(part.iov_base, found, sizeof(found)));
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	const reader calls[] = { pread, by_parts, by_position }, aio[] = { by_posix_aio, by_linux_aio };
	const reader hidden[] = { unseen };

	if (!strcmp(what, "calls"))
		reads(open_direct(argv[2]), calls, 3);
	else if (!strcmp(what, "aio"))
		reads(open_direct(argv[2]), aio, 2);
	else if (!strcmp(what, "unseen"))
		reads(open_direct(argv[2]), hidden, 1);
	else if (!strcmp(what, "ring"))
		ring(argv[2]);
	else if (!strcmp(what, "pipes"))
		pipes();
	else
		die("no such thing", 0);
	puts("fine");
	return 0;
}
