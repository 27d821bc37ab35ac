/* SPDX-License-Identifier: MIT */
/* How much of a move goes into one window, by what windows took; and that either way leaves every byte. */
#include "live.h"

#include "map/step.h"
#include <sys/mman.h>
#include <unistd.h>

#define US 1000u

static void took(enum step_way way, u64 ns, int times)
{
	while (times--)
		step_way_took(way, ns);
}

static int whole_of(int moves)
{
	int whole = 0;

	while (moves--)
		whole += step_way(true) == STEP_WHOLE;
	return whole;
}

TEST(steps_short, "a huge page moves whole as long as that is short; what is none never")
{
	CHECK_EQ(whole_of(1000), 1000);
	took(STEP_WHOLE, 190 * US, 100);
	took(STEP_PIECES, 10 * US, 100);
	CHECK_EQ(whole_of(1000), 1000);
	CHECK_EQ(step_way(false), STEP_PIECES);
}

TEST(steps_long, "where whole takes long pieces are tried, and taken when theirs are much shorter")
{
	took(STEP_WHOLE, 400 * US, 1);
	CHECK_EQ(step_way(true), STEP_PIECES);
	took(STEP_PIECES, 300 * US, 1);
	CHECK_GE(whole_of(640), 630);
	took(STEP_PIECES, 100 * US, 100);
	CHECK_GE(640 - whole_of(640), 630);
}

TEST(steps_again, "the other way is tried now and then, so that a host that has changed is noticed")
{
	took(STEP_WHOLE, 400 * US, 100);
	took(STEP_PIECES, 100 * US, 100);
	CHECK_EQ(whole_of(640), 10);
	took(STEP_WHOLE, 50 * US, 100);
	CHECK_EQ(whole_of(640), 640);
}

TEST(steps_piece, "a piece is what can be copied in 80 us: 64 to 256 KiB, a power of 2")
{
	size_t largest = step_piece();

	CHECK_EQ(largest, 256 << 10);
	step_piece_took(largest, 81 * US);
	CHECK_EQ(step_piece(), largest / 2);
	for (int i = 0; i < 10; i++)
		step_piece_took(step_piece(), 81 * US);
	CHECK_EQ(step_piece(), GRANULE);
	step_piece_took(GRANULE, 50 * US);
	CHECK_EQ(step_piece(), GRANULE);
	/* Neither a rest nor a whole unit tells of pieces. */
	step_piece_took(3 * GRANULE, 1);
	step_piece_took(2 * MIB, 1);
	CHECK_EQ(step_piece(), GRANULE);
	for (int i = 0; i < 10; i++)
		step_piece_took(step_piece(), 39 * US);
	CHECK_EQ(step_piece(), largest);
}

static uint64_t windows(void)
{
	struct mp_map_stats stats = map_stats();
	uint64_t n = 0;

	for (int i = 0; i < MP_MAP_WINDOW_BUCKETS; i++)
		n += stats.windows[i];
	return n;
}

/* How many units of the range, which has been read, the host has in huge pages. */
static unsigned int huge_units(const char *at, size_t length)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long begin, end, kib, sum = 0;
	bool inside = false;
	char line[1024];

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			inside = begin >= (unsigned long)at && end <= (unsigned long)at + length;
		else if (inside && sscanf(line, "ShmemPmdMapped: %lu", &kib) == 1)
			sum += kib;
	}
	fclose(f);
	return (unsigned int)(sum / 2048);
}

/* Eight units of 2 MiB leave their block, twice; the number of windows, and of the targets that were huge. */
static uint64_t move_units(unsigned int *huge)
{
	char *at;
	uint64_t before;

	start(2);
	at = map(16 * MIB, MP_MAP_POPULATE);
	write_pattern(at, 16 * MIB, 7);
	before = windows();
	*huge = 0;
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(set_state(HOT_BLOCK + i, "offline"), 0);
		CHECK_EQ(wrong(at, 16 * MIB, 7), 0);
		*huge += huge_units(at, 16 * MIB);
		CHECK_EQ(set_state(HOT_BLOCK + i, "online_movable"), 0);
	}
	before = windows() - before;
	CHECK_EQ(mp_unmap(at, 16 * MIB), 0);
	finish();
	return before;
}

TEST(steps_pieces_move, "units of 2 MiB that move in pieces keep every byte")
{
	unsigned int huge;

	took(STEP_WHOLE, 1000000 * US, 1);
	took(STEP_PIECES, 1, 1);
	CHECK_GE(move_units(&huge), 64);
}

/* Of memory files, for who asks. */
static bool host_has_huge_pages(void)
{
	int fd = memfd_create("huge", 0), sized = ftruncate(fd, 4 * MIB);
	char *at = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	bool has;

	CHECK(!sized && at != MAP_FAILED);
	*(char *)ALIGN((uintptr_t)at, 2 * MIB) = 1;
	has = !madvise((char *)ALIGN((uintptr_t)at, 2 * MIB), 2 * MIB, 25 /* MADV_COLLAPSE */);
	munmap(at, 4 * MIB);
	close(fd);
	return has;
}

TEST(steps_whole_move, "units of 2 MiB that move whole keep every byte")
{
	unsigned int huge;
	uint64_t windows;

	took(STEP_PIECES, 1000000 * US, 1);
	windows = move_units(&huge);
	CHECK_GE(windows, 16);
	if (!host_has_huge_pages())
		SKIP("the host has no huge pages for memory files: what moves in one window was not seen");
	/* Where the host had none to give, whose memory may be in small pieces just then, a unit moves in pieces. */
	CHECK_GT(huge, 0);
	CHECK_LE(windows, huge + (16 - huge) * (2 * MIB / GRANULE));
}
