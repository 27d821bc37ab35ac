/* SPDX-License-Identifier: MIT */
/*
 * What the host says about its memory: /proc/meminfo, and the limits of this
 * process's control group and all above it. The answer is kept for 100 ms;
 * backing_lock guards it.
 */
#include "backing/host.h"
#include "os/os.h"

#include <linux/kernel.h>
#include <stdlib.h>

#define KEEP_NS 100000000ULL
#define NO_LIMIT (~0ULL)
#define PATH_SIZE 4096
#define TEXT_SIZE 8192

static struct {
	u64 capacity;
	u64 at_ns; /* 0: never asked */
	char text[TEXT_SIZE];
	char path[PATH_SIZE];
} host;

void host_forget(void)
{
	host.at_ns = 0;
}

/* Reads a small file into host.text; false when there is none. */
static bool read_text(const char *path)
{
	size_t length = 0;
	int fd = os_open_read(path);

	if (fd < 0)
		return false;
	while (length < sizeof(host.text) - 1) {
		ssize_t n = os_read_at(fd, host.text + length, sizeof(host.text) - 1 - length, length);

		if (n <= 0)
			break;
		length += (size_t)n;
	}
	os_close(fd);
	host.text[length] = '\0';
	return length > 0;
}

/* The number behind `key` at the start of a line of host.text. */
static bool find_number(const char *key, u64 *number)
{
	size_t length = strlen(key);

	for (const char *line = host.text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && (line[length] == ' ' || line[length] == ':')) {
			*number = strtoull(line + length + 1, NULL, 10);
			return true;
		}
	}
	return false;
}

/* A file of one number in the group's directory; false also for "max". */
static bool group_number(const char *dir, const char *name, u64 *number)
{
	char path[PATH_SIZE + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (!read_text(path) || host.text[0] < '0' || host.text[0] > '9')
		return false;
	*number = strtoull(host.text, NULL, 10);
	return true;
}

/* What the group at `dir` may still take; page cache does not count, it makes room. */
static u64 group_room(const char *dir, const char *limit_name, const char *usage_name)
{
	u64 limit, usage, cache = 0, part;
	char path[PATH_SIZE + 64];

	if (!group_number(dir, limit_name, &limit) || !group_number(dir, usage_name, &usage))
		return NO_LIMIT;
	snprintf(path, sizeof(path), "%s/memory.stat", dir);
	if (read_text(path)) {
		if (find_number("active_file", &part))
			cache += part;
		if (find_number("inactive_file", &part))
			cache += part;
	}
	usage -= min(usage, cache);
	return limit > usage ? limit - usage : 0;
}

/* The smallest room of the group `path` below `mount` and of the groups above it. */
static u64 groups_room(const char *mount, const char *limit_name, const char *usage_name,
		       const char *path)
{
	char dir[PATH_SIZE];
	u64 room = NO_LIMIT, here;
	size_t top = strlen(mount);
	char *slash;

	snprintf(dir, sizeof(dir), "%s%s", mount, strcmp(path, "/") ? path : "");
	for (;;) {
		here = group_room(dir, limit_name, usage_name);
		room = min(room, here);
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < top)
			return room;
		*slash = '\0';
	}
}

/* The path of the line of /proc/self/cgroup whose controllers are `controllers`. */
static bool group_path(const char *controllers)
{
	size_t length = strlen(controllers);
	char *line, *end;

	if (!read_text("/proc/self/cgroup"))
		return false;
	for (line = host.text; line && *line; line = end ? end + 1 : NULL) {
		char *list = strchr(line, ':');

		end = strchr(line, '\n');
		if (!list || strncmp(list + 1, controllers, length) != 0 || list[1 + length] != ':')
			continue;
		if (end)
			*end = '\0';
		snprintf(host.path, sizeof(host.path), "%s", list + 2 + length);
		return true;
	}
	return false;
}

static u64 ask_host(void)
{
	u64 available = NO_LIMIT, room;

	if (read_text("/proc/meminfo") && find_number("MemAvailable", &available))
		available *= 1024;
	if (group_path("")) {
		room = groups_room("/sys/fs/cgroup", "memory.max", "memory.current", host.path);
		available = min(available, room);
	}
	if (group_path("memory")) {
		room = groups_room("/sys/fs/cgroup/memory", "memory.limit_in_bytes",
				   "memory.usage_in_bytes", host.path);
		available = min(available, room);
	}
	return available;
}

u64 host_capacity(u64 (*held)(void))
{
	u64 now = os_now_ns();

	if (!host.at_ns || now - host.at_ns > KEEP_NS) {
		u64 available = ask_host();

		host.capacity = available == NO_LIMIT ? NO_LIMIT : available + held();
		host.at_ns = now;
	}
	return host.capacity;
}
