/* SPDX-License-Identifier: MIT */
/* WARN and BUG: they end in the warn and fatal hooks of memplug/hooks.h. */
#ifndef MEMPLUG_LINUX_BUG_H
#define MEMPLUG_LINUX_BUG_H

#include <linux/types.h>

/* Calls the warn hook with file, line and text; execution goes on. */
void mp_warn_at(const char *file, int line, const char *fmt, ...) __printf(3, 4);
/* Calls the fatal hook (default: print and abort); returns if the hook returns. */
void mp_fatal_at(const char *file, int line, const char *fmt, ...) __printf(3, 4);

#define WARN(cond, ...)                                                                            \
	({                                                                                         \
		bool __w = !!(cond);                                                               \
		if (unlikely(__w))                                                                 \
			mp_warn_at(__FILE__, __LINE__, __VA_ARGS__);                               \
		__w;                                                                               \
	})
#define WARN_ON(cond) WARN(cond, "%s", #cond)
#define WARN_ONCE(cond, ...)                                                                       \
	({                                                                                         \
		static bool __warned;                                                              \
		bool __c = !!(cond);                                                               \
		if (unlikely(__c) && !__atomic_exchange_n(&__warned, true, __ATOMIC_RELAXED))      \
			mp_warn_at(__FILE__, __LINE__, __VA_ARGS__);                               \
		__c;                                                                               \
	})
#define WARN_ON_ONCE(cond) WARN_ONCE(cond, "%s", #cond)
#define BUG() mp_fatal_at(__FILE__, __LINE__, "BUG")
#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			mp_fatal_at(__FILE__, __LINE__, "BUG: %s", #cond);                         \
	} while (0)

#endif
