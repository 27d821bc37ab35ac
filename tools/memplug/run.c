/* SPDX-License-Identifier: MIT */
/* `memplug run`: any dynamically linked program, its malloc() on a machine of its own. */
#include "memplug.h"
#include "program.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIN_BLOCK ((uint64_t)2 << 20)
#define MAX_BLOCK ((uint64_t)128 << 20)
#define MAX_NODES 16
#define PRELOAD "libmemplug-preload.so"

/* As shells, env(1) and timeout(1) have them. */
enum { EXIT_REFUSED = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

struct node {
	int nid, host;
	uint64_t size; /* 0: an equal share */
};

struct run {
	uint64_t memory, block, online;
	const char *backing, *only;
	bool automatic;
	struct node node[MAX_NODES];
	unsigned int nr_nodes;
};

static uint64_t physical_memory(void)
{
	return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool whole_number(const char *text, long max, long *value, const char **end)
{
	char *stop;

	errno = 0;
	*value = strtol(text, &stop, 10);
	*end = stop;
	return !errno && stop != text && *value >= 0 && *value <= max;
}

/* N[:SIZE][@HOST] */
static bool take_node(struct run *run, const char *text)
{
	struct node *node = &run->node[run->nr_nodes];
	char size[32];
	const char *at;
	size_t length;
	long value;

	if (run->nr_nodes == MAX_NODES || !whole_number(text, 1023, &value, &at))
		return false;
	*node = (struct node){ .nid = (int)value, .host = -1 };
	for (unsigned int i = 0; i < run->nr_nodes; i++)
		if (run->node[i].nid == node->nid)
			return false;
	if (*at == ':') {
		length = strcspn(++at, "@");
		if (length >= sizeof(size))
			return false;
		memcpy(size, at, length);
		size[length] = '\0';
		if (!parse_size(size, &node->size) || !node->size)
			return false;
		at += length;
	}
	if (*at == '@') {
		if (!whole_number(at + 1, 1023, &value, &at))
			return false;
		node->host = (int)value;
	}
	run->nr_nodes++;
	return !*at;
}

/* Wrong in itself: a message, and false. */
static bool option(struct run *run, int c, const char *text)
{
	switch (c) {
	case 'm':
		if (parse_size(text, &run->memory) && run->memory >= MIN_BLOCK)
			return true;
		complain("--memory %s: not a size from 2M, like 4G", text);
		return false;
	case 'b':
		if (parse_size(text, &run->block) && run->block >= MIN_BLOCK &&
		    run->block <= (uint64_t)1 << 36 && !(run->block & (run->block - 1)))
			return true;
		complain("--block-size %s: not a power of two from 2M to 64G", text);
		return false;
	case 'i':
		if (parse_size(text, &run->online))
			return true;
		complain("--online %s: not a size, like 512M", text);
		return false;
	case 'n':
		if (take_node(run, text))
			return true;
		complain("--node %s: not N[:SIZE][@HOST-NODE], each N once", text);
		return false;
	case 'k':
		if (!strncmp(text, "hugetlb", 7))
			complain("--backing %s: a program's memory comes and goes in pieces of 64 KiB, no pages of 2 MiB; "
				 "memfd takes huge pages where the host allows them", text);
		else if (*text && strlen(text) < 16 && !strpbrk(text, " ="))
			run->backing = text;
		else
			complain("--backing %s: no such kind; `memplug run --help`", text);
		return run->backing;
	case 'o':
		if (*text && strlen(text) < 64 && !strpbrk(text, " =/"))
			run->only = text;
		else
			complain("--only %s: not the name of a program", text);
		return run->only;
	case 'a':
		run->automatic = true;
		return true;
	default:
		complain("%s: not understood, or without its value; `memplug run --help`", text);
		return false;
	}
}

/* Shares out what no node claims; all in whole blocks. */
static bool settle(struct run *run)
{
	uint64_t claimed = 0, total = 0;
	unsigned int i, open = 0;

	if (!run->nr_nodes)
		run->node[run->nr_nodes++] = (struct node){ .nid = 0, .host = -1 };
	for (i = 0; i < run->nr_nodes; i++) {
		claimed += run->node[i].size;
		open += !run->node[i].size;
	}
	if (!run->memory)
		run->memory = open ? physical_memory() : claimed;
	if (!run->block)
		for (run->block = MAX_BLOCK; run->block > MIN_BLOCK && run->block * 32 > run->memory;)
			run->block /= 2;
	for (i = 0; i < run->nr_nodes; i++) {
		struct node *node = &run->node[i];

		if (!node->size)
			node->size = claimed < run->memory ? (run->memory - claimed) / open : 0;
		node->size = (node->size + run->block - 1) & ~(run->block - 1);
		if (!node->size) {
			complain("--node %d: nothing of --memory is left for it", node->nid);
			return false;
		}
		total += node->size;
	}
	run->memory = total;
	return true;
}

/* ---- the environment that the program gets ---- */

/* In the tree of a build, or where it was installed. */
static bool find_preload(char *path, size_t size)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		snprintf(path, size, "%.*s/preload/" PRELOAD, (int)(slash - self), self);
		if (!access(path, R_OK))
			return true;
	}
	snprintf(path, size, MEMPLUG_LIBDIR "/memplug/" PRELOAD);
	if (!access(path, R_OK))
		return true;
	complain("%s: %s; install memplug, or build it with libjemalloc-dev", path, strerror(errno));
	return false;
}

static bool environment(const struct run *run, const char *sockets)
{
	char preload[1024], all[4096], text[1024];
	const char *before = getenv("LD_PRELOAD");
	size_t n;

	if (!find_preload(preload, sizeof(preload)))
		return false;
	if (snprintf(all, sizeof(all), "%s%s%s", preload, before && *before ? ":" : "",
		     before ? before : "") >= (int)sizeof(all)) {
		complain("LD_PRELOAD is too long");
		return false;
	}
	n = (size_t)snprintf(text, sizeof(text), "pid=%d memory=%llu block=%llu online=%llu sockets=%s auto=%d",
			     (int)getpid(), (unsigned long long)run->memory,
			     (unsigned long long)run->block, (unsigned long long)run->online, sockets,
			     run->automatic);
	if (run->backing)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " backing=%s", run->backing);
	if (run->only)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " only=%s", run->only);
	for (unsigned int i = 0; i < run->nr_nodes; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " node=%d:%llu:%d",
				      run->node[i].nid, (unsigned long long)run->node[i].size,
				      run->node[i].host);
	/* Python takes its small objects from mmap(), unless told to use malloc(). */
	return !setenv("LD_PRELOAD", all, 1) && !setenv("MEMPLUG_RUN", text, 1) &&
	       !setenv("PYTHONMALLOC", "malloc", 0);
}

/* The machine's socket, which will be there once the program runs; the process stays this one. */
static void announce_program(const struct run *run, const char *sockets, const char *program)
{
	const char *slash = strrchr(program, '/');
	char socket[128];

	snprintf(socket, sizeof(socket), "%s/%d", sockets, (int)getpid());
	program = slash ? slash + 1 : program;
	announce_json(run->only && strcmp(run->only, program) ? NULL : socket, NULL, NULL, getpid());
}

static int run_verb(struct options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "memory", required_argument, NULL, 'm' }, { "node", required_argument, NULL, 'n' },
		{ "backing", required_argument, NULL, 'k' }, { "block-size", required_argument, NULL, 'b' },
		{ "only", required_argument, NULL, 'o' }, { "online", required_argument, NULL, 'i' },
		{ "auto", no_argument, NULL, 'a' }, { 0 },
	};
	struct run run = { 0 };
	const char *sockets;
	char why[256];
	int c, error;

	optind = 1;
	while ((c = getopt_long(argc, argv, "+m:n:k:b:o:i:a", longs, NULL)) != -1)
		if (!option(&run, c, c == '?' ? argv[optind - 1] : optarg))
			return EXIT_REFUSED;
	if (options->socket) {
		complain("run takes no --socket: each program has its own, named by its process number");
		return EXIT_REFUSED;
	}
	if (optind >= argc) {
		complain("run needs a program; `memplug run --help`");
		return EXIT_REFUSED;
	}
	sockets = socket_directory(true);
	if (!sockets || !settle(&run))
		return EXIT_REFUSED;
	sockets_tidy(sockets);
	error = program_check(argv[optind], why, sizeof(why));
	if (error) {
		complain("%s", why);
		return error == -ENOENT ? EXIT_NOT_FOUND : error == -EACCES || error == -ENOEXEC ?
		       EXIT_CANNOT_RUN : EXIT_REFUSED;
	}
	if (!environment(&run, sockets))
		return EXIT_REFUSED;
	if (options->json)
		announce_program(&run, sockets, argv[optind]);
	execvp(argv[optind], argv + optind);
	error = errno;
	complain("%s: %s", argv[optind], strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

const struct verb verb_run = {
	"run", "[--memory SIZE] [OPTION]... [--] PROGRAM [ARGUMENT]...",
	"a program on memory that can be taken away",
	"What the program gets from malloc() lives on a machine of its own, in blocks that can leave and\n"
	"return while it runs: `memplug ls`, `memplug offline 3-6`, `memplug online 3-6`.\n"
	"  --memory SIZE      as much as it may have; block by block, as it needs them (what the host has)\n"
	"  --online SIZE      as much of it from the start (one block)\n"
	"  --block-size SIZE  of a block, a power of two (1/32 of --memory, from 2M to 128M)\n"
	"  --node N[:SIZE][@HOST]\n"
	"                     a node of the machine: SIZE of the memory (an equal share), which comes from\n"
	"                     node HOST of the host (any). The first one is filled first. May be repeated\n"
	"  --backing KIND     memfd, anonymous (memfd; anonymous where userfaultfd may not be used)\n"
	"  --only NAME        programs that it starts get plain memory, unless they have this name;\n"
	"                     else each gets a machine of its own\n"
	"  --auto             bring a block before it is needed, take one away when two were free for 10 s\n"
	"malloc() fails with ENOMEM when all of it is full. Static and set-user-id programs are refused.\n"
	"Exit code: the program's; 125 refused, 126 it cannot be run, 127 it is not found. See docs/run.md.\n",
	run_verb,
};
