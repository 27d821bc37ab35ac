/* SPDX-License-Identifier: MIT */
/* The system's errno numbers and the few that the kernel keeps to itself. */
#if __has_include_next(<linux/errno.h>)
#include_next <linux/errno.h>
#endif

#ifndef MEMPLUG_LINUX_ERRNO_H
#define MEMPLUG_LINUX_ERRNO_H

#include <asm/errno.h>

#define ERESTARTSYS 512
#define ERESTARTNOINTR 513

#endif
