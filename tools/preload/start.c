/* SPDX-License-Identifier: MIT */
/* Before main() and after it: the machine comes, and its socket goes. No state. */
#include "preload.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As a shell says it of a command that it cannot run. */
#define EXIT_CANNOT 125

static int start(void)
{
	if (!config_read() || !config_wanted())
		return 0;
	if (region_init(config.memory)) {
		say("no %llu MiB of addresses in one piece: is address space limited (ulimit -v)?",
		    (unsigned long long)config.memory >> 20);
		return -ENOMEM;
	}
	return machine_start();
}

__attribute__((constructor)) static void preload_start(void)
{
	enum thread_kind kind = thread_kind;
	int error;

	if (!front.malloc)
		front_find();
	thread_kind = THREAD_SERVICE;
	error = start();
	thread_kind = kind;
	if (error && config.first)
		_exit(EXIT_CANNOT);
	front_forks();
	if (machine_here()) {
		front_start();
		direct_look();
	}
}

/* Whoever leaves the session of its parent is to be a daemon. */
EXPORT pid_t setsid(void)
{
	machine_wants_own();
	return (pid_t)syscall(SYS_setsid);
}

__attribute__((destructor)) static void preload_end(void)
{
	machine_end();
}
