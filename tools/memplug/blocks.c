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

/* The next word of a line, cut off at `size`; *at goes behind it. */
static void take_word(char **at, char *word, size_t size)
{
	size_t length = strcspn(*at, " \n"), kept = length < size ? length : size - 1;

	memcpy(word, *at, kept);
	word[kept] = '\0';
	*at += length;
	if (**at == ' ')
		++*at;
}

/* "ID STATE NODE ZONE"; not scanf(), which is slow on a long text. False: not such a line. */
static bool parse_block(char *line, struct block *b)
{
	char *at;

	b->id = strtol(line, &at, 10);
	if (at == line || *at != ' ')
		return false;
	at++;
	take_word(&at, b->state, sizeof(b->state));
	b->nid = (int)strtol(at, &at, 10);
	if (*at == ' ')
		at++;
	take_word(&at, b->zone, sizeof(b->zone));
	b->offline = !strcmp(b->state, "offline");
	return *b->zone;
}

int blocks_read(struct blocks *blocks)
{
	char *text = client_read("/memplug/blocks"), *line;
	unsigned long long size;
	bool sorted = true;
	long room = 0;

	*blocks = (struct blocks){ 0 };
	if (!text)
		return -errno;
	if (strncmp(text, "block_size ", 11) || !(size = strtoull(text + 11, NULL, 10))) {
		free(text);
		return -EPROTO;
	}
	blocks->size = size;
	for (line = text; (line = strchr(line, '\n')); line++)
		room++;
	blocks->at = calloc((size_t)room + 1, sizeof(*blocks->at));
	for (line = strchr(text, '\n'); blocks->at && line && *++line; line = strchr(line, '\n')) {
		struct block *b = &blocks->at[blocks->count];

		if (!parse_block(line, b))
			continue;
		sorted &= !blocks->count || b[-1].id < b->id;
		blocks->count++;
	}
	free(text);
	if (!blocks->at)
		return -ENOMEM;
	if (!sorted)
		qsort(blocks->at, (size_t)blocks->count, sizeof(*blocks->at), by_id);
	return 0;
}

void blocks_need(struct blocks *blocks)
{
	int error = blocks_read(blocks);

	if (!error)
		return;
	complain("the machine cannot be read: %s", strerror(-error));
	exit(EXIT_NOTHING);
}

bool blocks_each(const struct blocks *blocks, long from, long to, block_fn fn, missing_fn missing,
		 void *arg)
{
	long low = 0, high = blocks->count, next = from;

	while (low < high) {
		long middle = (low + high) / 2;

		if (blocks->at[middle].id < from)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < blocks->count && blocks->at[low].id <= to; low++) {
		struct block *b = &blocks->at[low];

		if (b->id > next)
			missing(next, b->id - 1, arg);
		next = b->id + 1;
		if (!fn(b, arg))
			return false;
	}
	if (next <= to)
		missing(next, to, arg);
	return true;
}

/* ---- refusals ---- */

char *field_of(const char *record, const char *name)
{
	size_t length = strlen(name);

	while (record && *record && *record != '\n') {
		if (!strncmp(record, name, length) && !strncmp(record + length, ": ", 2)) {
			record += length + 2;
			return strndup(record, strcspn(record, "\n"));
		}
		record = strchr(record, '\n');
		if (record)
			record++;
	}
	return NULL;
}

/* The number behind "at_ns: ". */
static unsigned long long time_of(const char *record)
{
	char *text = field_of(record, "at_ns");
	unsigned long long ns = text ? strtoull(text, NULL, 10) : 0;

	free(text);
	return ns;
}

char *reason_read(long block)
{
	char *text = client_read("/memplug/reasons"), *at, *end, *best = NULL, *result, head[32];

	snprintf(head, sizeof(head), "block: %ld\n", block);
	for (at = text; at && *at; at = end ? end + 2 : NULL) {
		end = strstr(at, "\n\n");
		if (end)
			*end = '\0';
		if (block >= 0 ? !strncmp(at, head, strlen(head)) :
		    !best || time_of(at) > time_of(best))
			best = at;
	}
	result = best ? strdup(best) : NULL;
	free(text);
	return result;
}

char *reason_field(long block, const char *field)
{
	char *record = reason_read(block), *value = record ? field_of(record, field) : NULL;

	free(record);
	return value;
}
