/* SPDX-License-Identifier: MIT */
/* examples/modules/balloonish.c runs here unmodified: its pages do not keep a block from leaving.
 */
#define KBUILD_MODNAME "balloonish"
#include "../../examples/modules/balloonish.c"

#include "../document/document.h"

/* All boot memory is in one zone, so that its blocks can leave. */
static const char one_zone[] = "overcommit = yes\nnode 0\ncpu 0 node 0\nram 4G 384M node 0\n";

static int held_pages(enum held held)
{
	int count = 0;

	for (int i = 0; i < BALLOON_PAGES; i++)
		count += balloon.slot[i].held == held;
	return count;
}

static long boot_block_of(int slot)
{
	return page_to_pfn(balloon.slot[slot].page) / BLOCK_PAGES;
}

TEST(EVENT_34, "a PageOffline page let go in MEM_GOING_OFFLINE is skipped, and taken back in "
	       "MEM_CANCEL_OFFLINE")
{
	struct listener veto = {0};
	unsigned long managed, total;
	char path[128];
	int pages;

	machine_boot_text(one_zone);
	CHECK_EQ(held_pages(HELD), BALLOON_PAGES);
	pages = held_pages(HELD);
	for (int i = 1; i < BALLOON_PAGES; i++)
		CHECK_EQ(boot_block_of(i), boot_block_of(0));
	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%ld/state",
		 boot_block_of(0));
	managed = zone_managed_pages(page_zone(balloon.slot[0].page));
	total = totalram_pages();

	/* Refused at the beginning, and after the fact: all of them are held again. */
	listen_as(&veto, "V", -1);
	for (int i = 0; i < 2; i++) {
		answer_only(&veto, i ? MEM_OFFLINE : MEM_GOING_OFFLINE, NOTIFY_BAD);
		CHECK_EQ(mp_write_string(path, "offline"), -EPERM);
		CHECK_EQ(held_pages(HELD), pages);
		for (int j = 0; j < pages; j++) {
			CHECK_EQ(page_count(balloon.slot[j].page), 1);
			CHECK(PageOffline(balloon.slot[j].page));
		}
		CHECK_EQ(zone_managed_pages(page_zone(balloon.slot[0].page)), managed);
		CHECK_EQ(totalram_pages(), total);
		machine_check();
	}
	/* It leaves with them. */
	answer_only(&veto, 0, 0);
	CHECK_EQ(mp_write_string(path, "offline"), 0);
	CHECK_EQ(held_pages(LET_GO), pages);
	CHECK_EQ(totalram_pages(), total + pages - BLOCK_PAGES);
	machine_check();
	/* And comes back without. */
	CHECK_EQ(mp_write_string(path, "online"), 0);
	CHECK_EQ(held_pages(GONE), BALLOON_PAGES);
	CHECK_EQ(page_count(balloon.slot[0].page), 0);
	CHECK(!PageOffline(balloon.slot[0].page));
	CHECK_EQ(totalram_pages(), total + pages);
	CHECK_EQ(mp_module_unload("balloonish"), 0);
	machine_check();
}

TEST(module_balloonish_unload, "unloading gives the balloon's pages back to the allocator")
{
	unsigned long free_pages, total;

	machine_boot_text(one_zone);
	free_pages = all_free_pages();
	total = totalram_pages();
	CHECK_EQ(mp_module_unload("balloonish"), 0);
	CHECK_EQ(all_free_pages(), free_pages + BALLOON_PAGES);
	CHECK_EQ(totalram_pages(), total + BALLOON_PAGES);
	machine_check();
	CHECK_EQ(mp_shutdown(), 0);
}
