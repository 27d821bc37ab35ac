/* SPDX-License-Identifier: MIT */
/*
 * The lock-order checker, compiled in here whatever the build: opposite orders
 * are an inversion unless a common outer lock covers both, or both share.
 */
#ifndef MEMPLUG_DEBUG
#define MEMPLUG_DEBUG 1
#endif
#include "sync/lockorder.c"

#include "machine.h"

/* Locks one inside the other, and releases them. */
static void take(const enum lock_class *classes, int count)
{
	for (int i = 0; i < count; i++)
		lockorder_acquire(classes[i], (const char *)take + 1);
	for (int i = count; i-- > 0;)
		lockorder_release(classes[i]);
}

#define TAKE(...)                                                                                  \
	take((const enum lock_class[]){ __VA_ARGS__ },                                             \
	     sizeof((const enum lock_class[]){ __VA_ARGS__ }) / sizeof(enum lock_class))

TEST(LOCK_5, "the order of the house gives no report")
{
	for (int i = 0; i < 3; i++) {
		TAKE(LOCK_DEVICE_HOTPLUG, LOCK_DEVICE, LOCK_CPU_HOTPLUG, LOCK_MEM_HOTPLUG, LOCK_CHAIN);
		TAKE(LOCK_DEVICE_HOTPLUG, LOCK_DEVICE, LOCK_CPU_HOTPLUG, LOCK_MEM_HOTPLUG,
		     LOCK_PCP_DISABLE, LOCK_ZONE);
		TAKE(LOCK_DEVICE, LOCK_DEVICE);
	}
	CHECK_EQ(mp_lockorder_reports(), 0);
	CHECK_EQ(held.nr, 0);
}

TEST(LOCK_5, "the device lock inside mem_hotplug_lock is legal only under device_hotplug_lock")
{
	TAKE(LOCK_DEVICE_HOTPLUG, LOCK_DEVICE, LOCK_MEM_HOTPLUG);
	TAKE(LOCK_DEVICE_HOTPLUG, LOCK_MEM_HOTPLUG, LOCK_DEVICE);
	CHECK_EQ(mp_lockorder_reports(), 0);
	allow_warnings();
	TAKE(LOCK_MEM_HOTPLUG, LOCK_DEVICE);
	CHECK_EQ(mp_lockorder_reports(), 1);
	CHECK(strstr(warning_text(), "mem_hotplug_lock (in take"));
	CHECK(strstr(warning_text(), "then device_lock (in take"));
	/* Once for each pair. */
	TAKE(LOCK_MEM_HOTPLUG, LOCK_DEVICE);
	TAKE(LOCK_DEVICE, LOCK_MEM_HOTPLUG);
	CHECK_EQ(mp_lockorder_reports(), 1);
	CHECK_EQ(warnings(), 1);
}

TEST(outer_sets, "a lock outside of one side only covers nothing")
{
	allow_warnings();
	TAKE(LOCK_DEVICE_HOTPLUG, LOCK_DEVICE, LOCK_MEM_HOTPLUG);
	TAKE(LOCK_CHAIN, LOCK_MEM_HOTPLUG, LOCK_DEVICE);
	CHECK_EQ(mp_lockorder_reports(), 1);
}

TEST(inner_lock_covers_nothing, "a common lock between the two is too late")
{
	allow_warnings();
	TAKE(LOCK_DEVICE, LOCK_OTHER, LOCK_MEM_HOTPLUG);
	CHECK_EQ(mp_lockorder_reports(), 0);
	TAKE(LOCK_MEM_HOTPLUG, LOCK_OTHER, LOCK_DEVICE);
	/* OTHER is inverted to both, and they to each other. */
	CHECK_EQ(mp_lockorder_reports(), 3);
}

static void take_shared(enum lock_class first, bool first_shared, enum lock_class second,
			bool second_shared)
{
	acquire(first, take_shared, first_shared);
	acquire(second, take_shared, second_shared);
	lockorder_release(second);
	lockorder_release(first);
}

TEST(shared_sides, "a lock that both sides share closes no circle, one exclusive side does")
{
	take_shared(LOCK_CPU_HOTPLUG, true, LOCK_DEVICE, false);
	take_shared(LOCK_DEVICE, false, LOCK_CPU_HOTPLUG, true);
	CHECK_EQ(mp_lockorder_reports(), 0);
	allow_warnings();
	take_shared(LOCK_CPU_HOTPLUG, false, LOCK_DEVICE, false);
	CHECK_EQ(mp_lockorder_reports(), 1);
}

TEST(many_contexts, "the smallest outer sets are kept, and releases may come in any order")
{
	struct context wide = { .outer = 7 }, narrow = { .outer = 3 }, other = { .outer = 4 };
	struct edge edge = { .nr_contexts = 0 };

	CHECK(add_context(&edge, &wide));
	CHECK(!add_context(&edge, &wide));
	CHECK(add_context(&edge, &narrow));
	CHECK_EQ(edge.nr_contexts, 1);
	CHECK(!add_context(&edge, &wide));
	CHECK(add_context(&edge, &other));
	CHECK_EQ(edge.nr_contexts, 2);

	lockorder_acquire(LOCK_DEVICE, take);
	lockorder_acquire(LOCK_CHAIN, take);
	lockorder_release(LOCK_DEVICE);
	CHECK_EQ(held.nr, 1);
	CHECK_EQ(held.locks[0].class, LOCK_CHAIN);
	lockorder_release(LOCK_CHAIN);
	lockorder_release(LOCK_CHAIN);
	CHECK_EQ(held.nr, 0);
}
