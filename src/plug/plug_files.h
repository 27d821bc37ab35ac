/* SPDX-License-Identifier: MIT */
/*
 * Files of the tree that belong to the machine as a whole, made at boot and
 * taken away at shutdown. The register functions return 0 or -errno and leave
 * nothing behind when they fail; the others also accept a second call.
 */
#ifndef MEMPLUG_PLUG_PLUG_FILES_H
#define MEMPLUG_PLUG_PLUG_FILES_H

#include "device/tree.h"

/* /proc/{buddyinfo,iomem,meminfo,pagetypeinfo,vmstat,zoneinfo} */
int proc_register(void);
void proc_unregister(void);
/* /sys/module/memory_hotplug */
int params_register(void);
void params_unregister(void);
/* In a fork child: locks free, no files. */
void params_forget(void);
struct tree_attr;
/* /memplug/inject: the injector by its module's words. */
extern const struct tree_attr inject_module_attr;
/* From here on mp_inject_load() may be called; unregister also unloads. */
int inject_tree_register(void);
void inject_tree_unregister(void);
/* In a fork child: not loaded, injects nothing. */
void inject_tree_forget(void);
/* /sys/firmware/memmap: entries there are and those that come. */
int firmware_map_register(void);
void firmware_map_unregister(void);

/* /memplug */
int own_files_register(void);
void own_files_unregister(void);
/* Its files `add` and `remove` (own_plug.c). */
extern const struct tree_attr own_add_attr, own_remove_attr;
/* Its files `plan` (own_plan.c), `events` and `callbacks` (own_events.c). */
extern const struct tree_attr own_plan_attr, own_events_attr, own_callbacks_attr;
/* Text of its file `map`, from the layer of mappings. */
extern ssize_t (*own_map_show_hook)(char **buf);
/* In a fork child: nothing was refused. */
void own_plug_forget(void);

#endif
