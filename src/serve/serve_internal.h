/* SPDX-License-Identifier: MIT */
/* What the parts of the socket door share: clients, requests, news. */
#ifndef MEMPLUG_SERVE_INTERNAL_H
#define MEMPLUG_SERVE_INTERNAL_H

#include <linux/types.h>
#include <memplug/serve.h>
#include <memplug/tree.h>

#define MAX_CLIENTS 32
#define MAX_PATH 512

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
