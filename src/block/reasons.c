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
	struct mp_reason entry[KEPT]; /* kind MP_REASON_NONE: free */
} kept;

static void keep(const struct mp_reason *reason)
{
	struct mp_reason *best = &kept.entry[0], *entry;

	if (reason->block < 0)
		return;
	mutex_lock(&kept.lock);
	for (entry = kept.entry; entry < kept.entry + KEPT; entry++) {
		if (entry->kind != MP_REASON_NONE && entry->block == reason->block) {
			best = entry;
			break;
		}
		if (entry->at_ns < best->at_ns)
			best = entry;
	}
	*best = *reason;
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
	for (entry = kept.entry; entry < kept.entry + KEPT; entry++) {
		if (entry->kind != MP_REASON_NONE && entry->block == block) {
			*reason = *entry;
			ret = 0;
			break;
		}
	}
	mutex_unlock(&kept.lock);
	return ret;
}

void for_each_block_reason(void (*fn)(const struct mp_reason *reason, void *arg), void *arg)
{
	struct mp_reason copy;
	int i;

	for (i = 0; i < KEPT; i++) {
		mutex_lock(&kept.lock);
		copy = kept.entry[i];
		mutex_unlock(&kept.lock);
		if (copy.kind != MP_REASON_NONE)
			fn(&copy, arg);
	}
}

static void reset_after_fork(void)
{
	memset(&kept, 0, sizeof(kept));
}

void block_reasons_init(void)
{
	memset(kept.entry, 0, sizeof(kept.entry));
	reason_block_hook = keep;
}

__attribute__((constructor)) static void reasons_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}
