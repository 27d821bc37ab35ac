/* SPDX-License-Identifier: MIT */
/*
 * The event ring: the last few thousand things that happened, each with its
 * time and thread, readable while the machine runs (DESIGN D13).
 */
#ifndef MEMPLUG_RING_H
#define MEMPLUG_RING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum mp_ring_type {
	MP_RING_EVENT = 1,   /* a notification begins; a: action, b: start_pfn, c: nr_pages */
	MP_RING_CALLBACK,    /* one callback answered; a: action, b: answer, c: ns; name */
	MP_RING_ISOLATE,     /* a: start_pfn, b: nr_pages, c: result */
	MP_RING_MIGRATE,     /* one pass; a: start_pfn, b: pages moved, c: pages failed */
	MP_RING_STATE,	     /* a: block, b: old state, c: new state */
	MP_RING_ADD,	     /* a: start, b: size, c: result; name: node */
	MP_RING_REMOVE,	     /* a: start, b: size, c: result */
	MP_RING_GIVE_BACK,   /* a: start, b: bytes, c: ns */
	MP_RING_LOCK_WAIT,   /* a: ns waited; name: lock */
	MP_RING_REFUSAL,     /* a: block, b: error, c: kind; name: actor */
	MP_RING_UEVENT,	     /* a: seqnum; name: action@name */
	MP_RING_BOOT,	     /* a: blocks, c: result */
	MP_RING_CPU,	     /* a: CPU, b: 1 up, 0 down, c: result; name: cpuN */
	MP_RING_SLOT,	     /* a: slot, b: source, c: status */
};

struct mp_ring_record {
	uint64_t seq;	  /* 1, 2, 3, ... */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	int32_t tid;
	uint32_t type;	  /* enum mp_ring_type */
	int64_t a, b, c;
	char name[48];
};

/*
 * Copies the oldest record with seq >= *cursor and sets *cursor behind it.
 * 1: copied; 0: nothing there yet. Records that were overwritten are skipped
 * (seq shows the gap). *cursor 0 starts with the oldest. Never waits.
 * -EINVAL: a NULL.
 */
int mp_ring_read(uint64_t *cursor, struct mp_ring_record *record);
/*
 * Writes what the ring holds to a file, oldest first: MP_RING_MAGIC, then
 * struct mp_ring_record after struct mp_ring_record in this machine's byte
 * order; memplug-trace(1) shows it. The ring goes on. May sleep. 0, -EINVAL (path NULL),
 * or the errno of creating or writing the file, which is then incomplete.
 */
int mp_ring_save(const char *path);
#define MP_RING_MAGIC "memplug ring 1\n" /* 15 bytes, and one NUL */

/* "MEM_GOING_ONLINE" etc. for an event value, or "?". */
const char *mp_event_name(unsigned long action);
/* "event", "callback", ..., or "?". */
const char *mp_ring_type_name(uint32_t type);
/* A record as one line, without its number, time, thread and newline. Length as snprintf's, -EINVAL: NULL. */
int mp_ring_text(const struct mp_ring_record *record, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
