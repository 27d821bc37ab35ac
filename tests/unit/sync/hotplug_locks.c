/* SPDX-License-Identifier: MIT */
/* device_hotplug_lock, device locks, mem_hotplug_lock and cpu_hotplug_lock, without a machine. */
#include "machine.h"

#include <linux/cpu.h>
#include <linux/device.h>

static int signals;

static void on_signal(int number)
{
	__atomic_fetch_add(&signals, 1, __ATOMIC_SEQ_CST);
}

static void interrupt(struct worker *worker)
{
	int before = __atomic_load_n(&signals, __ATOMIC_SEQ_CST);

	CHECK_EQ(pthread_kill(worker->thread, SIGUSR1), 0);
	AWAIT(__atomic_load_n(&signals, __ATOMIC_SEQ_CST) > before);
	worker_await_sleep(worker);
}

static void handle_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
}

static int inside;

static long use_device_hotplug(void *unused)
{
	lock_device_hotplug();
	__atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
	unlock_device_hotplug();
	return 0;
}

TEST(LOCK_1, "device_hotplug_lock is one lock; no signal ends the wait for it")
{
	struct worker worker;

	handle_signals();
	lock_device_hotplug();
	worker_start(&worker, use_device_hotplug, NULL);
	worker_await_sleep(&worker);
	interrupt(&worker);
	CHECK_EQ(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 0);
	unlock_device_hotplug();
	worker_join(&worker);
	CHECK_EQ(inside, 1);
}

static long use_device(void *dev)
{
	device_lock(dev);
	device_unlock(dev);
	return 0;
}

TEST(LOCK_2, "each device has its own lock")
{
	struct device first = { 0 }, second = { 0 };
	struct worker worker;

	device_initialize(&first);
	device_initialize(&second);
	device_lock(&first);
	worker_start(&worker, use_device, &second);
	worker_join(&worker);
	worker_start(&worker, use_device, &first);
	worker_await_sleep(&worker);
	device_unlock(&first);
	worker_join(&worker);
	device_lock(&second);
	device_unlock(&second);
	CHECK_EQ(fatals(), 0);
}

static long hotplug(void *unused)
{
	mem_hotplug_begin();
	__atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
	mem_hotplug_done();
	return 0;
}

static long read_memory(void *unused)
{
	get_online_mems();
	__atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
	put_online_mems();
	return 0;
}

static long read_cpus(void *unused)
{
	cpus_read_lock();
	cpus_read_unlock();
	return 0;
}

static long write_cpus(void *unused)
{
	cpus_write_lock();
	cpus_write_unlock();
	return 0;
}

TEST(LOCK_3, "get_online_mems is the shared side of mem_hotplug_lock")
{
	struct worker worker;

	CHECK_EQ(mp_mem_hotplug_lock.slot, 0);
	get_online_mems();
	CHECK(percpu_is_read_locked(&mp_mem_hotplug_lock));
	worker_start(&worker, read_memory, NULL);
	worker_join(&worker);
	put_online_mems();
	CHECK(!percpu_is_read_locked(&mp_mem_hotplug_lock));
	mem_hotplug_begin();
	CHECK(percpu_is_write_locked(&mp_mem_hotplug_lock));
	mem_hotplug_done();
	CHECK(!percpu_is_write_locked(&mp_mem_hotplug_lock));
}

TEST(LOCK_4, "memory hotplug holds cpu_hotplug_lock shared around mem_hotplug_lock")
{
	struct worker worker, cpus;

	mem_hotplug_begin();
	/* Shared: others may share it, a CPU may not come or go. */
	worker_start(&worker, read_cpus, NULL);
	worker_join(&worker);
	worker_start(&cpus, write_cpus, NULL);
	worker_await_sleep(&cpus);
	mem_hotplug_done();
	worker_join(&cpus);

	/* While a CPU comes or goes, memory hotplug has not even claimed its own lock. */
	cpus_write_lock();
	worker_start(&worker, hotplug, NULL);
	worker_await_sleep(&worker);
	CHECK(!percpu_is_write_locked(&mp_mem_hotplug_lock));
	cpus_write_unlock();
	worker_join(&worker);
}

TEST(LOCK_22, "a long read section delays hotplug and hotplug delays readers; no signal ends either wait")
{
	struct worker writer, reader;

	handle_signals();
	get_online_mems();
	worker_start(&writer, hotplug, NULL);
	worker_await_sleep(&writer);
	/* New readers wait from the moment that hotplug has begun. */
	worker_start(&reader, read_memory, NULL);
	worker_await_sleep(&reader);
	interrupt(&writer);
	interrupt(&reader);
	CHECK_EQ(__atomic_load_n(&inside, __ATOMIC_SEQ_CST), 0);
	put_online_mems();
	worker_join(&writer);
	worker_join(&reader);

	mem_hotplug_begin();
	worker_start(&reader, read_memory, NULL);
	worker_await_sleep(&reader);
	interrupt(&reader);
	mem_hotplug_done();
	worker_join(&reader);
}

static __attribute__((noinline)) void outer_place(void)
{
	mem_hotplug_begin();
	__asm__ volatile("# outer");
}

static __attribute__((noinline)) void inner_place(void)
{
	mem_hotplug_begin();
	__asm__ volatile("# inner");
}

TEST(begin_inside_begin, "is fatal with both places, and its pair counts for nothing")
{
	struct worker worker;

	allow_fatal();
	outer_place();
	inner_place();
	CHECK_EQ(fatals(), 1);
	CHECK(strstr(fatal_text(), "outer_place"));
	CHECK(strstr(fatal_text(), "inner_place"));
	mem_hotplug_done();
	CHECK(percpu_is_write_locked(&mp_mem_hotplug_lock));
	mem_hotplug_done();
	CHECK(!percpu_is_write_locked(&mp_mem_hotplug_lock));
	worker_start(&worker, write_cpus, NULL);
	worker_join(&worker);
	CHECK_EQ(fatals(), 1);
}
