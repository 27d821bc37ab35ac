// SPDX-License-Identifier: MIT
/*
 * Block id -> block: two levels of pointers, the lower ones made when first
 * needed. One mutex guards it all; holding a block needs a device reference.
 */
#include "block/block.h"
#include "os/os.h"
#include "sync/thread.h"

#define LEAF_BITS 9
#define LEAF_SIZE (1UL << LEAF_BITS)

static struct {
	struct mutex lock;
	struct memory_block ***leaves;
	unsigned long nr_leaves;
} table;

static void reset_after_fork(void)
{
	mutex_init(&table.lock);
	table.leaves = NULL;
	table.nr_leaves = 0;
}

__attribute__((constructor)) static void table_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

static int grow(unsigned long leaf)
{
	unsigned long nr = max(table.nr_leaves * 2, leaf + 1);
	struct memory_block ***larger;

	if (leaf < table.nr_leaves)
		return 0;
	larger = os_alloc(nr * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	if (table.leaves)
		memcpy(larger, table.leaves, table.nr_leaves * sizeof(*larger));
	os_free(table.leaves);
	table.leaves = larger;
	table.nr_leaves = nr;
	return 0;
}

int block_table_insert(unsigned long id, struct memory_block *mem)
{
	unsigned long leaf = id >> LEAF_BITS;
	int ret;

	mutex_lock(&table.lock);
	ret = grow(leaf);
	if (!ret && !table.leaves[leaf]) {
		table.leaves[leaf] = os_alloc(LEAF_SIZE * sizeof(**table.leaves));
		ret = table.leaves[leaf] ? 0 : -ENOMEM;
	}
	if (!ret && table.leaves[leaf][id % LEAF_SIZE])
		ret = -EEXIST;
	if (!ret)
		table.leaves[leaf][id % LEAF_SIZE] = mem;
	mutex_unlock(&table.lock);
	return ret;
}

static struct memory_block **slot(unsigned long id)
{
	unsigned long leaf = id >> LEAF_BITS;

	if (leaf >= table.nr_leaves || !table.leaves[leaf])
		return NULL;
	return &table.leaves[leaf][id % LEAF_SIZE];
}

void block_table_remove(unsigned long id)
{
	struct memory_block **at;

	mutex_lock(&table.lock);
	at = slot(id);
	if (at)
		*at = NULL;
	mutex_unlock(&table.lock);
}

struct memory_block *block_table_get(unsigned long id)
{
	struct memory_block **at, *mem;

	mutex_lock(&table.lock);
	at = slot(id);
	mem = at ? *at : NULL;
	if (mem)
		get_device(&mem->dev);
	mutex_unlock(&table.lock);
	return mem;
}

unsigned long block_table_next(unsigned long id, unsigned long last)
{
	unsigned long found = ~0UL;

	mutex_lock(&table.lock);
	while (id <= last && (id >> LEAF_BITS) < table.nr_leaves) {
		if (!table.leaves[id >> LEAF_BITS]) {
			id = ((id >> LEAF_BITS) + 1) << LEAF_BITS;
			continue;
		}
		if (table.leaves[id >> LEAF_BITS][id % LEAF_SIZE]) {
			found = id;
			break;
		}
		id++;
	}
	mutex_unlock(&table.lock);
	return found;
}

void block_table_exit(void)
{
	unsigned long i;

	for (i = 0; i < table.nr_leaves; i++)
		os_free(table.leaves[i]);
	os_free(table.leaves);
	table.leaves = NULL;
	table.nr_leaves = 0;
}
