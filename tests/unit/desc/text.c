/* SPDX-License-Identifier: MIT */
/* Machine descriptions by text and by calls: what is taken, and how a mistake is named. */
#include "../tree.h"

#include "plug/desc.h"

static int parse(struct mp_desc *desc, const char *text)
{
	return mp_desc_parse(desc, text, "conf");
}

TEST(statements, "each statement of the text does what the call of its name does; comments and blanks are free")
{
	struct mp_desc *desc = mp_desc_new();

	CHECK_STR(mp_desc_error(desc), "");
	CHECK_EQ(parse(desc, ""), 0);
	CHECK_EQ(parse(desc, "\n\n# a comment\n   \t\r\n#\n"), 0);
	CHECK_EQ(parse(desc, "node 1\n"
			     "  node\t2   # behind it\n"
			     "cpu 3 node 1\n"
			     "cpu 4\n"
			     "distance 0 1 21\n"
			     "ram 0x100000 1G node 1\n"
			     "ram 2G 4096\n"
			     "ram 4G 2m node 2 movable#tight\n"
			     "ram 5G 4K movable\n"
			     "reserve 0x200000 8k\n"
			     "offline 8G 128M node 1\n"
			     "block=256M\n"
			     "overcommit = yes\r\n"
			     "memory_hotplug.auto_movable_ratio=0x10"), 0);
	CHECK_STR(mp_desc_error(desc), "");
	CHECK(desc_node_possible(desc, 0) && desc_node_possible(desc, 1) && desc_node_possible(desc, 2));
	CHECK(!desc_node_possible(desc, 3));
	CHECK_EQ(desc->nr_cpus, 2);
	CHECK_EQ(desc->cpus[0].cpu, 3);
	CHECK_EQ(desc->cpus[0].nid, 1);
	CHECK_EQ(desc->cpus[1].nid, 0);
	CHECK_EQ(desc->nr_distances, 1);
	CHECK_EQ(desc->distances[0].distance, 21);
	CHECK_EQ(desc->ram.count, 4);
	CHECK_EQ(desc->ram.at[0].start, 0x100000ULL);
	CHECK_EQ(desc->ram.at[0].size, 1ULL << 30);
	CHECK_EQ(desc->ram.at[0].nid, 1);
	CHECK(!desc->ram.at[0].movable);
	CHECK_EQ(desc->ram.at[1].size, 4096ULL);
	CHECK_EQ(desc->ram.at[1].nid, 0);
	CHECK_EQ(desc->ram.at[2].size, 2ULL << 20);
	CHECK(desc->ram.at[2].movable && desc->ram.at[3].movable);
	CHECK_EQ(desc->reserved.count, 1);
	CHECK_EQ(desc->reserved.at[0].size, 8192ULL);
	CHECK_EQ(desc->offline.count, 1);
	CHECK_EQ(desc->offline.at[0].start, 8ULL << 30);
	CHECK_EQ(desc->block_size, 256ULL << 20);
	CHECK(desc->overcommit);
	CHECK_EQ(desc->auto_movable_ratio, 16U);
	mp_desc_free(desc);
}

static const char *const mistakes[] = {
	"nonsense", "node", "node x", "node -1", "node 1024", "node 1 2", "node 99999999999999999999",
	"cpu", "cpu x node 0", "cpu 1 node", "cpu 1 nod 0", "cpu 1024", "cpu 0 node 0 x", "cpu -1",
	"distance 0 1", "distance 0 1 0", "distance 0 1 255", "distance 0 x 20", "distance 0 1 20 3",
	"ram", "ram 0", "ram 0 0", "ram 1 4096", "ram 0 100", "ram x 4K", "ram 0 4X", "ram 0 4KK",
	"ram 0 4K node", "ram 0 4K node x", "ram 0 4K node 1024", "ram 0 4K node 0 immovable",
	"ram 0 4K movable movable", "ram -4K 4K", "ram 0 4K 5", "ram 0 99999999999999999999",
	"ram 0 20000000T", "ram 0xfffffffffffff000 8K", "ram 0 4K node 0 movable x y z",
	"reserve 0", "reserve 0 4K node 0", "reserve 1 4K", "offline 0", "offline 0 4K node 0 movable",
	"offline 0 0", "x =", "= x", "block", "block = ", "block = 3M", "nothing = 1", "block = 1 2",
	"max_phys = 1", "max_phys = 1000T", "max_phys = 3M", "contract = linux", "contract = Document",
	"backing = disk", "commit = now", "overcommit = maybe", "online_policy = best",
	"auto_movable_ratio = -1", "auto_movable_ratio = 4294967296", "auto_movable_numa_aware = x",
	"memmap_on_memory = 2", "memhp_default_state = on", "movable_node = perhaps", "probe = x",
	"memory_hotplug. = 1", "memory_hotplug.nothing = 1", "a b c d e f g h i", "a=b=c=d=e=f=g=h",
};

TEST(mistakes, "every mistake is -EINVAL, and its text names file, line and words; nothing of the line is kept")
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct mp_desc *desc = mp_desc_new();
		char text[512], start[64];
		int ret;

		snprintf(text, sizeof(text), "# one\n\nram 1G 4K\n%s\nram 2G 4K\n", mistakes[i]);
		ret = parse(desc, text);
		if (ret != -EINVAL)
			FAIL("\"%s\" gave %d", mistakes[i], ret);
		snprintf(start, sizeof(start), "conf:4: \"%.40s", mistakes[i]);
		if (strncmp(mp_desc_error(desc), start, strlen(start)))
			FAIL("\"%s\": the error is \"%s\"", mistakes[i], mp_desc_error(desc));
		/* What came before it stays, what comes behind is not read. */
		CHECK_EQ(desc->ram.count, 1);
		CHECK_EQ(desc->reserved.count + desc->offline.count + desc->nr_cpus +
			 desc->nr_distances, 0);
		mp_desc_free(desc);
	}
}

TEST(twice, "what is described twice, or overlaps, is refused")
{
	struct mp_desc *desc = mp_desc_new();

	CHECK_EQ(parse(desc, "node 1\nnode 1\n"), -EINVAL);
	CHECK(strstr(mp_desc_error(desc), "conf:2:") && strstr(mp_desc_error(desc), "twice"));
	CHECK_EQ(parse(desc, "cpu 1 node 0\ncpu 1 node 1\n"), -EINVAL);
	CHECK_EQ(parse(desc, "ram 1M 1M\nram 3M 1M\nram 2M 1M"), 0);
	CHECK_EQ(parse(desc, "ram 2M 4K"), -EINVAL);
	CHECK(strstr(mp_desc_error(desc), "overlaps"));
	CHECK_EQ(parse(desc, "ram 0 8M"), -EINVAL);
	CHECK_EQ(parse(desc, "ram 4M 4K\nram 1020K 4K"), 0);
	CHECK_EQ(desc->ram.count, 5);
	CHECK_EQ(desc->ram.at[0].start, 1020ULL << 10); /* in order of address */
	CHECK_EQ(desc->ram.at[4].start, 4ULL << 20);
	CHECK_EQ(parse(desc, "offline 1G 2M\noffline 1G 2M"), -EINVAL);
	mp_desc_free(desc);
}

TEST(long_lines, "a line of any length, a file of any kind and a text without end are refused or read, not overrun")
{
	struct mp_desc *desc = mp_desc_new();
	char text[2048], path[64];
	int i, fd;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	CHECK_EQ(parse(desc, text), -EINVAL);
	CHECK(!strncmp(mp_desc_error(desc), "conf:1:", 7));
	memset(text, ' ', 600);
	strcpy(text + 600, "\nram 0 4K\n");
	CHECK_EQ(parse(desc, text), -EINVAL);
	for (i = 0; i < 510; i += 2)
		memcpy(text + i, "a ", 2);
	text[510] = '\0';
	CHECK_EQ(parse(desc, text), -EINVAL);
	memset(text, '=', 511);
	text[511] = '\0';
	CHECK_EQ(parse(desc, text), -EINVAL);

	CHECK_EQ(mp_desc_read_file(desc, "/does/not/exist"), -ENOENT);
	CHECK(strstr(mp_desc_error(desc), "/does/not/exist"));
	CHECK_EQ(mp_desc_read_file(desc, "/"), -EISDIR);
	snprintf(path, sizeof(path), "/tmp/mptest-desc-%d", getpid());
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	CHECK_GE(fd, 0);
	CHECK_EQ(write(fd, "ram 0 4K\n\0ram 1M 4K\n", 20), 20);
	close(fd);
	CHECK_EQ(mp_desc_read_file(desc, path), -EINVAL);
	CHECK(strstr(mp_desc_error(desc), "binary"));
	CHECK_EQ(desc->ram.count, 0);
	fd = open(path, O_WRONLY | O_TRUNC);
	CHECK_EQ(write(fd, "ram 1M 4K\nbad\n", 14), 14);
	CHECK_EQ(mp_desc_read_file(desc, path), -EINVAL);
	CHECK(strstr(mp_desc_error(desc), path) && strstr(mp_desc_error(desc), ":2: \"bad\""));
	/* Many lines, beyond one read. */
	CHECK_EQ(ftruncate(fd, 0), 0);
	lseek(fd, 0, SEEK_SET);
	for (i = 0; i < 2000; i++) {
		int len = snprintf(text, sizeof(text), "ram %dM 4K node 1 # line\n", i + 2);

		CHECK_EQ(write(fd, text, (size_t)len), len);
	}
	close(fd);
	CHECK_EQ(mp_desc_read_file(desc, path), 0);
	CHECK_EQ(desc->ram.count, 2001);
	unlink(path);
	mp_desc_free(desc);
}

TEST(calls, "bad arguments of the calls: -EINVAL, -EEXIST, -ENOENT with a text, and the description as before")
{
	struct mp_desc *desc = mp_desc_new();

	CHECK_EQ(mp_desc_set(NULL, "block", "2M"), -EINVAL);
	CHECK_EQ(mp_desc_set(desc, NULL, "2M"), -EINVAL);
	CHECK_EQ(mp_desc_set(desc, "block", NULL), -EINVAL);
	CHECK_EQ(mp_desc_set(desc, "blocks", "2M"), -ENOENT);
	CHECK(strstr(mp_desc_error(desc), "blocks"));
	CHECK_EQ(mp_desc_set(desc, "", ""), -ENOENT);
	CHECK_EQ(mp_desc_set(desc, "block", "2M x"), -EINVAL);
	CHECK(strstr(mp_desc_error(desc), "block") && strstr(mp_desc_error(desc), "2M x"));
	CHECK_EQ(mp_desc_add_node(NULL, 1), -EINVAL);
	CHECK_EQ(mp_desc_add_node(desc, -1), -EINVAL);
	CHECK_EQ(mp_desc_add_node(desc, MAX_NUMNODES), -EINVAL);
	CHECK_EQ(mp_desc_add_node(desc, MAX_NUMNODES - 1), 0);
	CHECK_EQ(mp_desc_add_node(desc, MAX_NUMNODES - 1), -EEXIST);
	CHECK_EQ(mp_desc_add_cpu(NULL, 0, 0), -EINVAL);
	CHECK_EQ(mp_desc_add_cpu(desc, -1, 0), -EINVAL);
	CHECK_EQ(mp_desc_add_cpu(desc, 0, -1), -EINVAL);
	CHECK_EQ(mp_desc_add_cpu(desc, 0, MAX_NUMNODES), -EINVAL);
	CHECK_EQ(mp_desc_add_cpu(desc, 0, 0), 0);
	CHECK_EQ(mp_desc_add_cpu(desc, 0, 1), -EEXIST);
	CHECK_EQ(mp_desc_set_distance(NULL, 0, 1, 20), -EINVAL);
	CHECK_EQ(mp_desc_set_distance(desc, -1, 1, 20), -EINVAL);
	CHECK_EQ(mp_desc_set_distance(desc, 0, 1, 0), -EINVAL);
	CHECK_EQ(mp_desc_add_ram(NULL, 0, 4096, 0, false), -EINVAL);
	CHECK_EQ(mp_desc_add_ram(desc, 0, 0, 0, false), -EINVAL);
	CHECK_EQ(mp_desc_add_ram(desc, 1, 4096, 0, false), -EINVAL);
	CHECK_EQ(mp_desc_add_ram(desc, 0, 4097, 0, false), -EINVAL);
	CHECK_EQ(mp_desc_add_ram(desc, -4096ULL, 8192, 0, false), -EINVAL);
	CHECK_EQ(mp_desc_add_ram(desc, 0, 4096, -1, false), -EINVAL);
	CHECK_EQ(mp_desc_add_ram(desc, 0, 8192, 0, false), 0);
	CHECK_EQ(mp_desc_add_ram(desc, 4096, 8192, 0, false), -EEXIST);
	CHECK_EQ(mp_desc_reserve(NULL, 0, 4096), -EINVAL);
	CHECK_EQ(mp_desc_reserve(desc, 0, 1), -EINVAL);
	CHECK_EQ(mp_desc_add_offline(NULL, 0, 4096, 0), -EINVAL);
	CHECK_EQ(mp_desc_add_offline(desc, 0, 0, 0), -EINVAL);
	CHECK_EQ(mp_desc_parse(NULL, "", "x"), -EINVAL);
	CHECK_EQ(mp_desc_parse(desc, NULL, "x"), -EINVAL);
	CHECK_EQ(mp_desc_parse(desc, "bad", NULL), -EINVAL);
	CHECK(strstr(mp_desc_error(desc), "1: \"bad\""));
	CHECK_EQ(mp_desc_read_file(NULL, "/dev/null"), -EINVAL);
	CHECK_EQ(mp_desc_read_file(desc, NULL), -EINVAL);
	CHECK_EQ(mp_desc_read_file(desc, "/dev/null"), 0);
	CHECK_EQ(mp_desc_read_sysfs(NULL, "/"), -EINVAL);
	CHECK_EQ(mp_desc_read_sysfs(desc, NULL), -EINVAL);
	CHECK_NE(mp_desc_error(NULL), NULL);
	mp_desc_free(NULL);
	CHECK_EQ(desc->ram.count, 1);
	CHECK_EQ(desc->nr_cpus, 1);
	CHECK_EQ(desc->nr_distances, 0);
	CHECK_EQ(desc->reserved.count + desc->offline.count, 0);
	mp_desc_free(desc);
}

static int boot_refusal(const char *text, char *why, size_t size)
{
	struct mp_desc *desc = mp_desc_new();
	struct mp_reason reason;
	int ret;

	if (parse(desc, text))
		FAIL("%s", mp_desc_error(desc));
	ret = mp_boot(desc);
	mp_desc_free(desc);
	if (mp_last_reason(&reason))
		FAIL("no reason for \"%s\"", text);
	snprintf(why, size, "%s", reason.text);
	CHECK_STR(reason.operation, "boot");
	CHECK_EQ(reason.error, ret);
	CHECK(!mp_booted());
	return ret;
}

TEST(impossible, "a description that makes no machine is -EINVAL at boot, with a reason that says what")
{
	char why[256];

	CHECK_EQ(mp_boot(NULL), -EINVAL);
	CHECK_EQ(boot_refusal("", why, sizeof(why)), -EINVAL);
	CHECK(strstr(why, "RAM"));
	CHECK_EQ(boot_refusal("node 1\noffline 0 128M\n", why, sizeof(why)), -EINVAL);
	CHECK_EQ(boot_refusal("max_phys = 1G\nram 1G 128M\n", why, sizeof(why)), -EINVAL);
	CHECK(strstr(why, "max_phys"));
	CHECK_EQ(boot_refusal("ram 0 128M\noffline 1G 64M\n", why, sizeof(why)), -EINVAL);
	CHECK(strstr(why, "block"));
	CHECK_EQ(boot_refusal("max_phys = 2G\nram 0 128M\noffline 2G 128M\n", why, sizeof(why)), -EINVAL);
	CHECK_EQ(boot_refusal("ram 0 128M\nram 1G 4K movable\n", why, sizeof(why)), -EINVAL);
	CHECK(strstr(why, "movable"));
	/* Offline memory where RAM is. */
	CHECK_LT(boot_refusal("ram 0 256M\noffline 128M 128M\n", why, sizeof(why)), 0);
	machine_boot(NULL);
	machine_check();
}

TEST(options, "each option is taken in each of its spellings")
{
	static const struct { const char *name, *value; } good[] = {
		{ "contract", "document" }, { "contract", "linux-6.1" }, { "block", "auto" },
		{ "block", "0x200000" }, { "block", "64g" }, { "max_phys", "2M" }, { "max_phys", "64T" },
		{ "backing", "memfd" }, { "backing", "anonymous" }, { "commit", "lazy" },
		{ "commit", "populate" }, { "overcommit", "no" }, { "overcommit", "yes" },
		{ "overcommit", "Y" }, { "overcommit", "0" }, { "overcommit", "on" },
		{ "memhp_default_state", "offline" }, { "memhp_default_state", "online_kernel" },
		{ "memory_hotplug.memhp_default_state", "online" }, { "online_policy", "contig-zones" },
		{ "memory_hotplug.online_policy", "auto-movable" }, { "auto_movable_ratio", "0" },
		{ "memory_hotplug.auto_movable_ratio", "4294967295" }, { "auto_movable_numa_aware", "N" },
		{ "memory_hotplug.auto_movable_numa_aware", "1" }, { "memmap_on_memory", "Y" },
		{ "memory_hotplug.memmap_on_memory", "n" }, { "movable_node", "Y" }, { "probe", "y" },
	};
	struct mp_desc *desc = mp_desc_new();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		if (mp_desc_set(desc, good[i].name, good[i].value))
			FAIL("%s = %s: %s", good[i].name, good[i].value, mp_desc_error(desc));
	CHECK(!desc->document);
	CHECK_EQ(desc->block_size, 64ULL << 30);
	CHECK_EQ(desc->auto_movable_ratio, ~0U);
	CHECK(desc->populate && desc->overcommit && desc->movable_node && desc->probe);
	CHECK(desc->auto_movable_numa_aware && !desc->memmap_on_memory);
	mp_desc_free(desc);
}
