// SPDX-License-Identifier: MIT
/* What an allocator on top of the machine asks (<memplug/runtime.h>). No state. */
#include <memplug/runtime.h>
#include <linux/percpu-rwsem.h>
#include "device/bus.h"
#include "os/os.h"
#include "plug/plug.h"
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

int mp_descriptors_apart(void)
{
	return machine_booted ? -EBUSY : os_table_begin(sync_serve);
}

struct service {
	void *(*run)(void *arg);
	void *arg;
};

static void *serve(void *arg)
{
	struct service service = *(struct service *)arg;

	os_free(arg);
	sync_serve();
	return service.run(service.arg);
}

int mp_start_service(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	struct service *service = os_alloc(sizeof(*service));
	int error;

	if (!service)
		return -ENOMEM;
	service->run = run;
	service->arg = arg;
	error = os_thread(thread, serve, service);
	if (error)
		os_free(service);
	return error;
}

void mp_tell(const char *text, size_t size)
{
	os_tell(text, size);
}

bool mp_owns_descriptor(int fd)
{
	return os_owns(fd);
}

int mp_next_descriptor(int fd)
{
	return os_next_owned(fd);
}
