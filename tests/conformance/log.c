// SPDX-License-Identifier: MIT
/*
 * The kernel's log: what memplug logs and warns of, and a line for each page
 * that an offline could not move, as Linux has one. Guarded by the mutex: hooks
 * are called from any thread, with any lock held.
 */
#include "conformance.h"

#include <pthread.h>
#include <string.h>

#include <linux/errno.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <memplug/hooks.h>
#include <memplug/ring.h>

#define BLOCK_PAGES 32768

static struct {
	pthread_mutex_t lock;
	struct lines lines;
	uint64_t cursor; /* into the event ring */
} kernel_log = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void add_line(const char *prefix, const char *text)
{
	lines_add(&kernel_log.lines, 0, "[    0.000000] %s%.*s", prefix,
		  (int)strcspn(text, "\n"), text);
}

static void on_log(int level, const char *text, void *arg)
{
	(void)level;
	(void)arg;
	pthread_mutex_lock(&kernel_log.lock);
	add_line("", text);
	pthread_mutex_unlock(&kernel_log.lock);
}

static void on_warning(const char *text, void *arg)
{
	(void)arg;
	pthread_mutex_lock(&kernel_log.lock);
	add_line("WARNING: CPU: 0 PID: 1 ", text);
	pthread_mutex_unlock(&kernel_log.lock);
}

void log_start(void)
{
	mp_set_log_hook(on_log, NULL);
	mp_set_warn_hook(on_warning, NULL);
}

/* An owner's page fails to move only when there is no place for it. */
static int failure_at(unsigned long pfn)
{
	unsigned long end = (pfn | (BLOCK_PAGES - 1)) + 1;

	for (; pfn < end; pfn++)
		if (__PageMovable(pfn_to_page(pfn)))
			return -ENOMEM;
	return -EAGAIN;
}

static void add_failed_moves(void)
{
	struct mp_ring_record record;

	while (mp_ring_read(&kernel_log.cursor, &record) == 1)
		if (record.type == MP_RING_MIGRATE && record.c > 0)
			lines_add(&kernel_log.lines, 0,
				  "[    0.000000] migrating pfn %lx failed ret:%d",
				  (unsigned long)record.a, failure_at(record.a));
}

void log_show(struct lines *out)
{
	int i;

	pthread_mutex_lock(&kernel_log.lock);
	add_failed_moves();
	for (i = 0; i < kernel_log.lines.count; i++)
		lines_add(out, 0, "%s", kernel_log.lines.text[i]);
	pthread_mutex_unlock(&kernel_log.lock);
}
