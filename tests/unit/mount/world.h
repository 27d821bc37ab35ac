/* SPDX-License-Identifier: MIT */
/*
 * A machine in this process and its mount, a process of its own, `memplug mount`, that ends with the test;
 * processes that read or write one file there.
 */
#ifndef TESTS_MOUNT_WORLD_H
#define TESTS_MOUNT_WORLD_H

#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <memplug/serve.h>
#include <memplug/tree.h>

#define MEMORY "/sys/devices/system/memory"

static char where[64], dir[80], socket_path[80];
static pid_t mount_pid;

static inline const char *at(const char *path)
{
	static __thread char full[700];

	snprintf(full, sizeof(full), "%s%s", dir, path);
	return full;
}

static char command[256];

/* Without libfuse3 `memplug mount` is a few words of help. */
static inline bool mount_built(void)
{
	char ask[300], help[4096];
	size_t length;
	FILE *pipe;

	snprintf(command, sizeof(command), "%s/tools/memplug", getenv("MEMPLUG_BUILD") ?: "build");
	snprintf(ask, sizeof(ask), "'%s' mount --help", command);
	pipe = popen(ask, "re");
	CHECK(pipe);
	length = fread(help, 1, sizeof(help) - 1, pipe);
	help[length] = '\0';
	CHECK_EQ(pclose(pipe), 0);
	return !strstr(help, "not built in");
}

/* `memplug mount`; its first byte says that it is mounted. */
static inline void start_mount(void)
{
	char *argv[] = { command, (char *)"mount", (char *)"--die-with-parent", socket_path, dir, NULL };
	posix_spawn_file_actions_t actions;
	int out[2];
	char byte;

	CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	CHECK_EQ(posix_spawn(&mount_pid, command, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	if (read(out[0], &byte, 1) != 1)
		FAIL("%s mount did not mount", command);
	close(out[0]);
}

static inline void stop_mount(void)
{
	int status;

	CHECK_EQ(kill(mount_pid, SIGTERM), 0);
	CHECK_EQ(waitpid(mount_pid, &status, 0), mount_pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(rmdir(dir), 0);
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_EQ(rmdir(where), 0);
}

/* Blocks 32 and 33 on node 1, offline, and the mount. */
static inline void begin(void)
{
	if (access("/dev/fuse", R_OK | W_OK) || geteuid())
		SKIP("it needs /dev/fuse and root");
	if (!mount_built())
		SKIP("memplug was built without libfuse3");
	machine_boot(NULL);
	add_blocks(1, 32, 2);
	strcpy(where, "/tmp/memplug-map-XXXXXX");
	CHECK(mkdtemp(where));
	snprintf(dir, sizeof(dir), "%s/mnt", where);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", where);
	CHECK_EQ(mkdir(dir, 0700), 0);
	CHECK_EQ(mp_serve(socket_path, 4), 0);
	start_mount();
}

static inline void no_handler(int signal)
{
}

/* A process that does one read or write (`text`) and exits with its errno; it handles SIGALRM. */
static inline pid_t start_io(const char *path, const char *text)
{
	struct sigaction action = { .sa_handler = no_handler, .sa_flags = (int)SA_RESTART };
	char buffer[64];
	pid_t pid;
	int fd;

	path = at(path);
	pid = fork();
	if (pid)
		return pid;
	sigaction(SIGALRM, &action, NULL);
	fd = open(path, text ? O_WRONLY | O_TRUNC : O_RDONLY);
	if (fd < 0 || (text ? write(fd, text, strlen(text)) : read(fd, buffer, sizeof(buffer))) < 0)
		_exit(errno);
	_exit(0);
}

/* It is inside its read or write. */
static inline bool waits(pid_t pid)
{
	char path[40], text[32] = "";
	long call = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		sscanf(text, "%ld", &call);
	close(fd);
	return call == SYS_write || call == SYS_read;
}

static inline int end_of(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return status;
}

static inline ssize_t read_mounted(const char *path, char *buffer, size_t size)
{
	int fd = open(at(path), O_RDONLY | O_NOFOLLOW);
	size_t count = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, buffer + count, size - count);
	while (n > 0 && (count += (size_t)n) < size);
	n = n < 0 ? -errno : (ssize_t)count;
	close(fd);
	return n;
}

#endif
