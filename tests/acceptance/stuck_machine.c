/* SPDX-License-Identifier: MIT */
/*
 * A machine for the tests of the command: stuck_machine SOCKET. memory32 (zone Movable, node 1) holds some pages
 * that move and one that does not move until a line "free" comes on standard input; memory33 is online and empty. Ends,
 * with 0 when nothing of the machine contradicts itself, at the end of its input.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/memory_hotplug.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <memplug/memplug.h>
#include <memplug/serve.h>

#define HOT (4ULL << 30)
#define MOVABLE (GFP_HIGHUSER_MOVABLE | __GFP_THISNODE)
#define PAGES 300

static struct page *moving[PAGES], *stuck;

static const struct movable_operations movable;

static bool isolate(struct page *page, isolate_mode_t mode)
{
	(void)mode;
	return page != stuck;
}

static int migrate(struct page *to, struct page *from, enum migrate_mode mode)
{
	int i;

	(void)mode;
	memcpy(page_address(to), page_address(from), PAGE_SIZE);
	for (i = 0; i < PAGES; i++)
		if (moving[i] == from)
			moving[i] = to;
	__SetPageMovable(to, &movable);
	__ClearPageMovable(from);
	return MIGRATEPAGE_SUCCESS;
}

static void putback(struct page *page)
{
	(void)page;
}

static const struct movable_operations movable = { isolate, migrate, putback };

static struct page *take(void)
{
	struct page *page = alloc_pages_node(1, MOVABLE, 0);

	if (!page)
		return NULL;
	lock_page(page);
	__SetPageMovable(page, &movable);
	unlock_page(page);
	return page;
}

static int start(const char *socket)
{
	struct mp_desc *desc = mp_desc_new();
	int ret, i;

	ret = mp_desc_parse(desc, "node 0\nnode 1\ncpu 0 node 0\nram 0 512M node 0\noffline 4G 256M node 1\n",
			    "stuck_machine") ?: mp_boot(desc);
	mp_desc_free(desc);
	if (ret)
		return ret;
	ret = mp_write_string("/sys/devices/system/memory/memory32/state", "online_movable");
	for (i = 0; !ret && i < PAGES; i++)
		ret = (moving[i] = take()) ? 0 : -ENOMEM;
	stuck = ret ? NULL : take();
	if (!stuck)
		return -ENOMEM;
	return mp_write_string("/sys/devices/system/memory/memory33/state", "online_movable") ?:
		mp_serve(socket, 0);
}

static void let_go(void)
{
	/* Given up before it may move: whoever isolates it just now would move a page that nobody has. */
	if (stuck)
		put_page(stuck);
	stuck = NULL;
}

int main(int argc, char **argv)
{
	char line[64];
	int ret = argc == 2 ? start(argv[1]) : -EINVAL, i;

	if (ret) {
		fprintf(stderr, "stuck_machine: error %d\n", ret);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		if (!strcmp(line, "free\n"))
			let_go();
	mp_serve_stop();
	let_go();
	for (i = 0; i < PAGES; i++)
		put_page(moving[i]);
	ret = mp_check(NULL, NULL);
	return ret || mp_shutdown();
}
