// SPDX-License-Identifier: MIT
/*
 * The machine's count of changes, in a page of its own that is mapped here for
 * reading: what was asked for under a stamp is as good as asked for now as long as the
 * stamp is the same. notify.c brings the page of each machine that it finds;
 * the address stays, so that nobody needs a lock to look.
 */
#include "mount.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE_BYTES 4096

/* Until there is one: a machine that has gone. */
static const struct mp_changes none = { .begun = MP_CHANGES_OVER };
static const struct mp_changes *page = &none;
/* Atomic: number of the machine whose page is there, 0: none. */
static uint64_t machine;

uint64_t changes_now(void)
{
	uint64_t number = __atomic_load_n(&machine, __ATOMIC_ACQUIRE), begun, ended;

	if (!number)
		return 0;
	/* In this order: alike, nothing was under way when `ended` was loaded. */
	ended = __atomic_load_n(&page->ended, __ATOMIC_ACQUIRE);
	begun = __atomic_load_n(&page->begun, __ATOMIC_ACQUIRE);
	if (begun != ended || __atomic_load_n(&machine, __ATOMIC_ACQUIRE) != number)
		return 0;
	return number << 48 | begun;
}

bool changes_are_over(void)
{
	return __atomic_load_n(&page->begun, __ATOMIC_ACQUIRE) == MP_CHANGES_OVER;
}

/* Its descriptor, or -1. */
static int ask_for_page(int fd)
{
	struct mp_packet head = { .op = MP_PACKET_CHANGES };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec data = { &head, sizeof(head) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };
	struct cmsghdr *passed;
	int result = -1;
	ssize_t n;

	if (send(fd, &head, sizeof(head), MSG_NOSIGNAL) < 0)
		return -1;
	do
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	passed = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
	if (passed && passed->cmsg_level == SOL_SOCKET && passed->cmsg_type == SCM_RIGHTS &&
	    passed->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&result, CMSG_DATA(passed), sizeof(result));
	return result;
}

void changes_connect(int fd)
{
	static uint64_t last;
	int file = ask_for_page(fd);
	void *at;

	if (file < 0)
		return;
	at = mmap(page != &none ? (void *)page : NULL, PAGE_BYTES, PROT_READ, MAP_SHARED | (page != &none ? MAP_FIXED : 0), file, 0);
	close(file);
	if (at == MAP_FAILED)
		return;
	page = at;
	last = last % 0xffff + 1;
	__atomic_store_n(&machine, last, __ATOMIC_RELEASE);
}

void changes_disconnect(void)
{
	__atomic_store_n(&machine, 0, __ATOMIC_RELEASE);
}
