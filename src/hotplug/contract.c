// SPDX-License-Identifier: MIT
/*
 * Which contract is in force: the starting document's (default) or that of
 * Linux 6.1 where the two differ (DESIGN D1), and the counters of operations.
 * The contract changes under device_hotplug_lock and is read without a lock.
 */
#include "hotplug/hotplug.h"
#include "page/page.h"

static bool follow_document = true;
struct hotplug_counters hotplug_counters;

bool contract_is_document(void)
{
	return READ_ONCE(follow_document);
}

void contract_set(bool document)
{
	WRITE_ONCE(follow_document, document);
	page_set_follow_linux(!document);
}
