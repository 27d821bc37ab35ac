/* SPDX-License-Identifier: MIT */
/*
 * Why an operation was refused. Each thread keeps the operation it is in and
 * the last reason it got; nothing is shared, nothing is allocated.
 */
#include "report/report.h"
#include "os/os.h"

#include <linux/kernel.h>
#include <stdarg.h>
#include <stdio.h>

void (*reason_block_hook)(const struct mp_reason *reason);

static __thread struct {
	/* The operation this thread is in: */
	unsigned int depth;
	bool refused;  /* it has its reason */
	bool fresh;    /* the latest reason_set() was the one that counts */
	bool any;      /* last is filled in */
	const char *operation;
	long block, outer_block;
	u64 since_ns;
	struct mp_reason last;
} self;

void reason_begin(const char *operation, long block)
{
	if (self.depth++) {
		/* An operation on many blocks has come to one of them. */
		if (self.outer_block < 0)
			self.block = block;
		return;
	}
	self.outer_block = block;
	self.operation = operation;
	self.block = block;
	self.since_ns = os_now_ns();
	self.refused = false;
	self.fresh = false;
}

void reason_end(void)
{
	if (self.depth && --self.depth == 1)
		self.block = self.outer_block;
}

void reason_begin_apart(const char *operation, struct reason_outer *outer)
{
	*outer = (struct reason_outer){ self.depth,	self.refused, self.fresh,
					self.operation, self.block,   self.since_ns };
	self.depth = 0;
	reason_begin(operation, -1);
}

void reason_end_apart(const struct reason_outer *outer)
{
	self.depth = outer->depth;
	self.refused = outer->refused;
	self.fresh = outer->fresh;
	self.operation = outer->operation;
	self.block = outer->block;
	self.since_ns = outer->since_ns;
}

bool reason_is_set(void)
{
	return self.depth && self.refused;
}

static void tell_block(void)
{
	if (reason_block_hook)
		reason_block_hook(&self.last);
}

int reason_set(enum mp_reason_kind kind, int error, const char *actor, const char *fmt, ...)
{
	struct mp_reason *reason = &self.last;
	va_list args;

	self.fresh = !reason_is_set();
	if (!self.fresh)
		return error;
	reason->kind = kind;
	reason->error = error;
	reason->block = self.depth ? self.block : -1;
	reason->pfn = ~0UL;
	reason->left = 0;
	reason->at_ns = os_now_ns();
	reason->since_ns = self.depth ? self.since_ns : reason->at_ns;
	snprintf(reason->operation, sizeof(reason->operation), "%s",
		 self.depth ? self.operation : "");
	snprintf(reason->actor, sizeof(reason->actor), "%s", actor ? actor : "");
	va_start(args, fmt);
	vsnprintf(reason->text, sizeof(reason->text), fmt, args);
	va_end(args);
	self.refused = true;
	self.any = true;

	ring_record(MP_RING_REFUSAL, reason->block, error, kind, reason->actor);
	pr_debug("%s", reason->text);
	tell_block();
	return error;
}

void reason_page(unsigned long pfn, unsigned long left)
{
	if (!self.fresh)
		return;
	self.last.pfn = pfn;
	self.last.left = left;
	tell_block();
}

int mp_last_reason(struct mp_reason *reason)
{
	if (!reason)
		return -EINVAL;
	if (!self.any)
		return -ENOENT;
	*reason = self.last;
	return 0;
}

const char *mp_reason_kind_name(enum mp_reason_kind kind)
{
	static const char *const names[] = {
		[MP_REASON_NONE] = "none",	     [MP_REASON_VETO] = "veto",
		[MP_REASON_PAGE] = "page",	     [MP_REASON_ISOLATED] = "isolated",
		[MP_REASON_SIGNAL] = "signal",	     [MP_REASON_CANCEL] = "cancel",
		[MP_REASON_DEADLINE] = "deadline",   [MP_REASON_STATE] = "state",
		[MP_REASON_ARGUMENT] = "argument",   [MP_REASON_CONFLICT] = "conflict",
		[MP_REASON_NO_MEMORY] = "no memory", [MP_REASON_SYSTEM] = "system",
		[MP_REASON_BUSY] = "busy",
	};

	return (unsigned int)kind < ARRAY_SIZE(names) ? names[kind] : "?";
}
