/* SPDX-License-Identifier: MIT */
/*
 * An unmodified program for `memplug run` that gets less than it wants: of memory, of the host's mappings. It checks
 * what it keeps. `run_short WHAT`: prints "fine", or what is wrong.
 */
#include "records.h"

#include <string.h>
#include <sys/mman.h>

/* ---- the limit: NULL, then all of it again ---- */

static size_t fill_up(size_t piece, void **list, size_t max)
{
	size_t n = 0;

	errno = 0;
	while (n < max && (list[n] = malloc(piece))) {
		memset(list[n], (int)n, piece);
		n++;
	}
	NEED(n < max && errno == ENOMEM);
	return n;
}

static void limit(size_t piece)
{
	size_t max = ((size_t)1 << 30) / piece, n, again, i, j;
	void **list = mmap(NULL, max * sizeof(*list), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(list != MAP_FAILED);
	n = fill_up(piece, list, max);
	printf("%zu bytes\n", n * piece);
	for (i = 0; i < n; i++) {
		for (j = 0; j < piece; j += 509)
			NEED(((unsigned char *)list[i])[j] == (unsigned char)i);
		free(list[i]);
	}
	again = fill_up(piece, list, max);
	NEED(again + again / 8 >= n);
	for (i = 0; i < again; i++)
		free(list[i]);
}

/* ---- as many mappings as the host allows; then what malloc() still gives must be right ---- */

static void mappings(void)
{
	size_t length = (size_t)600000 * 2 * 4096, n = 0, had = 0;
	static struct record *more[MANY];
	char *hoard = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	NEED(hoard != MAP_FAILED);
	for (uint64_t i = 0; i < MANY; i++)
		NEED(many[i] = make(i));
	while (n < 600000 && !mprotect(hoard + n * 2 * 4096, 4096, PROT_READ))
		n++;
	if (n == 600000) {
		puts("none");
		exit(0);
	}
	NEED(errno == ENOMEM);
	wait_for_word();
	/* What it cannot have it is told; what it gets is memory. */
	for (uint64_t i = 0; i < MANY; i++) {
		errno = 0;
		more[i] = make(MANY + i);
		NEED(more[i] || errno == ENOMEM);
		had += !!more[i];
	}
	check_many();
	wait_for_word();
	NEED(!munmap(hoard, length));
	for (uint64_t i = 0; i < MANY; i++)
		if (!more[i])
			NEED(more[i] = make(MANY + i));
	wait_for_word();
	check_many();
	for (uint64_t i = 0; i < MANY; i++)
		check(more[i], MANY + i);
	printf("%zu of %d at the limit\n", had, MANY);
}

/* As much as it gets, kept until standard input ends; then it is freed, and there is as much again. */
static void full(size_t piece)
{
	size_t max = ((size_t)1 << 30) / piece, n;
	void **list = mmap(NULL, max * sizeof(*list), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(list != MAP_FAILED);
	n = fill_up(piece, list, max);
	say_ready();
	await_end();
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < piece; j += 509)
			NEED(((unsigned char *)list[i])[j] == (unsigned char)i);
		free(list[i]);
	}
	printf("%zu bytes\n", n * piece);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	size_t number = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (!strcmp(what, "limit"))
		limit(number);
	else if (!strcmp(what, "mappings"))
		mappings();
	else if (!strcmp(what, "full"))
		full(number);
	else
		die("no such thing", 0);
	puts("fine");
	return 0;
}
