/* SPDX-License-Identifier: MIT */
/* Notifier error injection: its files, the numbers they take, what they do to an operation. */
#include "../tree.h"

#define BASE "/sys/kernel/debug/notifier-error-inject"
#define GOING_ONLINE BASE "/memory/actions/MEM_GOING_ONLINE/error"
#define GOING_OFFLINE BASE "/memory/actions/MEM_GOING_OFFLINE/error"

TEST(INJECT_1, "loading makes the directory and the files of the two events that can be refused")
{
	CHECK_EQ(mp_inject_load(0), -ENXIO);
	machine_boot(NULL);
	CHECK(!exists(BASE));
	CHECK_EQ(mp_inject_unload(), -ENOENT);
	CHECK_EQ(mp_inject_load(0), 0);
	CHECK_EQ(mp_inject_load(0), -EEXIST);
	CHECK_STR(listing(BASE), "memory/");
	CHECK_STR(listing(BASE "/memory"), "actions/");
	CHECK_STR(listing(BASE "/memory/actions"), "MEM_GOING_OFFLINE/\nMEM_GOING_ONLINE/");
	CHECK_STR(listing(BASE "/memory/actions/MEM_GOING_ONLINE"), "error 0600 4096");
	CHECK_STR(listing(BASE "/memory/actions/MEM_GOING_OFFLINE"), "error 0600 4096");
}

TEST(INJECT_2, "the priority given at loading is the place of the injector on the chain")
{
	static struct listener before, behind;

	machine_boot(NULL);
	add_blocks(1, 32, 1);
	listen_as(&before, "before", 6);
	listen_as(&behind, "behind", 4);
	CHECK_EQ(mp_inject_load(5), 0);
	CHECK_EQ(mp_write_string(GOING_ONLINE, "-12"), 0);
	CHECK_EQ(set_state(32, "online"), -ENOMEM);
	CHECK_EQ(before.seen[0].action, MEM_GOING_ONLINE);
	CHECK_EQ(behind.calls, 1);
	CHECK_EQ(behind.seen[0].action, MEM_CANCEL_ONLINE);
}

TEST(INJECT_3, "error reads as a signed decimal, 0 at first")
{
	machine_boot(NULL);
	CHECK_EQ(mp_inject_load(0), 0);
	CHECK_STR(raw(GOING_ONLINE), "0\n");
	CHECK_STR(raw(GOING_OFFLINE), "0\n");
	CHECK_EQ(mp_write_string(GOING_ONLINE, "-16"), 0);
	CHECK_STR(raw(GOING_ONLINE), "-16\n");
	CHECK_STR(raw(GOING_OFFLINE), "0\n");
}

TEST(INJECT_4, "error takes a signed number; what it does not take leaves the old one")
{
	static const struct {
		const char *text;
		int result;
	} texts[] = {
		{ "-5", 2 },	  { "-5\n", 3 },      { "-0x5", 4 },	   { "-05", 3 },
		{ "+0", 2 },	  { "-5\n\n", -EINVAL }, { " -5", -EINVAL },  { "-5 ", -EINVAL },
		{ "- 5", -EINVAL }, { "-+5", -EINVAL }, { "x", -EINVAL },  { "\n", -EINVAL },
		{ "-", -EINVAL }, { "0x", -EINVAL }, { "9223372036854775808", -ERANGE },
		{ "-9223372036854775809", -ERANGE }, { "99999999999999999999", -ERANGE },
		{ "-9223372036854775808", 20 },
		/* The 24th character and those behind it do not count, but are taken. */
		{ "-0000000000000000000007x", 24 }, { "-000000000000000000000000007", 28 },
		{ "-000000000000000000007x", -EINVAL },
	};
	size_t i;

	machine_boot(NULL);
	CHECK_EQ(mp_inject_load(0), 0);
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		ssize_t done;

		CHECK_EQ(mp_write_string(GOING_ONLINE, "-33"), 0);
		done = mp_write(GOING_ONLINE, texts[i].text, strlen(texts[i].text));
		if (done != texts[i].result)
			FAIL("\"%s\" gave %zd", texts[i].text, done);
		CHECK_EQ(!strcmp(raw(GOING_ONLINE), "-33\n"), done < 0);
	}
}

TEST(INJECT_5, "the value becomes an int, then something from -4095 to 0")
{
	static const struct {
		const char *text, *shown;
	} values[] = {
		{ "5", "0\n" },		{ "-5000", "-4095\n" },	 { "4294967284", "-12\n" },
		{ "-0x10", "-16\n" },	{ "-4095", "-4095\n" },	 { "-4096", "-4095\n" },
		{ "2147483647", "0\n" }, { "2147483648", "-4095\n" },
		{ "4294967296", "0\n" },
	};
	size_t i;

	machine_boot(NULL);
	CHECK_EQ(mp_inject_load(0), 0);
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		CHECK_EQ(mp_write_string(GOING_OFFLINE, values[i].text), 0);
		CHECK_STR(raw(GOING_OFFLINE), values[i].shown);
	}
}

static char logged[256];

static void keep_log(int level, const char *text, void *arg)
{
	if (strstr(text, "Injecting"))
		snprintf(logged, sizeof(logged), "%d %s", level, text);
}

TEST(INJECT_6, "the event with a value is logged and answered with it, every other with NOTIFY_OK")
{
	struct memory_notify arg = { .status_change_nid = -1, .status_change_nid_normal = -1 };

	machine_boot(NULL);
	mp_set_log_hook(keep_log, NULL);
	CHECK_EQ(mp_inject_load(0), 0);
	CHECK_EQ(memory_notify(MEM_GOING_ONLINE, &arg), NOTIFY_OK);
	CHECK_STR(logged, "");
	CHECK_EQ(mp_write_string(GOING_ONLINE, "-12"), 0);
	CHECK_EQ(memory_notify(MEM_GOING_ONLINE, &arg), notifier_from_errno(-12));
	CHECK_STR(logged, "6 Injecting error (-12) to MEM_GOING_ONLINE");
	logged[0] = '\0';
	CHECK_EQ(memory_notify(MEM_GOING_OFFLINE, &arg), NOTIFY_OK);
	CHECK_EQ(memory_notify(MEM_ONLINE, &arg), NOTIFY_OK);
	CHECK_EQ(memory_notify(MEM_CANCEL_ONLINE, &arg), NOTIFY_OK);
	CHECK_STR(logged, "");
}

TEST(INJECT_7, "who writes state or online gets the injected errno, and the block stays as it was")
{
	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(mp_inject_load(0), 0);
	CHECK_EQ(mp_write_string(GOING_ONLINE, "-12"), 0);
	CHECK_EQ(mp_write_string(GOING_OFFLINE, "-4095"), 0);
	CHECK_EQ(set_state(32, "online"), -ENOMEM);
	CHECK_EQ(write_block(32, "online", "1"), -ENOMEM);
	CHECK_STR(read_block(32, "state"), "offline");
	CHECK_EQ(mp_write_string(GOING_ONLINE, "0"), 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(set_state(32, "offline"), -4095);
	CHECK_EQ(mp_write_string(GOING_OFFLINE, "-16"), 0);
	CHECK_EQ(write_block(32, "online", "0"), -EBUSY);
	CHECK_STR(read_block(32, "state"), "online");
	machine_check();
}

TEST(INJECT_8, "unloading takes the callback and its files away; the values are lost")
{
	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(mp_inject_load(0), 0);
	CHECK_EQ(mp_write_string(GOING_ONLINE, "-12"), 0);
	CHECK_EQ(mp_inject_unload(), 0);
	CHECK_EQ(mp_inject_unload(), -ENOENT);
	CHECK(!exists(BASE "/memory"));
	CHECK(exists(BASE));
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(mp_inject_load(0), 0);
	CHECK_STR(raw(GOING_ONLINE), "0\n");
	/* It goes with the machine. */
	CHECK_EQ(mp_write_string(GOING_ONLINE, "-12"), 0);
	CHECK_EQ(mp_shutdown(), 0);
	CHECK_EQ(mp_inject_unload(), -ENXIO);
	machine_boot(NULL);
	add_blocks(1, 32, 1);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(mp_inject_load(0), 0);
	CHECK_STR(raw(GOING_ONLINE), "0\n");
}

TEST(inject_file, "/memplug/inject loads and unloads it in the words of its module")
{
	static const char own[] = "/memplug/inject";

	machine_boot(NULL);
	CHECK_STR(listing("/sys/kernel/debug"), "");
	CHECK_STR(raw(own), "");
	CHECK_EQ(mp_write_string(own, "unload"), -ENOENT);
	CHECK_EQ(mp_write_string(own, "load\n"), 0);
	CHECK_STR(raw(own), "memory priority=0\n");
	CHECK(exists(GOING_ONLINE));
	CHECK_EQ(mp_write_string(own, "load"), -EEXIST);
	CHECK_EQ(mp_write_string(own, "unload\n"), 0);
	CHECK(!exists(BASE "/memory"));
	CHECK_EQ(mp_write_string(own, "load priority=-7\n"), 0);
	CHECK_STR(raw(own), "memory priority=-7\n");
	CHECK_EQ(mp_write_string(own, "unload"), 0);
	CHECK_EQ(mp_write_string(own, "load priority=x"), -EINVAL);
	CHECK_EQ(mp_write_string(own, "load priority=2147483648"), -ERANGE);
	CHECK_EQ(mp_write_string(own, "load 7"), -EINVAL);
	CHECK_EQ(mp_write_string(own, "loaded"), -EINVAL);
	CHECK_STR(raw(own), "");
}
