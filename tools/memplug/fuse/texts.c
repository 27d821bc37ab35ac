// SPDX-License-Identifier: MIT
/* Texts that do not change, counted by those who show them. */
#include "mount.h"

#include <stdlib.h>
#include <string.h>

struct text *text_new(const char *data, size_t size)
{
	struct text *text = malloc(sizeof(*text) + size + 1);

	if (!text)
		return NULL;
	text->refs = 1;
	text->size = size;
	if (size)
		memcpy(text->data, data, size);
	text->data[size] = '\0';
	return text;
}

struct text *text_get(struct text *text)
{
	if (text)
		__atomic_fetch_add(&text->refs, 1, __ATOMIC_RELAXED);
	return text;
}

void text_put(struct text *text)
{
	if (text && !__atomic_sub_fetch(&text->refs, 1, __ATOMIC_ACQ_REL))
		free(text);
}
