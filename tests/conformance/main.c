// SPDX-License-Identifier: MIT
/*
 * conformance SCENARIO ENTER DIRECTORY: boots the machine that the scenario
 * describes, serves its tree and the control socket in DIRECTORY, runs the
 * script ENTER with the scenario's channel as descriptor 3, and prints the trace.
 * State: none.
 */
#include "conformance.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memplug/machine.h>
#include <memplug/serve.h>

static int fail(const char *what, int rc)
{
	fprintf(stderr, "conformance: %s: %s\n", what, strerror(-rc));
	return 1;
}

static void say(const char *text, void *arg)
{
	(void)arg;
	fprintf(stderr, "conformance: check: %s\n", text);
}

/* Boots and opens both doors; 0 or an exit code. */
static int start(const struct scenario *scenario, const char *directory)
{
	char path[256];
	int rc;

	log_start();
	rc = guest_boot(&scenario->guest);
	if (rc)
		return fail("the machine does not boot", rc);
	rc = files_add();
	if (rc)
		return fail("hptrace", rc);
	uevents_start();
	snprintf(path, sizeof(path), "%s/tree.sock", directory);
	rc = mp_serve(path, 8);
	if (rc)
		return fail(path, rc);
	snprintf(path, sizeof(path), "%s/control.sock", directory);
	rc = control_start(path);
	return rc ? fail(path, rc) : 0;
}

static pid_t start_shell(const char *enter, const char *scenario, const char *directory, int fd)
{
	char path[256];
	pid_t child = fork();

	if (child)
		return child;
	/* A group of its own, to be ended as one; its output is the guest's console. */
	setpgid(0, 0);
	snprintf(path, sizeof(path), "%s/console.log", directory);
	if (!freopen("/dev/null", "r", stdin) || !freopen(path, "w", stdout) ||
	    dup2(STDOUT_FILENO, STDERR_FILENO) < 0 || dup2(fd, 3) < 0)
		_exit(127);
	execlp("sh", "sh", enter, scenario, directory, NULL);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct scenario scenario;
	int channel[2], rc;
	char why[256] = "";
	pid_t child;

	if (argc != 4) {
		fprintf(stderr, "usage: conformance SCENARIO ENTER DIRECTORY\n");
		return 2;
	}
	rc = scenario_read(&scenario, argv[1]);
	if (rc)
		return fail(argv[1], rc);
	signal(SIGPIPE, SIG_IGN);
	rc = start(&scenario, argv[3]);
	if (rc)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel))
		return fail("socketpair", -errno);
	child = start_shell(argv[2], argv[1], argv[3], channel[1]);
	if (child < 0)
		return fail("fork", -errno);
	close(channel[1]);
	rc = host_run(&scenario, channel[0], why, sizeof(why));
	if (rc)
		fprintf(stderr, "conformance: %s: %s\n", scenario.name, why);
	kill(-child, SIGKILL);
	waitpid(child, NULL, 0);
	mp_serve_stop();
	if (!rc && mp_check(say, NULL))
		return fail("the machine is not consistent at the end", -EIO);
	return rc;
}
