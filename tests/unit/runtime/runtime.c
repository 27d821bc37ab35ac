/* SPDX-License-Identifier: MIT */
/*
 * What an allocator on top of the machine relies on (<memplug/runtime.h>): a heap of its choice, threads
 * and descriptors of the library told from the program's, and whether memory may be plugged just now.
 */
#include "machine.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/un.h>

static unsigned long allocations, frees; /* atomic */

/* This program's heap for the library: what it took and gave is counted. */
void *mp_heap_alloc(size_t size)
{
	__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
	return calloc(1, size);
}

void mp_heap_free(void *p)
{
	if (p)
		__atomic_add_fetch(&frees, 1, __ATOMIC_RELAXED);
	free(p);
}

TEST(runtime_heap, "the library's heap is the program's when it defines one, and all is given back")
{
	machine_boot(NULL);
	CHECK_GT(allocations, 0);
	CHECK_EQ(mp_shutdown(), 0);
	CHECK_GT(frees, 0);
}

static int asked[8], answers;

static int ask(struct notifier_block *nb, unsigned long action, void *data)
{
	asked[answers++] = mp_may_plug();
	return NOTIFY_OK;
}

TEST(runtime_may_plug, "plugging is legal outside locks only: not in a callback, a read section, under the lock")
{
	static struct notifier_block nb = { .notifier_call = ask };

	machine_boot(NULL);
	CHECK(mp_may_plug());
	CHECK_EQ(register_memory_notifier(&nb), 0);
	add_blocks(0, HOT_BLOCK, 1);
	CHECK_EQ(mp_write_string("/sys/devices/system/memory/memory32/state", "online_movable"), 0);
	CHECK_EQ(answers, 2);
	CHECK(!asked[0] && !asked[1]);
	CHECK(mp_may_plug());
	get_online_mems();
	CHECK(!mp_may_plug());
	put_online_mems();
	lock_device_hotplug();
	CHECK(!mp_may_plug());
	unlock_device_hotplug();
	CHECK(mp_may_plug());
}

static int connect_machine(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static bool in_callback; /* atomic */

static int who(struct notifier_block *nb, unsigned long action, void *data)
{
	__atomic_store_n(&in_callback, mp_service_thread(), __ATOMIC_RELEASE);
	return NOTIFY_OK;
}

TEST(runtime_service_thread, "a thread of the socket door is the library's, the program's is not")
{
	static struct notifier_block nb = { .notifier_call = who };
	static const char state[] = "/sys/devices/system/memory/memory32/state", text[] = "online_movable";
	char path[64], packet[256];
	struct mp_packet head = { .id = 1, .op = MP_PACKET_WRITE };
	size_t size;
	int fd;

	machine_boot(NULL);
	add_blocks(0, HOT_BLOCK, 1);
	CHECK_EQ(register_memory_notifier(&nb), 0);
	snprintf(path, sizeof(path), "/tmp/memplug-runtime-%d", getpid());
	CHECK_EQ(mp_serve(path, 1), 0);
	CHECK(!mp_service_thread());
	fd = connect_machine(path);
	memcpy(packet, &head, sizeof(head));
	memcpy(packet + sizeof(head), state, sizeof(state));
	memcpy(packet + sizeof(head) + sizeof(state), text, sizeof(text) - 1);
	size = sizeof(head) + sizeof(state) + sizeof(text) - 1;
	CHECK_EQ(send(fd, packet, size, 0), (ssize_t)size);
	CHECK_GT(recv(fd, packet, sizeof(packet), 0), 0); /* hello */
	CHECK_GT(recv(fd, packet, sizeof(packet), 0), 0);
	memcpy(&head, packet, sizeof(head));
	CHECK_EQ(head.value, sizeof(text) - 1);
	CHECK(__atomic_load_n(&in_callback, __ATOMIC_ACQUIRE));
	CHECK_EQ(mp_serve_stop(), 0);
}

TEST(runtime_descriptors, "descriptors that the library keeps are told from others, until it closes them")
{
	char path[64];
	int fd, last = -1, count = 0;

	machine_boot(NULL);
	snprintf(path, sizeof(path), "/tmp/memplug-runtime-%d", getpid());
	CHECK_EQ(mp_serve(path, 1), 0);
	for (fd = mp_next_descriptor(0); fd >= 0; fd = mp_next_descriptor(fd + 1)) {
		CHECK(mp_owns_descriptor(fd));
		CHECK_GE(fcntl(fd, F_GETFD), 0);
		last = fd;
		count++;
	}
	CHECK_GE(count, 3); /* a memory file, the listener, the event */
	CHECK(!mp_owns_descriptor(0) && !mp_owns_descriptor(-1) && !mp_owns_descriptor(1 << 24));
	CHECK_EQ(mp_next_descriptor(last + 1), -1);
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_EQ(mp_shutdown(), 0);
	CHECK_EQ(mp_next_descriptor(0), -1);
}

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	CHECK(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void *opens_one(void *arg)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK(mp_service_thread());
	CHECK_GE(fd, 3);
	return (void *)(intptr_t)fd;
}

/* A machine with all that has descriptors, and a fork child that sees what was mapped. */
static void use_all(const char *path, int open_before)
{
	pthread_t thread;
	void *p = NULL;
	void *result;
	int status;
	pid_t pid;

	machine_boot(NULL);
	CHECK_EQ(mp_serve(path, 1), 0);
	add_blocks(0, HOT_BLOCK, 1);
	CHECK_EQ(mp_write_string("/sys/devices/system/memory/memory32/state", "online_movable"), 0);
	if (mp_map(&p, MP_MAP_GRANULE, -1, MP_MAP_FORK))
		p = NULL; /* not on this host */
	else
		strcpy(p, "here");
	CHECK_EQ(open_descriptors(), open_before);
	CHECK_EQ(mp_next_descriptor(0), -1);
	CHECK_EQ(mp_start_service(&thread, opens_one, NULL), 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK_EQ(open_descriptors(), open_before);
	CHECK_EQ(fcntl((int)(intptr_t)result, F_GETFD), -1); /* the number is not the program's */
	pid = fork();
	if (!pid)
		_exit(open_descriptors() != open_before || (p && strcmp(p, "here")));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	if (p)
		CHECK_EQ(mp_unmap(p, MP_MAP_GRANULE), 0);
	CHECK_EQ(mp_descriptors_apart(), -EBUSY);
	CHECK_EQ(mp_serve_stop(), 0);
	CHECK_EQ(mp_shutdown(), 0);
}

TEST(runtime_apart, "descriptors apart are none of the program's, nor of its children's; a child may have a machine like it")
{
	int before = open_descriptors(), status, fd;
	char path[64];
	uint64_t offset;
	pid_t pid;

	if (mp_descriptors_apart()) {
		SKIP("this host does not let a thread have a table of its own");
		return;
	}
	snprintf(path, sizeof(path), "/tmp/memplug-runtime-%d", getpid());
	use_all(path, before);
	machine_boot(NULL);
	fd = mp_block_fd(0, &offset);
	CHECK_EQ(fd, -EOPNOTSUPP);
#if !defined(__SANITIZE_THREAD__) /* it allows no new threads in the child of a process with threads */
	pid = fork();
	if (!pid) {
		CHECK_EQ(mp_descriptors_apart(), 0);
		snprintf(path, sizeof(path), "/tmp/memplug-runtime-%d", getpid());
		use_all(path, before);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
#else
	(void)pid, (void)status;
#endif
	CHECK_EQ(open_descriptors(), before);
}
