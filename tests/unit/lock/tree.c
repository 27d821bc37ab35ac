/* SPDX-License-Identifier: MIT */
/*
 * How writers and readers of the tree wait (LOCK-14..21): by restarting, without an end, and never inside
 * a file that somebody removes.
 */
#include "machine.h"

#include <fcntl.h>

#define NODE 1

static struct worker eager;
static struct {
	long block;
	const char *file, *text;
} eager_write;

static long write_eagerly(void *arg)
{
	return write_block(eager_write.block, eager_write.file, eager_write.text);
}

static void react_to_add(const char *text, size_t size, void *arg)
{
	if (strcmp(text, "add@/devices/system/memory/memory32"))
		return;
	worker_start(&eager, write_eagerly, NULL);
	worker_await_sleep(&eager);
	note("add", "seen");
}

static void note_when_done(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	if (action == MEM_ONLINE)
		CHECK_STR(read_block(33, "valid_zones"), "Normal Movable");
}

TEST(LOCK_14, "who reacts to the add uevent by a write waits for the whole add, then succeeds")
{
	struct listener a = { .hook = note_when_done };

	machine_boot(NULL);
	CHECK_EQ(mp_uevent_listen(react_to_add, NULL), 0);
	listen_as(&a, "A", 0);
	eager_write.block = 32;
	eager_write.file = "state";
	eager_write.text = "online_kernel";
	add_blocks(NODE, 32, 2);
	CHECK_EQ(worker_join(&eager), 0);
	/* Both blocks and their links were there before the first event. */
	CHECK_STR(heard(), "add:seen A:GOING_ONLINE A:ONLINE");
	CHECK_STR(read_block(32, "state"), "online");
}

TEST(LOCK_14, "when auto-online did the job already, state gives EINVAL and online succeeds")
{
	static const struct {
		const char *file, *text;
		int result;
	} cases[] = { { "state", "online", -EINVAL }, { "online", "1", 0 } };

	machine_boot("memhp_default_state = online_movable\n");
	CHECK_EQ(mp_uevent_listen(react_to_add, NULL), 0);
	for (int i = 0; i < 2; i++) {
		eager_write.block = 32;
		eager_write.file = cases[i].file;
		eager_write.text = cases[i].text;
		add_blocks(NODE, 32, 1);
		CHECK_EQ(worker_join(&eager), cases[i].result);
		CHECK_STR(read_block(32, "state"), "online");
		CHECK_EQ(set_state(32, "offline"), 0);
		CHECK_EQ(remove_blocks(32, 1), 0);
	}
}

static long try_sysfs(void *arg)
{
	int ret = lock_device_hotplug_sysfs();

	if (!ret)
		unlock_device_hotplug();
	return ret;
}

TEST(LOCK_15, "lock_device_hotplug_sysfs() tries once and has the lock when it returns 0")
{
	struct worker worker;

	machine_boot(NULL);
	CHECK_EQ(lock_device_hotplug_sysfs(), 0);
	worker_start(&worker, try_sysfs, NULL);
	CHECK_EQ(worker_join(&worker), -ERESTARTNOINTR);
	unlock_device_hotplug();
	worker_start(&worker, try_sysfs, NULL);
	CHECK_EQ(worker_join(&worker), 0);
}

static long online_32(void *arg)
{
	return set_state(32, "online");
}

TEST(LOCK_16, "a busy lock gives ERESTARTNOINTR, 513, and the write through the tree restarts by itself")
{
	struct worker worker;

	CHECK_EQ(ERESTARTNOINTR, 513);
	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	lock_device_hotplug();
	worker_start(&worker, online_32, NULL);
	for (int i = 0; i < 20; i++)
		worker_await_sleep(&worker);
	CHECK_STR(read_block(32, "state"), "offline");
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_STR(read_block(32, "state"), "online");
}

static int handled;

static void count_signal(int signal)
{
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

TEST(LOCK_17, "handlers run while a writer waits, with or without SA_RESTART, and the wait goes on")
{
	static const int flags[] = { 0, SA_RESTART };
	struct worker worker;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	lock_device_hotplug();
	worker_start(&worker, online_32, NULL);
	worker_await_sleep(&worker);
	for (int i = 0; i < 2; i++) {
		struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags[i] };

		CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
		for (int j = 1; j <= 5; j++) {
			CHECK_EQ(pthread_kill(worker.thread, SIGALRM), 0);
			AWAIT(__atomic_load_n(&handled, __ATOMIC_RELAXED) == 5 * i + j);
			worker_await_sleep(&worker);
		}
	}
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&worker), 0);
}

static long online_33(void *arg)
{
	return set_state(33, "online");
}

TEST(LOCK_18, "a waiting writer holds no reference that the removal of its file would wait for")
{
	struct worker writer;

	machine_boot(NULL);
	add_blocks(NODE, 32, 2);
	lock_device_hotplug();
	worker_start(&writer, online_33, NULL);
	worker_await_sleep(&writer);
	/* The writer waits for us; if this waited for the writer nobody would go on. */
	__remove_memory(33 * BLOCK_BYTES, BLOCK_BYTES);
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&writer), -ENOENT);
	CHECK_STR(read_block(32, "state"), "offline");
	machine_check();
}

static struct mp_file *open_state;

static long write_open_file(void *arg)
{
	return mp_file_write(open_state, "online", 6);
}

TEST(LOCK_19, "through an open descriptor the restarted write finds ENODEV when the file went meanwhile")
{
	struct worker writer;

	machine_boot(NULL);
	add_blocks(NODE, 32, 2);
	CHECK_EQ(mp_open("/sys/devices/system/memory/memory33/state", O_RDWR, &open_state), 0);
	lock_device_hotplug();
	worker_start(&writer, write_open_file, NULL);
	worker_await_sleep(&writer);
	__remove_memory(33 * BLOCK_BYTES, BLOCK_BYTES);
	unlock_device_hotplug();
	CHECK_EQ(worker_join(&writer), -ENODEV);
	/* A block of the same name later is another one. */
	add_blocks(NODE, 33, 1);
	CHECK_EQ(mp_file_write(open_state, "online", 6), -ENODEV);
	CHECK_STR(read_block(33, "state"), "offline");
	mp_file_close(open_state);
	machine_check();
}

static long write_nonsense(void *arg)
{
	CHECK_EQ(set_state(32, "nonsense"), -EINVAL);
	CHECK_EQ(set_state(32, "onlin"), -EINVAL);
	CHECK_EQ(write_block(32, "online", "maybe"), -EINVAL);
	CHECK_EQ(mp_write_string("/sys/devices/system/memory/probe", "nowhere"), -EINVAL);
	CHECK_EQ(mp_write_string("/sys/devices/system/memory/probe", "0x1000"), -EINVAL);
	return 0;
}

TEST(LOCK_20, "text is parsed before the lock is tried: nonsense is refused at once")
{
	struct worker worker;

	machine_boot("probe = Y\n");
	add_blocks(NODE, 32, 1);
	lock_device_hotplug();
	worker_start(&worker, write_nonsense, NULL);
	CHECK_EQ(worker_join(&worker), 0);
	unlock_device_hotplug();
}

static long offline_32(void *arg)
{
	return set_state(32, "offline");
}

static long read_online_32(void *arg)
{
	return read_block(32, "online")[0];
}

static long read_uevent_32(void *arg)
{
	return read_block(32, "uevent")[0];
}

static long write_online_33(void *arg)
{
	return write_block(33, "online", "1");
}

TEST(LOCK_21, "while a block goes offline: its state is readable, its online waits, others answer, writes wait")
{
	struct worker offliner, online, uevent, writer, other;
	struct page *stuck;

	machine_boot(NULL);
	add_blocks(NODE, 32, 2);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	stuck = stuck_take(NODE);
	worker_start(&offliner, offline_32, NULL);
	AWAIT(!strcmp(read_block(32, "state"), "going-offline"));
	worker_start(&online, read_online_32, NULL);
	worker_start(&uevent, read_uevent_32, NULL);
	worker_start(&writer, online_33, NULL);
	worker_start(&other, write_online_33, NULL);
	worker_await_sleep(&online);
	worker_await_sleep(&uevent);
	worker_await_sleep(&writer);
	worker_await_sleep(&other);
	CHECK_STR(read_block(32, "state"), "going-offline");
	CHECK_STR(read_block(33, "state"), "offline");
	CHECK_STR(read_block(33, "online"), "0");
	CHECK(!worker_done(&offliner));
	__free_page(stuck);
	CHECK_EQ(worker_join(&offliner), 0);
	/* It never saw the time between. */
	CHECK_EQ(worker_join(&online), '0');
	CHECK_EQ(worker_join(&uevent), '\0');
	/* Whichever came first: state of the second is EINVAL, online of the second succeeds. */
	CHECK_EQ(worker_join(&other), 0);
	worker_join(&writer);
	CHECK_STR(read_block(33, "state"), "online");
	machine_check();
}
