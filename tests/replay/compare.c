// SPDX-License-Identifier: MIT
/*
 * Compares what was recorded with what was made again: the longest common
 * subsequence of their lines, so that one missing line is shown as one
 * missing line. No state.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 5

static bool same(const struct lines *a, int i, const struct lines *b, int j)
{
	return !strcmp(a->text[i], b->text[j]);
}

/* table[i * width + j]: length of what golden from i and got from j have in common. */
static int *common(const struct lines *golden, const struct lines *got, int width)
{
	int *table = calloc((size_t)(golden->count + 1) * width, sizeof(*table));
	int i, j, down, right;

	if (!table)
		abort();
	for (i = golden->count - 1; i >= 0; i--) {
		for (j = got->count - 1; j >= 0; j--) {
			down = table[(i + 1) * width + j];
			right = table[i * width + j + 1];
			if (same(golden, i, got, j))
				table[i * width + j] = table[(i + 1) * width + j + 1] + 1;
			else
				table[i * width + j] = down >= right ? down : right;
		}
	}
	return table;
}

static void print_differences(const struct lines *golden, const struct lines *got, bool all)
{
	int width = got->count + 1, i = 0, j = 0, shown = 0;
	int *table = common(golden, got, width);

	while ((i < golden->count || j < got->count) && (all || shown < SHOWN)) {
		if (i < golden->count && j < got->count && same(golden, i, got, j)) {
			if (all)
				printf("# %5d   %s\n", golden->number[i], golden->text[i]);
			i++;
			j++;
			continue;
		}
		shown++;
		if (j == got->count ||
		    (i < golden->count && table[(i + 1) * width + j] >= table[i * width + j + 1])) {
			printf("# %5d - %s\n", golden->number[i], golden->text[i]);
			i++;
		} else {
			printf("# %5d + %s\n", got->number[j], got->text[j]);
			j++;
		}
	}
	free(table);
}

int compare(const char *name, const struct lines *golden, const struct lines *got, bool all)
{
	int i = 0;

	while (i < golden->count && i < got->count && same(golden, i, got, i))
		i++;
	if (i == golden->count && i == got->count)
		return 0;
	print_differences(golden, got, all);
	printf("not ok replay %s: line %d: expected %s, got %s\n", name,
	       i < golden->count ? golden->number[i] : golden->number[golden->count - 1],
	       i < golden->count ? golden->text[i] : "the end",
	       i < got->count ? got->text[i] : "the end");
	return 1;
}
