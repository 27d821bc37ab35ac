/* SPDX-License-Identifier: MIT */
/*
 * Runs a scenario of the oracle on a memplug machine: what the program's files
 * share. One process is the machine, the emulator around it and the writer of
 * the trace; the scenario's shell reaches it through the mounted tree, a socket
 * and the trace's channel.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include "../guest/guest.h"

/* scenario.c: a scenario's file and its first lines, "# key: value" */
struct scenario {
	char name[64];
	char title[512];
	char machine[16];
	char mem[16], maxmem[16]; /* as written */
	int timeout; /* seconds */
	struct guest guest;
};
/* 0 or -errno. */
int scenario_read(struct scenario *scenario, const char *path);

/* files.c: /sys/kernel/debug/hptrace in the tree; 0 or -errno */
int files_add(void);

/* log.c: what Linux would have in its log */
void log_start(void);
/* All lines so far, as dmesg prints them. */
void log_show(struct lines *out);

/* control.c: insmod, rmmod, dmesg, uevents and processes for the scenario's shell; 0 or -errno */
int control_start(const char *socket_path);

/* host.c: the emulator's side of the channel; the trace goes to standard output. 0: complete;
 * 1: not; 77: cannot run here. `why` says it. */
int host_run(const struct scenario *scenario, int channel, char *why, size_t size);

#endif
