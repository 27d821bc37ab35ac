// SPDX-License-Identifier: MIT
/*
 * The last reason of each block that was refused lately: a fixed table, the
 * oldest entry gives way, so that a refusal needs no memory. One mutex.
 */
#include "block/block.h"
#include "report/report.h"
#include "sync/thread.h"

#define KEPT 256

static struct {
	struct mutex lock;
	int nr; /* of which there is a reason; the rest was never touched */
	struct mp_reason entry[KEPT];
} kept;

/* kept.lock held. */
static struct mp_reason *find(long block)
{
	struct mp_reason *entry;

	for (entry = kept.entry; entry < kept.entry + kept.nr; entry++)
		if (entry->block == block)
			return entry;
	return NULL;
}

static struct mp_reason *oldest(void)
{
	struct mp_reason *best = &kept.entry[0], *entry;

	for (entry = best; entry < kept.entry + kept.nr; entry++)
		if (entry->at_ns < best->at_ns)
			best = entry;
	return best;
}

static void keep(const struct mp_reason *reason)
{
	struct mp_reason *entry;

	if (reason->block < 0)
		return;
	mutex_lock(&kept.lock);
	entry = find(reason->block);
	if (!entry)
		entry = kept.nr < KEPT ? &kept.entry[kept.nr++] : oldest();
	*entry = *reason;
	mutex_unlock(&kept.lock);
}

int mp_block_reason(long block, struct mp_reason *reason)
{
	struct mp_reason *entry;
	int ret = -ENOENT;

	if (!memory_block_size_bytes())
		return -ENXIO;
	if (!reason)
		return -EINVAL;
	mutex_lock(&kept.lock);
	entry = find(block);
	if (entry) {
		*reason = *entry;
		ret = 0;
	}
	mutex_unlock(&kept.lock);
	return ret;
}

void for_each_block_reason(void (*fn)(const struct mp_reason *reason, void *arg), void *arg)
{
	struct mp_reason copy;
	bool more = true;
	int i;

	for (i = 0; more; i++) {
		mutex_lock(&kept.lock);
		more = i < kept.nr;
		if (more)
			copy = kept.entry[i];
		mutex_unlock(&kept.lock);
		if (more)
			fn(&copy, arg);
	}
}

static void reset_after_fork(void)
{
	mutex_init(&kept.lock);
	kept.nr = 0;
}

void block_reasons_init(void)
{
	kept.nr = 0;
	reason_block_hook = keep;
}

__attribute__((constructor)) static void reasons_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}
