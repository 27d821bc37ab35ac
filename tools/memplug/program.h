/* SPDX-License-Identifier: MIT */
/* Can a program be given a preload library? */
#ifndef MEMPLUG_PROGRAM_H
#define MEMPLUG_PROGRAM_H

#include <stddef.h>

/*
 * Looks at what execvp() of `name` would run; a script's interpreter too. 0; -ENOENT (not
 * found), -EACCES (not executable), -ENOEXEC (not a program of this machine), -EINVAL
 * (statically linked), -EPERM (set-user-id or file capabilities), with `why`.
 */
int program_check(const char *name, char *why, size_t size);

#endif
