/* SPDX-License-Identifier: MIT */
/*
 * The host's pool of 2 MiB pages, which is the whole host's: one test at a time borrows of it. A lock on the
 * pool's directory is held until it is as before, also by a test of another program that runs beside.
 */
#ifndef TESTS_HUGEPAGES_H
#define TESTS_HUGEPAGES_H

#include "mptest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define POOL_PATIENCE_MS 5000

static inline long pool(const char *what)
{
	char name[128], text[32] = "";
	FILE *file;

	snprintf(name, sizeof(name), POOL "%s", what);
	file = fopen(name, "r");
	if (!file || !fgets(text, sizeof(text), file))
		SKIP("the host has no pool of 2 MiB pages");
	fclose(file);
	return strtol(text, NULL, 10);
}

static inline bool pool_set(long overcommit)
{
	FILE *file = fopen(POOL "nr_overcommit_hugepages", "w");
	bool set;

	if (!file)
		return false;
	set = fprintf(file, "%ld\n", overcommit) > 0;
	return !fclose(file) && set;
}

/* The pool may grow by `pages`; as before when the test is over, however it ends. */
static inline void pool_borrow(long pages)
{
	int lock = open(POOL, O_RDONLY | O_DIRECTORY | O_CLOEXEC), pipes[2], tries = 0;
	long before;
	char byte;

	if (lock < 0)
		SKIP("the host has no pool of 2 MiB pages");
	CHECK_EQ(flock(lock, LOCK_EX), 0);
	before = pool("nr_overcommit_hugepages");
	/* The last test's may still be on their way. */
	while (pool("free_hugepages") || pool("surplus_hugepages")) {
		if (tries++ == POOL_PATIENCE_MS)
			SKIP("somebody else uses the host's pool of 2 MiB pages");
		usleep(1000);
	}
	if (!pool_set(pages))
		SKIP("the host's pool of 2 MiB pages cannot be set: not root");
	CHECK_EQ(pipe2(pipes, O_CLOEXEC), 0);
	if (fork() == 0) {
		/* The rest of the test's group is killed when it ends. */
		setpgid(0, 0);
		close(pipes[1]);
		while (read(pipes[0], &byte, 1) > 0)
			;
		pool_set(before);
		_exit(0);
	}
	close(pipes[0]);
}

#endif
