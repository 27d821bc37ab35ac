// SPDX-License-Identifier: MIT
/*
 * Sleepers on futexes that are shared (process-shared and robust locks of the
 * C library): the kernel knows them by the file page that their word was in,
 * so a wake at the same address misses them once the page has moved. Those who
 * sleep inside what moved are therefore told to look again, by a wake at the
 * old page's place in the direct map; futex users bear a wake too many. Private
 * futexes are known by address and need none of this. futex_state.lock guards
 * the log, which more than one migration may write.
 */
#include "map/map.h"
#include "os/os.h"

#include <stdlib.h>

#define LOG_SIZE 65536u
#define SCAN_PAUSE_NS 2000000ULL
#define PAUSE_FACTOR 30 /* scanning takes no more than a thirtieth of the time */
#define LATE_SLEEPER_NS 1000000ULL
#define DIR_BUFFER 4096

struct moved {
	uintptr_t at;
	char *from; /* where it was, in the direct map */
	size_t bytes;
};
static struct {
	struct moved *log; /* LOG_SIZE of them, since the offline began */
	unsigned int count;
	bool offlining; /* futex_all_moved() will be called */
	struct mutex lock;
	u64 next_scan_ns;
} futex_state = { .lock = __MUTEX_INITIALIZER(futex_state) };

int futex_prepare(void)
{
	size_t bytes = LOG_SIZE * sizeof(struct moved);
	void *log;
	int error;

	if (futex_state.log)
		return 0;
	error = os_reserve_zeroed(bytes, &log);
	if (error)
		return error;
	os_dontfork(log, bytes);
	futex_state.log = log;
	return 0;
}

void futex_forget(void)
{
	memset(&futex_state, 0, sizeof(futex_state));
	mutex_init(&futex_state.lock);
}

/* A word can have moved more than once; sleepers are where it was when they fell asleep. */
static void wake_at(uintptr_t word)
{
	unsigned int i;

	for (i = 0; i < futex_state.count; i++) {
		const struct moved *moved = &futex_state.log[i];
		int woken;

		if (word < moved->at || word - moved->at >= moved->bytes)
			continue;
		woken = os_futex_wake_shared((u32 *)(moved->from + (word - moved->at)), 0x7fffffff);
		if (woken > 0)
			__atomic_fetch_add(&map_state.futexes_woken, (u64)woken, __ATOMIC_RELAXED);
	}
}

/* "202 0x7f... ...": the call a thread sleeps in, and its first argument. */
static void look_at_thread(const char *name)
{
	char path[64], text[64];
	char *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%s/syscall", name);
	fd = os_open_read(path);
	if (fd < 0)
		return;
	n = os_read_at(fd, text, sizeof(text) - 1, 0);
	os_close(fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	if (strtol(text, &end, 10) == os_futex_number() && *end == ' ')
		wake_at(strtoul(end, NULL, 16));
}

struct entry64 {
	u64 inode, offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

static void scan_threads(void)
{
	char buffer[DIR_BUFFER] __aligned(8);
	int dir = os_open_read("/proc/self/task");
	ssize_t n, at;

	while (dir >= 0 && (n = os_read_dir(dir, buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < n;) {
			const struct entry64 *entry = (const void *)(buffer + at);

			if (entry->name[0] != '.')
				look_at_thread(entry->name);
			at += entry->length;
		}
	}
	if (dir >= 0)
		os_close(dir);
}

static void scan_and_time(void)
{
	u64 since = os_now_ns(), now;

	scan_threads();
	now = os_now_ns();
	futex_state.next_scan_ns = now + max((now - since) * PAUSE_FACTOR, (u64)SCAN_PAUSE_NS);
}

/* Twice: some had found the old page when it moved, but not fallen asleep yet. */
static void scan_for_all(void)
{
	scan_threads();
	os_sleep_ns(LATE_SLEEPER_NS);
	scan_threads();
	futex_state.count = 0;
}

void futex_begin(void)
{
	mutex_lock(&futex_state.lock);
	futex_state.offlining = true;
	mutex_unlock(&futex_state.lock);
}

void futex_unit_moved(void *at, void *from, size_t bytes)
{
	mutex_lock(&futex_state.lock);
	if (futex_state.count == LOG_SIZE) {
		scan_threads();
		futex_state.count = 0;
	}
	futex_state.log[futex_state.count++] = (struct moved){ (uintptr_t)at, from, bytes };
	if (!futex_state.offlining)
		scan_for_all();
	else if (os_now_ns() >= futex_state.next_scan_ns)
		scan_and_time();
	mutex_unlock(&futex_state.lock);
}

void futex_all_moved(void)
{
	mutex_lock(&futex_state.lock);
	if (futex_state.count)
		scan_for_all();
	futex_state.offlining = false;
	mutex_unlock(&futex_state.lock);
}
