/* SPDX-License-Identifier: MIT */
/*
 * System calls on descriptors: memory files, their size and their holes, and
 * reading what the host tells in /proc. No state but the list of the numbers
 * that copies of descriptors got: those that the library keeps open.
 */
#include "os/os.h"
#include "os/table.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_OWNED (1u << 20)
static uint64_t owned[MAX_OWNED / 64]; /* bits, atomic */

void table_own(int fd, bool yes)
{
	uint64_t bit = 1ULL << (fd & 63);

	if ((unsigned int)fd >= MAX_OWNED)
		return;
	if (yes)
		__atomic_or_fetch(&owned[fd / 64], bit, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&owned[fd / 64], ~bit, __ATOMIC_RELAXED);
}

bool os_owns(int fd)
{
	return (unsigned int)fd < MAX_OWNED &&
	       __atomic_load_n(&owned[fd / 64], __ATOMIC_RELAXED) >> (fd & 63) & 1;
}

int os_next_owned(int fd)
{
	unsigned int at = fd < 0 ? 0 : (unsigned int)fd;

	for (; at < MAX_OWNED; at = (at / 64 + 1) * 64) {
		uint64_t bits = __atomic_load_n(&owned[at / 64], __ATOMIC_RELAXED) >> (at & 63);

		if (bits)
			return (int)at + __builtin_ctzll(bits);
	}
	return -1;
}

int os_memfd(const char *name)
{
	int fd = (int)CALL2(memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

int os_memfd_huge(const char *name, unsigned int shift)
{
	int fd = (int)CALL2(memfd_create, name, MFD_CLOEXEC | MFD_HUGETLB | shift << 26);

	return fd < 0 ? -errno : fd;
}

int os_open_file(const char *path)
{
	int fd = (int)CALL4(openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

int os_open_device(const char *path)
{
	int fd = (int)CALL4(openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int os_file_type(int fd)
{
	struct stat st;

	return CALL2(fstat, fd, &st) ? -errno : (int)st.st_mode;
}

int os_dup_from(int fd, int lowest)
{
	int copy = (int)CALL3(fcntl, fd, F_DUPFD_CLOEXEC, lowest);

	if (copy < 0)
		return -errno;
	/* In a table of their own nobody closes them. */
	if (!os_table_apart())
		table_own(copy, true);
	return copy;
}

int os_dup(int fd)
{
	int copy;

	if (os_table_apart())
		return -EOPNOTSUPP;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return copy < 0 ? -errno : copy;
}

int os_close(int fd)
{
	if (table_is_gone())
		return 0;
	if (!os_table_apart())
		table_own(fd, false);
	return CALL1(close, fd) ? -errno : 0;
}

int os_seal_write(int fd)
{
	return CALL3(fcntl, fd, F_ADD_SEALS, F_SEAL_WRITE) ? -errno : 0;
}

int os_seal_future(int fd)
{
	return CALL3(fcntl, fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) ?
		       -errno : 0;
}

int os_truncate(int fd, uint64_t size)
{
	return CALL2(ftruncate, fd, (off_t)size) ? -errno : 0;
}

int os_allocate(int fd, uint64_t offset, uint64_t len)
{
	return CALL4(fallocate, fd, 0, (off_t)offset, (off_t)len) ? -errno : 0;
}

int os_punch_hole(int fd, uint64_t offset, uint64_t len)
{
	return CALL4(fallocate, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		     (off_t)len) ? -errno : 0;
}

int64_t os_file_size(int fd)
{
	struct stat st;

	return CALL2(fstat, fd, &st) ? -errno : (int64_t)st.st_size;
}

int64_t os_file_resident(int fd)
{
	struct stat st;

	return CALL2(fstat, fd, &st) ? -errno : (int64_t)st.st_blocks * 512;
}

int64_t os_next_data(int fd, uint64_t offset)
{
	off_t at = CALL3(lseek, fd, (off_t)offset, SEEK_DATA);

	return at < 0 ? -errno : at;
}

/* A pipe without a writer reads as empty instead of keeping the caller for ever. */
int os_open_read(const char *path)
{
	int fd = (int)CALL4(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

int os_lock_file(int fd)
{
	return CALL2(flock, fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

int os_create(const char *path)
{
	int fd = (int)CALL4(openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	return fd < 0 ? -errno : fd;
}

ssize_t os_read_at(int fd, void *buf, size_t count, uint64_t offset)
{
	ssize_t n = CALL4(pread, fd, buf, count, (off_t)offset);

	return n < 0 ? -errno : n;
}

ssize_t os_write(int fd, const void *buf, size_t count)
{
	ssize_t n = CALL3(write, fd, buf, count);

	return n < 0 ? -errno : n;
}

int os_nofile_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	return limit.rlim_cur > INT_MAX ? INT_MAX : (int)limit.rlim_cur;
}

ssize_t os_read_dir(int fd, void *buf, size_t size)
{
	long n = table_away() ? table_call(SYS_getdents64, fd, (long)buf, (long)size, 0, 0, 0) :
				syscall(SYS_getdents64, fd, buf, size);

	return n < 0 ? -errno : n;
}
