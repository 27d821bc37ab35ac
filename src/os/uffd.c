/* SPDX-License-Identifier: MIT */
/*
 * System calls for moving memory under running threads: userfaultfd and its
 * write protection, and mapping the same pages a second time. No state.
 */
#include "os/os.h"
#include "os/table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef USERFAULTFD_IOC_NEW /* Linux 6.1 */
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif
#ifndef UFFD_FEATURE_WP_HUGETLBFS_SHMEM /* Linux 5.19 */
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)
#endif

int os_userfaultfd(void)
{
	long fd = table_away() ? table_call(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK, 0, 0, 0, 0, 0) :
				 syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : (int)fd;
}

int os_userfaultfd_of(int device)
{
	int fd = (int)CALL3(ioctl, device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int os_uffd_begin(int fd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_WP_HUGETLBFS_SHMEM };

	return CALL3(ioctl, fd, UFFDIO_API, &api) ? -errno : 0;
}

static struct uffdio_range range_of(void *at, size_t len)
{
	return (struct uffdio_range){ .start = (uintptr_t)at, .len = len };
}

int os_uffd_register(int fd, void *at, size_t len)
{
	struct uffdio_register reg = { .range = range_of(at, len), .mode = UFFDIO_REGISTER_MODE_WP };

	return CALL3(ioctl, fd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

int os_uffd_unregister(int fd, void *at, size_t len)
{
	struct uffdio_range range = range_of(at, len);

	return CALL3(ioctl, fd, UFFDIO_UNREGISTER, &range) ? -errno : 0;
}

int os_uffd_protect(int fd, void *at, size_t len)
{
	struct uffdio_writeprotect wp = { .range = range_of(at, len),
					  .mode = UFFDIO_WRITEPROTECT_MODE_WP };

	return CALL3(ioctl, fd, UFFDIO_WRITEPROTECT, &wp) ? -errno : 0;
}

int os_uffd_wake(int fd, void *at, size_t len)
{
	struct uffdio_range range = range_of(at, len);

	return CALL3(ioctl, fd, UFFDIO_WAKE, &range) ? -errno : 0;
}

int os_map_again(void *from, void *at, size_t len)
{
	return mremap(from, 0, len, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED ? -errno : 0;
}
