/* SPDX-License-Identifier: MIT */
/* Where changes are counted. The counts are atomics; they move when nothing else is counted. */
#include "sync/changes.h"

static struct mp_changes own;
struct mp_changes *changes_page = &own;

void changes_move(struct mp_changes *page)
{
	struct mp_changes *old = changes_page;

	if (!page)
		page = &own;
	page->begun = 1;
	page->ended = 0;
	changes_page = page;
	/* Who looks there still finds a change that does not end. */
	__atomic_store_n(&old->begun, MP_CHANGES_OVER, __ATOMIC_RELEASE);
}

void changes_forget(void)
{
	own = (struct mp_changes){ 0 };
	changes_page = &own;
}
