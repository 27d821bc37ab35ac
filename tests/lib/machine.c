/* SPDX-License-Identifier: MIT */
/* The tools of machine.h. `logs.lock` guards all text; a listener belongs to whoever notifies it. */
#include "machine.h"

#include <sys/syscall.h>

static struct {
	pthread_mutex_t lock;
	char events[1 << 20];
	char uevents[1 << 20];
	bool warnings_allowed, fatal_allowed;
	int warnings, fatals;
	char warning_text[1024], fatal_text[1024];
} logs = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- complaints ---- */

static void on_warning(const char *text, void *arg)
{
	if (!__atomic_load_n(&logs.warnings_allowed, __ATOMIC_RELAXED))
		FAIL("unexpected warning: %s", text);
	pthread_mutex_lock(&logs.lock);
	logs.warnings++;
	snprintf(logs.warning_text, sizeof(logs.warning_text), "%s", text);
	pthread_mutex_unlock(&logs.lock);
}

static void on_fatal(const char *text, void *arg)
{
	if (!__atomic_load_n(&logs.fatal_allowed, __ATOMIC_RELAXED))
		FAIL("unexpected fatal error: %s", text);
	pthread_mutex_lock(&logs.lock);
	logs.fatals++;
	snprintf(logs.fatal_text, sizeof(logs.fatal_text), "%s", text);
	pthread_mutex_unlock(&logs.lock);
}

static void on_log(int level, const char *text, void *arg)
{
	if (getenv("MPTEST_LOG"))
		printf("# log %d: %s\n", level, text);
}

/* Children of tests with threads log too. */
static void lock_logs(void)
{
	pthread_mutex_lock(&logs.lock);
}

static void unlock_logs(void)
{
	pthread_mutex_unlock(&logs.lock);
}

__attribute__((constructor)) static void set_hooks(void)
{
	pthread_atfork(lock_logs, unlock_logs, unlock_logs);
	mp_set_warn_hook(on_warning, NULL);
	mp_set_fatal_hook(on_fatal, NULL);
	mp_set_log_hook(on_log, NULL);
}

void allow_warnings(void)
{
	__atomic_store_n(&logs.warnings_allowed, true, __ATOMIC_RELAXED);
}

void allow_fatal(void)
{
	__atomic_store_n(&logs.fatal_allowed, true, __ATOMIC_RELAXED);
}

static int count_of(const int *counter)
{
	int count;

	pthread_mutex_lock(&logs.lock);
	count = *counter;
	pthread_mutex_unlock(&logs.lock);
	return count;
}

int warnings(void)
{
	return count_of(&logs.warnings);
}

int fatals(void)
{
	return count_of(&logs.fatals);
}

const char *warning_text(void)
{
	return logs.warning_text;
}

const char *fatal_text(void)
{
	return logs.fatal_text;
}

/* ---- text that is collected and taken ---- */

static void append(char *log, size_t size, const char *first, const char *between,
		   const char *second)
{
	size_t used;

	pthread_mutex_lock(&logs.lock);
	used = strlen(log);
	if (used + strlen(first) + strlen(second) + 3 > size)
		FAIL("a log of %zu bytes is full", size);
	snprintf(log + used, size - used, "%s%s%s%s", used ? " " : "", first, between, second);
	pthread_mutex_unlock(&logs.lock);
}

static const char *take(char *log, char *copy, size_t size)
{
	pthread_mutex_lock(&logs.lock);
	memcpy(copy, log, size);
	log[0] = '\0';
	pthread_mutex_unlock(&logs.lock);
	return copy;
}

void note(const char *who, const char *what)
{
	append(logs.events, sizeof(logs.events), who, ":", what);
}

const char *heard(void)
{
	static char copy[sizeof(logs.events)];

	return take(logs.events, copy, sizeof(copy));
}

const char *uevents(void)
{
	static char copy[sizeof(logs.uevents)];

	return take(logs.uevents, copy, sizeof(copy));
}

static void on_uevent(const char *text, size_t size, void *arg)
{
	const char *name = strrchr(text, '/');
	char action[32];

	snprintf(action, sizeof(action), "%.*s", (int)strcspn(text, "@"), text);
	append(logs.uevents, sizeof(logs.uevents), action, "@", name ? name + 1 : "?");
}

/* ---- the machine ---- */

static void boot(const char *text, const char *more)
{
	struct mp_desc *desc = mp_desc_new();
	struct mp_reason reason;

	CHECK(desc);
	if (mp_desc_parse(desc, text, "machine.c") < 0)
		FAIL("%s", mp_desc_error(desc));
	if (more && mp_desc_parse(desc, more, "test") < 0)
		FAIL("%s", mp_desc_error(desc));
	if (mp_boot(desc))
		FAIL("boot: %s", mp_last_reason(&reason) ? "no reason" : reason.text);
	mp_desc_free(desc);
	/* A second boot of one test finds the listener there. */
	mp_uevent_unlisten(on_uevent, NULL);
	CHECK_EQ(mp_uevent_listen(on_uevent, NULL), 0);
}

void machine_boot(const char *more)
{
	boot("max_phys = 64G\n"
	     "overcommit = yes\n"
	     "node 0\n"
	     "node 1\n"
	     "node 2\n"
	     "node 3\n"
	     "cpu 0 node 0\n"
	     "ram 0 384M node 0\n", more);
}

void machine_boot_text(const char *text)
{
	boot(text, NULL);
}

static void say(const char *text, void *arg)
{
	printf("# mp_check: %s\n", text);
	fflush(stdout);
}

void machine_check(void)
{
	CHECK_EQ(mp_check(say, NULL), 0);
}

/* ---- blocks ---- */

void add_blocks(int nid, long first, int count)
{
	struct mp_reason reason;
	int ret = add_memory(nid, (u64)first * BLOCK_BYTES, (u64)count * BLOCK_BYTES, MHP_NONE);

	if (ret)
		FAIL("add of memory%ld+%d: error %d: %s", first, count, ret,
		     mp_last_reason(&reason) ? "no reason" : reason.text);
}

int remove_blocks(long first, int count)
{
	return remove_memory((u64)first * BLOCK_BYTES, (u64)count * BLOCK_BYTES);
}

static void block_path(char *path, size_t size, long block, const char *file)
{
	snprintf(path, size, "/sys/devices/system/memory/memory%ld/%s", block, file);
}

int write_block(long block, const char *file, const char *text)
{
	char path[128];

	block_path(path, sizeof(path), block, file);
	return mp_write_string(path, text);
}

int set_state(long block, const char *text)
{
	return write_block(block, "state", text);
}

const char *read_file(const char *path)
{
	static __thread char text[65536];
	ssize_t len = mp_read(path, text, sizeof(text) - 1);

	if (len < 0) {
		snprintf(text, sizeof(text), "error %zd", len);
		return text;
	}
	text[len] = '\0';
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return text;
}

const char *read_block(long block, const char *file)
{
	char path[128];

	block_path(path, sizeof(path), block, file);
	return read_file(path);
}

struct memory_block *get_block(long block)
{
	struct memory_block *mem;

	lock_device_hotplug();
	mem = find_memory_block(pfn_to_section_nr(block_pfn(block)));
	unlock_device_hotplug();
	if (!mem)
		FAIL("memory%ld does not exist", block);
	return mem;
}

bool in_block(const struct page *page, long block)
{
	return page_to_pfn(page) / BLOCK_PAGES == (unsigned long)block;
}

struct zone *zone_of(int nid, enum zone_type type)
{
	return &NODE_DATA(nid)->node_zones[type];
}

unsigned long present_pages(void)
{
	unsigned long sum = 0;
	int nid, i;

	get_online_mems();
	for_each_node(nid)
		for (i = 0; i < MAX_NR_ZONES; i++)
			sum += zone_of(nid, i)->present_pages;
	put_online_mems();
	return sum;
}

/* ---- listeners ---- */

static int listener_call(struct notifier_block *nb, unsigned long action, void *arg)
{
	struct listener *me = container_of(nb, struct listener, nb);

	note(me->name, mp_event_name(action) + strlen("MEM_"));
	if (me->calls == MAX_SEEN)
		FAIL("%s heard more than %d events", me->name, MAX_SEEN);
	me->seen[me->calls].action = action;
	me->seen[me->calls].payload = *(struct memory_notify *)arg;
	me->seen[me->calls].arg = arg;
	me->seen[me->calls].thread = pthread_self();
	__atomic_fetch_add(&me->calls, 1, __ATOMIC_RELEASE);
	if (me->hook)
		me->hook(me, action, arg);
	return me->answers[__builtin_ctzl(action)];
}

void listen_as(struct listener *me, const char *name, int priority)
{
	me->nb.notifier_call = listener_call;
	me->nb.priority = priority;
	me->name = name;
	CHECK_EQ(register_memory_notifier(&me->nb), 0);
}

void listener_answer(struct listener *me, unsigned long action, int answer)
{
	me->answers[__builtin_ctzl(action)] = answer;
}

/* ---- pages ---- */

void fill(struct page *page, unsigned long seed)
{
	unsigned long *word = page_address(page);

	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		word[i] = seed * 0x9e3779b97f4a7c15UL + i;
}

bool holds(struct page *page, unsigned long seed)
{
	const unsigned long *word = page_address(page);

	for (unsigned long i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		if (word[i] != seed * 0x9e3779b97f4a7c15UL + i)
			return false;
	return true;
}

static bool moving_isolate(struct page *page, isolate_mode_t mode)
{
	struct moving *me = (struct moving *)page_private(page);

	return !__atomic_load_n(&me->refuse, __ATOMIC_RELAXED);
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

	pthread_mutex_lock(&me->lock);
	memcpy(page_address(dst), page_address(src), PAGE_SIZE);
	get_page(dst);
	set_page_private(dst, (unsigned long)me);
	__SetPageMovable(dst, &moving_ops);
	__ClearPageMovable(src);
	set_page_private(src, 0);
	me->page = dst;
	__atomic_fetch_add(&me->moves, 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&me->lock);
	put_page(src);
	return MIGRATEPAGE_SUCCESS;
}

bool moving_take(struct moving *me, int nid)
{
	struct page *page = alloc_pages_node(nid, MOVABLE, 0);

	if (!page)
		return false;
	pthread_mutex_init(&me->lock, NULL);
	me->moves = 0;
	me->refuse = false;
	me->page = page;
	lock_page(page);
	set_page_private(page, (unsigned long)me);
	__SetPageMovable(page, &moving_ops);
	unlock_page(page);
	return true;
}

void moving_free(struct moving *me)
{
	struct page *page = me->page;

	lock_page(page);
	__ClearPageMovable(page);
	unlock_page(page);
	__free_page(page);
	me->page = NULL;
}

struct page *stuck_take(int nid)
{
	struct page *page = alloc_pages_node(nid, MOVABLE, 0);

	CHECK(page);
	return page;
}

unsigned long take_all(int nid, gfp_t gfp, struct page **pages, unsigned long room)
{
	unsigned long count = 0;

	while (count < room && (pages[count] = alloc_pages_node(nid, gfp, 0)))
		count++;
	return count;
}

void free_all(struct page **pages, unsigned long count)
{
	while (count)
		__free_page(pages[--count]);
}

/* ---- threads ---- */

static void *worker_main(void *arg)
{
	struct worker *me = arg;

	/* Read by worker_sleeps(). */
	__atomic_store_n(&me->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	me->result = me->run(me->arg);
	/* Read by worker_done(). */
	__atomic_store_n(&me->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

void worker_start(struct worker *me, long (*run)(void *arg), void *arg)
{
	*me = (struct worker){ .run = run, .arg = arg };
	CHECK_EQ(pthread_create(&me->thread, NULL, worker_main, me), 0);
}

bool worker_done(struct worker *me)
{
	return __atomic_load_n(&me->done, __ATOMIC_ACQUIRE);
}

long worker_join(struct worker *me)
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

void worker_await_sleep(struct worker *me)
{
	AWAIT(worker_done(me) || worker_sleeps(me));
	CHECK(!worker_done(me));
}

long write_state(void *what)
{
	const struct state_write *write = what;

	return set_state(write->block, write->text);
}
