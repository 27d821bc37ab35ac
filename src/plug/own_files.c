// SPDX-License-Identifier: MIT
/*
 * What memplug shows beside Linux's names, in /memplug: all blocks in one
 * file, the last refusals, the statistics, the injector, the checker. Texts are made at each read;
 * but for the checker without a lock that an operation holds. State: none but the directory.
 */
#include <inttypes.h>
#include <memplug/machine.h>
#include <linux/kernel.h>
#include "block/block.h"
#include "device/text.h"
#include "device/tree.h"
#include "os/os.h"
#include "page/page.h"
#include "plug/plug.h"
#include "plug/plug_files.h"

static struct mp_dir *own_dir;

static int show_block(struct memory_block *mem, void *arg)
{
	struct zone *zone = READ_ONCE(mem->zone);

	text_printf(arg, "%lu %s %d %s\n", memory_block_id(mem),
		    memory_block_state_name(READ_ONCE(mem->state)), mem->nid,
		    zone ? zone->name : "none");
	return 0;
}

static ssize_t blocks_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct text text = { 0 };

	(void)owner;
	(void)attr;
	text_printf(&text, "block_size %lu\n", memory_block_size_bytes());
	for_each_memory_block(&text, show_block);
	return text_take(&text, buf);
}

static void show_reason(const struct mp_reason *reason, void *arg)
{
	text_printf(arg,
		    "block: %ld\noperation: %s\nerror: %d\nkind: %s\nactor: %s\npfn: 0x%lx\n"
		    "left: %lu\nsince_ns: %" PRIu64 "\nat_ns: %" PRIu64 "\ntext: %s\n\n",
		    reason->block, reason->operation, reason->error,
		    mp_reason_kind_name(reason->kind), reason->actor, reason->pfn, reason->left,
		    reason->since_ns, reason->at_ns, reason->text);
}

static ssize_t reasons_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct text text = { 0 };

	(void)owner;
	(void)attr;
	for_each_block_reason(show_reason, &text);
	return text_take(&text, buf);
}

static ssize_t statistics_show(void *owner, const struct tree_attr *attr, char *buf)
{
	struct mp_stats stats = { 0 };
	int ret = mp_get_stats(&stats), at = 0;
	const struct {
		const char *name;
		u64 value;
	} lines[] = {
		{ "blocks", stats.blocks },
		{ "blocks_online", stats.blocks_online },
		{ "pages_present", stats.pages_present },
		{ "pages_managed", stats.pages_managed },
		{ "pages_free", stats.pages_free },
		{ "bytes_resident", stats.bytes_resident },
		{ "online", stats.online },
		{ "online_failed", stats.online_failed },
		{ "offline", stats.offline },
		{ "offline_failed", stats.offline_failed },
		{ "add", stats.add },
		{ "add_failed", stats.add_failed },
		{ "remove", stats.remove },
		{ "remove_failed", stats.remove_failed },
		{ "pages_migrated", stats.pages_migrated },
		{ "pages_migrate_failed", stats.pages_migrate_failed },
		{ "bytes_given_back", stats.bytes_given_back },
		{ "late_vetoes", stats.late_vetoes },
		{ "migrate_ns", stats.migrate_ns },
	};
	size_t i;

	(void)owner;
	(void)attr;
	for (i = 0; !ret && i < ARRAY_SIZE(lines); i++)
		at += page_printf(buf, at, "%s %" PRIu64 "\n", lines[i].name, lines[i].value);
	return ret ? ret : at;
}

/* ---- the checker ---- */

#define CHECK_TRIES 20
#define CHECK_PAUSE_NS 1000000u

static void say_line(const char *line, void *arg)
{
	text_printf(arg, "%s\n", line);
}

/*
 * No operation runs meanwhile, but pages come and go: what is seen half-way
 * through is no inconsistency, so only what stays is told.
 */
static ssize_t check_show(void *owner, const struct tree_attr *attr, char **buf)
{
	struct text text = { 0 };
	int found, tries, ret;

	(void)owner;
	(void)attr;
	ret = lock_device_hotplug_sysfs();
	if (ret)
		return ret;
	for (tries = 1;; tries++) {
		found = plug_check(say_line, &text);
		if (!found || tries == CHECK_TRIES)
			break;
		os_free(text.start);
		text = (struct text){ 0 };
		os_sleep_ns(CHECK_PAUSE_NS);
	}
	unlock_device_hotplug();
	text_printf(&text, "%d inconsistencies\n", found);
	return text_take(&text, buf);
}

ssize_t (*own_map_show_hook)(char **buf);

static ssize_t map_file_show(void *owner, const struct tree_attr *attr, char **buf)
{
	(void)owner;
	(void)attr;
	return own_map_show_hook ? own_map_show_hook(buf) : -EOPNOTSUPP;
}

static const struct tree_attr map_attr = { .name = "map", .mode = 0444, .show_long = map_file_show };
static const struct tree_attr blocks_attr = { .name = "blocks", .mode = 0444,
					      .show_long = blocks_show };
static const struct tree_attr reasons_attr = { .name = "reasons", .mode = 0444,
					       .show_long = reasons_show };
static const struct tree_attr statistics_attr = { .name = "statistics", .mode = 0444,
						  .show = statistics_show };
static const struct tree_attr check_attr = { .name = "check", .mode = 0444, .waits = true,
					     .show_long = check_show };
static const struct tree_attr *const own_attrs[] = {
	&own_add_attr, &blocks_attr, &own_callbacks_attr, &check_attr, &own_events_attr,
	&inject_module_attr, &map_attr, &own_plan_attr, &reasons_attr, &own_remove_attr,
	&statistics_attr, NULL,
};

int own_files_register(void)
{
	int error;

	own_dir = tree_mkdir(tree_root, "memplug", own_attrs, NULL, &error);
	return error;
}

void own_files_unregister(void)
{
	tree_rmdir(own_dir);
	own_dir = NULL;
}
