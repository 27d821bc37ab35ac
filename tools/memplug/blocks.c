/* SPDX-License-Identifier: MIT */
/* What the verbs read of a machine: its blocks, the reasons of refusals. */
#include "memplug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

long blocks_read(struct block **blocks, uint64_t *size)
{
	char *text = client_read("/memplug/blocks"), *line, *next;
	unsigned long long block_size;
	long count = 0;

	if (!text)
		return -errno;
	if (sscanf(text, "block_size %llu", &block_size) != 1) {
		free(text);
		return -EPROTO;
	}
	*size = block_size;
	for (line = text; (line = strchr(line, '\n')); line++)
		count++;
	*blocks = calloc((size_t)count + 1, sizeof(**blocks));
	if (!*blocks) {
		free(text);
		return -ENOMEM;
	}
	count = 0;
	for (line = strchr(text, '\n') + 1; *line; line = next) {
		struct block *b = &(*blocks)[count];

		/* sscanf() measures all of its text. */
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (sscanf(line, "%ld %15s %d %15s", &b->id, b->state, &b->nid, b->zone) == 4)
			count++;
	}
	free(text);
	qsort(*blocks, (size_t)count, sizeof(**blocks), by_id);
	return count;
}

char *reason_field(long block, const char *field)
{
	char *text = client_read("/memplug/reasons"), *at, *end, *value = NULL, head[32], key[40];

	if (!text)
		return NULL;
	snprintf(head, sizeof(head), "block: %ld\n", block);
	snprintf(key, sizeof(key), "\n%s: ", field);
	for (at = text; at && *at; at = end ? end + 2 : NULL) {
		end = strstr(at, "\n\n");
		if (end)
			*end = '\0';
		if (!strncmp(at, head, strlen(head)) && (at = strstr(at, key))) {
			at += strlen(key);
			value = strndup(at, strcspn(at, "\n"));
			break;
		}
	}
	free(text);
	return value;
}
