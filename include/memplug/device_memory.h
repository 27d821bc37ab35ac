/* SPDX-License-Identifier: MIT */
/*
 * What stands behind device memory (<linux/memremap.h>) in this process: a
 * range is a window onto a host's file if one was given, else plain memory,
 * zeroed. And the CPU's access to memory that it cannot address.
 */
#ifndef MEMPLUG_DEVICE_MEMORY_H
#define MEMPLUG_DEVICE_MEMORY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct page;

/*
 * From now on memremap_pages() of ranges within [start, start + size), in
 * physical bytes, maps the file `fd` from `offset` on: what is written there
 * arrives in the file. start and size are whole 2 MiB, offset whole pages. The
 * descriptor is duplicated; the file must be that long, and must not be cut
 * shorter while it is mapped (SIGBUS). Until mp_device_file_remove() or
 * mp_shutdown(). Takes a short lock; may sleep.
 *
 * 0; -ENXIO (no machine), -EINVAL (alignment; size 0; the file is shorter; not
 * addressable), -EBADF, -EEXIST (overlaps another file's range), -EBUSY (device
 * memory is there already), -ENOMEM, -EMFILE.
 */
int mp_device_file(uint64_t start, uint64_t size, int fd, uint64_t offset);

/* Forgets the file given for exactly this start. 0, -ENOENT, -ENXIO, -EBUSY (mapped). */
int mp_device_file_remove(uint64_t start);

/*
 * The CPU touches `page`, of a PRIVATE map and handed out: its driver's
 * migrate_to_ram() is called with a reference held, in this thread. When it
 * returned 0 the contents are where the driver moved them, and the device's
 * page is the driver's again. In the kernel a page fault does this; a program
 * calls it where it would follow the pointer.
 *
 * 0; -EINVAL (no page of a PRIVATE map), -ENXIO (not handed out, or the map is
 * about to go), -ENOMEM (VM_FAULT_OOM), -EFAULT (any other VM_FAULT_). Locks:
 * none of its own while the driver runs.
 */
int mp_device_fault(struct page *page);

#ifdef __cplusplus
}
#endif
#endif
