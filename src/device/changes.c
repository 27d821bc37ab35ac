/* SPDX-License-Identifier: MIT */
/*
 * The page of counts that other processes may map (sync/changes.h): a memory
 * file that nobody else can write to, a new one for each machine. The counts move under the tree
 * lock, inside mem_hotplug_begin(), when there is no machine: nothing else counts then.
 */
#include "backing/file.h"
#include "device/tree_internal.h"
#include "os/os.h"
#include "sync/changes.h"
#include "sync/thread.h"

#define PAGE_BYTES 4096

static int changes_fd = -1;
static void *page_at; /* reserved once, and mapped again by each machine */

static void forget_in_child(void)
{
	changes_forget();
	if (changes_fd >= 0)
		os_close(changes_fd);
	changes_fd = -1;
	page_at = NULL;
}

int tree_changes_fd(void)
{
	return __atomic_load_n(&changes_fd, __ATOMIC_ACQUIRE);
}

static int map_page(int fd)
{
	static bool fork_known;
	int error = os_truncate(fd, PAGE_BYTES);

	if (!error && !page_at)
		error = os_reserve(PAGE_BYTES, &page_at);
	if (!fork_known)
		sync_at_fork_child(forget_in_child);
	fork_known = true;
	/* Writable here only: what is mapped before the seal stays so. */
	return error ?: os_map_fd(page_at, PAGE_BYTES, fd, 0) ?: os_dontfork(page_at, PAGE_BYTES) ?:
		os_seal_future(fd);
}

int tree_changes_share(void)
{
	int fd = os_memfd("memplug-changes"), error;

	if (fd < 0)
		return fd;
	fd = backing_fd_high(fd);
	error = map_page(fd);
	if (error) {
		os_close(fd);
		return error;
	}
	tree_lock();
	changes_move(page_at);
	__atomic_store_n(&changes_fd, fd, __ATOMIC_RELEASE);
	tree_unlock();
	return 0;
}

void tree_changes_unshare(void)
{
	int fd = changes_fd;

	if (fd < 0)
		return;
	tree_lock();
	__atomic_store_n(&changes_fd, -1, __ATOMIC_RELEASE);
	changes_move(NULL);
	tree_unlock();
	os_close(fd);
}

void tree_changes_count(void)
{
	tree_lock();
	changes_begin();
	changes_end();
	tree_unlock();
}
