/* SPDX-License-Identifier: MIT */
/* Takes a block away and back, and saves what happened: trace FILE; memplug-trace shows it. */
#include <stdio.h>
#include <string.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define STATE "/sys/devices/system/memory/memory64/state"

static int watch(struct notifier_block *self, unsigned long action, void *arg)
{
	(void)self;
	(void)action;
	(void)arg;
	return NOTIFY_OK;
}

int main(int argc, char **argv)
{
	struct mp_desc *desc = mp_desc_new();
	int error;

	if (argc != 2) {
		fprintf(stderr, "usage: trace FILE\n");
		return 2;
	}
	error = mp_desc_parse(desc, "ram 4G 256M node 0\n", "trace");
	if (!error)
		error = mp_boot(desc);
	mp_desc_free(desc);
	hotplug_memory_notifier(watch, 0);
	if (!error)
		error = add_memory(0, 8UL << 30, memory_block_size_bytes(), MHP_NONE);
	if (!error)
		error = mp_write_string(STATE, "online_movable");
	if (!error)
		error = mp_write_string(STATE, "offline");
	if (!error)
		error = mp_ring_save(argv[1]);
	if (error)
		fprintf(stderr, "%s\n", strerror(-error));
	return error ? 1 : 0;
}
