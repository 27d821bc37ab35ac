/* SPDX-License-Identifier: MIT */
/*
 * An ordered set of intrusive nodes by a u64 key, a treap: insertion, removal
 * and search in logarithmic time. The caller's lock guards it.
 */
#ifndef MEMPLUG_HOTPLUG_ORDER_H
#define MEMPLUG_HOTPLUG_ORDER_H

#include <linux/ioport.h>

/* Keys differ. A key may be changed in place as long as the order stays. */
void order_insert(struct mp_order **root, struct mp_order *node);
void order_remove(struct mp_order **root, struct mp_order *node);
/* The node with the highest key at or below `key`, or NULL. */
struct mp_order *order_at_or_below(struct mp_order *root, u64 key);

#endif
