/* SPDX-License-Identifier: MIT */
/*
 * An unmodified program for `memplug run`: it knows nothing of memplug, uses malloc() and its relatives,
 * threads, fork(), and checks what it keeps. `run_guest WHAT`: prints "fine", or what is wrong.
 */
#include "records.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- threads: until standard input ends ---- */

#define THREADS 3
#define KEPT 12000

static bool stop; /* atomic */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct record *shared[64];
static uint64_t rounds; /* atomic */

static void exchange(uint64_t *state)
{
	size_t slot = (*state = mix(*state)) % 64;
	struct record *mine = make(*state | 1);

	NEED(mine);
	pthread_mutex_lock(&lock);
	struct record *other = shared[slot];
	shared[slot] = mine;
	pthread_mutex_unlock(&lock);
	if (other) {
		check(other, other->seed);
		free(other);
	}
}

static void *worker(void *arg)
{
	uint64_t state = (uintptr_t)arg * 7919 + 1;
	struct record **kept = calloc(KEPT, sizeof(*kept));
	uint64_t *seeds = calloc(KEPT, sizeof(*seeds));

	NEED(kept && seeds);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		size_t i = (state = mix(state + 1)) % KEPT;

		if (kept[i]) {
			check(kept[i], seeds[i]);
			free(kept[i]);
		}
		seeds[i] = state;
		kept[i] = make(state);
		NEED(kept[i]);
		exchange(&state);
		__atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
	}
	for (size_t i = 0; i < KEPT; i++)
		if (kept[i])
			check(kept[i], seeds[i]);
	return NULL;
}

/* Writes all of a few granules over and over, and finds each word as it left it: a write that is lost is seen at once. */
static void *sweep(void *arg)
{
	enum { AREAS = 8, WORDS = 65536 / 8 };
	volatile uint64_t *area[AREAS];
	uint64_t round;

	(void)arg;
	for (size_t a = 0; a < AREAS; a++)
		NEED((area[a] = calloc(WORDS, 8)));
	for (round = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); round++)
		for (size_t a = 0; a < AREAS; a++)
			for (size_t i = 0; i < WORDS; i++) {
				NEED(area[a][i] == round);
				area[a][i] = round + 1;
			}
	return NULL;
}

/* System calls into memory that moves: what a pipe carries must arrive. */
static void *pipes(void *arg)
{
	uint64_t *out = malloc(MIB / 4), *in = malloc(MIB / 4), state = 3;
	int fd[2];

	(void)arg;
	NEED(out && in && !pipe(fd));
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		size_t words = 4096 / 8;

		for (size_t i = 0; i < words; i++)
			out[i] = mix(state + i);
		NEED(write(fd[1], out, 4096) == 4096);
		NEED(read(fd[0], in, 4096) == 4096);
		NEED(!memcmp(in, out, 4096));
		state += words;
	}
	return NULL;
}

static void threads(void)
{
	pthread_t thread[THREADS + 2];

	for (uintptr_t i = 0; i < THREADS; i++)
		NEED(!pthread_create(&thread[i], NULL, worker, (void *)i));
	NEED(!pthread_create(&thread[THREADS], NULL, pipes, NULL));
	NEED(!pthread_create(&thread[THREADS + 1], NULL, sweep, NULL));
	say_ready();
	await_end();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS + 2; i++)
		pthread_join(thread[i], NULL);
	NEED(rounds > 0);
}

/* ---- malloc's relatives ---- */

static bool is_zero(const char *p, size_t size)
{
	return !p[0] && !memcmp(p, p + 1, size - 1);
}

static void family(void)
{
	static const size_t sizes[] = { 1, 15, 16, 100, 4096, 5000, 70000, 3 * MIB };
	void *p, *q;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t n = sizes[i];

		p = malloc(n);
		NEED(p && malloc_usable_size(p) >= n && !((uintptr_t)p & (n >= 16 ? 15 : 7)));
		memset(p, 7, malloc_usable_size(p));
		q = realloc(p, n * 3);
		NEED(q && ((char *)q)[0] == 7 && ((char *)q)[n - 1] == 7);
		q = reallocarray(q, n, 2);
		NEED(q && ((char *)q)[n - 1] == 7);
		free(q);
		p = calloc(n, 3);
		NEED(p && is_zero(p, 3 * n));
		memset(p, 1, 3 * n);
		free(p);
		p = calloc(n, 3); /* what was just freed */
		NEED(p && is_zero(p, 3 * n));
		free(p);
		for (size_t a = sizeof(void *); a <= 4 * MIB; a *= 8) {
			NEED(!posix_memalign(&p, a, n) && !((uintptr_t)p & (a - 1)));
			memset(p, 1, n);
			free(p);
			p = aligned_alloc(a, (n + a - 1) / a * a);
			NEED(p && !((uintptr_t)p & (a - 1)));
			free(p);
			p = memalign(a, n);
			NEED(p && !((uintptr_t)p & (a - 1)));
			free(p);
		}
	}
	p = valloc(10);
	NEED(p && !((uintptr_t)p & 4095));
	free(p);
	p = pvalloc(4097);
	NEED(p && !((uintptr_t)p & 4095) && malloc_usable_size(p) >= 8192);
	free(p);
	NEED(posix_memalign(&p, 3, 8) == EINVAL);
	errno = 0;
	volatile size_t huge = SIZE_MAX / 2;
	NEED(!malloc(huge) && errno == ENOMEM);
	errno = 0;
	NEED(!calloc(huge, 3) && errno == ENOMEM);
	errno = 0;
	NEED(!reallocarray(NULL, huge, 3) && errno == ENOMEM);
	p = malloc(0);
	free(p);
	free(NULL);
	p = realloc(NULL, 10);
	NEED(p);
	free(p);
	malloc_trim(0);
}

/* ---- fork, exec, spawn ---- */

/* The child sees what was there at fork, whatever the parent does, and has memory of its own. */
static void child(int go)
{
	char byte;

	check_many();
	NEED(read(go, &byte, 1) == 1);
	check_many();
	for (uint64_t i = 0; i < MANY; i += 2) {
		free(many[i]);
		many[i] = make(i);
		NEED(many[i]);
	}
	check_many();
	if (fork() == 0) {
		check_many();
		_exit(0);
	}
	int status;
	NEED(wait(&status) > 0 && !status);
	_exit(0);
}

static void forks(void)
{
	int go[2], status;

	for (uint64_t i = 0; i < MANY; i++)
		NEED(many[i] = make(i));
	for (int round = 0; round < 4; round++) {
		NEED(!pipe(go));
		pid_t pid = fork();

		if (!pid)
			child(go[0]);
		NEED(pid > 0);
		/* Writes that the child must not see, then memory that comes and goes. */
		for (int i = 0; i < MANY; i++)
			many[i]->word[0] ^= ~0ULL;
		for (uint64_t i = 1; i < MANY; i += 2) {
			free(many[i]);
			NEED(many[i] = make(i));
			many[i]->word[0] ^= ~0ULL;
		}
		NEED(write(go[1], "g", 1) == 1);
		NEED(waitpid(pid, &status, 0) == pid);
		NEED(status == 0);
		for (int i = 0; i < MANY; i++)
			many[i]->word[0] ^= ~0ULL;
		check_many();
		close(go[0]);
		close(go[1]);
	}
}

static void starts(const char *self)
{
	extern char **environ;
	char *argv[] = { (char *)self, (char *)"family", NULL };
	int status;
	pid_t pid;

	NEED(!posix_spawn(&pid, self, NULL, NULL, argv, environ));
	NEED(waitpid(pid, &status, 0) == pid && !status);
	pid = vfork();
	if (!pid) {
		execv(self, argv);
		_exit(9);
	}
	NEED(pid > 0 && waitpid(pid, &status, 0) == pid && !status);
	NEED(!system("exit 0"));
	FILE *pipe = popen("echo hello", "r");
	char line[16] = "";
	NEED(pipe && fgets(line, sizeof(line), pipe) && !strcmp(line, "hello\n"));
	pclose(pipe);
}

/* The parent goes; the child lives on, needs memory, and says who it is. Ends when standard input does. */
static void becomes_daemon(void)
{
	void *p;

	if (fork())
		_exit(0);
	setsid();
	p = malloc(24 * MIB);
	NEED(p);
	memset(p, 5, 24 * MIB);
	printf("pid %d\n", (int)getpid());
	fflush(stdout);
	await_end();
	for (size_t i = 0; i < 24 * MIB; i++)
		NEED(((char *)p)[i] == 5);
}

/* Closes all that it did not open, in every way, and goes on. */
static void closes(void)
{
	int top = (int)sysconf(_SC_OPEN_MAX);

	for (uint64_t i = 0; i < MANY; i++)
		NEED(many[i] = make(i));
	for (int fd = 3; fd < top && fd < 1 << 20; fd++)
		close(fd);
	NEED(open("/dev/null", O_RDONLY) == 3);
	NEED(!close_range(3, ~0U, 0));
	closefrom(3);
	NEED(open("/dev/null", O_RDONLY) == 3);
	NEED(dup2(3, 5) == 5 && dup2(5, 5) == 5 && dup2(99, 4) == -1 && errno == EBADF);
	check_many();
	for (uint64_t i = 0; i < MANY; i++) {
		free(many[i]);
		NEED(many[i] = make(i));
	}
	check_many();
	say_ready();
	await_end();
	check_many();
}

/* ---- numbers: what is opened gets the lowest that the program has free, and nobody else has any ---- */

#define OWN 200 /* the program's ways out, where nothing it opens comes to lie */

static void nothing_else_is_open(unsigned int below)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");

	NEED(dir);
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		NEED(fd < (int)below || fd == OWN || fd == OWN + 1 || fd == dirfd(dir));
	}
	closedir(dir);
}

static void *allocates(void *arg)
{
	uint64_t state = 7;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		char *p = malloc(4 * MIB);

		NEED(p);
		memset(p, (int)(state = mix(state)), 4 * MIB);
		free(p);
		malloc_trim(0);
	}
	return NULL;
}

static void in_a_child(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		nothing_else_is_open(3);
		_exit(0);
	}
	NEED(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* Closes 0, 1 and 2 and opens them again, all the time. */
static void numbers(void)
{
	struct pollfd end = { .fd = OWN, .events = POLLIN };
	pthread_t thread;
	int ends[2];

	NEED(!close_range(3, ~0U, 0)); /* whatever it was started with */
	NEED(dup2(0, OWN) == OWN && dup2(1, OWN + 1) == OWN + 1);
	NEED(!pthread_create(&thread, NULL, allocates, NULL));
	words = OWN + 1;
	until = OWN;
	NEED(write(words, "ready\n", 6) == 6);
	for (unsigned int round = 0; !poll(&end, 1, 0); round++) {
		NEED(!close(0) && !close(1) && !close(2));
		NEED(open("/dev/null", O_RDWR) == 0);
		NEED(socket(AF_UNIX, SOCK_STREAM, 0) == 1);
		NEED(dup(0) == 2);
		NEED(!pipe(ends) && ends[0] == 3 && ends[1] == 4);
		NEED(!close(4) && !close(3));
		if (round % 512 == 0)
			nothing_else_is_open(3);
		/* Now and then, and not for ever: while a child lives no block leaves. */
		if (round % 4096 == 0 && round <= 16 * 4096)
			in_a_child();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	NEED(dup2(words, 1) == 1);
}

static struct record **fill(size_t mib, size_t *n)
{
	struct record **list = malloc(mib * MIB / 64 * sizeof(*list) / 4);
	size_t bytes = 0;

	NEED(list);
	for (*n = 0; bytes < mib * MIB; ++*n) {
		NEED(list[*n] = make(*n));
		bytes += malloc_usable_size(list[*n]);
	}
	return list;
}

/* Holds as much as is said, until standard input ends. */
static void holds(size_t mib)
{
	size_t n;
	struct record **list = fill(mib, &n);

	say_ready();
	await_end();
	for (size_t i = 0; i < n; i++)
		check(list[i], i);
}

/* Takes that much and frees it again. */
static void breathes(size_t mib)
{
	size_t n;
	struct record **list = fill(mib, &n);

	while (n-- > 0) {
		check(list[n], n);
		free(list[n]);
	}
	say_ready();
	await_end();
	free(list);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	size_t number = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (!strcmp(what, "threads"))
		threads();
	else if (!strcmp(what, "family"))
		family();
	else if (!strcmp(what, "forks"))
		forks();
	else if (!strcmp(what, "starts"))
		starts(argv[0]);
	else if (!strcmp(what, "daemon"))
		becomes_daemon();
	else if (!strcmp(what, "closes"))
		closes();
	else if (!strcmp(what, "numbers"))
		numbers();
	else if (!strcmp(what, "breathes"))
		breathes(number);
	else if (!strcmp(what, "holds"))
		holds(number);
	else
		die("no such thing", 0);
	puts("fine");
	return 0;
}
