/* SPDX-License-Identifier: MIT */
/*
 * Threads that exit and processes that fork in the middle of things (DESIGN D2, D6). A fork child says in
 * its exit status which check failed.
 */
#include "machine.h"

#include <linux/cpu.h>
#include <memplug/runtime.h>
#include <sys/wait.h>

#define NODE 1

#if defined(__SANITIZE_ADDRESS__)
/*
 * A child may allocate whatever other threads were at: the C library sees to that, the sanitizer's heap does
 * not. So in its build no thread is inside the heap when another one forks.
 */
static pthread_mutex_t heap = PTHREAD_MUTEX_INITIALIZER;

static void heap_lock(void)
{
	pthread_mutex_lock(&heap);
}

static void heap_unlock(void)
{
	pthread_mutex_unlock(&heap);
}

void *mp_heap_alloc(size_t size)
{
	void *p;

	heap_lock();
	p = calloc(1, size);
	heap_unlock();
	return p;
}

void mp_heap_free(void *p)
{
	heap_lock();
	free(p);
	heap_unlock();
}

/* Before the library's handlers, hence locked after them: it allocates with its locks held. */
__attribute__((constructor(101))) static void heap_at_fork(void)
{
	pthread_atfork(heap_lock, heap_unlock, heap_unlock);
}
#endif

static long exit_inside(void *arg)
{
	get_online_mems();
	if (arg)
		pthread_exit((void *)0);
	return 0;
}

static long online_32(void *arg)
{
	return set_state(32, "online");
}

TEST(exit_in_read_section, "a thread that ends inside a read section warns and leaves it")
{
	struct worker worker;

	machine_boot(NULL);
	allow_warnings();
	add_blocks(NODE, 32, 1);
	worker_start(&worker, exit_inside, NULL);
	CHECK_EQ(worker_join(&worker), 0);
	CHECK_EQ(warnings(), 1);
	CHECK(strstr(warning_text(), "mem_hotplug_lock"));
	CHECK(!percpu_is_read_locked(&mp_mem_hotplug_lock));
	/* A writer would wait for it for ever. */
	CHECK_EQ(set_state(32, "online"), 0);
	machine_check();
}

static sem_t inside, leave;

static long exit_when_told(void *arg)
{
	get_online_mems();
	sem_post(&inside);
	sem_wait(&leave);
	pthread_exit(NULL);
}

TEST(exit_in_read_section, "also when a writer waits for it already")
{
	struct worker reader, writer;

	machine_boot(NULL);
	allow_warnings();
	add_blocks(NODE, 32, 1);
	sem_init(&inside, 0, 0);
	sem_init(&leave, 0, 0);
	worker_start(&reader, exit_when_told, NULL);
	sem_wait(&inside);
	worker_start(&writer, online_32, NULL);
	AWAIT(percpu_is_write_locked(&mp_mem_hotplug_lock));
	worker_await_sleep(&writer);
	sem_post(&leave);
	CHECK_EQ(pthread_join(reader.thread, NULL), 0);
	CHECK_EQ(worker_join(&writer), 0);
	CHECK_EQ(warnings(), 1);
}

static long take_and_leave_pages(void *arg)
{
	struct page *pages[32];

	for (int i = 0; i < 32; i++) {
		pages[i] = alloc_pages_node(NODE, MOVABLE, 0);
		CHECK(pages[i]);
	}
	/* They go into this thread's lists, which nobody may forget. */
	for (int i = 0; i < 32; i++)
		__free_page(pages[i]);
	return 0;
}

TEST(exit_with_lists, "the pages in a thread's lists are free when it is gone")
{
	struct worker worker;

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	for (int i = 0; i < 20; i++) {
		worker_start(&worker, take_and_leave_pages, NULL);
		CHECK_EQ(worker_join(&worker), 0);
		CHECK_EQ(zone_of(NODE, ZONE_MOVABLE)->nr_free, (long)BLOCK_PAGES);
	}
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(mp_shutdown(), 0);
}

/* ---- fork ---- */

#define CHILD_CHECK(cond)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			printf("# child: line %d: %s\n", __LINE__, #cond);                         \
			fflush(stdout);                                                            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static void join_child(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	if (WIFSIGNALED(status))
		FAIL("the child died of signal %d", WTERMSIG(status));
	CHECK_EQ(WEXITSTATUS(status), 0);
}

static void check_no_machine(void)
{
	struct mp_stats stats;
	char text[64];

	CHILD_CHECK(!mp_booted());
	CHILD_CHECK(!mp_contract());
	CHILD_CHECK(mp_get_stats(&stats) == -ENXIO);
	CHILD_CHECK(mp_shutdown() == -ENXIO);
	CHILD_CHECK(mp_read("/sys/devices/system/memory/memory32/state", text, sizeof(text)) == -ENXIO);
	CHILD_CHECK(mp_write_string("/sys/devices/system/memory/memory32/state", "online") == -ENXIO);
	CHILD_CHECK(add_memory(NODE, HOT, BLOCK_BYTES, MHP_NONE) == -ENXIO);
	CHILD_CHECK(remove_memory(HOT, BLOCK_BYTES) == -ENXIO);
	CHILD_CHECK(offline_and_remove_memory(HOT, BLOCK_BYTES) == -ENXIO);
	CHILD_CHECK(try_online_node(NODE) == -ENXIO);
	CHILD_CHECK(mp_block_resident(32) == -ENXIO);
	CHILD_CHECK(mp_set_contract("document") == -ENXIO);
	CHILD_CHECK(!alloc_pages_node(NODE, GFP_KERNEL, 0));
	CHILD_CHECK(!find_memory_block(32));
	CHILD_CHECK(memory_block_size_bytes() == 0);
	CHILD_CHECK(!memory_group_find_by_id(0));
	CHILD_CHECK(nodes_empty(node_states[N_POSSIBLE]));
	CHILD_CHECK(mp_inject_load(0) == -ENXIO);
	/* Every lock is free. */
	lock_device_hotplug();
	mem_hotplug_begin();
	mem_hotplug_done();
	unlock_device_hotplug();
	get_online_mems();
	put_online_mems();
	cpus_write_lock();
	cpus_write_unlock();
}

static void boot_own(void)
{
	struct mp_desc *desc = mp_desc_new();
	struct mp_reason reason = { .text = "no reason" };
	struct page *page;
	char text[16];

	CHILD_CHECK(desc);
	CHILD_CHECK(!mp_desc_parse(desc, "max_phys = 64G\novercommit = yes\nnode 1\nram 0 256M node 0\n",
				   "child"));
	if (mp_boot(desc)) {
		mp_last_reason(&reason);
		printf("# child: %s\n", reason.text);
		fflush(stdout);
		_exit(1);
	}
	mp_desc_free(desc);
	CHILD_CHECK(!add_memory(NODE, HOT, BLOCK_BYTES, MHP_NONE));
	CHILD_CHECK(!mp_write_string("/sys/devices/system/memory/memory32/state", "online_movable"));
	CHILD_CHECK(!mp_inject_load(0));
	CHILD_CHECK(!mp_inject_unload());
	page = alloc_pages_node(NODE, MOVABLE, 0);
	CHILD_CHECK(page);
	fill(page, 4);
	CHILD_CHECK(holds(page, 4));
	__free_page(page);
	CHILD_CHECK(!mp_write_string("/sys/devices/system/memory/memory32/state", "offline"));
	CHILD_CHECK(mp_read("/sys/devices/system/memory/memory32/state", text, sizeof(text)) == 8);
	CHILD_CHECK(mp_check(NULL, NULL) == 0);
	CHILD_CHECK(!mp_shutdown());
}

static int calls;

static int count_call(struct notifier_block *nb, unsigned long action, void *arg)
{
	calls++;
	return NOTIFY_OK;
}

static struct notifier_block counter = { .notifier_call = count_call };

TEST(fork_plain, "a child has no machine until it boots its own; registrations are there; the parent goes on")
{
	struct page *page;
	pid_t child;

	CHECK_EQ(register_memory_notifier(&counter), 0);
	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	CHECK_EQ(calls, 2);
	CHECK_GE(memory_group_register_static(NODE, BLOCK_PAGES), 0);
	CHECK_EQ(mp_inject_load(3), 0);
	page = stuck_take(NODE);
	fill(page, 9);
	fflush(stdout);
	child = fork();
	CHECK_GE(child, 0);
	if (!child) {
		check_no_machine();
		calls = 0;
		boot_own();
		CHILD_CHECK(calls == 4);
		_exit(0);
	}
	join_child(child);
	CHECK(holds(page, 9));
	__free_page(page);
	CHECK_EQ(set_state(32, "offline"), 0);
	CHECK_EQ(calls, 4);
	machine_check();
}

static int stop;

static long read_always(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		get_online_mems();
		pfn_to_online_page(HOT_PFN);
		put_online_mems();
	}
	return 0;
}

static long allocate_always(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		struct page *page = alloc_pages_node(NODE, GFP_HIGHUSER_MOVABLE, 0);

		CHECK(page);
		__free_page(page);
	}
	return 0;
}

static long cycle_always(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		CHECK_EQ(set_state(33, "online_movable"), 0);
		CHECK_EQ(set_state(33, "offline"), 0);
		uevents(); /* else their log runs full */
	}
	return 0;
}

static long register_always(void *arg)
{
	static struct notifier_block nb = { .notifier_call = count_call };

	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
		CHECK_EQ(register_memory_notifier(&nb), 0);
		unregister_memory_notifier(&nb);
	}
	return 0;
}

TEST(fork_threaded, "the same when other threads are in read sections, allocations, transactions, the chain")
{
	long (*runs[])(void *) = { read_always, allocate_always, cycle_always, register_always };
	struct worker workers[4];
	pid_t child;

	machine_boot(NULL);
	add_blocks(NODE, 32, 2);
	CHECK_EQ(set_state(32, "online_movable"), 0);
	for (int i = 0; i < 4; i++)
		worker_start(&workers[i], runs[i], NULL);
	for (int i = 0; i < 20; i++) {
		fflush(stdout);
		child = fork();
		CHECK_GE(child, 0);
		if (!child) {
			check_no_machine();
			boot_own();
			_exit(0);
		}
		join_child(child);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(worker_join(&workers[i]), 0);
	machine_check();
}

TEST(fork_in_read_section, "a child that was forked inside a read section leaves it and can boot")
{
	pid_t child;

	machine_boot(NULL);
	get_online_mems();
	fflush(stdout);
	child = fork();
	CHECK_GE(child, 0);
	if (!child) {
		put_online_mems();
		check_no_machine();
		boot_own();
		_exit(0);
	}
	join_child(child);
	put_online_mems();
	machine_check();
}

static void fork_in_callback(struct listener *me, unsigned long action, struct memory_notify *arg)
{
	pid_t child;

	if (action != MEM_GOING_ONLINE)
		return;
	fflush(stdout);
	child = fork();
	CHECK_GE(child, 0);
	if (!child)
		/* As a program would that starts another one. */
		_exit(mp_booted());
	join_child(child);
}

TEST(fork_in_callback, "forking from a callback harms neither side")
{
	struct listener a = { .hook = fork_in_callback };

	machine_boot(NULL);
	add_blocks(NODE, 32, 1);
	listen_as(&a, "A", 0);
	CHECK_EQ(set_state(32, "online"), 0);
	CHECK_EQ(set_state(32, "offline"), 0);
	machine_check();
}
