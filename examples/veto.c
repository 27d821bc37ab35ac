/* SPDX-License-Identifier: MIT */
/*
 * The smallest program with a memory notifier: it wants a block to stay, and whoever tries to take
 * it learns who said no.
 */
#include <stdio.h>
#include <string.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define STATE "/sys/devices/system/memory/memory64/state"

static int stay(struct notifier_block *self, unsigned long action, void *arg)
{
	struct memory_notify *mem = arg;

	printf("%s: %lu pages at pfn %#lx\n", mp_event_name(action), mem->nr_pages, mem->start_pfn);
	return action == MEM_GOING_OFFLINE ? NOTIFY_BAD : NOTIFY_OK;
}

int main(void)
{
	struct mp_desc *desc = mp_desc_new();
	struct mp_reason reason;
	int ret;

	mp_desc_parse(desc, "node 0\ncpu 0 node 0\nram 4G 256M node 0\n", "veto");
	ret = mp_boot(desc);
	mp_desc_free(desc);
	if (ret < 0)
		return 1;
	hotplug_memory_notifier(stay, 0);

	/* Block 64 begins at 64 * 128 MiB = 8 GiB. */
	if (add_memory(0, 8UL << 30, memory_block_size_bytes(), MHP_NONE) < 0 ||
	    mp_write_string(STATE, "online") < 0)
		return 1;
	ret = mp_write_string(STATE, "offline");
	printf("offline: %s\n", strerror(-ret));
	if (mp_last_reason(&reason) == 0)
		printf("because: %s\n", reason.text);
	return ret == -EPERM ? 0 : 1;
}
