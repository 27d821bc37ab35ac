/* SPDX-License-Identifier: MIT */
/*
 * The page of counts that other processes may map (sync/changes.h): a memory
 * file that nobody else can write to. Made by the first boot and kept as long as
 * the process lasts, since who has mapped it goes on looking there.
 */
#include "device/tree.h"
#include "backing/file.h"
#include "os/os.h"
#include "sync/changes.h"
#include "sync/thread.h"

#define PAGE_BYTES 4096

static int changes_fd = -1;

static void forget_in_child(void)
{
	changes_forget();
	if (changes_fd >= 0)
		os_close(changes_fd);
	changes_fd = -1;
}

int tree_changes_fd(void)
{
	return __atomic_load_n(&changes_fd, __ATOMIC_ACQUIRE);
}

int tree_changes_share(void)
{
	static bool fork_known;
	void *page = NULL;
	int fd, error;

	if (changes_fd >= 0)
		return 0;
	fd = os_memfd("memplug-changes");
	if (fd < 0)
		return fd;
	fd = backing_fd_high(fd);
	error = os_truncate(fd, PAGE_BYTES) ?: os_reserve(PAGE_BYTES, &page);
	if (error)
		goto close;
	/* Writable here only: what is mapped before the seal stays so. */
	error = os_map_fd(page, PAGE_BYTES, fd, 0) ?: os_dontfork(page, PAGE_BYTES) ?:
		os_seal_future(fd);
	if (error)
		goto unmap;
	if (!fork_known)
		sync_at_fork_child(forget_in_child);
	fork_known = true;
	changes_move(page);
	__atomic_store_n(&changes_fd, fd, __ATOMIC_RELEASE);
	return 0;
unmap:
	os_unmap(page, PAGE_BYTES);
close:
	os_close(fd);
	return error;
}
