// SPDX-License-Identifier: MIT
/*
 * Keeps a small structure for every node that has memory, as a slab allocator or a swap daemon
 * does. The same file is a module of Linux 6.1 and a part of a program that links memplug.
 *
 * nodecache.lock guards everything in nodecache.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/memory.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/notifier.h>
#include <linux/slab.h>

struct node_cache {
	int nid;
	unsigned long blocks; /* of this node that came online since it exists */
};

static struct {
	struct notifier_block nb;
	struct mutex lock;
	struct node_cache *node[MAX_NUMNODES];
} nodecache;

/* 0, also when the node has one already, or -ENOMEM. */
static int create(int nid)
{
	struct node_cache *cache;
	int ret = 0;

	mutex_lock(&nodecache.lock);
	if (!nodecache.node[nid]) {
		cache = kzalloc(sizeof(*cache), GFP_KERNEL);
		if (cache) {
			cache->nid = nid;
			nodecache.node[nid] = cache;
			pr_info("node %d: created\n", nid);
		} else {
			ret = -ENOMEM;
		}
	}
	mutex_unlock(&nodecache.lock);
	return ret;
}

static void discard(int nid)
{
	mutex_lock(&nodecache.lock);
	if (nodecache.node[nid]) {
		kfree(nodecache.node[nid]);
		nodecache.node[nid] = NULL;
		pr_info("node %d: discarded\n", nid);
	}
	mutex_unlock(&nodecache.lock);
}

/*
 * The node's number is given only when the node gets its first memory or loses its last. Each case
 * tolerates a CANCEL without its GOING and the other way round: callbacks above may stop the queue.
 */
static int nodecache_callback(struct notifier_block *self, unsigned long action, void *arg)
{
	struct memory_notify *mem = arg;
	int nid = mem->status_change_nid;
	int ret = 0;

	if (nid < 0)
		return NOTIFY_DONE;
	switch (action) {
	case MEM_GOING_ONLINE:
		ret = create(nid);
		break;
	case MEM_CANCEL_OFFLINE:
		/* Where MEM_OFFLINE can be refused, ours may have been discarded there already. */
		create(nid);
		break;
	case MEM_CANCEL_ONLINE:
	case MEM_OFFLINE:
		discard(nid);
		break;
	default:
		break;
	}
	return notifier_from_errno(ret);
}

static int __init nodecache_init(void)
{
	int nid, ret;

	mutex_init(&nodecache.lock);
	nodecache.nb.notifier_call = nodecache_callback;
	nodecache.nb.priority = SLAB_CALLBACK_PRI;
	/* Registered first, so that no node is missed; create() does not mind to be second. */
	ret = register_memory_notifier(&nodecache.nb);
	if (ret)
		return ret;
	for_each_node_state(nid, N_MEMORY)
	{
		ret = create(nid);
		if (ret)
			goto undo;
	}
	return 0;

undo:
	unregister_memory_notifier(&nodecache.nb);
	for (nid = 0; nid < MAX_NUMNODES; nid++)
		discard(nid);
	return ret;
}

static void __exit nodecache_exit(void)
{
	int nid;

	unregister_memory_notifier(&nodecache.nb);
	for (nid = 0; nid < MAX_NUMNODES; nid++)
		discard(nid);
}

module_init(nodecache_init);
module_exit(nodecache_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("A structure for every node that has memory");
