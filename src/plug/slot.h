/* SPDX-License-Identifier: MIT */
/* What the DIMM driver (slot.c) and the files of its devices (slot_files.c) share. */
#ifndef MEMPLUG_PLUG_SLOT_H
#define MEMPLUG_PLUG_SLOT_H

#include <linux/memory.h>
#include <memplug/slot.h>

struct mp_dir;

/* A DIMM; all of it is guarded by device_hotplug_lock. */
struct slot {
	int number, nid;
	u64 start, size;
	int group;		   /* < 0: none */
	bool enabled;		   /* its memory is in use */
	struct mp_dir *dir;	   /* its device PNP0C80:NN, or NULL */
	unsigned long linked;	   /* physical_node links made so far */
	unsigned long nr_blocks;   /* room in put_offline */
	u8 put_offline[];	   /* by block: the eject that runs put it offline */
};

/* The places of the devices in the tree. 0 or -errno. */
int slots_register(void);
/* No DIMM is plugged; their memory goes with the machine. */
void slots_exit(void);
/* In a fork child: no DIMM is plugged. */
void slots_forget(void);
/* mp_slot_eject() on behalf of a file; device_hotplug_lock held. The slot is freed on success. */
int slot_eject_locked(struct slot *slot, int source);

/* ---- slot_files.c ---- */
int slot_files_register(void);
/* The directory and its link on the bus. 0 or -errno. */
int slot_files_add(struct slot *slot);
/* Waits for whoever reads them. */
void slot_files_remove(struct slot *slot);
/* firmware_node and physical_node of a block of the DIMM. 0 or -errno. */
int slot_files_link(struct slot *slot, struct memory_block *mem);

#endif
