// SPDX-License-Identifier: MIT
/*
 * Memory groups: what belongs together when a driver plugs it (GROUP-1..10).
 * One mutex guards the table of ids; a group's counters change under
 * mem_hotplug_lock, its block list under device_hotplug_lock.
 */
#include "hotplug/hotplug.h"
#include "os/os.h"
#include "report/report.h"
#include "sync/thread.h"

static struct {
	struct mutex lock;
	struct memory_group **table;
	int size;
} groups;

static void reset_after_fork(void)
{
	mutex_init(&groups.lock);
	groups.table = NULL;
	groups.size = 0;
}

__attribute__((constructor)) static void groups_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

/* Lowest free id; grows the table. groups.lock held. */
static int id_take(struct memory_group *group)
{
	struct memory_group **larger;
	int id, size;

	for (id = 0; id < groups.size; id++)
		if (!groups.table[id])
			goto found;
	size = groups.size ? groups.size * 2 : 16;
	if (size < 0)
		return -EBUSY;
	larger = os_alloc((size_t)size * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	if (groups.table)
		memcpy(larger, groups.table, (size_t)groups.size * sizeof(*larger));
	os_free(groups.table);
	groups.table = larger;
	groups.size = size;
found:
	groups.table[id] = group;
	return id;
}

static int group_register(const struct memory_group *model)
{
	struct memory_group *group;
	int id;

	if (!nr_node_ids)
		return -ENXIO;
	if (model->nid < 0 || !node_possible(model->nid))
		return -EINVAL;
	group = os_alloc(sizeof(*group));
	if (!group)
		return -ENOMEM;
	*group = *model;
	INIT_LIST_HEAD(&group->memory_blocks);
	mutex_lock(&groups.lock);
	id = id_take(group);
	mutex_unlock(&groups.lock);
	if (id < 0)
		os_free(group);
	return id;
}

int memory_group_register_static(int nid, unsigned long max_pages)
{
	struct memory_group model = { .nid = nid, .s = { .max_pages = max_pages } };

	return max_pages ? group_register(&model) : -EINVAL;
}

int memory_group_register_dynamic(int nid, unsigned long unit_pages)
{
	struct memory_group model = {
		.nid = nid,
		.is_dynamic = true,
		.d = { .unit_pages = unit_pages },
	};

	if (!unit_pages || (unit_pages & (unit_pages - 1)) ||
	    unit_pages < PHYS_PFN(memory_block_size_bytes()))
		return -EINVAL;
	return group_register(&model);
}

static struct memory_group *find_locked(int id)
{
	return id >= 0 && id < groups.size ? groups.table[id] : NULL;
}

int memory_group_unregister(int mgid)
{
	struct memory_group *group;
	int ret = 0;

	mutex_lock(&groups.lock);
	group = find_locked(mgid);
	if (!group)
		ret = -EINVAL;
	else if (!list_empty(&group->memory_blocks))
		ret = -EBUSY;
	else
		groups.table[mgid] = NULL;
	mutex_unlock(&groups.lock);
	if (!ret)
		os_free(group);
	return ret;
}

struct memory_group *memory_group_find_by_id(int mgid)
{
	struct memory_group *group;

	mutex_lock(&groups.lock);
	group = find_locked(mgid);
	mutex_unlock(&groups.lock);
	return group;
}

/* The next group with an id >= *id, which gets its id; NULL: no more. */
static struct memory_group *group_from(int *id)
{
	struct memory_group *group = NULL;

	mutex_lock(&groups.lock);
	for (; *id < groups.size; (*id)++) {
		group = groups.table[*id];
		if (group)
			break;
	}
	mutex_unlock(&groups.lock);
	return group;
}

/* The lock is not held around fn, which may look groups up (GROUP-10). */
int walk_dynamic_memory_groups(int nid, walk_memory_groups_func_t fn,
			       struct memory_group *excluded, void *arg)
{
	struct memory_group *group;
	int id, ret = 0;

	for (id = 0; !ret && (group = group_from(&id)); id++) {
		if (group == excluded || !group->is_dynamic)
			continue;
		if (nid == NUMA_NO_NODE || group->nid == nid)
			ret = fn(group, arg);
	}
	return ret;
}

void group_adjust_present(struct memory_group *group, struct zone *zone, long nr_pages)
{
	if (!group)
		return;
	/* Read without a lock by whoever looks at valid_zones. */
	if (zone_idx(zone) == ZONE_MOVABLE)
		WRITE_ONCE(group->present_movable_pages,
			   group->present_movable_pages + (unsigned long)nr_pages);
	else
		WRITE_ONCE(group->present_kernel_pages,
			   group->present_kernel_pages + (unsigned long)nr_pages);
}

void groups_exit(void)
{
	int id;

	for (id = 0; id < groups.size; id++)
		os_free(groups.table[id]);
	os_free(groups.table);
	groups.table = NULL;
	groups.size = 0;
}
