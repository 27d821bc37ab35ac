/* SPDX-License-Identifier: MIT */
/*
 * Why an operation was refused: filled in where it was refused, kept per
 * thread and per memory block, and in the event ring (DESIGN D9).
 */
#ifndef MEMPLUG_REASON_H
#define MEMPLUG_REASON_H

#include <stdint.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mp_reason_kind {
	MP_REASON_NONE,
	MP_REASON_VETO,	     /* a callback answered with an error */
	MP_REASON_PAGE,	     /* a page cannot move or is reserved */
	MP_REASON_ISOLATED,  /* somebody else works on the range */
	MP_REASON_SIGNAL,    /* a signal is pending */
	MP_REASON_CANCEL,    /* mp_cancel() */
	MP_REASON_DEADLINE,  /* mp_set_deadline() has passed */
	MP_REASON_STATE,     /* wrong state, no single zone, holes, disabled */
	MP_REASON_ARGUMENT,  /* range or value is not acceptable */
	MP_REASON_CONFLICT,  /* range is taken */
	MP_REASON_NO_MEMORY, /* host or metadata memory */
	MP_REASON_SYSTEM,    /* a system call failed */
	MP_REASON_BUSY,	     /* shutdown: still in use */
};

struct mp_reason {
	enum mp_reason_kind kind;
	int error;		/* the negative errno that the caller got */
	long block;		/* block number, or -1 */
	unsigned long pfn;	/* the page, or ~0UL */
	unsigned long left;	/* pages still in use when it was refused */
	uint64_t since_ns;	/* CLOCK_MONOTONIC at which the operation began */
	uint64_t at_ns;		/* ... at which it was refused */
	char operation[16];	/* "online", "offline", "add", "remove", "boot", ... */
	char actor[128];	/* callback, page holder, system call: its name */
	char text[256];		/* one line: block, actor, next step */
};

/* The reason of the calling thread's last refused operation. 0, -ENOENT, or -EINVAL for NULL. */
int mp_last_reason(struct mp_reason *reason);
/* The last reason of a block, from any thread. 0, -ENOENT, -ENXIO. */
int mp_block_reason(long block, struct mp_reason *reason);
/* Name of a kind, lower case; "?" for nonsense. */
const char *mp_reason_kind_name(enum mp_reason_kind kind);
/*
 * Name of a code address: symbol (also of static functions, from the object's
 * symbol table), else object+offset. Returns the length, as snprintf.
 */
int mp_symbol_name(const void *addr, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
