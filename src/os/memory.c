/* SPDX-License-Identifier: MIT */
/*
 * System calls on address ranges: reserving, mapping, discarding, advising.
 * No state of its own.
 */
#include "os/os.h"
#include "os/table.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

static int map(void *at, size_t len, int prot, int flags, int fd, uint64_t offset, void **addr)
{
	void *p = fd >= 0 && table_away() ?
			  (void *)table_call(SYS_mmap, (long)at, (long)len, prot, flags, fd, (long)offset) :
			  mmap(at, len, prot, flags, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return -errno;
	if (addr)
		*addr = p;
	return 0;
}

int os_reserve(size_t len, void **addr)
{
	return map(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, addr);
}

int os_reserve_at(void *at, size_t len)
{
	return map(at, len, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0, NULL);
}

int os_reserve_zeroed(size_t len, void **addr)
{
	return map(NULL, len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, addr);
}

int os_map_fd(void *at, size_t len, int fd, uint64_t offset)
{
	return map(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
		   offset, NULL);
}

int os_map_fd_as(void *at, size_t len, int prot, int fd, uint64_t offset)
{
	return map(at, len, prot, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, offset, NULL);
}

int os_map_private(void *at, size_t len, int prot, int fd, uint64_t offset)
{
	/* Not by mmap(): a race detector takes that for a write to memory that threads use meanwhile. */
	int flags = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
	long p = table_away() ? table_call(SYS_mmap, (long)at, (long)len, prot, flags, fd, (long)offset) :
				syscall(SYS_mmap, at, len, prot, flags, fd, offset);

	return p == -1 ? -errno : 0;
}

int os_map_anonymous(void *at, size_t len)
{
	return map(at, len, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0, NULL);
}

int os_map_nothing(void *at, size_t len)
{
	return map(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		   0, NULL);
}

int os_unmap(void *at, size_t len)
{
	return munmap(at, len) ? -errno : 0;
}

_Static_assert(OS_READ == PROT_READ && OS_WRITE == PROT_WRITE && OS_EXEC == PROT_EXEC, "numbers of protection");
_Static_assert(OS_DONTNEED == MADV_DONTNEED && OS_FREE == MADV_FREE && OS_REMOVE == MADV_REMOVE &&
	       OS_DONTFORK == MADV_DONTFORK && OS_DOFORK == MADV_DOFORK && OS_HUGEPAGE == MADV_HUGEPAGE &&
	       OS_NOHUGEPAGE == MADV_NOHUGEPAGE && OS_DONTDUMP == MADV_DONTDUMP && OS_DODUMP == MADV_DODUMP,
	       "numbers of advice");

int os_protect(void *at, size_t len, int prot)
{
	/* Neither this nor the next by name: a program's own calls may be led to the library. */
	return syscall(SYS_mprotect, at, len, prot) ? -errno : 0;
}

int os_advise(void *at, size_t len, int advice)
{
	return syscall(SYS_madvise, at, len, advice) ? -errno : 0;
}

int os_discard(void *at, size_t len)
{
	return os_advise(at, len, MADV_DONTNEED);
}

int os_dontfork(void *at, size_t len)
{
	return os_advise(at, len, MADV_DONTFORK);
}

int os_dontdump(void *at, size_t len)
{
	return os_advise(at, len, MADV_DONTDUMP);
}

int os_dodump(void *at, size_t len)
{
	return os_advise(at, len, MADV_DODUMP);
}

int os_hugepages(void *at, size_t len)
{
	return os_advise(at, len, MADV_HUGEPAGE);
}

int os_collapse(void *at, size_t len)
{
	return os_advise(at, len, MADV_COLLAPSE);
}

int os_remove(void *at, size_t len)
{
	return os_advise(at, len, MADV_REMOVE);
}

int os_populate(void *at, size_t len)
{
	return os_advise(at, len, MADV_POPULATE_WRITE);
}

int os_populate_read(void *at, size_t len)
{
	return os_advise(at, len, MADV_POPULATE_READ);
}

int os_lock(void *at, size_t len, bool later)
{
	/* Not by mlock(): sanitizers make that do nothing. */
	if (later)
		return syscall(SYS_mlock2, at, len, 1 /* MLOCK_ONFAULT */) ? -errno : 0;
	return syscall(SYS_mlock, at, len) ? -errno : 0;
}

int os_move_mapping(void *from, void *to, size_t len)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;

	return mremap(from, len, len, flags, to) == MAP_FAILED ? -errno : 0;
}

#define MPOL_STRICT 1u
#define MPOL_MOVE 2u

static int bind_to(void *at, size_t len, int node, unsigned int flags)
{
	enum { BIND = 2, WORDS = 1024 / (8 * sizeof(unsigned long)) };
	unsigned long mask[WORDS] = { 0 };

	if (node < 0 || node >= 1024)
		return -EINVAL;
	mask[node / (8 * (int)sizeof(mask[0]))] = 1UL << node % (8 * (int)sizeof(mask[0]));
	return syscall(SYS_mbind, at, len, BIND, mask, 1025UL, flags) ? -errno : 0;
}

int os_bind(void *at, size_t len, int node)
{
	return bind_to(at, len, node, 0);
}

int os_bind_moving(void *at, size_t len, int node)
{
	return bind_to(at, len, node, MPOL_STRICT | MPOL_MOVE);
}

int os_bind_default(void *at, size_t len)
{
	return syscall(SYS_mbind, at, len, 0, NULL, 0UL, 0U) ? -errno : 0;
}

int os_residency(void *at, size_t len, unsigned char *vec)
{
	return mincore(at, len, vec) ? -errno : 0;
}
