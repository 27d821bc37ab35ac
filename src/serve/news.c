// SPDX-License-Identifier: MIT
/*
 * News for watchers: the ring tells that it has a new record, uevents are kept
 * as text, the last UEVENTS of them. news.lock guards those, news.gate the
 * descriptor while somebody writes to it; nobody waits for a watcher.
 */
#include <linux/errno.h>
#include <linux/mutex.h>
#include <string.h>
#include "os/os.h"
#include "report/report.h"
#include "serve/serve_internal.h"
#include "sync/futex.h"

#define UEVENTS 128u

static struct {
	struct mutex lock;
	u32 gate;
	int eventfd; /* -1: closed */
	u32 armed;   /* atomic: the I/O thread sleeps, and wants to know of the next news */
	u64 next;	   /* number of the next uevent; the first is 1 */
	struct {
		size_t size;
		char text[NEWS_TEXT];
	} kept[UEVENTS];
} news = { .lock = __MUTEX_INITIALIZER(news), .eventfd = -1, .next = 1 };

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

static void on_uevent(const char *text, size_t size, void *arg)
{
	(void)arg;
	mutex_lock(&news.lock);
	news.kept[news.next % UEVENTS].size = size < NEWS_TEXT ? size : NEWS_TEXT;
	memcpy(news.kept[news.next % UEVENTS].text, text, size < NEWS_TEXT ? size : NEWS_TEXT);
	news.next++;
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
	if (*number + UEVENTS < news.next)
		*number = news.next - UEVENTS;
	there = *number < news.next;
	if (there) {
		*size = news.kept[*number % UEVENTS].size;
		memcpy(text, news.kept[*number % UEVENTS].text, *size);
	}
	mutex_unlock(&news.lock);
	return there;
}
