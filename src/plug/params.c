/* SPDX-License-Identifier: MIT */
/*
 * /sys/module/memory_hotplug: the parameters of zone policy (PARAM-1..7). The
 * values belong to hotplug/policy.c, which reads them at each decision; the
 * lock here orders writers among each other.
 */
#include <linux/errno.h>
#include <linux/mutex.h>
#include "device/bus.h"
#include "device/text.h"
#include "device/uevent.h"
#include "hotplug/hotplug.h"
#include "plug/plug_files.h"
#include "sync/changes.h"

static struct {
	struct mutex lock;
	struct mp_dir *dir;
} params = { .lock = __MUTEX_INITIALIZER(params) };

static const char *const policies[] = {
	[ONLINE_POLICY_CONTIG_ZONES] = "contig-zones",
	[ONLINE_POLICY_AUTO_MOVABLE] = "auto-movable",
};

static ssize_t online_policy_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "%s\n", policies[READ_ONCE(online_policy)]);
}

static ssize_t online_policy_store(void *owner, const struct tree_attr *attr, const char *buf,
				   size_t count)
{
	int i;

	for (i = 0; i < (int)ARRAY_SIZE(policies); i++) {
		if (!sysfs_streq(buf, policies[i]))
			continue;
		mutex_lock(&params.lock);
		changes_begin();
		WRITE_ONCE(online_policy, i);
		changes_end();
		mutex_unlock(&params.lock);
		return (ssize_t)count;
	}
	return -EINVAL;
}

static ssize_t ratio_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "%u\n", READ_ONCE(auto_movable_ratio));
}

static ssize_t ratio_store(void *owner, const struct tree_attr *attr, const char *buf,
			   size_t count)
{
	u32 ratio;
	int error = parse_u32(buf, &ratio);

	if (error)
		return error;
	mutex_lock(&params.lock);
	changes_begin();
	WRITE_ONCE(auto_movable_ratio, ratio);
	changes_end();
	mutex_unlock(&params.lock);
	return (ssize_t)count;
}

static ssize_t show_bool(char *buf, bool value)
{
	return page_printf(buf, 0, "%c\n", value ? 'Y' : 'N');
}

static ssize_t numa_aware_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return show_bool(buf, READ_ONCE(auto_movable_numa_aware));
}

static ssize_t numa_aware_store(void *owner, const struct tree_attr *attr, const char *buf,
				size_t count)
{
	bool aware;
	int error = parse_bool(buf, &aware);

	if (error)
		return error;
	mutex_lock(&params.lock);
	changes_begin();
	WRITE_ONCE(auto_movable_numa_aware, aware);
	changes_end();
	mutex_unlock(&params.lock);
	return (ssize_t)count;
}

static ssize_t memmap_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return show_bool(buf, READ_ONCE(memmap_on_memory));
}

static ssize_t module_uevent_store(void *owner, const struct tree_attr *attr, const char *buf,
				   size_t count)
{
	return uevent_store("/module/memory_hotplug", "module", buf, count);
}

static const struct tree_attr uevent_attr = { .name = "uevent", .mode = 0200,
					      .store = module_uevent_store };
static const struct tree_attr policy_attr = { .name = "parameters/online_policy", .mode = 0644,
					      .show = online_policy_show,
					      .store = online_policy_store };
static const struct tree_attr ratio_attr = { .name = "parameters/auto_movable_ratio", .mode = 0644,
					     .show = ratio_show, .store = ratio_store };
static const struct tree_attr numa_aware_attr = { .name = "parameters/auto_movable_numa_aware",
						  .mode = 0644, .show = numa_aware_show,
						  .store = numa_aware_store };
static const struct tree_attr memmap_attr = { .name = "parameters/memmap_on_memory", .mode = 0444,
					      .show = memmap_show };
static const struct tree_attr *const module_attrs[] = {
	&uevent_attr, &policy_attr, &ratio_attr, &numa_aware_attr, &memmap_attr, NULL,
};

void params_forget(void)
{
	mutex_init(&params.lock);
	params.dir = NULL;
}

int params_register(void)
{
	struct mp_dir *parent;
	int error;

	parent = tree_mkpath(tree_root, "sys/module", &error);
	if (!parent)
		return error;
	params.dir = tree_mkdir(parent, "memory_hotplug", module_attrs, NULL, &error);
	return error;
}

void params_unregister(void)
{
	tree_rmdir(params.dir);
	params.dir = NULL;
}
