/* SPDX-License-Identifier: MIT */
/*
 * Which blocks the words of a command line mean: numbers (7, 3-6, 3,5-7, memory7), physical ranges as
 * lsmem prints them (0x100000000-0x17fffffff), sizes (512M, 4G).
 */
#include "memplug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool parse_size(const char *text, uint64_t *size)
{
	static const char units[] = "KMGTP";
	char *end;
	unsigned long long value = strtoull(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;

	if (*text < '0' || *text > '9' || !unit || (end[1] && strcmp(end + 1, "iB")) || !value)
		return false;
	*size = value << (10 * (unit - units + 1));
	return *size >> (10 * (unit - units + 1)) == value;
}

static bool is_physical(const char *word)
{
	return !strncmp(word, "0x", 2);
}

/* "0xSTART-0xEND", END inclusive; "0xSTART" is one block. */
static bool parse_physical(const char *word, uint64_t *start, uint64_t *end)
{
	char *at;

	errno = 0;
	*start = strtoull(word, &at, 16);
	*end = 0;
	if (at == word + 2 || errno)
		return false;
	if (!*at)
		return true;
	if (*at != '-' || !is_physical(at + 1))
		return false;
	word = at + 1;
	*end = strtoull(word, &at, 16);
	return at != word + 2 && !*at && !errno && *end > *start;
}

static long parse_number(const char *text, char **end)
{
	long number;

	if (!strncmp(text, "memory", 6))
		text += 6;
	errno = 0;
	number = strtol(text, end, 10);
	return *text < '0' || *text > '9' || errno ? -1 : number;
}

static bool parse_numbers(const char *text, range_fn fn, void *arg)
{
	char *end;

	for (;;) {
		long from = parse_number(text, &end), to = from;

		if (from < 0)
			return false;
		if (*end == '-') {
			to = parse_number(end + 1, &end);
			if (to < from)
				return false;
		}
		if ((*end && *end != ',') || (fn && !fn(from, to, arg)))
			return false;
		if (!*end)
			return true;
		text = end + 1;
	}
}

bool words_check(const char *verb, char **words)
{
	uint64_t start, end;

	for (; *words; words++) {
		if (is_physical(*words) ? parse_physical(*words, &start, &end) :
		    parse_size(*words, &start) || parse_numbers(*words, NULL, NULL))
			continue;
		complain("%s: neither block numbers (3-6), a physical range (0x100000000-0x17fffffff) nor a size (1G); `memplug %s --help`",
			 *words, verb);
		return false;
	}
	return true;
}

uint64_t words_size(char **words)
{
	uint64_t sum = 0, size;

	for (; *words; words++)
		if (!is_physical(*words) && parse_size(*words, &size))
			sum += size;
	return sum;
}

static bool physical_blocks(const char *word, uint64_t block, range_fn fn, void *arg)
{
	uint64_t start, end;

	parse_physical(word, &start, &end);
	if (!end)
		end = start + block - 1;
	if (start % block || (end + 1) % block) {
		complain("%s: not whole blocks of 0x%llx bytes; 0x%llx-0x%llx is", word,
			 (unsigned long long)block, (unsigned long long)(start / block * block),
			 (unsigned long long)((end / block + 1) * block - 1));
		exit(EXIT_USAGE);
	}
	return fn((long)(start / block), (long)(end / block), arg);
}

bool words_ranges(char **words, uint64_t block_size, range_fn fn, void *arg)
{
	uint64_t size;

	for (; *words; words++) {
		if (is_physical(*words)) {
			if (!physical_blocks(*words, block_size, fn, arg))
				return false;
		} else if (!parse_size(*words, &size) && !parse_numbers(*words, fn, arg)) {
			return false;
		}
	}
	return true;
}

bool parse_node(const char *text, int *nid)
{
	char *end;
	long value = strtol(text, &end, 10);

	*nid = (int)value;
	return *text >= '0' && *text <= '9' && !*end && value < 1024;
}

bool zone_name(const char *text)
{
	static const char *const names[] = { "DMA", "DMA32", "Normal", "Movable" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(text, names[i]))
			return true;
	return false;
}
