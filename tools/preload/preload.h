/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the preload library share. It lies under an unmodified
 * program and serves its malloc() with jemalloc, whose memory it takes from a
 * machine of the program's own (docs/run.md).
 *
 *   malloc.c      the functions of malloc, for the program
 *   front.c       jemalloc: found, told where its memory comes from
 *   region.c      the addresses that it gets, page by page: taken from the machine, given back
 *   grow.c        the machine: booted, grown when memory is short, served, taken over by daemons
 *   policy.c      the thread that gives back what is unused when a block is to leave; --auto
 *   pins.c        buffers that the kernel keeps the addresses of: their blocks stay
 *   direct.c      reads and writes that bypass the page cache
 *   async.c       what goes on after the call: AIO, pages given to pipes
 *   rings.c       what is registered with an io_uring
 *   attributes.c  mprotect() and madvise()
 *   descriptors.c close() and its relatives, which must spare the machine's
 *   config.c      what `memplug run` was told
 *
 * Lock order: jemalloc's locks > region lock, pins.lock > the machine's. So nothing that the
 * machine calls back may wait for jemalloc, and fork() takes them in this order (front.c).
 */
#ifndef MEMPLUG_PRELOAD_H
#define MEMPLUG_PRELOAD_H

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define EXPORT __attribute__((visibility("default")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define INITIAL_EXEC __attribute__((tls_model("initial-exec")))

/* ---- config.c ---- */

#define MAX_NODES 16

struct config {
	bool there;	      /* this process was started by `memplug run` */
	bool first;	      /* it is the very program, not one that it started */
	uint64_t memory, block, online; /* online: from the start */
	char backing[16];     /* "" : the library's choice */
	char only[64];	      /* "" : every program */
	bool automatic;
	char sockets[96];     /* the directory of sockets */
	unsigned int nr_nodes;
	struct config_node {
		int nid, host; /* host: -1, or the node of the host that it comes from */
		uint64_t size;
	} node[MAX_NODES];
};
extern struct config config;
/* Reads the environment; false with a message when it is damaged. */
bool config_read(void);
/* Is this program to have a machine? */
bool config_wanted(void);
/* One line to standard error, without stdio or heap. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- front.c ---- */

/* What a thread's malloc() does; NEW until the machine is there and it has allocated. */
enum thread_kind { THREAD_NEW, THREAD_PROGRAM, THREAD_SERVICE };
extern __thread enum thread_kind thread_kind INITIAL_EXEC;

struct front {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t n, size_t size);
	void *(*realloc)(void *p, size_t size);
	void (*free)(void *p);
	int (*posix_memalign)(void **p, size_t alignment, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	size_t (*malloc_usable_size)(void *p);
};
extern struct front front;
/* Finds jemalloc's functions; they serve plain memory from here on. */
void front_find(void);
/* From now on threads get arenas in the region. */
void front_start(void);
/* Gives what the program has freed back to the region. Takes jemalloc's locks. */
void front_purge(void);
/* A new thread: what is it? Settles thread_kind unless it is too early. */
void front_thread(void);
/* Plain memory, zeroed, that never moves. */
void *front_plain(size_t size);
void front_plain_free(void *p);
/* The order of fork handlers is right only after this: called when the library has registered its own. */
void front_forks(void);

/* ---- region.c ---- */

int region_init(uint64_t limit);
/* Address space, no memory; NULL: used up. */
void *region_reserve(size_t size, size_t alignment);
/* A granule that nobody gets. */
void *region_spare(void);
/* Memory for whole pages, reading as zero. 0 or -ENOMEM. */
int region_commit(char *addr, size_t size);
void region_decommit(char *addr, size_t size);
/* Bytes that are committed. */
uint64_t region_committed(void);
bool region_meets(const void *addr, size_t size);
/* The next run of the machine's memory from *at on, which moves to its start: its length, 0: none below `end`. */
size_t region_machine_run(char **at, const char *end);
/* machine_grow(), from outside an allocation. */
int region_grow(void);
void region_in_child(void);

/* ---- grow.c ---- */

/* Boots and serves this process's machine. 0 or -errno, with a message. */
int machine_start(void);
/* Is there one, of this very process? */
bool machine_here(void);
/* Adds a block. 0, -ENOMEM (all that is allowed is there), -EAGAIN (not from here). */
int machine_grow(void);
/* --auto: takes the highest block away that lets itself be emptied, and out of the machine. */
int machine_shrink(void);
/* In a fork child that has become a daemon: a machine of its own. */
void machine_take_over(void);
void machine_in_child(void);
void machine_wants_own(void);
int machine_prefer(void);
void machine_end(void);

/* ---- pins.c ---- */

enum pin_owner { PIN_FREE, PIN_CALL, PIN_AIO, PIN_CONTEXT, PIN_RING, PIN_BUFFERS };
/* Pins what of the buffers is the machine's, for (owner, key, request); the same may have several. 0 or -ENOMEM. */
int pin_take(enum pin_owner owner, uintptr_t key, uintptr_t request, const struct iovec *part, size_t nr);
/* Drops those of a request; 0: all of the key. */
void pin_drop(enum pin_owner owner, uintptr_t key, uintptr_t request);
bool pins_any(void);
void pins_before_fork(void);
void pins_after_fork(void);
void pins_in_child(void);

/* ---- async.c, rings.c ---- */

/* The next library's function of that name, into `next`. */
#define NEXT(name)                                                                                 \
	do {                                                                                       \
		if (unlikely(!next))                                                               \
			next = dlsym(RTLD_NEXT, #name);                                            \
		if (unlikely(!next)) {                                                             \
			errno = ENOSYS;                                                            \
			return -1;                                                                 \
		}                                                                                  \
	} while (0)

static inline int failed(int error)
{
	errno = -error;
	return -1;
}
/* The C library's. */
long (*next_syscall(void))(long number, ...);
/* io_uring_register(2). */
long ring_register(int fd, unsigned int what, const void *arg, unsigned int nr);
/* It is closed. */
void ring_gone(uintptr_t key);

/* ---- direct.c ---- */

/* Descriptors that came from outside may bypass the page cache, too. */
void direct_look(void);

/* ---- policy.c ---- */

int policy_start(void);
/* Ends the offline that runs, if there is one, as Ctrl-C of its operator would. */
void policy_cancel_offline(void);
void policy_in_child(void);

#endif
