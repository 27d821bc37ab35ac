/* SPDX-License-Identifier: MIT */
/*
 * The machine of the document tests and their tools: listeners that write down what they hear, a
 * movable page that keeps its contents, threads that can be seen waiting.
 *
 * Node 0 has a CPU and boot memory, nodes 1 and 2 have none. A block is 8 MiB; hot memory begins at
 * HOT. Every test runs in a process of its own, so nothing here is reset. `machine.log_lock` guards
 * the log; the rest belongs to the test's main thread until it starts others.
 */
#ifndef DOCUMENT_MACHINE_H
#define DOCUMENT_MACHINE_H

#include "mptest.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/device.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <memplug/memplug.h>

#define BLOCK_BYTES (8UL << 20)
#define BLOCK_PAGES (BLOCK_BYTES >> PAGE_SHIFT)
#define HOT (8UL << 30)
#define HOT_PFN (HOT >> PAGE_SHIFT)
#define HOT_BLOCK ((long)(HOT / BLOCK_BYTES))
#define NODE 1

#define MOVABLE (GFP_HIGHUSER_MOVABLE | __GFP_THISNODE)
#define KERNEL (GFP_KERNEL | __GFP_THISNODE)

/* Gives way until the condition holds; mptest watches the clock. */
#define AWAIT(condition)                                                                           \
	do {                                                                                       \
		while (!(condition))                                                               \
			sched_yield();                                                             \
	} while (0)

static struct {
	pthread_mutex_t log_lock;
	char log[8192];
	char uevents[8192];
} machine = { .log_lock = PTHREAD_MUTEX_INITIALIZER };

static __maybe_unused void machine_boot(const char *more)
{
	static const char text[] = "block = 8M\n"
				   "max_phys = 64G\n"
				   "overcommit = yes\n"
				   "node 0\n"
				   "node 1\n"
				   "node 2\n"
				   "cpu 0 node 0\n"
				   "ram 4G 256M node 0\n";
	struct mp_desc *desc = mp_desc_new();

	CHECK(desc);
	if (mp_desc_parse(desc, text, "machine.h") < 0)
		FAIL("%s", mp_desc_error(desc));
	if (more && mp_desc_parse(desc, more, "test") < 0)
		FAIL("%s", mp_desc_error(desc));
	CHECK_EQ(mp_boot(desc), 0);
	mp_desc_free(desc);
}

static __maybe_unused void complain(const char *text, void *arg)
{
	printf("# mp_check: %s\n", text);
}

/* Nothing of the machine contradicts itself. */
static __maybe_unused void machine_check(void)
{
	CHECK_EQ(mp_check(complain, NULL), 0);
}

static __maybe_unused void hot_add(int nid, int first, int count)
{
	CHECK_EQ(add_memory(nid, HOT + first * BLOCK_BYTES, count * BLOCK_BYTES, MHP_NONE), 0);
}

static __maybe_unused int hot_remove(int first, int count)
{
	return remove_memory(HOT + first * BLOCK_BYTES, count * BLOCK_BYTES);
}

static __maybe_unused void hot_path(char *path, size_t size, int block, const char *file)
{
	snprintf(path, size, "/sys/devices/system/memory/memory%ld/%s", HOT_BLOCK + block, file);
}

/* echo TEXT > memoryN/state: 0 or -errno. */
static __maybe_unused int set_state(int block, const char *text)
{
	char path[128];

	hot_path(path, sizeof(path), block, "state");
	return mp_write_string(path, text);
}

/* A file of the tree without its newline; lives until the next call of the thread. */
static __maybe_unused const char *read_text(const char *path)
{
	static __thread char text[MP_ATTR_SIZE + 1];
	ssize_t len = mp_read(path, text, MP_ATTR_SIZE);

	if (len < 0) {
		snprintf(text, sizeof(text), "error %zd", len);
		return text;
	}
	text[len] = '\0';
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

static __maybe_unused const char *read_block(int block, const char *file)
{
	char path[128];

	hot_path(path, sizeof(path), block, file);
	return read_text(path);
}

static __maybe_unused bool in_block(const struct page *page, int block)
{
	return page_to_pfn(page) / BLOCK_PAGES == (unsigned long)(HOT_BLOCK + block);
}

/* The block's device with a reference. */
static __maybe_unused struct memory_block *hot_block(int block)
{
	struct memory_block *mem;

	lock_device_hotplug();
	mem = find_memory_block(pfn_to_section_nr(HOT_PFN + block * BLOCK_PAGES));
	unlock_device_hotplug();
	CHECK(mem);
	return mem;
}

/* ---- what happened, as text: "A:GOING_ONLINE A:ONLINE" ---- */

static __maybe_unused void note(const char *who, const char *what)
{
	size_t used;

	pthread_mutex_lock(&machine.log_lock);
	used = strlen(machine.log);
	snprintf(machine.log + used, sizeof(machine.log) - used, "%s%s:%s", used ? " " : "", who,
		 what);
	pthread_mutex_unlock(&machine.log_lock);
}

/* The text since the last call. */
static __maybe_unused const char *heard(void)
{
	static char text[sizeof(machine.log)];

	pthread_mutex_lock(&machine.log_lock);
	memcpy(text, machine.log, sizeof(text));
	machine.log[0] = '\0';
	pthread_mutex_unlock(&machine.log_lock);
	return text;
}

struct listener {
	struct notifier_block nb;
	const char *name;
	/* What it answers to `answer_to`; NOTIFY_OK to everything else. */
	unsigned long answer_to;
	int answer;
	/* Called before it answers; may be NULL. */
	void (*hook)(struct listener *me, unsigned long action, struct memory_notify *arg);
	/* What it heard last. */
	unsigned long action;
	struct memory_notify payload;
	void *arg;
	int calls;
};

static __maybe_unused int listener_call(struct notifier_block *self, unsigned long action,
					void *arg)
{
	struct listener *me = container_of(self, struct listener, nb);

	note(me->name, mp_event_name(action) + strlen("MEM_"));
	me->action = action;
	me->payload = *(struct memory_notify *)arg;
	me->arg = arg;
	me->calls++;
	if (me->hook)
		me->hook(me, action, arg);
	return action == me->answer_to ? me->answer : NOTIFY_OK;
}

static __maybe_unused void listen_as(struct listener *me, const char *name, int priority)
{
	me->nb.notifier_call = listener_call;
	me->nb.priority = priority;
	me->name = name;
	CHECK_EQ(register_memory_notifier(&me->nb), 0);
}

static __maybe_unused void on_uevent(const char *text, size_t size, void *arg)
{
	const char *base = strrchr(text, '/');
	size_t used;

	pthread_mutex_lock(&machine.log_lock);
	used = strlen(machine.uevents);
	snprintf(machine.uevents + used, sizeof(machine.uevents) - used, "%s%.*s@%s",
		 used ? " " : "", (int)strcspn(text, "@"), text, base ? base + 1 : "?");
	pthread_mutex_unlock(&machine.log_lock);
}

/* "online@memory1024 ..." since the last call. */
static __maybe_unused const char *uevents(void)
{
	static char text[sizeof(machine.uevents)];

	pthread_mutex_lock(&machine.log_lock);
	memcpy(text, machine.uevents, sizeof(text));
	machine.uevents[0] = '\0';
	pthread_mutex_unlock(&machine.log_lock);
	return text;
}

/* ---- memory that is really written ---- */

static __maybe_unused void fill(struct page *page, unsigned long seed)
{
	unsigned long *word = page_address(page);

	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		word[i] = seed * 0x9e3779b97f4a7c15UL + i;
}

static __maybe_unused bool holds(struct page *page, unsigned long seed)
{
	const unsigned long *word = page_address(page);

	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		if (word[i] != seed * 0x9e3779b97f4a7c15UL + i)
			return false;
	return true;
}

static __maybe_unused bool is_zero(struct page *page)
{
	const unsigned long *word = page_address(page);

	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		if (word[i])
			return false;
	return true;
}

/* A page whose owner lets it move: `page` is where it lives now. */
struct moving {
	struct page *page;
	unsigned long moves;
};

static bool moving_isolate(struct page *page, isolate_mode_t mode)
{
	return true;
}

static int moving_migrate(struct page *dst, struct page *src, enum migrate_mode mode);

static void moving_putback(struct page *page)
{
}

static const struct movable_operations moving_ops = {
	.isolate_page = moving_isolate,
	.migrate_page = moving_migrate,
	.putback_page = moving_putback,
};

static int moving_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	struct moving *me = (struct moving *)page_private(src);

	memcpy(page_address(dst), page_address(src), PAGE_SIZE);
	get_page(dst);
	set_page_private(dst, (unsigned long)me);
	__SetPageMovable(dst, &moving_ops);
	__ClearPageMovable(src);
	set_page_private(src, 0);
	me->page = dst;
	me->moves++;
	put_page(src);
	return MIGRATEPAGE_SUCCESS;
}

/* Takes a page of the node that can move; false when there is none. */
static __maybe_unused bool moving_take(struct moving *me, int nid)
{
	struct page *page = alloc_pages_node(nid, MOVABLE, 0);

	if (!page)
		return false;
	me->page = page;
	lock_page(page);
	set_page_private(page, (unsigned long)me);
	__SetPageMovable(page, &moving_ops);
	unlock_page(page);
	return true;
}

static __maybe_unused void moving_free(struct moving *me)
{
	struct page *page = me->page;

	lock_page(page);
	__ClearPageMovable(page);
	unlock_page(page);
	__free_page(page);
}

/* ---- threads ---- */

struct worker {
	pthread_t thread;
	long (*run)(void *arg);
	void *arg;
	int tid;
	int done;
	long result;
};

static void *worker_main(void *arg)
{
	struct worker *me = arg;

	__atomic_store_n(&me->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	me->result = me->run(me->arg);
	/* Read by worker_done(). */
	__atomic_store_n(&me->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static __maybe_unused void worker_start(struct worker *me, long (*run)(void *arg), void *arg)
{
	*me = (struct worker){ .run = run, .arg = arg };
	CHECK_EQ(pthread_create(&me->thread, NULL, worker_main, me), 0);
}

static __maybe_unused bool worker_done(struct worker *me)
{
	return __atomic_load_n(&me->done, __ATOMIC_ACQUIRE);
}

static __maybe_unused long worker_join(struct worker *me)
{
	CHECK_EQ(pthread_join(me->thread, NULL), 0);
	return me->result;
}

static bool worker_sleeps(struct worker *me)
{
	char path[64], text[256] = "", *state;
	int tid = __atomic_load_n(&me->tid, __ATOMIC_ACQUIRE);
	int fd;

	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	state = strrchr(text, ')');
	return state && state[1] == ' ' && state[2] == 'S';
}

/* Until the thread sleeps; it must not have come to its end. */
static __maybe_unused void worker_await_sleep(struct worker *me)
{
	AWAIT(worker_done(me) || worker_sleeps(me));
	CHECK(!worker_done(me));
}

/* For workers: writes to the state of a block. */
struct state_write {
	int block;
	const char *text;
};

static __maybe_unused long write_state(void *arg)
{
	const struct state_write *what = arg;

	return set_state(what->block, what->text);
}

#endif
