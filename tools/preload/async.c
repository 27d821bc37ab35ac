/* SPDX-License-Identifier: MIT */
/*
 * Buffers that the kernel uses after the call that named them. Of POSIX AIO and of Linux AIO they stay where
 * they are until the program has fetched the result (of rings: rings.c). How long a pipe keeps pages, or a socket that sends without copying, nobody can know: the
 * pipe gets a copy, and sockets are refused that. Programs that make these system calls with instructions of
 * their own are not seen here. No state.
 */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include "preload.h"

#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/aio_abi.h>

/* The headers of libaio and liburing need not be there to build this. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

static bool meets(const struct iovec *part, size_t nr)
{
	while (nr-- > 0)
		if (region_meets(part[nr].iov_base, part[nr].iov_len))
			return true;
	return false;
}

long (*next_syscall(void))(long, ...)
{
	static long (*next)(long number, ...);

	if (unlikely(!next))
		next = dlsym(RTLD_NEXT, "syscall");
	return next;
}

/* ---- POSIX AIO: until aio_return() ---- */

static int pin_request(const void *request, volatile void *buffer, size_t size)
{
	struct iovec part = { (void *)buffer, size };

	/* Who reuses it without aio_return() has seen its end otherwise. */
	if (pins_any())
		pin_drop(PIN_AIO, (uintptr_t)request, 0);
	return meets(&part, 1) ? pin_take(PIN_AIO, (uintptr_t)request, 0, &part, 1) : 0;
}

#define STARTS(name, type)                                                                         \
	EXPORT int name(struct type *request)                                                      \
	{                                                                                          \
		static int (*next)(struct type *request);                                          \
		int done;                                                                          \
                                                                                                   \
		NEXT(name);                                                                        \
		done = pin_request(request, request->aio_buf, request->aio_nbytes);                \
		if (done)                                                                          \
			return failed(done);                                                       \
		done = next(request);                                                              \
		if (done)                                                                          \
			pin_drop(PIN_AIO, (uintptr_t)request, 0);                                  \
		return done;                                                                       \
	}
STARTS(aio_read, aiocb)
STARTS(aio_read64, aiocb64)
STARTS(aio_write, aiocb)
STARTS(aio_write64, aiocb64)

#define STARTS_LIST(name, type)                                                                    \
	EXPORT int name(int mode, struct type *const *request, int nr, struct sigevent *event)     \
	{                                                                                          \
		static int (*next)(int, struct type *const *, int, struct sigevent *);             \
		int i, error = 0;                                                                  \
                                                                                                   \
		NEXT(name);                                                                        \
		for (i = 0; i < nr && !error; i++)                                                 \
			if (request[i] && request[i]->aio_lio_opcode != LIO_NOP)                   \
				error = pin_request(request[i], request[i]->aio_buf,               \
						    request[i]->aio_nbytes);                       \
		return error ? failed(error) : next(mode, request, nr, event);                     \
	}
STARTS_LIST(lio_listio, aiocb)
STARTS_LIST(lio_listio64, aiocb64)

#define ENDS(name, type)                                                                           \
	EXPORT ssize_t name(struct type *request)                                                  \
	{                                                                                          \
		static ssize_t (*next)(struct type *request);                                      \
		ssize_t done;                                                                      \
                                                                                                   \
		NEXT(name);                                                                        \
		done = next(request);                                                              \
		if (pins_any())                                                                    \
			pin_drop(PIN_AIO, (uintptr_t)request, 0);                                  \
		return done;                                                                       \
	}
ENDS(aio_return, aiocb)
ENDS(aio_return64, aiocb64)

/* ---- Linux AIO: until the event is fetched; libaio's functions return -errno ---- */

static int pin_iocb(uintptr_t context, const struct iocb *request)
{
	struct iovec one = { (void *)(uintptr_t)request->aio_buf, request->aio_nbytes };
	const struct iovec *part = &one;
	size_t nr = 1;

	switch (request->aio_lio_opcode) {
	case IOCB_CMD_PREADV:
	case IOCB_CMD_PWRITEV:
		part = (void *)(uintptr_t)request->aio_buf;
		nr = request->aio_nbytes;
		break;
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PWRITE:
		break;
	default:
		return 0;
	}
	return meets(part, nr) ? pin_take(PIN_CONTEXT, context, (uintptr_t)request, part, nr) : 0;
}

/* How many are pinned, so that they may be submitted. 0 with *error: not even the first. */
static long pin_iocbs(uintptr_t context, long nr, struct iocb *const *request, int *error)
{
	long n = 0;

	for (*error = 0; n < nr && !*error; n += !*error)
		*error = pin_iocb(context, request[n]);
	return n;
}

static void drop_iocbs(uintptr_t context, long from, long nr, struct iocb *const *request)
{
	for (; pins_any() && from < nr; from++)
		pin_drop(PIN_CONTEXT, context, (uintptr_t)request[from]);
}

static void drop_events(uintptr_t context, long nr, const struct io_event *event)
{
	while (pins_any() && nr-- > 0)
		pin_drop(PIN_CONTEXT, context, (uintptr_t)event[nr].obj);
}

EXPORT int io_submit(aio_context_t context, long nr, struct iocb **request)
{
	static int (*next)(aio_context_t, long, struct iocb **);
	int error, done;
	long n;

	NEXT(io_submit);
	n = pin_iocbs(context, nr, request, &error);
	done = n || nr <= 0 ? next(context, n ? n : nr, request) : error;
	drop_iocbs(context, done < 0 ? 0 : done, n, request);
	return done;
}

EXPORT int io_getevents(aio_context_t context, long least, long most, struct io_event *event,
			struct timespec *timeout)
{
	static int (*next)(aio_context_t, long, long, struct io_event *, struct timespec *);
	int done;

	NEXT(io_getevents);
	done = next(context, least, most, event, timeout);
	drop_events(context, done, event);
	return done;
}

EXPORT int io_pgetevents(aio_context_t context, long least, long most, struct io_event *event,
			 struct timespec *timeout, sigset_t *mask)
{
	static int (*next)(aio_context_t, long, long, struct io_event *, struct timespec *, sigset_t *);
	int done;

	NEXT(io_pgetevents);
	done = next(context, least, most, event, timeout, mask);
	drop_events(context, done, event);
	return done;
}

/* It waits for all. */
EXPORT int io_destroy(aio_context_t context)
{
	static int (*next)(aio_context_t);
	int done;

	NEXT(io_destroy);
	done = next(context);
	if (!done && pins_any())
		pin_drop(PIN_CONTEXT, context, 0);
	return done;
}

/* libaio's own, which makes the calls above by itself. */
EXPORT int io_queue_release(aio_context_t context)
{
	return io_destroy(context);
}

EXPORT int io_queue_run(aio_context_t context)
{
	struct timespec now = { 0 };
	struct io_event event;
	int done;

	while ((done = io_getevents(context, 0, 1, &event, &now)) > 0)
		((void (*)(aio_context_t, void *, long, long))(uintptr_t)event.data)(
			context, (void *)(uintptr_t)event.obj, (long)event.res, (long)event.res2);
	return done;
}

/* ---- pages given to a pipe, and to the network ---- */

#define PIECE ((size_t)1 << 20) /* more than a pipe takes at once: the caller sends the rest again */

static size_t gather(char *to, const struct iovec *part, size_t nr)
{
	size_t i, size, at = 0;

	for (i = 0; i < nr; i++) {
		size = part[i].iov_len < PIECE - at ? part[i].iov_len : PIECE - at;
		memcpy(to + at, part[i].iov_base, size);
		at += size;
	}
	return at;
}

EXPORT ssize_t vmsplice(int fd, const struct iovec *part, size_t nr, unsigned int flags)
{
	int access = fcntl(fd, F_GETFL);
	struct iovec copy;
	ssize_t done;

	/* What comes out of a pipe is copied by the kernel. */
	if (access < 0 || (access & O_ACCMODE) == O_RDONLY || nr > IOV_MAX || !meets(part, nr))
		return next_syscall()(SYS_vmsplice, fd, part, nr, flags);
	copy.iov_base = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy.iov_base == MAP_FAILED)
		return failed(-ENOMEM);
	copy.iov_len = gather(copy.iov_base, part, nr);
	done = next_syscall()(SYS_vmsplice, fd, &copy, (size_t)1, flags & ~(unsigned int)SPLICE_F_GIFT);
	munmap(copy.iov_base, PIECE); /* the pipe has its own references */
	return done;
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
	if (level == SOL_SOCKET && name == SO_ZEROCOPY)
		return failed(-ENOPROTOOPT);
	return (int)next_syscall()(SYS_setsockopt, fd, level, name, value, size);
}

/* ---- the same by number ---- */

static long submit(aio_context_t context, long nr, struct iocb **request)
{
	int error;
	long n = pin_iocbs(context, nr, request, &error), done;

	if (!n && error)
		return failed(error);
	done = next_syscall()(SYS_io_submit, context, n ? n : nr, request);
	drop_iocbs(context, done < 0 ? 0 : done, n, request);
	return done;
}

EXPORT long syscall(long number, ...)
{
	long a[6], done;
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	switch (number) {
	case SYS_io_uring_register:
		return ring_register((int)a[0], (unsigned int)a[1], (void *)a[2], (unsigned int)a[3]);
	case SYS_io_submit:
		return submit((aio_context_t)a[0], a[1], (struct iocb **)a[2]);
	case SYS_vmsplice:
		return vmsplice((int)a[0], (struct iovec *)a[1], (size_t)a[2], (unsigned int)a[3]);
	}
	done = next_syscall()(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (number == SYS_io_getevents || number == SYS_io_pgetevents)
		drop_events((aio_context_t)a[0], done, (struct io_event *)a[3]);
	else if (number == SYS_io_destroy && !done && pins_any())
		pin_drop(PIN_CONTEXT, (aio_context_t)a[0], 0);
	return done;
}
