// SPDX-License-Identifier: MIT
/*
 * What a description says of its memory's backings. The list is the
 * description's own, in the order in which it was said.
 */
#include <linux/kernel.h>
#include <linux/mmzone.h>
#include "os/os.h"
#include "plug/desc.h"

/* What can be said of a kind without asking the host. */
static int check(struct mp_desc *desc, const struct mp_backing *backing, bool by_node)
{
	bool by_path;

	if (!backing->kind || backing_kind_check(backing->kind, &by_path))
		return desc_fail(desc, -EINVAL, "no backing is called \"%s\"",
				 backing->kind ? backing->kind : "");
	if (by_path && by_node)
		return desc_fail(desc, -EINVAL, "backing %s is for a range, not for a node",
				 backing->kind);
	if (by_path != (backing->path && backing->path[0]))
		return desc_fail(desc, -EINVAL, "backing %s %s a path", backing->kind,
				 by_path ? "needs" : "has no use for");
	if (backing->path && strlen(backing->path) >= sizeof(((struct backing_rule *)NULL)->path))
		return desc_fail(desc, -ENAMETOOLONG, "path of backing %s: longer than 255 bytes",
				 backing->kind);
	if (backing->offset && (!by_path || !IS_ALIGNED(backing->offset, PAGE_SIZE)))
		return desc_fail(desc, -EINVAL, "backing %s at offset 0x%llx: %s", backing->kind,
				 (unsigned long long)backing->offset,
				 by_path ? "not whole pages" : "it has none");
	if (backing->bind && (by_path || backing->host_node < 0 || backing->host_node > 1023))
		return desc_fail(desc, -EINVAL, "backing %s: %s", backing->kind,
				 by_path ? "it lies where its file lies, so no host_node" :
				 "host_node is 0 to 1023");
	return 0;
}

static int append(struct mp_desc *desc, const struct mp_backing *backing, u64 start, u64 end,
		  int nid)
{
	struct backing_rule *larger, *rule;

	larger = desc_grown(desc->backings, desc->nr_backings, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	desc->backings = larger;
	rule = &larger[desc->nr_backings++];
	*rule = (struct backing_rule){ .start = start, .end = end, .nid = nid,
				       .offset = backing->offset,
				       .host_node = backing->bind ? backing->host_node : -1 };
	snprintf(rule->kind, sizeof(rule->kind), "%s", backing->kind);
	snprintf(rule->path, sizeof(rule->path), "%s", backing->path ? backing->path : "");
	return 0;
}

int mp_desc_back_range(struct mp_desc *desc, uint64_t start, uint64_t size,
		       const struct mp_backing *backing)
{
	int i, ret;

	if (!desc || !backing)
		return -EINVAL;
	if (!size || !IS_ALIGNED(start | size, PAGE_SIZE) || start + size < start ||
	    backing->offset + size < size)
		return desc_fail(desc, -EINVAL, "backing of 0x%llx+0x%llx: empty, not whole pages, or wraps",
				 (unsigned long long)start, (unsigned long long)size);
	ret = check(desc, backing, false);
	if (ret)
		return ret;
	for (i = 0; i < desc->nr_backings; i++)
		if (desc->backings[i].end > start && desc->backings[i].start < start + size)
			return desc_fail(desc, -EEXIST, "backing of 0x%llx+0x%llx overlaps another one",
					 (unsigned long long)start, (unsigned long long)size);
	return append(desc, backing, start, start + size, -1);
}

int mp_desc_back_node(struct mp_desc *desc, int nid, const struct mp_backing *backing)
{
	int i, ret;

	if (!desc || !backing)
		return -EINVAL;
	if (nid < 0 || nid >= MAX_NUMNODES)
		return desc_fail(desc, -EINVAL, "backing of node %d: numbers are 0 to %d", nid,
				 MAX_NUMNODES - 1);
	ret = check(desc, backing, true);
	if (ret)
		return ret;
	for (i = 0; i < desc->nr_backings; i++)
		if (desc->backings[i].nid == nid)
			return desc_fail(desc, -EEXIST, "backing of node %d is described twice", nid);
	return append(desc, backing, 0, 0, nid);
}
