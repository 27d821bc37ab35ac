/* SPDX-License-Identifier: MIT */
/*
 * Where a block's memory comes from: extents of the direct map, each mapped
 * from one file (memfd) or anonymous. One block per extent while there are
 * few, larger extents beyond 256 (DESIGN D3).
 *
 * All calls: under mem_hotplug_lock (write) or during boot and shutdown.
 */
#ifndef MEMPLUG_BACKING_H
#define MEMPLUG_BACKING_H

#include <linux/types.h>

/* What backs a range, or what comes on a node. Strings are copies. */
struct backing_rule {
	u64 start, end; /* whole blocks; 0, 0: by node */
	int nid;	/* NUMA_NO_NODE: by range */
	char kind[16];
	char path[256]; /* of a file or a device */
	u64 offset;	/* there */
	int host_node;	/* to which the memory is bound, or -1 */
};

struct backing_config {
	const char *kind; /* where no rule says otherwise */
	const struct backing_rule *rules;
	int nr_rules;
	bool populate;	  /* make memory resident when it goes online */
	bool overcommit;  /* do not compare with what the host has */
	u64 block_size;
	u64 max_phys;	  /* in: wanted; out: what fitted (halved until it did) */
};

/* Reserves the direct map (mp_direct_map). 0 or -errno; nothing is left on failure. */
int backing_init(struct backing_config *config);
/* Releases everything. */
void backing_exit(void);
/* In a fork child: forget it all (the mappings are not there, MADV_DONTFORK). */
void backing_forget(void);
/*
 * Backs [start, start + size), block-aligned, on node `nid`; it reads as zero. 0, -ENOMEM,
 * -EMFILE, ...; nothing of the range stays on failure.
 */
int backing_add_node(u64 start, u64 size, int nid);
static inline int backing_add(u64 start, u64 size)
{
	return backing_add_node(start, size, -1);
}
/* Boot RAM: kinds that may run out are made resident now. 0 or -ENOMEM with a reason. */
int backing_make_sure(u64 start, u64 size);
/* Takes the range away again: memory to the host, descriptors closed. Never fails: what the
 * host refuses is logged and retried at shutdown. */
void backing_remove(u64 start, u64 size);
/*
 * Before a block goes online: checks the host's memory (commit=lazy without
 * overcommit), or makes it resident (populate). 0 or -ENOMEM with a reason.
 */
int backing_commit(u64 start, u64 size);
/* Undo of commit when onlining fails. */
void backing_uncommit(u64 start, u64 size);
/* After a block went offline: its memory goes back; bytes that were resident, or -errno
 * (logged, kept for a retry at the next call on the block). */
s64 backing_give_back(u64 start, u64 size);
/* Can it be told whether the kernel holds pages of this block? */
bool backing_sealable(u64 start, u64 size);
/* Such a block, which nobody uses: its memory goes back now. -EBUSY: the kernel holds pages of it; or another
 * errno; all is as before then. backing_give_back() counts it. */
int backing_seal_and_drop(u64 start, u64 size);
/* Resident bytes of the range as the host counts them (st_blocks), or -errno. */
s64 backing_resident(u64 start, u64 size);
/* A new descriptor of the file that [start, ...) lies in, *offset its place there. -ENOENT: nothing is there;
 * -EOPNOTSUPP: it lies in no file; -EMFILE. */
int backing_fd(u64 start, u64 *offset);
/* Bytes resident in all extents. */
u64 backing_resident_total(void);

/*
 * The memory at `start`, whose block does not leave meanwhile, is to be mapped a second time and to move
 * under those who use it: huge pages where the host gives them, and not twice in a core. 0 and *granule, the
 * size of the host's pages; -EOPNOTSUPP: a kind that cannot. BACKING_APART: it is neither mapped twice nor moves,
 * see backing_map_apart().
 */
enum { BACKING_APART = 1 };
int backing_use_for_maps(u64 start, u64 *granule);
/* Maps its pages at `at` too (OS_READ...), left out of fork; and privately: what is written there is copied first. */
int backing_map_again(u64 start, void *at, u64 size, int prot);
int backing_map_private(u64 start, void *at, u64 size, int prot);
/*
 * For memory that is BACKING_APART: maps at `at` memory that counts as [start, start + size), whose own pages
 * are given up; it comes from where the block's comes from, and at once if the block's does. With `fork` a fork
 * child has it too. 0 or -errno: nothing is mapped there then.
 */
int backing_map_apart(u64 start, void *at, u64 size, bool fork);
/* What is mapped at `at` counts as [to, to + size) from now on. -EBUSY: it cannot go where that comes from. */
int backing_count_apart(u64 from, u64 to, void *at, u64 size);
bool backing_is_apart(u64 start);
/* What the machine's memory is: can it be mapped twice and move, is some BACKING_APART? */
struct backing_kinds {
	bool files, apart;
};
struct backing_kinds backing_kinds(void);
/* Bytes resident of what counts as [start, start + size); takes no lock. NULL: nothing does. */
extern u64 (*backing_apart_hook)(u64 start, u64 size);
/* Is [start, start + size) of a memory file nothing but a hole (1) or not (0)? -errno. Pages that the host
 * has swapped out are no hole. */
int backing_hole(u64 start, u64 size);

/* 0 or -EINVAL; *by_path: it is named by a path. */
int backing_kind_check(const char *name, bool *by_path);

/* ---- device memory (backing/device.c) ---- */

/* The file that backs device memory within [start, start + size); duplicated. 0, -EBADF, -EINVAL (too
 * short), -EEXIST, -EBUSY (device memory is there), -ENOMEM, -EMFILE. No lock needed. */
int backing_file_add(u64 start, u64 size, int fd, u64 offset);
int backing_file_remove(u64 start); /* 0, -ENOENT, -EBUSY */
/* Backs a whole device range: from the file given for it, else zeroed memory. 0 or -errno (-EINVAL:
 * a file has a part of it only, or has become too short); undone. */
int backing_device_add(u64 start, u64 size);
void backing_device_remove(u64 start, u64 size);
bool backing_device_meets(u64 start, u64 size);

#endif
