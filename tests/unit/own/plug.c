/* SPDX-License-Identifier: MIT */
/* /memplug/add, remove and check: memory comes and goes through the tree, and what they refuse. */
#include "machine.h"

#define ADD "/memplug/add"
#define REMOVE "/memplug/remove"

static char text[MP_ATTR_SIZE + 1];

static const char *own(const char *path)
{
	ssize_t n = mp_read(path, text, sizeof(text) - 1);

	CHECK_GE(n, 0);
	text[n] = '\0';
	return text;
}

TEST(own_add, "a write to add brings memory, and online as it says; remove takes it away")
{
	machine_boot(NULL);
	CHECK_EQ(mp_write_string(ADD, "0x100000000 256M 1\n"), 0);
	CHECK_STR(read_block(32, "state"), "offline");
	CHECK_STR(read_block(33, "state"), "offline");
	CHECK_EQ(mp_write_string(ADD, "0x110000000 0x8000000 1 online_movable"), 0);
	CHECK_STR(read_block(34, "state"), "online");
	CHECK_STR(read_block(34, "valid_zones"), "Movable");
	CHECK_EQ(mp_write_string(ADD, "4736M 128M 0 movable"), 0);
	CHECK_STR(read_block(37, "valid_zones"), "Movable");
	CHECK_EQ(mp_write_string(REMOVE, "4G 256M"), 0);
	CHECK_STR(read_block(32, "state"), "error -2");
	/* Online: only when it is asked for. */
	CHECK_EQ(mp_write_string(REMOVE, "0x110000000 128M"), -EBUSY);
	CHECK(strstr(own(REMOVE), "\nerror: -16\nkind: state\n"));
	CHECK_EQ(mp_write_string(REMOVE, "0x110000000 128M offline"), 0);
	CHECK_STR(own(REMOVE), "");
	CHECK_STR(read_block(34, "state"), "error -2");
	machine_check();
}

TEST(own_refusals, "what add and remove do not understand or cannot do: an errno, and the file says why")
{
	static const struct {
		const char *path, *request;
		int error;
		const char *said;
	} cases[] = {
		{ ADD, "\n", -EINVAL, "write START SIZE NODE" },
		{ ADD, "4G 128M", -EINVAL, "write START SIZE NODE" },
		{ ADD, "4G 128M 1 sideways", -EINVAL, "write START SIZE NODE" },
		{ ADD, "4G 128M 1 online now", -EINVAL, "write START SIZE NODE" },
		{ ADD, "here 128M 1", -EINVAL, "are numbers" },
		{ ADD, "4G 128Q 1", -EINVAL, "are numbers" },
		{ ADD, "4G 0 1", -EINVAL, "not whole blocks" },
		{ ADD, "4G 1M 1", -EINVAL, "not whole blocks" },
		{ ADD, "0xfffffffff8000000 0x10000000 1", -EINVAL, "not whole blocks" },
		{ ADD, "4G 128M 9", -EINVAL, "node 9 is not possible" },
		{ ADD, "4G 128M -1", -EINVAL, "node -1 is not possible" },
		{ ADD, "0 128M 0", -EEXIST, "range is taken" },
		{ ADD, "0x8000000000000000 128M 0", -E2BIG, "not addressable" },
		{ REMOVE, "4G", -EINVAL, "write START SIZE [offline]" },
		{ REMOVE, "4G 128M 1", -EINVAL, "write START SIZE [offline]" },
		{ REMOVE, "4G 1M", -EINVAL, "not whole blocks" },
		{ REMOVE, "4G 256M", -ENOENT, "memory33 is not there" },
		{ REMOVE, "6G 128M", -ENOENT, "memory48 is not there" },
		{ REMOVE, "0x4000000000000000 0x3000000000000000", -ENOENT, "is not there" },
		{ REMOVE, "0 128M", -EBUSY, "memory0 is not offline; offline it first" },
		{ REMOVE, "0 128M offline", -EINVAL, "memory0: offline refused" },
	};
	char large[3000];
	size_t i;

	machine_boot(LINUX);
	add_blocks(1, 32, 1);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int ret = mp_write_string(cases[i].path, cases[i].request);

		if (ret != cases[i].error)
			FAIL("\"%s\": %d", cases[i].request, ret);
		if (!strstr(own(cases[i].path), cases[i].said))
			FAIL("\"%s\": said \"%s\"", cases[i].request, text);
	}
	memset(large, '1', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	CHECK_EQ(mp_write_string(ADD, large), -EINVAL);
	CHECK_EQ(mp_write(ADD, "4G 128M 1\0x", 11), -EINVAL);
	/* The words of the block's refusal are kept for the block, too. */
	CHECK(strstr(own("/memplug/reasons"), "block: 0\noperation: remove\n"));
	CHECK_STR(read_block(32, "state"), "offline");
	machine_check();
}

TEST(own_add_vetoed, "added, and a callback vetoes the onlining: the errno and the vetoer; the memory is there")
{
	static struct listener listener;

	machine_boot(NULL);
	listen_as(&listener, "guard", 0);
	listener_answer(&listener, MEM_GOING_ONLINE, notifier_from_errno(-EBUSY));
	CHECK_EQ(mp_write_string(ADD, "4G 256M 1 online_movable"), -EBUSY);
	CHECK(strstr(own(ADD), "\nkind: veto\n"));
	CHECK(strstr(text, "\nblock: 32\n"));
	CHECK_STR(read_block(32, "state"), "offline");
	CHECK_EQ(mp_write_string(REMOVE, "4G 256M"), 0);
	machine_check();
}

static ssize_t check_length;

static void *read_check(void *arg)
{
	char *buf = arg;

	check_length = mp_read("/memplug/check", buf, MP_ATTR_SIZE);
	return NULL;
}

TEST(own_check, "check tells inconsistencies; it waits for an operation, and can be cancelled")
{
	static char found[MP_ATTR_SIZE];
	struct zone *zone;
	pthread_t thread;

	machine_boot(NULL);
	CHECK_STR(own("/memplug/check"), "0 inconsistencies\n");
	zone = zone_of(0, ZONE_DMA32);
	zone->present_pages++;
	CHECK(strstr(own("/memplug/check"), "node 0: zones have "));
	CHECK(!strstr(text, "\n0 inconsistencies\n"));
	zone->present_pages--;
	CHECK_STR(own("/memplug/check"), "0 inconsistencies\n");
	lock_device_hotplug();
	CHECK_EQ(pthread_create(&thread, NULL, read_check, found), 0);
	/* Until it has been seen: the thread is known once it waits. */
	AWAIT(mp_cancel(thread) == 0);
	pthread_join(thread, NULL);
	CHECK_EQ(check_length, -EINTR);
	unlock_device_hotplug();
	CHECK_STR(own("/memplug/check"), "0 inconsistencies\n");
}
