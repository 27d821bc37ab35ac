/* SPDX-License-Identifier: MIT */
/* The text of uevents, their numbers, and the ones that are asked for by writing. */
#include "../sysfs/toy_bus.h"
#include "device/uevent.h"

#define FILE0 TOY_PATH "/toy0/uevent"
#define UUID "12345678-9abc-DEF0-1234-56789abcdef0"

static unsigned long long last_number(void)
{
	const char *number = strstr(toy.last, "\nSEQNUM=");

	return number ? strtoull(number + 8, NULL, 10) : 0;
}

TEST(UEVENT_1, "header, then ACTION, DEVPATH, SUBSYSTEM, extra keys, SEQNUM, each with its NUL")
{
	static const char *const extra[] = { "ONE=1", "TWO=zwei", NULL };
	char expected[256];

	toy_boot();
	CHECK_EQ(uevent_send("change", "/devices/system/toy/toy9", "toy", extra), 0);
	snprintf(expected, sizeof(expected),
		 "change@/devices/system/toy/toy9\nACTION=change\n"
		 "DEVPATH=/devices/system/toy/toy9\nSUBSYSTEM=toy\nONE=1\nTWO=zwei\nSEQNUM=%llu\n",
		 last_number());
	CHECK_STR(toy.last, expected);
	CHECK_EQ(toy.last_size, strlen(expected));
	CHECK_GT(last_number(), 0);
}

TEST(UEVENT_3, "SEQNUM grows by one per event that is sent, and by none that is not")
{
	static char large[3000];
	const char *const extra[] = { large, NULL };
	const char *many[62] = { NULL };
	unsigned long long first;
	int i;

	toy_boot();
	toy_add(0, true);
	first = last_number();
	CHECK_EQ(mp_write_string(FILE0, "change"), 0);
	CHECK_EQ(last_number(), first + 1);
	/* Dropped, refused and validated only: no number. */
	memset(large, 'x', sizeof(large) - 1);
	CHECK_EQ(uevent_send("add", "/devices/system/toy/toy0", "toy", extra), -ENOMEM);
	/* Three variables and these are all that fit: it is the number that does not. */
	for (i = 0; i < 61; i++)
		many[i] = "K=V";
	CHECK_EQ(uevent_send("add", "/devices/system/toy/toy0", "toy", many), -ENOMEM);
	CHECK_EQ(mp_write_string(FILE0, "nonsense"), -EINVAL);
	CHECK_EQ(mp_write_string(TOY_PATH "/uevent", "change"), 0);
	CHECK_EQ(mp_write_string(FILE0, "change"), 0);
	CHECK_EQ(last_number(), first + 2);
}

TEST(UEVENT_4, "at most 64 variables and 2048 bytes; what exceeds is dropped with a warning")
{
	static char fits[2048];
	const char *one[] = { fits, NULL };
	const char *many[70];
	unsigned long warned = mp_warn_count();
	/* The standard variables of this event, without SEQNUM's digits. */
	size_t standard = sizeof("ACTION=add") + sizeof("DEVPATH=/d/t") + sizeof("SUBSYSTEM=toy") +
			  sizeof("SEQNUM=");
	int i;

	CHECK_EQ(mp_uevent_listen(toy_hear, NULL), 0);
	for (i = 0; i < 70; i++)
		many[i] = "K=V";
	many[60] = NULL;
	CHECK_EQ(uevent_send("add", "/d/t", "toy", many), 0); /* 3 + 60 + 1 */
	CHECK_EQ(mp_warn_count(), warned);
	many[60] = "K=V";
	many[61] = NULL;
	toy.last_size = 0;
	CHECK_EQ(uevent_send("add", "/d/t", "toy", many), -ENOMEM);
	CHECK_EQ(toy.last_size, 0);
	CHECK_EQ(mp_warn_count(), warned + 1);

	/* The second event has the number 2: one digit. */
	memset(fits, 'x', 2048 - standard - 1 - 1);
	CHECK_EQ(uevent_send("add", "/d/t", "toy", one), 0);
	CHECK_EQ(toy.last_size, sizeof("add@/d/t") + 2048);
	fits[2048 - standard - 1 - 1] = 'x';
	CHECK_EQ(uevent_send("add", "/d/t", "toy", one), -ENOMEM);
	CHECK_EQ(mp_warn_count(), warned + 2);
}

static void look_at_state(void)
{
	snprintf(toy.seen, sizeof(toy.seen), "%s", names_in(TOY_PATH "/toy0"));
}

TEST(UEVENT_8, "at remove only the empty directory is left, and no link leads to it")
{
	struct device *dev;

	toy_boot();
	dev = toy_add(0, true);
	CHECK_EQ(tree_link(dev->dir, "node0", "../../node/node0"), 0);
	toy.look = look_at_state;
	strcpy(toy.seen, "not called");
	device_unregister(dev);
	CHECK_STR(toy.seen, "");
	CHECK_STR(names_in("/sys/bus/toy/devices"), "");
	CHECK_STR(names_in(TOY_PATH "/toy0"), "error -2");
	CHECK_STR(toy.log, "add@/devices/system/toy/toy0\nremove@/devices/system/toy/toy0\n");
}

TEST(UEVENT_9, "a failed online or offline sends nothing")
{
	struct device *dev;

	toy_boot();
	dev = toy_add(0, true);
	toy.log[0] = '\0';
	toy.answer = -EBUSY;
	CHECK_EQ(device_online(dev), -EBUSY);
	toy.answer = 0;
	CHECK_EQ(device_online(dev), 0);
	CHECK_EQ(device_online(dev), 1);
	toy.answer = -EPERM;
	CHECK_EQ(device_offline(dev), -EPERM);
	CHECK_STR(toy.log, "online@/devices/system/toy/toy0\n");
}

TEST(UEVENT_11, "writing an action to a device's uevent file sends it, with UUID and arguments")
{
	static const char *const actions[] = { "add",	 "remove",  "change", "move",
					       "online", "offline", "bind",   "unbind" };
	char expected[512];
	size_t i;

	toy_boot();
	toy_add(0, true);
	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		CHECK_EQ(mp_write_string(FILE0, actions[i]), 0);
		snprintf(expected, sizeof(expected),
			 "%s@/devices/system/toy/toy0\nACTION=%s\n"
			 "DEVPATH=/devices/system/toy/toy0\nSUBSYSTEM=toy\nSYNTH_UUID=0\n"
			 "SEQNUM=%llu\n", actions[i], actions[i], last_number());
		CHECK_STR(toy.last, expected);
	}
	CHECK_EQ(mp_write_string(FILE0, "change " UUID "\n"), 0);
	CHECK(strstr(toy.last, "\nSUBSYSTEM=toy\nSYNTH_UUID=" UUID "\nSEQNUM="));
	CHECK_EQ(mp_write_string(FILE0, "add " UUID " A=1 bC=d2"), 0);
	CHECK(strstr(toy.last, "\nSYNTH_UUID=" UUID "\nSYNTH_ARG_A=1\nSYNTH_ARG_bC=d2\nSEQNUM="));
}

TEST(UEVENT_12, "nonsense in a uevent file gives EINVAL; what is taken is taken whole")
{
	static const char *const bad[] = {
		"\n", "", "adds", "ad", "Add", "add\n\n", "add ", "add  " UUID, "add x",
		"add 12345678-9abc-def0-1234-56789abcdef", "add 12345678_9abc-def0-1234-56789abcdef0",
		"add 12345678-9abc-def0-1234-56789abcdefg", "add " UUID "x", "add " UUID " ",
		"add " UUID " A", "add " UUID " A=", "add " UUID " =1", "add " UUID " A=1 ",
		"add " UUID " A-B=1", "add " UUID " A=1-2", "add " UUID "  A=1", "add " UUID " A=1 B",
	};
	size_t i;

	toy_boot();
	toy_add(0, true);
	toy.log[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* The empty string stands for a single NUL. */
		ssize_t done = mp_write(FILE0, bad[i], bad[i][0] ? strlen(bad[i]) : 1);

		if (done != -EINVAL)
			FAIL("\"%s\" gave %zd", bad[i], done);
	}
	CHECK_STR(toy.log, "");
	CHECK_EQ(mp_write(FILE0, "add", 0), 0);
	CHECK_STR(toy.log, "");
	CHECK_EQ(mp_write(FILE0, "add\n", 4), 4);
	CHECK_EQ(mp_write(FILE0, "add", 4), 4);
	CHECK_EQ(mp_write(FILE0, "add " UUID " A=1\n", 45), 45);
}

TEST(UEVENT_13, "the subsystem root's uevent file checks and sends nothing; reading gives nothing")
{
	char buf[8] = "xxxxxxx";

	toy_boot();
	toy_add(0, true);
	toy.log[0] = '\0';
	CHECK_EQ(mp_write(TOY_PATH "/uevent", "add\n", 4), 4);
	CHECK_EQ(mp_write_string(TOY_PATH "/uevent", "add " UUID), 0);
	CHECK_EQ(mp_write_string(TOY_PATH "/uevent", "nonsense"), -EINVAL);
	CHECK_EQ(mp_write_string(TOY_PATH "/uevent", "add x"), -EINVAL);
	CHECK_STR(toy.log, "");
	CHECK_EQ(mp_read(TOY_PATH "/uevent", buf, sizeof(buf)), 0);
	CHECK_EQ(mp_read(FILE0, buf, sizeof(buf)), 0);
	CHECK_EQ(mode_of(TOY_PATH "/uevent"), 0644);
}

TEST(UEVENT_14, "the bus's uevent file sends events of the bus")
{
	char expected[256];

	toy_boot();
	CHECK_EQ(mode_of("/sys/bus/toy/uevent"), 0200);
	CHECK_EQ(mp_write_string("/sys/bus/toy/uevent", "change"), 0);
	snprintf(expected, sizeof(expected),
		 "change@/bus/toy\nACTION=change\nDEVPATH=/bus/toy\nSUBSYSTEM=bus\nSYNTH_UUID=0\n"
		 "SEQNUM=%llu\n", last_number());
	CHECK_STR(toy.last, expected);
}

static int second_heard;

static void second(const char *text, size_t size, void *arg)
{
	second_heard = arg == &second_heard ? second_heard + 1 : -1;
}

TEST(uevent_listeners, "listeners come and go, each with its argument")
{
	toy_boot();
	CHECK_EQ(mp_uevent_listen(second, &second_heard), 0);
	toy_add(0, true);
	CHECK_EQ(second_heard, 1);
	CHECK_EQ(mp_uevent_unlisten(second, NULL), -ENOENT);
	CHECK_EQ(mp_uevent_unlisten(second, &second_heard), 0);
	CHECK_EQ(mp_uevent_unlisten(second, &second_heard), -ENOENT);
	toy_add(1, true);
	CHECK_EQ(second_heard, 1);
	CHECK(strstr(toy.log, "add@/devices/system/toy/toy1"));
}
