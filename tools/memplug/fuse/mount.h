/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the mount share. A request of the kernel becomes one of the
 * socket's: what is answered at once on one of a few connections that a thread
 * takes for the call (link.c), what may wait on one of its own, so that no
 * thread waits with it (waiting.c). What is known already, and has not changed since
 * (changes.c), is answered without asking.
 */
#ifndef MEMPLUG_FUSE_MOUNT_H
#define MEMPLUG_FUSE_MOUNT_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <memplug/serve.h>
#include <memplug/tree.h>

/* ---- link.c: connections for calls that are answered at once ---- */

struct link {
	struct link *next;
	int fd;
	uint32_t last_id;
	/* The answer to the last call. */
	uint16_t flags;
	size_t size;
	char *data; /* `size` bytes and a NUL */
	char packet[MP_PACKET_MAX + 1];
};

/* Where the machine is served. */
void link_set_path(const char *path);
/* A new connection, greeted; or -errno: -ENOTCONN when no machine answers. */
int link_connect(void);
/* A connection for this thread alone until link_put(), or NULL: no machine (-ENOTCONN). */
struct link *link_get(void);
void link_put(struct link *link);
/*
 * One request and its answer's value; -ENOTCONN: the machine is gone. `object` is
 * for READ: the one that is meant, or 0.
 */
int64_t link_call(struct link *link, enum mp_packet_op op, int64_t value, const char *path,
		  uint64_t object);
/* A packet of `size` bytes in `packet`; its size, or 0: it does not fit. */
size_t link_packet(char *packet, size_t room, const struct mp_packet *head, const char *path,
		   const void *data, size_t count);

/* LIST with the texts of steady files: from `skip` on, as many as go into a packet. */
int64_t link_list(struct link *link, int64_t skip, const char *path);
/* The session whose end ends all waiting for a machine. */
void link_set_session(struct fuse_session *session);

/* ---- changes.c: whether what is known is still so ---- */

/* 0: not known, to be asked for. Else as long as this stays the same nothing has changed. */
uint64_t changes_now(void);
/* The page of the machine behind a new connection; without one everything is asked for. */
void changes_connect(int fd);
/* The machine whose page it is has gone. */
bool changes_are_over(void);
void changes_disconnect(void);

/* ---- texts.c: texts that several open files share ---- */

struct text {
	unsigned int refs; /* atomic */
	size_t size;
	char data[];
};
/* A copy with one reference, or NULL. */
struct text *text_new(const char *data, size_t size);
/* Accept NULL. */
struct text *text_get(struct text *text);
void text_put(struct text *text);
/* A node's text of now, in as many packets as it takes; 0 or -errno. */
struct node;
int text_fetch(const struct node *node, struct text **text);

/* ---- waiting.c: requests that may wait for an operation ---- */

struct waiting;
/* Ends the request towards the kernel. */
typedef void waiting_fn(struct waiting *waiting, int64_t value, const char *data, size_t size);

struct waiting {
	struct waiting *next;
	fuse_req_t req;
	waiting_fn *done;
	void *context;
	pid_t tid;	/* who waits */
	uint32_t id;	/* of the packet */
	bool interrupted, cancelled;
	bool parked;	/* not sent yet, or the machine had no room for it: it is sent again */
	bool ready;	/* the kernel's word of a signal is asked for: from here on it may be answered */
	size_t size;
	char packet[sizeof(struct mp_packet) + 512 + MP_ATTR_SIZE];
};

/* Sends the request; `done` is called once, perhaps before this returns. */
void waiting_start(fuse_req_t req, enum mp_packet_op op, int64_t value, const char *path,
		   const void *data, size_t count, waiting_fn *done, void *context);
/* Ends the connection; what waits is answered. When it returns nothing speaks to the session any more. */
void waiting_stop(void);

/* ---- signals.c: who is interrupted ---- */

/* A signal is pending that ends this thread (MAP-2). */
bool signal_is_fatal(pid_t tid);

/* ---- nodes.c: what the kernel knows by number ---- */

struct node {
	struct node *next;	/* of the same hash */
	uint64_t lookups;	/* the kernel's, and one for each handle */
	uint64_t id;		/* the machine's of this object */
	uint32_t hash;
	uint32_t writers;	/* atomic: open files that write */
	bool alone;		/* found by nobody else who looks the path up */
	/* What is known of it, and under which stamp that was so. */
	struct mp_packet_entry entry;
	uint64_t known;
	struct text *text;	/* a steady file's */
	uint64_t text_stamp;
	struct listing *listing; /* a directory's */
	uint64_t shown;		/* atomic: the stamp of the entries that the kernel keeps, 0: none */
	bool large;		/* a directory whose entries are not kept here */
	char path[];
};

struct node *node_of(fuse_ino_t ino);
fuse_ino_t node_ino(const struct node *node);
/*
 * The node of what lies at a path, one lookup more; NULL without memory. Where
 * somebody may write to it, it is a second one, which may be asked for: the kernel
 * lets nobody else write to the same node meanwhile, nor kill who waits to.
 */
struct node *node_look_up(const char *path, const struct mp_packet_entry *entry, bool alone,
			  uint64_t stamp);
/* It is there, as it was under the stamp; 0 is none. */
void node_set_known(struct node *node, const struct mp_packet_entry *entry, uint64_t stamp);
/* node_look_up() of an entry of a listing under this stamp, and its text (NULL: none). */
struct node *node_learn(const char *path, const struct mp_packet_entry *entry, const char *text,
			size_t size, uint64_t stamp);
/* What is known under this stamp; false: nothing. */
bool node_known(struct node *node, uint64_t stamp, struct mp_packet_entry *entry);
/* Keeps the text; whoever gets it has a reference. */
void node_set_text(struct node *node, struct text *text, uint64_t stamp);
struct text *node_text(struct node *node, uint64_t stamp);
/* The same of a directory's entries; NULL: they are too many to be kept. */
void node_set_listing(struct node *node, struct listing *listing);
struct listing *node_listing(struct node *node, uint64_t stamp);
/* Calls `fn` with the path of each node, without the lock. */
void nodes_for_each(void (*fn)(const char *path));
void node_get(struct node *node);
/* A node of this path, one lookup more; NULL: the kernel knows none. */
struct node *node_find(const char *path);
void node_forget(struct node *node, uint64_t lookups);
/* "PATH/NAME" into `path` of 512 bytes; false: too long. */
bool node_child_path(const struct node *node, const char *name, char *path);

/* ---- notify.c: what the machine tells ---- */

int notify_start(struct fuse_session *session);
/* Before unmounting: the kernel forgets by itself. */
void notify_end(void);
/* After unmounting: nothing is told any more. */
void notify_stop(void);

/* ---- modes.c: what chmod and chown have set ---- */

void modes_apply(uint64_t id, struct stat *st);
/* 0 or -ENOMEM. */
int modes_set(uint64_t id, const struct stat *st);
/* Another machine: its objects have the same numbers. */
void modes_forget(void);

/* ---- fast.c: what needs nobody else ---- */

/* False: the library has to take this request. */
bool fast_answer(struct fuse_session *session, const struct fuse_buf *request);

/* ---- ops.c, files.c, directories.c ---- */

extern const struct fuse_lowlevel_ops mount_ops;
/* What is gone is ESTALE to the kernel, which then looks its path up again; time enough for it. */
#define KEEP_SECONDS 86400
void fill_attr(struct stat *st, const struct mp_packet_entry *entry);
/* Looked up by name: what the kernel may keep, and how long. */
void fill_entry(struct fuse_entry_param *param, const struct node *node,
		const struct mp_packet_entry *entry, uint64_t stamp);
/* One entry of a LIST or STAT at `at`; behind it, or NULL: it is cut. */
const char *entry_parse(const char *at, const char *end, struct mp_packet_entry *entry,
			const char **name, const char **target);

/* This thread was told to look a busy file up again. */
bool looks_up_again(fuse_req_t req);
void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void file_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
		struct fuse_file_info *fi);
void file_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct fuse_pollhandle *poll);
/* An open file; a reference for the kernel, and one for each request that is being answered. */
struct handle;
void handle_put(struct handle *handle);
/* Opens a file to read it; 0 or -errno. */
int file_new_reader(struct node *node, const struct mp_packet_entry *entry, struct handle **handle);
/* The text that a read from this offset gives, with a reference; NULL: the machine is to be asked. */
struct text *file_known_text(struct handle *handle, uint64_t offset);
/* The library has no name for the last flag yet: writers do not lock each other out. */
#define FILE_OPEN_FLAGS (FOPEN_DIRECT_IO | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES)
/* Who polls this path is woken; NULL: whatever it is. */
void files_changed(const char *path);
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* It must still be what it was: 0, or -ESTALE, -ENOTCONN. */
int node_verify(struct node *node, struct mp_packet_entry *entry);

/* ---- listing.c: the entries of a directory under a stamp ---- */

struct listing {
	unsigned int refs; /* atomic */
	uint64_t stamp;
	size_t size, count;
	const char **at; /* each entry, in the order of names */
	char *entries;	 /* as the machine sent them */
};
/* All entries; 0 or -errno. */
int listing_fetch(const char *path, struct listing **listing);
/* Those of a directory that has few, as they are under this stamp; NULL: it has many, or they cannot be had. */
struct listing *listing_of(struct node *directory, uint64_t stamp);
void listing_put(struct listing *listing);
/* The entry of that name and its text (NULL: none); false: there is none. */
bool listing_find(const struct listing *listing, const char *name, struct mp_packet_entry *entry,
		  const char **text, uint32_t *size);
/* Of the entry at `at`; behind it, or NULL: it is cut. */
const char *listing_entry(const char *at, const char *end, struct mp_packet_entry *entry,
			  const char **name, const char **text, uint32_t *size);
void directory_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void directory_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi);
void directory_read_plus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			 struct fuse_file_info *fi);
void directory_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif
