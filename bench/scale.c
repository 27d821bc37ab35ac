/* SPDX-License-Identifier: MIT */
/*
 * What an operation costs in a machine of 16 to 131 072 blocks (2 GiB to
 * 16 TiB), each size in a process of its own: blocks added one by one and in
 * one call, onlined, offlined and removed, and an online with 1 000 callbacks.
 * The last column of the table is the growth from the first size to the last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define BLOCK (128UL << 20)
#define HOT (4UL << 30)
#define MOST_ONLINE 8192L /* 1 TiB */
#define CALLBACKS 1000

enum { ADD_EACH, ADD_ALL, ONLINE, OFFLINE, REMOVE, ONLINE_NO_CALLBACKS, ONLINE_CALLBACKS, COSTS };
static const char *const names[COSTS] = {
	"add, one by one", "add, all in one call", "online", "offline", "remove, one by one",
	"online one, no callback", "online one, 1000 callbacks",
};
static long sizes[] = { 16, 128, 1024, 8192, 65536, 131072 };
#define SIZES (sizeof(sizes) / sizeof(*sizes))

struct result {
	double us[COSTS]; /* per block */
	long kib_offline, kib_online;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static long resident_kib(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%*s %ld", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void quiet(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static void must(int error, const char *what)
{
	struct mp_reason reason;

	if (!error)
		return;
	fprintf(stderr, "%s: error %d: %s\n", what, error,
		mp_last_reason(&reason) ? "no reason" : reason.text);
	exit(1);
}

static void boot(void)
{
	struct mp_desc *desc = mp_desc_new();

	mp_set_log_hook(quiet, NULL);
	must(mp_desc_parse(desc, "max_phys = 32T\novercommit = yes\nnode 1\nram 0x100000 383M node 0\n",
			   "bench"), "description");
	must(mp_boot(desc), "boot");
	mp_desc_free(desc);
}

/* The microseconds per block of `op` on blocks [first, first + n). */
static double each(int (*op)(struct memory_block *mem), long first, long n)
{
	double t = now_us();

	lock_device_hotplug();
	for (long i = first; i < first + n; i++) {
		struct memory_block *mem =
			find_memory_block(pfn_to_section_nr((HOT + (unsigned long)i * BLOCK) >> PAGE_SHIFT));

		must(op(mem), "a block");
		put_device(&mem->dev);
	}
	unlock_device_hotplug();
	return (now_us() - t) / (double)n;
}

static int online(struct memory_block *mem)
{
	mem->online_type = MMOP_ONLINE_MOVABLE;
	return device_online(&mem->dev);
}

static int offline(struct memory_block *mem)
{
	return device_offline(&mem->dev);
}

static double remove_each(long n)
{
	double t = now_us();

	for (long i = n - 1; i >= 0; i--)
		must(remove_memory(HOT + (unsigned long)i * BLOCK, BLOCK), "remove");
	return (now_us() - t) / (double)n;
}

static int callback(struct notifier_block *nb, unsigned long action, void *data)
{
	(void)nb;
	(void)action;
	(void)data;
	return NOTIFY_OK;
}

static double online_some(void)
{
	double best = 1e9;

	for (int i = 0; i < 20; i++) {
		double t = each(online, 1, 1);

		if (t < best)
			best = t;
		each(offline, 1, 1);
	}
	return best;
}

static void measure(long n, struct result *result)
{
	static struct notifier_block blocks[CALLBACKS];
	long some = n < MOST_ONLINE ? n : MOST_ONLINE;
	double t;

	boot();
	t = now_us();
	for (long i = 0; i < n; i++)
		must(add_memory(1, HOT + (unsigned long)i * BLOCK, BLOCK, MHP_NONE), "add");
	result->us[ADD_EACH] = (now_us() - t) / (double)n;
	result->kib_offline = resident_kib();
	result->us[ONLINE] = each(online, 0, some);
	result->kib_online = resident_kib();
	result->us[OFFLINE] = each(offline, 0, some);
	result->us[ONLINE_NO_CALLBACKS] = online_some();
	for (int i = 0; i < CALLBACKS; i++) {
		blocks[i].notifier_call = callback;
		must(register_memory_notifier(&blocks[i]), "register");
	}
	result->us[ONLINE_CALLBACKS] = online_some();
	for (int i = 0; i < CALLBACKS; i++)
		unregister_memory_notifier(&blocks[i]);
	result->us[REMOVE] = remove_each(n);
	t = now_us();
	must(add_memory(1, HOT, (unsigned long)n * BLOCK, MHP_NONE), "add");
	result->us[ADD_ALL] = (now_us() - t) / (double)n;
	must(remove_memory(HOT, (unsigned long)n * BLOCK), "remove");
	must(mp_shutdown(), "shutdown");
}

/* With an argument: a machine of so many blocks instead of the largest. */
int main(int argc, char **argv)
{
	struct result *results = mmap(NULL, sizeof(*results) * SIZES, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (results == MAP_FAILED)
		return 1;
	if (argc > 1)
		sizes[SIZES - 1] = atol(argv[1]);
	printf("%-27s", "microseconds per block of");
	for (size_t i = 0; i < SIZES; i++) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child) {
			measure(sizes[i], &results[i]);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0 || status)
			return 1;
		printf("%9ld", sizes[i]);
	}
	printf("%9s\n", "growth");
	for (int cost = 0; cost < COSTS; cost++) {
		printf("%-27s", names[cost]);
		for (size_t i = 0; i < SIZES; i++)
			printf("%9.1f", results[i].us[cost]);
		printf("%8.1fx\n", results[SIZES - 1].us[cost] / results[0].us[cost]);
	}
	printf("%-27s", "MiB resident, all offline");
	for (size_t i = 0; i < SIZES; i++)
		printf("%9ld", results[i].kib_offline >> 10);
	printf("\n%-27s", "MiB resident, <= 1 TiB online");
	for (size_t i = 0; i < SIZES; i++)
		printf("%9ld", results[i].kib_online >> 10);
	printf("\n131072 blocks added one by one: %.2f s, in one call: %.2f s; 8192 of them onlined: %.2f s\n",
	       results[SIZES - 1].us[ADD_EACH] * 131072 / 1e6,
	       results[SIZES - 1].us[ADD_ALL] * 131072 / 1e6,
	       results[SIZES - 1].us[ONLINE] * 8192 / 1e6);
	return 0;
}
