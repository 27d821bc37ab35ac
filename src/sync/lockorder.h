/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker of debug builds (MEMPLUG_DEBUG): a graph of lock
 * classes whose edges remember which other locks were held. Two opposite edges
 * are an inversion only when no common outer lock covers both (DESIGN D7).
 */
#ifndef MEMPLUG_SYNC_LOCKORDER_H
#define MEMPLUG_SYNC_LOCKORDER_H

#include <linux/types.h>

enum lock_class {
	LOCK_DEVICE_HOTPLUG,
	LOCK_DEVICE,
	LOCK_CPU_HOTPLUG,
	LOCK_MEM_HOTPLUG,
	LOCK_CHAIN,
	LOCK_PCP_DISABLE,
	LOCK_ZONE,
	LOCK_OTHER,
	LOCK_CLASSES
};

#ifdef MEMPLUG_DEBUG
void lockorder_acquire(enum lock_class class, const void *site);
/* The shared side: two threads that both take it shared do not wait for each other. */
void lockorder_acquire_shared(enum lock_class class, const void *site);
void lockorder_release(enum lock_class class);
#else
static inline void lockorder_acquire(enum lock_class class, const void *site)
{
	(void)class;
	(void)site;
}
static inline void lockorder_acquire_shared(enum lock_class class, const void *site)
{
	(void)class;
	(void)site;
}
static inline void lockorder_release(enum lock_class class)
{
	(void)class;
}
#endif
/* Inversions reported so far (each pair of classes once, through the warn hook). 0 in plain builds. */
int mp_lockorder_reports(void);

#endif
