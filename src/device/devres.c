/* SPDX-License-Identifier: MIT */
/*
 * What is to be done when a device goes: its list of actions, the latest first.
 * One lock guards the lists of all devices; no action runs under it.
 */
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/list.h>
#include "device/device_internal.h"
#include "os/os.h"
#include "sync/thread.h"

struct action {
	struct list_head node;
	void (*fn)(void *data);
	void *data;
};

static DEFINE_MUTEX(devres_lock);

static void reset_after_fork(void)
{
	mutex_init(&devres_lock);
}

__attribute__((constructor)) static void devres_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

int devm_add_action(struct device *dev, void (*fn)(void *data), void *data)
{
	struct action *action;

	if (!dev || !fn)
		return -EINVAL;
	action = os_alloc(sizeof(*action));
	if (!action)
		return -ENOMEM;
	action->fn = fn;
	action->data = data;
	mutex_lock(&devres_lock);
	list_add(&action->node, &dev->actions);
	mutex_unlock(&devres_lock);
	return 0;
}

int devm_add_action_or_reset(struct device *dev, void (*fn)(void *data), void *data)
{
	int ret = devm_add_action(dev, fn, data);

	if (ret && fn)
		fn(data);
	return ret;
}

/* The latest action like this, taken off the list; NULL: none. */
static struct action *take(struct device *dev, void (*fn)(void *data), void *data)
{
	struct action *action, *found = NULL;

	if (!dev)
		return NULL;
	mutex_lock(&devres_lock);
	list_for_each_entry(action, &dev->actions, node) {
		if (action->fn == fn && action->data == data) {
			found = action;
			list_del(&found->node);
			break;
		}
	}
	mutex_unlock(&devres_lock);
	return found;
}

void devm_remove_action(struct device *dev, void (*fn)(void *data), void *data)
{
	struct action *action = take(dev, fn, data);

	WARN(!action, "%s has no such action to remove", dev ? dev->name : "(no device)");
	os_free(action);
}

void devm_release_action(struct device *dev, void (*fn)(void *data), void *data)
{
	struct action *action = take(dev, fn, data);

	if (!WARN(!action, "%s has no such action to release", dev ? dev->name : "(no device)"))
		action->fn(action->data);
	os_free(action);
}

void devres_release_all(struct device *dev)
{
	struct action *action;

	for (;;) {
		mutex_lock(&devres_lock);
		action = list_empty(&dev->actions) ? NULL :
			 list_first_entry(&dev->actions, struct action, node);
		if (action)
			list_del(&action->node);
		mutex_unlock(&devres_lock);
		if (!action)
			return;
		action->fn(action->data);
		os_free(action);
	}
}
