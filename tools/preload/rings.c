/* SPDX-License-Identifier: MIT */
/*
 * What is registered with an io_uring stays where it is until it is unregistered or the ring is closed: buffers, and
 * rings of buffers that the kernel takes from. By liburing's functions and by number; the key of a ring is its address
 * for the former, its descriptor and one for the latter. A program that registers with instructions of its own, or by
 * functions that it got from dlopen(), is not seen here. No state but a number for each registration.
 */
#undef _FILE_OFFSET_BITS
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>
#include <linux/io_uring.h>

/* The headers of liburing need not be there to build this. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

/* Of each registration its own, so that one that fails leaves those before it alone. */
static uintptr_t serial(void)
{
	static uintptr_t last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

EXPORT int io_uring_register_buffers(void *ring, const struct iovec *part, unsigned int nr)
{
	static int (*next)(void *, const struct iovec *, unsigned int);
	uintptr_t mine = serial();
	int done;

	NEXT(io_uring_register_buffers);
	done = pin_take(PIN_RING, (uintptr_t)ring, mine, part, nr) ?: next(ring, part, nr);
	if (done < 0)
		pin_drop(PIN_RING, (uintptr_t)ring, mine);
	return done;
}

/* These add to what is there or replace it: all stays until the end. */
EXPORT int io_uring_register_buffers_tags(void *ring, const struct iovec *part, const __u64 *tags,
					  unsigned int nr)
{
	static int (*next)(void *, const struct iovec *, const __u64 *, unsigned int);

	NEXT(io_uring_register_buffers_tags);
	return pin_take(PIN_RING, (uintptr_t)ring, serial(), part, nr) ?: next(ring, part, tags, nr);
}

EXPORT int io_uring_register_buffers_update_tag(void *ring, unsigned int offset, const struct iovec *part,
						const __u64 *tags, unsigned int nr)
{
	static int (*next)(void *, unsigned int, const struct iovec *, const __u64 *, unsigned int);

	NEXT(io_uring_register_buffers_update_tag);
	return pin_take(PIN_RING, (uintptr_t)ring, serial(), part, nr) ?: next(ring, offset, part, tags, nr);
}

/* Rings of buffers that the kernel takes from (Linux 5.19): it reads the ring where it was. */
#define REGISTER_PBUF_RING 22
#define UNREGISTER_PBUF_RING 23

struct buffer_ring {
	__u64 at;
	__u32 entries;
	__u16 group;
	__u16 rest[13];
};

static uintptr_t request_of(const struct buffer_ring *buffers)
{
	return (uintptr_t)1 + buffers->group;
}

static int pin_buffer_ring(uintptr_t key, const struct buffer_ring *buffers)
{
	struct iovec part = { (void *)(uintptr_t)buffers->at, buffers->entries * sizeof(struct io_uring_buf) };

	return buffers->at ? pin_take(PIN_BUFFERS, key, request_of(buffers), &part, 1) : 0;
}

EXPORT int io_uring_register_buf_ring(void *ring, struct buffer_ring *buffers, unsigned int flags)
{
	static int (*next)(void *, struct buffer_ring *, unsigned int);
	int done;

	NEXT(io_uring_register_buf_ring);
	done = pin_buffer_ring((uintptr_t)ring, buffers) ?: next(ring, buffers, flags);
	if (done < 0 && done != -EEXIST) /* it is another one's, which stays */
		pin_drop(PIN_BUFFERS, (uintptr_t)ring, request_of(buffers));
	return done;
}

EXPORT int io_uring_unregister_buf_ring(void *ring, int group)
{
	static int (*next)(void *, int);
	struct buffer_ring buffers = { .group = (__u16)group };
	int done;

	NEXT(io_uring_unregister_buf_ring);
	done = next(ring, group);
	if (!done && pins_any())
		pin_drop(PIN_BUFFERS, (uintptr_t)ring, request_of(&buffers));
	return done;
}

EXPORT int io_uring_unregister_buffers(void *ring)
{
	static int (*next)(void *);
	int done;

	NEXT(io_uring_unregister_buffers);
	done = next(ring);
	if (!done)
		pin_drop(PIN_RING, (uintptr_t)ring, 0);
	return done;
}

void ring_gone(uintptr_t key)
{
	pin_drop(PIN_RING, key, 0);
	pin_drop(PIN_BUFFERS, key, 0);
}

EXPORT void io_uring_queue_exit(void *ring)
{
	static void (*next)(void *);

	if (unlikely(!next))
		next = dlsym(RTLD_NEXT, "io_uring_queue_exit");
	if (next)
		next(ring);
	ring_gone((uintptr_t)ring);
}

/* ---- by number, and by the descriptor ---- */

/* What of IORING_REGISTER_* the kernel keeps; `mine` is the request that it is pinned for. 0 or -ENOMEM. */
static int pin_registered(uintptr_t key, uintptr_t *mine, unsigned int what, const void *arg, unsigned int nr)
{
	const struct io_uring_rsrc_register *parts = arg;
	const struct io_uring_rsrc_update2 *update = arg;
	const struct iovec *part = NULL;
	size_t count = 0;

	*mine = serial();
	if (what == IORING_REGISTER_BUFFERS) {
		part = arg;
		count = nr;
	} else if (what == IORING_REGISTER_BUFFERS2) {
		part = (const struct iovec *)(uintptr_t)parts->data;
		count = part ? parts->nr : 0;
	} else if (what == IORING_REGISTER_BUFFERS_UPDATE) {
		part = (const struct iovec *)(uintptr_t)update->data;
		count = update->nr;
	} else if (what == REGISTER_PBUF_RING) {
		*mine = request_of(arg);
		return pin_buffer_ring(key, arg);
	}
	return pin_take(PIN_RING, key, *mine, part, count);
}

/* Keys of descriptors are no addresses. */
long ring_register(int fd, unsigned int what, const void *arg, unsigned int nr)
{
	uintptr_t key = (uintptr_t)fd + 1, mine;
	int error = pin_registered(key, &mine, what, arg, nr);
	long done;

	if (error)
		return failed(error);
	done = next_syscall()(SYS_io_uring_register, (long)fd, (long)what, arg, (long)nr);
	if (done < 0 && what != REGISTER_PBUF_RING)
		pin_drop(PIN_RING, key, mine);
	else if (done < 0 && errno != EEXIST)
		pin_drop(PIN_BUFFERS, key, mine);
	else if (what == IORING_UNREGISTER_BUFFERS)
		pin_drop(PIN_RING, key, 0);
	else if (what == UNREGISTER_PBUF_RING)
		pin_drop(PIN_BUFFERS, key, request_of(arg));
	return done;
}

/* liburing's, which says -errno. */
EXPORT int io_uring_register(unsigned int fd, unsigned int what, const void *arg, unsigned int nr)
{
	long done = ring_register((int)fd, what, arg, nr);

	return done < 0 ? -errno : (int)done;
}
