/* SPDX-License-Identifier: MIT */
/* The memory that a machine is born with; called by boot.c, in this order. */
#ifndef MEMPLUG_PLUG_BOOT_RAM_H
#define MEMPLUG_PLUG_BOOT_RAM_H

#include "plug/desc.h"

/* Backing, sections, zones, node masks, resources. 0 or -errno, with a reason. */
int ram_populate(const struct mp_desc *desc, u64 block_size);
/* The devices of its blocks, then their links to the nodes. */
int ram_devices(const struct mp_desc *desc);
int ram_links(const struct mp_desc *desc);

#endif
