/* SPDX-License-Identifier: MIT */
/* The memory chain as a chain: its registration functions and one call of it, without a machine. */
#include "recorder.h"

#include <linux/memory.h>

static struct recorder a = RECORDER("a", 1), b = RECORDER("b", 0);

TEST(NOTIFY_11, "registration returns its result, a second unregistration is ignored")
{
	allow_warnings();
	CHECK_EQ(register_memory_notifier(&a.nb), 0);
	CHECK_EQ(register_memory_notifier(&a.nb), -EEXIST);
	CHECK_EQ(warnings(), 1);
	memory_notify(MEM_ONLINE, NULL);
	CHECK_STR(heard(), "a:1");
	unregister_memory_notifier(&a.nb);
	unregister_memory_notifier(&a.nb);
	CHECK_EQ(warnings(), 1);
	memory_notify(MEM_ONLINE, NULL);
	CHECK_STR(heard(), "");
	CHECK_EQ(register_memory_notifier(&a.nb), 0);
}

static int hidden_high(struct notifier_block *nb, unsigned long action, void *data)
{
	note("hidden", "high");
	return NOTIFY_OK;
}

static int hidden_low(struct notifier_block *nb, unsigned long action, void *data)
{
	note("hidden", "low");
	return NOTIFY_OK;
}

static int register_here(void)
{
	return hotplug_memory_notifier(hidden_high, 9);
}

TEST(NOTIFY_12, "hotplug_memory_notifier registers one hidden block for its place in the program")
{
	allow_warnings();
	CHECK_EQ(hotplug_memory_notifier(hidden_low, -9), 0);
	CHECK_EQ(register_here(), 0);
	CHECK_EQ(register_memory_notifier(&b.nb), 0);
	memory_notify(MEM_OFFLINE, NULL);
	CHECK_STR(heard(), "hidden:high b:4 hidden:low");
	CHECK_EQ(register_here(), -EEXIST);
	CHECK_EQ(warnings(), 1);
	memory_notify(MEM_OFFLINE, NULL);
	CHECK_STR(heard(), "hidden:high b:4 hidden:low");
}

TEST(NOTIFY_13, "the hotmemory names are the same functions")
{
	CHECK_EQ(register_hotmemory_notifier(&a.nb), 0);
	memory_notify(MEM_ONLINE, NULL);
	CHECK_STR(heard(), "a:1");
	unregister_hotmemory_notifier(&a.nb);
	memory_notify(MEM_ONLINE, NULL);
	CHECK_STR(heard(), "");
}

TEST(NOTIFY_25, "memory_notify is one ordinary call, with the answer as it is")
{
	CHECK_EQ(memory_notify(MEM_GOING_ONLINE, NULL), NOTIFY_DONE);
	CHECK_EQ(register_memory_notifier(&a.nb), 0);
	CHECK_EQ(register_memory_notifier(&b.nb), 0);
	b.answer = 0x1234;
	CHECK_EQ(memory_notify(MEM_GOING_ONLINE, NULL), 0x1234);
	CHECK_STR(heard(), "a:8 b:8");
	a.answer = notifier_from_errno(-ENOMEM);
	CHECK_EQ(memory_notify(MEM_GOING_ONLINE, NULL), a.answer);
	CHECK_STR(heard(), "a:8");
}

TEST(NOTIFY_24, "a cancelled transaction is a second, full call: nobody is left out, not even who vetoed")
{
	struct listener first = { 0 }, vetoer = { 0 }, later = { 0 };

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	listen_as(&first, "first", 2);
	listen_as(&vetoer, "vetoer", 1);
	listen_as(&later, "later", 0);
	listener_answer(&vetoer, MEM_GOING_ONLINE, NOTIFY_BAD);
	heard();
	CHECK_EQ(set_state(32, "online_movable"), -EPERM);
	CHECK_STR(heard(), "first:GOING_ONLINE vetoer:GOING_ONLINE first:CANCEL_ONLINE "
			   "vetoer:CANCEL_ONLINE later:CANCEL_ONLINE");
}
