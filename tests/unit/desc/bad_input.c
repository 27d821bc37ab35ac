/* SPDX-License-Identifier: MIT */
/* Bad arguments to every public entry point: an errno, and the machine as it was. */
#include "../tree.h"

#include <limits.h>

static struct text before, after;

static void boot_and_look(void)
{
	machine_boot(NULL);
	add_blocks(1, HOT_BLOCK, 2);
	CHECK_EQ(set_state(HOT_BLOCK, "online"), 0);
	uevents();
	snapshot(&before);
}

static void same_machine(void)
{
	snapshot(&after);
	CHECK_STR(after.at, before.at);
	CHECK_STR(uevents(), "");
	machine_check();
}

static void *nothing(void *arg)
{
	return arg;
}

TEST(machine, "memplug/machine.h")
{
	struct mp_stats stats;
	uint64_t offset;
	pthread_t gone;

	boot_and_look();
	CHECK_EQ(mp_boot(NULL), -EBUSY);
	CHECK_EQ(mp_get_stats(NULL), -EINVAL);
	CHECK_EQ(mp_get_stats(&stats), 0);
	CHECK_EQ(mp_block_resident(-1), -ENOENT);
	CHECK_EQ(mp_block_resident(LONG_MIN), -ENOENT);
	CHECK_EQ(mp_block_resident(LONG_MAX), -ENOENT);
	CHECK_EQ(mp_block_resident(HOT_BLOCK + 2), -ENOENT);
	CHECK_GE(mp_block_resident(HOT_BLOCK + 1), 0);
	CHECK_EQ(mp_block_fd(-1, &offset), -ENOENT);
	CHECK_EQ(mp_block_fd(LONG_MAX, &offset), -ENOENT);
	CHECK_EQ(mp_block_fd(HOT_BLOCK + 2, &offset), -ENOENT);
	CHECK_EQ(mp_set_contract(NULL), -EINVAL);
	CHECK_EQ(mp_set_contract(""), -EINVAL);
	CHECK_EQ(mp_set_contract("linux-6.2"), -EINVAL);
	CHECK_STR(mp_contract(), "document");
	CHECK_EQ(pthread_create(&gone, NULL, nothing, NULL), 0);
	CHECK_EQ(pthread_join(gone, NULL), 0);
	CHECK_EQ(mp_cancel(gone), -ESRCH);
	CHECK_EQ(mp_cancel((pthread_t)0), -ESRCH);
	same_machine();
}

TEST(reason, "memplug/reason.h")
{
	struct mp_reason reason;
	char text[8] = "xxxxxxx";
	int len;

	CHECK_EQ(mp_last_reason(&reason), -ENOENT);
	boot_and_look();
	CHECK_EQ(mp_last_reason(&reason), -ENOENT);
	CHECK_EQ(mp_last_reason(NULL), -EINVAL);
	CHECK_EQ(mp_block_reason(HOT_BLOCK, &reason), -ENOENT);
	CHECK_EQ(mp_block_reason(-1, &reason), -ENOENT);
	CHECK_EQ(mp_block_reason(LONG_MAX, &reason), -ENOENT);
	CHECK_EQ(mp_block_reason(HOT_BLOCK, NULL), -EINVAL);
	CHECK_STR(mp_reason_kind_name(MP_REASON_NONE), "none");
	CHECK_STR(mp_reason_kind_name(MP_REASON_BUSY), "busy");
	CHECK_STR(mp_reason_kind_name((enum mp_reason_kind)99), "?");
	CHECK_STR(mp_reason_kind_name((enum mp_reason_kind)-1), "?");
	len = mp_symbol_name((void *)mp_boot, NULL, 0);
	CHECK_EQ(len, (int)strlen("mp_boot"));
	CHECK_EQ(mp_symbol_name((void *)mp_boot, text, 4), len);
	CHECK_STR(text, "mp_");
	CHECK_GT(mp_symbol_name(NULL, text, sizeof(text)), 0);
	CHECK_GT(mp_symbol_name((void *)1, text, sizeof(text)), 0);
	CHECK_GT(mp_symbol_name((void *)-1L, text, sizeof(text)), 0);
	same_machine();
}

TEST(ring, "memplug/ring.h")
{
	struct mp_ring_record record = { .type = MP_RING_BOOT };
	uint64_t cursor = ~0ULL;
	char text[64];

	CHECK_EQ(mp_ring_read(&cursor, &record), 0);
	boot_and_look();
	CHECK_EQ(mp_ring_read(NULL, &record), -EINVAL);
	CHECK_EQ(mp_ring_read(&cursor, NULL), -EINVAL);
	cursor = ~0ULL;
	CHECK_EQ(mp_ring_read(&cursor, &record), 0);
	CHECK_STR(mp_event_name(MEM_GOING_ONLINE), "MEM_GOING_ONLINE");
	CHECK_STR(mp_event_name(0), "?");
	CHECK_STR(mp_event_name(3), "?");
	CHECK_STR(mp_event_name(64), "?");
	CHECK_STR(mp_event_name(~0UL), "?");
	CHECK_EQ(mp_ring_save(NULL), -EINVAL);
	CHECK_EQ(mp_ring_save(""), -ENOENT);
	CHECK_EQ(mp_ring_save("/nonexistent/ring"), -ENOENT);
	CHECK_EQ(mp_ring_save("/"), -EISDIR);
	CHECK_EQ(mp_ring_save("/dev/full"), -ENOSPC);
	CHECK_STR(mp_ring_type_name(0), "?");
	CHECK_STR(mp_ring_type_name(~0U), "?");
	CHECK_STR(mp_ring_type_name(MP_RING_SLOT + 1), "?");
	CHECK_EQ(mp_ring_text(NULL, text, sizeof(text)), -EINVAL);
	CHECK_EQ(mp_ring_text(&record, NULL, 10), -EINVAL);
	same_machine();
}

static void no_uevent(const char *text, size_t size, void *arg)
{
	(void)text;
	(void)size;
	(void)arg;
}

static int no_entry(const struct mp_entry *entry, void *arg)
{
	return 7;
}

TEST(tree, "memplug/tree.h")
{
	static const char *const missing[] = {
		"", "sys", "/nothing", "/sys/devices/system/memory/memory99/state", "//x",
		"/sys/devices/system/memory/memory32/state/x", "/sys/devices/system/memory/../x",
	};
	static const char file[] = MEMORY "/memory32/state";
	struct mp_entry entry;
	struct mp_file *open;
	char long_path[5000], text[16];
	size_t i;

	boot_and_look();
	memset(long_path, 'x', sizeof(long_path));
	long_path[0] = '/';
	long_path[sizeof(long_path) - 1] = '\0';
	CHECK_LT(mp_read(long_path, text, sizeof(text)), 0);
	CHECK_LT(mp_stat(long_path, &entry), 0);
	for (i = 0; i < ARRAY_SIZE(missing); i++) {
		ssize_t ret = mp_read(missing[i], text, sizeof(text));

		if (ret != -ENOENT && ret != -ENOTDIR && ret != -EINVAL)
			FAIL("\"%s\" gave %zd", missing[i], ret);
		CHECK_LT(mp_write_string(missing[i], "x"), 0);
	}
	CHECK_EQ(mp_read("/..", text, sizeof(text)), -EISDIR);
	CHECK_EQ(mp_read(NULL, text, sizeof(text)), -EINVAL);
	CHECK_EQ(mp_read(file, NULL, 5), -EINVAL);
	CHECK_EQ(mp_read(file, NULL, 0), 0);
	CHECK_EQ(mp_read(file, text, 0), 0);
	CHECK_EQ(mp_read(MEMORY, text, sizeof(text)), -EISDIR);
	CHECK_EQ(mp_write(NULL, "x", 1), -EINVAL);
	CHECK_EQ(mp_write(file, NULL, 1), -EINVAL);
	CHECK_EQ(mp_write(file, NULL, 0), 0);
	CHECK_EQ(mp_write_string(file, NULL), -EINVAL);
	CHECK_EQ(mp_write_string(NULL, "x"), -EINVAL);
	CHECK_EQ(mp_write_string(MEMORY, "x"), -EISDIR);
	CHECK_EQ(mp_open(NULL, O_RDONLY, &open), -EINVAL);
	CHECK_EQ(mp_open(file, O_RDONLY, NULL), -EINVAL);
	CHECK_EQ(mp_open(file, 3, &open), -EINVAL);
	CHECK_EQ(mp_open(MEMORY, O_RDONLY, &open), -EISDIR);
	CHECK_EQ(mp_file_read(NULL, text, 1, 0), -EINVAL);
	CHECK_EQ(mp_file_write(NULL, text, 1), -EINVAL);
	CHECK_EQ(mp_open(file, O_RDWR, &open), 0);
	CHECK_EQ(mp_file_read(open, NULL, 1, 0), -EINVAL);
	CHECK_EQ(mp_file_read(open, text, 1, -1), -EINVAL);
	CHECK_EQ(mp_file_read(open, text, sizeof(text), 1L << 40), 0);
	CHECK_EQ(mp_file_write(open, NULL, 1), -EINVAL);
	mp_file_close(open);
	mp_file_close(NULL);
	CHECK_EQ(mp_stat(NULL, &entry), -EINVAL);
	CHECK_EQ(mp_stat(file, NULL), -EINVAL);
	CHECK_EQ(mp_list(NULL, no_entry, NULL), -EINVAL);
	CHECK_EQ(mp_list(MEMORY, NULL, NULL), -EINVAL);
	CHECK_EQ(mp_list(file, no_entry, NULL), -ENOTDIR);
	CHECK_EQ(mp_list("/nothing", no_entry, NULL), -ENOENT);
	CHECK_EQ(mp_list(MEMORY, no_entry, NULL), 7);
	CHECK_EQ(mp_uevent_listen(NULL, NULL), -EINVAL);
	CHECK_EQ(mp_uevent_unlisten(NULL, NULL), -ENOENT);
	CHECK_EQ(mp_uevent_unlisten(no_uevent, NULL), -ENOENT);
	CHECK_LT(mp_inject_unload(), 0);
	same_machine();
}

TEST(modules, "memplug/module.h")
{
	boot_and_look();
	CHECK_EQ(mp_module_load(NULL), -ENOENT);
	CHECK_EQ(mp_module_load(""), -ENOENT);
	CHECK_EQ(mp_module_load("nothing"), -ENOENT);
	CHECK_EQ(mp_module_unload(NULL), -ENOENT);
	CHECK_EQ(mp_module_unload("nothing"), -ENOENT);
	same_machine();
}

TEST(kernel_names, "the calls with kernel names")
{
	struct notifier_block empty = { .priority = 1 };

	boot_and_look();
	CHECK_EQ(register_memory_notifier((struct notifier_block *)NULL), -EINVAL);
	CHECK_EQ(register_memory_notifier(&empty), -EINVAL);
	unregister_memory_notifier(NULL);
	unregister_memory_notifier(&empty);
	CHECK_EQ(set_online_page_callback(NULL), -EINVAL);
	CHECK_EQ(restore_online_page_callback(NULL), -EINVAL);
	CHECK_EQ(alloc_pages_node(1, MOVABLE, 11), NULL);
	CHECK_EQ(alloc_pages_node(1, MOVABLE, 4000000000U), NULL);
	CHECK_EQ(alloc_pages_node(9, MOVABLE, 0), NULL);
	CHECK_EQ(alloc_pages_node(-7, MOVABLE, 0), NULL);
	free_pages(0, 0);
	put_device(NULL);
	CHECK_EQ(get_device(NULL), NULL);
	CHECK_EQ(device_register(&(struct device){ .id = 1 }), -EINVAL);
	CHECK_EQ(pfn_valid(~0UL), 0);
	CHECK_EQ(pfn_to_online_page(~0UL), NULL);
	CHECK_EQ(release_resource(NULL), -EINVAL);
	CHECK_EQ(__request_region(NULL, HOT, 1, "x", 0), NULL);
	kfree(NULL);
	CHECK_EQ(kcalloc(1UL << 40, 1UL << 40, GFP_KERNEL), NULL);
	CHECK_EQ(kmalloc_array(~0UL, 2, GFP_KERNEL), NULL);
	same_machine();
}
