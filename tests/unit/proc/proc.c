/* SPDX-License-Identifier: MIT */
/* The files of /proc: their form, and that what they show is the machine's state. */
#include "../tree.h"
#include "os/os.h"

#define PAGES_OF_BOOT (BOOT_BYTES >> PAGE_SHIFT)

static const char eleven_zeros[] = "     0      0      0      0      0      0      0      0      0      0";

/* The part of a text from `from` to before `to` (or its end). */
static const char *between(const char *text, const char *from, const char *to)
{
	static char part[16384];
	const char *start = strstr(text, from), *end;

	if (!start)
		FAIL("no \"%s\"", from);
	end = to ? strstr(start + strlen(from), to) : NULL;
	snprintf(part, sizeof(part), "%.*s", end ? (int)(end - start) : (int)strlen(start), start);
	return part;
}

static int occurrences(const char *text, const char *what)
{
	int count = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		count++;
	return count;
}

static long number_behind(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	if (!at)
		FAIL("no \"%s\"", key);
	return atol(at + strlen(key));
}

TEST(PROC_1, "zoneinfo: every zone of every online node; one that is not populated ends with its reserves")
{
	const char *text;

	machine_boot(NULL);
	CHECK_EQ(mp_write_string("/proc/zoneinfo", "x"), -EACCES);
	text = raw("/proc/zoneinfo");
	CHECK_EQ(occurrences(text, "Node "), 5);
	CHECK_EQ(occurrences(text, "  per-node stats\n"), 1);
	CHECK(!strncmp(text, "Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 0\n", 60));
	CHECK(strstr(between(text, "Node 0, zone   Normal\n", "Node 0, zone  Movable"),
		     "Node 0, zone   Normal\n"
		     "  pages free     0\n"
		     "        boost    0\n"));
	CHECK_STR(between(text, "Node 0, zone  Movable\n", "Node 0, zone   Device"),
		  "Node 0, zone  Movable\n"
		  "  pages free     0\n"
		  "        boost    0\n"
		  "        min      0\n"
		  "        low      0\n"
		  "        high     0\n"
		  "        spanned  0\n"
		  "        present  0\n"
		  "        managed  0\n"
		  "        cma      0\n"
		  "        protection: (0, 0, 0, 0, 0)\n");
	CHECK_EQ(number_behind(between(text, "zone    DMA32\n", "zone   Normal"), "present  "),
		 (long)PAGES_OF_BOOT - 4096);
	/* A node with offline blocks only is there, without a populated zone. */
	add_blocks(1, 32, 1);
	text = raw("/proc/zoneinfo");
	CHECK_EQ(occurrences(text, "Node 1, zone "), 5);
	CHECK_EQ(occurrences(text, "  per-node stats\n"), 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK(strstr(raw("/proc/zoneinfo"), "Node 1, zone  Movable\n  per-node stats\n"));
}

TEST(PROC_2, "zoneinfo: a populated zone goes on with counters, page sets of each CPU, its first page")
{
	const char *zone;

	machine_boot("cpu 1 node 1\n");
	add_blocks(1, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	zone = between(raw("/proc/zoneinfo"), "Node 1, zone  Movable\n", "Node 1, zone   Device");
	CHECK(strstr(zone, "        protection: (0, 0, 0, 0, 0)\n"
			   "      nr_free_pages 32768\n"
			   "      nr_zone_inactive_anon 0\n"));
	CHECK(strstr(zone, "      nr_mlock     0\n"));
	CHECK(strstr(zone, "      numa_other   0\n"
			   "  pagesets\n"
			   "    cpu: 0\n"
			   "              count: 0\n"
			   "              high:  "));
	CHECK(strstr(zone, "\n    cpu: 1\n"));
	CHECK_EQ(occurrences(zone, "              batch: "), 2);
	CHECK_EQ(occurrences(zone, "  vm stats threshold: "), 2);
	CHECK(strstr(zone, "\n  node_unreclaimable:  0\n  start_pfn:           1048576\n"));
}

static char sets_in_callback[16384];

static void note_sets(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE)
		strcpy(sets_in_callback, between(raw("/proc/zoneinfo"), "Node 1, zone  Movable\n",
						 "Node 1, zone   Device"));
}

TEST(PROC_3, "zoneinfo: while a block goes offline its zone's page sets have high 0 and batch 1")
{
	static struct listener listener = { .hook = note_sets };

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_GT(number_behind(between(raw("/proc/zoneinfo"), "Node 1, zone  Movable\n", NULL),
			       "high:  "), 0);
	listen_as(&listener, "A", 0);
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK(strstr(sets_in_callback, "              high:  0\n              batch: 1\n"));
	CHECK_GT(number_behind(between(raw("/proc/zoneinfo"), "Node 1, zone  Movable\n", NULL),
			       "high:  "), 0);
}

static char buddy_in_callback[4096];
static long free_in_callback;

static void note_buddy(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_GOING_OFFLINE)
		return;
	strcpy(buddy_in_callback, between(raw("/proc/buddyinfo"), "Node 1", NULL));
	free_in_callback = zone_of(1, ZONE_MOVABLE)->nr_free;
}

TEST(PROC_4, "buddyinfo: a line per populated zone, free blocks by order, isolated ones included")
{
	static struct listener listener = { .hook = note_buddy };
	char expected[512];
	struct page *page;

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	snprintf(expected, sizeof(expected),
		 "Node 0, zone      DMA %s      4 \n"
		 "Node 0, zone    DMA32 %s     92 \n", eleven_zeros, eleven_zeros);
	CHECK_STR(raw("/proc/buddyinfo"), expected);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	page = alloc_pages_node(1, MOVABLE, 9);
	CHECK(page);
	CHECK_STR(between(raw("/proc/buddyinfo"), "Node 1", NULL),
		  "Node 1, zone  Movable      0      0      0      0      0      0      0      0      "
		  "0      1     63 \n");
	__free_pages(page, 9);
	listen_as(&listener, "A", 0);
	CHECK_EQ(set_state(33, "offline"), 0);
	snprintf(expected, sizeof(expected), "Node 1, zone  Movable %s     64 \n", eleven_zeros);
	CHECK_STR(buddy_in_callback, expected);
	CHECK_EQ(free_in_callback, (long)BLOCK_PAGES);
}

static char types_in_callback[4096];

static void note_types(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_GOING_OFFLINE)
		strcpy(types_in_callback,
		       between(raw("/proc/pagetypeinfo"), "Number of blocks type", NULL));
}

static const char expected_types[] =
	"Page block order: 9\n"
	"Pages per block:  512\n"
	"\n"
	"Free pages count per migrate type at order       0      1      2      3      4      5      6      7      8      9     10 \n"
	"Node    1, zone  Movable, type    Unmovable      0      0      0      0      0      0      0      0      0      0      0 \n"
	"Node    1, zone  Movable, type      Movable      0      0      0      0      0      0      0      0      0      0     64 \n"
	"Node    1, zone  Movable, type  Reclaimable      0      0      0      0      0      0      0      0      0      0      0 \n"
	"Node    1, zone  Movable, type   HighAtomic      0      0      0      0      0      0      0      0      0      0      0 \n"
	"Node    1, zone  Movable, type      Isolate      0      0      0      0      0      0      0      0      0      0      0 \n"
	"\n"
	"Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic      Isolate \n"
	"Node 1, zone  Movable            0          128            0            0            0 \n";

TEST(PROC_5, "pagetypeinfo: per node with memory, free blocks and pageblocks by type")
{
	static struct listener listener = { .hook = note_types };
	struct mp_entry entry;

	machine_boot_text("max_phys = 64G\novercommit = yes\nnode 1\nnode 2\ncpu 0 node 0\n"
			  "ram 0 128M node 0\n");
	add_blocks(1, 32, 2);
	add_blocks(2, 40, 1);
	CHECK_EQ(mp_stat("/proc/pagetypeinfo", &entry), 0);
	CHECK_EQ(entry.mode, 0400);
	CHECK_EQ(occurrences(raw("/proc/pagetypeinfo"), "Page block order"), 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	/* Node 2 has no memory online: two parts. */
	CHECK_EQ(occurrences(raw("/proc/pagetypeinfo"), "Page block order"), 2);
	CHECK_STR(strstr(raw("/proc/pagetypeinfo") + 1, "Page block order"), expected_types);
	listen_as(&listener, "A", 0);
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK(strstr(types_in_callback,
		     "Node 1, zone  Movable            0           64            0            0           64 \n"));
	CHECK(strstr(raw("/proc/pagetypeinfo"),
		     "Node 1, zone  Movable            0           64            0            0            0 \n"));
}

TEST(PROC_5_cap, "pagetypeinfo: a list of 100000 or more shows as >100000")
{
	/* 100000 free blocks of order 10 are 391 GiB. */
	machine_boot_text("max_phys = 1T\novercommit = yes\nblock = 2G\ncpu 0 node 0\n"
			  "ram 0 2G node 0\n"
			  "ram 4G 392G node 0\n");
	CHECK(strstr(raw("/proc/pagetypeinfo"), "     0 >100000 \n"));
	CHECK(strstr(raw("/proc/buddyinfo"), " 100352 \n"));
}

TEST(PROC_6, "meminfo: MemTotal and MemFree move with blocks that go online or offline, not with adding")
{
	const long block = BLOCK_BYTES >> 10, boot = BOOT_BYTES >> 10;

	machine_boot(NULL);
	CHECK(!strncmp(raw("/proc/meminfo"), "MemTotal:         393216 kB\n"
					     "MemFree:          393216 kB\n"
					     "MemAvailable:     ", 74));
	CHECK(strstr(raw("/proc/meminfo"), "\nHardwareCorrupted:     0 kB\n"));
	add_blocks(1, 32, 1);
	CHECK_EQ(number_behind(raw("/proc/meminfo"), "MemTotal:"), boot);
	CHECK_EQ(number_behind(raw("/proc/meminfo"), "MemFree:"), boot);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(number_behind(raw("/proc/meminfo"), "MemTotal:"), boot + block);
	CHECK_EQ(number_behind(raw("/proc/meminfo"), "MemFree:"), boot + block);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(number_behind(raw("/proc/meminfo"), "MemTotal:"), boot);
	CHECK_EQ(remove_blocks(32, 1), 0);
	CHECK_EQ(number_behind(raw("/proc/meminfo"), "MemTotal:"), boot);
	__atomic_store_n(&page_poisoned, 3, __ATOMIC_RELAXED);
	CHECK(strstr(raw("/proc/meminfo"), "\nHardwareCorrupted:    12 kB\n"));
	__atomic_store_n(&page_poisoned, 0, __ATOMIC_RELAXED);
}

TEST(PROC_7, "iomem: ranges in hexadecimal of eight digits or more, drivers' memory under its name")
{
	char *zeros;

	machine_boot(NULL);
	CHECK_STR(raw("/proc/iomem"), "00000000-17ffffff : System RAM\n");
	add_blocks(1, 32, 1);
	CHECK_EQ(add_memory_driver_managed(1, HOT + BLOCK_BYTES, BLOCK_BYTES, "System RAM (toy)",
					   MHP_NONE), 0);
	CHECK(request_mem_region(0x1000000000, 0x2000, "outer"));
	CHECK(__request_region(resource_at(&iomem_resource, 0x1000000000), 0x1000001000, 0x1000,
			       "inner", IORESOURCE_MEM | IORESOURCE_BUSY));
	CHECK_STR(raw("/proc/iomem"), "00000000-17ffffff : System RAM\n"
				      "100000000-107ffffff : System RAM\n"
				      "108000000-10fffffff : System RAM (toy)\n"
				      "1000000000-1000001fff : outer\n"
				      "  1000001000-1000001fff : inner\n");
	CHECK_EQ(mp_write_string("/proc/iomem", "x"), -EACCES);
	/* For whoever may not see addresses. */
	CHECK_GT(resource_show(&zeros, true), 0);
	CHECK(strstr(zeros, "00000000-00000000 : outer\n  00000000-00000000 : inner\n"));
	os_free(zeros);
}

TEST(PROC_8, "vmstat: the counters of migration and of freed pages")
{
	static struct moving page;
	long moved;

	machine_boot(NULL);
	CHECK_EQ(occurrences(raw("/proc/vmstat"), "\nthp_migration_split 0\n"), 1);
	CHECK_EQ(occurrences(raw("/proc/vmstat"), "\nnr_isolated_anon 0\nnr_isolated_file 0\n"), 1);
	add_blocks(1, 32, 2);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK(moving_take(&page, 1));
	moved = number_behind(raw("/proc/vmstat"), "pgmigrate_success ");
	CHECK_EQ(set_state(in_block(page.page, 32) ? 32 : 33, "offline"), 0);
	CHECK_EQ(page.moves, 1);
	CHECK_EQ(number_behind(raw("/proc/vmstat"), "pgmigrate_success "), moved + 1);
	CHECK_EQ(number_behind(raw("/proc/vmstat"), "pgmigrate_fail "), 0);
	moving_free(&page);
	CHECK_GE(number_behind(raw("/proc/vmstat"), "\npgfree "), 0);
}
