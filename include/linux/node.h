/* SPDX-License-Identifier: MIT */
/* Node devices: /sys/devices/system/node/nodeN (NODE-4, NODE-9). */
#ifndef MEMPLUG_LINUX_NODE_H
#define MEMPLUG_LINUX_NODE_H

#include <linux/device.h>
#include <linux/nodemask.h>

struct node {
	struct device dev;
};

/* The device of an online node, or NULL. Valid while device_hotplug_lock is held. */
struct node *mp_node_device(int nid);

#endif
