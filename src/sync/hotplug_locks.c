/* SPDX-License-Identifier: MIT */
/*
 * mem_hotplug_lock and cpu_hotplug_lock. Memory hotplug takes the second
 * shared and then the first exclusively, CPU hotplug the second exclusively,
 * so that the two exclude each other (LOCK-4).
 */
#include <linux/cpu.h>
#include <linux/memory_hotplug.h>
#include "sync/changes.h"
#include "sync/internal.h"
#include "sync/lockorder.h"
#include "sync/thread.h"
#include "report/report.h"

struct percpu_rw_semaphore mp_mem_hotplug_lock = { .slot = 0, .name = "mem_hotplug_lock" };
struct percpu_rw_semaphore cpu_hotplug_lock = { .slot = 1, .name = "cpu_hotplug_lock" };

/* Calls of mem_hotplug_begin() that were refused: their mem_hotplug_done() does nothing. */
static __thread unsigned int ignored;

static void forbidden(const char *call, const void *site, const char *inside, const void *outer)
{
	char site_text[SITE_NAME_SIZE], outer_text[SITE_NAME_SIZE];

	mp_fatal_at(__FILE__, __LINE__, "%s in %s: inside %s of %s, where Linux would hang", call,
		    site_name(site, site_text, sizeof(site_text)), inside,
		    site_name(outer, outer_text, sizeof(outer_text)));
}

static void read_lock(const void *site)
{
	lockorder_acquire_shared(LOCK_CPU_HOTPLUG, site);
	percpu_down_read(&cpu_hotplug_lock);
}

void cpus_read_lock(void)
{
	const void *site = __builtin_return_address(0);
	struct sync_thread *self = sync_self_or_null();

	/* The lock is held shared already, so going on is harmless when the hook returns. */
	if (self && self->callback_site)
		forbidden("cpus_read_lock()", site, "a notifier callback", self->callback_site);
	read_lock(site);
}

void cpus_read_unlock(void)
{
	percpu_up_read(&cpu_hotplug_lock);
	lockorder_release(LOCK_CPU_HOTPLUG);
}

void cpus_write_lock(void)
{
	const void *site = __builtin_return_address(0);

	lockorder_acquire(LOCK_CPU_HOTPLUG, site);
	prw_down_write(&cpu_hotplug_lock, site);
}

void cpus_write_unlock(void)
{
	percpu_up_write(&cpu_hotplug_lock);
	lockorder_release(LOCK_CPU_HOTPLUG);
}

void mem_hotplug_begin(void)
{
	const void *site = __builtin_return_address(0);
	struct sync_thread *self = sync_self();

	if (self && (self->callback_site || self->hotplug_site)) {
		if (self->callback_site)
			forbidden("mem_hotplug_begin()", site, "a notifier callback",
				  self->callback_site);
		else
			forbidden("mem_hotplug_begin()", site, "mem_hotplug_begin()",
				  self->hotplug_site);
		ignored++;
		return;
	}
	read_lock(site);
	lockorder_acquire(LOCK_MEM_HOTPLUG, site);
	prw_down_write(&mp_mem_hotplug_lock, site);
	changes_begin();
	if (self)
		self->hotplug_site = site;
}

void mem_hotplug_done(void)
{
	struct sync_thread *self = sync_self();

	if (ignored) {
		ignored--;
		return;
	}
	if (self)
		self->hotplug_site = NULL;
	changes_end();
	percpu_up_write(&mp_mem_hotplug_lock);
	lockorder_release(LOCK_MEM_HOTPLUG);
	cpus_read_unlock();
}
