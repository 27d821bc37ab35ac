// SPDX-License-Identifier: MIT
/*
 * How writers are held still while their pages move: userfaultfd with write
 * protection, which also holds system calls that write. It is probed once and
 * opened again when the program closed the descriptor. mechanism.lock guards
 * opening; the descriptors are read without it.
 */
#include "map/map.h"
#include "backing/backing.h"
#include "backing/file.h"
#include "hotplug/hotplug.h"
#include "page/page.h"
#include "os/os.h"
#include "plug/plug.h"
#include "plug/plug_files.h"
#include "report/report.h"
#include "sync/thread.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DEVICE "/dev/userfaultfd"
#define INHERITED "MEMPLUG_USERFAULTFD"
#define PAGEMAP_WRITE_PROTECTED (1ULL << 57)
#define PAGEMAP_OF_FILE (1ULL << 61)
#define PAGEMAP_SWAPPED (1ULL << 62)
#define PAGEMAP_PRESENT (1ULL << 63)
#define WAKE_TRIES 10

struct mechanism mechanism = { .uffd = -1, .pagemap = -1 };
static DEFINE_MUTEX(mechanism_lock);

static int open_device(void)
{
	int device = os_open_device(DEVICE), fd;

	if (device < 0)
		return device;
	fd = os_userfaultfd_of(device);
	os_close(device);
	return fd;
}

/* Of the program's: a copy of our own, which it does not close by number, and which a fork child has, too. */
static int inherited = -1;

/* The descriptor that the environment names. */
static int named_inherited(void)
{
	const char *text = secure_getenv(INHERITED);
	char *end;
	long fd;

	if (!text || !*text)
		return -ENOENT;
	fd = strtol(text, &end, 10);
	return *end || fd < 0 || fd > INT_MAX ? -EINVAL : (int)fd;
}

/* If it is one of the device. */
static int open_inherited(void)
{
	int named = inherited < 0 ? named_inherited() : inherited, copy, fd;

	if (named < 0)
		return named;
	copy = os_take(named);
	if (copy < 0)
		return copy;
	fd = S_ISCHR(os_file_type(copy)) ? os_userfaultfd_of(copy) : -EBADF;
	os_close(copy);
	if (fd >= 0 && inherited < 0)
		inherited = os_keep(named, os_nofile_limit() / 2);
	return fd;
}

static int begin(int fd)
{
	int error = fd < 0 ? fd : os_uffd_begin(fd);

	if (!error)
		return backing_fd_high(fd);
	if (fd >= 0)
		os_close(fd);
	return error;
}

static int open_all(void)
{
	static int (*const open_source[NR_SOURCES])(void) = {
		[SOURCE_CALL] = os_userfaultfd,
		[SOURCE_DEVICE] = open_device,
		[SOURCE_INHERITED] = open_inherited,
	};
	enum mechanism_source source;
	int fd = -1;

	for (source = SOURCE_CALL; source < NR_SOURCES; source++) {
		fd = begin(open_source[source]());
		if (fd >= 0)
			break;
		mechanism.error[source] = fd;
	}
	if (fd < 0)
		return fd;
	mechanism.source = source;
	WRITE_ONCE(mechanism.uffd, fd);
	return 0;
}

/* Without /proc nothing can be checked, and nothing is. */
static void open_pagemap(void)
{
	int fd = os_open_read("/proc/self/pagemap");

	WRITE_ONCE(mechanism.pagemap, fd < 0 ? fd : backing_fd_high(fd));
}

static int refuse(void)
{
	/* It says so of a feature that it does not know. */
	if (mechanism.error[SOURCE_CALL] == -EINVAL || mechanism.error[SOURCE_DEVICE] == -EINVAL)
		return reason_set(MP_REASON_SYSTEM, -EOPNOTSUPP, "userfaultfd",
				  "map refused: this Linux cannot write-protect shared memory with userfaultfd; "
				  "5.19 or later can, and backing = anonymous needs none");
	return reason_set(MP_REASON_SYSTEM, -EOPNOTSUPP, "userfaultfd",
			  "map refused: userfaultfd(2) says %s and " DEVICE " %s; give the program CAP_SYS_PTRACE, "
			  "access to " DEVICE " or " INHERITED ", set vm.unprivileged_userfaultfd=1, or back the "
			  "machine with anonymous memory, which needs none",
			  strerror(-mechanism.error[SOURCE_CALL]),
			  strerror(-mechanism.error[SOURCE_DEVICE]));
}

/* Opens it anew if the program has closed it. */
static int open_mechanism(void)
{
	int error = 0;

	if (READ_ONCE(mechanism.uffd) >= 0 && READ_ONCE(mechanism.pagemap) != -1)
		return 0;
	mutex_lock(&mechanism_lock);
	if (mechanism.uffd < 0)
		error = open_all();
	if (!error && mechanism.pagemap == -1)
		open_pagemap();
	mutex_unlock(&mechanism_lock);
	return error;
}

int mechanism_ready(void)
{
	return open_mechanism() ? refuse() : 0;
}

void mechanism_check(void)
{
	u64 entry;

	mutex_lock(&mechanism_lock);
	/* What is not ours any more is not closed: the number may be another file's by now. */
	if (os_uffd_wake(mechanism.uffd, mp_direct_map, PAGE_SIZE))
		WRITE_ONCE(mechanism.uffd, -1);
	if (mechanism.pagemap >= 0 &&
	    os_read_at(mechanism.pagemap, &entry, sizeof(entry),
		       ((uintptr_t)mp_direct_map >> PAGE_SHIFT) * sizeof(entry)) != sizeof(entry))
		WRITE_ONCE(mechanism.pagemap, -1);
	mutex_unlock(&mechanism_lock);
}

int mp_map_prepare(void)
{
	struct backing_kinds kinds;
	int error;

	if (!machine_booted)
		return -ENXIO;
	mutex_lock(&mechanism_lock);
	error = table_begin() ?: futex_prepare() ?: fork_prepare();
	if (!error && !map_state.mappings_limit)
		map_state.mappings_limit = mappings_allowed();
	mutex_unlock(&mechanism_lock);
	if (error)
		return error;
	kinds = backing_kinds();
	if (!kinds.files && kinds.apart)
		return 0;
	/* Without it anonymous memory can be mapped; who maps other memory is refused then. */
	return !open_mechanism() || kinds.apart ? 0 : refuse();
}

const char *mp_map_mechanism(void)
{
	struct backing_kinds kinds = { 0 };

	if (machine_booted)
		kinds = backing_kinds();
	if (READ_ONCE(mechanism.uffd) < 0)
		return kinds.apart ? map_anonymous_backend.name : "none";
	return !kinds.apart ? "userfaultfd-wp" : kinds.files ? "userfaultfd-wp, anonymous" :
							       map_anonymous_backend.name;
}

int hold(void *at, size_t len)
{
	return os_uffd_protect(READ_ONCE(mechanism.uffd), at, len);
}

/* A closed descriptor lets all go without a word: the page itself must say that it is held. */
bool is_held(const void *at)
{
	int fd = READ_ONCE(mechanism.pagemap);
	u64 entry;

	if (fd < -1)
		return true;
	return os_read_at(fd, &entry, sizeof(entry), ((uintptr_t)at >> PAGE_SHIFT) * sizeof(entry)) ==
		       sizeof(entry) && (entry & PAGEMAP_WRITE_PROTECTED);
}

bool read_pagemap(const void *at, u64 *entries, size_t pages)
{
	int fd = READ_ONCE(mechanism.pagemap);

	return fd >= 0 && os_read_at(fd, entries, pages * sizeof(*entries),
				     ((uintptr_t)at >> PAGE_SHIFT) * sizeof(*entries)) ==
				  (ssize_t)(pages * sizeof(*entries));
}

bool pagemap_is_private(u64 entry)
{
	return entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED) && !(entry & PAGEMAP_OF_FILE);
}

int release(void *at, size_t len)
{
	int fd = READ_ONCE(mechanism.uffd), error, try;

	/* Nobody else wakes them. Closing the descriptor has woken all. */
	for (try = 0; (error = os_uffd_wake(fd, at, len)) && try < WAKE_TRIES; try++)
		;
	return error;
}

static void forget(void)
{
	mutex_init(&mechanism_lock);
	/* They stand for the parent's memory. */
	if (mechanism.uffd >= 0)
		os_close(mechanism.uffd);
	if (mechanism.pagemap >= 0)
		os_close(mechanism.pagemap);
	mechanism.uffd = -1;
	mechanism.pagemap = -1;
	table_forget();
	fork_forget();
	futex_forget();
	guard_forget_all();
	memset(&map_state, 0, sizeof(map_state));
}

__attribute__((constructor)) static void map_at_start(void)
{
	sync_at_fork_child(forget);
	move_prepare();
	offline_last_hook = map_refuses_offline;
	offline_empty_hook = map_offline_empty;
	page_state_hook = map_page_state;
	own_map_show_hook = map_show;
	backing_apart_hook = anonymous_resident;
}
