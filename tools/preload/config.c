/* SPDX-License-Identifier: MIT */
/*
 * What `memplug run` was told, out of MEMPLUG_RUN: words "NAME=VALUE" with spaces
 * between them. Written once, before main(); read-only afterwards.
 */
#include "preload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memplug/runtime.h>

struct config config;

void say(const char *format, ...)
{
	char line[512] = "memplug: ";
	va_list args;
	int n;

	va_start(args, format);
	n = 9 + vsnprintf(line + 9, sizeof(line) - 10, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	mp_tell(line, (size_t)n);
}

static bool number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && end != text && !*end;
}

/* "0:2147483648:-1" */
static bool node(char *text)
{
	struct config_node *node = &config.node[config.nr_nodes];
	unsigned long long size;

	if (config.nr_nodes == MAX_NODES ||
	    sscanf(text, "%d:%llu:%d", &node->nid, &size, &node->host) != 3)
		return false;
	node->size = size;
	config.nr_nodes++;
	return true;
}

static bool copy(char *to, size_t size, const char *text)
{
	return snprintf(to, size, "%s", text) < (int)size;
}

static bool word(char *name)
{
	char *value = strchr(name, '=');
	uint64_t n = 0;

	if (!value)
		return false;
	*value++ = '\0';
	if (!strcmp(name, "memory"))
		return number(value, &config.memory);
	if (!strcmp(name, "block"))
		return number(value, &config.block);
	if (!strcmp(name, "online"))
		return number(value, &config.online);
	if (!strcmp(name, "backing"))
		return copy(config.backing, sizeof(config.backing), value);
	if (!strcmp(name, "only"))
		return copy(config.only, sizeof(config.only), value);
	if (!strcmp(name, "sockets"))
		return copy(config.sockets, sizeof(config.sockets), value);
	if (!strcmp(name, "node"))
		return node(value);
	if (!number(value, &n))
		return false;
	if (!strcmp(name, "auto"))
		config.automatic = n;
	else if (!strcmp(name, "pid"))
		config.first = (pid_t)n == getpid();
	return true;
}

bool config_read(void)
{
	const char *env = getenv("MEMPLUG_RUN");
	char text[1024], *rest = NULL, *at;

	if (!env)
		return true;
	if (!copy(text, sizeof(text), env))
		goto damaged;
	for (at = strtok_r(text, " ", &rest); at; at = strtok_r(NULL, " ", &rest))
		if (!word(at))
			goto damaged;
	if (!config.memory || !config.block || !config.nr_nodes)
		goto damaged;
	config.there = true;
	return true;
damaged:
	say("MEMPLUG_RUN is damaged; this program gets plain memory");
	return false;
}

static bool is_only(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, config.only);
}

/* By the name of the file, of the command (argv[0]), or of the script. */
bool config_wanted(void)
{
	char path[4096], *end;
	ssize_t n;
	FILE *comm;

	if (!config.there || !*config.only)
		return config.there;
	if (is_only(program_invocation_name))
		return true;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n > 0) {
		path[n] = '\0';
		if (is_only(path))
			return true;
	}
	comm = fopen("/proc/self/comm", "re");
	if (!comm)
		return false;
	end = fgets(path, sizeof(path), comm) ? strchr(path, '\n') : NULL;
	fclose(comm);
	if (!end)
		return false;
	*end = '\0';
	/* The kernel cuts it at 15 bytes. */
	return !strncmp(path, config.only, 15);
}
