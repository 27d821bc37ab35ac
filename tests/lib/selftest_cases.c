/* SPDX-License-Identifier: MIT */
/* Tests that end in every way a test can; tests/lib/selftest checks how each is reported. */
#include "mptest.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

TEST(DEMO_1, "passes")
{
	int evaluated = 0;
	unsigned int big = 0xffffffff;

	CHECK_EQ(++evaluated, 1);
	CHECK_EQ(evaluated, 1);
	CHECK_NE(-1, big);
	CHECK_LT(-1, big);
	CHECK_GE(sizeof(big), 4);
	CHECK_STR("a", "a");
	CHECK_EQ((void *)&big, &big);
}

TEST(DEMO_2, "fails")
{
	CHECK(1 > 0);
	CHECK_EQ(1 + 1, -3);
}

TEST(DEMO_3, "fails on text")
{
	CHECK_STR("a\nb", NULL);
}

TEST(DEMO_4, "crashes")
{
	CHECK(1);
	raise(SIGSEGV);
}

TEST(DEMO_5, "hangs")
{
	CHECK(1);
	for (;;)
		pause();
}

TEST(DEMO_6, "asserts nothing")
{
}

TEST(DEMO_7, "is skipped")
{
	SKIP("no %s here", "device");
}

TEST(DEMO_8, "exits")
{
	CHECK(1);
	exit(3);
}

TEST(DEMO_9, "leaves early")
{
	CHECK(1);
	exit(0);
}

static void *failing_thread(void *argument)
{
	CHECK_EQ(4, 5);
	return argument;
}

TEST(DEMO_10, "fails in another thread")
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, failing_thread, NULL), 0);
	pthread_join(thread, NULL);
}

TEST(none_named, "keeps its name")
{
	CHECK(mptest_seed() == 42);
}
