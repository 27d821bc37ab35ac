// SPDX-License-Identifier: MIT
/* Texts: asked for as a whole, then left as they are, and counted by those who show them. */
#include "mount.h"

#include <errno.h>
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

int text_fetch(const struct node *node, struct text **text)
{
	struct link *link = link_get();
	int64_t ret = link ? 0 : -ENOTCONN;
	char *data = NULL, *larger;
	size_t size = 0;

	while (!ret) {
		ret = link_call(link, MP_PACKET_READ, (int64_t)size, node->path, node->id);
		if (ret < 0)
			break;
		larger = realloc(data, size + link->size + 1);
		ret = larger ? 0 : -ENOMEM;
		if (ret)
			break;
		data = larger;
		memcpy(data + size, link->data, link->size);
		size += link->size;
		if (!(link->flags & MP_PACKET_MORE))
			break;
	}
	if (link)
		link_put(link);
	*text = ret ? NULL : text_new(data, size);
	free(data);
	return ret ? (int)ret : *text ? 0 : -ENOMEM;
}
