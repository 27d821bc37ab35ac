/* SPDX-License-Identifier: MIT */
/* How attribute files behave whatever they show: open, read, write, removal. */
#include <fcntl.h>
#include <pthread.h>
#include "toy_bus.h"

#define NOTE TOY_PATH "/toy0/note"

TEST(SYSFS_1, "files have 4096 bytes, directories 0; an open file keeps its first text")
{
	struct mp_entry entry;
	struct mp_file *file;
	char buf[64] = "";

	toy_boot();
	toy_add(0, true);
	CHECK_EQ(mp_stat(NOTE, &entry), 0);
	CHECK_EQ(entry.type, MP_ENTRY_FILE);
	CHECK_EQ(entry.size, 4096);
	CHECK_EQ(entry.mode, 0644);
	CHECK_EQ(mp_stat(TOY_PATH "/toy0", &entry), 0);
	CHECK_EQ(entry.type, MP_ENTRY_DIR);
	CHECK_EQ(entry.size, 0);
	CHECK_EQ(entry.mode, 0755);

	strcpy(toy.note, "first");
	CHECK_EQ(mp_open(NOTE, O_RDONLY, &file), 0);
	CHECK_EQ(toy.note_shows, 0);
	CHECK_EQ(mp_file_read(file, buf, 3, 0), 3);
	strcpy(toy.note, "other");
	CHECK_EQ(mp_file_read(file, buf + 3, sizeof(buf) - 4, 3), 5);
	CHECK_STR(buf, "first 1\n");
	CHECK_EQ(mp_file_read(file, buf, sizeof(buf), 8), 0);
	CHECK_EQ(toy.note_shows, 1);
	/* Back at the start the text is made again. */
	CHECK_EQ(mp_file_read(file, buf, sizeof(buf), 0), 8);
	CHECK_STR(buf, "other 2\n");
	mp_file_close(file);
}

TEST(SYSFS_2, "without the permission bit nobody opens a file, root neither")
{
	struct mp_file *file;
	char buf[64];

	toy_boot();
	toy_add(0, true);
	CHECK_EQ(mp_read(TOY_PATH "/toy0/write_only", buf, sizeof(buf)), -EACCES);
	CHECK_EQ(mp_write_string(TOY_PATH "/toy0/read_only", "x"), -EACCES);
	CHECK_EQ(mp_write(TOY_PATH "/toy0/read_only", "x", 0), -EACCES);
	CHECK_EQ(mp_open(TOY_PATH "/toy0/write_only", O_RDONLY, &file), -EACCES);
	CHECK_EQ(mp_open(TOY_PATH "/toy0/write_only", O_RDWR, &file), -EACCES);
	CHECK_EQ(mp_open(TOY_PATH "/toy0/read_only", O_RDWR, &file), -EACCES);
	CHECK_EQ(mp_open(TOY_PATH "/toy0/read_only", O_WRONLY, &file), -EACCES);
	CHECK_EQ(mp_open(TOY_PATH "/toy0/write_only", O_WRONLY, &file), 0);
	mp_file_close(file);
	CHECK_EQ(toy.note_shows + toy.note_stores, 0);
}

TEST(SYSFS_3, "O_TRUNC is accepted and ignored")
{
	struct mp_file *file;

	toy_boot();
	toy_add(0, true);
	strcpy(toy.note, "kept");
	CHECK_EQ(mp_open(NOTE, O_WRONLY | O_TRUNC, &file), 0);
	CHECK_EQ(toy.note_stores, 0);
	CHECK_STR(toy.note, "kept");
	CHECK_EQ(mp_file_write(file, "new", 3), 3);
	CHECK_STR(toy.note, "new");
	mp_file_close(file);
}

TEST(SYSFS_4, "a write carries at most 4096 bytes; an empty one does not reach the attribute")
{
	static char large[5000];
	struct mp_file *file;

	toy_boot();
	toy_add(0, true);
	CHECK_EQ(mp_write(NOTE, "", 0), 0);
	CHECK_EQ(toy.note_stores, 0);
	memset(large, 'x', sizeof(large));
	CHECK_EQ(mp_write(NOTE, large, sizeof(large)), 4096);
	CHECK_EQ(toy.note_count, 4096);
	CHECK_EQ(mp_write(NOTE, large, 4096), 4096);
	CHECK_EQ(toy.note_count, 4096);
	/* The attribute sees one string however the bytes behind it look. */
	CHECK_EQ(mp_write(NOTE, "abcdef", 3), 3);
	CHECK_STR(toy.note, "abc");
	CHECK_EQ(mp_open(NOTE, O_WRONLY, &file), 0);
	CHECK_EQ(mp_file_write(file, large, sizeof(large)), 4096);
	CHECK_EQ(mp_file_write(file, large, 0), 0);
	/* No offset moves on: the next write is a whole one again. */
	CHECK_EQ(mp_file_write(file, "on", 2), 2);
	CHECK_STR(toy.note, "on");
	mp_file_close(file);
	CHECK_EQ(toy.note_stores, 5);
}

static struct {
	pthread_barrier_t both;
	struct mp_file *file;
	int inside, most; /* atomic */
	bool meet;	  /* the hook waits for the other thread */
} writers;

static void writer_inside(void)
{
	int now = __atomic_add_fetch(&writers.inside, 1, __ATOMIC_SEQ_CST), i;

	if (writers.meet)
		pthread_barrier_wait(&writers.both);
	for (i = 0; i < 1000; i++)
		if (now > __atomic_load_n(&writers.most, __ATOMIC_SEQ_CST))
			__atomic_store_n(&writers.most, now, __ATOMIC_SEQ_CST);
	__atomic_sub_fetch(&writers.inside, 1, __ATOMIC_SEQ_CST);
}

static char write_failed[] = "a write failed", plain_path[] = "/two/plain";

static void *write_one_file(void *file)
{
	int i;

	for (i = 0; i < 200; i++)
		if (mp_file_write(file, "x", 1) != 1)
			return write_failed;
	return NULL;
}

static void *write_by_path(void *path)
{
	return mp_write_string(path, "x") ? write_failed : NULL;
}

/* Counts nothing: the attribute of this test is entered by two threads at once. */
static ssize_t plain_store(void *owner, const struct tree_attr *attr, const char *buf,
			   size_t count)
{
	writer_inside();
	return (ssize_t)count;
}

TEST(SYSFS_5, "writes through one open file take turns, through two they do not")
{
	static const struct tree_attr plain = { .name = "plain", .mode = 0200,
						.store = plain_store };
	static const struct tree_attr *const attrs[] = { &plain, NULL };
	pthread_t thread[2];
	void *failed;
	int i, error;

	toy_boot();
	CHECK(tree_mkdir(tree_root, "two", attrs, NULL, &error));
	pthread_barrier_init(&writers.both, NULL, 2);
	CHECK_EQ(mp_open("/two/plain", O_WRONLY, &writers.file), 0);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, write_one_file, writers.file), 0);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(pthread_join(thread[i], &failed), 0);
		CHECK(!failed);
	}
	CHECK_EQ(writers.most, 1);
	mp_file_close(writers.file);

	/* Each waits inside for the other: this only ends when both are let in. */
	writers.meet = true;
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, write_by_path, plain_path), 0);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(pthread_join(thread[i], &failed), 0);
		CHECK(!failed);
	}
}

TEST(SYSFS_6, "an open file of a removed object gives ENODEV, its path ENOENT")
{
	struct mp_file *in, *out;
	char buf[64];
	struct device *dev;

	toy_boot();
	dev = toy_add(0, true);
	CHECK_EQ(mp_open(NOTE, O_RDONLY, &in), 0);
	CHECK_EQ(mp_open(NOTE, O_WRONLY, &out), 0);
	CHECK_EQ(mp_file_read(in, buf, 2, 0), 2);
	device_unregister(dev);
	CHECK_EQ(mp_file_read(in, buf, sizeof(buf), 0), -ENODEV);
	CHECK_EQ(mp_file_read(in, buf, sizeof(buf), 2), -ENODEV);
	CHECK_EQ(mp_file_write(out, "x", 1), -ENODEV);
	CHECK_EQ(mp_read(NOTE, buf, sizeof(buf)), -ENOENT);
	CHECK_EQ(toy.note_stores, 0);
	/* An object of the same name is another one. */
	toy_add(0, true);
	CHECK_EQ(mp_file_write(out, "x", 1), -ENODEV);
	CHECK_EQ(mp_write_string(NOTE, "x"), 0);
	mp_file_close(in);
	mp_file_close(out);
}

TEST(SYSFS_7, "a store that succeeds takes all; text allows one newline and no blanks")
{
	toy_boot();
	toy_add(0, true);
	CHECK_EQ(mp_write(TOY_PATH "/toy0/power/control", "on\n", 3), 3);
	CHECK_EQ(mp_write(TOY_PATH "/toy0/power/control", "auto", 4), 4);
	CHECK_EQ(mp_write_string(TOY_PATH "/toy0/power/control", "on\n\n"), -EINVAL);
	CHECK_EQ(mp_write_string(TOY_PATH "/toy0/power/control", " on"), -EINVAL);
	CHECK_EQ(mp_write_string(TOY_PATH "/toy0/power/control", "on "), -EINVAL);
	CHECK_STR(text_of(TOY_PATH "/toy0/power/control"), "auto");
	CHECK(sysfs_streq("offline\n", "offline"));
	CHECK(!sysfs_streq("offline\n\n", "offline"));
	CHECK(!sysfs_streq("offlin", "offline"));
	CHECK(!sysfs_streq("offlines", "offline"));
}

TEST(tree_paths, "paths: dots, links, loops, wrong kinds")
{
	char buf[64];
	int error;

	CHECK_EQ(mp_read("/sys", buf, sizeof(buf)), -ENXIO);
	CHECK_EQ(mp_list("/", append_name, buf), -ENXIO);
	toy_boot();
	toy_add(0, true);
	strcpy(toy.note, "n");
	CHECK_STR(text_of("/sys/bus/toy/devices/toy0/note"), "n 1");
	CHECK_STR(text_of("/sys/bus/toy/devices/toy0/subsystem/devices/toy0/./note"), "n 2");
	CHECK_STR(text_of("/sys//devices/system/toy/toy0/power/../note"), "n 3");
	CHECK_STR(text_of(NOTE "/"), "error -20");
	CHECK_STR(text_of(NOTE "/x"), "error -20");
	CHECK_STR(text_of(TOY_PATH "/toy0"), "error -21");
	CHECK_STR(text_of(TOY_PATH "/toy0/power"), "error -21");
	CHECK_STR(text_of(TOY_PATH "/toy0/not"), "error -2");
	CHECK_STR(text_of(TOY_PATH "/toy0/power/contro"), "error -2");
	CHECK_STR(text_of("sys"), "error -2");
	CHECK_STR(text_of(""), "error -2");
	CHECK_EQ(tree_link(tree_root, "a", "b"), 0);
	CHECK_EQ(tree_link(tree_root, "b", "a"), 0);
	CHECK_EQ(tree_link(tree_root, "b", "a"), -EEXIST);
	CHECK_STR(text_of("/a"), "error -40");
	CHECK_STR(target_of("/a"), "b");
	CHECK_STR(names_in(NOTE), "error -20");
	CHECK_STR(names_in("/sys/bus/toy/devices/toy0/power"),
		  "async autosuspend_delay_ms control runtime_active_kids runtime_active_time "
		  "runtime_enabled runtime_status runtime_suspended_time runtime_usage");
	CHECK(!tree_mkdir(tree_root, "a", NULL, NULL, &error));
	CHECK_EQ(error, -EEXIST);
	CHECK(!tree_mkdir(tree_root, "x/y", NULL, NULL, &error));
	CHECK_EQ(error, -EINVAL);
	tree_unlink(tree_root, "a");
	CHECK_STR(text_of("/b"), "error -2");
	tree_exit();
	CHECK_STR(text_of("/b"), "error -6");
}

static void remove_own_directory(void)
{
	tree_rmdir(tree_lookup_dir(tree_root, "own"));
}

TEST(tree_remove_from_inside, "a store that removes its own directory comes back")
{
	static const struct tree_attr *const attrs[] = { &note_attr, NULL };
	int error;

	CHECK_EQ(tree_init(), 0);
	CHECK(tree_mkdir(tree_root, "own", attrs, NULL, &error));
	toy.note_hook = remove_own_directory;
	CHECK_EQ(mp_write("/own/note", "x", 1), 1);
	toy.note_hook = NULL;
	CHECK_EQ(mp_write("/own/note", "x", 1), -ENOENT);
}

/* Counts the entries and sees that they ascend. */
struct order {
	char name[64];
	int count;
};

static int next_in_order(const struct mp_entry *entry, void *arg)
{
	struct order *order = arg;

	if (order->count++ && strcmp(order->name, entry->name) >= 0)
		return 7;
	strcpy(order->name, entry->name);
	return 0;
}

TEST(tree_many, "131072 directories in one, found and listed in order")
{
	static const struct tree_attr *const attrs[] = { &note_attr, NULL };
	struct mp_dir *many;
	struct order order = { .count = 0 };
	char name[64];
	int i, error;

	CHECK_EQ(tree_init(), 0);
	many = tree_mkpath(tree_root, "sys/many", &error);
	for (i = 0; i < 131072; i++) {
		snprintf(name, sizeof(name), "memory%d", i);
		if (!tree_mkdir(many, name, attrs, NULL, &error))
			FAIL("memory%d: %d", i, error);
	}
	CHECK_EQ(mp_write_string("/sys/many/memory131071/note", "far"), 0);
	CHECK_STR(toy.note, "far");
	CHECK_EQ(mp_list("/sys/many", next_in_order, &order), 0);
	CHECK_EQ(order.count, 131072);
	tree_rmdir(many);
	CHECK_STR(names_in("/sys"), "");
	tree_exit();
}
