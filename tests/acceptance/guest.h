/* SPDX-License-Identifier: MIT */
/* What the programs for `memplug run` share: they know nothing of memplug, say what is wrong, and go on until told. */
#ifndef TESTS_ACCEPTANCE_GUEST_H
#define TESTS_ACCEPTANCE_GUEST_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static int words = 1, until = -1; /* where they go; the input that is to end first, where blocks leave till then */

static inline void die(const char *what, long value)
{
	char byte;

	fflush(stdout);
	dprintf(words, "wrong: %s (%ld, errno %d)\n", what, value, errno);
	while (until >= 0 && read(until, &byte, 1) > 0)
		;
	_exit(1);
}
#define NEED(condition) ((condition) ? (void)0 : die(#condition, __LINE__))

static inline void say_ready(void)
{
	puts("ready");
	fflush(stdout);
}

static inline void wait_for_word(void)
{
	char byte;

	say_ready();
	NEED(read(0, &byte, 1) == 1);
}

/* Until standard input ends. */
static inline void await_end(void)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
}

#endif
