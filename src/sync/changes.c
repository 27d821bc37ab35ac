/* SPDX-License-Identifier: MIT */
/*
 * Where changes are counted. The counts are atomics; the place is settled once,
 * before there is anything that can change.
 */
#include "sync/changes.h"

static struct mp_changes own;
struct mp_changes *changes_page = &own;

void changes_move(struct mp_changes *page)
{
	page->begun = 1;
	page->ended = 0;
	changes_page = page;
}

void changes_forget(void)
{
	own = (struct mp_changes){ 0 };
	changes_page = &own;
}
