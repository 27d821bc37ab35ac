// SPDX-License-Identifier: MIT
/*
 * The tree of physical ranges behind /proc/iomem (RES-1..8). One mutex guards
 * the tree; entries are allocated here, except those that callers bring.
 */
#include "hotplug/hotplug.h"
#include "hotplug/order.h"
#include "os/os.h"
#include "report/report.h"
#include "sync/thread.h"

struct resource iomem_resource = { .name = "PCI mem", .end = ~0ULL, .flags = IORESOURCE_MEM };
static DEFINE_MUTEX(resource_lock);

static void reset_after_fork(void)
{
	mutex_init(&resource_lock);
	resource_init();
}

__attribute__((constructor)) static void resource_at_start(void)
{
	sync_at_fork_child(reset_after_fork);
}

static void drop(struct resource *res)
{
	while (res) {
		struct resource *next = res->sibling;

		drop(res->child);
		os_free(res);
		res = next;
	}
}

int resource_init(void)
{
	iomem_resource.child = NULL;
	iomem_resource.children = NULL;
	return 0;
}

void resource_exit(void)
{
	drop(iomem_resource.child);
	resource_init();
}

/* The child of `parent` that begins last at or below `start`, or NULL. */
static struct resource *child_at_or_below(const struct resource *parent, u64 start)
{
	struct mp_order *place = order_at_or_below(parent->children, start);

	return place ? container_of(place, struct resource, place) : NULL;
}

static struct resource *child_before(const struct resource *parent, u64 start)
{
	return start ? child_at_or_below(parent, start - 1) : NULL;
}

/* The first child of `parent` that ends at or above `start`, or NULL. */
static struct resource *first_child(const struct resource *parent, u64 start)
{
	struct resource *res = child_at_or_below(parent, start);

	if (!res)
		return parent->child;
	return res->end >= start ? res : res->sibling;
}

static void link_behind(struct resource *parent, struct resource *prev, struct resource *res)
{
	struct resource **at = prev ? &prev->sibling : &parent->child;

	res->sibling = *at;
	res->parent = parent;
	*at = res;
	res->place.key = res->start;
	order_insert(&parent->children, &res->place);
}

/* Links `res` below `parent`; NULL, or the entry that is in the way. */
static struct resource *link_entry(struct resource *parent, struct resource *res)
{
	struct resource *next;

	if (res->end < res->start || res->start < parent->start || res->end > parent->end)
		return parent;
	next = first_child(parent, res->start);
	if (next && next->start <= res->end)
		return next;
	link_behind(parent, child_at_or_below(parent, res->start), res);
	return NULL;
}

static void unlink_entry(struct resource *res)
{
	struct resource *prev = child_before(res->parent, res->start);

	*(prev ? &prev->sibling : &res->parent->child) = res->sibling;
	order_remove(&res->parent->children, &res->place);
	res->parent = NULL;
	res->sibling = NULL;
}

static void set_start(struct resource *res, u64 start)
{
	res->start = start;
	res->place.key = start;
}

/* RES-2: descends through entries that are not busy. */
static struct resource *request_locked(struct resource *parent, struct resource *res)
{
	for (;;) {
		struct resource *conflict = link_entry(parent, res);

		if (!conflict || conflict == parent || (conflict->flags & IORESOURCE_BUSY))
			return conflict;
		parent = conflict;
	}
}

static struct resource *request(struct resource *parent, u64 start, u64 n, const char *name,
				unsigned long flags, int *error)
{
	struct resource *res = os_alloc(sizeof(*res)), *conflict;

	*error = -ENOMEM;
	if (!res)
		return NULL;
	res->start = start;
	res->end = start + n - 1;
	res->name = name;
	res->flags = flags;
	mutex_lock(&resource_lock);
	conflict = request_locked(parent, res);
	mutex_unlock(&resource_lock);
	if (!conflict) {
		*error = 0;
		return res;
	}
	*error = -EEXIST;
	os_free(res);
	return NULL;
}

struct resource *__request_region(struct resource *parent, resource_size_t start,
				  resource_size_t n, const char *name, unsigned long flags)
{
	int error;

	return parent && n ? request(parent, start, n, name, flags, &error) : NULL;
}

void __release_region(struct resource *parent, resource_size_t start, resource_size_t n)
{
	struct resource *entry = NULL, *level;

	mutex_lock(&resource_lock);
	for (level = parent; level; level = entry) {
		entry = child_at_or_below(level, start);
		if (entry && entry->end < start + n - 1)
			entry = NULL;
		if (!entry || (entry->start == start && entry->end == start + n - 1 &&
			       (entry->flags & IORESOURCE_BUSY)))
			break;
	}
	if (entry)
		unlink_entry(entry);
	mutex_unlock(&resource_lock);
	WARN(!entry, "releasing a region that does not exist: 0x%llx+0x%llx",
	     (unsigned long long)start, (unsigned long long)n);
	if (entry)
		drop(entry->child);
	os_free(entry);
}

int release_resource(struct resource *res)
{
	int ret = -EINVAL;

	mutex_lock(&resource_lock);
	if (res && res->parent) {
		unlink_entry(res);
		ret = 0;
	}
	mutex_unlock(&resource_lock);
	return ret;
}

struct resource *register_memory_resource(u64 start, u64 size, const char *name, int *error)
{
	unsigned long flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY;

	if (strcmp(name, "System RAM"))
		flags |= IORESOURCE_SYSRAM_DRIVER_MANAGED;
	return request(&iomem_resource, start, size, name, flags, error);
}

void release_memory_resource(struct resource *res)
{
	if (!res)
		return;
	release_resource(res);
	os_free(res);
}

int resource_add_boot(u64 start, u64 size, const char *name, bool busy)
{
	unsigned long flags = busy ? IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY : IORESOURCE_MEM;
	int error;

	request(&iomem_resource, start, size, name, flags, &error);
	return error;
}

/* Cuts [start, end] out of `res`, which contains it; `rest` takes the upper part of a split. */
static bool cut(struct resource *res, u64 start, u64 end, struct resource *rest)
{
	if (res->start == start && res->end == end) {
		unlink_entry(res);
		os_free(res);
	} else if (res->start == start) {
		set_start(res, end + 1);
	} else if (res->end == end) {
		res->end = start - 1;
	} else {
		*rest = *res;
		rest->start = end + 1;
		rest->child = NULL;
		rest->children = NULL;
		res->end = start - 1;
		link_behind(res->parent, res, rest);
		return true;
	}
	return false;
}

/* The entry of the lowest level that holds the whole range, or NULL. */
static struct resource *find_whole(u64 start, u64 end)
{
	struct resource *res = &iomem_resource;

	do {
		res = child_at_or_below(res, start);
		if (!res || res->end < end)
			return NULL;
	} while (!(res->flags & (IORESOURCE_BUSY | IORESOURCE_SYSRAM)));
	return res;
}

/* The next System RAM leaf that touches [start, end], or NULL. */
static struct resource *find_touching(struct resource *parent, u64 start, u64 end)
{
	struct resource *res, *inner;

	for (res = first_child(parent, start); res && res->start <= end; res = res->sibling) {
		if (res->flags & IORESOURCE_SYSRAM)
			return res;
		inner = find_touching(res, start, end);
		if (inner)
			return inner;
	}
	return NULL;
}

/*
 * RES-3. A range that no single entry holds is not released by Linux, which
 * leaks it (RES-4); the default contract releases what it covers piece by
 * piece. The spare entry for a split is made first, so that nothing fails
 * half-way: without memory for it the entry stays, logged.
 */
void release_mem_region_adjustable(u64 start, u64 size)
{
	struct resource *rest = os_alloc(sizeof(*rest)), *res;
	u64 end = start + size - 1;

	mutex_lock(&resource_lock);
	res = find_whole(start, end);
	if (res && (rest || res->start == start || res->end == end)) {
		if (cut(res, start, end, rest))
			rest = NULL;
	} else if (!res && contract_is_document()) {
		while ((res = find_touching(&iomem_resource, start, end))) {
			u64 from = max((u64)res->start, start), to = min((u64)res->end, end);

			if (!rest && res->start != from && res->end != to)
				break;
			if (cut(res, from, to, rest))
				rest = NULL;
		}
	} else if (res) {
		pr_warn("no memory to split the resource around 0x%llx",
			(unsigned long long)start);
	}
	mutex_unlock(&resource_lock);
	os_free(rest);
}

static bool mergeable(const struct resource *a, const struct resource *b)
{
	return a && b && a->flags == b->flags && a->desc == b->desc && a->name == b->name &&
	       a->end + 1 == b->start && !a->child && !b->child;
}

void merge_system_ram_resource(struct resource *res)
{
	struct resource *prev, *next;

	if ((res->flags & (IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY)) !=
	    (IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY))
		return;
	mutex_lock(&resource_lock);
	res->flags |= IORESOURCE_SYSRAM_MERGEABLE;
	next = res->sibling;
	if (mergeable(res, next)) {
		res->end = next->end;
		unlink_entry(next);
		os_free(next);
	}
	prev = child_before(res->parent, res->start);
	if (mergeable(prev, res)) {
		prev->end = res->end;
		unlink_entry(res);
		os_free(res);
	}
	mutex_unlock(&resource_lock);
}

static unsigned long covered(const struct resource *parent, u64 start, u64 end)
{
	const struct resource *res;
	unsigned long bytes = 0;

	for (res = first_child(parent, start); res && res->start <= end; res = res->sibling) {
		if ((res->flags & (IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY)) ==
		    (IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY))
			bytes += min((u64)res->end, end) - max((u64)res->start, start) + 1;
		else
			bytes += covered(res, start, end);
	}
	return bytes;
}

unsigned long system_ram_pages(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long bytes;

	mutex_lock(&resource_lock);
	bytes = covered(&iomem_resource, PFN_PHYS(pfn), PFN_PHYS(pfn + nr_pages) - 1);
	mutex_unlock(&resource_lock);
	return bytes >> PAGE_SHIFT;
}

static size_t show_level(const struct resource *parent, int depth, bool zero, char *text,
			 size_t size)
{
	const struct resource *res;
	size_t len = 0;
	int n;

	for (res = parent->child; res; res = res->sibling) {
		n = snprintf(text ? text + len : NULL, text ? size - len : 0,
			     "%*s%08llx-%08llx : %s\n", depth * 2, "",
			     zero ? 0ULL : (unsigned long long)res->start,
			     zero ? 0ULL : (unsigned long long)res->end,
			     res->name ? res->name : "<BAD>");
		len += (size_t)n;
		len += show_level(res, depth + 1, zero, text ? text + len : NULL,
				  text ? size - len : 0);
	}
	return len;
}

ssize_t resource_show(char **text, bool zero_addresses)
{
	size_t size;

	mutex_lock(&resource_lock);
	size = show_level(&iomem_resource, 0, zero_addresses, NULL, 0) + 1;
	*text = os_alloc(size);
	if (*text)
		show_level(&iomem_resource, 0, zero_addresses, *text, size);
	mutex_unlock(&resource_lock);
	return *text ? (ssize_t)size - 1 : -ENOMEM;
}
