// SPDX-License-Identifier: MIT
/*
 * The treap of order.h. A node's rank is a hash of its address, so that no
 * order of insertion makes the tree deep. No state of its own.
 */
#include "hotplug/order.h"

static u64 rank(const struct mp_order *node)
{
	u64 x = (u64)(uintptr_t)node;

	/*
	 * Two rounds (the constants are splitmix64's): nodes of one array lie at equal distances, and one
	 * multiplication would leave their ranks a regular pattern, which can be deep.
	 */
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* The node takes the place of the highest one that ranks below it, and what was there is divided. */
void order_insert(struct mp_order **root, struct mp_order *node)
{
	struct mp_order **below = &node->left, **above = &node->right, *rest;

	while (*root && rank(*root) >= rank(node))
		root = node->key < (*root)->key ? &(*root)->left : &(*root)->right;
	rest = *root;
	*root = node;
	while (rest) {
		if (rest->key < node->key) {
			*below = rest;
			below = &rest->right;
			rest = rest->right;
		} else {
			*above = rest;
			above = &rest->left;
			rest = rest->left;
		}
	}
	*below = NULL;
	*above = NULL;
}

void order_remove(struct mp_order **root, struct mp_order *node)
{
	struct mp_order *left = node->left, *right = node->right;

	while (*root != node)
		root = node->key < (*root)->key ? &(*root)->left : &(*root)->right;
	while (left && right) {
		if (rank(left) >= rank(right)) {
			*root = left;
			root = &left->right;
			left = left->right;
		} else {
			*root = right;
			root = &right->left;
			right = right->left;
		}
	}
	*root = left ? left : right;
}

struct mp_order *order_at_or_below(struct mp_order *root, u64 key)
{
	struct mp_order *best = NULL;

	while (root) {
		if (root->key <= key)
			best = root;
		root = root->key <= key ? root->right : root->left;
	}
	return best;
}
