/* SPDX-License-Identifier: MIT */
/* What the extents of ordinary memory do for windows of device memory that lie among them. */
#ifndef MEMPLUG_BACKING_EXTENT_H
#define MEMPLUG_BACKING_EXTENT_H

#include <linux/types.h>

/* What was mapped at [start, start + size) beside device memory is again: holes of boot RAM, or
 * nothing. What the host refuses is logged. mem_hotplug_lock (write). */
void backing_restore(u64 start, u64 size);
/* Forgets all windows and files. */
void backing_device_exit(void);

#endif
