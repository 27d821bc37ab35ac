// SPDX-License-Identifier: MIT
/*
 * The files of /sys/devices/system/cpu and of its CPUs: lists made from the
 * masks at each read, without a lock, and hotplug/target, which is one more
 * way to bring a CPU up or down (CPU-2). No state.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "block/cpu.h"
#include "device/bus.h"
#include "device/text.h"
#include "device/tree.h"

/* What Linux calls the steps of bringing a CPU up; here there is only the last one. */
#define STATE_OFFLINE 0
#define STATE_ONLINE 1

static ssize_t show_mask(char *buf, const struct cpumask *mask)
{
	struct cpumask copy;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(copy.bits); i++)
		copy.bits[i] = READ_ONCE(mask->bits[i]);
	return page_print_list(buf, copy.bits, NR_CPUS);
}

static ssize_t possible_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return show_mask(buf, cpu_possible_mask);
}

static ssize_t present_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return show_mask(buf, cpu_present_mask);
}

static ssize_t online_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return show_mask(buf, cpu_online_mask);
}

/* Possible ones that are not online, present or not. */
static ssize_t offline_show(void *owner, const struct tree_attr *attr, char *buf)
{
	struct cpumask mask = { 0 };
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			cpumask_set_cpu(cpu, &mask);
	return show_mask(buf, &mask);
}

static ssize_t kernel_max_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "%d\n", NR_CPUS - 1);
}

static ssize_t states_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "%3d: offline\n%3d: online\n", STATE_OFFLINE, STATE_ONLINE);
}

static ssize_t state_show(void *owner, const struct tree_attr *attr, char *buf)
{
	const struct device *dev = owner;

	return page_printf(buf, 0, "%d\n", cpu_online(dev->id) ? STATE_ONLINE : STATE_OFFLINE);
}

static ssize_t target_store(void *owner, const struct tree_attr *attr, const char *buf,
			    size_t count)
{
	struct device *dev = owner;
	s64 target;
	int ret = parse_s64(buf, &target);

	if (ret)
		return ret;
	if (target != STATE_OFFLINE && target != STATE_ONLINE)
		return -EINVAL;
	ret = lock_device_hotplug_sysfs();
	if (ret)
		return ret;
	ret = target == STATE_ONLINE ? device_online(dev) : device_offline(dev);
	unlock_device_hotplug();
	return ret < 0 ? ret : (ssize_t)count;
}

#define SHOW_ATTR(file)                                                                            \
	static const struct tree_attr file##_attr = { .name = #file, .mode = 0444,                 \
						      .show = file##_show }
SHOW_ATTR(possible);
SHOW_ATTR(present);
SHOW_ATTR(online);
SHOW_ATTR(offline);
SHOW_ATTR(kernel_max);
static const struct tree_attr states_attr = { .name = "hotplug/states", .mode = 0444,
					      .show = states_show };
static const struct tree_attr state_attr = { .name = "hotplug/state", .mode = 0444,
					     .show = state_show };
static const struct tree_attr target_attr = { .name = "hotplug/target", .mode = 0644,
					      .show = state_show, .store = target_store };

const struct tree_attr *const cpu_root_attrs[] = {
	&possible_attr, &present_attr, &online_attr, &offline_attr, &kernel_max_attr, &states_attr,
	NULL,
};
const struct tree_attr *const cpu_dev_attrs[] = { &state_attr, &target_attr, NULL };
