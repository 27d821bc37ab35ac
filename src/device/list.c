/* SPDX-License-Identifier: MIT */
/*
 * Looking at the attribute tree without opening: mp_stat and mp_list. A listing
 * is taken under the tree lock, sorted and handed out without it; an active
 * reference keeps the attribute list alive, node references the rest.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/errno.h>
#include "device/tree_internal.h"
#include "os/os.h"

struct item {
	const char *name;
	size_t len; /* of the name: an implied directory's is the start of an attribute's */
	struct tree_node *node;	      /* with a reference, or NULL */
	const struct tree_attr *attr; /* NULL: a directory */
	u64 id;
};

static void fill(struct mp_entry *entry, const struct item *item)
{
	const char *target = item->node ? item->node->target : item->attr ? item->attr->link : NULL;
	size_t len = item->len < sizeof(entry->name) ? item->len : sizeof(entry->name) - 1;

	memset(entry, 0, sizeof(*entry));
	entry->id = item->id;
	memcpy(entry->name, item->name, len);
	if (target) {
		entry->type = MP_ENTRY_LINK;
		entry->mode = 0777;
		strncpy(entry->target, target, sizeof(entry->target) - 1);
	} else if (item->attr) {
		entry->type = MP_ENTRY_FILE;
		entry->mode = item->attr->mode;
		entry->waits = item->attr->waits;
		entry->steady = item->attr->steady;
		entry->size = MP_ATTR_SIZE;
	} else {
		entry->type = MP_ENTRY_DIR;
		entry->mode = 0755;
	}
}

int mp_stat(const char *path, struct mp_entry *entry)
{
	struct tree_place place;
	struct item item = { 0 };
	int error;

	if (!entry)
		return -EINVAL;
	tree_lock();
	error = tree_walk(path, false, &place);
	if (!error) {
		item.attr = place.attr;
		item.node = place.link;
		if (place.link) {
			item.name = place.link->name;
		} else if (place.attr) {
			item.name = place.attr->name;
			if (place.sub)
				item.name += place.sub_len + 1;
		} else {
			item.name = place.sub ? place.sub : place.dir->node.name;
		}
		item.len = place.sub && !place.attr ? place.sub_len : strlen(item.name);
		item.id = tree_place_id(&place);
		fill(entry, &item);
	}
	tree_unlock();
	return error;
}

/*
 * Tree lock held. The attribute as an entry of the directory or of its implied
 * directory `sub`; false when it is not one, or not the first of its name.
 */
static bool attr_item(const struct tree_place *place, const struct tree_attr *attr,
		      struct item *item)
{
	const char *name = attr->name;
	bool implied;

	if (place->sub) {
		if (strncmp(name, place->sub, place->sub_len) || name[place->sub_len] != '/')
			return false;
		name += place->sub_len + 1;
	}
	*item = (struct item){ .name = name, .len = strcspn(name, "/") };
	if (!item->len || tree_find_attr(place->dir, place->sub, place->sub_len, name, item->len,
					 &implied) != attr)
		return false;
	item->attr = implied ? NULL : attr;
	item->id = tree_place_id(&(struct tree_place){
		.dir = place->dir, .sub = implied ? attr->name : NULL, .attr = item->attr });
	return true;
}

static size_t count_entries(const struct tree_place *place)
{
	const struct tree_attr *const *attr = place->dir->attrs;
	size_t nr = place->dir->nr_children;

	while (attr && *attr++)
		nr++;
	return nr;
}

/* Tree lock held; `item` has room for count_entries(). */
static size_t collect(const struct tree_place *place, struct item *item)
{
	const struct tree_attr *const *attr = place->dir->attrs;
	struct tree_node *node;
	size_t nr = 0;

	for (; attr && *attr; attr++)
		nr += attr_item(place, *attr, &item[nr]);
	if (place->sub)
		return nr;
	list_for_each_entry(node, &place->dir->children, sibling) {
		tree_get(node);
		item[nr++] = (struct item){
			.name = node->name, .len = strlen(node->name), .node = node, .id = node->id
		};
	}
	return nr;
}

static int by_name(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->name, y->name, len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

/* The entries of the directory at `path`; *active keeps it when `entered`. */
static int snapshot(const char *path, struct tree_active *active, struct item **items, size_t *nr,
		    bool *entered)
{
	struct tree_place place;
	size_t room = 0;
	int error;

	*items = NULL;
	for (;;) {
		tree_lock();
		error = tree_walk(path, true, &place);
		if (!error && place.attr)
			error = -ENOTDIR;
		if (error || count_entries(&place) <= room)
			break;
		room = count_entries(&place) + 16;
		tree_unlock();
		os_free(*items);
		*items = os_alloc(room * sizeof(**items));
		if (!*items)
			return -ENOMEM;
	}
	if (!error) {
		*entered = tree_enter(place.dir, active);
		*nr = *entered ? collect(&place, *items) : 0;
	}
	tree_unlock();
	return error;
}

int mp_list(const char *path, int (*fn)(const struct mp_entry *entry, void *arg), void *arg)
{
	struct tree_active active;
	struct mp_entry entry;
	struct item *items;
	size_t i, nr = 0;
	bool entered = false;
	int result;

	if (!fn)
		return -EINVAL;
	result = snapshot(path, &active, &items, &nr, &entered);
	if (nr)
		qsort(items, nr, sizeof(*items), by_name);
	for (i = 0; i < nr; i++) {
		if (!result) {
			fill(&entry, &items[i]);
			result = fn(&entry, arg);
		}
		if (items[i].node)
			tree_put(items[i].node);
	}
	if (entered)
		tree_leave(&active);
	os_free(items);
	return result;
}
