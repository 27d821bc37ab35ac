/* SPDX-License-Identifier: MIT */
/* The wrappers: each counts, and answers with the errno that its call would give when it is its turn. */
#include "wrap.h"
#include "os/os.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static __thread struct {
	bool armed, hit;
	enum fault_kind kind;
	long nth, seen;
	const char *what;
} fault;

void (*fault_hook)(const char *what, int fd);

static void tell_hook(const char *what, int fd)
{
	void (*hook)(const char *what, int fd) = __atomic_load_n(&fault_hook, __ATOMIC_ACQUIRE);

	if (hook)
		hook(what, fd);
}

void fault_arm(enum fault_kind kind, long nth)
{
	fault.kind = kind;
	fault.nth = nth;
	fault.seen = 0;
	fault.hit = false;
	fault.what = "";
	fault.armed = true;
}

long fault_disarm(bool *hit, const char **what)
{
	fault.armed = false;
	if (hit)
		*hit = fault.hit;
	if (what)
		*what = fault.what;
	return fault.seen;
}

#define ALWAYS 4
static struct {
	const char *name;
	int error; /* atomic */
} always[ALWAYS];

void fault_always(const char *name, int error)
{
	size_t i = 0;

	while (i < ALWAYS && always[i].name && strcmp(always[i].name, name))
		i++;
	if (i == ALWAYS)
		abort();
	always[i].name = name;
	__atomic_store_n(&always[i].error, error, __ATOMIC_RELEASE);
}

static int error_of(const char *name)
{
	for (size_t i = 0; i < ALWAYS; i++) {
		int error = __atomic_load_n(&always[i].error, __ATOMIC_ACQUIRE);

		if (error && !strcmp(always[i].name, name))
			return error;
	}
	return 0;
}

static bool turn(enum fault_kind kind, const char *what)
{
	if (!fault.armed || fault.kind != kind)
		return false;
	fault.seen++;
	if (fault.seen != fault.nth)
		return false;
	fault.hit = true;
	fault.what = what;
	return true;
}

#define WRAP(type, name, params, args, error) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		if (turn(FAULT_SYSCALL, #name)) \
			return (type)(error); \
		if (error_of(#name)) \
			return (type)error_of(#name); \
		return __real_##name args; \
	}

WRAP(int, os_reserve, (size_t len, void **addr), (len, addr), -ENOMEM)
WRAP(int, os_reserve_zeroed, (size_t len, void **addr), (len, addr), -ENOMEM)
WRAP(int, os_map_fd, (void *at, size_t len, int fd, uint64_t off), (at, len, fd, off), -ENOMEM)
WRAP(int, os_map_anonymous, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_map_nothing, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_unmap, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_discard, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_dontfork, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_dontdump, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_populate, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_memfd, (const char *name), (name), -EMFILE)
WRAP(int, os_dup_from, (int fd, int lowest), (fd, lowest), -EMFILE)
WRAP(int, os_dup, (int fd), (fd), -EMFILE)
WRAP(int, os_table_begin, (void (*first)(void)), (first), -EPERM)
WRAP(int, os_thread, (pthread_t *thread, void *(*run)(void *), void *arg), (thread, run, arg), -EAGAIN)
WRAP(int, os_take, (int fd), (fd), -EMFILE)
WRAP(int, os_keep, (int fd, int lowest), (fd, lowest), -EMFILE)
WRAP(int, os_truncate, (int fd, uint64_t size), (fd, size), -ENOSPC)
WRAP(int, os_allocate, (int fd, uint64_t off, uint64_t len), (fd, off, len), -ENOSPC)
WRAP(int, os_punch_hole, (int fd, uint64_t off, uint64_t len), (fd, off, len), -ENOMEM)
WRAP(int, os_packet_socket, (void), (), -EMFILE)
WRAP(int, os_set_mode, (int fd, unsigned int mode), (fd, mode), -EPERM)
WRAP(int, os_bind_path, (int fd, const char *path), (fd, path), -EACCES)
WRAP(int, os_connect_path, (int fd, const char *path), (fd, path), -EAGAIN)
WRAP(int, os_listen, (int fd), (fd), -EADDRINUSE)
WRAP(int, os_peer, (int fd, int *pid, unsigned int *uid), (fd, pid, uid), -ENOPROTOOPT)
WRAP(ssize_t, os_receive, (int fd, void *buf, size_t size), (fd, buf, size), -ECONNRESET)
WRAP(ssize_t, os_send, (int fd, const void *buf, size_t size), (fd, buf, size), -ECONNRESET)
WRAP(int, os_eventfd, (void), (), -EMFILE)
WRAP(int, os_poll, (struct pollfd *fds, unsigned int count, int ms), (fds, count, ms), -EINTR)
WRAP(int, os_unlink, (const char *path), (path), -EIO)
WRAP(int, os_memfd_huge, (const char *name, unsigned int shift), (name, shift), -EMFILE)
WRAP(int, os_open_file, (const char *path), (path), -EMFILE)
WRAP(int, os_open_device, (const char *path), (path), -EMFILE)
WRAP(int, os_file_type, (int fd), (fd), -EIO)
WRAP(int, os_bind, (void *at, size_t len, int node), (at, len, node), -ENOMEM)
WRAP(int, os_bind_moving, (void *at, size_t len, int node), (at, len, node), -EIO)
WRAP(int, os_bind_default, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int64_t, os_file_size, (int fd), (fd), -EIO)
WRAP(int64_t, os_file_resident, (int fd), (fd), -EIO)
WRAP(int64_t, os_next_data, (int fd, uint64_t offset), (fd, offset), -EIO)
WRAP(int, os_open_read, (const char *path), (path), -EMFILE)
WRAP(ssize_t, os_read_at, (int fd, void *buf, size_t n, uint64_t off), (fd, buf, n, off), -EIO)
WRAP(ssize_t, os_read_dir, (int fd, void *buf, size_t n), (fd, buf, n), -EIO)
WRAP(int, os_create, (const char *path), (path), -EIO)
WRAP(int, os_residency, (void *at, size_t len, unsigned char *vec), (at, len, vec), -EAGAIN)
WRAP(int, os_nofile_limit, (void), (), -EPERM)
WRAP(int, os_reserve_at, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_lock_file, (int fd), (fd), -EAGAIN)
WRAP(int, os_map_private, (void *at, size_t len, int prot, int fd, uint64_t off), (at, len, prot, fd, off), -ENOMEM)
WRAP(int, os_map_fd_as, (void *at, size_t len, int prot, int fd, uint64_t off), (at, len, prot, fd, off), -ENOMEM)
WRAP(int, os_protect, (void *at, size_t len, int prot), (at, len, prot), -ENOMEM)
WRAP(int, os_advise, (void *at, size_t len, int advice), (at, len, advice), -ENOMEM)
WRAP(int, os_seal_write, (int fd), (fd), -EBUSY)
WRAP(int, os_seal_future, (int fd), (fd), -EPERM)
WRAP(ssize_t, os_send_fd, (int fd, const void *buf, size_t n, int passed), (fd, buf, n, passed), -ECONNRESET)
WRAP(int, os_futex_wake_shared, (uint32_t *w, int n), (w, n), -EFAULT)
WRAP(int, os_move_mapping, (void *from, void *to, size_t len), (from, to, len), -ENOMEM)
WRAP(int, os_populate_read, (void *at, size_t len), (at, len), -EFAULT)
WRAP(int, os_dodump, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_hugepages, (void *at, size_t len), (at, len), -ENOMEM)
WRAP(int, os_remove, (void *at, size_t len), (at, len), -EINTR)
WRAP(int, os_userfaultfd, (void), (), -EPERM)
WRAP(int, os_userfaultfd_of, (int device), (device), -EMFILE)
WRAP(int, os_uffd_begin, (int fd), (fd), -EINVAL)
WRAP(int, os_uffd_register, (int fd, void *at, size_t len), (fd, at, len), -ENOMEM)
WRAP(int, os_uffd_unregister, (int fd, void *at, size_t len), (fd, at, len), -ENOMEM)
WRAP(int, os_uffd_protect, (int fd, void *at, size_t len), (fd, at, len), -EAGAIN)
WRAP(int, os_uffd_wake, (int fd, void *at, size_t len), (fd, at, len), -EAGAIN)
WRAP(int, os_map_again, (void *from, void *at, size_t len), (from, at, len), -ENOMEM)
WRAP(int, os_collapse, (void *at, size_t len), (at, len), -EINVAL)
WRAP(int, os_lock, (void *at, size_t len, bool later), (at, len, later), -ENOMEM)
WRAP(int, os_sched_policy, (void), (), -EPERM)
WRAP(int, os_sched_urgent, (int policy), (policy), -EPERM)
WRAP(int, os_sched_restore, (int policy), (policy), -EPERM)
WRAP(int, os_membarrier_register, (void), (), -ENOSYS)
WRAP(int, os_membarrier, (void), (), -EPERM)
WRAP(int, os_futex_wake, (uint32_t *w, int n), (w, n), -EINVAL)
WRAP(int, os_sleep_ns, (uint64_t ns), (ns), -EINTR)
WRAP(int, os_signals_block, (sigset_t *old), (old), -EINVAL)
WRAP(int, os_signals_restore, (const sigset_t *old), (old), -EINVAL)
WRAP(int, os_signal_ignored, (int signal), (signal), -EINVAL)
WRAP(int, os_signals_pending, (sigset_t *pending), (pending), -EFAULT)

ssize_t __real_os_write(int fd, const void *buf, size_t n);
ssize_t __wrap_os_write(int fd, const void *buf, size_t n);
ssize_t __wrap_os_write(int fd, const void *buf, size_t n)
{
	tell_hook("os_write", fd);
	return turn(FAULT_SYSCALL, "os_write") ? -EIO : __real_os_write(fd, buf, n);
}

int __real_os_futex_wait(uint32_t *word, uint32_t value, uint64_t ns);
int __wrap_os_futex_wait(uint32_t *word, uint32_t value, uint64_t ns);
int __wrap_os_futex_wait(uint32_t *word, uint32_t value, uint64_t ns)
{
	tell_hook("os_futex_wait", -1);
	return turn(FAULT_SYSCALL, "os_futex_wait") ? -EINTR : __real_os_futex_wait(word, value, ns);
}

/* A close that fails has closed the descriptor all the same. */
int __real_os_close(int fd);
int __wrap_os_close(int fd);
int __wrap_os_close(int fd)
{
	bool fails = turn(FAULT_SYSCALL, "os_close");
	int ret;

	tell_hook("os_close", fd);
	ret = __real_os_close(fd);

	return fails ? -EIO : ret;
}

int __real_os_accept(int fd);
int __wrap_os_accept(int fd);
int __wrap_os_accept(int fd)
{
	tell_hook("os_accept", fd);
	return turn(FAULT_SYSCALL, "os_accept") ? -EMFILE : __real_os_accept(fd);
}

void *__real_os_alloc(size_t size);
void *__wrap_os_alloc(size_t size);
void *__wrap_os_alloc(size_t size)
{
	return turn(FAULT_ALLOC, "os_alloc") ? NULL : __real_os_alloc(size);
}
