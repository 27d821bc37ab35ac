// SPDX-License-Identifier: MIT
/*
 * The files of /sys/devices/system/memory and of its blocks: text in, text
 * out (SYSFS-8..26). Reads of state and valid_zones take no lock.
 */
#include "block/block.h"
#include "device/bus.h"
#include "device/tree.h"
#include "hotplug/hotplug.h"
#include "page/page.h"
#include "report/report.h"
#include "sync/changes.h"

bool probe_file_exists;
int (*memory_probe_hook)(u64 address);
int mhp_default_online_type = MMOP_OFFLINE;

static const char *const online_type_names[] = {
	[MMOP_OFFLINE] = "offline",
	[MMOP_ONLINE] = "online",
	[MMOP_ONLINE_KERNEL] = "online_kernel",
	[MMOP_ONLINE_MOVABLE] = "online_movable",
};

int mhp_online_type_from_str(const char *str)
{
	int i;

	for (i = 0; str && i < (int)ARRAY_SIZE(online_type_names); i++)
		if (sysfs_streq(str, online_type_names[i]))
			return i;
	return -EINVAL;
}

static struct memory_block *block_of(void *owner)
{
	return to_memory_block((struct device *)owner);
}

static ssize_t text(char *buf, const char *s)
{
	return snprintf(buf, MP_ATTR_SIZE, "%s\n", s);
}

static ssize_t phys_index_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return snprintf(buf, MP_ATTR_SIZE, "%08lx\n", memory_block_id(block_of(owner)));
}

static ssize_t removable_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return text(buf, "1");
}

static ssize_t phys_device_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return text(buf, "0");
}

static ssize_t state_show(void *owner, const struct tree_attr *attr, char *buf)
{
	unsigned long state = READ_ONCE(block_of(owner)->state);
	const char *name = memory_block_state_name(state);

	if (!WARN(!name, "memory%lu: impossible state %lu", memory_block_id(block_of(owner)),
		  state))
		return text(buf, name);
	return snprintf(buf, MP_ATTR_SIZE, "ERROR-UNKNOWN-%lu\n", state);
}

static ssize_t state_store(void *owner, const struct tree_attr *attr, const char *buf,
			   size_t count)
{
	int type = mhp_online_type_from_str(buf), ret;
	struct memory_block *mem = block_of(owner);

	/* Nonsense is refused at once, whatever runs (LOCK-20). */
	if (type < 0)
		return -EINVAL;
	ret = lock_device_hotplug_sysfs();
	if (ret)
		return ret;
	if (type == MMOP_OFFLINE) {
		ret = device_offline(&mem->dev);
	} else {
		mem->online_type = type;
		ret = device_online(&mem->dev);
		/* Linux leaves the type of a refused request behind (BLOCK-18). */
		if (ret && contract_is_document())
			mem->online_type = MMOP_OFFLINE;
	}
	unlock_device_hotplug();
	if (ret > 0) {
		reason_begin(type == MMOP_OFFLINE ? "offline" : "online",
			     (long)memory_block_id(mem));
		reason_set(MP_REASON_STATE, -EINVAL, "state",
			   "memory%lu: the block is %s already", memory_block_id(mem),
			   type == MMOP_OFFLINE ? "offline" : "online");
		reason_end();
		return -EINVAL;
	}
	/* A deadline is memplug's own; a program behind the tree knows EINTR (DESIGN D14). */
	if (ret == -ETIMEDOUT)
		ret = -EINTR;
	return ret < 0 ? ret : (ssize_t)count;
}

static size_t add_zone(char *buf, size_t len, const struct zone *zone, const struct zone *skip)
{
	if (!zone || zone == skip)
		return len;
	return len + (size_t)snprintf(buf + len, MP_ATTR_SIZE - len, "%s%s", len ? " " : "",
				      zone->name);
}

/* SYSFS-24..26 */
static ssize_t valid_zones_show(void *owner, const struct tree_attr *attr, char *buf)
{
	struct memory_block *mem = block_of(owner);
	unsigned long pfn = memory_block_pfn(mem), nr = memory_block_pages();
	struct zone *zone, *first;
	struct memory_group *group = READ_ONCE(mem->group);
	int nid = READ_ONCE(mem->nid);
	size_t len;

	if (READ_ONCE(mem->state) == MEM_ONLINE) {
		zone = READ_ONCE(mem->zone);
		return text(buf, zone ? zone->name : "none");
	}
	first = zone_for_pfn_range(MMOP_ONLINE, nid, group, pfn, nr);
	len = add_zone(buf, 0, first, NULL);
	zone = zone_for_pfn_range(MMOP_ONLINE_KERNEL, nid, group, pfn, nr);
	len = add_zone(buf, len, zone, first);
	zone = zone_for_pfn_range(MMOP_ONLINE_MOVABLE, nid, group, pfn, nr);
	len = add_zone(buf, len, zone, first);
	return (ssize_t)(len + (size_t)snprintf(buf + len, MP_ATTR_SIZE - len, "\n"));
}

static ssize_t block_size_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return snprintf(buf, MP_ATTR_SIZE, "%lx\n", memory_block_size_bytes());
}

static ssize_t auto_online_show(void *owner, const struct tree_attr *attr, char *buf)
{
	return text(buf, online_type_names[READ_ONCE(mhp_default_online_type)]);
}

static ssize_t auto_online_store(void *owner, const struct tree_attr *attr, const char *buf,
				 size_t count)
{
	int type = mhp_online_type_from_str(buf);

	if (type < 0)
		return -EINVAL;
	changes_begin();
	WRITE_ONCE(mhp_default_online_type, type);
	changes_end();
	return (ssize_t)count;
}

static ssize_t probe_store(void *owner, const struct tree_attr *attr, const char *buf,
			   size_t count)
{
	u64 address;
	int ret = parse_u64(buf, &address);

	if (ret)
		return ret;
	if (address % memory_block_size_bytes())
		return -EINVAL;
	ret = lock_device_hotplug_sysfs();
	if (ret)
		return ret;
	ret = memory_probe_hook ? memory_probe_hook(address) : -ENXIO;
	unlock_device_hotplug();
	return ret ? ret : (ssize_t)count;
}

static ssize_t offline_page_store(const char *buf, size_t count,
				  int (*offline)(unsigned long pfn, int flags), int flags)
{
	u64 address;
	int ret;

	if (parse_u64(buf, &address))
		return -EINVAL; /* also for an overflow (SYSFS-12) */
	ret = offline(PHYS_PFN(address), flags);
	return ret ? ret : (ssize_t)count;
}

static ssize_t soft_offline_page_store(void *owner, const struct tree_attr *attr, const char *buf,
				       size_t count)
{
	return offline_page_store(buf, count, soft_offline_page, 0);
}

static ssize_t hard_offline_page_store(void *owner, const struct tree_attr *attr, const char *buf,
				       size_t count)
{
	return offline_page_store(buf, count, memory_failure, MF_SW_SIMULATED);
}

static bool probe_visible(void *owner, const struct tree_attr *attr)
{
	return probe_file_exists;
}

#define ATTR_RO(file, mode_)                                                                       \
	static const struct tree_attr file##_attr = { .name = #file, .mode = mode_,                \
						      .steady = true, .show = file##_show }

ATTR_RO(phys_index, 0444);
ATTR_RO(removable, 0444);
ATTR_RO(phys_device, 0444);
ATTR_RO(valid_zones, 0444);
static const struct tree_attr state_attr = {
	.name = "state", .mode = 0644, .steady = true, .show = state_show, .store = state_store
};

const struct tree_attr *const memory_block_attrs[] = {
	&phys_device_attr, &phys_index_attr, &removable_attr, &state_attr, &valid_zones_attr, NULL,
};

static const struct tree_attr block_size_attr = {
	.name = "block_size_bytes", .mode = 0444, .steady = true, .show = block_size_show
};
static const struct tree_attr auto_online_attr = {
	.name = "auto_online_blocks", .mode = 0644, .steady = true, .show = auto_online_show,
	.store = auto_online_store
};
static const struct tree_attr probe_attr = {
	.name = "probe", .mode = 0200, .store = probe_store, .visible = probe_visible
};
static const struct tree_attr hard_offline_attr = {
	.name = "hard_offline_page", .mode = 0200, .store = hard_offline_page_store
};
static const struct tree_attr soft_offline_attr = {
	.name = "soft_offline_page", .mode = 0200, .store = soft_offline_page_store
};

const struct tree_attr *const memory_root_attrs[] = {
	&auto_online_attr, &block_size_attr, &hard_offline_attr, &probe_attr, &soft_offline_attr,
	NULL,
};
