// SPDX-License-Identifier: MIT
/*
 * Modules in kernel form linked into the program: known from constructors on,
 * initialised when a machine runs. One mutex guards the list.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <memplug/module.h>
#include "plug/plug.h"
#include "report/report.h"
#include "sync/thread.h"

static struct {
	struct mutex lock;
	struct mp_module *first;
	struct { const char *name; void (*exit)(void); } pending; /* exit seen before init */
} modules;

static void reset_after_fork(void)
{
	mutex_init(&modules.lock);
}

__attribute__((constructor(101))) static void modules_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

static struct mp_module *find(const char *name)
{
	struct mp_module *mod;

	for (mod = modules.first; mod; mod = mod->next)
		if (!strcmp(mod->name, name))
			return mod;
	return NULL;
}

static int load(struct mp_module *mod)
{
	int ret = mod->init ? mod->init() : 0;

	mod->state = ret ? (ret < 0 ? ret : -EINVAL) : 1;
	if (ret)
		pr_warn("module %s: init returned %d", mod->name, ret);
	return ret;
}

void mp_module_add_init(struct mp_module *mod)
{
	struct mp_module **at;

	mutex_lock(&modules.lock);
	if (modules.pending.name && !strcmp(modules.pending.name, mod->name)) {
		mod->exit = modules.pending.exit;
		modules.pending.name = NULL;
	}
	for (at = &modules.first; *at; at = &(*at)->next)
		;
	*at = mod;
	mutex_unlock(&modules.lock);
	if (READ_ONCE(machine_booted))
		load(mod);
}

void mp_module_add_exit(const char *name, void (*exit)(void))
{
	struct mp_module *mod;

	mutex_lock(&modules.lock);
	mod = find(name);
	if (mod) {
		mod->exit = exit;
	} else {
		modules.pending.name = name;
		modules.pending.exit = exit;
	}
	mutex_unlock(&modules.lock);
}

void modules_load_all(void)
{
	struct mp_module *mod;

	for (mod = modules.first; mod; mod = mod->next)
		if (mod->state == 0)
			load(mod);
}

int mp_module_load(const char *name)
{
	struct mp_module *mod;

	mutex_lock(&modules.lock);
	mod = name ? find(name) : NULL;
	mutex_unlock(&modules.lock);
	if (!mod)
		return -ENOENT;
	return mod->state == 1 ? -EEXIST : load(mod);
}

int mp_module_unload(const char *name)
{
	struct mp_module *mod;

	mutex_lock(&modules.lock);
	mod = name ? find(name) : NULL;
	mutex_unlock(&modules.lock);
	if (!mod || mod->state != 1)
		return -ENOENT;
	if (!mod->exit)
		return -EBUSY;
	mod->exit();
	mod->state = -ENODEV; /* not loaded by the next boot either */
	return 0;
}
