/* SPDX-License-Identifier: MIT */
/* What the verbs of the command share: the connection, errors, options. */
#ifndef MEMPLUG_COMMAND_H
#define MEMPLUG_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* ---- sockets.c ---- */

/* Where machines of this user put their sockets; made if `make`. NULL with a message. */
const char *socket_directory(bool make);
/* Removes sockets there that nobody listens on: killed programs leave them. */
void sockets_tidy(const char *directory);

/* ---- client.c ---- */

/* The socket of the machine that is meant; when none answers the command ends with a message. */
const char *client_find(const struct options *options);
/* The exit code of a command that finds no machine. */
extern int client_failure;
/* The connection; one that cannot be made ends the command with a message. What the machine says of
 * itself: "memplug VERSION CONTRACT". */
const char *client_connect(const struct options *options);
/* One request and its answer, whose payload is `data` (`size` bytes and a NUL) until the next call. */
int64_t client_call(enum mp_packet_op op, int64_t value, const char *path, const char *data,
		    size_t count);
/* A whole file; free() it. NULL with errno. */
char *client_read(const char *path);
/* A write that Ctrl-C and the deadline cancel; -ETIMEDOUT for the latter. `tick` (or NULL) is called
 * four times a second meanwhile, and may read files that never wait. */
int64_t client_write(const char *path, const char *text, double deadline, void (*tick)(void));
/* The next news of a watch; false: the machine is gone, or Ctrl-C. */
bool client_news(struct mp_packet *head);
extern char *client_data;
extern size_t client_size;
/* The last answer goes on. */
extern bool client_more;

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
extern const struct verb verb_boot, verb_ls, verb_show, verb_online, verb_offline, verb_why, verb_add,
	verb_remove, verb_plan, verb_inject, verb_stats,
	verb_watch, verb_mount, verb_ns, verb_run;

/* ---- boot.c ---- */

/* With --json, the line of what serves or runs from now on: its socket, a path called `name` (unless NULL), its
 * process. Strings that are NULL are null. */
void announce_json(const char *socket, const char *name, const char *path, long pid);

/* ---- blocks.c ---- */

/* A line of /memplug/blocks. */
struct block {
	long id;
	char state[16];
	int nid;
	char zone[16]; /* "none": no single zone */
	bool offline;  /* its state is "offline" */
};
/* All blocks, ascending; free() `at`. */
struct blocks {
	struct block *at;
	long count;
	uint64_t size; /* of one */
};
/* 0 or -errno. */
int blocks_read(struct blocks *blocks);
/* The same, or the command ends with a message. */
void blocks_need(struct blocks *blocks);
/* Calls fn for the blocks of [from, to] until it is false, `missing` for the gaps. False: fn was. */
typedef bool (*block_fn)(struct block *block, void *arg);
typedef void (*missing_fn)(long from, long to, void *arg);
bool blocks_each(const struct blocks *blocks, long from, long to, block_fn fn, missing_fn missing,
		 void *arg);
/* The value of "NAME: VALUE" in a record of such lines, or NULL; free() it. */
char *field_of(const char *record, const char *name);
/* The record of the last refusal of a block (-1: of any), or NULL; free() it. */
char *reason_read(long block);
/* The text of the last refusal of a block, or NULL; free() it. `field` e.g. "text". */
char *reason_field(long block, const char *field);

/* ---- select.c: the words that name blocks; lists end with NULL ---- */

#define BLOCKS_HELP \
	"BLOCKS: 7, 3-6, 3,5-7. RANGE: 0x100000000-0x17fffffff, as lsmem prints them.\n"
/* Whether all of them can be understood; otherwise a message. */
bool words_check(const char *verb, char **words);
/* The sum of those that are sizes. */
uint64_t words_size(char **words);
/* Calls fn for each range of block numbers until it is false. Ends the command with a message when a
 * physical range is not whole blocks. */
typedef bool (*range_fn)(long from, long to, void *arg);
bool words_ranges(char **words, uint64_t block_size, range_fn fn, void *arg);
/* "512M"; false: no size, or 0. */
bool parse_size(const char *text, uint64_t *size);
bool parse_node(const char *text, int *nid);
/* Whether a block can have that zone: DMA, DMA32, Normal, Movable, in any case. */
bool zone_name(const char *text);

/* ---- state.c ---- */

/* Writes `text` to the block's state, with a line of progress on a terminal. 0 or -errno. */
int change_block(const struct options *options, long block, const char *text);
/* Says what became of it; `why` (may be NULL) is freed. */
void report_block(const struct options *options, long block, const char *to, int error, char *why);
/* "there is no such block", for the blocks of a range; with options->json as what became of the first. */
void no_such_blocks(const struct options *options, const char *to_state, long from, long to);

/* ---- paint.c ---- */

enum paint { PAINT_NONE, PAINT_GOOD, PAINT_BAD, PAINT_WARN, PAINT_BOLD };
/* The terminal's code for it; "" where there is no terminal or colours are not wanted. */
const char *paint(FILE *out, enum paint colour);
#define SIZE_TEXT 24
/* "128M" into buf, which holds SIZE_TEXT; returns it. */
const char *size_text(uint64_t bytes, char *buf);
#endif
