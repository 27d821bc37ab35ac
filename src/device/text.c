/* SPDX-License-Identifier: MIT */
/*
 * Formatting for attribute texts: bounded by a page, ranges and masks of bits,
 * and heap buffers for the files of /proc that are larger. No state.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <memplug/tree.h>
#include "device/text.h"
#include "os/os.h"

int page_printf(char *page, int at, const char *fmt, ...)
{
	int len, room = MP_ATTR_SIZE - at;
	va_list args;

	if (at < 0 || room <= 1)
		return 0;
	va_start(args, fmt);
	len = vsnprintf(page + at, (size_t)room, fmt, args);
	va_end(args);
	return min(len, room - 1);
}

static bool bit_set(const unsigned long *bits, int nr)
{
	return (READ_ONCE(bits[nr / BITS_PER_LONG]) >> (nr % BITS_PER_LONG)) & 1;
}

ssize_t page_print_list(char *page, const unsigned long *bits, int nr_bits)
{
	int first, last, len = 0;

	for (first = 0; first < nr_bits; first = last + 1) {
		last = first;
		if (!bit_set(bits, first))
			continue;
		while (last + 1 < nr_bits && bit_set(bits, last + 1))
			last++;
		len += page_printf(page, len, first == last ? "%s%d" : "%s%d-%d", len ? "," : "",
				   first, last);
	}
	return len + page_printf(page, len, "\n");
}

ssize_t page_print_mask(char *page, const unsigned long *bits, int nr_bits)
{
	int group, groups = max(DIV_ROUND_UP(nr_bits, 32), 1), len = 0;

	for (group = groups - 1; group >= 0; group--) {
		int width = group == groups - 1 && nr_bits % 32 ? DIV_ROUND_UP(nr_bits % 32, 4) : 8;
		u32 word = (u32)(READ_ONCE(bits[group / 2]) >> (group % 2 * 32));

		len += page_printf(page, len, "%0*x%s", width, word, group ? "," : "\n");
	}
	return len;
}

static bool text_room(struct text *text, size_t more)
{
	size_t size = text->size ? text->size : MP_ATTR_SIZE;
	char *start;

	if (text->failed)
		return false;
	while (size < text->len + more)
		size *= 2;
	if (size == text->size)
		return true;
	start = os_alloc(size);
	if (!start) {
		text->failed = true;
		return false;
	}
	if (text->len)
		memcpy(start, text->start, text->len);
	os_free(text->start);
	text->start = start;
	text->size = size;
	return true;
}

void text_printf(struct text *text, const char *fmt, ...)
{
	size_t room = text->failed ? 0 : text->size - text->len;
	va_list args, again;
	int len;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(room ? text->start + text->len : NULL, room, fmt, args);
	if (len > 0 && (size_t)len >= room) {
		/* It did not fit: once more, into a larger buffer. */
		if (text_room(text, (size_t)len + 1))
			vsnprintf(text->start + text->len, (size_t)len + 1, fmt, again);
		else
			len = 0;
	}
	text->len += (size_t)max(len, 0);
	va_end(again);
	va_end(args);
}

ssize_t text_take(struct text *text, char **start)
{
	ssize_t len = -ENOMEM;

	*start = NULL;
	/* An empty text gets a buffer, too: NULL means failure to the caller. */
	if (text_room(text, 1)) {
		*start = text->start;
		len = (ssize_t)text->len;
	} else {
		os_free(text->start);
	}
	*text = (struct text){ 0 };
	return len;
}
