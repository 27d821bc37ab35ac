/* SPDX-License-Identifier: MIT */
/*
 * One lock for what this layer keeps and rarely touches: hooks, names,
 * symbol tables. It is the innermost of all locks and survives fork().
 */
#ifndef MEMPLUG_REPORT_LOCK_H
#define MEMPLUG_REPORT_LOCK_H

void report_lock(void);
void report_unlock(void);

#endif
