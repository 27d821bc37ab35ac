/* SPDX-License-Identifier: MIT */
/* What the verbs of the command share: the connection, errors, options. */
#ifndef MEMPLUG_COMMAND_H
#define MEMPLUG_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <memplug/serve.h>
#include <memplug/tree.h>

/* Exit codes, as chmem's. */
enum { EXIT_DONE = 0, EXIT_NOTHING = 1, EXIT_USAGE = 2, EXIT_SOME = 64 };

struct options {
	const char *socket; /* or NULL: the only machine that runs */
	bool json;
	double deadline; /* seconds, 0: none */
};

/* ---- client.c ---- */

/* Where machines of this user put their sockets; made if `make`. NULL with a message. */
const char *socket_directory(bool make);
/* The socket of the machine that is meant; when none answers the command ends with a message. */
const char *client_find(const struct options *options);
/* The exit code of a command that finds no machine. */
extern int client_failure;
/* The connection; one that cannot be made ends the command with a message. */
void client_connect(const struct options *options);
/* One request and its answer, whose payload is `data` (`size` bytes and a NUL) until the next call. */
int64_t client_call(enum mp_packet_op op, int64_t value, const char *path, const char *data,
		    size_t count);
/* A whole file; free() it. NULL with errno. */
char *client_read(const char *path);
/* A write that Ctrl-C and the deadline cancel; -ETIMEDOUT for the latter. */
int64_t client_write(const char *path, const char *text, double deadline);
/* The next news of a watch; false: the machine is gone, or Ctrl-C. */
bool client_news(struct mp_packet *head);
extern char *client_data;
extern size_t client_size;

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- mount_child.c ---- */

/* Mounts what is served at `socket`; -1 with a message. */
pid_t mount_child_start(const char *socket, const char *directory);
/* Unmounts. Accepts -1. */
void mount_child_stop(pid_t pid);

/* ---- the verbs: argc and argv begin with the verb; the exit code ---- */

struct verb {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;
	const char *help;
	int (*run)(struct options *options, int argc, char **argv);
};
extern const struct verb verb_boot, verb_ls, verb_show, verb_online, verb_offline, verb_why,
	verb_watch, verb_mount, verb_ns;

/* A line of /memplug/blocks. */
struct block {
	long id;
	char state[16];
	int nid;
	char zone[16];
};
/* All blocks, ascending, and the size of one; free() them. The number, or -errno. */
long blocks_read(struct block **blocks, uint64_t *size);
/* The text of the last refusal of a block, or NULL; free() it. `field` e.g. "text". */
char *reason_field(long block, const char *field);
#endif
