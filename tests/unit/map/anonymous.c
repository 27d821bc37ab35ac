/* SPDX-License-Identifier: MIT */
/* What is special about mapped memory that is anonymous: where it lies, what it counts to, who needs no privileges. */
#define MAP_BACKING "anonymous"
#include "live.h"

#include "map/map.h"
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

static size_t rss(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	unsigned long kib = 0;
	char line[256];

	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Anonymous: %lu", &kib) == 1)
			break;
	fclose(f);
	return kib << 10;
}

static int64_t resident_of_all(void)
{
	struct mp_stats stats;

	CHECK_EQ(mp_get_stats(&stats), 0);
	return (int64_t)stats.bytes_resident;
}

#define CHECK_NEAR(value, wanted) \
	do { \
		CHECK_GE((value) + (wanted) / 50 + 8 * MIB, (wanted)); \
		CHECK_LE((value), (wanted) + (wanted) / 50 + 8 * MIB); \
	} while (0)

/* A sanitizer's own memory counts too, several bytes for each. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CHECK_RSS(value, wanted) ((void)(value), (void)(wanted))
#else
#define CHECK_RSS CHECK_NEAR
#endif

TEST(anonymous_counted, "memory counts once, to the block of its pages, and the host has it back when it is unmapped")
{
	size_t before, with;
	int64_t counted;
	char *at;

	start(3);
	before = rss();
	counted = resident_of_all();
	at = map(100 * MIB, 0);
	CHECK_RSS(rss() - before, (size_t)0);
	write_pattern(at, 100 * MIB, 1);
	with = rss();
	CHECK_RSS(with - before, 100 * MIB);
	CHECK_NEAR((size_t)(resident_of_all() - counted), 100 * MIB);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(set_state(HOT_BLOCK + i, "offline"), 0);
		CHECK_EQ(mp_block_resident(HOT_BLOCK + i), 0);
		CHECK_EQ(mp_block_resident(HOT_BLOCK + (i + 1) % 3) + mp_block_resident(HOT_BLOCK + (i + 2) % 3),
			 100 * (int64_t)MIB);
		CHECK_RSS(rss(), with);
		CHECK_EQ(set_state(HOT_BLOCK + i, "online_movable"), 0);
	}
	CHECK_GE(map_stats().bytes_moved, 200 * MIB);
	CHECK_EQ(wrong(at, 100 * MIB, 1), 0);
	CHECK_EQ(mp_map_discard(at, 50 * MIB), 0);
	CHECK_RSS(rss() - before, 50 * MIB);
	CHECK(is_zero(at, 50 * MIB));
	CHECK_EQ(mp_unmap(at, 100 * MIB), 0);
	CHECK_RSS(rss(), before);
	CHECK_NEAR((size_t)resident_of_all(), (size_t)counted);
	finish();
}

TEST(anonymous_reuse, "a page that was used through the direct map is not resident twice when it is mapped")
{
	struct page *pages[64];
	size_t before;
	char *at;

	start(1);
	before = rss();
	for (int i = 0; i < 64; i++) {
		pages[i] = alloc_pages_node(1, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE, 8);
		CHECK(pages[i] != NULL);
		memset(page_address(pages[i]), 0xff, MIB);
	}
	CHECK_RSS(rss() - before, 64 * MIB);
	for (int i = 0; i < 64; i++)
		put_page(pages[i]);
	at = map(120 * MIB, 0);
	CHECK(is_zero(at, 120 * MIB));
	write_pattern(at, 120 * MIB, 1);
	CHECK_RSS(rss() - before, 120 * MIB);
	CHECK_EQ(wrong(at, 120 * MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, 120 * MIB), 0);
	finish();
}

TEST(anonymous_privileges, "a program that may use no userfaultfd has its blocks taken away all the same")
{
	char *at;

	machine_boot(MACHINE);
	CHECK_EQ(setgroups(0, NULL) | setgid(65534) | setuid(65534), 0);
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable") | set_state(HOT_BLOCK + 1, "online_movable"), 0);
	CHECK_EQ(mp_map_prepare(), 0);
	CHECK_STR(mp_map_mechanism(), "anonymous");
	at = map(8 * MIB, MP_MAP_POPULATE);
	write_pattern(at, 8 * MIB, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	CHECK_EQ(set_state(HOT_BLOCK + 1, "offline"), 0);
	CHECK_GE(map_stats().bytes_moved, 8 * MIB);
	CHECK_EQ(mechanism.uffd, -1);
	CHECK_EQ(wrong(at, 8 * MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, 8 * MIB), 0);
	finish();
}

TEST(anonymous_held, "pages that the kernel holds stay what they are, unpinned, when their block leaves")
{
	long block = HOT_BLOCK;
	struct iovec piece;
	char *at, out[4096];
	int fds[2];

	start(2);
	at = map(MIB, MP_MAP_POPULATE);
	block += !mp_block_resident(block);
	CHECK_EQ(pipe(fds), 0);
	memset(at, 'a', MIB);
	piece = (struct iovec){ at, 4096 };
	CHECK_EQ(vmsplice(fds[1], &piece, 1, 0), 4096);
	CHECK_EQ(set_state(block, "offline"), 0);
	/* The pipe has the very page. */
	memset(at, 'b', 4096);
	CHECK_EQ(read(fds[0], out, sizeof(out)), 4096);
	CHECK_EQ(out[0], 'b');
	CHECK_EQ(out[4095], 'b');
	CHECK_EQ(mp_unmap(at, MIB), 0);
	finish();
}

TEST(anonymous_descriptors, "closing every descriptor takes nothing away")
{
	char *at;

	start(2);
	at = map(4 * MIB, 0);
	write_pattern(at, 4 * MIB, 1);
	for (int i = 0; i < 4; i++) {
		for (int fd = 3; fd < 4096; fd++)
			close(fd);
		move_about(1);
	}
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

TEST(anonymous_one_mapping, "a range is one mapping of the host wherever its pages count to")
{
	char *at;

	start(3);
	at = map(3 * MIB, 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(mp_map_discard(at + 2 * (size_t)i * GRANULE, GRANULE), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(set_state(HOT_BLOCK + i, "offline"), 0);
		CHECK_EQ(map_stats().mappings, 1);
		CHECK_EQ(set_state(HOT_BLOCK + i, "online_movable"), 0);
	}
	CHECK_EQ(mp_unmap(at, 3 * MIB), 0);
	finish();
}

static void refused_for_kind(int nid, long block)
{
	struct mp_reason reason;
	void *at = NULL;

	CHECK_EQ(mp_map(&at, 4 * MIB, nid, MP_MAP_THISNODE | MP_MAP_POPULATE), 0);
	write_pattern(at, 4 * MIB, 1);
	CHECK_EQ(set_state(block, "offline"), -ENOMEM);
	CHECK_EQ(mp_block_reason(block, &reason), 0);
	CHECK(strstr(reason.text, "MiB free in other blocks of their kind; bring memory online") != NULL);
	CHECK_STR(read_block(block, "state"), "online");
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	add_blocks(nid, block + 1, 1);
	CHECK_EQ(set_state(block + 1, "online_movable"), 0);
	CHECK_EQ(set_state(block, "offline"), 0);
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
}

TEST(anonymous_mixed, "units stay of their kind: where only memory of the other one is free, ENOMEM with the reason")
{
	machine_boot("overcommit = yes\nbacking = anonymous\nbacking node 1 memfd\n");
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	refused_for_kind(1, HOT_BLOCK);
	CHECK_STR(mp_map_mechanism(), "userfaultfd-wp, anonymous");
	finish();
	machine_boot("overcommit = yes\nbacking node 1 anonymous\n");
	add_blocks(1, HOT_BLOCK, 1);
	CHECK_EQ(set_state(HOT_BLOCK, "online_movable"), 0);
	refused_for_kind(1, HOT_BLOCK);
	finish();
}

TEST(anonymous_bound, "blocks that are bound to nodes of the host: what is mapped comes from there, and goes there")
{
	int mode = -1, ret;
	char *at;

	machine_boot_text("node 0\nnode 1\nnode 2\ncpu 0 node 0\nram 1M 127M node 0\nblock = 16M\novercommit = yes\n"
			  "backing = anonymous\nbacking node 2 anonymous host_node 0\n"
			  "memhp_default_state = online_movable\n");
	CHECK_EQ(add_memory(1, HOT, 16 << 20, MHP_NONE), 0);
	CHECK_EQ(mp_map_prepare(), 0);
	at = map(4 * MIB, MP_MAP_POPULATE);
	write_pattern(at, 4 * MIB, 1);
	ret = add_memory(2, 2 * HOT, 16 << 20, MHP_NONE);
	if (ret)
		SKIP("the host does not bind memory to its node 0");
	/* Only node 2 has room: node 0's is taken. */
	while (alloc_pages_node(0, GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN, 0))
		;
	CHECK_EQ(mp_write_string("/sys/devices/system/memory/memory256/state", "offline"), 0);
	CHECK_EQ(page_to_nid(entry_unit(table_get(at))), 2);
	CHECK_EQ(syscall(SYS_get_mempolicy, &mode, NULL, 0, at, 2 /* of the address */), 0);
	CHECK_EQ(mode, 2 /* bound */);
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	CHECK_EQ(map_stats().bytes, 0);
}
