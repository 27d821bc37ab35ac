/* SPDX-License-Identifier: MIT */
/*
 * A VMM's memory, shared with a device in another process. Each block that goes online is a file whose
 * descriptor the device gets over a socket, before the guest may use it; a block that is to leave leaves
 * only when the device has answered that it no longer maps it. Meanwhile the guest reads from its disk all
 * the time. `lock` makes a request and its answer one step, as vhost-user has them.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/gfp.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <memplug/memplug.h>

#define BLOCK (16UL << 20)
#define BOOT_BLOCKS 4
#define FIRST_HOT 256UL
#define END_HOT (FIRST_HOT + 3)

struct request {
	enum { ADD, REMOVE, BEGIN, END } what; /* BEGIN, END: a transfer, which fills a page with `value` */
	int value;
	uint64_t address, offset; /* ADD: the block there is the descriptor's file from `offset` on */
};

/* ---- the device: knows nothing of memplug, a block is a file and an offset ---- */

static struct region {
	char *at; /* NULL: not mapped */
	int transfers; /* begun and not ended */
} regions[END_HOT];

static int serve(const struct request *request, int fd)
{
	struct region *r = &regions[request->address / BLOCK];
	void *at;

	switch (request->what) {
	case ADD: /* unless it was told before */
		at = r->at ?: mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)request->offset);
		if (at == MAP_FAILED)
			return -errno;
		r->at = at;
		return 0;
	case REMOVE:
		if (r->transfers)
			return -EBUSY;
		if (r->at)
			munmap(r->at, BLOCK);
		r->at = NULL;
		return 0;
	default:
		if (!r->at)
			return -EFAULT; /* a guest's address without memory: touch nothing else */
		if (request->what == END)
			memset(r->at + request->address % BLOCK, request->value, PAGE_SIZE);
		r->transfers += request->what == BEGIN ? 1 : -1;
		return 0;
	}
}

/* Until the front end ends. The number of blocks that it still maps. */
static int device_process(int channel)
{
	struct request request;
	struct iovec part = { &request, sizeof(request) };
	char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = space };
	int answer, fd, left = 0;

	while (packet.msg_controllen = sizeof(space), recvmsg(channel, &packet, 0) == sizeof(request)) {
		fd = CMSG_FIRSTHDR(&packet) ? *(int *)CMSG_DATA(CMSG_FIRSTHDR(&packet)) : -1;
		answer = request.address / BLOCK < END_HOT ? serve(&request, fd) : -EFAULT;
		if (fd >= 0)
			close(fd); /* the mapping has its own reference */
		send(channel, &answer, sizeof(answer), MSG_NOSIGNAL);
	}
	for (struct region *r = regions; r < regions + END_HOT; r++)
		left += r->at != NULL;
	return left;
}

/* ---- the front end: blocks come and go ---- */

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int channel;
static unsigned long wrong, refused; /* under the lock */
static unsigned long reads;	     /* atomic, as is stop */
static bool stop;
static int failed; /* what the operator asked for and did not get */

/* `fd`: -1, or one that goes along. The answer; -EPIPE: the device has ended, so it maps nothing any more. */
static int ask(struct request request, int fd)
{
	struct iovec part = { &request, sizeof(request) };
	char space[CMSG_SPACE(sizeof(fd))] __attribute__((aligned(8)));
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	int answer;

	if (fd >= 0) {
		packet.msg_control = space;
		packet.msg_controllen = sizeof(space);
		*CMSG_FIRSTHDR(&packet) = (struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
		*(int *)CMSG_DATA(CMSG_FIRSTHDR(&packet)) = fd;
	}
	pthread_mutex_lock(&lock);
	if (sendmsg(channel, &packet, MSG_NOSIGNAL) < 0 || recv(channel, &answer, sizeof(answer), 0) <= 0)
		answer = -EPIPE;
	refused += answer == -EBUSY;
	pthread_mutex_unlock(&lock);
	return answer;
}

static int tell_added(unsigned long start)
{
	struct request request = { .what = ADD, .address = start };
	int fd = mp_block_fd((long)(start / BLOCK), &request.offset), answer;

	if (fd < 0)
		return fd;
	answer = ask(request, fd);
	close(fd);
	return answer;
}

static int device_memory(struct notifier_block *self, unsigned long action, void *arg)
{
	unsigned long start = ((struct memory_notify *)arg)->start_pfn << PAGE_SHIFT;
	int ret = 0;

	(void)self;
	if (action == MEM_GOING_ONLINE || action == MEM_CANCEL_OFFLINE) /* no page is given out yet */
		ret = tell_added(start);
	if (action == MEM_GOING_OFFLINE || action == MEM_CANCEL_ONLINE) /* no page is given out any more */
		ret = ask((struct request){ .what = REMOVE, .address = start }, -1);
	return notifier_from_errno(ret == -EPIPE && action == MEM_GOING_OFFLINE ? 0 : ret);
}

static void set_state(unsigned long block, const char *state, int expected)
{
	struct mp_reason reason;
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%lu/state", block);
	ret = min(mp_write_string(path, state), 0);
	printf("memory%lu %s: %s; %lld KiB of the host's\n", block, state,
	       ret && !mp_last_reason(&reason) ? reason.text : "done",
	       (long long)mp_block_resident((long)block) >> 10);
	failed += ret != expected;
}

/* ---- the guest: takes a page, has a sector read into it, looks whether it is right ---- */

static void read_sector(int value, bool slow)
{
	struct request request = { .what = BEGIN, .value = value };
	struct page *page;
	const char *at;

	/* A page taken and a transfer begun are one step: none is on its way to a block that has left. */
	pthread_mutex_lock(&lock);
	page = alloc_page(GFP_HIGHUSER_MOVABLE);
	request.address = page_to_phys(page);
	at = page_address(page);
	wrong += ask(request, -1) != 0;
	if (slow) { /* until the disk has answered the block cannot leave, whoever asks */
		pthread_mutex_unlock(&lock);
		set_state(request.address / BLOCK, "offline", -EBUSY);
		pthread_mutex_lock(&lock);
	}
	request.what = END;
	wrong += ask(request, -1) != 0;
	wrong += at[0] != (char)value || memcmp(at, at + 1, PAGE_SIZE - 1);
	pthread_mutex_unlock(&lock);
	__free_page(page);
	__atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
}

static void *guest(void *arg)
{
	for (int i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++)
		read_sector(1 + i % 255, false);
	return arg;
}

int main(void)
{
	struct mp_desc *desc = mp_desc_new();
	int pair[2], status = -1, ret;
	pthread_t thread;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return 1;
	if (fork() == 0) { /* before there is a machine: the device needs none */
		close(pair[0]);
		_exit(device_process(pair[1]));
	}
	close(pair[1]);
	channel = pair[0];
	mp_desc_parse(desc, "node 0\ncpu 0 node 0\nram 0 64M node 0\nblock = 16M\n", "vmm-memory");
	ret = mp_boot(desc);
	mp_desc_free(desc);
	for (unsigned long b = 0; b < BOOT_BLOCKS; b++)
		ret = ret ?: tell_added(b * BLOCK);
	ret = ret ?: hotplug_memory_notifier(device_memory, 0);
	ret = ret ?: add_memory(0, FIRST_HOT * BLOCK, (END_HOT - FIRST_HOT) * BLOCK, MHP_NONE);
	if (ret || pthread_create(&thread, NULL, guest, NULL))
		return 1;
	for (unsigned long round = 0; round < 4; round++) {
		for (unsigned long b = FIRST_HOT; b < END_HOT; b++)
			set_state(b, "online_movable", 0);
		if (round == 0)
			read_sector(42, true);
		while (__atomic_load_n(&reads, __ATOMIC_RELAXED) < 100 * (round + 1))
			sched_yield();
		for (unsigned long b = FIRST_HOT; b < END_HOT; b++)
			set_state(b, "offline", 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(channel);
	wait(&status);
	printf("%lu sectors read, %lu wrong; the device refused %lu request, and maps %d blocks at the end\n",
	       reads, wrong, refused, WEXITSTATUS(status));
	return failed || wrong || refused != 1 || !WIFEXITED(status) || WEXITSTATUS(status) != BOOT_BLOCKS;
}
