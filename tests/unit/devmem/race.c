/* SPDX-License-Identifier: MIT */
/* Device memory that comes and goes beside ordinary blocks that do, under readers of both. */
#include "devmem.h"

#define ROUNDS 60

static int stop;
static unsigned long found, online, passes;

/* Until a reader has looked at everything while it is as now. */
static void await_pass(void)
{
	unsigned long before = __atomic_load_n(&passes, __ATOMIC_RELAXED);

	/* Two readers may be in the middle of theirs. */
	AWAIT(__atomic_load_n(&passes, __ATOMIC_RELAXED) >= before + 3);
}

static long plugger(void *arg)
{
	unsigned long start = (unsigned long)arg;
	struct dev_pagemap pgmap = device_map(MEMORY_DEVICE_GENERIC, start, 2 * MIB);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		CHECK_EQ(map_it(&pgmap, NODE), 0);
		memset(__va(start), i, 4096);
		if (i % 8 == 0)
			await_pass();
		memunmap_pages(&pgmap);
	}
	return 0;
}

static long onliner(void *arg)
{
	int i;

	for (i = 0; i < ROUNDS / 4; i++) {
		CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
		CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	}
	return 0;
}

static long reader(void *arg)
{
	unsigned long pfns[] = { DEV_PFN, DEV_PFN + 512, 338 * 256, 100 * 256, HOT_PFN };
	struct dev_pagemap *pgmap = NULL;
	unsigned int i;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < 5; i++) {
			struct page *page = pfn_to_page(pfns[i]);

			pgmap = get_dev_pagemap(pfns[i], NULL);
			if (pgmap) {
				CHECK_EQ(page->pgmap, pgmap);
				get_page(page);
				put_page(page);
				put_dev_pagemap(pgmap);
				__atomic_fetch_add(&found, 1, __ATOMIC_RELAXED);
			}
			get_online_mems();
			if (pfn_to_online_page(pfns[i])) {
				CHECK_NE(page_zonenum(page), ZONE_DEVICE);
				__atomic_fetch_add(&online, 1, __ATOMIC_RELAXED);
			}
			put_online_mems();
		}
		__atomic_fetch_add(&passes, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

TEST(devmem_race, "device memory and blocks come and go under readers, in one section too")
{
	struct worker pluggers[3], blocks, readers[2];
	unsigned long starts[3] = { DEV, DEV + 2 * MIB, 338 * MIB };
	int i;

	machine_boot_text("max_phys = 64G\novercommit = yes\nnode 0\nnode 1\ncpu 0 node 0\n"
			  "ram 0 336M node 0\n");
	add_blocks(NODE, HOT_BLOCK, 1);
	for (i = 0; i < 2; i++)
		worker_start(&readers[i], reader, NULL);
	for (i = 0; i < 3; i++)
		worker_start(&pluggers[i], plugger, (void *)starts[i]);
	worker_start(&blocks, onliner, NULL);
	for (i = 0; i < 3; i++)
		worker_join(&pluggers[i]);
	worker_join(&blocks);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		worker_join(&readers[i]);
	CHECK_GT(found, 0);
	CHECK_GT(online, 0);
	printf("# %lu maps found, %lu pages online\n", found, online);
	machine_check();
}
