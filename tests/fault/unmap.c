/* SPDX-License-Identifier: MIT */
/*
 * Unmapping, held up between the claim of a unit and the end of it: whoever waits for the unit meanwhile goes on when
 * it is gone. The host's call there is replaced (-Wl,--wrap).
 */
#include "../unit/map/live.h"

#include "os/os.h"

static int held, go_on; /* atomic */

int __real_os_map_nothing(void *at, size_t len);
int __wrap_os_map_nothing(void *at, size_t len);
int __wrap_os_map_nothing(void *at, size_t len)
{
	if (__atomic_exchange_n(&held, 0, __ATOMIC_ACQ_REL))
		AWAIT(__atomic_load_n(&go_on, __ATOMIC_ACQUIRE));
	return __real_os_map_nothing(at, len);
}

static long unmap_it(void *at)
{
	return mp_unmap(at, GRANULE);
}

static long pin_it(void *at)
{
	return mp_pin(at, GRANULE);
}

TEST(map_unmap_wakes, "who waits for a unit that is being unmapped is told when it is gone")
{
	struct worker unmapper, waiter;
	char *at;

	start(1);
	at = map(GRANULE, 0);
	__atomic_store_n(&held, 1, __ATOMIC_RELEASE);
	worker_start(&unmapper, unmap_it, at);
	AWAIT(!__atomic_load_n(&held, __ATOMIC_ACQUIRE));
	worker_start(&waiter, pin_it, at);
	worker_await_sleep(&waiter);
	CHECK(!worker_done(&waiter));
	__atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
	CHECK_EQ(worker_join(&unmapper), 0);
	CHECK_EQ(worker_join(&waiter), -EINVAL); /* nothing is mapped there any more */
	finish();
}
