/* SPDX-License-Identifier: MIT */
/* The counters that nodeN/vmstat, /proc/vmstat and /proc/zoneinfo share. */
#ifndef MEMPLUG_BLOCK_VMSTAT_H
#define MEMPLUG_BLOCK_VMSTAT_H

#include <linux/mmzone.h>
#include "device/text.h"

/* One "NAME VALUE" line per counter, `indent` before it, NAME padded to `width`. */
void vmstat_zone_counters(struct text *text, const char *indent, int width, unsigned long free);
void vmstat_numa_counters(struct text *text, const char *indent, int width, unsigned long hits);
void vmstat_node_counters(struct text *text, const char *indent, int width);

/* Sums over the zones of a node. */
unsigned long node_free_pages(const pg_data_t *node);
unsigned long node_managed_pages(const pg_data_t *node);
/* Pages that were allocated on the node. */
unsigned long node_allocations(const pg_data_t *node);

#endif
