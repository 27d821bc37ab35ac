/* SPDX-License-Identifier: MIT */
/*
 * Direct I/O: a device reads and writes the program's pages themselves, so these stay for as long as the
 * call lasts. A program that never opens with O_DIRECT pays for one look at direct.seen, which is set for
 * good by the first such descriptor: opened, made by fcntl(), received, or there from the start.
 */
#undef _FILE_OFFSET_BITS /* each of open() and open64() by its own name */
#undef _FORTIFY_SOURCE
#include "preload.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	bool seen; /* atomic */
} direct;

static int (*next_fcntl(void))(int, int, ...)
{
	static int (*next)(int fd, int command, ...);

	if (unlikely(!next))
		next = dlsym(RTLD_NEXT, "fcntl");
	return next;
}

static void note(int flags)
{
	if (flags >= 0 && flags & O_DIRECT)
		__atomic_store_n(&direct.seen, true, __ATOMIC_RELAXED);
}

void direct_look(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		note(next_fcntl()(atoi(entry->d_name), F_GETFL));
	if (dir)
		closedir(dir);
}

/* ---- where they come from ---- */

#define OPENS(name, parameters, ...)                                                               \
	EXPORT int name parameters                                                                 \
	{                                                                                          \
		static int (*next) parameters;                                                     \
		unsigned int mode = 0;                                                             \
		va_list args;                                                                      \
                                                                                                   \
		if (flags & (O_CREAT | O_TMPFILE)) {                                               \
			va_start(args, flags);                                                     \
			mode = va_arg(args, unsigned int);                                         \
			va_end(args);                                                              \
		}                                                                                  \
		if (unlikely(!next))                                                               \
			next = dlsym(RTLD_NEXT, #name);                                            \
		note(flags);                                                                       \
		return next(__VA_ARGS__, flags, mode);                                             \
	}

OPENS(open, (const char *path, int flags, ...), path)
OPENS(open64, (const char *path, int flags, ...), path)
OPENS(openat, (int dir, const char *path, int flags, ...), dir, path)
OPENS(openat64, (int dir, const char *path, int flags, ...), dir, path)

/* As the C library's headers call them for checked programs. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
	return open(path, flags, 0);
}
EXPORT int __open64_2(const char *path, int flags)
{
	return open64(path, flags, 0);
}
EXPORT int __openat_2(int dir, const char *path, int flags)
{
	return openat(dir, path, flags, 0);
}
EXPORT int __openat64_2(int dir, const char *path, int flags)
{
	return openat64(dir, path, flags, 0);
}

/* Whatever the argument is, it is as wide as a pointer. */
#define CONTROLS(name)                                                                             \
	EXPORT int name(int fd, int command, ...)                                                  \
	{                                                                                          \
		va_list args;                                                                      \
		void *arg;                                                                         \
                                                                                                   \
		va_start(args, command);                                                           \
		arg = va_arg(args, void *);                                                        \
		va_end(args);                                                                      \
		if (command == F_SETFL)                                                            \
			note((int)(intptr_t)arg);                                                  \
		return next_fcntl()(fd, command, arg);                                             \
	}
CONTROLS(fcntl)
CONTROLS(fcntl64)

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	static ssize_t (*next)(int fd, struct msghdr *message, int flags);
	struct cmsghdr *part;
	ssize_t n;
	int got;

	if (unlikely(!next))
		next = dlsym(RTLD_NEXT, "recvmsg");
	n = next(fd, message, flags);
	if (likely(n < 0 || !message->msg_controllen))
		return n;
	for (part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		unsigned char *at = CMSG_DATA(part), *end = (unsigned char *)part + part->cmsg_len;

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		for (; at + sizeof(got) <= end; at += sizeof(got)) {
			memcpy(&got, at, sizeof(got));
			note(next_fcntl()(got, F_GETFL));
		}
	}
	return n;
}

/* ---- reading and writing ---- */

/* Is it one whose calls end by themselves: a file or a disk? */
static bool is_direct(int fd)
{
	struct stat st;
	int flags = next_fcntl()(fd, F_GETFL);

	return flags >= 0 && flags & O_DIRECT && !fstat(fd, &st) &&
	       (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

static bool any_meets(const struct iovec *part, size_t nr)
{
	while (nr-- > 0)
		if (region_meets(part[nr].iov_base, part[nr].iov_len))
			return true;
	return false;
}

static void let_go(void *key)
{
	int before = errno;

	pin_drop(PIN_CALL, (uintptr_t)key, 0);
	errno = before;
}

/* `part` and `nr` say where the buffers are. */
#define MOVES(name, parameters, arguments, part, nr)                                               \
	EXPORT ssize_t name parameters                                                             \
	{                                                                                          \
		static ssize_t (*next) parameters;                                                 \
		ssize_t done;                                                                      \
		int error;                                                                         \
                                                                                                   \
		if (unlikely(!next))                                                               \
			next = dlsym(RTLD_NEXT, #name);                                            \
		if (likely(!__atomic_load_n(&direct.seen, __ATOMIC_RELAXED)) ||                    \
		    !any_meets(part, (size_t)(nr)) || !is_direct(fd))                              \
			return next arguments;                                                     \
		error = pin_take(PIN_CALL, (uintptr_t)&done, 0, part, (size_t)(nr));               \
		if (error) {                                                                       \
			errno = -error;                                                            \
			return -1;                                                                 \
		}                                                                                  \
		/* A thread may be cancelled in it. */                                             \
		pthread_cleanup_push(let_go, &done);                                               \
		done = next arguments;                                                             \
		pthread_cleanup_pop(1);                                                            \
		return done;                                                                       \
	}

#define ONE (&(struct iovec){ (void *)buffer, size })

MOVES(read, (int fd, void *buffer, size_t size), (fd, buffer, size), ONE, 1)
MOVES(write, (int fd, const void *buffer, size_t size), (fd, buffer, size), ONE, 1)
MOVES(pread, (int fd, void *buffer, size_t size, off_t at), (fd, buffer, size, at), ONE, 1)
MOVES(pread64, (int fd, void *buffer, size_t size, off64_t at), (fd, buffer, size, at), ONE, 1)
MOVES(pwrite, (int fd, const void *buffer, size_t size, off_t at), (fd, buffer, size, at), ONE, 1)
MOVES(pwrite64, (int fd, const void *buffer, size_t size, off64_t at), (fd, buffer, size, at), ONE, 1)

#define PARTS(name)                                                                                \
	MOVES(name, (int fd, const struct iovec *part, int nr), (fd, part, nr), part, nr)
#define PARTS_AT(name, type)                                                                       \
	MOVES(name, (int fd, const struct iovec *part, int nr, type at), (fd, part, nr, at), part, nr)
#define PARTS_HOW(name, type)                                                                      \
	MOVES(name, (int fd, const struct iovec *part, int nr, type at, int how), (fd, part, nr, at, how), \
	      part, nr)
PARTS(readv)
PARTS(writev)
PARTS_AT(preadv, off_t)
PARTS_AT(preadv64, off64_t)
PARTS_AT(pwritev, off_t)
PARTS_AT(pwritev64, off64_t)
PARTS_HOW(preadv2, off_t)
PARTS_HOW(preadv64v2, off64_t)
PARTS_HOW(pwritev2, off_t)
PARTS_HOW(pwritev64v2, off64_t)

ssize_t __read_chk(int fd, void *buffer, size_t size, size_t room);
ssize_t __pread_chk(int fd, void *buffer, size_t size, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *buffer, size_t size, off64_t at, size_t room);
MOVES(__read_chk, (int fd, void *buffer, size_t size, size_t room), (fd, buffer, size, room), ONE, 1)
MOVES(__pread_chk, (int fd, void *buffer, size_t size, off_t at, size_t room), (fd, buffer, size, at, room), ONE, 1)
MOVES(__pread64_chk, (int fd, void *buffer, size_t size, off64_t at, size_t room),
      (fd, buffer, size, at, room), ONE, 1)
