/* SPDX-License-Identifier: MIT */
/* The ordered set behind the resource tree, compared with a plain array. */
#include "hotplug/order.h"
#include "mptest.h"

#include <stdlib.h>

#define KEYS 512

TEST(none_order, "random insertion, removal, change and search agree with an array")
{
	static struct mp_order nodes[KEYS];
	bool present[KEYS] = { false };
	struct mp_order *root = NULL;
	unsigned int seed = (unsigned int)mptest_seed();

	for (int i = 0; i < KEYS; i++)
		nodes[i].key = (u64)i * 10;
	for (int step = 0; step < 100000; step++) {
		int i = rand_r(&seed) % KEYS, best;
		u64 wanted = (u64)rand_r(&seed) % (KEYS * 10 + 20);
		struct mp_order *found;

		if (present[i])
			order_remove(&root, &nodes[i]);
		else
			order_insert(&root, &nodes[i]);
		present[i] = !present[i];
		/* In place, between its neighbours. */
		nodes[i].key = (u64)i * 10 + (u64)(rand_r(&seed) % 10) * !present[i];
		for (best = KEYS - 1; best >= 0; best--)
			if (present[best] && nodes[best].key <= wanted)
				break;
		found = order_at_or_below(root, wanted);
		CHECK_EQ(found, best < 0 ? NULL : &nodes[best]);
	}
}

TEST(none_order_depth, "ascending keys do not make it deep")
{
	enum { MANY = 1 << 17 };
	struct mp_order *nodes = calloc(MANY, sizeof(*nodes)), *root = NULL;
	int deepest = 0;

	for (int i = 0; i < MANY; i++) {
		nodes[i].key = (u64)i;
		order_insert(&root, &nodes[i]);
	}
	for (int i = 0; i < MANY; i += 61) {
		struct mp_order *node = root;
		int depth = 0;

		for (; node && node->key != (u64)i; depth++)
			node = (u64)i < node->key ? node->left : node->right;
		CHECK(node);
		deepest = depth > deepest ? depth : deepest;
	}
	CHECK_LT(deepest, 100);
	free(nodes);
}
