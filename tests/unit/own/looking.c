/* SPDX-License-Identifier: MIT */
/* /memplug/plan, events and callbacks: what an offline would meet, what happened, how long callbacks took. */
#include "machine.h"

#include <memplug/ring.h>

static char text[1 << 20];

static const char *own(const char *path)
{
	ssize_t n = mp_read(path, text, sizeof(text) - 1);

	CHECK_GE(n, 0);
	text[n] = '\0';
	return text;
}

/* The number behind " NAME " in the line that begins with `line`; -1: no such line. */
static long planned(const char *line, const char *name)
{
	const char *at = own("/memplug/plan"), *end;
	char key[40];

	while (*at && strncmp(at, line, strlen(line))) {
		at = strchr(at, '\n');
		CHECK(at);
		at++;
	}
	if (!*at)
		return -1;
	snprintf(key, sizeof(key), " %s ", name);
	end = strchr(at, '\n');
	at = strstr(at, key);
	if (!at || at > end)
		FAIL("no \"%s\" in the line of \"%s\"", name, line);
	return atol(at + strlen(key));
}

TEST(own_plan, "plan counts what is in a block by what would become of it, and sends no event")
{
	static struct listener listener;
	static struct moving moving;
	struct page *kernel, *stuck, *rest;
	long before;
	int calls;

	machine_boot(NULL);
	add_blocks(1, 32, 2);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(33, "online_kernel"), 0);
	listen_as(&listener, "witness", 0);
	calls = listener.calls;
	/* A block with nothing in it has no line. */
	CHECK_EQ(planned("block 32 ", "used"), -1);
	CHECK_EQ(planned("node 1 zone Movable ", "free"), (long)BLOCK_PAGES);
	stuck = stuck_take(1);
	CHECK(in_block(stuck, 32));
	CHECK_EQ(planned("block 32 ", "unmovable") + planned("block 32 ", "movable"), 1);
	/* A page with an owner that can move it counts as such. */
	before = planned("block 32 ", "movable");
	CHECK(moving_take(&moving, 1) && in_block(moving.page, 32));
	CHECK_EQ(planned("block 32 ", "movable"), before + 1);
	moving_free(&moving);
	/* What lies in a thread's list is free, and does not stay. */
	CHECK_EQ(planned("block 32 ", "used"), 1 + planned("block 32 ", "listed"));
	kernel = alloc_pages_node(1, KERNEL, 3);
	rest = kernel;
	CHECK(in_block(kernel, 33));
	CHECK_EQ(planned("block 33 ", "unmovable"), 8);
	CHECK(strstr(text, " held by "));
	/* memory0 has two zones and pages of the firmware. */
	CHECK_GT(planned("block 0 ", "reserved") + planned("block 0 ", "holes"), -1);
	CHECK(strstr(text, "block 0 node 0 zone none "));
	CHECK_EQ(listener.calls, calls);
	CHECK_STR(read_block(33, "state"), "online");
	__free_pages(rest, 3);
	__free_page(stuck);
	machine_check();
}

TEST(own_callbacks, "callbacks lists those that are registered, and times them by event")
{
	static struct listener first, second;
	char line[120];

	machine_boot(NULL);
	listen_as(&first, "first", 5);
	listen_as(&second, "second", 1);
	CHECK(!strstr(own("/memplug/callbacks"), "timing "));
	CHECK(strstr(text, "registered priority 5 "));
	CHECK(strstr(text, "registered priority 1 "));
	CHECK(strstr(text, "registered priority 5 ") < strstr(text, "registered priority 1 "));
	add_blocks(1, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	listener_answer(&first, MEM_GOING_OFFLINE, NOTIFY_BAD);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	CHECK_EQ(set_state(32, "offline"), -EPERM);
	own("/memplug/callbacks");
	snprintf(line, sizeof(line), "timing MEM_GOING_OFFLINE calls 2 refusals 2 total_ns ");
	CHECK(strstr(text, line));
	CHECK(strstr(text, " answer 0x8002 "));
	CHECK(strstr(text, "timing MEM_GOING_ONLINE calls "));
}

static void look(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	(void)me;
	(void)action;
	(void)arg;
	CHECK(strstr(own("/memplug/callbacks"), "registered priority 0 "));
	CHECK(strstr(own("/memplug/plan"), "node 0 "));
	CHECK(strstr(own("/memplug/events"), " event "));
}

TEST(own_from_callback, "a callback may look at them itself")
{
	static struct listener listener = { .hook = look };

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	listen_as(&listener, "curious", 0);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(listener.calls, 2);
}

TEST(own_events, "events is the ring, a line for each record")
{
	struct mp_ring_record record;
	char line[200], shown[220];
	u64 cursor = 0;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(set_state(32, "online_movable"), -EINVAL);
	own("/memplug/events");
	CHECK(strstr(text, " state     memory32 offline -> online\n"));
	CHECK(strstr(text, " event     MEM_GOING_ONLINE pfn 0x100000 pages 32768\n"));
	CHECK(strstr(text, " refusal   memory32 error -22 (state) by state\n"));
	while (mp_ring_read(&cursor, &record) == 1) {
		CHECK_GT(mp_ring_text(&record, line, sizeof(line)), 0);
		snprintf(shown, sizeof(shown), " %s\n", line);
		if (!strstr(text, shown))
			FAIL("not there: %s", line);
	}
	CHECK_EQ(mp_ring_text(NULL, line, sizeof(line)), -EINVAL);
	CHECK_EQ(mp_ring_text(&record, NULL, 1), -EINVAL);
	record = (struct mp_ring_record){ .type = 99, .a = 1, .b = 2, .c = 3, .name = "x" };
	mp_ring_text(&record, line, sizeof(line));
	CHECK_STR(line, "?         0x1 2 3 x");
}
