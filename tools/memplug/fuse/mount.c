// SPDX-License-Identifier: MIT
/* `memplug mount`: a machine's tree as a file system, until SIGTERM, Ctrl-C or unmounting. */
#include "mount.h"
#include "../memplug.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* A mount whose process was killed answers ENOTCONN until it is taken away. */
static bool usable(const char *directory)
{
	struct statfs fs;
	struct stat st;

	/* The kernel may remember what stat() would say. */
	if (statfs(directory, &fs) && errno == ENOTCONN) {
		if (umount2(directory, MNT_DETACH)) {
			complain("%s: a mount whose process has died lies there: `umount -l %s`",
				 directory, directory);
			return false;
		}
		complain("%s: unmounted what a killed process had left there", directory);
	}
	if (stat(directory, &st)) {
		complain("%s: %s", directory, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode))
		complain("%s: not a directory", directory);
	return S_ISDIR(st.st_mode);
}

static struct fuse_session *new_session(const char *socket)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *session = NULL;
	char option[160];

	/* "," and "\" would end or change the option. */
	snprintf(option, sizeof(option), "-ofsname=%s", strpbrk(socket, ",\\") ? "memplug" : socket);
	if (!fuse_opt_add_arg(&args, "memplug") && !fuse_opt_add_arg(&args, option) &&
	    !fuse_opt_add_arg(&args, "-osubtype=memplug,default_permissions,nosuid,nodev,noexec") &&
	    (geteuid() || !fuse_opt_add_arg(&args, "-oallow_other")))
		session = fuse_session_new(&args, &mount_ops, sizeof(mount_ops), NULL);
	fuse_opt_free_args(&args);
	return session;
}

/* ---- signals that end it ---- */

static struct fuse_session *ended_by_signal; /* NULL: nothing to end any more */

/*
 * The library's own handler only notes it. Where that comes between the look at the note and the wait for a
 * request, the wait would go on until there is one; so from now on nothing waits for requests.
 */
static void on_end(int signal)
{
	struct fuse_session *session = ended_by_signal;

	(void)signal;
	if (!session)
		return;
	fuse_session_exit(session);
	fcntl(fuse_session_fd(session), F_SETFL, O_NONBLOCK);
}

/* In the place of the library's. What is ignored stays so. */
static void catch_end(struct fuse_session *session)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction action = { .sa_handler = on_end }, before;
	size_t i;

	ended_by_signal = session;
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (!sigaction(signals[i], NULL, &before) && before.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

/*
 * One thread: nothing that it does waits, and with several each request wakes another one, while who
 * asked needs the CPU.
 */
static int serve(struct fuse_session *session)
{
	struct fuse_buf request = { 0 };
	int n = 1;

	while (n > 0 && !fuse_session_exited(session)) {
		n = fuse_session_receive_buf(session, &request);
		if (n == -EINTR)
			n = 1;
		else if (n > 0 && !fast_answer(session, &request))
			fuse_session_process_buf(session, &request);
	}
	/* What was closed before the end is still to be let go. */
	fuse_session_reset(session);
	fcntl(fuse_session_fd(session), F_SETFL, O_NONBLOCK);
	while (n >= 0 && fuse_session_receive_buf(session, &request) > 0)
		if (!fast_answer(session, &request))
			fuse_session_process_buf(session, &request);
	fuse_session_exit(session);
	free(request.mem);
	return n < 0 ? n : 0;
}

static int mount_at(const char *socket, const char *directory, bool json)
{
	struct fuse_session *session;
	int fd, ret = EXIT_NOTHING;

	link_set_path(socket);
	fd = link_connect();
	if (fd < 0) {
		complain("%s: no machine answers there", socket);
		return ret;
	}
	close(fd);
	if (!usable(directory))
		return ret;
	session = new_session(socket);
	if (!session || fuse_set_signal_handlers(session))
		goto session;
	/* It says itself what is wrong. */
	if (fuse_session_mount(session, directory))
		goto handlers;
	if (json)
		announce_json(socket, "mounted", directory, getpid());
	else
		printf("mounted %s at %s\n", socket, directory);
	fflush(stdout);
	catch_end(session);
	link_set_session(session);
	ret = notify_start(session) || serve(session) < 0 ? EXIT_NOTHING : EXIT_DONE;
	notify_end();
	fuse_session_unmount(session);
	notify_stop();
	waiting_stop();
	ended_by_signal = NULL;
handlers:
	fuse_remove_signal_handlers(session);
session:
	if (session)
		fuse_session_destroy(session);
	return ret;
}

static int mount_verb(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = { { "die-with-parent", no_argument, NULL, 'd' }, { 0 } };
	const char *socket;
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		if (c != 'd') {
			complain("%s: not understood; `memplug mount --help`", argv[optind - 1]);
			return EXIT_USAGE;
		}
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	}
	if (argc - optind < 1 || argc - optind > 2) {
		complain("which directory? `memplug mount --help`");
		return EXIT_USAGE;
	}
	if (argc - optind == 2)
		options->socket = argv[optind++];
	socket = client_find(options);
	c = mount_at(socket, argv[optind], options->json);
	fflush(stdout);
	/* At once: a signal may have cost the library the last close, whose memory nobody looks for any more. */
	_exit(c);
}

const struct verb verb_mount = {
	"mount", "[--die-with-parent] [SOCKET] DIR", "the machine's tree as a file system",
	"Shows the tree of a machine at DIR, as /sys, /proc and debugfs show a kernel's: DIR/sys/devices/system/memory, ...\n"
	"Ctrl-C, SIGTERM or `umount DIR` ends it. As root all users see it. When the machine ends, files answer\n"
	"\"Transport endpoint is not connected\" until one runs at the same socket again.\n"
	"  --die-with-parent  ends with the program that started it\n",
	mount_verb,
};
