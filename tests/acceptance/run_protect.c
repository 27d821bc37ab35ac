/* SPDX-License-Identifier: MIT */
/*
 * An unmodified program for `memplug run` that sets what it may do with pages that malloc() gave it, as garbage
 * collectors, checkers of memory and those who keep secrets do. Prints "ready", relies on every fault until its
 * input ends, and prints "fine", or what was wrong.
 */
#include "guest.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE ((size_t)4096)
#define PIECES 200
/* Of a piece: data, a guard, data whose first write is to be noticed, a secret, data. */
enum { DATA, GUARD, BARRIER, SECRET, REST, PAGES };

static char *piece[PIECES];
static bool stop; /* atomic */
static sigjmp_buf escape;
static char *volatile expected; /* where a fault is, NULL: nowhere */
static volatile unsigned long faults;

/* A guard's reader is sent back; at a barrier it is noticed and the write is let through. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	char *at = info->si_addr;

	(void)signal, (void)context;
	if (at != expected)
		die("a fault somewhere else", at - piece[0]);
	faults++;
	expected = NULL;
	for (int i = 0; i < PIECES; i++)
		if (at == piece[i] + BARRIER * PAGE) {
			NEED(!mprotect(at, PAGE, PROT_READ | PROT_WRITE));
			return;
		}
	siglongjmp(escape, 1);
}

static void make_pieces(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	NEED(!sigaction(SIGSEGV, &action, NULL));
	for (int i = 0; i < PIECES; i++) {
		void *p;

		NEED(!posix_memalign(&p, PAGE, PAGES * PAGE + (size_t)i % 7 * 5000));
		piece[i] = p;
		memset(p, i + 1, PAGES * PAGE);
		NEED(!mprotect(piece[i] + GUARD * PAGE, PAGE, PROT_NONE));
		NEED(!mprotect(piece[i] + BARRIER * PAGE, PAGE, PROT_READ));
		NEED(!madvise(piece[i] + SECRET * PAGE, PAGE, MADV_DONTDUMP));
	}
}

static void try_guard(int i)
{
	unsigned long before = faults;

	expected = piece[i] + GUARD * PAGE;
	if (!sigsetjmp(escape, 1)) {
		(void)*(volatile char *)expected;
		die("a guard was read", i);
	}
	NEED(faults == before + 1);
}

static void try_barrier(int i)
{
	volatile char *at = piece[i] + BARRIER * PAGE;
	unsigned long before = faults;

	NEED(at[0] == (char)(i + 1) && at[PAGE - 1] == (char)(i + 1));
	expected = (char *)at;
	at[0] = 0;
	NEED(faults == before + 1);
	at[0] = (char)(i + 1);
	NEED(!mprotect((char *)at, PAGE, PROT_READ));
}

static void try_need(int i)
{
	char *at = piece[i] + REST * PAGE;

	NEED(!madvise(at, PAGE, MADV_DONTNEED));
	NEED(!at[0] && !memcmp(at, at + 1, PAGE - 1) && piece[i][0] == (char)(i + 1));
	memset(at, i + 1, PAGE);
}

static void *try_all(void *arg)
{
	unsigned long *rounds = arg;

	for (; !__atomic_load_n(&stop, __ATOMIC_RELAXED); ++*rounds) {
		int i = (int)(*rounds * 7 % PIECES);

		try_guard(i);
		try_barrier(i);
		try_need(i);
	}
	return NULL;
}

/* A dump of the process leaves the secrets out, and nothing else. */
static bool is_dumped(const char *at)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false, dumped = true;
	char line[1024];

	NEED(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)at >= start && (uintptr_t)at < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			dumped = !strstr(line, " dd");
	}
	fclose(f);
	return dumped;
}

static void check_child(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < PIECES; i++) {
			try_guard(i);
			try_barrier(i);
		}
		_exit(0);
	}
	NEED(waitpid(pid, &status, 0) == pid && !status);
}

int main(void)
{
	unsigned long rounds = 0;
	pthread_t thread;

	make_pieces();
	check_child();
	NEED(!pthread_create(&thread, NULL, try_all, &rounds));
	say_ready();
	await_end();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	NEED(rounds > 0);
	for (int i = 0; i < PIECES; i++) {
		try_guard(i);
		NEED(!is_dumped(piece[i] + SECRET * PAGE) && is_dumped(piece[i]) && is_dumped(piece[i] + REST * PAGE));
		NEED(!mprotect(piece[i] + GUARD * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
		NEED(!memcmp(piece[i], piece[i] + GUARD * PAGE, PAGE) && piece[i][0] == (char)(i + 1));
		NEED(!memcmp(piece[i] + SECRET * PAGE, piece[i], PAGE));
		free(piece[i]);
	}
	puts("fine");
	return 0;
}
