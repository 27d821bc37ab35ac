/* SPDX-License-Identifier: MIT */
/* Modules in kernel form linked into this program (linux/module.h). */
#ifndef MEMPLUG_MODULE_H
#define MEMPLUG_MODULE_H

#ifdef __cplusplus
extern "C" {
#endif

/* Runs a module's init now; may sleep, not from a callback. 0, -ENOENT (none has that name, or NULL), -EEXIST (loaded), or what init returned. */
int mp_module_load(const char *name);
/* Runs its exit; as above. 0, -ENOENT (also: not loaded), -EBUSY (it has none). */
int mp_module_unload(const char *name);

#ifdef __cplusplus
}
#endif
#endif
