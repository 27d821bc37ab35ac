/* SPDX-License-Identifier: MIT */
/*
 * The state of the world inside each event (EVENT-26..34). `world` is what the test prepared before the
 * transaction; callbacks of the one transaction that runs read it.
 */
#include "machine.h"

#define NODE 1

static struct {
	struct memory_block *mem;
	struct zone *zone;	  /* that the block goes to or leaves */
	struct page *used;	  /* in use while it goes offline, or NULL */
	struct memory_group *group;
	unsigned long totalram;	  /* without the block */
	int looked;
} world;

#define PFN block_pfn(32)

/* The rows of the table, true or false for the event. */
static const struct row {
	unsigned long action;
	const char *state;
	bool flag_offline, has_zone, sections, counted, free_counted, isolated, counted_isolated;
	bool allocatable, new_mask, pcp_disabled;
} rows[] = {
	{ MEM_GOING_ONLINE, "offline", true, false, false, false, false, true, false, false, false, false },
	{ MEM_CANCEL_ONLINE, "offline", true, false, false, false, false, true, false, false, false, false },
	{ MEM_ONLINE, "offline", true, false, true, true, true, false, false, true, true, false },
	{ MEM_GOING_OFFLINE, "going-offline", false, true, true, true, false, true, true, false, false, true },
	{ MEM_CANCEL_OFFLINE, "going-offline", false, true, true, true, true, false, false, true, false, true },
	{ MEM_OFFLINE, "going-offline", false, true, false, false, false, false, false, false, true, false },
};

static void look_at_zone(const struct row *row)
{
	struct zone *zone = world.zone;
	long pages = row->counted ? BLOCK_PAGES : 0, in_use = world.used ? 1 : 0;

	CHECK_EQ(zone->zone_start_pfn, PFN);
	CHECK_EQ(zone->spanned_pages, BLOCK_PAGES);
	CHECK_EQ(NODE_DATA(NODE)->node_start_pfn, PFN);
	CHECK_EQ(NODE_DATA(NODE)->node_spanned_pages, BLOCK_PAGES);
	CHECK_EQ(zone->present_pages, (unsigned long)pages);
	CHECK_EQ(zone_managed_pages(zone), (unsigned long)pages);
	CHECK_EQ(totalram_pages() - world.totalram, (unsigned long)pages);
	CHECK_EQ(zone->nr_free, row->free_counted ? BLOCK_PAGES - in_use : 0L);
	CHECK_EQ(zone->nr_isolate_pageblock, row->counted_isolated ? BLOCK_PAGES / 512 : 0UL);
	CHECK_EQ(!!zone->pcp_disabled, row->pcp_disabled);
	CHECK_EQ(zone_idx(zone) == ZONE_MOVABLE ? world.group->present_movable_pages
						: world.group->present_kernel_pages,
		 (unsigned long)pages);
}

static void look_at_pages(const struct row *row)
{
	bool onlining = row->action == MEM_GOING_ONLINE || row->action == MEM_CANCEL_ONLINE;
	struct page *page;

	for (unsigned long pfn = PFN; pfn < PFN + BLOCK_PAGES; pfn += 511) {
		page = pfn_to_page(pfn);
		CHECK(page_zone(page) == world.zone);
		CHECK_EQ(page_to_nid(page), NODE);
		CHECK(pfn_to_online_page(pfn) == (row->sections ? page : NULL));
		CHECK_EQ(PageReserved(page), onlining);
		if (page != world.used)
			CHECK_EQ(page_count(page), onlining ? 1 : 0);
		if (row->action != MEM_OFFLINE)
			CHECK_EQ(get_pageblock_migratetype(page),
				 row->isolated ? MIGRATE_ISOLATE : MIGRATE_MOVABLE);
	}
	if (world.used)
		CHECK_EQ(page_count(world.used), 1);
	page = alloc_pages_node(NODE, MOVABLE, 0);
	CHECK_EQ(!!page, row->allocatable);
	if (page) {
		CHECK(in_block(page, 32));
		fill(page, 3);
		CHECK(holds(page, 3));
		__free_page(page);
	}
}

static void look(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	const struct row *row = rows;
	bool online = action & (MEM_ONLINE | MEM_GOING_ONLINE | MEM_CANCEL_ONLINE);

	while (row->action != action)
		row++;
	CHECK_STR(read_block(32, "state"), row->state);
	CHECK_EQ(world.mem->dev.offline, row->flag_offline);
	CHECK(world.mem->zone == (row->has_zone ? world.zone : NULL));
	/* The mask: old or new, of a node that the block brings or takes. */
	CHECK_EQ(node_state(NODE, N_MEMORY), row->new_mask == online);
	look_at_zone(row);
	look_at_pages(row);
	world.looked++;
}

static void prepare(struct listener *a, struct listener *veto)
{
	int mgid;

	machine_boot(NULL);
	mgid = memory_group_register_static(NODE, BLOCK_PAGES);
	CHECK_GE(mgid, 0);
	world.group = memory_group_find_by_id(mgid);
	CHECK_EQ(add_memory(mgid, HOT, BLOCK_BYTES, MHP_NID_IS_MGID), 0);
	world.mem = get_block(32);
	world.totalram = totalram_pages();
	a->hook = look;
	listen_as(a, "A", 1);
	listen_as(veto, "V", 0);
}

static void all_six(struct listener *veto, const char *online, enum zone_type zone)
{
	struct moving page;

	world.zone = zone_of(NODE, zone);
	listener_answer(veto, MEM_GOING_ONLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, online), -EPERM);
	CHECK_EQ(world.zone->spanned_pages, 0);
	listener_answer(veto, MEM_GOING_ONLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, online), 0);
	CHECK(world.mem->zone == world.zone);
	CHECK_STR(read_block(32, "state"), "online");
	CHECK(moving_take(&page, NODE));
	world.used = page.page;
	listener_answer(veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	listener_answer(veto, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK(page.page == world.used);
	moving_free(&page);
	world.used = NULL;
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(world.zone->spanned_pages, 0);
	CHECK(!world.mem->zone);
}

TEST(EVENT_26, "the table of what is observed inside each event, for Movable and for Normal")
{
	struct listener a = { 0 }, veto = { 0 };

	prepare(&a, &veto);
	all_six(&veto, "online_movable", ZONE_MOVABLE);
	CHECK_EQ(world.looked, 8);
	all_six(&veto, "online_kernel", ZONE_NORMAL);
	CHECK_EQ(world.looked, 16);
	put_device(&world.mem->dev);
	machine_check();
}

static void look_at_derived(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct zone *zone = zone_of(NODE, ZONE_NORMAL);
	struct page *page;

	switch (action) {
	case MEM_GOING_ONLINE:
		CHECK_EQ(zone->_watermark[WMARK_MIN], 0);
		CHECK(!NODE_DATA(NODE)->kswapd);
		break;
	case MEM_ONLINE:
		/* Another node's request that prefers this one is served here: fallback was rebuilt. */
		page = alloc_pages_node(NODE, GFP_KERNEL, 0);
		CHECK(page);
		CHECK_EQ(page_to_nid(page), NODE);
		__free_page(page);
		CHECK_GT(zone->_watermark[WMARK_MIN], 0);
		CHECK(NODE_DATA(NODE)->kswapd);
		CHECK(NODE_DATA(NODE)->kcompactd);
		break;
	case MEM_GOING_OFFLINE:
		CHECK(NODE_DATA(NODE)->kswapd);
		break;
	case MEM_OFFLINE:
		page = alloc_pages_node(NODE, GFP_KERNEL, 0);
		CHECK(page);
		CHECK_EQ(page_to_nid(page), 0);
		__free_page(page);
		CHECK_EQ(zone->_watermark[WMARK_MIN], 0);
		CHECK(!NODE_DATA(NODE)->kswapd);
		CHECK(!NODE_DATA(NODE)->kcompactd);
		break;
	}
	world.looked++;
}

TEST(EVENT_26, "zonelists, watermarks and the node's threads are new in the final events only")
{
	struct listener a = { .hook = look_at_derived };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(world.looked, 4);
	machine_check();
}

static void zone_not_yet(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_ONLINE)
		CHECK(!world.mem->zone);
	if (action == MEM_OFFLINE)
		CHECK(world.mem->zone == world.zone);
}

/* Between the state and the flag. */
static void between(const char *text, size_t size, void *arg)
{
	bool online = !strncmp(text, "online@", 7);

	if (!online && strncmp(text, "offline@", 8))
		return;
	CHECK(!percpu_is_write_locked(&mp_mem_hotplug_lock));
	CHECK_STR(read_block(32, "state"), online ? "online" : "offline");
	CHECK(world.mem->zone == (online ? world.zone : NULL));
	CHECK_EQ(world.mem->dev.offline, online);
	note("uevent", online ? "online" : "offline");
}

TEST(EVENT_27, "the zone is set after ONLINE; state, uevent and flag follow when mem_hotplug_lock is free")
{
	struct listener a = { .hook = zone_not_yet };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	world.mem = get_block(32);
	world.zone = zone_of(NODE, ZONE_MOVABLE);
	listen_as(&a, "A", 0);
	CHECK_EQ(mp_uevent_listen(between, NULL), 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK(!world.mem->dev.offline);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK(world.mem->dev.offline);
	CHECK_STR(heard(), "A:GOING_ONLINE A:ONLINE uevent:online A:GOING_OFFLINE A:OFFLINE uevent:offline");
	put_device(&world.mem->dev);
}

static void read_valid_zones(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action & (MEM_GOING_ONLINE | MEM_ONLINE))
		note("zones", read_block(32, "valid_zones"));
}

TEST(EVENT_28, "valid_zones inside an online event is that of an offline block with the grown span")
{
	struct listener a = { .hook = read_valid_zones };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_STR(read_block(32, "valid_zones"), "Normal Movable");
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_STR(heard(), "A:GOING_ONLINE zones:Movable Normal A:ONLINE zones:Movable Normal");
	CHECK_STR(read_block(32, "valid_zones"), "Movable");
}

static struct page *taken;

static void take_in_cancel(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE)
		CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
	if (action != MEM_CANCEL_OFFLINE)
		return;
	CHECK_STR(read_block(32, "state"), "going-offline");
	CHECK(zone_of(NODE, ZONE_MOVABLE)->pcp_disabled);
	taken = alloc_pages_node(NODE, MOVABLE, 0);
	CHECK(taken);
}

TEST(EVENT_29, "on CANCEL_OFFLINE pages are usable, though the state is going-offline and the lists are off")
{
	struct listener a = { .hook = take_in_cancel };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	listen_as(&a, "A", 0);
	listener_answer(&a, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK(in_block(taken, 32));
	fill(taken, 8);
	CHECK(holds(taken, 8));
	CHECK(!zone_of(NODE, ZONE_MOVABLE)->pcp_disabled);
	__free_page(taken);
	machine_check();
}

static void allocate_going_online(struct listener *me, unsigned long action,
				  struct memory_notify *arg)
{
	struct page *pages[64];
	int i;

	if (action != MEM_GOING_ONLINE)
		return;
	CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
	CHECK(!alloc_pages_node(NODE, KERNEL, 0));
	for (i = 0; i < 64; i++) {
		pages[i] = alloc_pages_node(NODE, i % 2 ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL, 0);
		CHECK(pages[i]);
		CHECK(!in_block(pages[i], 32));
		fill(pages[i], (unsigned long)i);
	}
	while (i-- > 0) {
		CHECK(holds(pages[i], (unsigned long)i));
		__free_page(pages[i]);
	}
}

TEST(EVENT_30, "in GOING_ONLINE nothing is allocated from the new range, but elsewhere")
{
	struct listener a = { .hook = allocate_going_online };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(a.calls, 6);
}

static void allocate_online(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct page *page;

	if (action != MEM_ONLINE)
		return;
	page = alloc_pages_node(NODE, KERNEL, 0);
	CHECK_EQ(!!page, world.zone == zone_of(NODE, ZONE_NORMAL));
	if (page) {
		CHECK(in_block(page, 32));
		__free_page(page);
	}
	page = alloc_pages_node(NODE, MOVABLE, 0);
	CHECK(page);
	CHECK(in_block(page, 32));
	__free_page(page);
	/* Movable alone, without highmem, is no user page (ZONE-16). */
	page = alloc_pages_node(NODE, GFP_KERNEL | __GFP_MOVABLE | __GFP_THISNODE, 0);
	CHECK_EQ(!!page, world.zone == zone_of(NODE, ZONE_NORMAL));
	if (page)
		__free_page(page);
}

TEST(EVENT_31, "in ONLINE allocations come from the new range by the rules of its zone")
{
	struct listener a = { .hook = allocate_online };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	world.zone = zone_of(NODE, ZONE_MOVABLE);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	world.zone = zone_of(NODE, ZONE_NORMAL);
	CHECK_EQ(set_state(32, "online_kernel"), 0);
	CHECK_EQ(a.calls, 6);
	machine_check();
}

static struct page *owned[8];

static void free_going_offline(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct page *page;

	if (action != MEM_GOING_OFFLINE)
		return;
	for (unsigned int i = 0; i < ARRAY_SIZE(owned); i++) {
		CHECK_EQ(page_count(owned[i]), 1);
		CHECK(holds(owned[i], i));
		__free_page(owned[i]);
	}
	CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
	CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->nr_free, 0);
	page = alloc_pages_node(NODE, GFP_HIGHUSER_MOVABLE, 0);
	CHECK(page);
	CHECK(!in_block(page, 32));
	__free_page(page);
}

TEST(EVENT_32, "in GOING_OFFLINE pages may be in use; what a callback frees stays isolated")
{
	struct listener a = { .hook = free_going_offline };
	struct mp_stats stats;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(owned); i++) {
		owned[i] = stuck_take(NODE);
		fill(owned[i], i);
	}
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(mp_get_stats(&stats), 0);
	CHECK_EQ(stats.pages_migrated, 0);
	CHECK_EQ(a.calls, 2);
	machine_check();
}

static void allocate_after(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	struct page *page;

	if (action == MEM_CANCEL_OFFLINE) {
		page = alloc_pages_node(NODE, MOVABLE, 0);
		CHECK(page);
		CHECK(in_block(page, 32));
		__free_page(page);
	} else if (action == MEM_OFFLINE) {
		CHECK(!alloc_pages_node(NODE, MOVABLE, 0));
		CHECK_EQ(page_count(pfn_to_page(arg->start_pfn)), 0);
		CHECK_EQ(page_to_nid(pfn_to_page(arg->start_pfn + arg->nr_pages - 1)), NODE);
	}
}

TEST(EVENT_33, "CANCEL_OFFLINE: allocations from the range again, for the first callback too; OFFLINE: none")
{
	struct listener first = { .hook = allocate_after }, veto = { 0 };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	listen_as(&first, "A", 1);
	listen_as(&veto, "V", 0);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(first.calls, 4);
}

/* A driver that keeps pages logically offline. */
#define KEPT 16
static struct {
	struct page *pages[KEPT];
	bool drops;
} driver;

static void keep_offline(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (!driver.drops)
		return;
	if (action == MEM_GOING_OFFLINE) {
		for (int i = 0; i < KEPT; i++) {
			adjust_managed_page_count(driver.pages[i], 1);
			CHECK(put_page_testzero(driver.pages[i]));
		}
	} else if (action == MEM_CANCEL_OFFLINE) {
		for (int i = 0; i < KEPT; i++) {
			set_page_count(driver.pages[i], 1);
			adjust_managed_page_count(driver.pages[i], -1);
		}
	}
}

TEST(EVENT_34, "PageOffline pages are skipped when their driver drops its reference and counts them back")
{
	struct listener a = { .hook = keep_offline }, veto = { 0 };
	struct zone *zone;
	unsigned long totalram;

	machine_boot(NULL);
	totalram = totalram_pages();
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	zone = zone_of(NODE, ZONE_MOVABLE);
	for (int i = 0; i < KEPT; i++) {
		driver.pages[i] = stuck_take(NODE);
		__SetPageOffline(driver.pages[i]);
		adjust_managed_page_count(driver.pages[i], -1);
	}
	CHECK_EQ(zone_managed_pages(zone), BLOCK_PAGES - KEPT);
	listen_as(&a, "A", 1);
	listen_as(&veto, "V", 0);
	/* It keeps its references. */
	CHECK_EQ(set_state(32, "offline"), -EBUSY);
	/* It drops them, and takes them again when somebody refuses. */
	driver.drops = true;
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_EQ(zone_managed_pages(zone), BLOCK_PAGES - KEPT);
	CHECK_EQ(page_count(driver.pages[0]), 1);
	CHECK(PageOffline(driver.pages[0]));
	listener_answer(&veto, MEM_GOING_OFFLINE, NOTIFY_OK);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(zone_managed_pages(zone), 0);
	CHECK_EQ(totalram_pages(), totalram);
	machine_check();
}
