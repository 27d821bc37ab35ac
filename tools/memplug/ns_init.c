/* SPDX-License-Identifier: MIT */
/*
 * The first process of the namespaces of `memplug ns`, their pid 1: makes them
 * ready, starts COMMAND, and ends with it, and everything in them ends too. It
 * dies with the outer process. Two children serve: the mount and the uevents.
 */
#include "ns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static pid_t tree_server, relay, command;

/* A child out of the terminal's reach, so that Ctrl-C is COMMAND's affair. */
static pid_t start_server(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid)
		setsid();
	return pid;
}

/* Waits until a child closes its end, having written a byte if all is well. */
static int await(int fd)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	return n == 1 ? 0 : -1;
}

static int start_tree(struct ns *ns)
{
	tree_server = mount_child_start(ns->socket, ns_path(ns, "tree"));
	return tree_server < 0 ? -1 : 0;
}

static int start_relay(struct ns *ns)
{
	int ready[2];

	if (pipe2(ready, O_CLOEXEC))
		return ns_fail("pipe");
	relay = start_server();
	if (relay < 0)
		return ns_fail("fork");
	if (!relay) {
		close(ready[0]);
		_exit(ns_relay(ns, ready[1]));
	}
	close(ready[1]);
	return await(ready[0]);
}

static void set_environment(const struct ns *ns)
{
	const char *path = getenv("PATH");
	char *text;

	/* libsystemd trusts only what statfs calls sysfs, unless told otherwise. */
	setenv("SYSTEMD_DEVICE_VERIFY_SYSFS", "0", 1);
	setenv("MEMPLUG_SOCKET", ns->socket, 1);
	setenv("MEMPLUG_NS", ns->directory, 1);
	if (asprintf(&text, "%s:%s", ns_path(ns, "bin"), path && *path ? path : DEFAULT_PATH) < 0)
		return;
	setenv("PATH", text, 1);
	free(text);
}

static int start_command(struct ns *ns)
{
	sigset_t none;
	int error;

	fflush(NULL);
	command = fork();
	if (command < 0)
		return ns_fail("fork");
	if (command)
		return 0;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	set_environment(ns);
	/* The same directory, with what was laid over it. */
	if (ns->cwd[0] && chdir(ns->cwd))
		ns_fail("%s", ns->cwd);
	execvp(ns->command[0], ns->command);
	error = errno;
	ns_fail("%s", ns->command[0]);
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

static void end(const struct ns *ns, int status)
{
	if (write(ns->status, &status, sizeof(status)) != sizeof(status))
		_exit(EXIT_OWN);
	_exit(EXIT_DONE);
}

/* Of the two that serve, once: they end when the machine does. */
static void tell_end(pid_t pid, int status)
{
	static bool told;

	if (WIFSIGNALED(status))
		complain("ns: the process that serves the %s was killed by signal %d",
			 pid == relay ? "uevents" : "files", WTERMSIG(status));
	else if (!told)
		complain("ns: the machine is gone; its files answer no more");
	told = true;
}

/* Also whatever COMMAND left behind is a child by now. */
static void reap(const struct ns *ns)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == command)
			end(ns, status);
		if (pid == tree_server || pid == relay)
			tell_end(pid, status);
	}
}

static void attend(const struct ns *ns, int signals)
{
	struct pollfd ready[] = { { .fd = signals, .events = POLLIN }, { .fd = ns->life } };
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(ready, 2, -1) < 0)
			continue;
		if (ready[1].revents)
			_exit(EXIT_OWN);
		if (read(signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo == SIGCHLD)
			reap(ns);
		else if (info.ssi_code == SI_QUEUE && !info.ssi_pid) /* the outer process */
			kill(command, (int)info.ssi_signo);
	}
}

static int prepare(struct ns *ns)
{
	if (ns_mount_base(ns) || start_tree(ns) || ns_mount_tree(ns))
		return -1;
	ns_net_up();
	return start_relay(ns);
}

/* Our number outside, as long as /proc is the host's; 0: unknown. */
static long outer_pid(void)
{
	char text[24] = "";
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	return n > 0 ? atol(text) : 0;
}

void ns_init(struct ns *ns)
{
	long pid = outer_pid();
	sigset_t set;
	int signals;

	/* A parent that died before this call is seen by the pipe. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigprocmask(SIG_BLOCK, NULL, &set);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (signals < 0) {
		ns_fail("signalfd");
		_exit(EXIT_OWN);
	}
	if (prepare(ns))
		_exit(EXIT_OWN);
	if (ns->json)
		announce_json(ns->machine, "tree", ns_path(ns, "tree"), pid);
	if (start_command(ns))
		_exit(EXIT_OWN);
	attend(ns, signals);
	_exit(EXIT_OWN);
}
