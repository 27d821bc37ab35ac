/* SPDX-License-Identifier: MIT */
/*
 * The program's machine: its first block at start, the others one by one when
 * memory is short, until all that the operator allowed has been there. A block
 * that was taken away stays away: it is offline, and nothing here brings it back.
 * region.lock guards what has been added; the rest is written before main().
 */
#include "preload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memplug/machine.h>
#include <memplug/map.h>
#include <memplug/reason.h>
#include <memplug/runtime.h>
#include <memplug/serve.h>
#include <memplug/tree.h>
#include <linux/memory_hotplug.h>

#define NO_NODE (-1)
#define WORKERS 2
#define PATIENT_TRIES 10

static struct {
	bool here;	/* of this very process; atomic */
	bool wants_own; /* a fork child that has become a daemon */
	bool tried;	/* the child has tried to boot one */
	pid_t parent;	/* of a fork child: who it was */
	uint64_t next[MAX_NODES]; /* where each node's next block comes, from the node's start */
	char socket[108];
} machine;

bool machine_here(void)
{
	return __atomic_load_n(&machine.here, __ATOMIC_ACQUIRE);
}

int machine_prefer(void)
{
	return NO_NODE;
}

static uint64_t node_start(unsigned int node)
{
	uint64_t start = 0;

	while (node)
		start += config.node[--node].size;
	return start;
}

/* ---- boot ---- */

static int set(struct mp_desc *desc, const char *name, const char *value)
{
	int error = mp_desc_set(desc, name, value);

	if (error)
		say("%s = %s: %s", name, value,
		    *mp_desc_error(desc) ? mp_desc_error(desc) : strerror(-error));
	return error;
}

static int set_size(struct mp_desc *desc, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return set(desc, name, text);
}

static int describe_nodes(struct mp_desc *desc)
{
	const char *kind = *config.backing ? config.backing : "memfd";
	unsigned int i;
	int error = 0;

	for (i = 0; i < config.nr_nodes && !error; i++) {
		const struct config_node *node = &config.node[i];
		struct mp_backing backing = { .kind = kind, .bind = true, .host_node = node->host };

		error = mp_desc_add_node(desc, node->nid);
		if (!error && node->host >= 0)
			error = mp_desc_back_node(desc, node->nid, &backing);
		if (error)
			say("node %d: %s", node->nid, *mp_desc_error(desc) ? mp_desc_error(desc) :
						      strerror(-error));
	}
	return error;
}

static int describe(struct mp_desc *desc)
{
	return set_size(desc, "block", config.block) ?:
	       set_size(desc, "max_phys", config.memory) ?:
	       (*config.backing ? set(desc, "backing", config.backing) : 0) ?:
	       set(desc, "memhp_default_state", "online_movable") ?:
	       set(desc, "probe", "Y") ?:
	       describe_nodes(desc) ?:
	       mp_desc_add_cpu(desc, 0, config.node[0].nid) ?:
	       mp_desc_add_ram(desc, 0, config.block, config.node[0].nid, true);
}

static void explain(const char *what, int error)
{
	struct mp_reason reason;

	say("%s: %s", what, mp_last_reason(&reason) ? strerror(-error) : reason.text);
}

static int boot(void)
{
	struct mp_desc *desc = mp_desc_new();
	int error;

	if (!desc)
		return -ENOMEM;
	error = describe(desc);
	if (!error) {
		error = mp_boot(desc);
		if (error)
			explain("the machine cannot be booted", error);
	}
	mp_desc_free(desc);
	return error;
}

/* Memory files can be had but not moved here, and nobody asked for them. */
static bool rather_anonymous(int error)
{
	return error == -EOPNOTSUPP && !*config.backing;
}

/* A granule, mapped and given back: is there a way to move memory here at all? */
static int try_map(void)
{
	void *p = region_spare();
	int error = mp_map_prepare() ?: mp_map(&p, MP_MAP_GRANULE, NO_NODE, MP_MAP_FIXED | MP_MAP_FORK);

	if (!error)
		mp_unmap_reserve(p, MP_MAP_GRANULE);
	else if (!rather_anonymous(error))
		explain("memory cannot be moved under a running program", error);
	return error;
}

/* A block is a file in memory; where it would be too long the program would die of SIGXFSZ. */
static int check_file_size(void)
{
	struct rlimit limit;

	if (!strcmp(config.backing, "anonymous") || getrlimit(RLIMIT_FSIZE, &limit) ||
	    limit.rlim_cur >= config.block)
		return 0;
	say("files may be %llu KiB long, a block of %llu MiB is one: raise the limit (ulimit -f), or take "
	    "smaller blocks or --backing anonymous",
	    (unsigned long long)limit.rlim_cur >> 10, (unsigned long long)config.block >> 20);
	return -EFBIG;
}

static int boot_and_try(void)
{
	int error = check_file_size() ?: boot();

	if (error)
		return error;
	error = try_map();
	if (error)
		mp_shutdown();
	return error;
}

static int boot_what_moves(void)
{
	int error = boot_and_try();

	if (!rather_anonymous(error))
		return error;
	snprintf(config.backing, sizeof(config.backing), "anonymous");
	return boot_and_try();
}

static void serve(void)
{
	int error;

	snprintf(machine.socket, sizeof(machine.socket), "%s/%d", config.sockets, (int)getpid());
	error = mp_serve(machine.socket, WORKERS);
	if (error == -ENOENT && !mkdir(config.sockets, 0700))
		error = mp_serve(machine.socket, WORKERS);
	/* It goes on without: only nobody can look at it. */
	if (error && config.first)
		say("%s: cannot be served: %s", machine.socket, strerror(-error));
	if (error)
		*machine.socket = '\0';
}

int machine_start(void)
{
	uint64_t more;
	int error;

	/* Where the host does not allow it they are among the program's, as high as they can be. */
	mp_descriptors_apart();
	error = boot_what_moves();
	if (error)
		return error;
	memset(machine.next, 0, sizeof(machine.next));
	machine.next[0] = config.block;
	for (more = config.block; more < config.online && !error; more += config.block)
		error = machine_grow(); /* as far as it goes */
	serve();
	policy_start();
	__atomic_store_n(&machine.here, true, __ATOMIC_RELEASE);
	return 0;
}

void machine_end(void)
{
	if (machine_here() && *machine.socket)
		unlink(machine.socket);
}

/* ---- grow ---- */

static bool is_online(uint64_t start)
{
	char path[96], state[16];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%llu/state",
		 (unsigned long long)(start / config.block));
	return mp_read(path, state, sizeof(state)) > 0 && !strncmp(state, "online", 6);
}

/*
 * An offline may hold the lock that growing needs, and itself wait for pages that
 * only growing brings: what the program needs goes first, and the offline is cancelled.
 */
static void lock_hotplug(void)
{
	unsigned int tries;

	/* Each try waits for a few milliseconds. */
	for (tries = 1; lock_device_hotplug_sysfs(); tries++)
		if (tries % PATIENT_TRIES == 0)
			policy_cancel_offline();
}

static int add_block(int nid, uint64_t start)
{
	int error;

	lock_hotplug();
	error = __add_memory(nid, start, config.block, MHP_NONE);
	unlock_device_hotplug();
	return error;
}

/* The next block of a node. 0, -ENOSPC: it has no more, or why it cannot be had. */
static int grow_node(unsigned int node)
{
	uint64_t start;
	int error;

	while (machine.next[node] < config.node[node].size) {
		start = node_start(node) + machine.next[node];
		error = add_block(config.node[node].nid, start);
		if (error && error != -EEXIST)
			return error;
		if (!error && !is_online(start)) { /* the host is short of memory */
			remove_memory(start, config.block);
			return -ENOMEM;
		}
		machine.next[node] += config.block;
		if (!error)
			return 0;
	}
	return -ENOSPC;
}

int machine_grow(void)
{
	unsigned int node;

	if (!mp_may_plug())
		return -EAGAIN;
	for (node = 0; node < config.nr_nodes; node++)
		if (!grow_node(node))
			return 0;
	return -ENOMEM;
}

/*
 * Without region.lock, since emptying the block needs those who hold it. A block that
 * went can come again: growing begins at the lowest that is not there.
 */
int machine_shrink(void)
{
	unsigned int node = config.nr_nodes;
	uint64_t at, start;

	while (node-- > 0) {
		for (at = machine.next[node]; at >= config.block; at -= config.block) {
			start = node_start(node) + at - config.block;
			if (!is_online(start))
				continue;
			if (offline_and_remove_memory(start, config.block))
				return -EBUSY;
			__atomic_store_n(&machine.next[node], at - config.block, __ATOMIC_RELAXED);
			return 0;
		}
	}
	return -ENOENT;
}

/* ---- fork ---- */

void machine_in_child(void)
{
	machine.here = false;
	machine.tried = false;
	machine.wants_own = false;
	machine.parent = getppid();
	*machine.socket = '\0';
}

void machine_wants_own(void)
{
	machine.wants_own = true;
}

/* Called with region.lock held, whenever a process without a machine needs memory. */
void machine_take_over(void)
{
	if (!machine.parent || machine.tried || (!machine.wants_own && getppid() == machine.parent))
		return;
	machine.tried = true;
	machine_start();
}
