// SPDX-License-Identifier: MIT
/*
 * Who waits for a write can be a shell that `timeout` ends, or a program that
 * handles the signal and wants to go on waiting (MAP-2). /proc tells which.
 */
#include "mount.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define BIT(signal) (UINT64_C(1) << ((signal) - 1))
/* Those whose default action does not end the process. */
#define HARMLESS (BIT(SIGCHLD) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGCONT) | BIT(SIGSTOP) | \
		  BIT(SIGTSTP) | BIT(SIGTTIN) | BIT(SIGTTOU))

bool signal_is_fatal(pid_t tid)
{
	uint64_t pending = 0, shared = 0, blocked = 0, ignored = 0, caught = 0;
	char path[40], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	file = fopen(path, "re");
	/* Not to be seen from here (another pid namespace): any signal ends it. */
	if (!file)
		return true;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "SigPnd: %" SCNx64, &pending);
		sscanf(line, "ShdPnd: %" SCNx64, &shared);
		sscanf(line, "SigBlk: %" SCNx64, &blocked);
		sscanf(line, "SigIgn: %" SCNx64, &ignored);
		sscanf(line, "SigCgt: %" SCNx64, &caught);
	}
	fclose(file);
	return (pending | shared) & ~blocked & ~ignored & ~caught & ~HARMLESS;
}
