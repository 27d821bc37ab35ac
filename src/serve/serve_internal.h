/* SPDX-License-Identifier: MIT */
/* What the parts of the socket door share: clients, requests, news. */
#ifndef MEMPLUG_SERVE_INTERNAL_H
#define MEMPLUG_SERVE_INTERNAL_H

#include <linux/types.h>
#include <memplug/serve.h>
#include <memplug/tree.h>

#define MAX_CLIENTS 32
#define MAX_PATH 512

struct client {
	int fd; /* -1: free */
	/* watch.c: what it wants to hear, and where it has come to */
	u32 watch, watch_id;
	bool full; /* it takes no more for now */
	u64 lost;
	u64 ring, uevent;
	/* look.c: the file whose text it reads in pieces; they are of one moment */
	struct mp_file *file;
	char file_path[MAX_PATH];
	s64 file_next;
};

/* ---- clients.c: packets in and out; the I/O thread's, like the two below ---- */

extern struct client clients[MAX_CLIENTS];
/* An answer's payload is written here, behind a header that client_answer() fills in. */
extern char packet_out[MP_PACKET_MAX];
#define PAYLOAD (MP_PACKET_MAX - sizeof(struct mp_packet))

/* False: nobody can be taken now, as long as the process is short of descriptors or memory. */
bool client_accept(int listener);
/* What poll() says of it. */
void client_serve(struct client *client, short events);
void client_close(struct client *client);
/* `size` bytes of payload. A client that does not take answers is closed. */
void client_answer(struct client *client, const struct mp_packet *request, s64 value,
		   unsigned int flags, size_t size);
/* The answers that the workers have ready. */
void clients_deliver(void);

/* ---- look.c: what is answered at once ---- */

void look_list(struct client *client, const struct mp_packet *request, const char *path);
void look_stat(struct client *client, const struct mp_packet *request, const char *path);
void look_read(struct client *client, const struct mp_packet *request, const char *path, u64 object);
/* The text is there already, of the file that this client reads. */
bool look_goes_on(const struct client *client, const struct mp_packet *request, const char *path);
void look_close(struct client *client);

/* ---- watch.c: news for clients ---- */

void watch_begin(struct client *client, const struct mp_packet *request);
/* To be called before looking for news. */
void watch_any(void);
/* All news that it takes. */
void watch_tell(struct client *client);

/* ---- requests.c: what may wait, a fixed number of it ---- */

struct reply {
	struct mp_packet packet;
	u32 size; /* of data */
	char data[MP_ATTR_SIZE];
	/* A text that goes on behind `next`, to be read on without waiting; the receiver closes it. */
	struct mp_file *file;
	s64 next;
	char path[MAX_PATH];
};

/* Starts the threads; they write to the eventfd when something is done. 0 or -errno. */
int requests_start(unsigned int workers, int eventfd);
/* Cancels all, waits for what runs, ends the threads. */
void requests_stop(void);
/* Queues a READ or WRITE of a client; path and data are copied. 0, or -EAGAIN: too many wait. */
int requests_add(unsigned int client, const struct mp_packet *packet, const char *path, u64 object,
		 const char *data, size_t size);
/*
 * One that waits is answered -EINTR, unless only what runs is meant; one that
 * runs is interrupted. 0 or -ENOENT.
 */
int requests_cancel(unsigned int client, u32 id, bool only_running);
/* The client is gone: cancels all of its requests, whose replies nobody gets. */
void requests_drop(unsigned int client);
/* The next reply that is ready, and whose; false: none. */
bool requests_done(unsigned int *client, struct reply *reply);
void requests_forget(void); /* fork child */

/* ---- news.c: what happens, from the threads that do it to the I/O thread ---- */

int news_start(int eventfd);
void news_stop(void);
void news_forget(void); /* fork child */
/* Whether anybody watches: nothing is woken otherwise. To be called again before looking for news. */
void news_wanted(bool yes);
/* The uevent with this number, its text and size; 1, 0: not there yet; *number is set to the oldest. */
int news_uevent(u64 *number, char *text, size_t *size);
u64 news_uevent_next(void);
#define NEWS_TEXT 2048

#endif
