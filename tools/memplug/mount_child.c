/* SPDX-License-Identifier: MIT */
/* The mount of `memplug boot --mount`: a process of its own, `memplug mount`, that ends with this one. */
#include "memplug.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t mount_child_start(const char *socket, const char *directory)
{
	char *argv[] = { (char *)"memplug", (char *)"mount", (char *)"--die-with-parent", (char *)"--",
			 (char *)socket, (char *)directory, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int out[2], error;
	pid_t pid = -1;
	char word;

	if (pipe2(out, O_CLOEXEC)) {
		complain("%s", strerror(errno));
		return -1;
	}
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	/* Out of the terminal's reach: Ctrl-C is for the one that started it. */
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attributes, &none);
	error = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	/* It speaks when it is mounted; else it has said on stderr what is wrong, and ends. */
	if (error) {
		complain("%s: cannot be mounted: %s", directory, strerror(error));
		pid = -1;
	} else if (read(out[0], &word, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(out[0]);
	return pid;
}

void mount_child_stop(pid_t pid)
{
	if (pid > 0 && !kill(pid, SIGTERM))
		waitpid(pid, NULL, 0);
}
