/* SPDX-License-Identifier: MIT */
/*
 * One machine of several kinds of memory: a file on a disk for memory32, the
 * host's node 0 for what comes on node 1, huge pages for memory40 if the host
 * has them. Each block is used and given back.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <memplug/memplug.h>

#define BLOCK (128UL << 20)

static void use(long block, int nid, const char *kind)
{
	uint64_t start = (uint64_t)block * BLOCK;
	struct mp_reason reason;
	char state[64];

	snprintf(state, sizeof(state), "/sys/devices/system/memory/memory%ld/state", block);
	if (add_memory(nid, start, BLOCK, MHP_NONE) < 0 ||
	    mp_write_string(state, "online_movable") < 0) {
		printf("memory%ld %-8s not to be had: %s\n", block, kind,
		       mp_last_reason(&reason) ? "?" : reason.text);
		return;
	}
	memset(__va(start), 1, BLOCK / 2);
	printf("memory%ld %-8s online %lld MiB,", block, kind,
	       (long long)mp_block_resident(block) >> 20);
	mp_write_string(state, "offline");
	printf(" after offline %lld MiB\n", (long long)mp_block_resident(block) >> 20);
}

int main(void)
{
	char path[64], text[512];
	struct mp_desc *desc = mp_desc_new();
	struct mp_backing huge = { .kind = "hugetlb" };
	int ret;

	snprintf(path, sizeof(path), "/tmp/memplug-example-%d", (int)getpid());
	snprintf(text, sizeof(text),
		 "node 0\nnode 1\nram 0 256M node 0\n"
		 "backing 4G 128M file path %s\n"
		 "backing node 1 memfd host_node 0\n", path);
	if (mp_desc_parse(desc, text, "backings") < 0 ||
	    mp_desc_back_range(desc, 40 * BLOCK, BLOCK, &huge) < 0) {
		fprintf(stderr, "%s\n", mp_desc_error(desc));
		return 1;
	}
	ret = mp_boot(desc);
	mp_desc_free(desc);
	if (ret < 0)
		return 1;
	use(32, 0, "file");
	use(36, 1, "memfd");
	use(40, 0, "hugetlb");
	ret = mp_shutdown();
	unlink(path);
	return ret < 0;
}
