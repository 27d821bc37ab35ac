/* SPDX-License-Identifier: MIT */
/* A FUSE server that has nothing to do, as a peer: see bare_fuse.c. */
#ifndef BENCH_BARE_FUSE_H
#define BENCH_BARE_FUSE_H

#include <sys/types.h>

/* Mounts it at the directory, with a process of its own that answers; -1: not possible here. Any name in it is the file. */
pid_t bare_fuse_start(const char *directory);
void bare_fuse_stop(pid_t pid, const char *directory);

#endif
