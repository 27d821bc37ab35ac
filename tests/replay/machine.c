// SPDX-License-Identifier: MIT
/*
 * The machine of a trace: QEMU's q35 as a Linux guest sees it. Boot memory
 * below the legacy hole and above 1 MiB, its last 32 pages taken by firmware
 * tables; nodes other than 0 without memory and CPU. No state but what the
 * library keeps, and the highest node of the emulator.
 */
#include "replay.h"

#include <stdio.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/mm.h>
#include <memplug/machine.h>

#define PAGE             4096ull
#define KERNEL_MEMORY_MB 96

static int hotplug_domain;

int machine_node(int emulator_node)
{
	/* The firmware's table names the last node alone as the place of hot-added memory. */
	return hotplug_domain && emulator_node == hotplug_domain;
}

static int set_cmdline(struct mp_desc *desc, const char *cmdline)
{
	char copy[512], *words[16], *value;
	const char *setting;
	int i, count, rc;

	snprintf(copy, sizeof(copy), "%s", cmdline);
	count = split(copy, words, 16);
	for (i = 0; i < count; i++) {
		value = strchr(words[i], '=');
		if (value)
			*value++ = 0;
		setting = value ? value : "Y";
		rc = mp_desc_set(desc, words[i], setting);
		if (rc)
			return rc;
	}
	return 0;
}

static int describe(struct mp_desc *desc, const struct trace *trace)
{
	uint64_t end = trace->mem - 32 * PAGE;
	char max_phys[32];
	int cpu, rc;

	snprintf(max_phys, sizeof(max_phys), "%lluG",
		 (unsigned long long)(trace->maxmem >> 30) + 4);
	rc = mp_desc_set(desc, "contract", "linux-6.1");
	rc = rc ? rc : mp_desc_set(desc, "max_phys", max_phys);
	rc = rc ? rc : mp_desc_set(desc, "overcommit", "yes");
	rc = rc ? rc : set_cmdline(desc, trace->cmdline);
	rc = rc ? rc : mp_desc_add_node(desc, 0);
	for (cpu = 0; cpu < trace->cpus && !rc; cpu++)
		rc = mp_desc_add_cpu(desc, cpu, 0);
	if (trace->extra_nodes && !rc) {
		hotplug_domain = trace->extra_nodes;
		rc = mp_desc_add_node(desc, 1);
		rc = rc ? rc : mp_desc_set_distance(desc, 0, 1, 20);
		rc = rc ? rc : mp_desc_set_distance(desc, 1, 0, 20);
	}
	rc = rc ? rc : mp_desc_add_ram(desc, PAGE, 0x9e * PAGE, 0, false);
	return rc ? rc : mp_desc_add_ram(desc, 0x100 * PAGE, end - 0x100 * PAGE, 0, false);
}

/*
 * What the guest's kernel keeps of its boot memory for good. Trace 29 needs it
 * to run out; the amount is a guess, and none of the others depends on it.
 */
static int occupy_boot_memory(void)
{
	int i;

	for (i = 0; i < KERNEL_MEMORY_MB / 4; i++)
		if (!alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE, 10))
			return -ENOMEM;
	return 0;
}

int machine_boot(const struct trace *trace)
{
	struct mp_desc *desc = mp_desc_new();
	int rc;

	if (!desc)
		return -ENOMEM;
	rc = describe(desc, trace);
	if (rc)
		fprintf(stderr, "description: %s\n", mp_desc_error(desc));
	else
		rc = mp_boot(desc);
	mp_desc_free(desc);
	return rc ? rc : occupy_boot_memory();
}
