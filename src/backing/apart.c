// SPDX-License-Identifier: MIT
/*
 * Anonymous memory that programs have mapped. It lies at their addresses alone,
 * never in the direct map: a block's page says that one page there counts as the
 * block's. The host moves it where a block is bound to one of its nodes. No state.
 */
#include "backing/backing.h"
#include "backing/extent.h"
#include "os/os.h"
#include "report/report.h"

#include <linux/kernel.h>

#define UNSHARE_PAGES 512u

bool backing_is_apart(u64 start)
{
	struct backing_place place;

	return !backing_place_of(start, &place);
}

static int go_to_node(void *at, u64 size, int node)
{
	return node < 0 ? os_bind_default(at, size) : os_bind_moving(at, size, node);
}

static int map_new(void *at, u64 size, const struct backing_place *place, bool fork)
{
	int error = place->host_node < 0 ? 0 : os_bind(at, size, place->host_node);

	if (!error && !fork)
		error = os_dontfork(at, size);
	/* Advice: what the host does not take costs speed. */
	if (!error)
		os_hugepages(at, size);
	if (!error && place->populate)
		error = os_populate(at, size);
	return error;
}

int backing_map_apart(u64 start, void *at, u64 size, bool fork)
{
	struct backing_place place;
	int error = backing_place_of(start, &place) ?: os_discard(direct_address(start), size);

	if (error)
		return error;
	error = os_map_anonymous(at, size);
	if (error)
		return error;
	error = map_new(at, size, &place, fork);
	if (error)
		os_map_nothing(at, size);
	return error;
}

/* The pages that are there become the process's alone: a fork child keeps the others. */
static void unshare(char *at, u64 size)
{
	unsigned char vec[UNSHARE_PAGES];
	u64 part, i;

	for (; size; at += part, size -= part) {
		part = min_t(u64, size, UNSHARE_PAGES * PAGE_SIZE);
		if (os_residency(at, part, vec))
			return;
		for (i = 0; i < part / PAGE_SIZE; i++)
			if (vec[i] & 1)
				os_populate(at + i * PAGE_SIZE, PAGE_SIZE);
	}
}

int backing_count_apart(u64 from, u64 to, void *at, u64 size)
{
	struct backing_place before, after;
	int error;

	if (backing_place_of(from, &before) || backing_place_of(to, &after))
		return -EBUSY; /* of another kind */
	error = os_discard(direct_address(to), size);
	if (error || before.host_node == after.host_node)
		return error;
	error = go_to_node(at, size, after.host_node);
	if (error == -EIO) {
		unshare(at, size);
		error = go_to_node(at, size, after.host_node);
	}
	if (!error)
		return 0;
	if (go_to_node(at, size, before.host_node))
		pr_warn("backing: %p may lie on the wrong node of the host", at);
	return error == -EIO ? -EBUSY : error;
}
