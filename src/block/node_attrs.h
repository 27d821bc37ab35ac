/* SPDX-License-Identifier: MIT */
/* The files of /sys/devices/system/node and of each nodeN (SYSFS-29..35). */
#ifndef MEMPLUG_BLOCK_NODE_ATTRS_H
#define MEMPLUG_BLOCK_NODE_ATTRS_H

#include "device/tree.h"

/* NULL-terminated. The owner of the second is the node's struct device, its id the nid. */
extern const struct tree_attr *const node_root_attrs[];
extern const struct tree_attr *const node_dev_attrs[];

#endif
