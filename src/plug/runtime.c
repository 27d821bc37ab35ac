// SPDX-License-Identifier: MIT
/* What an allocator on top of the machine asks (<memplug/runtime.h>). No state. */
#include <memplug/runtime.h>
#include <linux/percpu-rwsem.h>
#include "device/bus.h"
#include "os/os.h"
#include "sync/thread.h"

bool mp_may_plug(void)
{
	struct sync_thread *self = sync_self_or_null();
	unsigned int slot;

	if (self && (self->callback_site || self->hotplug_site))
		return false;
	for (slot = 0; slot < MP_PRW_SLOTS; slot++)
		if (mp_prw_readers[slot].depth)
			return false;
	return !device_hotplug_lock_held();
}

bool mp_owns_descriptor(int fd)
{
	return os_owns(fd);
}

int mp_next_descriptor(int fd)
{
	return os_next_owned(fd);
}
