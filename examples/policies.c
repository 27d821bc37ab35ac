/* SPDX-License-Identifier: MIT */
/* The auto-movable policy: blocks go online by themselves, movable ones as long as boot memory bears them. */
#include <stdio.h>
#include <string.h>

#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define BLOCK (128UL << 20)
#define HOT (4UL << 30)

static const char machine[] =
	"node 0\n"
	"ram 0x100000 511M node 0\n"
	"overcommit = yes\n"
	"memhp_default_state = online\n"
	"memory_hotplug.online_policy = auto-movable\n"
	"memory_hotplug.auto_movable_ratio = 100\n";

int main(void)
{
	struct mp_desc *desc = mp_desc_new();
	char path[80], zone[80] = "";
	struct mp_reason reason;
	unsigned long i;

	if (!desc || mp_desc_parse(desc, machine, "policies") || mp_boot(desc)) {
		fprintf(stderr, "no machine: %s\n", desc ? mp_desc_error(desc) : "no memory");
		return 1;
	}
	mp_desc_free(desc);
	for (i = 0; i < 8 && strcmp(zone, "Normal\n"); i++) {
		if (add_memory(0, HOT + i * BLOCK, BLOCK, MHP_NONE)) {
			fprintf(stderr, "%s\n", mp_last_reason(&reason) ? "refused" : reason.text);
			return 1;
		}
		snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%lu/valid_zones", 32 + i);
		if (mp_read(path, zone, sizeof(zone)) < 0)
			return 1;
		printf("block %lu of 128 MiB beside 511 MiB of boot memory: %s", i + 1, zone);
	}
	return mp_shutdown() ? 1 : 0;
}
