// SPDX-License-Identifier: MIT
/*
 * News for watchers: the ring tells that it has a new record, uevents are kept
 * as text, the last UEVENTS of them. news.lock guards those; nobody waits for
 * a watcher.
 */
#include <linux/errno.h>
#include <linux/mutex.h>
#include <string.h>
#include "os/os.h"
#include "report/report.h"
#include "serve/serve_internal.h"

#define UEVENTS 128u

static struct {
	struct mutex lock;
	int eventfd;
	u32 wanted, woken; /* atomic */
	u64 next;	   /* number of the next uevent; the first is 1 */
	struct {
		size_t size;
		char text[NEWS_TEXT];
	} kept[UEVENTS];
} news = { .lock = __MUTEX_INITIALIZER(news), .next = 1 };

static void wake(void)
{
	static const u64 one = 1;

	/* Once until the I/O thread has looked. */
	if (__atomic_load_n(&news.wanted, __ATOMIC_ACQUIRE) &&
	    !__atomic_exchange_n(&news.woken, 1, __ATOMIC_ACQ_REL))
		os_write(news.eventfd, &one, sizeof(one));
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
	mp_mutex_init(&news.lock, "news");
	news.eventfd = eventfd;
	news.wanted = 0;
	news.woken = 0;
	__atomic_store_n(&ring_wake_hook, wake, __ATOMIC_RELEASE);
	return mp_uevent_listen(on_uevent, NULL);
}

void news_stop(void)
{
	mp_uevent_unlisten(on_uevent, NULL);
	news_wanted(false);
	__atomic_store_n(&ring_wake_hook, NULL, __ATOMIC_RELEASE);
}

void news_wanted(bool yes)
{
	__atomic_store_n(&news.wanted, yes, __ATOMIC_RELEASE);
	__atomic_store_n(&news.woken, 0, __ATOMIC_RELEASE);
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
