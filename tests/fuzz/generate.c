/* SPDX-License-Identifier: MIT */
/* Inputs from a seed: words that nearly make sense, and changes to inputs that do. No state. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

uint64_t fuzz_next(struct fuzz_random *random)
{
	uint64_t x = random->state += 0x9e3779b97f4a7c15UL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebUL;
	return x ^ x >> 31;
}

size_t fuzz_below(struct fuzz_random *random, size_t below)
{
	return below ? fuzz_next(random) % below : 0;
}

static const char *const words[] = {
	"online", "offline", "online_kernel", "online_movable", "offlin", "onlinex", "ONLINE",
	"0", "1", "y", "n", "Y", "N", "on", "off", "auto", "true", "contig-zones", "auto-movable",
	"add", "remove", "change", "move", "bind", "add 12345678-1234-1234-1234-123456789012 A=b",
	"add 1", "memory0", "memory32", "cpu0", "node1", "deadline", "none", "load", "unload",
	"going-offline", "memory", "node", "cpu", "ram", "reserve", "backing", "distance", "=", "#",
	"4G 128M", "0x100000000 0x8000000 1", "4G 128M node 1", "8G 128M 1",
	"8G 256M 0 online_movable", "0x200000000 0x8000000", "4G 256M offline", "4736M 128M", "32", "32-35", "node 1", "movable",
	"memfd", "anonymous", "contract", "block", "linux-6.1", "%s%n", "../../", "/", ",", "-", "\n",
	" ", "\t", "\r\n", "\xff\xfe", "\xc3\x28", "\xf0\x9f\x98\x80", "\xe2\x80\xae", "\xed\xa0\x80",
};

/* Near a limit, where a sign, a size or a factor goes over. */
static uint64_t number(struct fuzz_random *random)
{
	static const uint64_t limits[] = {
		0, 1, 32, 100, 128, 254, 1024, 4095, 4096, 8192, 65536, 1UL << 20, 128UL << 20,
		1UL << 31, 1UL << 32, 4UL << 30, (4UL << 30) + (128UL << 20), 6UL << 30, 64UL << 30,
		1UL << 40, 1UL << 46, 1UL << 52, 1UL << 63, 0,
	};
	uint64_t value = limits[fuzz_below(random, sizeof(limits) / sizeof(*limits))];

	return value + fuzz_below(random, 5) - 2;
}

size_t fuzz_word(struct fuzz_random *random, char *word)
{
	static const char *const formats[] = { "%lu", "-%lu", "+%lu", "0x%lx", "0%lo", "%lu\n", " %lu",
					       "%luM", "0X%lX", "%lu-", "--%lu", "%lu.5", "1%020lu" };
	size_t which = fuzz_below(random, 2 * sizeof(words) / sizeof(*words));

	if (which < sizeof(words) / sizeof(*words))
		return (size_t)snprintf(word, 64, "%s", words[which]);
	which = fuzz_below(random, sizeof(formats) / sizeof(*formats));
	/* The formats are the constants above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return (size_t)snprintf(word, 64, formats[which], number(random));
#pragma GCC diagnostic pop
}

/* Replaces `cut` bytes at `at` by others. */
static size_t splice(uint8_t *data, size_t size, size_t room, size_t at, size_t cut, const void *with,
		     size_t length)
{
	if (size - cut + length > room)
		return size;
	memmove(data + at + length, data + at + cut, size - at - cut);
	memcpy(data + at, with, length);
	return size - cut + length;
}

static size_t change(struct fuzz_random *random, uint8_t *data, size_t size, size_t room)
{
	static uint8_t piece[FUZZ_MAX];
	size_t at = fuzz_below(random, size + 1), length = fuzz_below(random, size - at + 1);
	char word[64];

	switch (fuzz_below(random, 9)) {
	case 0: /* a bit */
		if (at < size)
			data[at] ^= (uint8_t)(1 << fuzz_below(random, 8));
		return size;
	case 1: /* a byte */
		if (at < size)
			data[at] = (uint8_t)fuzz_next(random);
		return size;
	case 2: /* a zero */
		return splice(data, size, room, at, 0, "", 1);
	case 3: /* a word between */
		length = fuzz_word(random, word);
		return splice(data, size, room, at, 0, word, length);
	case 4: /* a number instead of another */
		for (at = fuzz_below(random, size + 1); at < size; at++)
			if (data[at] >= '0' && data[at] <= '9')
				break;
		for (length = 0; at + length < size && data[at + length] >= '0' &&
				 data[at + length] <= '9'; length++)
			;
		return splice(data, size, room, at, length, word, fuzz_word(random, word));
	case 5: /* less */
		return splice(data, size, room, at, length, "", 0);
	case 6: /* a piece twice */
		memcpy(piece, data + at, length);
		return splice(data, size, room, at, 0, piece, length);
	case 7: /* the end is missing */
		return at;
	default: /* very long */
		if (fuzz_below(random, 8))
			return size;
		length = fuzz_below(random, 2) ? 4096 + fuzz_below(random, 3) - 1 : fuzz_below(random, room);
		memset(piece, at < size ? data[at] : 'x', length);
		return splice(data, size, room, at, 0, piece, length);
	}
}

size_t fuzz_mutate(struct fuzz_random *random, uint8_t *data, size_t size, size_t room)
{
	size_t times = 1 + fuzz_below(random, 8);

	while (times--)
		size = change(random, data, size, room);
	return size;
}

size_t fuzz_value(struct fuzz_random *random, const char *now, uint8_t *data, size_t room)
{
	size_t size, i;

	switch (fuzz_below(random, 8)) {
	case 0: /* what it says now */
		size = strlen(now) < room ? strlen(now) : room;
		memcpy(data, now, size);
		break;
	case 1: /* noise */
		size = fuzz_below(random, fuzz_below(random, 8) ? 32 : 4200);
		for (i = 0; i < size; i++)
			data[i] = (uint8_t)fuzz_next(random);
		return size;
	default:
		size = fuzz_word(random, (char *)data);
	}
	switch (fuzz_below(random, 4)) {
	case 0:
		return size;
	case 1:
		return splice(data, size, room, size, 0, "\n", 1);
	default:
		return fuzz_mutate(random, data, size, room);
	}
}
