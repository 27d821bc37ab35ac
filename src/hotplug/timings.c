// SPDX-License-Identifier: MIT
/*
 * How long the callbacks of memory events took since boot, by callback and
 * event: a fixed table, so that a notification needs no memory; what has no
 * place in it goes to the last entry. One mutex, which nobody holds for long.
 */
#include <string.h>
#include <linux/kernel.h>
#include <linux/notifier.h>
#include "hotplug/timings.h"
#include "sync/thread.h"

#define KEPT 256

static struct {
	struct mutex lock;
	int count;
	struct callback_timing entry[KEPT];
} kept = { .lock = __MUTEX_INITIALIZER(kept) };

/* Lock held. */
static struct callback_timing *find(unsigned long action, const char *name)
{
	struct callback_timing *entry;

	for (entry = kept.entry; entry < kept.entry + kept.count; entry++)
		if (entry->action == action && !strcmp(entry->name, name))
			return entry;
	if (kept.count == KEPT - 1) {
		action = 0;
		name = "others";
	}
	entry = &kept.entry[kept.count];
	if (kept.count < KEPT)
		kept.count++;
	else
		return &kept.entry[KEPT - 1];
	*entry = (struct callback_timing){ .action = action };
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	return entry;
}

void timings_record(unsigned long action, const char *name, int answer, u64 ns)
{
	struct callback_timing *entry;

	mutex_lock(&kept.lock);
	entry = find(action, name);
	entry->calls++;
	entry->refusals += notifier_to_errno(answer) != 0;
	entry->total_ns += ns;
	entry->max_ns = max(entry->max_ns, ns);
	entry->last_ns = ns;
	entry->answer = answer;
	mutex_unlock(&kept.lock);
}

bool timings_get(int number, struct callback_timing *timing)
{
	bool there;

	mutex_lock(&kept.lock);
	there = number < kept.count;
	if (there)
		*timing = kept.entry[number];
	mutex_unlock(&kept.lock);
	return there;
}

void timings_reset(void)
{
	mutex_lock(&kept.lock);
	kept.count = 0;
	mutex_unlock(&kept.lock);
}

static void reset_after_fork(void)
{
	mutex_init(&kept.lock);
	kept.count = 0;
}

__attribute__((constructor)) static void timings_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}
