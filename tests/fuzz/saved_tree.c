/* SPDX-License-Identifier: MIT */
/*
 * Fuzzes the reader of saved trees. Input: lines "PATH=TEXT" (a file, \n in TEXT is a newline), "PATH/" (a
 * directory), "PATH|" (a pipe), made in a directory that is removed again.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES 400

static char root[] = "/dev/shm/memplug-fuzz-XXXXXX";

static int take_away(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* Only below the root: no "..", and no path that begins with "/". */
static bool path_ok(const char *path)
{
	return *path && *path != '/' && !strstr(path, "..") && strlen(path) < 200;
}

static void make_parents(char *path)
{
	char *slash = path + strlen(root) + 1;

	while ((slash = strchr(slash, '/'))) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash++ = '/';
	}
}

static void make_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "wx");

	if (!file)
		return;
	for (; *text; text++) {
		if (text[0] == '\\' && text[1] == 'n') {
			fputc('\n', file);
			text++;
		} else {
			fputc(*text, file);
		}
	}
	fclose(file);
}

static void make_line(char *line)
{
	char path[512], *equals = strchr(line, '=');
	size_t length = strlen(line);

	if (equals)
		*equals = '\0';
	if (!path_ok(line))
		return;
	snprintf(path, sizeof(path), "%s/%s", root, line);
	make_parents(path);
	if (equals)
		make_file(path, equals + 1);
	else if (line[length - 1] == '/')
		mkdir(path, 0700);
	else if (line[length - 1] == '|')
		mkfifo(path, 0600);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mp_desc *desc = mp_desc_new();
	char text[FUZZ_MAX + 1], *line, *next = text;
	int ret, n = 0;

	if (size > FUZZ_MAX)
		size = FUZZ_MAX;
	memcpy(text, data, size);
	text[size] = '\0';
	strcpy(root + strlen(root) - 6, "XXXXXX");
	if (!mkdtemp(root))
		fuzz_fail("mkdtemp: %s", strerror(errno));
	while ((line = strsep(&next, "\n")) && n++ < LINES)
		make_line(line);
	fuzz_hooks(true);
	ret = mp_desc_read_sysfs(desc, root);
	if (ret > 0)
		fuzz_fail("mp_desc_read_sysfs gave %d", ret);
	if (ret && !*mp_desc_error(desc))
		fuzz_fail("error %d without a text", ret);
	nftw(root, take_away, 16, FTW_DEPTH | FTW_PHYS);
	if (!ret)
		machine_try(desc);
	mp_desc_free(desc);
	return 0;
}
