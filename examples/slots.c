/* SPDX-License-Identifier: MIT */
/*
 * A machine whose hardware changes while it runs: a DIMM and a processor come to the empty node 1, and
 * leave again. The first time somebody holds on to a block, and the firmware is told that the DIMM is busy.
 */
#include <stdbool.h>
#include <stdio.h>

#include <linux/cpu.h>
#include <linux/memory.h>
#include <linux/node.h>
#include <memplug/memplug.h>

static bool keep = true;

static int hold_on(struct notifier_block *self, unsigned long action, void *arg)
{
	return keep && action == MEM_GOING_OFFLINE ? NOTIFY_BAD : NOTIFY_OK;
}

static void firmware_hears(int slot, int source, int status, void *arg)
{
	printf("  firmware: slot %d, source 0x%x, status 0x%x\n", slot, source, status);
}

static void show(const char *title)
{
	char cpus[64] = "none\n", nodes[64] = "";

	mp_read("/sys/devices/system/node/node1/cpulist", cpus, sizeof(cpus));
	mp_read("/sys/devices/system/node/online", nodes, sizeof(nodes));
	printf("%s: CPUs of node 1: %s  nodes online: %s", title, cpus, nodes);
}

int main(void)
{
	struct mp_desc *desc = mp_desc_new();
	struct mp_reason reason;
	int ret;

	mp_desc_parse(desc, "node 0\nnode 1\ncpu 0 node 0\ncpu 1 node 1 absent\n"
			    "ram 0 256M node 0\nmemhp_default_state = online_movable\n", "slots");
	ret = mp_boot(desc);
	mp_desc_free(desc);
	if (ret < 0)
		return 1;
	mp_slot_on_status(firmware_hears, NULL);
	hotplug_memory_notifier(hold_on, 0);

	if (mp_slot_plug(0, 4ULL << 30, 4 * memory_block_size_bytes(), 1) < 0 ||
	    mp_cpu_plug(1) < 0 || add_cpu(1) < 0)
		return 1;
	show("plugged");

	ret = mp_slot_eject(0);
	if (ret < 0 && mp_last_reason(&reason) == 0)
		printf("refused: %s\n", reason.text);

	keep = false;
	if (mp_slot_eject(0) < 0 || mp_cpu_eject(1) < 0)
		return 1;
	show("ejected");
	return mp_shutdown() < 0;
}
