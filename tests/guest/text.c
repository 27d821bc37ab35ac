// SPDX-License-Identifier: MIT
/* Small helpers around text that the other files share. No state. */
#include "guest.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lines_add(struct lines *lines, int number, const char *format, ...)
{
	va_list args;
	char *text;
	int length;

	if (lines->count == lines->room) {
		lines->room = lines->room ? 2 * lines->room : 64;
		lines->text = realloc(lines->text, lines->room * sizeof(*lines->text));
		lines->number = realloc(lines->number, lines->room * sizeof(*lines->number));
	}
	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0 || !lines->text || !lines->number)
		abort();
	/* The recorder of the traces strips the end of each line. */
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		text[--length] = 0;
	lines->text[lines->count] = text;
	lines->number[lines->count++] = number;
}

void lines_free(struct lines *lines)
{
	while (lines->count)
		free(lines->text[--lines->count]);
	free(lines->text);
	free(lines->number);
	*lines = (struct lines){0};
}

bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	switch (*end) {
	case 'G':
		return value << 30;
	case 'M':
		return value << 20;
	case 'K':
		return value << 10;
	}
	return value;
}

bool parse_long(const char *text, long *value)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 0);
	return end != text && !*end && !errno;
}

bool parse_int(const char *text, int *value)
{
	long wide;

	/* strtol() would pass over blanks. */
	if (isspace((unsigned char)*text) || !parse_long(text, &wide) || wide < INT_MIN ||
	    wide > INT_MAX)
		return false;
	*value = wide;
	return true;
}

bool parse_ulong(const char *text, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 0);
	return *text != '-' && !isspace((unsigned char)*text) && end != text && !*end && !errno;
}

int split(char *text, char **words, int max)
{
	char *rest, *word;
	int count = 0;

	for (word = strtok_r(text, " \t", &rest); word && count < max;
	     word = strtok_r(NULL, " \t", &rest))
		words[count++] = word;
	return count;
}

const char *result_text(int rc)
{
	static __thread char text[128];
	const char *name;

	if (!rc)
		return "ok";
	name = strerrorname_np(-rc);
	if (name)
		snprintf(text, sizeof(text), "-%s (%s)", name, strerror(-rc));
	else
		snprintf(text, sizeof(text), "-E%d (%s)", -rc, strerror(-rc));
	return text;
}
