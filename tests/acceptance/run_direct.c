/* SPDX-License-Identifier: MIT */
/*
 * An unmodified program for `memplug run` whose buffers the kernel and devices write to by themselves:
 * `run_direct WHAT FILE`. FILE has the pattern of word(). Prints "ready", goes on until its input ends (or
 * does what a line of it says), and prints "fine", or what was wrong.
 */
#include "direct.h"

#include <aio.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>

/* ---- direct I/O ---- */

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
