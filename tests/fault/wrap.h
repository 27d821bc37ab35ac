/* SPDX-License-Identifier: MIT */
/*
 * The nth system call or allocation of the library fails. Linked with
 * --wrap for every function of src/os/os.h, so the library itself is the one
 * that ships; only calls of the arming thread between arm and disarm count.
 */
#ifndef FAULT_WRAP_H
#define FAULT_WRAP_H

#include <stdbool.h>

enum fault_kind { FAULT_SYSCALL, FAULT_ALLOC };

/* The nth call of that kind from here on fails (0: none does, they are only counted). */
void fault_arm(enum fault_kind kind, long nth);
/* Stops counting. Returns the calls seen; *hit: one of them failed, and *what is its name. */
long fault_disarm(bool *hit, const char **what);

/* Every call of that function gives `error` from now on, in all threads; 0: none does. Four functions at most. */
void fault_always(const char *name, int error);

/* NULL, or called in any thread before os_write(), os_close(), os_accept() and os_futex_wait() (fd -1). */
extern void (*fault_hook)(const char *what, int fd);

#endif
