/* SPDX-License-Identifier: MIT */
/*
 * The replayer of the golden traces: what its files share. One trace is
 * replayed by one process, on one thread; a write that is to get a signal runs
 * on a second one, and the event log has a mutex for it.
 */
#ifndef REPLAY_H
#define REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lines of text, each with the number of the golden line it stands for. */
struct lines {
	char **text;
	int *number;
	int count, room;
};

/* parse.c */
struct trace {
	char name[64];
	struct lines lines; /* the whole file, comments and all */
	uint64_t mem, maxmem;
	int extra_nodes, cpus;
	char cmdline[512];
};

void lines_add(struct lines *lines, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void lines_free(struct lines *lines);
bool starts_with(const char *text, const char *prefix);
/* "128M" in bytes; 0 for nonsense. */
uint64_t parse_size(const char *text);
/* 0 or -errno. */
int trace_read(struct trace *trace, const char *path);
/* Splits at blanks, in place; the number of words, at most `max`. */
int split(char *text, char **words, int max);
bool parse_long(const char *text, long *value);
/* "ok", or "-ENAME (text)" for a negative errno, in a buffer of the caller's thread. */
const char *result_text(int rc);

/* machine.c */
int machine_boot(const struct trace *trace);
/* Node of the kernel for a node of the emulator: an unknown one is 0 (trace 49). */
int machine_node(int emulator_node);

/* dimm.c: memory devices as QEMU and ACPI handle them */
const char *dimm_request(char **words, int count);

/* vmem.c: a virtio-mem device of 2 GiB on node 1; 0 or -errno */
int vmem_load(void);
const char *vmem_request(const char *size_text);

/* hold.c: pages taken from the allocator by name */
bool pages_can_be_allocated(bool movable, int nid, unsigned long start, unsigned long nr);
int hold_pages(const char *name, int nid, unsigned long start, unsigned long nr, unsigned int count,
	       const char *kind);
enum hold_operation { HOLD_FREE, HOLD_UNREF, HOLD_REREF, HOLD_FORGET };
/* Number of pages concerned, or -ENOENT; *rc what the operation itself said. */
int hold_apply(const char *name, enum hold_operation operation, int *rc);

/* events.c: the log of events */
void log_event(char letter, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Moves the log to `out`. */
void log_flush(struct lines *out, int number);
/* A flag between threads, under the log's mutex. */
void log_set_done(bool *done);
bool log_is_done(const bool *done);
void uevents_start(void);
/* Whether uevents appear in the log, too. */
void uevents_log(bool on);
void uevents_flush(struct lines *out, int number);

/* hptrace.c: the notifiers and commands of the oracle's module; 0 or -errno */
int hptrace_command(const char *line);

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

/* process.c: P lines */
void process_command(struct lines *out, int number, const char *request);

/* write.c: W lines */
void replay_write(struct lines *out, int number, const char *line);

/* compare.c: 0 when equal; else prints the first differences, or all. */
int compare(const char *name, const struct lines *golden, const struct lines *got, bool all);

#endif
