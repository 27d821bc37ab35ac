/* SPDX-License-Identifier: MIT */
/*
 * Reading the texts that are written to attributes: booleans, numbers, words.
 * Numbers are decimal, 0x hexadecimal or 0 octal, with one newline allowed
 * behind them. No state.
 */
#include <limits.h>
#include <string.h>
#include <linux/errno.h>
#include "device/bus.h"

int parse_bool(const char *s, bool *value)
{
	switch (s[0]) {
	case 'y': case 'Y': case 't': case 'T': case '1':
		*value = true;
		return 0;
	case 'n': case 'N': case 'f': case 'F': case '0':
		*value = false;
		return 0;
	case 'o': case 'O':
		if (s[1] != 'n' && s[1] != 'N' && s[1] != 'f' && s[1] != 'F')
			return -EINVAL;
		*value = s[1] == 'n' || s[1] == 'N';
		return 0;
	default:
		return -EINVAL;
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return INT_MAX;
}

/* Digits only, no sign. Too large is found before junk behind the digits is. */
static int parse_digits(const char *s, u64 *value)
{
	bool overflow = false;
	const char *first;
	int base = 10;
	u64 sum = 0;

	if (s[0] == '0') {
		base = 8;
		if ((s[1] == 'x' || s[1] == 'X') && digit(s[2]) < 16) {
			base = 16;
			s += 2;
		}
	}
	for (first = s; digit(*s) < base; s++)
		overflow |= __builtin_mul_overflow(sum, (u64)base, &sum) ||
			    __builtin_add_overflow(sum, (u64)digit(*s), &sum);
	if (s == first)
		return -EINVAL;
	if (overflow)
		return -ERANGE;
	if (*s == '\n')
		s++;
	if (*s)
		return -EINVAL;
	*value = sum;
	return 0;
}

int parse_u64(const char *s, u64 *value)
{
	return parse_digits(s[0] == '+' ? s + 1 : s, value);
}

int parse_s64(const char *s, s64 *value)
{
	bool negative = s[0] == '-';
	u64 size;
	int error = negative ? parse_digits(s + 1, &size) : parse_u64(s, &size);

	if (error)
		return error;
	if (size > (u64)INT64_MAX + negative)
		return -ERANGE;
	*value = negative ? (s64)(0 - size) : (s64)size;
	return 0;
}

int parse_u32(const char *s, u32 *value)
{
	u64 large;
	int error = parse_u64(s, &large);

	if (error)
		return error;
	if (large > UINT32_MAX)
		return -ERANGE;
	*value = (u32)large;
	return 0;
}

bool sysfs_streq(const char *a, const char *word)
{
	size_t len = strlen(word);

	return !strncmp(a, word, len) && (!a[len] || (a[len] == '\n' && !a[len + 1]));
}
