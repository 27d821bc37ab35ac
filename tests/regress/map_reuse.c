/* SPDX-License-Identifier: MIT */
/*
 * Ranges that threads unmap and remap while others map: an address that became free at the host before the
 * table had forgotten it was handed to another thread, whose new entries were then taken for the old ones:
 * its page was freed under it, and the old page stayed in use for ever.
 */
#include "../unit/map/live.h"

#define THREADS 3
#define ROUNDS 3000

static int misread; /* atomic */

static bool has_pattern(const char *at, uint64_t seed)
{
	for (size_t i = 0; i < GRANULE; i += 4096)
		if (*(const uint64_t *)(at + i) != seed + i)
			return false;
	return true;
}

static void *come_and_go(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg << 32;

	for (int round = 0; round < ROUNDS; round++, seed += GRANULE) {
		void *at = NULL, *second = NULL;

		CHECK_EQ(mp_map(&at, GRANULE, 1, MP_MAP_THISNODE), 0);
		for (size_t i = 0; i < GRANULE; i += 4096)
			*(uint64_t *)((char *)at + i) = seed + i;
		if (round % 4 == 0) {
			/* Behind it perhaps is no room: it goes elsewhere, and its old place is free. */
			CHECK_EQ(mp_map(&second, GRANULE, 1, MP_MAP_THISNODE), 0);
			CHECK_EQ(mp_remap(&at, GRANULE, 2 * GRANULE, MP_REMAP_MAYMOVE), 0);
			CHECK_EQ(mp_unmap(second, GRANULE), 0);
		}
		if (!has_pattern(at, seed))
			__atomic_fetch_add(&misread, 1, __ATOMIC_RELAXED);
		CHECK_EQ(mp_unmap(at, round % 4 ? GRANULE : 2 * GRANULE), 0);
	}
	return NULL;
}

TEST(none_map_reuse, "an address that one thread gives up and another gets is never mistaken for the old one")
{
	unsigned long before;
	pthread_t threads[THREADS];

	start(1);
	before = nr_free_pages();
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, come_and_go, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(misread, 0);
	CHECK_EQ(map_stats().units, 0);
	CHECK_EQ(nr_free_pages(), before);
	/* Nothing lives there: it goes. */
	CHECK_EQ(set_state(HOT_BLOCK, "offline"), 0);
}
