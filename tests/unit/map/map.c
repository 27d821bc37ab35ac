/* SPDX-License-Identifier: MIT */
/* Stable mappings: mapping, unmapping, resizing, pins, refusals (docs/live-memory.md). */
#include "live.h"

#include <sys/mman.h>

TEST(map_zero, "a mapped range reads as zero, also where pages were used before")
{
	char *at;

	start(2);
	for (int i = 0; i < 3; i++) {
		at = map(5 * MIB + GRANULE, 0);
		CHECK(is_zero(at, 5 * MIB + GRANULE));
		write_pattern(at, 5 * MIB + GRANULE, 7);
		CHECK_EQ(map_stats().bytes, 5 * MIB + GRANULE);
		CHECK_EQ(mp_unmap(at, 5 * MIB + GRANULE), 0);
	}
	finish();
}

TEST(map_offline, "what is mapped keeps its address and its contents when its block leaves")
{
	char *at;

	start(2);
	at = map(8 * MIB, 0);
	write_pattern(at, 8 * MIB, 1);
	for (int i = 0; i < 4; i++) {
		move_about(1);
		CHECK_EQ(wrong(at, 8 * MIB, 1), 0);
	}
	CHECK_GE(map_stats().bytes_moved, 16 * MIB);
	CHECK_LE(map_stats().mappings, 20);
	CHECK_EQ(mp_unmap(at, 8 * MIB), 0);
	finish();
}

TEST(map_sparse, "pages that were never touched stay holes when their block leaves")
{
	char *at;

	start(2);
	at = map(64 * MIB, 0);
	at[3 * MIB] = 'x';
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(at[3 * MIB], 'x');
	CHECK_LE(mp_block_resident(HOT_BLOCK + 1), 4 * MIB);
	at[3 * MIB] = 0;
	CHECK(is_zero(at, 64 * MIB));
	CHECK_EQ(mp_unmap(at, 64 * MIB), 0);
	finish();
}

TEST(map_partial, "a part of a range leaves, also the middle of a unit of 2 MiB")
{
	char *at;

	start(2);
	at = map(6 * MIB, 0);
	write_pattern(at, 6 * MIB, 3);
	CHECK_EQ(map_stats().huge_units, 3);
	CHECK_EQ(mp_unmap(at + 3 * MIB, GRANULE), 0);
	CHECK_EQ(map_stats().bytes, 6 * MIB - GRANULE);
	CHECK_EQ(map_stats().huge_units, 2);
	CHECK_EQ(mp_unmap(at + MIB, 2 * MIB), 0);
	CHECK_EQ(wrong(at, MIB, 3), 0);
	CHECK_EQ(mp_unmap(at, 2 * MIB), -EINVAL);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(wrong(at, MIB, 3), 0);
	CHECK_EQ(wrong(at + 4 * MIB, 2 * MIB, 3 + 4 * MIB * 0x9e3779b97f4a7c15u), 0);
	CHECK_EQ(mp_unmap(at, MIB), 0);
	CHECK_EQ(mp_unmap(at + 3 * MIB + GRANULE, 3 * MIB - GRANULE), 0);
	finish();
}

TEST(map_fixed, "at a place of the caller's; not twice; a failure leaves a reservation")
{
	void *at = mmap(NULL, 64 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *again;
	char *aligned = (char *)(((uintptr_t)at + GRANULE - 1) & ~(GRANULE - 1));
	void *twice = aligned, *odd = aligned + 4096;

	start(2);
	again = aligned;
	CHECK_EQ(mp_map(&again, MIB, -1, MP_MAP_FIXED | MP_MAP_POPULATE), 0);
	CHECK(again == aligned);
	aligned[0] = 1;
	CHECK_EQ(mp_map(&twice, MIB, -1, MP_MAP_FIXED), -EEXIST);
	CHECK_EQ(mp_map(&odd, MIB, -1, MP_MAP_FIXED), -EINVAL);
	CHECK_EQ(aligned[0], 1);
	CHECK_EQ(mp_unmap(aligned, MIB), 0);
	finish();
}

TEST(map_remap, "a range grows in place or elsewhere, shrinks, and keeps what it held")
{
	char *at, *old;
	void *wall;

	start(2);
	at = map(3 * MIB, 0);
	write_pattern(at, 3 * MIB, 5);
	wall = mmap(at + 3 * MIB, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(wall == at + 3 * MIB);
	CHECK_EQ(mp_remap((void **)&at, 3 * MIB, 9 * MIB, 0), -ENOMEM);
	old = at;
	CHECK_EQ(mp_remap((void **)&at, 3 * MIB, 9 * MIB, MP_REMAP_MAYMOVE), 0);
	CHECK(at != old);
	CHECK_EQ(wrong(at, 3 * MIB, 5), 0);
	CHECK(is_zero(at + 3 * MIB, 6 * MIB));
	write_pattern(at, 9 * MIB, 6);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(wrong(at, 9 * MIB, 6), 0);
	CHECK_EQ(mp_remap((void **)&at, 9 * MIB, 2 * MIB + GRANULE, 0), 0);
	CHECK_EQ(wrong(at, 2 * MIB + GRANULE, 6), 0);
	CHECK_EQ(map_stats().bytes, 2 * MIB + GRANULE);
	CHECK_EQ(mp_unmap(at, 2 * MIB + GRANULE), 0);
	finish();
}

TEST(map_discard, "discarded granules read as zero and give their memory back; the range stays")
{
	int64_t before;
	char *at;

	start(2);
	at = map(4 * MIB, MP_MAP_POPULATE);
	write_pattern(at, 4 * MIB, 9);
	before = mp_block_resident(HOT_BLOCK) + mp_block_resident(HOT_BLOCK + 1);
	CHECK_EQ(mp_map_discard(at + MIB, 2 * MIB), 0);
	CHECK_LE(mp_block_resident(HOT_BLOCK) + mp_block_resident(HOT_BLOCK + 1), before - 2 * (int64_t)MIB);
	CHECK(is_zero(at + MIB, 2 * MIB));
	CHECK_EQ(wrong(at, MIB, 9), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

TEST(map_bad_input, "nonsense is refused, and changes nothing")
{
	void *at = NULL;

	CHECK_EQ(mp_map(&at, MIB, 0, 0), -ENXIO);
	CHECK_EQ(mp_unmap(&at, MIB), -ENXIO);
	CHECK_EQ(mp_pin(&at, 8), -ENXIO);
	start(2);
	CHECK_EQ(mp_map(NULL, MIB, 0, 0), -EINVAL);
	CHECK_EQ(mp_map(&at, 0, 0, 0), -EINVAL);
	CHECK_EQ(mp_map(&at, ~(size_t)0, 0, 0), -EINVAL);
	CHECK_EQ(mp_map(&at, MIB, 99, 0), -EINVAL);
	CHECK_EQ(mp_map(&at, MIB, 0, 1u << 20), -EINVAL);
	CHECK_EQ(mp_map(&at, MIB, 0, MP_MAP_HUGE), -EINVAL);
	CHECK_EQ(mp_unmap(&at, MIB), -EINVAL);
	CHECK_EQ(mp_unmap((void *)GRANULE, MIB), -EINVAL);
	CHECK_EQ(mp_unmap((void *)~(GRANULE - 1), 4 * GRANULE), -EINVAL);
	CHECK_EQ(mp_map_discard((void *)(64 * GRANULE), GRANULE), -EINVAL);
	CHECK_EQ(mp_pin((void *)(64 * GRANULE), 1), -EINVAL);
	CHECK_EQ(mp_unpin((void *)(64 * GRANULE), 1), -EINVAL);
	finish();
}

TEST(map_full, "more than the machine has: ENOMEM with a reason, and nothing is taken")
{
	struct mp_reason reason;
	unsigned long free;
	void *at = NULL;

	start(2);
	free = nr_free_pages();
	CHECK_EQ(mp_map(&at, (size_t)4 << 30, 1, MP_MAP_THISNODE), -ENOMEM);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.error, -ENOMEM);
	CHECK(strstr(reason.text, "bring memory online") != NULL);
	drain_pages_range(0, ~0UL);
	CHECK_EQ(nr_free_pages(), free);
	finish();
}

TEST(map_pin, "a pinned unit stays, its block too, and the reason names who pinned it; counted")
{
	struct mp_reason reason;
	char *at;

	start(2);
	at = map(4 * MIB, 0);
	write_pattern(at, 4 * MIB, 2);
	CHECK_EQ(mp_unpin(at, 1), -EINVAL);
	CHECK_EQ(mp_pin(at + MIB, 100), 0);
	CHECK_EQ(mp_pin(at + MIB, 100), 0);
	CHECK_EQ(map_stats().pinned, 1);
	CHECK_EQ(mp_unmap(at, 4 * MIB), -EBUSY);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EBUSY);
	CHECK_EQ(mp_block_reason(HOT_BLOCK, &reason), 0);
	CHECK(strstr(reason.text, "map_pin") != NULL || strstr(reason.actor, "mptest_body") != NULL);
	CHECK_STR(read_block(HOT_BLOCK, "state"), "online");
	CHECK_EQ(mp_unpin(at + MIB, 100), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -EBUSY);
	CHECK_EQ(mp_unpin(at + MIB, 100), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(wrong(at, 4 * MIB, 2), 0);
	CHECK_EQ(mp_unmap(at, 4 * MIB), 0);
	finish();
}

static int pinned_stays(struct notifier_block *nb, unsigned long action, void *data)
{
	struct listener *me = (struct listener *)nb;

	(void)data;
	if (action == MEM_GOING_OFFLINE)
		me->calls += mp_unmap((void *)me->name, GRANULE) == -EBUSY;
	return NOTIFY_OK;
}

TEST(map_reason, "what a callback tried in vain is not the reason of the offline that asked it")
{
	struct listener giver = { .nb.notifier_call = pinned_stays };
	struct mp_reason reason;
	long block = HOT_BLOCK;
	char *at;

	start(2);
	giver.name = at = map(GRANULE, MP_MAP_POPULATE);
	block += !mp_block_resident(block);
	CHECK_EQ(mp_pin(at, 1), 0);
	CHECK_EQ(register_memory_notifier(&giver.nb), 0);
	CHECK_EQ(set_state(block, "offline"), -EBUSY);
	CHECK_EQ(giver.calls, 1);
	CHECK_EQ(mp_block_reason(block, &reason), 0);
	CHECK(strstr(reason.text, "offline refused: 16 pages pinned") != NULL);
	CHECK_EQ(mp_unpin(at, 1), 0);
	CHECK_EQ(set_state(block, "offline"), 0);
	unregister_memory_notifier(&giver.nb);
	finish();
}

TEST(map_no_room, "the rest is full: the offline is refused with ENOMEM and a reason, all stays as it was")
{
	struct mp_reason reason;
	void *rest = NULL;
	char *at;

	start(2);
	at = map(240 * MIB, 0);
	write_pattern(at, 6 * MIB, 4);
	CHECK_EQ(mp_map(&rest, 300 * MIB, 0, MP_MAP_THISNODE), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), -ENOMEM);
	CHECK_EQ(mp_block_reason(HOT_BLOCK, &reason), 0);
	CHECK(strstr(reason.text, "no room") != NULL);
	CHECK_STR(read_block(HOT_BLOCK, "state"), "online");
	CHECK_EQ(wrong(at, 6 * MIB, 4), 0);
	CHECK_EQ(mp_unmap(rest, 300 * MIB), 0);
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
	CHECK_EQ(wrong(at, 6 * MIB, 4), 0);
	CHECK_EQ(mp_unmap(at, 240 * MIB), 0);
	finish();
}

TEST(map_unmap_reserve, "mp_unmap_reserve() gives granules back and keeps their addresses, without access, for MP_MAP_FIXED")
{
	void *again, *other;
	unsigned char vec;
	char *at;
	int fds[2];

	start(2);
	at = map(4 * MIB, 0);
	write_pattern(at, 4 * MIB, 1);
	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(mp_unmap_reserve(at + MIB + 1, GRANULE), -EINVAL);
	CHECK_EQ(mp_unmap_reserve(at + MIB, 8 * MIB), -EINVAL);
	CHECK_EQ(mp_unmap_reserve(NULL, MIB), -EINVAL);
	CHECK_EQ(mp_pin(at + MIB, 1), 0);
	CHECK_EQ(mp_unmap_reserve(at + MIB, MIB), -EBUSY);
	CHECK_EQ(mp_unpin(at + MIB, 1), 0);
	CHECK_EQ(wrong(at, 4 * MIB, 1), 0);
	CHECK_EQ(mp_unmap_reserve(at + MIB, MIB), 0);
	CHECK_EQ(map_stats().bytes, 3 * MIB);
	CHECK_EQ(mp_unmap_reserve(at + MIB, MIB), -EINVAL);
	/* Nobody may look there, and nobody else comes there. */
	CHECK_EQ(write(fds[1], at + MIB, 1), -1);
	CHECK_EQ(errno, EFAULT);
	CHECK_EQ(mincore(at + MIB, 4096, &vec), 0);
	other = mmap(at + MIB, MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(other == MAP_FAILED);
	again = at + MIB;
	CHECK_EQ(mp_map(&again, MIB, 1, MP_MAP_FIXED | MP_MAP_THISNODE), 0);
	CHECK(again == at + MIB);
	CHECK(is_zero(at + MIB, MIB));
	CHECK_EQ(wrong(at, MIB, 1), 0);
	CHECK_EQ(mp_unmap_reserve(at, 4 * MIB), 0);
	CHECK_EQ(munmap(at, 4 * MIB), 0);
	finish();
	CHECK_EQ(mp_unmap_reserve(at, MIB), -ENXIO);
}
