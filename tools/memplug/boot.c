/* SPDX-License-Identifier: MIT */
/* `memplug boot`: a machine as a process of its own, served on a socket until SIGTERM or Ctrl-C. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memplug/machine.h>
#include <memplug/reason.h>

static int fail(const struct mp_desc *desc, const char *what, int error)
{
	complain("%s: %s", what, *mp_desc_error(desc) ? mp_desc_error(desc) : strerror(-error));
	return EXIT_USAGE;
}

static int describe(struct mp_desc *desc, int argc, char **argv, const char **mount)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "from", required_argument, NULL, 'f' },
		{ "set", required_argument, NULL, 's' }, { "mount", required_argument, NULL, 'm' },
		{ 0 },
	};
	bool any = false;
	int c, ret;

	optind = 1;
	while ((c = getopt_long(argc, argv, "+c:f:s:m:", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret = mp_desc_read_file(desc, optarg);
			any = true;
			break;
		case 'f':
			ret = mp_desc_read_sysfs(desc, optarg);
			any = true;
			break;
		case 's':
			ret = mp_desc_parse(desc, optarg, "--set");
			any |= !strchr(optarg, '=');
			break;
		case 'm':
			*mount = optarg;
			ret = 0;
			break;
		default:
			return EXIT_USAGE;
		}
		if (ret < 0)
			return fail(desc, optarg, ret);
	}
	if (optind < argc) {
		complain("%s: not understood; `memplug boot --help`", argv[optind]);
		return EXIT_USAGE;
	}
	if (any)
		return EXIT_DONE;
	/* Something to look at: boot memory on node 0, as much again to come on node 1. */
	ret = mp_desc_parse(desc, "node 0\nnode 1\ncpu 0 node 0\nram 0 1G node 0\n"
			    "offline 4G 1G node 1\n", "default machine");
	return ret < 0 ? fail(desc, "default machine", ret) : EXIT_DONE;
}

static void announce(const struct options *options, const char *socket, const char *mount)
{
	if (options->json) {
		printf("{\"socket\": ");
		json_string(socket);
		printf(", \"mounted\": ");
		json_string_or_null(mount);
		printf(", \"pid\": %d}\n", (int)getpid());
	} else {
		printf("booted; socket %s%s%s\n", socket, mount ? "; mounted at " : "",
		       mount ? mount : "");
	}
}

static int boot(struct options *options, int argc, char **argv)
{
	const char *directory = options->socket ? NULL : socket_directory(true);
	struct mp_desc *desc = mp_desc_new();
	const char *mount = NULL;
	char path[120] = "";
	pid_t child = -1;
	struct mp_reason reason;
	sigset_t signals;
	int ret, signal;

	if (!desc || (!options->socket && !directory))
		return EXIT_NOTHING;
	if (options->socket)
		ret = snprintf(path, sizeof(path), "%s", options->socket);
	else
		ret = snprintf(path, sizeof(path), "%s/%d", directory, (int)getpid());
	if (ret >= (int)sizeof(path)) {
		complain("%s: too long for a socket", options->socket);
		return EXIT_USAGE;
	}
	ret = describe(desc, argc, argv, &mount);
	if (ret)
		return ret;
	/* Before any thread is there, so that all have them blocked. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	ret = mp_boot(desc);
	mp_desc_free(desc);
	if (ret < 0) {
		complain("%s", mp_last_reason(&reason) ? strerror(-ret) : reason.text);
		return EXIT_NOTHING;
	}
	ret = mp_serve(path, 0);
	if (ret < 0) {
		complain("%s: cannot be served: %s", path, strerror(-ret));
		mp_shutdown();
		return EXIT_NOTHING;
	}
	if (mount) {
		child = mount_child_start(path, mount);
		if (child < 0) {
			mp_serve_stop();
			mp_shutdown();
			return EXIT_NOTHING;
		}
	}
	announce(options, path, mount);
	fflush(stdout);
	while (sigwait(&signals, &signal))
		;
	mount_child_stop(child);
	mp_serve_stop();
	ret = mp_shutdown();
	if (ret < 0)
		complain("%s", mp_last_reason(&reason) ? strerror(-ret) : reason.text);
	return ret < 0 ? EXIT_NOTHING : EXIT_DONE;
}

const struct verb verb_boot = {
	"boot", "[--config FILE | --from DIR] [--set STATEMENT]... [--mount DIR]", "a machine of its own, until SIGTERM",
	"  --config FILE    its description (see mp_boot(3))\n"
	"  --from DIR       like the machine whose sys/devices/system/memory lies below DIR; / is this host\n"
	"  --set STATEMENT  a line of a description: --set 'contract = linux-6.1', --set 'offline 8G 4G node 1'\n"
	"  --mount DIR      shows its tree at DIR: DIR/sys/devices/system/memory, ... (see mount)\n"
	"Without any of them: 1 GiB of memory online on node 0, 1 GiB offline on node 1.\n"
	"Prints the path of its socket when it runs. Ctrl-C or SIGTERM ends it.\n",
	boot,
};
