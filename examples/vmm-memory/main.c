/* SPDX-License-Identifier: MIT */
/*
 * A VMM's memory, shared with a device in another process. Each block that goes online is a file whose
 * descriptor the device gets over a socket, before the guest may use it; a block that is to leave leaves
 * only when the device has answered that it no longer maps it. Meanwhile the guest reads from its disk all
 * the time. device.c is the other process; channel.lock makes a request and its answer one step.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/gfp.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <memplug/memplug.h>

#include "channel.h"

#define MIB (1UL << 20)
#define HOT (4096 * MIB)
#define HOT_BLOCK 256UL /* of 16 MiB, at HOT */

static struct {
	pthread_mutex_t lock;
	int fd;
} channel = { .lock = PTHREAD_MUTEX_INITIALIZER };
static unsigned long reads, wrong, added, removed, refused;
static int stop;

/* Lock held. The device's answer; when its process is gone the kernel has unmapped all: -EPIPE. */
static int ask(enum request request, uint64_t address, uint64_t size, uint64_t offset, uint64_t value, int fd)
{
	struct message message = { request, 0, address, size, offset, value };
	int ret = channel_send(channel.fd, &message, fd), none;

	if (!ret)
		ret = channel_receive(channel.fd, &message, &none);
	return ret <= 0 ? -EPIPE : message.answer;
}

/* ---- blocks come and go ---- */

static int tell_added(unsigned long start)
{
	uint64_t offset;
	int fd = mp_block_fd((long)(start / memory_block_size_bytes()), &offset), ret;

	if (fd < 0)
		return fd;
	pthread_mutex_lock(&channel.lock);
	ret = ask(ADD, start, memory_block_size_bytes(), offset, 0, fd);
	pthread_mutex_unlock(&channel.lock);
	close(fd);
	added += !ret;
	return ret;
}

/* 0: nobody maps it any more. */
static int tell_removed(unsigned long start)
{
	int ret;

	pthread_mutex_lock(&channel.lock);
	ret = ask(REMOVE, start, 0, 0, 0, -1);
	pthread_mutex_unlock(&channel.lock);
	removed += !ret;
	refused += ret == -EBUSY;
	return ret == -EPIPE ? 0 : ret;
}

static int device_memory(struct notifier_block *self, unsigned long action, void *arg)
{
	const struct memory_notify *mem = arg;
	unsigned long start = mem->start_pfn << 12;

	(void)self;
	switch (action) {
	case MEM_GOING_ONLINE: /* before the first page of it can be anybody's */
		return notifier_from_errno(tell_added(start));
	case MEM_GOING_OFFLINE: /* no page of it is given out any more */
		return notifier_from_errno(tell_removed(start));
	case MEM_CANCEL_OFFLINE: /* it stays, so the device needs it again */
		return notifier_from_errno(tell_added(start));
	case MEM_CANCEL_ONLINE:
		tell_removed(start);
	}
	return NOTIFY_OK;
}

/* ---- the guest: takes a page, reads a sector into it, looks whether it is right ---- */

static bool holds(struct page *page, uint64_t sector)
{
	const uint64_t *word = page_address(page);

	for (uint64_t i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		if (word[i] != disk_word(sector, i))
			return false;
	return true;
}

static void *guest(void *arg)
{
	for (uint64_t sector = 1; !__atomic_load_n(&stop, __ATOMIC_RELAXED); sector++) {
		struct page *page;
		int ret;

		/* A page taken and a request sent are one step, so none is on its way to a block that left. */
		pthread_mutex_lock(&channel.lock);
		page = alloc_page(GFP_HIGHUSER_MOVABLE);
		ret = page ? ask(FILL, page_to_phys(page), PAGE_SIZE, 0, sector, -1) : -ENOMEM;
		pthread_mutex_unlock(&channel.lock);
		wrong += ret || !holds(page, sector);
		reads++;
		if (page)
			__free_page(page);
	}
	return arg;
}

/* ---- the operator ---- */

static int set_state(unsigned long block, const char *state)
{
	struct mp_reason reason;
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%lu/state", block);
	ret = mp_write_string(path, state);
	if (ret < 0 && !mp_last_reason(&reason))
		printf("memory%lu stays: %s\n", block, reason.text);
	else
		printf("memory%lu %s, %lld MiB of the host's\n", block, state,
		       (long long)mp_block_resident((long)block) >> 20);
	return ret < 0 ? ret : 0;
}

static int boot(void)
{
	struct mp_desc *desc = mp_desc_new();
	int ret;

	mp_desc_parse(desc, "node 0\ncpu 0 node 0\nram 0 64M node 0\nblock = 16M\n", "vmm-memory");
	ret = mp_boot(desc);
	mp_desc_free(desc);
	for (unsigned long start = 0; !ret && start < 64 * MIB; start += 16 * MIB)
		ret = tell_added(start);
	return ret ?: hotplug_memory_notifier(device_memory, 0);
}

static int slow_transfer(enum request request, struct page *page)
{
	int ret;

	pthread_mutex_lock(&channel.lock);
	ret = ask(request, page_to_phys(page), PAGE_SIZE, 0, 42, -1);
	pthread_mutex_unlock(&channel.lock);
	return ret;
}

/* While a slow transfer into a page is under way its block cannot leave, whoever asks. */
static int try_during_transfer(void)
{
	struct page *page = alloc_page(GFP_HIGHUSER_MOVABLE);
	int ret = page ? slow_transfer(BEGIN, page) : -ENOMEM, refusal;

	if (ret)
		return ret;
	refusal = set_state(page_to_phys(page) / memory_block_size_bytes(), "offline");
	ret = slow_transfer(END, page);
	wrong += !holds(page, 42);
	__free_page(page);
	return ret ?: refusal == -EBUSY ? 0 : -EPROTO;
}

static int operate(void)
{
	int ret = add_memory(0, HOT, 48 * MIB, MHP_NONE);

	for (unsigned long b = HOT_BLOCK; !ret && b < HOT_BLOCK + 3; b++)
		ret = set_state(b, "online_movable");
	ret = ret ?: try_during_transfer();
	for (int round = 0; round < 3 && !ret; round++)
		for (unsigned long b = HOT_BLOCK; !ret && b < HOT_BLOCK + 3; b++)
			ret = set_state(b, "offline") ?: mp_block_resident((long)b) ? -EAGAIN :
							 set_state(b, "online_movable");
	for (unsigned long b = HOT_BLOCK; !ret && b < HOT_BLOCK + 3; b++)
		ret = set_state(b, "offline");
	return ret;
}

int main(void)
{
	pthread_t thread;
	int pair[2], ret, status = -1;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return 1;
	pid = fork(); /* before there is a machine: the device needs none */
	if (pid == 0) {
		close(pair[0]);
		_exit(device_process(pair[1]));
	}
	close(pair[1]);
	channel.fd = pair[0];
	ret = pid < 0 ? -errno : boot();
	if (ret || pthread_create(&thread, NULL, guest, NULL))
		return 1;
	ret = operate();
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	close(channel.fd);
	waitpid(pid, &status, 0);
	/* Boot memory's four blocks are what the device still maps. */
	printf("%lu sectors read, %lu wrong; the device was given %lu blocks, gave up %lu, kept %lu while it wrote; "
	       "%d left at the end\n", reads, wrong, added, removed, refused, WEXITSTATUS(status));
	return ret || wrong || !reads || refused != 1 || !WIFEXITED(status) || WEXITSTATUS(status) != 4;
}
