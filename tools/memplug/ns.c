/* SPDX-License-Identifier: MIT */
/*
 * `memplug ns`: a command in namespaces of its own, in which the machine's
 * files lie over the host's and its uevents are the kernel's. This is the
 * outer process: it makes the namespaces, hands signals in and the exit status
 * out. The inner ones die with it (ns_init.c), and the mounts with them.
 */
#include "ns.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID)

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

int ns_fail(const char *format, ...)
{
	int error = errno;
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	complain("ns: %s: %s", text, strerror(error));
	return -1;
}

const char *ns_path(const struct ns *ns, const char *name)
{
	static char paths[5][sizeof(ns->directory) + 64];
	static unsigned int next;
	char *path = paths[next++ % 5];

	snprintf(path, sizeof(*paths), "%s/%s", ns->directory, name);
	return path;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? ns_fail("%s", path) : 0;
}

/* Root inside is who we are outside. */
static int map_user(uid_t uid, gid_t gid)
{
	char text[32];

	snprintf(text, sizeof(text), "0 %u 1", uid);
	if (write_file("/proc/self/uid_map", text) || write_file("/proc/self/setgroups", "deny"))
		return -1;
	snprintf(text, sizeof(text), "0 %u 1", gid);
	return write_file("/proc/self/gid_map", text);
}

static int make_namespaces(bool user)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (!user && !unshare(NAMESPACES))
		return 0;
	if (!user && errno != EPERM)
		return ns_fail("namespaces");
	if (unshare(CLONE_NEWUSER | NAMESPACES)) {
		ns_fail("this host lets user %u make no namespaces", uid);
		complain("run it as root, or allow them: sysctl user.max_user_namespaces, "
			 "kernel.unprivileged_userns_clone");
		return -1;
	}
	return map_user(uid, gid);
}

static int parse(struct ns *ns, bool *user, int argc, char **argv)
{
	static const struct option longs[] = { { "user", no_argument, NULL, 'u' }, { 0 } };
	const char *shell = getenv("SHELL");
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "+u", longs, NULL)) != -1) {
		if (c != 'u') {
			complain("%s: not understood; `memplug ns --help`", argv[optind - 1]);
			return -1;
		}
		*user = true;
	}
	ns->shell[0] = (char *)(shell && *shell ? shell : "/bin/sh");
	ns->command = optind < argc ? argv + optind : ns->shell;
	return 0;
}

/* The machine is found before namespaces are made, as the user who asks. */
static int find_machine(struct ns *ns, const struct options *options)
{
	const char *directory, *path;
	ssize_t n = readlink("/proc/self/exe", ns->program, sizeof(ns->program) - 1);

	if (n < 0)
		return ns_fail("/proc/self/exe");
	client_failure = EXIT_OWN;
	path = client_find(options);
	if (!realpath(path, ns->machine))
		return ns_fail("%s", path);
	directory = socket_directory(true);
	if (!directory)
		return -1;
	snprintf(ns->directory, sizeof(ns->directory), "%s", directory);
	snprintf(ns->socket, sizeof(ns->socket), "%s", ns_path(ns, "socket"));
	return 0;
}

/* Ends this process as COMMAND ended. */
static int end_as(int status)
{
	static const struct rlimit no_core;
	sigset_t set;
	int number;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	number = WTERMSIG(status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), number);
	return 128 + number;
}

/* Hands signals in until the inner process ends. Those of the terminal reach COMMAND by themselves. */
static int attend(pid_t inner, int status_fd, const sigset_t *set)
{
	const union sigval none = { 0 };
	siginfo_t info;
	int status, ended;

	for (;;) {
		if (sigwaitinfo(set, &info) < 0)
			continue;
		if (info.si_signo != SIGCHLD) {
			if (info.si_code != SI_KERNEL)
				sigqueue(inner, info.si_signo, none);
		} else if (waitpid(inner, &ended, WNOHANG) == inner) {
			break;
		}
	}
	if (read(status_fd, &status, sizeof(status)) == sizeof(status))
		return end_as(status);
	if (WIFEXITED(ended))
		return WEXITSTATUS(ended);
	complain("ns: the process that watches over the command was killed by signal %d, and with "
		 "it all others", WTERMSIG(ended));
	return EXIT_OWN;
}

static int run(struct ns *ns)
{
	int life[2], status[2];
	sigset_t set;
	size_t i;
	pid_t inner;

	if (pipe2(life, O_CLOEXEC) || pipe2(status, O_CLOEXEC)) {
		ns_fail("pipe");
		return EXIT_OWN;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (i = 0; i < sizeof(forwarded) / sizeof(*forwarded); i++)
		sigaddset(&set, forwarded[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	inner = fork();
	if (inner < 0) {
		ns_fail("fork");
		return EXIT_OWN;
	}
	if (!inner) {
		ns->life = life[0];
		ns->status = status[1];
		close(life[1]);
		close(status[0]);
		ns_init(ns);
	}
	close(status[1]);
	return attend(inner, status[0], &set);
}

static int ns_run(struct options *options, int argc, char **argv)
{
	bool user = false;
	struct ns ns = { 0 };

	if (parse(&ns, &user, argc, argv))
		return EXIT_OWN;
	ns.json = options->json;
	if (find_machine(&ns, options))
		return EXIT_OWN;
	if (!getcwd(ns.cwd, sizeof(ns.cwd)))
		ns.cwd[0] = '\0';
	if (make_namespaces(user))
		return EXIT_OWN;
	return run(&ns);
}

const struct verb verb_ns = {
	"ns",
	"[--user] [--] [COMMAND ...]",
	"run a command that takes the machine's memory for the host's",
	"COMMAND (or a shell) runs in mount, network and process namespaces of its own. There the\n"
	"machine's files lie over the host's: /sys/devices/system/{memory,node,cpu}, their /sys/bus,\n"
	"/sys/module/memory_hotplug, /sys/firmware/memmap, /sys/kernel/debug, and meminfo, zoneinfo,\n"
	"buddyinfo, pagetypeinfo, iomem and vmstat of /proc; its uevents come as the kernel's. So\n"
	"lsmem, chmem, udevd and scripts with fixed paths work as they are. There is no network.\n"
	"  --user  a user namespace also as root: COMMAND then has no rights over the host;\n"
	"          others get one always\n"
	"When COMMAND ends, all that it left running ends too, and nothing stays mounted. The exit\n"
	"code is COMMAND's, or 125: the namespaces could not be made, 126: COMMAND cannot be run,\n"
	"127: there is no such COMMAND.\n"
	"Try: memplug ns -- lsmem\n",
	ns_run,
};
