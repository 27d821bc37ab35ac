/* SPDX-License-Identifier: MIT */
/*
 * device_hotplug_lock, and what may not be called from where: taking it, or
 * onlining and offlining, inside a memory event callback waits for oneself.
 */
#include <linux/bug.h>
#include <linux/device.h>
#include <linux/errno.h>
#include "device/device_internal.h"
#include "os/os.h"
#include "report/report.h"
#include "sync/lockorder.h"
#include "sync/thread.h"

#define RETRY_NS 5000000u /* LOCK-16 */

static struct {
	struct mutex mutex;
	bool fork_known;
} hotplug_lock = { .mutex = __MUTEX_INITIALIZER(device_hotplug_lock) };

static void unlock_in_child(void)
{
	mp_mutex_init(&hotplug_lock.mutex, "device_hotplug_lock");
}

void device_hotplug_lock_init(void)
{
	/* Buses are registered with the lock held (boot) or without it. */
	if (!__atomic_exchange_n(&hotplug_lock.fork_known, true, __ATOMIC_RELAXED))
		sync_at_fork_child(unlock_in_child);
}

bool mutex_held(const struct mutex *mutex)
{
	/* Only the holder itself can read its own id here, so no order is needed. */
	return READ_ONCE(mutex->owner) == sync_tid();
}

bool device_hotplug_lock_held(void)
{
	return mutex_held(&hotplug_lock.mutex);
}

/* The lock is this thread's from here on. */
static void taken(const void *site)
{
	hotplug_lock.mutex.site = site;
}

void lock_device_hotplug(void)
{
	const void *site = __builtin_return_address(0);
	u64 begin;

	if (refuse_in_callback("lock_device_hotplug()", site))
		return;
	lockorder_acquire(LOCK_DEVICE_HOTPLUG, site);
	if (!mutex_trylock(&hotplug_lock.mutex)) {
		begin = os_now_ns();
		mutex_lock(&hotplug_lock.mutex);
		ring_record(MP_RING_LOCK_WAIT, (s64)(os_now_ns() - begin), 0, 0,
			    "device_hotplug_lock");
	}
	taken(site);
}

void unlock_device_hotplug(void)
{
	lockorder_release(LOCK_DEVICE_HOTPLUG);
	mutex_unlock(&hotplug_lock.mutex);
}

int lock_device_hotplug_sysfs(void)
{
	const void *site = __builtin_return_address(0);
	char holder[128];

	if (refuse_in_callback("a write to the attribute tree", site))
		return -EDEADLK;
	if (mutex_trylock(&hotplug_lock.mutex)) {
		lockorder_acquire(LOCK_DEVICE_HOTPLUG, site);
		taken(site);
		return 0;
	}
	/* A restart would never end. */
	if (device_hotplug_lock_held()) {
		mp_symbol_name(hotplug_lock.mutex.site, holder, sizeof(holder));
		mp_fatal_at(__FILE__, __LINE__,
			    "a write to the attribute tree by the thread that took "
			    "device_hotplug_lock at %s: waits for itself", holder);
		return -EDEADLK;
	}
	os_sleep_ns(RETRY_NS);
	return -ERESTARTNOINTR;
}
