/* SPDX-License-Identifier: MIT */
/*
 * A memplug machine in the place of the oracle's guest: its memory devices, the
 * commands of the oracle's kernel module, processes that own memory, the log of
 * events. tests/replay drives it with a recorded trace, tests/conformance with
 * the scenario itself.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- text.c ---- */

/* Lines of text, each with the number of the golden line it stands for. */
struct lines {
	char **text;
	int *number;
	int count, room;
};
void lines_add(struct lines *lines, int number, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void lines_free(struct lines *lines);
bool starts_with(const char *text, const char *prefix);
/* "128M" in bytes; 0 for nonsense. */
uint64_t parse_size(const char *text);
/* Splits at blanks, in place; the number of words, at most `max`. */
int split(char *text, char **words, int max);
bool parse_long(const char *text, long *value);
/* As kstrtoint() and kstrtoul() take them. */
bool parse_int(const char *text, int *value);
bool parse_ulong(const char *text, unsigned long *value);
/* "ok", or "-ENAME (text)" for a negative errno, in a buffer of the caller's thread. */
const char *result_text(int rc);

/* ---- boot.c ---- */

/* The emulator's machine, as a scenario's first lines or a trace's head describe it. */
struct guest {
	uint64_t mem, maxmem;
	int slots;
	int extra_nodes, cpus;
	char cmdline[512];
	/* A paravirtual memory device, if size is not 0. */
	struct {
		char id[24];
		uint64_t size, requested;
		int node;
	} vmem;
};
/* 0 or -errno, with a line on standard error. */
int guest_boot(const struct guest *guest);
/* Node of the kernel for a node of the emulator: an unknown one is 0 (trace 49). */
int guest_node(int emulator_node);
/* Page descriptors of memory that comes, [start, start + size), live in memory that is there
 * already: taken before it comes, given back when it did not come or is gone. */
void descriptors_take(int nid, uint64_t start, uint64_t size);
void descriptors_give(uint64_t start, uint64_t size);

/* ---- dimm.c: memory devices as QEMU and ACPI handle them ---- */

void dimm_setup(const struct guest *guest);
/* A request in words, changed in place; the reply lives until the next call. */
const char *dimm_request(char **words, int count);

/* ---- vmem.c: the virtio-mem device and its driver ---- */

void vmem_setup(const struct guest *guest);
int vmem_load(void); /* 0 or -errno */
const char *vmem_request(const char *id, const char *size_text);

/* ---- hold.c: pages taken from the allocator by name ---- */

bool pages_can_be_allocated(bool movable, int nid, unsigned long start, unsigned long nr);
/* 0 or -errno. */
int hold_pages(const char *name, int nid, unsigned long start, unsigned long nr, unsigned int count,
	       const char *kind);
enum hold_operation { HOLD_FREE, HOLD_UNREF, HOLD_REREF, HOLD_FORGET };
/* Number of pages concerned, or -ENOENT; *rc what the operation itself said. */
int hold_apply(const char *name, enum hold_operation operation, int *rc);

/* ---- events.c: the log of events ---- */

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

/* ---- hptrace.c: the notifiers and commands of the oracle's module ---- */

/* 0 or -errno. */
int hptrace_command(const char *line);

/* ---- owner.c: processes that own memory ---- */

struct process;
/* `words`: NODE MB [FLAG...]. NULL if it could not start; the first line that it prints. */
struct process *process_start(char **words, int count, char *reply, size_t size);
/* One line of its standard input in words; false: it ends. */
bool process_command(struct process *process, char **words, int count, char *reply, size_t size);
void process_end(struct process *process);

#endif
