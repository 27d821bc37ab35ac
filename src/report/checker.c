// SPDX-License-Identifier: MIT
/* How a check of consistency tells what it has found. No state. */
#include "report/report.h"

#include <linux/kernel.h>
#include <stdarg.h>

void checker_found(struct checker *check, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check->found++;
	check->say(text, check->arg);
}
