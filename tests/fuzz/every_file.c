/* SPDX-License-Identifier: MIT */
/*
 * Each file of the tree that can be written, 1 000 generated inputs each, under both contracts: no crash,
 * no hang, and a write that fails leaves the whole tree as it was. Files are found by walking.
 */
#include "mptest.h"
#include "fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define INPUTS 1000
/* Successes before the machine is a new one. */
#define WORN 16

static char path[512];
static uint8_t data[8192];
static size_t size;

static void on_signal(int signal)
{
	printf("# signal %d at %s, \"%s\"\n", signal, path, fuzz_escape(data, size));
	fflush(stdout);
	_exit(1);
}

/* How many of the inputs it took. */
static unsigned long write_file(bool linux_contract, struct fuzz_random *random)
{
	unsigned long i, taken = 0;
	char now[4097];
	ssize_t n;

	for (i = 0; i < INPUTS; i++) {
		n = mp_read(path, now, sizeof(now) - 1);
		now[n > 0 ? n : 0] = '\0';
		size = fuzz_value(random, now, data, sizeof(data));
		alarm(60);
		taken += machine_write(path, data, size) > 0;
		alarm(0);
		/* Gone, or the machine is not what it was long ago. */
		if (mp_stat(path, &(struct mp_entry){ 0 }) || taken % WORN == WORN - 1) {
			machine_compare();
			machine_down();
			machine_up(linux_contract);
			taken++;
		}
	}
	machine_compare();
	return taken;
}

static void write_all(bool linux_contract)
{
	struct fuzz_random random = { mptest_seed() };
	unsigned long taken = 0;
	size_t files, i;

	signal(SIGALRM, on_signal);
	signal(SIGABRT, on_signal);
	fuzz_hooks(false);
	machine_up(linux_contract);
	files = machine_files();
	CHECK_GT(files, 60);
	for (i = 0; i < files; i++) {
		snprintf(path, sizeof(path), "%s", machine_file(i));
		taken += write_file(linux_contract, &random);
	}
	machine_down();
	printf("# %zu files, %zu writes, %lu taken\n", files, files * INPUTS, taken);
	/* Nonsense and sense: both were there. */
	CHECK_GT(taken, files);
	CHECK_LT(taken, files * INPUTS * 3 / 4);
}

TEST(nonsense_document, "1 000 inputs for each file, contract document")
{
	write_all(false);
}

TEST(nonsense_linux, "1 000 inputs for each file, contract linux-6.1")
{
	write_all(true);
}
