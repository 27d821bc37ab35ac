/* SPDX-License-Identifier: MIT */
/* `memplug boot`: a machine as a process of its own, served on a socket until SIGTERM or Ctrl-C. */
#include "memplug.h"
#include "describe.h"
#include "json.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memplug/machine.h>
#include <memplug/reason.h>

void announce_json(const char *socket, const char *name, const char *path, long pid)
{
	printf("{\"socket\": ");
	json_string_or_null(socket);
	if (name) {
		printf(", \"%s\": ", name);
		json_string_or_null(path);
	}
	printf(", \"pid\": %ld}\n", pid);
	fflush(stdout);
}

static void announce(const struct options *options, const char *socket, const char *mount)
{
	if (options->json)
		announce_json(socket, "mounted", mount, getpid());
	else
		printf("booted; socket %s%s%s\n", socket, mount ? "; mounted at " : "",
		       mount ? mount : "");
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
	if (directory)
		sockets_tidy(directory);
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
	"boot", "[OPTIONS]", "a machine of its own, until SIGTERM",
	"Prints the path of its socket when it runs. Ctrl-C or SIGTERM ends it, and the socket is gone.\n"
	"  --config FILE          its description (see mp_boot(3)), or\n"
	"  --from DIR             like the machine whose sys/devices/system/memory lies below DIR; / is this host, or\n"
	"  --memory SIZE          so much memory online (1G),\n"
	"  --plug SIZE            so much offline, from 4 GiB on (0),\n"
	"  --nodes N, --cpus N    both in equal parts on so many nodes (1), CPUs likewise (1)\n"
	"Without any of them: 1 GiB of memory online on node 0, 1 GiB offline on node 1.\n"
	"  --mount DIR            shows its tree at DIR: DIR/sys/devices/system/memory, ... (see mount)\n"
	"  --set STATEMENT        a line of a description: --set 'offline 8G 4G node 1'\n"
	"The options of a description (mp_boot(3)):\n"
	"  --block SIZE, --max-phys SIZE, --contract document|linux-6.1,\n"
	"  --backing memfd|anonymous|hugetlb|hugetlb-1G, --commit lazy|populate, --overcommit yes|no,\n"
	"  --memhp-default-state offline|online|online_kernel|online_movable, --movable-node Y|N, --probe Y|N,\n"
	"  --online-policy contig-zones|auto-movable, --auto-movable-ratio N, --auto-movable-numa-aware Y|N,\n"
	"  --memmap-on-memory Y|N\n\n"
	"  memplug boot --memory 4G --plug 8G --nodes 2 --contract linux-6.1\n"
	"  memplug --socket /run/m boot --from / --mount /mnt\n",
	boot,
};
