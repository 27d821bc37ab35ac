// SPDX-License-Identifier: MIT
/*
 * The machine of a scenario: QEMU's q35 as a Linux guest sees it. Boot memory
 * below the legacy hole and above 1 MiB, its last 32 pages taken by firmware
 * tables; what does not fit below 2 GiB lies above 4 GiB; nodes other than 0
 * without memory and CPU. State: the emulator's last node, and the page
 * descriptors of memory that came later, under their mutex.
 */
#include "guest.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <memplug/machine.h>

#define PAGE             4096ull
#define GIB              (1ull << 30)
#define KERNEL_MEMORY_MB 96
#define BLOCK_SIZE       (128ull << 20)
#define DESCRIPTOR_ORDER 9 /* 64 bytes for each page of a block */
#define MAX_DESCRIBED    512

static int hotplug_domain;

int guest_node(int emulator_node)
{
	/* The firmware's table names the last node alone as the place of hot-added memory. */
	return hotplug_domain && emulator_node == hotplug_domain;
}

/* The words of the kernel's command line that are about memory hotplug; a bad value is ignored. */
static void set_cmdline(struct mp_desc *desc, const char *cmdline)
{
	char copy[512], *words[32], *value;
	int i, count;

	snprintf(copy, sizeof(copy), "%s", cmdline);
	count = split(copy, words, 32);
	for (i = 0; i < count; i++) {
		value = strchr(words[i], '=');
		if (value)
			*value++ = 0;
		if (starts_with(words[i], "memory_hotplug.") ||
		    !strcmp(words[i], "memhp_default_state") || !strcmp(words[i], "movable_node"))
			mp_desc_set(desc, words[i], value ? value : "Y");
	}
}

static int add_boot_memory(struct mp_desc *desc, const struct guest *guest)
{
	/* The emulator splits what would reach into the window of its devices. */
	uint64_t low = guest->mem >= 0xb0000000 ? 2 * GIB : guest->mem, high = guest->mem - low;
	int rc;

	rc = mp_desc_add_ram(desc, PAGE, 0x9e * PAGE, 0, false);
	rc = rc ? rc : mp_desc_add_ram(desc, 0x100 * PAGE, low - 0x120 * PAGE, 0, false);
	return rc || !high ? rc : mp_desc_add_ram(desc, 4 * GIB, high, 0, false);
}

static int describe(struct mp_desc *desc, const struct guest *guest)
{
	char max_phys[32];
	int cpu, rc;

	snprintf(max_phys, sizeof(max_phys), "%lluG",
		 (unsigned long long)(guest->maxmem + guest->vmem.size) / GIB + 4 + guest->slots);
	rc = mp_desc_set(desc, "contract", "linux-6.1");
	rc = rc ? rc : mp_desc_set(desc, "max_phys", max_phys);
	rc = rc ? rc : mp_desc_set(desc, "overcommit", "yes");
	set_cmdline(desc, guest->cmdline);
	rc = rc ? rc : mp_desc_add_node(desc, 0);
	for (cpu = 0; cpu < guest->cpus && !rc; cpu++)
		rc = mp_desc_add_cpu(desc, cpu, 0);
	if (guest->extra_nodes && !rc) {
		hotplug_domain = guest->extra_nodes;
		rc = mp_desc_add_node(desc, 1);
		rc = rc ? rc : mp_desc_set_distance(desc, 0, 1, 20);
		rc = rc ? rc : mp_desc_set_distance(desc, 1, 0, 20);
	}
	return rc ? rc : add_boot_memory(desc, guest);
}

/*
 * What the guest's kernel keeps of its boot memory for good. Scenario 29 needs it
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

int guest_boot(const struct guest *guest)
{
	struct mp_desc *desc = mp_desc_new();
	int rc;

	if (!desc)
		return -ENOMEM;
	rc = describe(desc, guest);
	if (rc)
		fprintf(stderr, "description: %s\n", mp_desc_error(desc));
	else
		rc = mp_boot(desc);
	mp_desc_free(desc);
	if (rc)
		return rc;
	dimm_setup(guest);
	vmem_setup(guest);
	return occupy_boot_memory();
}

/* ------------------------------------------- descriptors of added memory */

static struct {
	pthread_mutex_t lock;
	struct {
		uint64_t block;
		struct page *page;
	} at[MAX_DESCRIBED];
	int count;
} described = {.lock = PTHREAD_MUTEX_INITIALIZER};

void descriptors_take(int nid, uint64_t start, uint64_t size)
{
	uint64_t block;
	struct page *page;

	/* On the memory itself, where that is possible and asked for; and nothing for half a block. */
	if (start % BLOCK_SIZE || size % BLOCK_SIZE || mhp_supports_memmap_on_memory(size))
		return;
	pthread_mutex_lock(&described.lock);
	for (block = start; block < start + size; block += BLOCK_SIZE) {
		page = described.count < MAX_DESCRIBED
			       ? alloc_pages_node(nid, GFP_KERNEL | __GFP_NOWARN, DESCRIPTOR_ORDER)
			       : NULL;
		if (!page)
			break;
		described.at[described.count].block = block;
		described.at[described.count++].page = page;
	}
	pthread_mutex_unlock(&described.lock);
}

void descriptors_give(uint64_t start, uint64_t size)
{
	int i;

	pthread_mutex_lock(&described.lock);
	for (i = described.count; i--;) {
		if (described.at[i].block < start || described.at[i].block >= start + size)
			continue;
		__free_pages(described.at[i].page, DESCRIPTOR_ORDER);
		described.at[i] = described.at[--described.count];
	}
	pthread_mutex_unlock(&described.lock);
}
