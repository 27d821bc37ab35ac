/* SPDX-License-Identifier: MIT */
/* The files of the node directory and of each node. */
#include "../tree.h"

#define NODE0 NODE_ROOT "/node0"
#define NODE1 NODE_ROOT "/node1"
#define NODE2 NODE_ROOT "/node2"

/* The number behind `key` in a file of "key value" lines. */
static long value_of(const char *path, const char *key)
{
	const char *at = strstr(raw(path), key);

	if (!at)
		FAIL("%s has no %s", path, key);
	return atol(at + strlen(key));
}

TEST(SYSFS_29, "the node directory: masks as lists, power, uevent, one directory per online node")
{
	machine_boot("node 5\nnode 7\n");
	CHECK_STR(listing(NODE_ROOT), "has_cpu 0444 4096\n"
				      "has_generic_initiator 0444 4096\n"
				      "has_memory 0444 4096\n"
				      "has_normal_memory 0444 4096\n"
				      "node0/\n"
				      "online 0444 4096\n"
				      "possible 0444 4096\n"
				      "power/\n"
				      "uevent 0644 4096");
	CHECK_STR(raw(NODE_ROOT "/possible"), "0-3,5,7\n");
	CHECK_STR(raw(NODE_ROOT "/online"), "0\n");
	CHECK_STR(raw(NODE_ROOT "/has_cpu"), "0\n");
	CHECK_STR(raw(NODE_ROOT "/has_generic_initiator"), "\n");
	add_blocks(2, 32, 1);
	add_blocks(3, 33, 1);
	CHECK_STR(raw(NODE_ROOT "/online"), "0,2-3\n");
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	CHECK_STR(raw(NODE_ROOT "/has_memory"), "0,2-3\n");
	CHECK_STR(raw(NODE_ROOT "/has_normal_memory"), "0,3\n");
	CHECK_EQ(mp_write_string(NODE_ROOT "/online", "1"), -EACCES);
}

/* Not in the rule, but in a running 6.1. */
#ifdef __x86_64__
#define ARCH_DIR "\nx86/"
#else
#define ARCH_DIR ""
#endif

TEST(SYSFS_30, "nodeN: its files with their modes, links to its CPUs and blocks")
{
	machine_boot("cpu 1 node 1\n");
	add_blocks(1, 32, 2);
	CHECK_STR(listing(NODE1), "compact 0200 4096\n"
				  "cpu1 -> ../../cpu/cpu1\n"
				  "cpulist 0444 4096\n"
				  "cpumap 0444 4096\n"
				  "distance 0444 4096\n"
				  "hugepages/\n"
				  "meminfo 0444 4096\n"
				  "memory32 -> ../../memory/memory32\n"
				  "memory33 -> ../../memory/memory33\n"
				  "numastat 0444 4096\n"
				  "power/\n"
				  "subsystem -> ../../../../bus/node\n"
				  "uevent 0644 4096\n"
				  "vmstat 0444 4096" ARCH_DIR);
	CHECK_STR(raw(NODE1 "/memory33/phys_index"), "00000021\n");
	CHECK_STR(raw(NODE1 "/cpulist"), "1\n");
	CHECK_STR(raw(NODE1 "/cpumap"), "2\n");
	CHECK_STR(raw(NODE0 "/cpulist"), "0\n");
	CHECK_EQ(remove_blocks(32, 1), 0);
	CHECK(!exists(NODE1 "/memory32"));
	CHECK(exists(NODE1 "/memory33"));
}

static const char expected_meminfo[] =
	"Node 0 MemTotal:         393216 kB\n"
	"Node 0 MemFree:          393216 kB\n"
	"Node 0 MemUsed:               0 kB\n"
	"Node 0 SwapCached:            0 kB\n"
	"Node 0 Active:                0 kB\n"
	"Node 0 Inactive:              0 kB\n"
	"Node 0 Active(anon):          0 kB\n"
	"Node 0 Inactive(anon):        0 kB\n"
	"Node 0 Active(file):          0 kB\n"
	"Node 0 Inactive(file):        0 kB\n"
	"Node 0 Unevictable:           0 kB\n"
	"Node 0 Mlocked:               0 kB\n"
	"Node 0 Dirty:                 0 kB\n"
	"Node 0 Writeback:             0 kB\n"
	"Node 0 FilePages:             0 kB\n"
	"Node 0 Mapped:                0 kB\n"
	"Node 0 AnonPages:             0 kB\n"
	"Node 0 Shmem:                 0 kB\n"
	"Node 0 KernelStack:           0 kB\n"
	"Node 0 PageTables:            0 kB\n"
	"Node 0 SecPageTables:         0 kB\n"
	"Node 0 NFS_Unstable:          0 kB\n"
	"Node 0 Bounce:                0 kB\n"
	"Node 0 WritebackTmp:          0 kB\n"
	"Node 0 KReclaimable:          0 kB\n"
	"Node 0 Slab:                  0 kB\n"
	"Node 0 SReclaimable:          0 kB\n"
	"Node 0 SUnreclaim:            0 kB\n"
	"Node 0 AnonHugePages:         0 kB\n"
	"Node 0 ShmemHugePages:        0 kB\n"
	"Node 0 ShmemPmdMapped:        0 kB\n"
	"Node 0 FileHugePages:        0 kB\n"
	"Node 0 FilePmdMapped:        0 kB\n"
	"Node 0 HugePages_Total:     0\n"
	"Node 0 HugePages_Free:      0\n"
	"Node 0 HugePages_Surp:      0\n";

TEST(SYSFS_31, "meminfo: the lines, their order and their columns")
{
	machine_boot(NULL);
	CHECK_STR(raw(NODE0 "/meminfo"), expected_meminfo);
}

static long isolated_total, isolated_free;

static void note_isolated(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action != MEM_GOING_OFFLINE)
		return;
	isolated_total = value_of(NODE1 "/meminfo", "MemTotal:");
	isolated_free = value_of(NODE1 "/meminfo", "MemFree:");
}

TEST(SYSFS_32, "MemTotal moves by whole blocks; a block that is isolated leaves MemFree first")
{
	static struct listener listener = { .hook = note_isolated };
	const long block = BLOCK_BYTES >> 10;
	struct page *page;

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	CHECK_EQ(value_of(NODE1 "/meminfo", "MemTotal:"), 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_movable"), 0);
	CHECK_EQ(value_of(NODE1 "/meminfo", "MemTotal:"), 2 * block);
	CHECK_EQ(value_of(NODE1 "/meminfo", "MemFree:"), 2 * block);
	page = alloc_pages_node(1, MOVABLE, 10);
	CHECK(page);
	CHECK_EQ(value_of(NODE1 "/meminfo", "MemUsed:"), 4096);
	CHECK_EQ(value_of(NODE1 "/meminfo", "MemFree:"), 2 * block - 4096);
	__free_pages(page, 10);
	listen_as(&listener, "A", 0);
	CHECK_EQ(set_state(33, "offline"), 0);
	CHECK_EQ(isolated_total, 2 * block);
	CHECK_EQ(isolated_free, block);
	CHECK_EQ(value_of(NODE1 "/meminfo", "MemTotal:"), block);
	CHECK_EQ(value_of(NODE1 "/meminfo", "MemUsed:"), 0);
}

TEST(SYSFS_33, "distance: to the online nodes, a blank before each but node 0")
{
	machine_boot("distance 0 1 20\ndistance 1 0 21\ndistance 1 2 17\n");
	CHECK_STR(raw(NODE0 "/distance"), "10\n");
	add_blocks(2, 32, 1);
	CHECK_STR(raw(NODE0 "/distance"), "10 20\n");
	add_blocks(1, 33, 1);
	CHECK_STR(raw(NODE1 "/distance"), "21 10 17\n");
	CHECK_EQ(mp_shutdown(), 0);
	machine_boot_text("max_phys = 64G\nnode 1\nnode 2\ncpu 0 node 1\ncpu 1 node 2\n"
			  "ram 0 384M node 1\n");
	CHECK_STR(raw(NODE1 "/distance"), " 10 20\n");
}

/* The names of a file of "name value" lines, blanks between; "!" marks a line of another form. */
static const char *names_of(const char *path)
{
	static struct text text;
	char name[64];
	const char *at;
	int used;
	long value;

	text.used = 0;
	text.at[0] = '\0';
	for (at = raw(path); *at; at += used) {
		used = 0;
		if (sscanf(at, "%63[^ \n] %ld%n", name, &value, &used) != 2 || at[used++] != '\n') {
			text_add(&text, "!");
			break;
		}
		text_add(&text, "%s%s", text.used ? " " : "", name);
	}
	return text.at;
}

TEST(SYSFS_34, "vmstat: the order of /proc/vmstat; numastat: its six lines")
{
	char node[8192];
	struct page *page;

	machine_boot(NULL);
	snprintf(node, sizeof(node), "%s", names_of(NODE0 "/vmstat"));
	CHECK(!strchr(node, '!'));
	CHECK(!strncmp(node, "nr_free_pages nr_zone_inactive_anon ", 36));
	CHECK(strstr(node, " nr_free_cma numa_hit numa_miss numa_foreign numa_interleave numa_local "
			   "numa_other nr_inactive_anon "));
	/* What a node shows is how the machine's file begins. */
	CHECK(!strncmp(names_of("/proc/vmstat"), node, strlen(node)));
	CHECK_STR(names_of(NODE0 "/numastat"),
		  "numa_hit numa_miss numa_foreign interleave_hit local_node other_node");
	CHECK_EQ(value_of(NODE0 "/vmstat", "nr_free_pages "), (long)(BOOT_BYTES >> PAGE_SHIFT));
	page = alloc_pages_node(0, MOVABLE, 5);
	CHECK(page);
	CHECK_EQ(value_of(NODE0 "/vmstat", "nr_free_pages "), (long)(BOOT_BYTES >> PAGE_SHIFT) - 32);
	__free_pages(page, 5);
	add_blocks(1, 32, 1);
	CHECK_EQ(value_of(NODE1 "/vmstat", "nr_free_pages "), 0);
}

TEST(SYSFS_35, "compact takes any write whole, also of a node without memory")
{
	char text[8];

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(mp_write(NODE0 "/compact", "1\n", 2), 2);
	CHECK_EQ(mp_write(NODE1 "/compact", "whatever", 8), 8);
	CHECK_EQ(mp_read(NODE0 "/compact", text, sizeof(text)), -EACCES);
}
