/* SPDX-License-Identifier: MIT */
/* Modules in kernel form linked into this program (linux/module.h). */
#ifndef MEMPLUG_MODULE_H
#define MEMPLUG_MODULE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Runs a module's init now. 0, -ENOENT, -EEXIST (loaded), or what init returned. */
int mp_module_load(const char *name);
/* Runs its exit. 0, -ENOENT, -EBUSY (it has none). */
int mp_module_unload(const char *name);

#ifdef __cplusplus
}
#endif
#endif
