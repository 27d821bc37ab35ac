/* SPDX-License-Identifier: MIT */
/* What the tree's own files share: its nodes, the walk along a path, active references. */
#ifndef MEMPLUG_DEVICE_TREE_INTERNAL_H
#define MEMPLUG_DEVICE_TREE_INTERNAL_H

#include <linux/list.h>
#include "device/tree.h"

#define TREE_NAME_MAX 63 /* what struct mp_entry holds */

/* A directory (target == NULL) or a link. Name and target lie in the same allocation. */
struct tree_node {
	struct mp_dir *parent; /* NULL: the root, or taken out; tree lock */
	struct tree_node *hash_next;
	struct list_head sibling;
	const char *name;
	const char *target;
	u64 id; /* TREE_IDS numbers from here on are its own */
	u32 hash;
	u32 refs; /* atomic; the tree holds one */
};

struct mp_dir {
	struct tree_node node;
	struct list_head children;
	unsigned long nr_children;
	const struct tree_attr *const *attrs;
	void *owner;
	u32 active; /* atomic and futex word: show and store calls that run, and DIR_GONE */
};

#define TREE_IDS 256 /* a directory's own, then its files', then its implied directories' */

#define DIR_GONE (1u << 31) /* nothing may enter any more */

static inline struct mp_dir *node_dir(struct tree_node *node)
{
	return node->target ? NULL : container_of(node, struct mp_dir, node);
}

/* One active reference, on the stack of the call that holds it. */
struct tree_active {
	struct mp_dir *dir;
	struct tree_active *outer; /* of the same thread */
};

/* Where a walk has come to. */
struct tree_place {
	struct mp_dir *dir;	     /* the directory, or the one that holds attr or link */
	const char *sub;	     /* inside an implied directory: its name, sub_len long */
	size_t sub_len;
	const struct tree_attr *attr; /* a file, or a link of the attribute list */
	struct tree_node *link;	     /* a link of its own */
};

void tree_lock(void);
void tree_unlock(void);
/* Changes in a fork child: what was opened before belongs to no machine. */
u32 tree_generation(void);

/* Tree lock held. The child of that name, or NULL. */
struct tree_node *tree_child(struct mp_dir *dir, const char *name, size_t len);
/* Tree lock held. The attribute that makes `name` exist in `dir` (inside `sub`), or NULL; with
 * *implied set, it is one of the files of an implied directory `name`. */
const struct tree_attr *tree_find_attr(struct mp_dir *dir, const char *sub, size_t sub_len,
				       const char *name, size_t len, bool *implied);
/* Tree lock held. Names what lies there, unlike everything else that ever lay in the tree. */
u64 tree_place_id(const struct tree_place *place);
/* Tree lock held. Walks an absolute path; links on the way are followed, a final one if `follow`. */
int tree_walk(const char *path, bool follow, struct tree_place *place);

void tree_get(struct tree_node *node);
void tree_put(struct tree_node *node);
/* False: the directory is gone. The caller holds a node reference, or the tree lock. */
bool tree_enter(struct mp_dir *dir, struct tree_active *active);
void tree_leave(struct tree_active *active);

static inline bool dir_gone(struct mp_dir *dir)
{
	/* Pairs with the release in remove_below(): whoever sees it may not touch the owner. */
	return __atomic_load_n(&dir->active, __ATOMIC_ACQUIRE) & DIR_GONE;
}

#endif
