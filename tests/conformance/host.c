// SPDX-License-Identifier: MIT
/*
 * The emulator's side of the scenario's channel: lines of the trace come, and
 * requests to the emulator, which are answered. Runs on the main thread only.
 */
#include "conformance.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXIT_SKIP 77

struct host {
	int channel;
	char line[65536];
	size_t length;
	char *why;
	size_t why_size;
	int result; /* -1: goes on */
};

static void print_head(const struct scenario *scenario)
{
	printf("# scenario: %s\n# title: %s\n# kernel: memplug, contract linux-6.1\n"
	       "# machine: %s mem=%s extra-nodes=%d smp=%d maxmem=%s\n",
	       scenario->name, scenario->title, scenario->machine, scenario->mem,
	       scenario->guest.extra_nodes, scenario->guest.cpus, scenario->maxmem);
	if (scenario->guest.cmdline[0])
		printf("# cmdline: %s\n", scenario->guest.cmdline);
	fflush(stdout);
}

static const char *request(char *text)
{
	char *words[8];
	int count = split(text, words, 8);

	if (!count)
		return "ERR unknown request";
	if (!strcmp(words[0], "vmem-size"))
		return count < 3 ? "ERR missing argument" : vmem_request(words[1], words[2]);
	if (!strcmp(words[0], "sleep") && count > 1) {
		usleep(strtoul(words[1], NULL, 10) * 1000);
		return "ok";
	}
	if (!strcmp(words[0], "time"))
		return "ok";
	return dimm_request(words, count);
}

static void end(struct host *host, int result, const char *why)
{
	host->result = result;
	snprintf(host->why, host->why_size, "%s", why);
}

/* The recorder of traces strips the end of each line. */
static void print_trace(char *text)
{
	size_t length = strlen(text);

	while (length && strchr(" \t\r\n\f\v", text[length - 1]))
		text[--length] = 0;
	puts(text);
	fflush(stdout);
}

static void take_line(struct host *host, char *line)
{
	if (starts_with(line, "T ")) {
		print_trace(line + 2);
	} else if (starts_with(line, "Q ")) {
		if (dprintf(host->channel, "%s\n", request(line + 2)) < 0)
			end(host, 1, strerror(errno));
	} else if (starts_with(line, "END")) {
		end(host, strcmp(line, "END 0") != 0, line + strlen("END") + (line[3] == ' '));
	} else if (starts_with(line, "SKIP ")) {
		end(host, EXIT_SKIP, line + strlen("SKIP "));
	} else if (starts_with(line, "ABORT")) {
		end(host, 1, line);
	}
}

static void take_bytes(struct host *host)
{
	char *from = host->line, *newline;
	ssize_t got;

	got = read(host->channel, host->line + host->length,
		   sizeof(host->line) - 1 - host->length);
	if (got <= 0) {
		end(host, 1, "the shell ended early");
		return;
	}
	host->length += got;
	host->line[host->length] = 0;
	while (host->result < 0 && (newline = strchr(from, '\n'))) {
		*newline = 0;
		take_line(host, from);
		from = newline + 1;
	}
	host->length -= from - host->line;
	memmove(host->line, from, host->length + 1);
	if (host->length == sizeof(host->line) - 1)
		end(host, 1, "a line without an end");
}

static long seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

int host_run(const struct scenario *scenario, int channel, char *why, size_t size)
{
	static struct host host;
	struct pollfd poll_channel = {.fd = channel, .events = POLLIN};
	long until = seconds_now() + scenario->timeout;

	host.channel = channel;
	host.why = why;
	host.why_size = size;
	host.result = -1;
	print_head(scenario);
	while (host.result < 0) {
		if (seconds_now() >= until)
			end(&host, 1, "timeout");
		else if (poll(&poll_channel, 1, 1000) > 0)
			take_bytes(&host);
	}
	if (host.result != EXIT_SKIP)
		printf("# end: %s\n", host.result ? why : "complete");
	fflush(stdout);
	return host.result;
}
