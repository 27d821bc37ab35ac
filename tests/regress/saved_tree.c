/* SPDX-License-Identifier: MIT */
/* Saved trees that nobody saved: each ends with an answer. Found by tests/fuzz/saved_tree.c and beside it. */
#include "machine.h"

#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>

static char root[] = "/tmp/memplug-tree-XXXXXX";

static int take_away(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void clean_up(void)
{
	nftw(root, take_away, 16, FTW_DEPTH | FTW_PHYS);
}

static void make(const char *path, const char *text)
{
	char whole[256], *slash;
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	for (slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(whole, 0700);
	}
	if (!text) {
		CHECK_EQ(mkfifo(whole, 0600), 0);
		return;
	}
	file = fopen(whole, "w");
	CHECK(file);
	fputs(text, file);
	fclose(file);
}

#define MEMORY "sys/devices/system/memory/"
#define NODE "sys/devices/system/node/"

static void begin(void)
{
	CHECK(mkdtemp(root));
	atexit(clean_up);
	make(MEMORY "block_size_bytes", "8000000\n");
	make(MEMORY "memory0/state", "online\n");
}

TEST(saved_tree_far, "a block number beyond the address space is refused, not taken for another block")
{
	struct mp_desc *desc = mp_desc_new();

	begin();
	/* Times 128 MiB it is 2^64 + 128 MiB. */
	make(MEMORY "memory137438953473/state", "offline\n");
	CHECK_EQ(mp_desc_read_sysfs(desc, root), -EINVAL);
	CHECK(strstr(mp_desc_error(desc), "memory137438953473"));
	mp_desc_free(desc);
	clean_up();
}

TEST(saved_tree_pipe, "a pipe instead of a file does not keep the reader")
{
	struct mp_desc *desc = mp_desc_new();

	begin();
	make(NODE "possible", NULL);
	make(NODE "node0/cpulist", NULL);
	CHECK_EQ(mp_desc_read_sysfs(desc, root), 0);
	mp_desc_free(desc);
	clean_up();
}

TEST(saved_tree_long_list, "a list of online nodes that goes on for ever ends with the distances")
{
	static char text[1 << 19];
	struct mp_desc *desc = mp_desc_new();
	size_t used = 0;

	begin();
	while (used < sizeof(text) - 16)
		used += (size_t)sprintf(text + used, "0-1048576,");
	strcpy(text + used, "0\n");
	make(NODE "possible", "0\n");
	make(NODE "online", text);
	make(NODE "node0/cpulist", "0\n");
	make(NODE "node0/distance", "10\n");
	CHECK_EQ(mp_desc_read_sysfs(desc, root), 0);
	mp_desc_free(desc);
	clean_up();
}

TEST(description_long, "a text of 200 000 statements is read in linear time")
{
	struct mp_desc *desc = mp_desc_new();
	size_t used = 0, room = 200000 * 20;
	char *text = malloc(room);

	CHECK(text);
	while (used < room - 32)
		used += (size_t)sprintf(text + used, "distance 0 1 20\n");
	CHECK_EQ(mp_desc_parse(desc, text, "long"), 0);
	mp_desc_free(desc);
	free(text);
}
