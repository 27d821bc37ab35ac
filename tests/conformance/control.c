// SPDX-License-Identifier: MIT
/*
 * A socket for what the scenario's shell cannot do through the tree. A client
 * sends one line of words; the answer is lines, the last of them "exit N". A
 * process that owns memory is a connection: it lives until the client closes
 * it. One thread per connection; the table of modules is under its mutex.
 */
#include "conformance.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <memplug/reason.h>
#include <memplug/tree.h>

/* --------------------------------------------------------------- modules */

/* In the order in which they need each other. */
static struct module {
	const char *name, *needs;
	bool loaded;
} modules[] = {
	{.name = "notifier-error-inject"},
	{.name = "memory-notifier-error-inject", .needs = "notifier-error-inject"},
	{.name = "virtio_ring"},
	{.name = "virtio"},
	{.name = "virtio_pci_legacy_dev"},
	{.name = "virtio_pci_modern_dev"},
	{.name = "virtio_pci", .needs = "virtio"},
	{.name = "virtio_mem", .needs = "virtio"},
	{.name = "hwpoison-inject"},
};
static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;

#define MODULES (sizeof(modules) / sizeof(modules[0]))

/* "/lib/mods/virtio_mem.ko" and "virtio-mem" are the same. */
static bool same_module(const char *name, const char *text)
{
	const char *base = strrchr(text, '/');

	for (text = base ? base + 1 : text; *name && *text; name++, text++)
		if (*name != *text && !(strchr("-_", *name) && strchr("-_", *text)))
			return false;
	return !*name && (!*text || !strcmp(text, ".ko"));
}

static struct module *find_module(const char *text)
{
	size_t i;

	for (i = 0; text && i < MODULES; i++)
		if (same_module(modules[i].name, text))
			return &modules[i];
	return NULL;
}

static int load(struct module *module, const char *argument)
{
	struct module *needed;
	int priority = 0, rc = 0;

	if (!module)
		return -ENOENT;
	if (module->loaded)
		return -EEXIST;
	needed = find_module(module->needs);
	if (needed && !needed->loaded)
		return -ENOENT;
	if (!strcmp(module->name, "memory-notifier-error-inject")) {
		if (starts_with(argument, "priority=") &&
		    !parse_int(argument + strlen("priority="), &priority))
			return -EINVAL;
		rc = mp_inject_load(priority);
	} else if (!strcmp(module->name, "virtio_mem")) {
		rc = vmem_load();
	}
	module->loaded = !rc;
	return rc;
}

static int unload(struct module *module)
{
	size_t i;

	if (!module || !module->loaded)
		return -ENOENT;
	for (i = 0; i < MODULES; i++)
		if (modules[i].loaded && find_module(modules[i].needs) == module)
			return -EBUSY;
	if (!strcmp(module->name, "memory-notifier-error-inject"))
		mp_inject_unload();
	module->loaded = false;
	return 0;
}

/* modprobe [-q] [-r] NAME [ARGUMENT]: with those that it needs, and without a word if it is there. */
static int modprobe(char **words, int count)
{
	struct module *module, *needed;
	bool away = false;
	int i, rc;

	for (i = 0; i < count && words[i][0] == '-'; i++)
		away |= strchr(words[i], 'r') != NULL;
	module = find_module(i < count ? words[i] : NULL);
	if (!module)
		return -ENOENT;
	needed = find_module(module->needs);
	if (!away) {
		if (needed)
			load(needed, "");
		rc = load(module, i + 1 < count ? words[i + 1] : "");
		return rc == -EEXIST ? 0 : rc;
	}
	rc = unload(module);
	if (!rc && needed)
		unload(needed);
	return rc;
}

static int run_module(char **words, int count)
{
	int rc;

	pthread_mutex_lock(&modules_lock);
	if (!strcmp(words[0], "modprobe"))
		rc = modprobe(words + 1, count - 1);
	else if (!strcmp(words[0], "rmmod"))
		rc = unload(find_module(count > 1 ? words[1] : NULL));
	else
		rc = load(find_module(count > 1 ? words[1] : NULL), count > 2 ? words[2] : "");
	pthread_mutex_unlock(&modules_lock);
	return rc;
}

/* ------------------------------------------------------------ connections */

static void answer_lines(FILE *stream, struct lines *lines)
{
	int i;

	for (i = 0; i < lines->count; i++)
		fprintf(stream, "%s\n", lines->text[i]);
	lines_free(lines);
}

/* Its standard input and output are the connection. */
static int run_process(FILE *stream, char **words, int count)
{
	char reply[256], *line = NULL, *command[8];
	struct process *process;
	size_t size = 0;
	bool alive;

	process = process_start(words + 1, count - 1, reply, sizeof(reply));
	alive = process != NULL;
	fprintf(stream, "%s\n", reply);
	while (alive && !fflush(stream) && getline(&line, &size, stream) > 0) {
		line[strcspn(line, "\n")] = 0;
		alive = process_command(process, command, split(line, command, 8), reply,
					sizeof(reply));
		if (alive)
			fprintf(stream, "%s\n", reply);
	}
	free(line);
	if (process)
		process_end(process);
	return process ? 0 : 1;
}

/* The errno of the last refusal at a file of a block, or 0. */
static int last_refusal(const char *path)
{
	struct mp_reason reason;
	long block;

	if (sscanf(path, "/sys/devices/system/memory/memory%ld/", &block) != 1 ||
	    mp_block_reason(block, &reason))
		return 0;
	return reason.error;
}

static int run_line(FILE *stream, char *line)
{
	struct lines lines = {0};
	char *words[16];
	int count = split(line, words, 16), rc, i;

	if (!count)
		return 2;
	if (!strcmp(words[0], "mem"))
		return run_process(stream, words, count);
	if (!strcmp(words[0], "dmesg")) {
		log_show(&lines);
	} else if (!strcmp(words[0], "uevd") || !strcmp(words[0], "ue")) {
		uevents_flush(&lines, 0);
		if (!strcmp(words[0], "uevd"))
			lines_free(&lines);
		/* The shell's library puts the letter of the record before it. */
		for (i = 0; i < lines.count; i++)
			memmove(lines.text[i], lines.text[i] + 2, strlen(lines.text[i]) - 1);
	} else if (!strcmp(words[0], "refusal")) {
		fprintf(stream, "%d\n", last_refusal(count > 1 ? words[1] : ""));
	} else {
		rc = run_module(words, count);
		if (rc && (count < 2 || strcmp(words[1], "-q")))
			fprintf(stream, "%s: %s\n", words[0], strerror(-rc));
		return rc ? 1 : 0;
	}
	answer_lines(stream, &lines);
	return 0;
}

static void *serve_one(void *arg)
{
	FILE *stream = fdopen((int)(intptr_t)arg, "r+");
	char *line = NULL;
	size_t size = 0;

	if (!stream)
		return NULL;
	if (getline(&line, &size, stream) > 0) {
		line[strcspn(line, "\n")] = 0;
		fprintf(stream, "exit %d\n", run_line(stream, line));
	}
	free(line);
	fclose(stream);
	return NULL;
}

static void *serve_all(void *arg)
{
	int listener = (int)(intptr_t)arg, fd;
	pthread_t thread;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (pthread_create(&thread, NULL, serve_one, (void *)(intptr_t)fd))
			close(fd);
		else
			pthread_detach(thread);
	}
	return NULL;
}

int control_start(const char *socket_path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pthread_t thread;

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16))
		return -errno;
	return -pthread_create(&thread, NULL, serve_all, (void *)(intptr_t)fd);
}
