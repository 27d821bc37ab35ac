/* SPDX-License-Identifier: MIT */
/*
 * Boots a machine from a text description, the file given or one of its own, and lists its blocks
 * with node, state and zones as lsmem would.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memplug/memplug.h>

#define MEMORY "/sys/devices/system/memory"

static const char two_nodes[] = "block = 128M\n"
				"online_policy = auto-movable\n"
				"node 0\n"
				"node 1\n"
				"cpu 0 node 0\n"
				"distance 0 1 20\n"
				"distance 1 0 20\n"
				"ram 1M 639M node 0\n"
				"ram 4G 384M node 1 movable\n"
				"offline 8G 256M node 1\n";

static const char *read_line(const char *block, const char *file)
{
	static char text[2][MP_ATTR_SIZE];
	static unsigned int next;
	char *line = text[next++ % 2], path[160];
	ssize_t len;

	snprintf(path, sizeof(path), MEMORY "/%s/%s", block, file);
	len = mp_read(path, line, MP_ATTR_SIZE - 1);
	line[len > 0 ? len : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static int list_block(const struct mp_entry *entry, void *arg)
{
	if (strncmp(entry->name, "memory", 6) != 0)
		return 0;
	printf("%-10s %-8s", entry->name, read_line(entry->name, "state"));
	printf(" %s\n", read_line(entry->name, "valid_zones"));
	++*(int *)arg;
	return 0;
}

int main(int argc, char **argv)
{
	struct mp_desc *desc = mp_desc_new();
	struct mp_reason reason;
	struct mp_stats stats;
	int blocks = 0, ret;

	ret = argc > 1 ? mp_desc_read_file(desc, argv[1])
		       : mp_desc_parse(desc, two_nodes, "two nodes");
	if (ret < 0) {
		fprintf(stderr, "%s: %s\n", mp_desc_error(desc), strerror(-ret));
		return 1;
	}
	ret = mp_boot(desc);
	mp_desc_free(desc);
	if (ret < 0) {
		fprintf(stderr, "boot: %s\n",
			mp_last_reason(&reason) == 0 ? reason.text : strerror(-ret));
		return 1;
	}
	mp_list(MEMORY, list_block, &blocks);
	mp_get_stats(&stats);
	printf("%d blocks, %" PRIu64 " online, %" PRIu64 " MiB in use by the allocator\n", blocks,
	       stats.blocks_online, stats.pages_managed * 4096 >> 20);
	return mp_shutdown() < 0;
}
