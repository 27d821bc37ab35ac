/* SPDX-License-Identifier: MIT */
/*
 * What a program gave up while a fork child read it is kept in a list until the child has gone. The page frame 0
 * ended that list: the machine's first page was kept for ever, and its block never left.
 */
#include "../unit/map/live.h"

#include <memplug/machine.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK (8 * MIB)

static void boot(void)
{
	struct mp_desc *desc = mp_desc_new();

	CHECK(desc != NULL);
	CHECK_EQ(mp_desc_set(desc, "block", "8M") | mp_desc_set(desc, "max_phys", "64M") |
			 mp_desc_set(desc, "backing", MAP_BACKING) | mp_desc_set(desc, "probe", "Y") |
			 mp_desc_set(desc, "memhp_default_state", "online_movable") |
			 mp_desc_add_node(desc, 0) | mp_desc_add_cpu(desc, 0, 0) |
			 mp_desc_add_ram(desc, 0, BLOCK, 0, true), 0);
	CHECK_EQ(mp_boot(desc), 0);
	mp_desc_free(desc);
	if (mp_map_prepare() == -EOPNOTSUPP)
		SKIP("memory cannot be moved here");
	CHECK_EQ(add_memory(0, BLOCK, 2 * BLOCK, MHP_NONE), 0);
}

/* Pieces until the machine's first page is one of them. */
static size_t map_first(char *at)
{
	size_t length = 0;
	void *piece;

	for (; !page_count(pfn_to_page(0)); length += GRANULE) {
		CHECK(length < 3 * BLOCK);
		piece = at + length;
		CHECK_EQ(mp_map(&piece, GRANULE, 0, MP_MAP_FIXED | MP_MAP_FORK), 0);
	}
	return length;
}

TEST(first_page, "the machine's first page, given up while a fork child reads it, is the machine's again when the child has gone")
{
	char *room = mmap(NULL, 3 * BLOCK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *at, byte = 0;
	size_t length;
	int ends[2], status;
	pid_t child;

	CHECK(room != MAP_FAILED);
	at = (char *)ALIGN((uintptr_t)room, GRANULE);
	boot();
	length = map_first(at);
	memset(at, 7, length);
	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (!child)
		_exit(read(ends[0], &byte, 1) != 1 || at[0] != 7);
	CHECK(child > 0);
	CHECK_EQ(mp_unmap(at, length), 0);
	CHECK_EQ(write(ends[1], &byte, 1), 1);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	/* It waits for what is folded meanwhile. */
	CHECK_EQ(set_state(0, "offline"), 0);
	CHECK_EQ(page_count(pfn_to_page(0)), 0);
	close(ends[0]);
	close(ends[1]);
	AWAIT(!mp_shutdown());
}
