/* SPDX-License-Identifier: MIT */
/*
 * Notifier error injection (INJECT-1..8): a callback on the memory chain that
 * answers what is written to a file. It plays the part of a module: loaded and
 * unloaded while a machine runs, gone with it. `lock` guards loading; the
 * values are atomics, since the callback reads them while files are written.
 */
#include <string.h>
#include <linux/errno.h>
#include <linux/memory.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include "device/bus.h"
#include "device/text.h"
#include "plug/plug_files.h"

#define NUMBER_MAX 23 /* characters of a write that count */
#define MAX_ERRNO 4095

struct action {
	unsigned long event;
	const char *name;
	int error; /* atomic; -MAX_ERRNO..0 */
};

static int inject_call(struct notifier_block *nb, unsigned long event, void *data);

static struct {
	struct mutex lock;
	bool machine; /* between register and unregister of the tree */
	struct mp_dir *dir; /* NULL: not loaded */
	struct notifier_block block;
	bool registered;
	struct action actions[2];
} inject = {
	.lock = __MUTEX_INITIALIZER(inject),
	.block = { .notifier_call = inject_call },
	.actions = {
		{ .event = MEM_GOING_ONLINE, .name = "MEM_GOING_ONLINE" },
		{ .event = MEM_GOING_OFFLINE, .name = "MEM_GOING_OFFLINE" },
	},
};

static int inject_call(struct notifier_block *nb, unsigned long event, void *data)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(inject.actions); i++) {
		int error = READ_ONCE(inject.actions[i].error);

		if (inject.actions[i].event != event || !error)
			continue;
		pr_info("Injecting error (%d) to %s\n", error, inject.actions[i].name);
		return notifier_from_errno(error);
	}
	return NOTIFY_OK;
}

static ssize_t error_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return page_printf(buf, 0, "%d\n", READ_ONCE(inject.actions[attr->data].error));
}

static ssize_t error_store(void *owner, const struct tree_attr *attr, const char *buf,
			   size_t count)
{
	char text[NUMBER_MAX + 1] = "";
	s64 value;
	int error;

	memcpy(text, buf, min(count, (size_t)NUMBER_MAX));
	error = parse_s64(text, &value);
	if (error)
		return error;
	/* To an int first: 4294967284 is -12 (INJECT-5). */
	WRITE_ONCE(inject.actions[attr->data].error, clamp((int)value, -MAX_ERRNO, 0));
	return (ssize_t)count;
}

static const struct tree_attr going_online_attr = { .name = "error", .mode = 0600,
						    .show = error_show, .store = error_store,
						    .data = 0 };
static const struct tree_attr going_offline_attr = { .name = "error", .mode = 0600,
						     .show = error_show, .store = error_store,
						     .data = 1 };
static const struct tree_attr *const action_attrs[2][2] = {
	{ &going_online_attr, NULL },
	{ &going_offline_attr, NULL },
};

/* .../memory/actions/EVENT/error; *memory is the directory to take away again. */
static int make_files(struct mp_dir *base, struct mp_dir **memory)
{
	struct mp_dir *actions;
	int error;
	size_t i;

	*memory = tree_mkdir(base, "memory", NULL, NULL, &error);
	if (!*memory)
		return error;
	actions = tree_mkdir(*memory, "actions", NULL, NULL, &error);
	for (i = 0; actions && !error && i < ARRAY_SIZE(inject.actions); i++)
		tree_mkdir(actions, inject.actions[i].name, action_attrs[i], NULL, &error);
	if (error)
		tree_rmdir(*memory);
	return error;
}

static int load_locked(int priority)
{
	struct mp_dir *base, *memory;
	int error;

	if (!inject.machine)
		return -ENXIO;
	if (inject.dir)
		return -EEXIST;
	base = tree_mkpath(tree_root, "sys/kernel/debug/notifier-error-inject", &error);
	if (!base)
		return error;
	error = make_files(base, &memory);
	if (error)
		return error;
	/* The chain outlives the machine, so a fork child may have it there still. */
	if (inject.registered)
		unregister_memory_notifier(&inject.block);
	inject.block.priority = priority;
	error = register_memory_notifier(&inject.block);
	inject.registered = !error;
	if (error) {
		tree_rmdir(memory);
		return error;
	}
	inject.dir = memory;
	return 0;
}

static int unload_locked(void)
{
	size_t i;

	if (!inject.dir)
		return inject.machine ? -ENOENT : -ENXIO;
	unregister_memory_notifier(&inject.block);
	inject.registered = false;
	tree_rmdir(inject.dir);
	inject.dir = NULL;
	for (i = 0; i < ARRAY_SIZE(inject.actions); i++)
		WRITE_ONCE(inject.actions[i].error, 0);
	return 0;
}

int mp_inject_load(int priority)
{
	int error;

	mutex_lock(&inject.lock);
	error = load_locked(priority);
	mutex_unlock(&inject.lock);
	return error;
}

int mp_inject_unload(void)
{
	int error;

	mutex_lock(&inject.lock);
	error = unload_locked();
	mutex_unlock(&inject.lock);
	return error;
}

static ssize_t module_show(void *owner, const struct tree_attr *attr, char *buf)
{
	ssize_t length;

	mutex_lock(&inject.lock);
	length = inject.dir ? page_printf(buf, 0, "memory priority=%d\n", inject.block.priority) : 0;
	mutex_unlock(&inject.lock);
	return length;
}

/* "load", "load priority=N", "unload": what modprobe is told about the kernel's module. */
static ssize_t module_store(void *owner, const struct tree_attr *attr, const char *buf,
			    size_t count)
{
	static const char load[] = "load priority=";
	char text[NUMBER_MAX + 1] = "";
	s64 priority = 0;
	int error;

	if (sysfs_streq(buf, "unload")) {
		error = mp_inject_unload();
		return error ?: (ssize_t)count;
	}
	if (!sysfs_streq(buf, "load")) {
		if (strncmp(buf, load, sizeof(load) - 1))
			return -EINVAL;
		strncpy(text, buf + sizeof(load) - 1, NUMBER_MAX);
		error = parse_s64(text, &priority);
		if (error)
			return error;
		if (priority != (int)priority)
			return -ERANGE;
	}
	error = mp_inject_load((int)priority);
	return error ?: (ssize_t)count;
}

const struct tree_attr inject_module_attr = { .name = "inject", .mode = 0644, .waits = true,
					      .show = module_show, .store = module_store };

int inject_tree_register(void)
{
	int error;

	mutex_lock(&inject.lock);
	/* There before it holds anything, as a mounted debugfs is. */
	if (tree_mkpath(tree_root, "sys/kernel/debug", &error)) {
		inject.machine = true;
		error = 0;
	}
	mutex_unlock(&inject.lock);
	return error;
}

void inject_tree_forget(void)
{
	size_t i;

	mutex_init(&inject.lock);
	inject.machine = false;
	inject.dir = NULL;
	for (i = 0; i < ARRAY_SIZE(inject.actions); i++)
		inject.actions[i].error = 0;
}

void inject_tree_unregister(void)
{
	mutex_lock(&inject.lock);
	unload_locked();
	inject.machine = false;
	mutex_unlock(&inject.lock);
}
