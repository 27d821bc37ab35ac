// SPDX-License-Identifier: MIT
/*
 * Reading a trace: its lines and its head, which describes the machine. No
 * state.
 */
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_head(struct trace *trace, const char *line)
{
	char mem[32], maxmem[32];

	if (sscanf(line, "# scenario: %63s", trace->name) == 1)
		return;
	if (starts_with(line, "# cmdline: "))
		snprintf(trace->guest.cmdline, sizeof(trace->guest.cmdline), "%s",
			 line + strlen("# cmdline: "));
	if (sscanf(line, "# machine: q35 mem=%31s extra-nodes=%d smp=%d maxmem=%31s", mem,
		   &trace->guest.extra_nodes, &trace->guest.cpus, maxmem) == 4) {
		trace->guest.mem = parse_size(mem);
		trace->guest.maxmem = parse_size(maxmem);
	}
}

int trace_read(struct trace *trace, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	trace->guest.slots = 8;
	/* A head does not name the device; whoever loads its driver has this one. */
	strcpy(trace->guest.vmem.id, "vmem0");
	trace->guest.vmem.size = 2ull << 30;
	trace->guest.vmem.node = 1;
	while (getline(&line, &size, file) > 0) {
		lines_add(&trace->lines, trace->lines.count + 1, "%s", line);
		read_head(trace, trace->lines.text[trace->lines.count - 1]);
	}
	free(line);
	fclose(file);
	return trace->guest.mem && trace->name[0] ? 0 : -EINVAL;
}
