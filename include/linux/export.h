/* SPDX-License-Identifier: MIT */
#ifndef MEMPLUG_LINUX_EXPORT_H
#define MEMPLUG_LINUX_EXPORT_H
#define EXPORT_SYMBOL(sym)
#define EXPORT_SYMBOL_GPL(sym)
#endif
