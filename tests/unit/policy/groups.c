/* SPDX-License-Identifier: MIT */
/* Memory groups: ids, members, counts, walks. */
#include "../tree.h"

#include <limits.h>

#define STATIC(nid, blocks) memory_group_register_static(nid, (blocks) * BLOCK_PAGES)
#define DYNAMIC(nid, blocks) memory_group_register_dynamic(nid, (blocks) * BLOCK_PAGES)

static int add_to(int id, long first, int count)
{
	return add_memory(id, (u64)first * BLOCK_BYTES, (u64)count * BLOCK_BYTES, MHP_NID_IS_MGID);
}

TEST(GROUP_1, "a group knows its node, blocks, counts and kind; a block is in one group all its life")
{
	struct memory_group *a, *b;
	struct memory_block *mem;

	machine_boot(NULL);
	a = memory_group_find_by_id(STATIC(1, 8));
	b = memory_group_find_by_id(DYNAMIC(2, 2));
	CHECK(a && b && a != b);
	CHECK(!a->is_dynamic && b->is_dynamic);
	CHECK_EQ(a->nid, 1);
	CHECK_EQ(b->nid, 2);
	CHECK_EQ(a->s.max_pages, 8 * BLOCK_PAGES);
	CHECK_EQ(b->d.unit_pages, 2 * BLOCK_PAGES);
	CHECK(list_empty(&a->memory_blocks));
	CHECK_EQ(a->present_kernel_pages + a->present_movable_pages, 0UL);
	CHECK_EQ(add_to(0, 32, 1), 0);
	mem = get_block(32);
	CHECK_EQ(mem->group, a);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(mem->group, a);
	CHECK(list_empty(&b->memory_blocks));
	put_device(&mem->dev);
	add_blocks(1, 33, 1);
	mem = get_block(33);
	CHECK_EQ(mem->group, NULL);
	put_device(&mem->dev);
}

TEST(GROUP_2, "a static group: not of 0 pages, of a possible node; the lowest free id, from 0")
{
	machine_boot(NULL);
	CHECK_EQ(memory_group_register_static(1, 0), -EINVAL);
	CHECK_EQ(memory_group_register_static(4, 1), -EINVAL);
	CHECK_EQ(memory_group_register_static(-1, 1), -EINVAL);
	CHECK_EQ(memory_group_register_static(INT_MAX, 1), -EINVAL);
	CHECK_EQ(memory_group_register_static(1, 1), 0); /* any number of pages */
	CHECK_EQ(memory_group_register_static(0, ~0UL), 1);
	CHECK_EQ(STATIC(3, 1), 2);
	CHECK_EQ(memory_group_unregister(1), 0);
	CHECK_EQ(memory_group_find_by_id(1), NULL);
	CHECK_EQ(STATIC(2, 1), 1);
	CHECK_EQ(STATIC(2, 1), 3);
}

TEST(GROUP_3, "a dynamic group: a unit of a power of two, at least a block; ids are shared with the static ones")
{
	machine_boot(NULL);
	CHECK_EQ(memory_group_register_dynamic(1, 0), -EINVAL);
	CHECK_EQ(DYNAMIC(1, 3), -EINVAL);
	CHECK_EQ(memory_group_register_dynamic(1, BLOCK_PAGES / 2), -EINVAL);
	CHECK_EQ(memory_group_register_dynamic(1, BLOCK_PAGES + 1), -EINVAL);
	CHECK_EQ(DYNAMIC(4, 1), -EINVAL);
	CHECK_EQ(DYNAMIC(-1, 1), -EINVAL);
	CHECK_EQ(DYNAMIC(1, 1), 0);
	CHECK_EQ(STATIC(1, 1), 1);
	CHECK_EQ(DYNAMIC(1, 16), 2);
	CHECK(memory_group_find_by_id(0)->is_dynamic);
	CHECK(!memory_group_find_by_id(1)->is_dynamic);
}

TEST(GROUP_5, "unregistering: -EINVAL for what is not there, -EBUSY while it has blocks, then the id is free")
{
	int id;

	machine_boot(NULL);
	CHECK_EQ(memory_group_unregister(0), -EINVAL);
	CHECK_EQ(memory_group_unregister(-1), -EINVAL);
	CHECK_EQ(memory_group_unregister(INT_MAX), -EINVAL);
	id = STATIC(1, 4);
	CHECK_EQ(add_to(id, 32, 2), 0);
	CHECK_EQ(memory_group_unregister(id), -EBUSY);
	CHECK_EQ(remove_blocks(32, 1), 0);
	CHECK_EQ(memory_group_unregister(id), -EBUSY);
	CHECK_EQ(remove_blocks(33, 1), 0);
	CHECK_EQ(memory_group_unregister(id), 0);
	CHECK_EQ(memory_group_unregister(id), -EINVAL);
	CHECK_EQ(memory_group_find_by_id(id), NULL);
	CHECK_EQ(DYNAMIC(1, 1), id);
}

static int members(struct memory_group *group)
{
	struct list_head *at;
	int count = 0;

	for (at = group->memory_blocks.next; at != &group->memory_blocks; at = at->next)
		count++;
	return count;
}

TEST(GROUP_6, "MHP_NID_IS_MGID puts every new block in, removal takes it out, and no size is checked")
{
	struct memory_group *group;
	struct memory_block *mem;
	int id;

	machine_boot(NULL);
	id = STATIC(1, 1);
	group = memory_group_find_by_id(id);
	CHECK_EQ(add_to(id, 32, 3), 0); /* three times max_pages */
	CHECK_EQ(members(group), 3);
	mem = get_block(34);
	CHECK_EQ(mem->group, group);
	put_device(&mem->dev);
	CHECK_EQ(remove_blocks(33, 1), 0);
	CHECK_EQ(members(group), 2);
	id = DYNAMIC(1, 4);
	CHECK_EQ(add_to(id, 41, 1), 0); /* not aligned to the unit */
	CHECK_EQ(members(memory_group_find_by_id(id)), 1);
	CHECK_EQ(members(group), 2);
}

static unsigned long kernel_in_event, movable_in_event;
static struct memory_group *watched;

static void note_counts(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	kernel_in_event = watched->present_kernel_pages;
	movable_in_event = watched->present_movable_pages;
}

static void check_counts(unsigned long kernel, unsigned long movable)
{
	CHECK_EQ(watched->present_kernel_pages, kernel);
	CHECK_EQ(watched->present_movable_pages, movable);
}

TEST(GROUP_7, "a group's counts follow its blocks that go online and offline, own descriptors included")
{
	static struct listener listener = { .hook = note_counts };
	int id;

	machine_boot("memory_hotplug.memmap_on_memory = Y\n");
	id = STATIC(1, 8);
	watched = memory_group_find_by_id(id);
	listen_as(&listener, "A", 0);
	CHECK_EQ(add_to(id, 32, 2), 0);
	CHECK_EQ(add_memory(id, 34 * BLOCK_BYTES, BLOCK_BYTES,
			    MHP_NID_IS_MGID | MHP_MEMMAP_ON_MEMORY), 0);
	check_counts(0, 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	check_counts(0, BLOCK_PAGES);
	CHECK_EQ(movable_in_event, BLOCK_PAGES); /* at MEM_ONLINE already */
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	check_counts(BLOCK_PAGES, BLOCK_PAGES);
	CHECK_EQ(set_state(34, "online_kernel"), 0);
	check_counts(2 * BLOCK_PAGES, BLOCK_PAGES);
	listener_answer(&listener, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(34, "offline"), -EPERM);
	check_counts(2 * BLOCK_PAGES, BLOCK_PAGES);
	listener_answer(&listener, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(34, "offline"), 0);
	check_counts(BLOCK_PAGES, BLOCK_PAGES);
	CHECK_EQ(set_state(32, "offline"), 0);
	check_counts(BLOCK_PAGES, 0);
	CHECK_EQ(set_state(33, "offline"), 0);
	check_counts(0, 0);
	listener_answer(&listener, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "online"), -EPERM);
	check_counts(0, 0);
}

TEST(GROUP_8, "without the auto-movable policy a group changes nothing")
{
	machine_boot(NULL);
	CHECK_EQ(add_to(STATIC(1, 1), 32, 3), 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online"), 0);
	CHECK_EQ(set_state(34, "online_kernel"), 0);
	CHECK_STR(read_block(32, "valid_zones"), "Movable");
	CHECK_STR(read_block(33, "valid_zones"), "Normal");
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK_EQ(remove_blocks(33, 1), 0);
	add_blocks(2, 33, 1); /* of no group, between its blocks */
	CHECK_EQ(set_state(33, "online_movable"), 0);
	machine_check();
}

static char seen[256];
static struct memory_group *stop_at;

static int note_group(struct memory_group *group, void *arg)
{
	size_t used = strlen(seen);
	int id;

	for (id = 0; id < 16; id++)
		if (memory_group_find_by_id(id) == group)
			snprintf(seen + used, sizeof(seen) - used, "%d ", id);
	return group == stop_at ? *(int *)arg : 0;
}

static const char *walk(int nid, struct memory_group *excluded, int *answer, int expected)
{
	seen[0] = '\0';
	CHECK_EQ(walk_dynamic_memory_groups(nid, note_group, excluded, answer), expected);
	return seen;
}

TEST(GROUP_9, "walk: dynamic groups by ascending id, of one node or of all, without the excluded one, until non-zero")
{
	int answer = -5;

	machine_boot(NULL);
	CHECK_EQ(DYNAMIC(1, 1), 0);
	CHECK_EQ(STATIC(1, 1), 1);
	CHECK_EQ(DYNAMIC(2, 1), 2);
	CHECK_EQ(DYNAMIC(1, 4), 3);
	CHECK_EQ(DYNAMIC(1, 1), 4);
	CHECK_EQ(memory_group_unregister(0), 0);
	CHECK_EQ(DYNAMIC(3, 1), 0);
	CHECK_STR(walk(-1, NULL, &answer, 0), "0 2 3 4 ");
	CHECK_STR(walk(1, NULL, &answer, 0), "3 4 ");
	CHECK_STR(walk(0, NULL, &answer, 0), "");
	CHECK_STR(walk(-1, memory_group_find_by_id(3), &answer, 0), "0 2 4 ");
	stop_at = memory_group_find_by_id(2);
	CHECK_STR(walk(-1, NULL, &answer, -5), "0 2 ");
	answer = 9;
	CHECK_STR(walk(2, NULL, &answer, 9), "2 ");
}

TEST(GROUP_10, "a look-up takes no lock that adding holds")
{
	struct memory_group *group;
	int id;

	machine_boot(NULL);
	id = STATIC(1, 1);
	plug_lock();
	group = memory_group_find_by_id(id);
	CHECK(group);
	CHECK_EQ(memory_group_find_by_id(id + 1), NULL);
	CHECK_EQ(memory_group_find_by_id(-1), NULL);
	plug_unlock();
}
