/* SPDX-License-Identifier: MIT */
/*
 * An empty block offline and online again, the whole path with one callback
 * on the chain, beside what bounds it: two exclusive sections of
 * mem_hotplug_lock, and each of these by one membarrier(2), which interrupts
 * every CPU that runs a reader. With no reader and with two busy ones. Medians.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <memplug/memplug.h>

#define BLOCK (128UL << 20)
#define HOT (4UL << 30)
#define ROUNDS 400
#define PRIVATE_EXPEDITED 8 /* linux/membarrier.h; the process is registered by the library */

static bool stop;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}


static int callback(struct notifier_block *nb, unsigned long action, void *data)
{
	(void)nb;
	(void)action;
	(void)data;
	return NOTIFY_OK;
}

static void *reader(void *arg)
{
	unsigned long *count = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		get_online_mems();
		__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
		put_online_mems();
	}
	return NULL;
}

static void quiet(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static void measure(int readers)
{
	static double pair[ROUNDS], bound[ROUNDS], barrier[ROUNDS];
	struct memory_block *mem;
	unsigned long count[8] = { 0 };
	pthread_t thread[8];
	double t;
	int i;

	stop = false;
	for (i = 0; i < readers; i++)
		pthread_create(&thread[i], NULL, reader, &count[i]);
	lock_device_hotplug();
	mem = find_memory_block(pfn_to_section_nr((HOT + BLOCK) >> PAGE_SHIFT));
	for (i = 0; i < ROUNDS; i++) {
		t = now_us();
		if (device_offline(&mem->dev) || device_online(&mem->dev))
			exit(1);
		pair[i] = now_us() - t;
		t = now_us();
		mem_hotplug_begin();
		mem_hotplug_done();
		mem_hotplug_begin();
		mem_hotplug_done();
		bound[i] = now_us() - t;
		t = now_us();
		syscall(SYS_membarrier, PRIVATE_EXPEDITED, 0, 0);
		barrier[i] = now_us() - t;
	}
	put_device(&mem->dev);
	unlock_device_hotplug();
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < readers; i++)
		pthread_join(thread[i], NULL);
	qsort(pair, ROUNDS, sizeof(*pair), by_value);
	qsort(bound, ROUNDS, sizeof(*bound), by_value);
	qsort(barrier, ROUNDS, sizeof(*barrier), by_value);
	printf("empty block off+on, %d busy readers: median %.1f us, p90 %.1f us; two exclusive sections %.1f us, one membarrier %.1f us\n",
	       readers, pair[ROUNDS / 2], pair[ROUNDS * 9 / 10], bound[ROUNDS / 2],
	       barrier[ROUNDS / 2]);
}

int main(void)
{
	struct mp_desc *desc = mp_desc_new();

	mp_set_log_hook(quiet, NULL);
	if (mp_desc_parse(desc, "overcommit = yes\nnode 0\nnode 1\nram 0x100000 383M node 0\n", "bench") ||
	    mp_boot(desc) || hotplug_memory_notifier(callback, 0) ||
	    add_memory(1, HOT, 2 * BLOCK, MHP_NONE) ||
	    mp_write_string("/sys/devices/system/memory/memory32/state", "online_movable") ||
	    mp_write_string("/sys/devices/system/memory/memory33/state", "online_movable")) {
		struct mp_reason reason;

		if (!mp_last_reason(&reason))
			fprintf(stderr, "%s\n", reason.text);
		return 1;
	}
	mp_desc_free(desc);
	measure(0);
	measure(2);
	return 0;
}
