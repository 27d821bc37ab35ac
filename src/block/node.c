// SPDX-License-Identifier: MIT
/*
 * Node devices and their links to blocks and CPUs (NODE-4, 9, 10, SYSFS-29,
 * 30). Nodes come and go under device_hotplug_lock and mem_hotplug_lock.
 */
#include "block/block.h"
#include "block/cpu.h"
#include "block/node_attrs.h"
#include "device/bus.h"
#include "device/tree.h"
#include "hotplug/hotplug.h"
#include "os/os.h"
#include "page/page.h"
#include "report/report.h"
#include "sync/changes.h"

static struct {
	struct node *device[MAX_NUMNODES];
} nodes;

struct bus_type node_subsys = {
	.name = "node",
	.dev_name = "node",
	.dev_attrs = node_dev_attrs,
};

struct node *mp_node_device(int nid)
{
	return nid >= 0 && nid < MAX_NUMNODES ? nodes.device[nid] : NULL;
}

static void node_release(struct device *dev)
{
	os_free(container_of(dev, struct node, dev));
}

int register_one_node(int nid)
{
	struct node *node;
	int ret;

	if (nodes.device[nid])
		return 0;
	node = os_alloc(sizeof(*node));
	if (!node)
		return -ENOMEM;
	device_initialize(&node->dev);
	node->dev.bus = &node_subsys;
	node->dev.id = (u32)nid;
	node->dev.release = node_release;
	ret = device_add(&node->dev);
	if (ret) {
		put_device(&node->dev);
		return ret;
	}
	nodes.device[nid] = node;
	ret = cpu_link_node(nid);
	if (ret)
		unregister_one_node(nid);
	return ret;
}

void unregister_one_node(int nid)
{
	struct node *node = nodes.device[nid];

	if (!node)
		return;
	cpu_unlink_node(nid);
	nodes.device[nid] = NULL;
	device_unregister(&node->dev);
}

int link_memory_block(struct memory_block *mem, int nid)
{
	struct node *node = mp_node_device(nid);
	char target[64], name[24];
	int ret;

	changes_begin();
	WRITE_ONCE(mem->nid, nid);
	changes_end();
	if (!node)
		return -ENODEV;
	snprintf(target, sizeof(target), "../../memory/%s", dev_name(&mem->dev));
	ret = tree_link(node->dev.dir, dev_name(&mem->dev), target);
	if (ret && ret != -EEXIST)
		return ret;
	snprintf(name, sizeof(name), "node%d", nid);
	snprintf(target, sizeof(target), "../../node/node%d", nid);
	ret = tree_link(mem->dev.dir, name, target);
	return ret == -EEXIST ? 0 : ret;
}

/* Every node may have been linked to a boot block; only mem->nid to others (NODE-10). */
void unlink_memory_block(struct memory_block *mem)
{
	char name[24];
	struct node *node = mp_node_device(mem->nid);

	if (mem->nid < 0)
		return;
	if (node)
		tree_unlink(node->dev.dir, dev_name(&mem->dev));
	snprintf(name, sizeof(name), "node%d", mem->nid);
	tree_unlink(mem->dev.dir, name);
}

int node_dev_init(void)
{
	memset(&nodes, 0, sizeof(nodes));
	return subsys_register(&node_subsys, node_root_attrs);
}

void node_dev_forget(void)
{
	memset(&nodes, 0, sizeof(nodes));
	node_subsys.p = NULL;
	node_subsys.dev_root = NULL;
}

void node_dev_exit(void)
{
	int nid;

	for (nid = 0; nid < MAX_NUMNODES; nid++)
		unregister_one_node(nid);
	subsys_unregister(&node_subsys);
}
