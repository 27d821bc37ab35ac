/* SPDX-License-Identifier: MIT */
/* `memplug ns`: what its files share. docs/tools.md says what COMMAND meets. */
#ifndef MEMPLUG_COMMAND_NS_H
#define MEMPLUG_COMMAND_NS_H

#include "memplug.h"

#include <limits.h>
#include <sys/types.h>

enum { EXIT_OWN = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

struct ns {
	/* Where machines have their sockets; in the namespaces it holds socket, tree/, bin/, real/. */
	char directory[128];
	char socket[160];   /* the machine's, as seen from inside */
	char machine[PATH_MAX]; /* and from outside */
	char program[PATH_MAX]; /* this one */
	int life;	    /* read end of a pipe that closes when the outer process is gone */
	int status;	    /* write end: COMMAND's wait status, an int */
	char **command;
	bool json;	    /* say where it runs before it does */
	char *shell[2];	    /* the command when none was named */
	char cwd[PATH_MAX]; /* or "" */
};

/* Says "ns: " and why, with errno's text; -1. */
int ns_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* directory + "/" + name in a buffer that the next four calls leave alone. */
const char *ns_path(const struct ns *ns, const char *name);

/* ---- ns_init.c ---- */

/* The life of the first process inside: never returns. */
void ns_init(struct ns *ns) __attribute__((noreturn));

/* ---- ns_mounts.c ---- */

/* /proc, the machine's socket and an empty tree/; 0 or -1 with a message. */
int ns_mount_base(struct ns *ns);
/* The tree, served by now, over the host's own files; the stand-ins. 0 or -1 with a message. */
int ns_mount_tree(struct ns *ns);

/* ---- ns_uevents.c ---- */

/* Brings lo up. */
void ns_net_up(void);
/* Tells of the machine's uevents until it is gone; closes `ready` when it listens. */
int ns_relay(const struct ns *ns, int ready);

/* ---- ns_standin.c ---- */

/* Plays the program that argv[0] names; its exit code. */
int ns_standin(int argc, char **argv);
#endif
