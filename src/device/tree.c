/* SPDX-License-Identifier: MIT */
/*
 * The nodes of the attribute tree: making, linking, finding and removing them.
 * Nodes sit in one hash keyed by parent and name, and in their parent's list.
 * tree.lock guards the shape; node references and active counts are atomics.
 */
#include <limits.h>
#include <string.h>
#include <linux/errno.h>
#include <linux/mutex.h>
#include "device/tree_internal.h"
#include "os/os.h"
#include "sync/changes.h"
#include "sync/thread.h"

#define FIRST_BUCKETS 256

struct mp_dir *tree_root;

static struct {
	struct mutex lock;
	struct tree_node **bucket;
	unsigned long nr_buckets; /* a power of two */
	unsigned long nr_nodes;
	u64 next_id;
	u32 generation;
	bool fork_known;
} tree = { .lock = __MUTEX_INITIALIZER(tree) };

/* The show and store calls that this thread is in. */
static __thread struct tree_active *own_active;

void tree_lock(void)
{
	mutex_lock(&tree.lock);
}

void tree_unlock(void)
{
	mutex_unlock(&tree.lock);
}

/* The lock, to change the shape. */
static void tree_change_begin(void)
{
	tree_lock();
	changes_begin();
}

static void tree_change_end(void)
{
	changes_end();
	tree_unlock();
}

u32 tree_generation(void)
{
	return READ_ONCE(tree.generation);
}

/* The nodes stay allocated: another thread of the parent may have been changing them. */
static void forget_in_child(void)
{
	mp_mutex_init(&tree.lock, "tree");
	tree_root = NULL;
	tree.bucket = NULL;
	tree.nr_buckets = 0;
	tree.nr_nodes = 0;
	WRITE_ONCE(tree.generation, tree.generation + 1);
}

void tree_get(struct tree_node *node)
{
	__atomic_fetch_add(&node->refs, 1, __ATOMIC_RELAXED);
}

void tree_put(struct tree_node *node)
{
	if (__atomic_fetch_sub(&node->refs, 1, __ATOMIC_ACQ_REL) == 1)
		os_free(node);
}

bool tree_enter(struct mp_dir *dir, struct tree_active *active)
{
	u32 value = __atomic_load_n(&dir->active, __ATOMIC_RELAXED);

	do {
		if (value & DIR_GONE)
			return false;
	} while (!__atomic_compare_exchange_n(&dir->active, &value, value + 1, true,
					      __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	tree_get(&dir->node);
	active->dir = dir;
	active->outer = own_active;
	own_active = active;
	return true;
}

void tree_leave(struct tree_active *active)
{
	struct mp_dir *dir = active->dir;

	own_active = active->outer;
	/* Release: what the call did to the owner comes before wait_idle() ends. */
	if (__atomic_fetch_sub(&dir->active, 1, __ATOMIC_RELEASE) & DIR_GONE)
		os_futex_wake(&dir->active, INT_MAX);
	tree_put(&dir->node);
}

/* Until only this thread's own calls are left in the directory. */
static void wait_idle(struct mp_dir *dir)
{
	struct tree_active *active;
	u32 own = 0, value;

	for (active = own_active; active; active = active->outer)
		own += active->dir == dir;
	/* Acquire: pairs with the release in tree_leave(). */
	while (((value = __atomic_load_n(&dir->active, __ATOMIC_ACQUIRE)) & ~DIR_GONE) != own)
		os_futex_wait(&dir->active, value, 0);
}

static u32 hash_name(const struct mp_dir *parent, const char *name, size_t len)
{
	u64 hash = ((u64)(uintptr_t)parent >> 4) * 0x9e3779b97f4a7c15UL;
	size_t i;

	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 0x100000001b3UL;
	return (u32)(hash ^ (hash >> 32));
}

/* Doubles the table; without memory the chains just get longer. */
static void grow(void)
{
	unsigned long i, nr = tree.nr_buckets ? tree.nr_buckets * 2 : FIRST_BUCKETS;
	struct tree_node **bucket = os_alloc(nr * sizeof(*bucket));

	if (!bucket)
		return;
	for (i = 0; i < tree.nr_buckets; i++) {
		struct tree_node *node, *next;

		for (node = tree.bucket[i]; node; node = next) {
			next = node->hash_next;
			node->hash_next = bucket[node->hash & (nr - 1)];
			bucket[node->hash & (nr - 1)] = node;
		}
	}
	os_free(tree.bucket);
	tree.bucket = bucket;
	tree.nr_buckets = nr;
}

struct tree_node *tree_child(struct mp_dir *dir, const char *name, size_t len)
{
	u32 hash = hash_name(dir, name, len);
	struct tree_node *node;

	if (!tree.nr_buckets)
		return NULL;
	for (node = tree.bucket[hash & (tree.nr_buckets - 1)]; node; node = node->hash_next)
		if (node->hash == hash && node->parent == dir && !strncmp(node->name, name, len) &&
		    !node->name[len])
			return node;
	return NULL;
}

const struct tree_attr *tree_find_attr(struct mp_dir *dir, const char *sub, size_t sub_len,
				       const char *name, size_t len, bool *implied)
{
	const struct tree_attr *const *attr;

	*implied = false;
	if (dir_gone(dir) || !dir->attrs)
		return NULL;
	for (attr = dir->attrs; *attr; attr++) {
		const char *text = (*attr)->name;

		if (sub) {
			if (strncmp(text, sub, sub_len) || text[sub_len] != '/')
				continue;
			text += sub_len + 1;
		}
		if (strncmp(text, name, len) || (text[len] && text[len] != '/'))
			continue;
		if ((*attr)->visible && !(*attr)->visible(dir->owner, *attr))
			continue;
		*implied = text[len] == '/';
		return *attr;
	}
	return NULL;
}

static void unhash(struct tree_node *node)
{
	struct tree_node **at = &tree.bucket[node->hash & (tree.nr_buckets - 1)];

	while (*at != node)
		at = &(*at)->hash_next;
	*at = node->hash_next;
	tree.nr_nodes--;
}

/* Tree lock held. */
static int insert(struct mp_dir *parent, struct tree_node *node)
{
	size_t len = strlen(node->name);
	bool implied;

	if (dir_gone(parent))
		return -ENOENT;
	if (tree_child(parent, node->name, len) ||
	    tree_find_attr(parent, NULL, 0, node->name, len, &implied))
		return -EEXIST;
	if (tree.nr_nodes >= tree.nr_buckets)
		grow();
	node->id = tree.next_id += TREE_IDS;
	node->hash = hash_name(parent, node->name, len);
	node->parent = parent;
	node->hash_next = tree.bucket[node->hash & (tree.nr_buckets - 1)];
	tree.bucket[node->hash & (tree.nr_buckets - 1)] = node;
	list_add_tail(&node->sibling, &parent->children);
	parent->nr_children++;
	tree.nr_nodes++;
	return 0;
}

/* Tree lock held. The tree's reference is the caller's from here on. */
static void detach(struct tree_node *node)
{
	unhash(node);
	list_del_init(&node->sibling);
	node->parent->nr_children--;
	node->parent = NULL;
}

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	return len && len <= TREE_NAME_MAX && !strchr(name, '/') && strcmp(name, ".") &&
	       strcmp(name, "..");
}

static struct mp_dir *new_dir(const char *name, const struct tree_attr *const *attrs, void *owner)
{
	struct mp_dir *dir = os_alloc(sizeof(*dir) + strlen(name) + 1);

	if (!dir)
		return NULL;
	dir->node.name = strcpy((char *)(dir + 1), name);
	dir->node.refs = 1;
	INIT_LIST_HEAD(&dir->node.sibling);
	INIT_LIST_HEAD(&dir->children);
	dir->attrs = attrs;
	dir->owner = owner;
	return dir;
}

int tree_init(void)
{
	int error = -ENOMEM;

	tree_lock();
	if (!tree.fork_known)
		sync_at_fork_child(forget_in_child);
	tree.fork_known = true;
	if (!tree.nr_buckets)
		grow();
	if (tree.nr_buckets)
		tree_root = new_dir("", NULL, NULL);
	if (tree_root)
		error = 0;
	tree_unlock();
	return error;
}

struct mp_dir *tree_mkdir(struct mp_dir *parent, const char *name,
			  const struct tree_attr *const *attrs, void *owner, int *error)
{
	struct mp_dir *dir;

	*error = -EINVAL;
	if (!name_ok(name))
		return NULL;
	*error = -ENOMEM;
	dir = new_dir(name, attrs, owner);
	if (!dir)
		return NULL;
	tree_change_begin();
	*error = insert(parent, &dir->node);
	tree_change_end();
	if (!*error)
		return dir;
	os_free(dir);
	return NULL;
}

struct mp_dir *tree_lookup_dir(struct mp_dir *parent, const char *name)
{
	struct tree_node *node;

	tree_lock();
	node = tree_child(parent, name, strlen(name));
	tree_unlock();
	return node ? node_dir(node) : NULL;
}

struct mp_dir *tree_mkpath(struct mp_dir *parent, const char *path, int *error)
{
	char name[TREE_NAME_MAX + 1];
	struct mp_dir *next;
	size_t len;

	*error = 0;
	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		len = strcspn(path, "/");
		if (len > TREE_NAME_MAX) {
			*error = -EINVAL;
			return NULL;
		}
		memcpy(name, path, len);
		name[len] = '\0';
		path += len;
		next = tree_lookup_dir(parent, name);
		if (!next)
			next = tree_mkdir(parent, name, NULL, NULL, error);
		if (!next)
			return NULL;
		parent = next;
	}
	return parent;
}

int tree_link(struct mp_dir *parent, const char *name, const char *target)
{
	size_t len = strlen(name);
	struct tree_node *node;
	int error;

	if (!name_ok(name) || !*target || strlen(target) >= sizeof(((struct mp_entry *)0)->target))
		return -EINVAL;
	node = os_alloc(sizeof(*node) + len + 1 + strlen(target) + 1);
	if (!node)
		return -ENOMEM;
	node->name = strcpy((char *)(node + 1), name);
	node->target = strcpy((char *)(node + 1) + len + 1, target);
	node->refs = 1;
	INIT_LIST_HEAD(&node->sibling);
	tree_change_begin();
	error = insert(parent, node);
	tree_change_end();
	if (error)
		os_free(node);
	return error;
}

void tree_unlink(struct mp_dir *parent, const char *name)
{
	struct tree_node *node;

	tree_change_begin();
	node = tree_child(parent, name, strlen(name));
	if (node && node->target)
		detach(node);
	else
		node = NULL;
	tree_change_end();
	if (node)
		tree_put(node);
}

/*
 * Tree lock held. Nothing enters `dir` any more; all below it leaves the tree
 * and goes to `removed`.
 */
static void remove_below(struct mp_dir *dir, struct list_head *removed)
{
	__atomic_fetch_or(&dir->active, DIR_GONE, __ATOMIC_ACQ_REL);
	while (!list_empty(&dir->children)) {
		struct tree_node *node =
			list_first_entry(&dir->children, struct tree_node, sibling);

		detach(node);
		list_add_tail(&node->sibling, removed);
	}
}

static void remove_tree(struct mp_dir *dir, bool itself)
{
	struct tree_node *node, *next;
	LIST_HEAD(removed);

	tree_change_begin();
	remove_below(dir, &removed);
	/* The list grows at its end while it is walked: breadth first through all below. */
	list_for_each_entry(node, &removed, sibling)
		if (node_dir(node))
			remove_below(node_dir(node), &removed);
	if (itself && dir->node.parent)
		detach(&dir->node);
	if (dir == tree_root && itself)
		tree_root = NULL;
	tree_change_end();

	wait_idle(dir);
	list_for_each_entry_safe(node, next, &removed, sibling) {
		if (node_dir(node))
			wait_idle(node_dir(node));
		tree_put(node);
	}
	if (itself)
		tree_put(&dir->node);
}

void tree_empty(struct mp_dir *dir)
{
	if (dir)
		remove_tree(dir, false);
}

void tree_rmdir(struct mp_dir *dir)
{
	if (dir)
		remove_tree(dir, true);
}

void tree_exit(void)
{
	tree_rmdir(tree_root);
	tree_lock();
	if (!tree.nr_nodes) {
		os_free(tree.bucket);
		tree.bucket = NULL;
		tree.nr_buckets = 0;
	}
	tree_unlock();
}
