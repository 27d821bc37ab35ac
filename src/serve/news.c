// SPDX-License-Identifier: MIT
/*
 * News for watchers: the ring tells that it has a new record, uevents are kept
 * as text, the last megabyte of them. news.lock guards those, news.gate the
 * descriptor while somebody writes to it; nobody waits for a watcher.
 */
#include <linux/errno.h>
#include <linux/mutex.h>
#include <string.h>
#include "os/os.h"
#include "report/report.h"
#include "serve/serve_internal.h"
#include "sync/futex.h"

#define UEVENTS 8192u	      /* of about 130 bytes each: */
#define UEVENT_BYTES (1u << 20)

static struct {
	struct mutex lock;
	u32 gate;
	int eventfd; /* -1: closed */
	u32 armed;   /* atomic: the I/O thread sleeps, and wants to know of the next news */
	/* Numbers of the oldest uevent that is kept and of the next one; the first is 1. */
	u64 oldest, next;
	u64 end; /* of the text of the last one, counted from the first byte of all */
	struct {
		u64 at;
		size_t size;
	} kept[UEVENTS];
	char text[UEVENT_BYTES];
} news = { .lock = __MUTEX_INITIALIZER(news), .eventfd = -1, .oldest = 1, .next = 1 };

/*
 * Both sides exchange `armed`: whoever comes second sees what the first one did
 * before, so either the I/O thread finds the news or it is woken. Taken with
 * the smallest lock: a wait for it is no record of the ring, which calls this.
 */
static void wake(void)
{
	static const u64 one = 1;

	if (!__atomic_exchange_n(&news.armed, 0, __ATOMIC_ACQ_REL))
		return;
	futex_lock(&news.gate);
	if (news.eventfd >= 0)
		os_write(news.eventfd, &one, sizeof(one));
	futex_unlock(&news.gate);
}

static void set_eventfd(int eventfd)
{
	futex_lock(&news.gate);
	news.eventfd = eventfd;
	futex_unlock(&news.gate);
}

/* Lock held. Each text is in one piece; the oldest ones give way. */
static void keep(const char *text, size_t size)
{
	u64 at = news.end;

	if (at % UEVENT_BYTES + size > UEVENT_BYTES)
		at += UEVENT_BYTES - at % UEVENT_BYTES;
	news.end = at + size;
	while (news.oldest < news.next && (news.next - news.oldest == UEVENTS ||
					   news.end - news.kept[news.oldest % UEVENTS].at > UEVENT_BYTES))
		news.oldest++;
	news.kept[news.next % UEVENTS].at = at;
	news.kept[news.next % UEVENTS].size = size;
	memcpy(news.text + at % UEVENT_BYTES, text, size);
	news.next++;
}

static void on_uevent(const char *text, size_t size, void *arg)
{
	(void)arg;
	mutex_lock(&news.lock);
	keep(text, size < NEWS_TEXT ? size : NEWS_TEXT);
	mutex_unlock(&news.lock);
	wake();
}

int news_start(int eventfd)
{
	int error;

	mp_mutex_init(&news.lock, "news");
	news_wanted(false);
	error = mp_uevent_listen(on_uevent, NULL);
	if (error)
		return error;
	set_eventfd(eventfd);
	__atomic_store_n(&ring_wake_hook, wake, __ATOMIC_RELEASE);
	return 0;
}

/* Returns when nobody is about to write to the descriptor. */
void news_stop(void)
{
	mp_uevent_unlisten(on_uevent, NULL);
	__atomic_store_n(&ring_wake_hook, NULL, __ATOMIC_RELEASE);
	news_wanted(false);
	set_eventfd(-1);
}

void news_forget(void)
{
	mp_mutex_init(&news.lock, "news");
	news.gate = 0;
	news_stop();
}

void news_wanted(bool yes)
{
	__atomic_exchange_n(&news.armed, yes, __ATOMIC_ACQ_REL);
}

u64 news_uevent_next(void)
{
	u64 next;

	mutex_lock(&news.lock);
	next = news.next;
	mutex_unlock(&news.lock);
	return next;
}

int news_uevent(u64 *number, char *text, size_t *size)
{
	int there;

	mutex_lock(&news.lock);
	if (*number < news.oldest)
		*number = news.oldest;
	there = *number < news.next;
	if (there) {
		*size = news.kept[*number % UEVENTS].size;
		memcpy(text, news.text + news.kept[*number % UEVENTS].at % UEVENT_BYTES, *size);
	}
	mutex_unlock(&news.lock);
	return there;
}
