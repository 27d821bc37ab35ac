/* SPDX-License-Identifier: MIT */
/*
 * The socket door: the attribute tree for other processes, over a Unix socket
 * of packets (SOCK_SEQPACKET). One packet is one request; docs/protocol.md
 * has it byte for byte.
 */
#ifndef MEMPLUG_SERVE_H
#define MEMPLUG_SERVE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Serves this process's machine at `path`, mode 0600, until mp_serve_stop().
 * Owner and root may speak to it. `workers` threads (0: 4, at most 16) carry
 * out what may wait; one more answers everything else at once. A socket file
 * that nobody serves any more is replaced. The machine may be booted later, and
 * again. Not inherited over fork. 0, -EINVAL (NULL, too long, too many
 * workers), -EALREADY (it serves), -EADDRINUSE (another process does), -ENOMEM,
 * -EMFILE, or the errno of making the socket; nothing stays then. May sleep.
 */
int mp_serve(const char *path, unsigned int workers);
/* Takes the socket away, cancels what its clients asked for, ends the threads. 0, -ESRCH. Sleeps. */
int mp_serve_stop(void);

/* ---- the packets ---- */

#define MP_PACKET_VERSION 1
#define MP_PACKET_MAX 65536 /* bytes, header included */

enum mp_packet_op {
	MP_PACKET_HELLO,  /* from the server, first: value: version; text: library and contract */
	MP_PACKET_LIST,	  /* path; value: entries to skip. Reply: value entries */
	MP_PACKET_STAT,	  /* path. Reply: one entry */
	MP_PACKET_READ,	  /* path, NUL, id or nothing; value: offset. Reply: value bytes */
	MP_PACKET_WRITE,  /* path, NUL, bytes; value: id or 0. Reply: value: bytes taken */
	MP_PACKET_WATCH,  /* value: MP_WATCH_ bits. Reply, then news under the same id */
	MP_PACKET_CANCEL, /* value: id of a request of this connection */
	MP_PACKET_CHANGES, /* Reply: with a descriptor (SCM_RIGHTS) of a page to map: struct mp_changes */
};

/* What comes before the payload; this machine's byte order. In a reply: value below 0 is -errno. */
struct mp_packet {
	uint32_t id;	/* the client's; unlike those of its requests that are under way */
	uint16_t op;	/* enum mp_packet_op */
	uint16_t flags; /* of replies, but for RUNNING */
	int64_t value;
};
#define MP_PACKET_MORE 1  /* the answer goes on: ask again from behind what came */
#define MP_PACKET_NEWS 2  /* no reply: news of a watch */
#define MP_PACKET_LOST 4  /* value news were dropped, since this client was slow */
#define MP_PACKET_RUNNING 8 /* of CANCEL: only an operation that runs, no waiting for it */

#define MP_PACKET_TEXTS 16 /* of LIST: behind each entry the text of a steady file */

#define MP_WATCH_EVENTS 1  /* struct mp_ring_record of any type but those below */
#define MP_WATCH_UEVENTS 2 /* the text of a uevent */
#define MP_WATCH_REASONS 4 /* struct mp_ring_record of MP_RING_REFUSAL */

/* An entry of LIST and STAT, 16 bytes, then its name and its link's target, each with a NUL. */
struct mp_packet_entry {
	uint8_t type; /* enum mp_entry_type */
	uint8_t how; /* MP_ENTRY_WAITS, MP_ENTRY_STEADY */
	uint16_t mode;
	uint32_t size;
	uint64_t id; /* struct mp_entry */
};

#define MP_ENTRY_WAITS 1  /* reading it may wait for an operation */
#define MP_ENTRY_STEADY 2 /* its text changes only where struct mp_changes counts */
/* In a LIST with TEXTS: 4 bytes behind the target, the size of the text that follows, or this. */
#define MP_NO_TEXT 0xffffffffu

/*
 * A page to be mapped for reading. `begun` counts before each change of what
 * steady files show or of which files there are, `ended` behind it. Load `ended`, then
 * `begun`, each with acquire. When both are alike, and the same before a text was asked for and now,
 * nothing has changed between: the text is what a read would give now.
 */
struct mp_changes {
	uint64_t begun, ended;
};
#define MP_CHANGES_OVER UINT64_MAX /* `begun` when the machine has gone: the next one has a page of its own */

#ifdef __cplusplus
}
#endif
#endif
