/* SPDX-License-Identifier: MIT */
/* Colours, on a terminal and unless NO_COLOR says no; sizes as people write them. */
#include "memplug.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool coloured(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no && *no) && term && strcmp(term, "dumb") && isatty(fileno(out));
}

const char *paint(FILE *out, enum paint colour)
{
	static const char *const codes[] = { "\033[0m", "\033[32m", "\033[31m", "\033[33m", "\033[1m" };

	return coloured(out) ? codes[colour] : "";
}

const char *size_text(uint64_t bytes, char *buf)
{
	static const char units[] = "BKMGTPE";
	int unit = 0;

	while (bytes >= 1024 && bytes % 1024 == 0 && units[unit + 1]) {
		bytes /= 1024;
		unit++;
	}
	snprintf(buf, SIZE_TEXT, unit ? "%" PRIu64 "%c" : "%" PRIu64, bytes, units[unit]);
	return buf;
}
