/* SPDX-License-Identifier: MIT */
/*
 * Every system call of the library, one function each, so that a test can
 * replace any of them and make the nth one fail. Each makes exactly one call
 * and returns 0 (or a value >= 0) or a negative errno, never errno itself.
 * os_alloc and os_free are the heap.
 */
#ifndef MEMPLUG_OS_H
#define MEMPLUG_OS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Address space without access, nothing committed. */
int os_reserve(size_t len, void **addr);
int os_reserve_at(void *at, size_t len);	/* there; -EEXIST: something is mapped there */
/* Zero pages on first touch, nothing committed. */
int os_reserve_zeroed(size_t len, void **addr);
/* MAP_FIXED forms: shared from a file; private anonymous; back to no access. */
int os_map_fd(void *at, size_t len, int fd, uint64_t offset);
int os_map_fd_as(void *at, size_t len, int prot, int fd, uint64_t offset); /* OS_READ... */
int os_map_private(void *at, size_t len, int prot, int fd, uint64_t offset); /* copied when written */
int os_map_anonymous(void *at, size_t len);
int os_map_nothing(void *at, size_t len);
int os_unmap(void *at, size_t len);
/* The numbers of <sys/mman.h>, which the layers above do not include. */
enum { OS_READ = 1, OS_WRITE = 2, OS_EXEC = 4 };
enum {
	OS_DONTNEED = 4, OS_FREE = 8, OS_REMOVE = 9, OS_DONTFORK = 10, OS_DOFORK = 11, OS_HUGEPAGE = 14,
	OS_NOHUGEPAGE = 15, OS_DONTDUMP = 16, OS_DODUMP = 17, OS_COLD = 20, OS_DONTNEED_LOCKED = 24,
};
int os_protect(void *at, size_t len, int prot);
int os_advise(void *at, size_t len, int advice);
/* Drops the pages of a private range, they read as zero afterwards; of a shared one only the mapping's way to
 * them. -EINVAL: locked in memory. */
int os_discard(void *at, size_t len);
int os_dontfork(void *at, size_t len);
int os_dontdump(void *at, size_t len);
int os_dodump(void *at, size_t len);
int os_hugepages(void *at, size_t len);		/* huge pages wherever the host allows them */
int os_collapse(void *at, size_t len);		/*
 * Moves a mapping, in place of what is mapped at `to`; `from` stays taken. -EINVAL: the host does not do that
 * with such memory (of its pool of huge pages).
 */
int os_move_mapping(void *from, void *to, size_t len);
/* Makes the pages of a shared range resident and mapped for reading. */
int os_populate_read(void *at, size_t len);
/* Punches a hole in what a shared range maps; it reads as zero afterwards. */
int os_remove(void *at, size_t len);
/* In memory; with `later` each page when it comes (Linux 4.4). */
int os_lock(void *at, size_t len, bool later);
/* Makes the pages of a private range resident. */
int os_populate(void *at, size_t len);

int os_memfd(const char *name);			/* descriptor, close-on-exec, sealable */
int os_memfd_huge(const char *name, unsigned int shift); /* of pages of 1 << shift bytes */
int os_open_file(const char *path);		/* for reading and writing, made with mode 0600 */
int os_open_device(const char *path);		/* the same, never made */
int os_file_type(int fd);			/* st_mode */
int os_bind(void *at, size_t len, int node);	/* the range's pages come from this node of the host */
int os_bind_moving(void *at, size_t len, int node); /* what is there goes there too; -EIO: some of it cannot */
int os_bind_default(void *at, size_t len);	/* from wherever the host likes, what is there stays */
int os_dup_from(int fd, int lowest);		/* close-on-exec copy numbered >= lowest */
int os_dup(int fd);				/* close-on-exec copy for the program: not os_owns(); -EOPNOTSUPP: not from
						 * a table apart */
int os_close(int fd);
int os_seal_write(int fd);			/* -EBUSY: somebody has it mapped for writing */
int os_seal_future(int fd);			/* nobody may map it for writing from now on, nor write to it */
bool os_owns(int fd);				/* open, and made by os_dup_from(); no system call */
int os_next_owned(int fd);			/* the lowest of those from fd on, or -1 */
int os_truncate(int fd, uint64_t size);
int os_allocate(int fd, uint64_t offset, uint64_t len);
int os_punch_hole(int fd, uint64_t offset, uint64_t len);
int64_t os_file_size(int fd);
int64_t os_file_resident(int fd);		/* st_blocks * 512 */
int64_t os_next_data(int fd, uint64_t offset);	/* -ENXIO: nothing but holes to the end */
int os_open_read(const char *path);
int os_lock_file(int fd);			/* until it is closed; -EAGAIN: somebody else has it locked */
ssize_t os_read_at(int fd, void *buf, size_t count, uint64_t offset);
ssize_t os_read_dir(int fd, void *buf, size_t size); /* struct linux_dirent64 records */
int os_nofile_limit(void);			/* soft RLIMIT_NOFILE */
int os_create(const char *path);			/* empty, for writing, mode 0666 less the umask */
ssize_t os_write(int fd, const void *buf, size_t count);
/*
 * A table of descriptors that only the library's threads have (table.c); what is said of descriptors above holds
 * there then. Before any is open: 0, or why not, and they are in the program's. `first` is called by each of the
 * threads that come with it.
 */
int os_table_begin(void (*first)(void));
bool os_table_apart(void);
void os_table_enter(void);			/* the caller was made by os_thread() */
int os_thread(pthread_t *thread, void *(*run)(void *arg), void *arg); /* one that has the table */
void os_table_run(void (*run)(void *arg), void *arg); /* by one that has it, which may sleep; the caller waits */
int os_take(int fd);				/* a copy of one of the program's; os_owns() it if there is one table */
int os_keep(int fd, int lowest);		/* a copy that stays with the program's, and that os_owns() */
void os_tell(const char *text, size_t size);	/* to the program's standard error */
void os_table_in_child(bool begins);		/* around what a fork child puts right: the parent's is gone */
/* One byte per page of [at, at + len) into vec: bit 0 says resident (mincore). */
int os_residency(void *at, size_t len, unsigned char *vec);

/* Sockets of packets, and waiting for descriptors. */
struct pollfd;
int os_packet_socket(void);			/* close-on-exec, never blocks */
int os_set_mode(int fd, unsigned int mode);
int os_bind_path(int fd, const char *path);
int os_connect_path(int fd, const char *path);
int os_listen(int fd);
int os_accept(int fd);				/* close-on-exec, never blocks; -EAGAIN */
int os_peer(int fd, int *pid, unsigned int *uid);
unsigned int os_uid(void);			/* effective */
ssize_t os_receive(int fd, void *buf, size_t size); /* 0: it went; longer than size: cut; -EAGAIN */
ssize_t os_send(int fd, const void *buf, size_t size); /* no SIGPIPE; -EAGAIN */
ssize_t os_send_fd(int fd, const void *buf, size_t size, int passed); /* the same, with a descriptor */
int os_eventfd(void);				/* never blocks */
void os_eventfd_clear(int fd);
int os_poll(struct pollfd *fds, unsigned int count, int timeout_ms); /* -1: for ever */
int os_unlink(const char *path);

/* Moving memory under running threads. */
int os_userfaultfd(void);			/* close-on-exec; faults of the kernel too */
int os_userfaultfd_of(int device);		/* the same, from an open /dev/userfaultfd */
int os_uffd_begin(int fd);			/* with write protection of shared memory; -EINVAL: not here */
int os_uffd_register(int fd, void *at, size_t len);
int os_uffd_unregister(int fd, void *at, size_t len); /* and wakes */
int os_uffd_protect(int fd, void *at, size_t len);
int os_uffd_wake(int fd, void *at, size_t len);
/* Maps the shared pages at `from` a second time, in place of what is mapped at `at`, with the same advice. */
int os_map_again(void *from, void *at, size_t len);

/* Of the calling thread. */
int os_sched_policy(void);			/* >= 0; also for os_sched_restore() */
bool os_sched_is_urgent(int policy);		/* ahead of ordinary threads already; no system call */
int os_sched_urgent(int policy);		/* ahead of ordinary threads, from such a policy */
int os_sched_restore(int policy);

int os_membarrier_register(void);
int os_membarrier(void);			/* all threads of the process */
/* 0 woken, -EAGAIN value differs, -ETIMEDOUT, -EINTR. timeout_ns 0: for ever. */
int os_futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns);
int os_futex_wake(uint32_t *word, int count);
int os_futex_wake_shared(uint32_t *word, int count);
long os_futex_number(void);			/* of the system call; makes none */
int os_sleep_ns(uint64_t ns);

/* Blocks the calling thread's asynchronous signals; the mask before goes to *old. */
int os_signals_block(sigset_t *old);
int os_signals_restore(const sigset_t *old);
int os_signals_pending(sigset_t *pending);
/* 1 when the process ignores it, by choice or by default; 0; negative errno. */
int os_signal_ignored(int signal);

int32_t os_gettid(void);
uint64_t os_now_ns(void);			/* CLOCK_MONOTONIC, no system call (vdso) */

void *os_alloc(size_t size);			/* zeroed, or NULL */
void os_free(void *p);

#endif
