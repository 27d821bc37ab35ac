/* SPDX-License-Identifier: MIT */
/*
 * Walks all memory that is online, as a leak scanner does, while another thread takes a block away
 * and brings it back: between get_online_mems() and put_online_mems() nothing that was seen can
 * vanish.
 */
#include <pthread.h>
#include <stdio.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define STATE "/sys/devices/system/memory/memory64/state"
#define WALKS 200

static int failed;

static void *come_and_go(void *arg)
{
	for (int i = 0; i < WALKS && !failed; i++)
		if (mp_write_string(STATE, "offline") < 0 ||
		    mp_write_string(STATE, "online_movable") < 0)
			WRITE_ONCE(failed, 1);
	return arg;
}

/* The pages of the machine that are online, counted one pageblock at a time. */
static unsigned long walk(unsigned long end_pfn)
{
	unsigned long pages = 0, zero_bytes = 0;

	get_online_mems();
	for (unsigned long pfn = 0; pfn < end_pfn; pfn += pageblock_nr_pages) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page)
			continue;
		/* It may be read: it cannot go offline until put_online_mems(). */
		zero_bytes += *(volatile char *)page_address(page) == 0;
		pages += pageblock_nr_pages;
	}
	put_online_mems();
	return zero_bytes ? pages : 0;
}

int main(void)
{
	struct mp_desc *desc = mp_desc_new();
	unsigned long pages, most = 0, least = ~0UL;
	uint64_t hot = 8UL << 30, end;
	pthread_t other;
	int ret;

	mp_desc_parse(desc, "node 0\ncpu 0 node 0\nram 4G 256M node 0\n", "walk_online");
	ret = mp_boot(desc);
	mp_desc_free(desc);
	if (ret < 0)
		return 1;
	end = hot + memory_block_size_bytes();
	if (add_memory(0, hot, end - hot, MHP_NONE) < 0 ||
	    mp_write_string(STATE, "online_movable") < 0 ||
	    pthread_create(&other, NULL, come_and_go, NULL) != 0)
		return 1;
	for (int i = 0; i < WALKS; i++) {
		pages = walk(PHYS_PFN(end));
		most = max(most, pages);
		least = min(least, pages);
	}
	pthread_join(other, NULL);
	pages = walk(PHYS_PFN(end));
	printf("%d walks saw %lu to %lu MiB online; at the end %lu MiB\n", WALKS,
	       least * PAGE_SIZE >> 20, most * PAGE_SIZE >> 20, pages * PAGE_SIZE >> 20);
	/* Never anything in between: a block is there or it is not. */
	ret = failed || pages != PHYS_PFN(384UL << 20) ||
	      (least != PHYS_PFN(256UL << 20) && least != pages) || most > pages;
	mp_write_string(STATE, "offline");
	return ret || mp_shutdown() < 0;
}
