/* SPDX-License-Identifier: MIT */
/*
 * jemalloc behind the program's malloc(). Its automatic arena keeps plain
 * memory: it serves the machine's threads and whatever comes before main().
 * The program's threads get arenas whose extents lie in the region; what
 * jemalloc itself keeps of them stays plain, so that none of its locks ever
 * waits for a page that moves. front.lock guards the making of arenas.
 */
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <jemalloc/jemalloc.h>

#include <memplug/runtime.h>

#define PLAIN (MALLOCX_ARENA(0) | MALLOCX_TCACHE_NONE)
#define MAX_ARENAS 64u
#define MAX_FORKS 16u

/*
 * One automatic arena, and no arena of its own for what is large: all of the
 * program's must lie in the region. What is unused stays reserved addresses.
 */
EXPORT const char *malloc_conf =
	"narenas:1,oversize_threshold:0,retain:true,background_thread:false,percpu_arena:disabled";

__thread enum thread_kind thread_kind INITIAL_EXEC;
struct front front;

static struct {
	pthread_mutex_t lock;
	void *jemalloc; /* dlopen() of it */
	bool started; /* atomic */
	unsigned int nr, next; /* arenas wanted; next: atomic */
	unsigned int arena[MAX_ARENAS]; /* atomic; 0: not made */
	unsigned int nr_forks;
	struct fork_handlers {
		void (*prepare)(void), (*parent)(void), (*child)(void);
	} forks[MAX_FORKS];
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- jemalloc's own functions of these names ---- */

static void *find(const char *name)
{
	void *symbol = dlsym(state.jemalloc, name);

	if (!symbol) {
		say("libjemalloc has no %s", name);
		_exit(125);
	}
	return symbol;
}

/* Its extensions have names that nobody else has: they do until the others are found. */
static void *early_malloc(size_t size)
{
	return mallocx(size ? size : 1, PLAIN);
}

static void *early_calloc(size_t n, size_t size)
{
	size_t bytes = n * size; /* of the dynamic linker's few: no overflow */

	return mallocx(bytes ? bytes : 1, PLAIN | MALLOCX_ZERO);
}

static void *early_realloc(void *p, size_t size)
{
	return p ? rallocx(p, size ? size : 1, PLAIN) : early_malloc(size);
}

static void early_free(void *p)
{
	if (p)
		dallocx(p, PLAIN);
}

static const struct front early = { .malloc = early_malloc, .calloc = early_calloc,
				    .realloc = early_realloc, .free = early_free };

void front_find(void)
{
	Dl_info info;

	front = early; /* for dlopen() itself */
	if (dladdr((void *)mallocx, &info))
		state.jemalloc = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (!state.jemalloc) {
		say("libjemalloc cannot be found");
		_exit(125);
	}
	front.calloc = find("calloc");
	front.realloc = find("realloc");
	front.free = find("free");
	front.posix_memalign = find("posix_memalign");
	front.aligned_alloc = find("aligned_alloc");
	front.memalign = find("memalign");
	front.malloc_usable_size = find("malloc_usable_size");
	front.malloc = find("malloc"); /* last: it says that all are there */
}

void *front_plain(size_t size)
{
	void *p = mallocx(size ? size : 1, PLAIN | MALLOCX_ZERO);

	if (!p)
		errno = ENOMEM;
	return p;
}

void front_plain_free(void *p)
{
	if (p)
		dallocx(p, MALLOCX_TCACHE_NONE);
}

/* ---- where its extents come from ---- */

static void *extent_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t alignment, bool *zero,
			  bool *commit, unsigned int arena)
{
	void *p = at ? NULL : region_reserve(size, alignment);

	(void)hooks, (void)arena;
	if (!p)
		return NULL;
	*zero = true;
	if (*commit && region_commit(p, size))
		return NULL;
	return p;
}

static bool extent_dalloc(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
			  unsigned int arena)
{
	(void)hooks, (void)addr, (void)size, (void)committed, (void)arena;
	return true; /* the addresses stay its own */
}

static bool extent_commit(extent_hooks_t *hooks, void *addr, size_t size, size_t offset, size_t length,
			  unsigned int arena)
{
	(void)hooks, (void)size, (void)arena;
	return region_commit((char *)addr + offset, length);
}

static bool extent_decommit(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
			    size_t length, unsigned int arena)
{
	(void)hooks, (void)size, (void)arena;
	region_decommit((char *)addr + offset, length);
	return false;
}

static bool extent_split(extent_hooks_t *hooks, void *addr, size_t size, size_t a, size_t b,
			 bool committed, unsigned int arena)
{
	(void)hooks, (void)addr, (void)size, (void)a, (void)b, (void)committed, (void)arena;
	return false;
}

static bool extent_merge(extent_hooks_t *hooks, void *a, size_t size_a, void *b, size_t size_b,
			 bool committed, unsigned int arena)
{
	(void)hooks, (void)a, (void)size_a, (void)b, (void)size_b, (void)committed, (void)arena;
	return false;
}

static extent_hooks_t extent_hooks = {
	.alloc = extent_alloc, .dalloc = extent_dalloc, .commit = extent_commit,
	.decommit = extent_decommit, .split = extent_split, .merge = extent_merge,
};

/* ---- arenas, one for several threads ---- */

static unsigned int make_arena(void)
{
	/* Of "experimental.arenas_create_ext", which its header does not declare. */
	struct {
		extent_hooks_t *hooks;
		bool metadata_use_hooks;
	} with = { &extent_hooks, false };
	unsigned int arena = 0;
	size_t size = sizeof(arena);

	if (mallctl("experimental.arenas_create_ext", &arena, &size, &with, sizeof(with)))
		return 0;
	return arena;
}

static unsigned int arena_of(unsigned int slot)
{
	unsigned int arena = __atomic_load_n(&state.arena[slot], __ATOMIC_ACQUIRE);

	if (arena)
		return arena;
	pthread_mutex_lock(&state.lock);
	arena = state.arena[slot];
	if (!arena) {
		arena = make_arena();
		__atomic_store_n(&state.arena[slot], arena, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&state.lock);
	return arena;
}

void front_thread(void)
{
	unsigned int arena;
	int before = errno;

	if (!__atomic_load_n(&state.started, __ATOMIC_ACQUIRE))
		return;
	if (mp_service_thread()) {
		thread_kind = THREAD_SERVICE;
		return;
	}
	thread_kind = THREAD_SERVICE; /* what this allocates itself is plain */
	arena = arena_of(__atomic_fetch_add(&state.next, 1, __ATOMIC_RELAXED) % state.nr);
	if (!arena || mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena)))
		say("a thread gets no arena: its memory is plain");
	thread_kind = THREAD_PROGRAM;
	errno = before;
}

void front_start(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	state.nr = cpus < 1 ? 1 : cpus * 2 > MAX_ARENAS ? MAX_ARENAS : (unsigned int)cpus * 2;
	__atomic_store_n(&state.started, true, __ATOMIC_RELEASE);
}

void front_purge(void)
{
	int before = errno;
	char name[32];

	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	snprintf(name, sizeof(name), "arena.%u.purge", MALLCTL_ARENAS_ALL);
	mallctl(name, NULL, NULL, NULL, 0);
	errno = before;
}

/* ---- fork ---- */

/*
 * Before fork() jemalloc must be locked first and the machine's library behind it, as an
 * extent hook takes the two; and in the child jemalloc must be usable before the library
 * drops what its machine had. No order of registration gives both, so the handlers of the
 * two are kept here, and front_forks() registers one for all.
 */
static bool is_ours(void (*handler)(void))
{
	void *const ours[] = { (void *)mallocx, (void *)mp_may_plug };
	Dl_info one, other;

	if (!handler || !dladdr((void *)handler, &one))
		return false;
	for (unsigned int i = 0; i < 2; i++)
		if (dladdr(ours[i], &other) && one.dli_fbase == other.dli_fbase)
			return true;
	return false;
}

static bool is_jemalloc(const struct fork_handlers *handlers)
{
	Dl_info one, other;

	return dladdr((void *)(handlers->child ? handlers->child : handlers->prepare), &one) &&
	       dladdr((void *)mallocx, &other) && one.dli_fbase == other.dli_fbase;
}

int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *object);
EXPORT int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
			     void *object)
{
	static int (*next)(void (*)(void), void (*)(void), void (*)(void), void *);
	struct fork_handlers handlers = { prepare, parent, child };

	if (state.nr_forks < MAX_FORKS && (is_ours(prepare) || is_ours(child))) {
		/* jemalloc's at the front: it asks once, whenever it is first used. */
		if (is_jemalloc(&handlers)) {
			memmove(state.forks + 1, state.forks, state.nr_forks * sizeof(handlers));
			state.forks[0] = handlers;
		} else {
			state.forks[state.nr_forks] = handlers;
		}
		state.nr_forks++;
		return 0;
	}
	if (!next)
		next = dlsym(RTLD_NEXT, "__register_atfork");
	return next ? next(prepare, parent, child, object) : ENOSYS;
}

/* jemalloc, then the library's, the latest first. */
static void before_fork(void)
{
	unsigned int i;

	pthread_mutex_lock(&state.lock);
	if (state.nr_forks && state.forks[0].prepare)
		state.forks[0].prepare();
	pins_before_fork();
	for (i = state.nr_forks; i-- > 1;)
		if (state.forks[i].prepare)
			state.forks[i].prepare();
}

static void after_fork(void)
{
	unsigned int i;

	for (i = 1; i < state.nr_forks; i++)
		if (state.forks[i].parent)
			state.forks[i].parent();
	pins_after_fork();
	if (state.nr_forks && state.forks[0].parent)
		state.forks[0].parent();
	pthread_mutex_unlock(&state.lock);
}

static void in_child(void)
{
	unsigned int i;

	pins_in_child();
	for (i = 0; i < state.nr_forks; i++)
		if (state.forks[i].child)
			state.forks[i].child();
	pthread_mutex_init(&state.lock, NULL);
	region_in_child();
	machine_in_child();
	policy_in_child();
}

void front_forks(void)
{
	pthread_atfork(before_fork, after_fork, in_child);
}
