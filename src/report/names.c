/* SPDX-License-Identifier: MIT */
/*
 * The text and place of registrations by the address of what was registered.
 * A hash table under the report lock; without memory a name is not kept, and
 * the symbol of the callback stands in for it.
 */
#include "report/lock.h"
#include "report/report.h"
#include "os/os.h"

#include <linux/kernel.h>
#include <stdio.h>

#define BUCKETS 256

struct name {
	struct name *next;
	const void *key;
	char text[];
};

static struct name *buckets[BUCKETS];

/* The link that points to the entry of `key`, or to the end of its list. */
static struct name **find(const void *key)
{
	struct name **link = &buckets[((uintptr_t)key >> 4) % BUCKETS];

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

int names_add(const void *key, const char *text, const char *file, int line)
{
	size_t size = (size_t)snprintf(NULL, 0, "%s (%s:%d)", text, file, line) + 1;
	struct name *name = os_alloc(sizeof(*name) + size), *old, **link;

	if (!name)
		return -ENOMEM;
	name->key = key;
	snprintf(name->text, size, "%s (%s:%d)", text, file, line);
	report_lock();
	link = find(key);
	old = *link;
	name->next = old ? old->next : NULL;
	*link = name;
	report_unlock();
	os_free(old);
	return 0;
}

void names_remove(const void *key)
{
	struct name *old, **link;

	report_lock();
	link = find(key);
	old = *link;
	if (old)
		*link = old->next;
	report_unlock();
	os_free(old);
}

int names_get(const void *key, const void *fallback_addr, char *buf, size_t size)
{
	struct name *name;
	int n = -1;

	report_lock();
	name = *find(key);
	if (name)
		n = snprintf(buf, size, "%s", name->text);
	report_unlock();
	return n >= 0 ? n : mp_symbol_name(fallback_addr, buf, size);
}
