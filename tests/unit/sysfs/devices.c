/* SPDX-License-Identifier: MIT */
/* Devices on a bus that is not memory: their files, references, online and offline, waiting writers. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#include "toy_bus.h"

#define ONLINE0 TOY_PATH "/toy0/online"

/* ---- a thread that writes, and can be seen waiting ---- */

struct writer {
	pthread_t thread;
	const char *path, *text;
	struct mp_file *file; /* else by path */
	int tid;	      /* atomic */
	int done;	      /* atomic */
	ssize_t result;
};

static void *write_it(void *arg)
{
	struct writer *me = arg;

	__atomic_store_n(&me->tid, gettid(), __ATOMIC_RELEASE);
	if (me->file)
		me->result = mp_file_write(me->file, me->text, strlen(me->text));
	else if (me->text)
		me->result = mp_write(me->path, me->text, strlen(me->text));
	else
		me->result = (ssize_t)strlen(text_of(me->path));
	__atomic_store_n(&me->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_done(struct writer *me)
{
	return __atomic_load_n(&me->done, __ATOMIC_ACQUIRE);
}

static char thread_state(int tid)
{
	char path[64], text[512] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return '?';
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	return strrchr(text, ')') ? strrchr(text, ')')[2] : '?';
}

/* Starts it and lets it come to a wait; where it wakes and tries again, `times` times. */
static void start_and_wait(struct writer *me, int times)
{
	int tid;

	CHECK_EQ(pthread_create(&me->thread, NULL, write_it, me), 0);
	while (!(tid = __atomic_load_n(&me->tid, __ATOMIC_ACQUIRE)))
		sched_yield();
	for (;;) {
		while (thread_state(tid) != 'S' && !is_done(me))
			sched_yield();
		if (!--times)
			break;
		while (thread_state(tid) == 'S' && !is_done(me))
			sched_yield();
	}
	CHECK(!is_done(me));
}

static ssize_t finish(struct writer *me)
{
	CHECK_EQ(pthread_join(me->thread, NULL), 0);
	return me->result;
}

/* ---- files ---- */

TEST(SYSFS_21, "online reads as the negated flag, under the device lock")
{
	struct writer reader = { .path = ONLINE0 };
	struct device *dev;

	toy_boot();
	dev = toy_add(0, true);
	toy_add(1, false);
	CHECK_STR(text_of(ONLINE0), "0");
	CHECK_STR(text_of(TOY_PATH "/toy1/online"), "1");
	CHECK_EQ(device_online(dev), 0);
	CHECK_STR(text_of(ONLINE0), "1");
	CHECK_EQ(mode_of(ONLINE0), 0644);
	device_lock(dev);
	start_and_wait(&reader, 1);
	CHECK_STR(text_of(TOY_PATH "/toy1/online"), "1");
	device_unlock(dev);
	CHECK_EQ(finish(&reader), 1);
}

TEST(SYSFS_22, "online takes booleans by their first letters; what follows is ignored")
{
	static const char *const yes[] = { "y", "Y", "t", "T", "1", "on", "oN", "ON", "1xyz",
					   "yes\n", "onward", "true" };
	static const char *const no[] = { "n", "N", "f", "F", "0", "of", "oF", "OF", "0xyz",
					  "off\n", "no", "false" };
	static const char *const bad[] = { "o", "x", "2", " 1", "-1", "\n", "", "enable" };
	size_t i;

	toy_boot();
	toy_add(0, true);
	for (i = 0; i < ARRAY_SIZE(yes); i++) {
		CHECK_EQ(mp_write_string(ONLINE0, yes[i]), 0);
		CHECK_STR(text_of(ONLINE0), "1");
		CHECK_EQ(mp_write_string(ONLINE0, no[i]), 0);
		CHECK_STR(text_of(ONLINE0), "0");
	}
	toy.calls = 0;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(mp_write(ONLINE0, bad[i], bad[i][0] ? strlen(bad[i]) : 1), -EINVAL);
	CHECK_EQ(toy.calls, 0);
}

TEST(SYSFS_23, "online in the state it has already succeeds and does nothing")
{
	toy_boot();
	toy_add(0, true);
	CHECK_EQ(mp_write(ONLINE0, "0\n", 2), 2);
	CHECK_EQ(toy.calls, 0);
	CHECK_EQ(mp_write(ONLINE0, "1\n", 2), 2);
	CHECK_EQ(toy.calls, 1);
	CHECK_EQ(mp_write(ONLINE0, "1\n", 2), 2);
	CHECK_EQ(toy.calls, 1);
	toy.answer = -EBUSY;
	CHECK_EQ(mp_write(ONLINE0, "0\n", 2), -EBUSY);
	CHECK_STR(text_of(ONLINE0), "1");
}

TEST(SYSFS_27, "power/ of devices and of the root has the files that Linux has there, without effect")
{
	static const char *const dirs[] = { TOY_PATH, TOY_PATH "/toy0" };
	static const char expected[] = "async autosuspend_delay_ms control runtime_active_kids "
				       "runtime_active_time runtime_enabled runtime_status "
				       "runtime_suspended_time runtime_usage";
	char path[128];
	int i;

	toy_boot();
	toy_add(0, true);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/power", dirs[i]);
		CHECK_STR(names_in(path), expected);
		snprintf(path, sizeof(path), "%s/power/runtime_status", dirs[i]);
		CHECK_STR(text_of(path), "unsupported");
		snprintf(path, sizeof(path), "%s/power/control", dirs[i]);
		CHECK_STR(text_of(path), "auto");
		CHECK_EQ(mp_write_string(path, "on"), 0);
		CHECK_STR(text_of(path), "on");
		CHECK_EQ(mp_write_string(path, "off"), -EINVAL);
		snprintf(path, sizeof(path), "%s/power/runtime_enabled", dirs[i]);
		CHECK_STR(text_of(path), "disabled & forbidden");
		snprintf(path, sizeof(path), "%s/power/async", dirs[i]);
		CHECK_STR(text_of(path), "disabled");
		CHECK_EQ(mp_write_string(path, "enabled\n"), 0);
		CHECK_STR(text_of(path), "enabled");
		CHECK_EQ(mp_write_string(path, "1"), -EINVAL);
		CHECK_STR(text_of(path), "enabled");
	}
	CHECK_EQ(toy.calls, 0);
}

TEST(SYSFS_28, "the bus's directory: links to the devices, empty drivers, probing that does nothing")
{
	toy_boot();
	toy_add(0, true);
	toy_add(1, true);
	CHECK_STR(names_in("/sys/bus/toy"),
		  "devices/ drivers/ drivers_autoprobe drivers_probe uevent");
	CHECK_STR(names_in("/sys/bus/toy/devices"), "toy0@ toy1@");
	CHECK_STR(target_of("/sys/bus/toy/devices/toy1"),
		  "../../../devices/system/toy/toy1");
	CHECK_STR(names_in("/sys/bus/toy/drivers"), "");
	CHECK_EQ(mode_of("/sys/bus/toy/drivers_autoprobe"), 0644);
	CHECK_EQ(mode_of("/sys/bus/toy/drivers_probe"), 0200);
	CHECK_EQ(mode_of("/sys/bus/toy/uevent"), 0200);
	CHECK_STR(text_of("/sys/bus/toy/drivers_autoprobe"), "1");
	CHECK_EQ(mp_write_string("/sys/bus/toy/drivers_autoprobe", "0"), 0);
	CHECK_STR(text_of("/sys/bus/toy/drivers_autoprobe"), "0");
	CHECK_EQ(mp_write_string("/sys/bus/toy/drivers_probe", "toy1\n"), 0);
	CHECK_EQ(mp_write_string("/sys/bus/toy/drivers_probe", "toy2"), -EINVAL);
	CHECK_STR(names_in(TOY_PATH), "power/ toy0/ toy1/ uevent");
	CHECK_STR(names_in(TOY_PATH "/toy0"),
		  "note online power/ read_only subsystem@ uevent write_only");
	CHECK_STR(target_of(TOY_PATH "/toy0/subsystem"), "../../../../bus/toy");
}

/* ---- life ---- */

TEST(BLOCK_10, "a name that is taken gives EEXIST before anything is made; links that fail are undone")
{
	struct device *dev;

	toy_boot();
	toy_add(0, true);
	toy.log[0] = '\0';
	dev = toy_new(0, true);
	CHECK_EQ(device_add(dev), -EEXIST);
	put_device(dev);
	CHECK_EQ(toy.released, 1);
	CHECK_STR(toy.log, "");
	CHECK_STR(names_in("/sys/bus/toy/devices"), "toy0@");

	CHECK_EQ(tree_link(tree_lookup_dir(tree_lookup_dir(tree_lookup_dir(
				   tree_lookup_dir(tree_root, "sys"), "bus"), "toy"), "devices"),
			   "toy1", "in the way"), 0);
	dev = toy_new(1, true);
	CHECK_EQ(device_add(dev), -EEXIST);
	put_device(dev);
	CHECK_EQ(toy.released, 2);
	CHECK_STR(names_in(TOY_PATH), "power/ toy0/ uevent");
	CHECK_STR(toy.log, "");
}

TEST(BLOCK_13, "the last reference frees the object; an open file keeps none of its entries")
{
	struct mp_file *file;
	struct device *dev;

	toy_boot();
	dev = toy_add(0, true);
	get_device(dev);
	CHECK_EQ(mp_open(ONLINE0, O_RDWR, &file), 0);
	device_unregister(dev);
	CHECK_EQ(toy.released, 0);
	CHECK_STR(names_in(TOY_PATH), "power/ uevent");
	put_device(dev);
	CHECK_EQ(toy.released, 1);
	CHECK_EQ(mp_file_write(file, "1", 1), -ENODEV);
	mp_file_close(file);
}

static void look_at_flag(void)
{
	struct device *dev = toy_bus.devices.next == &toy_bus.devices ? NULL :
		list_first_entry(&toy_bus.devices, struct device, bus_node);

	snprintf(toy.seen + strlen(toy.seen), 64, "%d ", dev ? dev->offline : -1);
}

TEST(BLOCK_19, "device_online: method, uevent, flag; 1 when it is online; errors unchanged")
{
	struct device *dev;

	toy_boot();
	dev = toy_add(0, true);
	toy.log[0] = '\0';
	toy.answer = -ENOMEM;
	CHECK_EQ(device_online(dev), -ENOMEM);
	CHECK(dev->offline);
	toy.answer = 0;
	toy.look = look_at_flag;
	CHECK_EQ(device_online(dev), 0);
	CHECK_STR(toy.log, "online@/devices/system/toy/toy0\n");
	CHECK_STR(toy.seen, "1 ");
	CHECK(!dev->offline);
	CHECK_EQ(device_online(dev), 1);
	CHECK_EQ(toy.calls, 2);
}

TEST(BLOCK_20, "device_offline: EPERM when it may not, EBUSY above what is online, else as online")
{
	struct device *dev, *below, *lowest;
	struct mp_reason reason;

	toy_boot();
	dev = toy_add(0, false);
	below = toy_new(1, true);
	below->parent = dev;
	CHECK_EQ(device_add(below), 0);
	lowest = toy_new(2, false);
	lowest->parent = below;
	CHECK_EQ(device_add(lowest), 0);

	CHECK_EQ(device_offline(dev), -EBUSY);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.error, -EBUSY);
	CHECK_EQ(toy.calls, 0);
	CHECK_EQ(device_offline(lowest), 0);
	dev->offline_disabled = true;
	CHECK_EQ(device_offline(dev), -EPERM);
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.error, -EPERM);
	CHECK_EQ(toy.calls, 1);
	/* Such a device shows no `online`. */
	CHECK_EQ(mode_of(ONLINE0), 0);
	dev->offline_disabled = false;

	CHECK_EQ(device_online(below), 0);
	CHECK_EQ(device_offline(dev), -EBUSY);
	device_unregister(lowest);
	device_unregister(below);
	toy.log[0] = '\0';
	toy.look = look_at_flag;
	CHECK_EQ(device_offline(dev), 0);
	CHECK_STR(toy.log, "offline@/devices/system/toy/toy0\n");
	CHECK_STR(toy.seen, "0 ");
	CHECK_EQ(device_offline(dev), 1);
}

static void remove_and_keep_reference(struct device **dev)
{
	get_device(*dev);
	device_unregister(*dev);
}

TEST(BLOCK_23, "a removed object that is still referenced does not stand in its successor's way")
{
	struct device *old;

	toy_boot();
	old = toy_add(0, true);
	remove_and_keep_reference(&old);
	toy_add(0, false);
	CHECK_STR(text_of(ONLINE0), "1");
	CHECK_STR(names_in("/sys/bus/toy/devices"), "toy0@");
	put_device(old);
	CHECK_EQ(toy.released, 1);
}

static int unregister_each(struct device *dev, void *arg)
{
	int *count = arg;

	++*count;
	device_unregister(dev);
	return 0;
}

TEST(bus_walk, "a walk over the bus survives that its devices leave")
{
	int i, count = 0;

	toy_boot();
	for (i = 0; i < 5; i++)
		toy_add((u32)i, true);
	CHECK_EQ(bus_for_each_dev(&toy_bus, unregister_each, &count), 0);
	CHECK_EQ(count, 5);
	CHECK_EQ(toy.released, 5);
	subsys_unregister(&toy_bus);
	CHECK_STR(names_in("/sys/bus"), "");
	CHECK_STR(names_in("/sys/devices/system"), "");
}

/* ---- waiting for device_hotplug_lock ---- */

TEST(LOCK_15, "the sysfs form takes a free lock at once")
{
	CHECK_EQ(lock_device_hotplug_sysfs(), 0);
	CHECK(device_hotplug_lock_held());
	unlock_device_hotplug();
	CHECK(!device_hotplug_lock_held());
}

static void *try_once(void *arg)
{
	*(int *)arg = lock_device_hotplug_sysfs();
	return NULL;
}

TEST(LOCK_16, "the sysfs form gives ERESTARTNOINTR when another holds the lock; a write goes on trying")
{
	struct writer writer = { .path = ONLINE0, .text = "1" };
	pthread_t thread;
	int result = 0;

	toy_boot();
	toy_add(0, true);
	lock_device_hotplug();
	CHECK_EQ(pthread_create(&thread, NULL, try_once, &result), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(result, -ERESTARTNOINTR);
	start_and_wait(&writer, 3);
	CHECK_EQ(toy.calls, 0);
	unlock_device_hotplug();
	CHECK_EQ(finish(&writer), 1);
	CHECK_EQ(toy.calls, 1);
}

static int signals;

static void count_signal(int number)
{
	__atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
}

TEST(LOCK_17, "a handled signal does not end the wait")
{
	struct writer writer = { .path = ONLINE0, .text = "1" };
	struct sigaction action = { .sa_handler = count_signal };

	toy_boot();
	toy_add(0, true);
	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	lock_device_hotplug();
	start_and_wait(&writer, 1);
	CHECK_EQ(pthread_kill(writer.thread, SIGUSR1), 0);
	while (!__atomic_load_n(&signals, __ATOMIC_RELAXED))
		sched_yield();
	while (thread_state(writer.tid) != 'S')
		sched_yield();
	CHECK(!is_done(&writer));
	unlock_device_hotplug();
	CHECK_EQ(finish(&writer), 1);
}

TEST(LOCK_18, "a waiting writer does not hold up the removal of its file")
{
	struct writer writer = { .path = ONLINE0, .text = "1" };
	struct device *dev;

	toy_boot();
	dev = toy_add(0, true);
	lock_device_hotplug();
	start_and_wait(&writer, 1);
	device_unregister(dev);
	unlock_device_hotplug();
	CHECK_EQ(finish(&writer), -ENOENT);
	CHECK_EQ(toy.calls, 0);
}

TEST(LOCK_19, "a file removed meanwhile gives ENODEV through an open descriptor")
{
	struct writer writer = { .text = "1" };
	struct device *dev;

	toy_boot();
	dev = toy_add(0, true);
	CHECK_EQ(mp_open(ONLINE0, O_WRONLY, &writer.file), 0);
	lock_device_hotplug();
	start_and_wait(&writer, 1);
	device_unregister(dev);
	toy_add(0, true);
	unlock_device_hotplug();
	CHECK_EQ(finish(&writer), -ENODEV);
	CHECK_EQ(toy.calls, 0);
	mp_file_close(writer.file);
}

TEST(LOCK_20, "invalid text is refused at once, whoever holds the lock")
{
	struct writer writer = { .path = ONLINE0, .text = "maybe" };

	toy_boot();
	toy_add(0, true);
	lock_device_hotplug();
	CHECK_EQ(pthread_create(&writer.thread, NULL, write_it, &writer), 0);
	CHECK_EQ(finish(&writer), -EINVAL);
	unlock_device_hotplug();
}

static int fatal_calls;
static char fatal_text[512];

static void keep_fatal(const char *text, void *arg)
{
	fatal_calls++;
	snprintf(fatal_text, sizeof(fatal_text), "%s", text);
}

TEST(lock_by_its_holder, "a write by the holder of the lock is fatal and does not restart for ever")
{
	toy_boot();
	toy_add(0, true);
	mp_set_fatal_hook(keep_fatal, NULL);
	lock_device_hotplug();
	CHECK_EQ(mp_write_string(ONLINE0, "1"), -EDEADLK);
	CHECK_EQ(fatal_calls, 1);
	CHECK(strstr(fatal_text, "device_hotplug_lock"));
	unlock_device_hotplug();
	CHECK_EQ(mp_write_string(ONLINE0, "1"), 0);
}
