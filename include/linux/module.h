/* SPDX-License-Identifier: MIT */
/*
 * A source file in kernel-module form, linked into a program. Its init
 * function runs at the end of mp_boot(), or at once when the file is loaded
 * (dlopen) into a process whose machine runs; see memplug/module.h.
 */
#if __has_include_next(<linux/module.h>)
#include_next <linux/module.h>
#endif

#ifndef MEMPLUG_LINUX_MODULE_H
#define MEMPLUG_LINUX_MODULE_H

#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/init.h>
#include <linux/export.h>

#ifndef KBUILD_MODNAME
#define KBUILD_MODNAME __FILE__
#endif

struct module;
#define THIS_MODULE ((struct module *)0)

struct mp_module {
	const char *name;
	int (*init)(void);
	void (*exit)(void);
	int state; /* 0 known, 1 loaded, negative errno: init refused */
	struct mp_module *next;
};

void mp_module_add_init(struct mp_module *mod);
void mp_module_add_exit(const char *name, void (*exit)(void));

#define module_init(fn)                                                                            \
	static struct mp_module mp_this_module = { .name = KBUILD_MODNAME, .init = fn };           \
	__attribute__((constructor)) static void mp_module_ctor(void)                              \
	{                                                                                          \
		mp_module_add_init(&mp_this_module);                                               \
	}                                                                                          \
	static int (*const mp_module_init_fn)(void) __maybe_unused = fn
#define module_exit(fn)                                                                            \
	__attribute__((constructor)) static void mp_module_exit_ctor(void)                         \
	{                                                                                          \
		mp_module_add_exit(KBUILD_MODNAME, fn);                                            \
	}                                                                                          \
	static void (*const mp_module_exit_fn)(void) __maybe_unused = fn

#define MODULE_LICENSE(s) _Static_assert(sizeof(s) > 0, "licence")
#define MODULE_AUTHOR(s) _Static_assert(sizeof(s) > 0, "author")
#define MODULE_DESCRIPTION(s) _Static_assert(sizeof(s) > 0, "description")
#define MODULE_VERSION(s) _Static_assert(sizeof(s) > 0, "version")
#define module_param(name, type, perm) _Static_assert(sizeof(name) > 0, "parameter")
#define MODULE_PARM_DESC(name, text) _Static_assert(sizeof(text) > 0, "parameter")

#endif
