/* SPDX-License-Identifier: MIT */
/*
 * A machine of the page layer alone: backing, sections, zones and pages, but
 * no memory events and no devices. Node 0 to 2; memory is added and onlined by
 * section (block) with the calls that src/hotplug makes, in its order.
 */
#ifndef TESTS_BUDDY_HARNESS_H
#define TESTS_BUDDY_HARNESS_H

#include "mptest.h"

#include <linux/migrate.h>
#include <linux/page-isolation.h>
#include <memplug/hooks.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backing/backing.h"
#include "page/page.h"

#define NODES 3
/* Hot memory of the tests begins here: 8 GiB. */
#define BASE (8UL << 18)
#define NORMAL(nid) (&NODE_DATA(nid)->node_zones[ZONE_NORMAL])
#define MOVABLE(nid) (&NODE_DATA(nid)->node_zones[ZONE_MOVABLE])
#define GFP_MOVABLE_HERE (GFP_HIGHUSER_MOVABLE | __GFP_THISNODE)
#define GFP_KERNEL_HERE (GFP_KERNEL | __GFP_THISNODE)

static u64 harness_block;
static int harness_warns __maybe_unused, harness_fatals __maybe_unused;
static char harness_text[256] __maybe_unused;

static void harness_complaint(const char *text, void *arg)
{
	++*(int *)arg;
	snprintf(harness_text, sizeof(harness_text), "%s", text);
}

__maybe_unused static void allow_complaints(void)
{
	mp_set_warn_hook(harness_complaint, &harness_warns);
	mp_set_fatal_hook(harness_complaint, &harness_fatals);
}

static void harness_fail(const char *text, void *arg)
{
	(void)arg;
	FAIL("%s", text);
}

static unsigned long block_pages(void)
{
	return harness_block >> PAGE_SHIFT;
}

/* First pfn of the nth block of hot memory. */
__maybe_unused static unsigned long block_pfn(int n)
{
	return BASE + (unsigned long)n * block_pages();
}

__maybe_unused static void harness_start_with(u64 block, bool follow_linux)
{
	static const int distance[NODES * NODES] = { 10, 30, 20, 30, 10, 40, 20, 40, 10 };
	struct backing_config backing = {
		.kind = "memfd",
		.overcommit = true,
		.block_size = block,
		.max_phys = 1ULL << 40,
	};
	struct page_config config = {
		.block_size = block,
		.nr_node_ids = NODES,
		.distance = distance,
		.follow_linux = follow_linux,
	};
	int nid;

	harness_block = block;
	mp_set_fatal_hook(harness_fail, NULL);
	mp_set_warn_hook(harness_fail, NULL);
	CHECK_EQ(backing_init(&backing), 0);
	config.max_phys = backing.max_phys;
	memset(node_states, 0, sizeof(nodemask_t) * NR_NODE_STATES);
	for (nid = 0; nid < NODES; nid++)
		node_set_state(nid, N_POSSIBLE);
	CHECK_EQ(page_init(&config), 0);
}

__maybe_unused static void harness_start(void)
{
	harness_start_with(SZ_128M, false);
}

__maybe_unused static void harness_check(void)
{
	drain_pages_range(0, ~0UL);
	CHECK_EQ(page_check(harness_fail, NULL), 0);
}

__maybe_unused static void harness_stop(void)
{
	harness_check();
	page_exit();
	backing_exit();
}

static void block_add(int n, int nid)
{
	CHECK_EQ(backing_add(PFN_PHYS(block_pfn(n)), harness_block), 0);
	CHECK_EQ(sections_add(block_pfn(n), block_pages(), nid, false), 0);
	node_set_state(nid, N_ONLINE);
}

static void count_block(struct zone *zone, unsigned long pfn, long sign)
{
	long pages = sign * (long)block_pages();

	adjust_present_page_count(pfn, zone, pages);
	if (sign < 0)
		adjust_managed_page_count(pfn_to_page(pfn), pages);
}

static void harness_masks(struct zone *zone)
{
	int nid = zone_to_nid(zone), i;
	bool memory = false, normal = false;

	for (i = 0; i < ZONE_DEVICE; i++) {
		bool populated = populated_zone(&NODE_DATA(nid)->node_zones[i]);

		memory |= populated;
		normal |= populated && i <= ZONE_NORMAL;
	}
	memory ? node_set_state(nid, N_MEMORY) : node_clear_state(nid, N_MEMORY);
	normal ? node_set_state(nid, N_NORMAL_MEMORY) : node_clear_state(nid, N_NORMAL_MEMORY);
	build_all_zonelists();
	init_per_zone_wmark_min();
}

/* What online_pages() does between MEM_GOING_ONLINE and MEM_ONLINE. */
static void block_finish_online(int n, struct zone *zone)
{
	unsigned long pfn = block_pfn(n), at;
	unsigned int order = 0;

	while (order < MAX_ORDER - 1 && (2UL << order) <= block_pages())
		order++;
	for (at = pfn; at < pfn + block_pages(); at += 1UL << order) {
		buddy_add_chunk(pfn_to_page(at), order);
		adjust_managed_page_count(pfn_to_page(at), 1L << order);
	}
	online_mem_sections(pfn, pfn + block_pages());
	count_block(zone, pfn, 1);
	harness_masks(zone);
	buddy_open_range(zone, pfn, block_pages());
	init_per_zone_wmark_min();
}

__maybe_unused static void block_online(int n, struct zone *zone)
{
	move_pfn_range_to_zone(zone, block_pfn(n), block_pages());
	block_finish_online(n, zone);
}

__maybe_unused static void block_add_online(int n, struct zone *zone)
{
	block_add(n, zone_to_nid(zone));
	block_online(n, zone);
}

/* Isolated and empty already. */
static void block_finish_offline(int n, struct zone *zone)
{
	unsigned long pfn = block_pfn(n);

	offline_mem_sections(pfn, pfn + block_pages());
	buddy_close_range(zone, pfn, block_pages());
	count_block(zone, pfn, -1);
	harness_masks(zone);
	remove_pfn_range_from_zone(zone, pfn, block_pages());
}

/* 0 or -EBUSY; without waiting for anybody. */
__maybe_unused static int block_offline(int n, struct zone *zone)
{
	unsigned long pfn = block_pfn(n), end = pfn + block_pages(), failed, bad;
	enum unmovable_why why;
	int ret;

	zone_pcp_disable(zone);
	ret = isolate_page_range(pfn, end, MIGRATE_MOVABLE, MEMORY_OFFLINE, true, &bad, &why);
	if (!ret) {
		do_migrate_range(pfn, end, &failed);
		ret = test_pages_isolated(pfn, end, MEMORY_OFFLINE);
		if (!ret)
			block_finish_offline(n, zone);
		else
			undo_isolate_page_range(pfn, end, MIGRATE_MOVABLE);
	}
	zone_pcp_enable(zone);
	return ret;
}

__maybe_unused static void block_remove(int n)
{
	sections_remove(block_pfn(n), block_pages());
	backing_remove(PFN_PHYS(block_pfn(n)), harness_block);
}

__maybe_unused static int block_of(const struct page *page)
{
	return (int)((page_to_pfn(page) - BASE) / block_pages());
}

/* ---- a driver of movable pages: each knows where its page is ---- */

struct held_page {
	struct page *page;
	int answer;	/* of migrate_page: 0, or an error */
	bool refuses;	/* isolate_page says no */
	int isolated, migrated, put_back;
};

__maybe_unused static bool held_isolate(struct page *page, isolate_mode_t mode)
{
	struct held_page *held = (struct held_page *)page->private;

	(void)mode;
	CHECK(PageLocked(page));
	held->isolated++;
	return !held->refuses;
}

static const struct movable_operations held_ops;

/* As a Linux driver does: it takes its reference along. */
__maybe_unused static int held_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	struct held_page *held = (struct held_page *)src->private;

	(void)mode;
	CHECK(PageLocked(src) && PageLocked(dst));
	if (held->answer)
		return held->answer;
	memcpy(page_address(dst), page_address(src), PAGE_SIZE << src->order);
	get_page(dst);
	dst->private = src->private;
	held->page = dst;
	held->migrated++;
	__SetPageMovable(dst, &held_ops);
	__ClearPageMovable(src);
	put_page(src);
	return 0;
}

__maybe_unused static void held_putback(struct page *page)
{
	struct held_page *held = (struct held_page *)page->private;

	CHECK(PageLocked(page));
	held->put_back++;
}

static const struct movable_operations held_ops = { held_isolate, held_migrate, held_putback };

__maybe_unused static void hold(struct held_page *held, struct page *page)
{
	CHECK(page != NULL);
	memset(held, 0, sizeof(*held));
	held->page = page;
	page->private = (unsigned long)held;
	lock_page(page);
	__SetPageMovable(page, &held_ops);
	unlock_page(page);
}

__maybe_unused static void release(struct held_page *held)
{
	__free_pages(held->page, held->page->order);
	held->page = NULL;
}

#endif
