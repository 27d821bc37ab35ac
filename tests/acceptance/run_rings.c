/* SPDX-License-Identifier: MIT */
/*
 * An unmodified program for `memplug run` that uses liburing and libaio as programs do, by their own functions:
 * `run_rings WHAT FILE`, as run_direct.
 */
#include "direct.h"

#include <dlfcn.h>
#include <libaio.h>
#include <liburing.h>

#define DEPTH 8

/* ---- libaio ---- */

static io_context_t context;
static int called;

static ssize_t by_libaio(int fd, void *p, size_t size, off_t at)
{
	struct iocb request[2], *list[] = { &request[0], &request[1] };
	struct io_event event[2];

	if (!context)
		NEED(!io_setup(DEPTH, &context));
	io_prep_pread(&request[0], fd, p, size / 2, at);
	io_prep_pread(&request[1], fd, (char *)p + size / 2, size / 2, at + (off_t)(size / 2));
	NEED(io_submit(context, 2, list) == 2);
	NEED(io_getevents(context, 2, 2, event, NULL) == 2);
	return (ssize_t)(event[0].res + event[1].res);
}

static void is_called(io_context_t of, struct iocb *request, long result, long result2)
{
	NEED(of == context && request && result == (long)MIB && !result2);
	called++;
}

/* What it does not fetch by io_getevents(): by callbacks, and not at all. */
static void queues(const char *path)
{
	int fd = open_direct(path);
	struct iocb request, *list[] = { &request };
	char *p = buffer(MIB);

	NEED(!io_queue_init(DEPTH, &context));
	io_prep_pread(&request, fd, p, MIB, 0);
	io_set_callback(&request, is_called);
	NEED(io_submit(context, 1, list) == 1);
	wait_for_word();
	while (!called)
		NEED(io_queue_run(context) >= 0);
	NEED(!lost((uint64_t *)p, 0));
	wait_for_word();
	NEED(io_submit(context, 1, list) == 1);
	NEED(!io_queue_release(context));
	wait_for_word();
	NEED(!lost((uint64_t *)p, 0));
}

/* ---- liburing ---- */

static struct io_uring ring;
static void *registered;

static int start_ring(void)
{
	int error = io_uring_queue_init(DEPTH, &ring, 0);

	if (error == -ENOSYS || error == -EPERM) {
		puts("none");
		exit(0);
	}
	return error;
}

/* Into the buffer that was registered. */
static ssize_t by_fixed_reads(int fd, void *p, size_t size, off_t at)
{
	struct iovec part = { p, size };
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	ssize_t done = 0;

	if (!registered) {
		NEED(!start_ring());
		NEED(!io_uring_register_buffers(&ring, &part, 1));
		registered = p;
	}
	NEED(p == registered);
	for (size_t i = 0; i < size; i += MIB) {
		sqe = io_uring_get_sqe(&ring);
		NEED(sqe);
		io_uring_prep_read_fixed(sqe, fd, (char *)p + i, MIB, (uint64_t)at + i, 0);
	}
	NEED(io_uring_submit(&ring) > 0);
	for (size_t i = 0; i < size; i += MIB) {
		NEED(!io_uring_wait_cqe(&ring, &cqe));
		NEED(cqe->res > 0);
		done += cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	return done;
}

/* Buffers that the kernel takes from a ring when something comes: it reads the ring where it was. */
static void buffer_ring(void)
{
	struct io_uring_buf_reg reg = { .ring_entries = DEPTH, .bgid = 5 };
	struct io_uring_buf_ring *buffers = buffer(4096);
	char *p = buffer(4096);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	int ends[2];

	NEED(!start_ring() && !pipe(ends));
	reg.ring_addr = (uintptr_t)buffers;
	if (io_uring_register_buf_ring(&ring, &reg, 0)) {
		puts("none");
		exit(0);
	}
	io_uring_buf_ring_init(buffers);
	wait_for_word();
	for (int round = 0; round < 2; round++) {
		/* The entry is written after blocks have left. */
		io_uring_buf_ring_add(buffers, p, 4096, (unsigned short)round, io_uring_buf_ring_mask(DEPTH), 0);
		io_uring_buf_ring_advance(buffers, 1);
		sqe = io_uring_get_sqe(&ring);
		NEED(sqe && write(ends[1], "word", 4) == 4);
		io_uring_prep_read(sqe, ends[0], NULL, 4096, 0);
		sqe->flags |= IOSQE_BUFFER_SELECT;
		sqe->buf_group = 5;
		NEED(io_uring_submit(&ring) == 1 && !io_uring_wait_cqe(&ring, &cqe));
		NEED(cqe->res == 4 && cqe->flags & IORING_CQE_F_BUFFER && !memcmp(p, "word", 4));
		io_uring_cqe_seen(&ring, cqe);
		memset(p, 0, 4096);
		wait_for_word();
	}
	NEED(!io_uring_unregister_buf_ring(&ring, 5));
	wait_for_word();
	io_uring_queue_exit(&ring);
}

/* As a program that loads liburing when it runs: its functions are found past all others. */
static void loaded(void)
{
	void *library = dlopen("liburing.so.2", RTLD_NOW);
	int (*registers)(struct io_uring *, const struct iovec *, unsigned int);
	struct iovec part = { buffer(MIB), MIB };

	NEED(library && !start_ring());
	registers = (__typeof__(registers))dlsym(library, "io_uring_register_buffers");
	NEED(registers && registers != io_uring_register_buffers);
	strcpy(part.iov_base, "registered");
	NEED(!registers(&ring, &part, 1));
	wait_for_word();
	NEED(!strcmp(part.iov_base, "registered"));
	io_uring_queue_exit(&ring);
	wait_for_word();
	NEED(!strcmp(part.iov_base, "registered"));
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	const reader libaio[] = { by_libaio }, fixed[] = { by_fixed_reads };

	if (!strcmp(what, "libaio"))
		reads(open_direct(argv[2]), libaio, 1);
	else if (!strcmp(what, "queues"))
		queues(argv[2]);
	else if (!strcmp(what, "fixed"))
		reads(open_direct(argv[2]), fixed, 1);
	else if (!strcmp(what, "buffers"))
		buffer_ring();
	else if (!strcmp(what, "loaded"))
		loaded();
	else
		die("no such thing", 0);
	puts("fine");
	return 0;
}
