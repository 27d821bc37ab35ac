/* SPDX-License-Identifier: MIT */
/* Marks of init and exit code; they mean nothing in user space. */
#ifndef MEMPLUG_LINUX_INIT_H
#define MEMPLUG_LINUX_INIT_H
#include <linux/compiler.h>
#endif
