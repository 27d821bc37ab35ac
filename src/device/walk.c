/* SPDX-License-Identifier: MIT */
/*
 * Walking a path through the attribute tree: ".", "..", links, and the
 * directories that attribute names imply. The caller holds the tree lock.
 */
#include <string.h>
#include <linux/errno.h>
#include "device/tree_internal.h"

#define MAX_LINKS 40

static int walk_from(struct tree_place *place, const char *path, bool follow, int links);

static const char *link_target(const struct tree_place *place)
{
	if (place->link)
		return place->link->target;
	return place->attr ? place->attr->link : NULL;
}

static int step(struct tree_place *place, const char *name, size_t len)
{
	const struct tree_attr *attr;
	struct tree_node *node;
	bool implied;

	if (place->attr || place->link)
		return -ENOTDIR;
	if (len == 1 && name[0] == '.')
		return 0;
	if (len == 2 && name[0] == '.' && name[1] == '.') {
		if (place->sub)
			place->sub = NULL;
		else if (place->dir->node.parent)
			place->dir = place->dir->node.parent;
		return 0;
	}
	node = place->sub ? NULL : tree_child(place->dir, name, len);
	if (node && node_dir(node)) {
		place->dir = node_dir(node);
		return 0;
	}
	if (node) {
		place->link = node;
		return 0;
	}
	attr = tree_find_attr(place->dir, place->sub, place->sub_len, name, len, &implied);
	if (!attr)
		return -ENOENT;
	if (implied) {
		place->sub = attr->name;
		place->sub_len = len;
	} else {
		place->attr = attr;
	}
	return 0;
}

static int follow_link(struct tree_place *place, int links)
{
	const char *target = link_target(place);

	if (links >= MAX_LINKS)
		return -ELOOP;
	place->attr = NULL;
	place->link = NULL;
	return walk_from(place, target, true, links + 1);
}

static int walk_from(struct tree_place *place, const char *path, bool follow, int links)
{
	bool slash = false;

	if (*path == '/')
		*place = (struct tree_place){ .dir = tree_root };
	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		size_t len = strcspn(path, "/");
		int error = step(place, path, len);

		path += len;
		slash = *path == '/';
		if (!error && link_target(place) && (follow || slash))
			error = follow_link(place, links);
		if (error)
			return error;
	}
	return slash && place->attr ? -ENOTDIR : 0;
}

u64 tree_place_id(const struct tree_place *place)
{
	const char *name = place->attr ? place->attr->name : place->sub;
	const struct tree_attr *const *attr = place->dir->attrs;
	u64 id = place->dir->node.id;

	if (place->link)
		return place->link->id;
	if (!name)
		return id;
	for (id++; (*attr)->name != name; attr++)
		id++;
	return place->attr ? id : id + TREE_IDS / 2;
}

int tree_walk(const char *path, bool follow, struct tree_place *place)
{
	if (!tree_root)
		return -ENXIO;
	if (!path)
		return -EINVAL;
	if (*path != '/')
		return -ENOENT;
	return walk_from(place, path, follow, 0);
}
