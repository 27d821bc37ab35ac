/* SPDX-License-Identifier: MIT */
/*
 * The replayer of the golden traces: what its files share. One trace is
 * replayed by one process, on one thread; a write that is to get a signal runs
 * on a second one, and the event log has a mutex for it.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include "../guest/guest.h"

/* parse.c */
struct trace {
	char name[64];
	struct lines lines; /* the whole file, comments and all */
	struct guest guest;
};
/* 0 or -errno. */
int trace_read(struct trace *trace, const char *path);

/* observe.c: the state of the machine as the guest's shell library prints it */
void observe_start(void);
char *read_text(const char *path); /* whole file, or NULL; to be freed */
const char *full_path(const char *path, char *buf, size_t size);
bool path_exists(const char *path);
void show_file(struct lines *out, int number, const char *path);
void show_block(struct lines *out, int number, const char *name);
void show_blocks(struct lines *out, int number);
void show_nodes(struct lines *out, int number);
void show_zones(struct lines *out, int number);
void show_iomem(struct lines *out, int number);

/* notes.c: remarks of the trace that are facts about the machine */
struct names {
	char name[64][64];
	int count;
};
void list_directory(const char *path, struct names *names);
/* Regenerates the note at trace line `i`; how many lines it covers, 0: not one of ours. */
int show_note(struct lines *out, struct lines *golden, const struct trace *trace, int i,
	      const char *last_path);


/* write.c: W lines */
void replay_write(struct lines *out, int number, const char *line);

/* compare.c: 0 when equal; else prints the first differences, or all. */
int compare(const char *name, const struct lines *golden, const struct lines *got, bool all);

#endif
