/* SPDX-License-Identifier: MIT */
/*
 * A harness as a plain program: NAME [-n COUNT] FILE|DIRECTORY... gives it each file, then COUNT inputs that
 * are made from them with MPTEST_SEED (1 unless set). An input that takes a minute or kills the program
 * is printed.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SEEDS 512

static struct seed {
	uint8_t *data;
	size_t size;
} seeds[MAX_SEEDS];
static size_t nr_seeds;
static uint8_t input[FUZZ_MAX];
static size_t input_size;

static void on_signal(int signal)
{
	size_t at;

	alarm(0);
	for (at = 0; at < input_size; at += 40)
		fprintf(stderr, "input %4zu: \"%s\"\n", at,
			fuzz_escape(input + at, input_size - at < 40 ? input_size - at : 40));
	printf("not ok %s: signal %d (%s)\n", program_invocation_short_name, signal,
	       signal == SIGALRM ? "one input took a minute" : strsignal(signal));
	fflush(stdout);
	_exit(1);
}

static void run(const uint8_t *data, size_t size)
{
	memcpy(input, data, size);
	input_size = size;
	alarm(60);
	LLVMFuzzerTestOneInput(input, size);
	alarm(0);
}

static void load(const char *path)
{
	struct stat st;
	FILE *file;
	DIR *dir;

	if (stat(path, &st)) {
		perror(path);
		exit(2);
	}
	if (S_ISDIR(st.st_mode)) {
		struct dirent *entry;
		char inner[4096];

		dir = opendir(path);
		while (dir && (entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
			load(inner);
		}
		if (dir)
			closedir(dir);
		return;
	}
	if (nr_seeds == MAX_SEEDS || !(file = fopen(path, "r")))
		return;
	seeds[nr_seeds].data = malloc(FUZZ_MAX);
	seeds[nr_seeds].size = fread(seeds[nr_seeds].data, 1, FUZZ_MAX, file);
	nr_seeds++;
	fclose(file);
}

int main(int argc, char **argv)
{
	const char *set = getenv("MPTEST_SEED");
	unsigned long seed = set ? strtoul(set, NULL, 0) : 1, count = 0, i;
	static uint8_t data[FUZZ_MAX];
	struct fuzz_random random = { seed };
	int option;

	while ((option = getopt(argc, argv, "n:")) != -1) {
		if (option != 'n')
			return 2;
		count = strtoul(optarg, NULL, 0);
	}
	for (; optind < argc; optind++)
		load(argv[optind]);
	signal(SIGALRM, on_signal);
	signal(SIGABRT, on_signal);
	printf("# seed %lu\n", seed);
	fflush(stdout);
	for (i = 0; i < nr_seeds; i++)
		run(seeds[i].data, seeds[i].size);
	printf("ok %s: %zu inputs of the corpus\n", program_invocation_short_name, nr_seeds);
	fflush(stdout);
	for (i = 0; nr_seeds && i < count; i++) {
		const struct seed *from = &seeds[fuzz_below(&random, nr_seeds)];

		memcpy(data, from->data, from->size);
		run(data, fuzz_mutate(&random, data, from->size, sizeof(data)));
	}
	if (count)
		printf("%s %s: %lu generated inputs\n", nr_seeds ? "ok" : "not ok",
		       program_invocation_short_name, nr_seeds ? count : 0);
	return nr_seeds ? 0 : 1;
}
