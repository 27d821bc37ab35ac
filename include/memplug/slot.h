/* SPDX-License-Identifier: MIT */
/*
 * Firmware slots: DIMMs and processors that are plugged in and taken out, with
 * a driver that behaves as ACPI's. It holds device_hotplug_lock over a whole
 * operation (CPU-2), so nothing else comes or goes meanwhile.
 *
 * | call                      | needs                      | takes               | may sleep |
 * | mp_slot_plug, _eject      | no lock of the library     | device_hotplug_lock | yes       |
 * | mp_slot_get, _on_status   | no lock of the library     | device_hotplug_lock | yes       |
 * | mp_cpu_plug, _eject, _move| no lock of the library     | device_hotplug_lock | yes       |
 *
 * From a memory event callback each of them calls the fatal hook and, if that
 * returns, gives -EDEADLK. Without a machine: -ENXIO.
 */
#ifndef MEMPLUG_SLOT_H
#define MEMPLUG_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MP_SLOTS 256 /* numbered from 0 */

/* What a status is about. */
#define MP_SLOT_SOURCE_INSERT 0x1
#define MP_SLOT_SOURCE_EJECT 0x3   /* mp_slot_eject() */
#define MP_SLOT_SOURCE_OS 0x103	   /* a write to the slot's file `eject` */
/* Statuses, numbered as ACPI's. */
#define MP_SLOT_OK 0x0
#define MP_SLOT_FAILED 0x1
#define MP_SLOT_BUSY 0x82     /* a block refused to go offline */
#define MP_SLOT_EJECTING 0x84 /* begun */

/*
 * Plugs a DIMM of `size` bytes at physical address `start` of node `nid` (-1:
 * the first node) into a slot: its memory becomes a static memory group, is
 * added (with its descriptors on itself where memmap_on_memory allows), and its
 * blocks are linked with the slot's device PNP0C80:NN (`firmware_node`). Whether
 * they go online is auto_online_blocks' business. Memory that is there already, as
 * whole blocks of no other slot, is taken over.
 *
 * 0. Nothing is plugged: -EINVAL (no such slot, size 0, the range wraps), -EEXIST (slot
 * or range belong to a DIMM), -ENOMEM. The DIMM sits in its slot but its
 * memory is not used, as with ACPI, which reports MP_SLOT_OK all the same: the
 * errno of add_memory() or memory_group_register_static(); eject it and try again.
 */
int mp_slot_plug(int slot, uint64_t start, uint64_t size, int nid);
/*
 * Takes the DIMM out: all its blocks are put offline, those that refuse a
 * second time; then the memory is removed and the slot is free. When one
 * refuses twice, the blocks that this call put offline go online again by
 * the default policy, and the DIMM stays.
 *
 * 0; -ENOENT (empty slot), -EINVAL (no such slot); -EBUSY: mp_last_reason()
 * tells which block and why. Statuses: MP_SLOT_EJECTING, then MP_SLOT_OK,
 * MP_SLOT_BUSY or MP_SLOT_FAILED (blocks offline, but not to be removed: its errno).
 */
int mp_slot_eject(int slot);

struct mp_slot_info {
	uint64_t start, size;
	int nid;	/* -1 was replaced */
	int group;	/* the memory group, or negative */
	bool enabled;	/* its memory is in use */
};
/* What is in a slot: 0, -ENOENT (nothing), -EINVAL. */
int mp_slot_get(int slot, struct mp_slot_info *info);

/*
 * Who is told the statuses (NULL: nobody). Called under device_hotplug_lock,
 * so it must not call what takes that. Stays over shutdown and boot. 0, or
 * -EDEADLK from a memory event callback.
 */
int mp_slot_on_status(void (*fn)(int slot, int source, int status, void *arg), void *arg);

/*
 * A processor that the description has as absent, or that was ejected, is
 * present from now on; add_cpu() brings it up. 0, -EINVAL (not a CPU of the
 * machine), -EEXIST (present), -ENOMEM.
 */
int mp_cpu_plug(int cpu);
/*
 * Takes a CPU down if it is up, and away. The last reason for its node to be
 * online may go with it (NODE-7). 0, -EINVAL (not present), and remove_cpu()'s -EPERM and -EBUSY.
 */
int mp_cpu_eject(int cpu);
/*
 * An offline or absent CPU belongs to node `nid` from its next coming online
 * (CPU-6). 0, -EINVAL (no such CPU or node), -EBUSY (online).
 */
int mp_cpu_move(int cpu, int nid);

#ifdef __cplusplus
}
#endif
#endif
