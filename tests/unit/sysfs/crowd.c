/* SPDX-License-Identifier: MIT */
/*
 * Readers, writers, listers and openers while devices come and go: every answer is one that the moment
 * allows, and at the end the tree is what it was. It goes on until each has met a device often enough.
 */
#include <fcntl.h>
#include <pthread.h>
#include "toy_bus.h"

#define DEVICES 4
#define ENOUGH	300
#define WRITES	10 /* a writer waits 5 ms whenever it finds the lock taken */

enum { READ, WRITE, OPEN, LIST, USES };

static struct {
	int stop; /* atomic: the one that adds and removes is through */
	int added, released; /* atomic */
	int met[USES]; /* atomic: answers that came from a device */
	const char *wrong; /* atomic */
} crowd;

static void expect(bool holds, const char *what)
{
	if (!holds)
		__atomic_store_n(&crowd.wrong, what, __ATOMIC_RELAXED);
}

static void met(int use, bool device)
{
	if (device)
		__atomic_fetch_add(&crowd.met[use], 1, __ATOMIC_RELAXED);
}

static bool enough(void)
{
	int use;

	for (use = 0; use < USES; use++)
		if (__atomic_load_n(&crowd.met[use], __ATOMIC_RELAXED) <
		    (use == WRITE ? WRITES : ENOUGH))
			return __atomic_load_n(&crowd.wrong, __ATOMIC_RELAXED);
	return true;
}

static void count_release(struct device *dev)
{
	__atomic_fetch_add(&crowd.released, 1, __ATOMIC_RELAXED);
	free(dev);
}

static int answer_yes(struct device *dev)
{
	return 0;
}

static struct bus_type crowd_bus = {
	.name = "toy",
	.dev_name = "toy",
	.online = answer_yes,
	.offline = answer_yes,
};

static void *come_and_go(void *arg)
{
	struct device *devs[DEVICES] = { NULL };
	int i, n;

	for (i = 0; !enough(); i++) {
		n = i * 7 % DEVICES;
		lock_device_hotplug();
		if (devs[n]) {
			device_unregister(devs[n]);
			devs[n] = NULL;
		} else {
			devs[n] = toy_new((u32)n, i % 3);
			devs[n]->bus = &crowd_bus;
			devs[n]->release = count_release;
			expect(device_add(devs[n]) == 0, "device_add failed");
			__atomic_fetch_add(&crowd.added, 1, __ATOMIC_RELAXED);
		}
		unlock_device_hotplug();
	}
	lock_device_hotplug();
	for (n = 0; n < DEVICES; n++)
		if (devs[n])
			device_unregister(devs[n]);
	unlock_device_hotplug();
	__atomic_store_n(&crowd.stop, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool over(void)
{
	return __atomic_load_n(&crowd.stop, __ATOMIC_ACQUIRE);
}

static void *read_files(void *arg)
{
	char path[64], text[64];
	ssize_t len;
	int i;

	for (i = 0; !over(); i++) {
		snprintf(path, sizeof(path), "/sys/bus/toy/devices/toy%d/online", i % DEVICES);
		len = mp_read(path, text, sizeof(text));
		expect(len == -ENOENT || (len == 2 && (text[0] == '0' || text[0] == '1')),
		       "mp_read of online");
		met(READ, len > 0);
	}
	return NULL;
}

static void *write_files(void *arg)
{
	char path[64];
	int i, error;

	for (i = 0; !over(); i++) {
		snprintf(path, sizeof(path), TOY_PATH "/toy%d/online", i % DEVICES);
		error = mp_write_string(path, i & 4 ? "1" : "0");
		expect(error == 0 || error == -ENOENT, "mp_write of online");
		met(WRITE, !error);
	}
	return NULL;
}

static void *open_files(void *arg)
{
	struct mp_file *file;
	char path[64], text[64];
	ssize_t done;
	int i, error;

	for (i = 0; !over(); i++) {
		snprintf(path, sizeof(path), TOY_PATH "/toy%d/power/control", i % DEVICES);
		error = mp_open(path, O_RDWR, &file);
		expect(error == 0 || error == -ENOENT, "mp_open");
		if (error)
			continue;
		done = mp_file_read(file, text, sizeof(text), 0);
		expect(done == -ENODEV || done == 3 || done == 5, "mp_file_read");
		done = mp_file_write(file, "on", 2);
		expect(done == -ENODEV || done == 2, "mp_file_write");
		met(OPEN, done > 0);
		mp_file_close(file);
	}
	return NULL;
}

static int see_entry(const struct mp_entry *entry, void *arg)
{
	expect(entry->name[0], "an entry without name");
	return 0;
}

static void *list_files(void *arg)
{
	static const char *const paths[] = { TOY_PATH, "/sys/bus/toy/devices", TOY_PATH "/toy1" };
	int i, error;

	for (i = 0; !over(); i++) {
		error = mp_list(paths[i % 3], see_entry, NULL);
		expect(error == 0 || (error == -ENOENT && i % 3 == 2), "mp_list");
		met(LIST, !error && i % 3 == 2);
	}
	return NULL;
}

TEST(tree_crowd, "files can be used by everybody while their objects come and go")
{
	void *(*const runs[])(void *) = { come_and_go, read_files, write_files, open_files,
					  list_files };
	pthread_t threads[ARRAY_SIZE(runs)];
	size_t i;

	CHECK_EQ(tree_init(), 0);
	CHECK_EQ(subsys_register(&crowd_bus, NULL), 0);
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, runs[i], NULL), 0);
	for (i = 0; i < ARRAY_SIZE(runs); i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	CHECK_STR(crowd.wrong ? crowd.wrong : "", "");
	CHECK_EQ(crowd.released, crowd.added);
	CHECK_STR(names_in(TOY_PATH), "power/ uevent");
	CHECK_STR(names_in("/sys/bus/toy/devices"), "");
	subsys_unregister(&crowd_bus);
	tree_exit();
}
