// SPDX-License-Identifier: MIT
/*
 * The DIMM driver of firmware slots. It does what ACPI's does: memory comes as
 * a static group and leaves only as a whole, after all its blocks went offline.
 * device_hotplug_lock is held over a whole operation and guards all of it.
 */
#include "block/block.h"
#include "device/bus.h"
#include "hotplug/hotplug.h"
#include "os/os.h"
#include "page/page.h"
#include "plug/plug.h"
#include "plug/slot.h"
#include "report/report.h"

static struct {
	struct slot *at[MP_SLOTS];
	void (*status)(int slot, int source, int status, void *arg);
	void *status_arg;
} slots;

static void report(int slot, int source, int status)
{
	ring_record(MP_RING_SLOT, slot, source, status, NULL);
	if (slots.status)
		slots.status(slot, source, status, slots.status_arg);
}

static int check_number(int number)
{
	int ret = plug_need_machine();

	if (ret || (number >= 0 && number < MP_SLOTS))
		return ret;
	return reason_set(MP_REASON_ARGUMENT, -EINVAL, "slot",
			  "slot %d: there is no such slot; they are 0 to %d", number, MP_SLOTS - 1);
}

/* ---- the DIMM's blocks ---- */

static bool is_ours(const struct slot *slot, const struct memory_block *mem)
{
	return mem->dev.fwnode == slot;
}

static u8 *put_offline(struct slot *slot, const struct memory_block *mem)
{
	return &slot->put_offline[memory_block_id(mem) - slot->start / memory_block_size_bytes()];
}

static int bind_block(struct memory_block *mem, void *arg)
{
	struct slot *slot = arg;
	int ret;

	mem->dev.fwnode = slot;
	ret = slot_files_link(slot, mem);
	/* The links are for people who look; the driver does without. */
	if (ret)
		pr_warn("%s: cannot be linked to slot %d: error %d", dev_name(&mem->dev),
			slot->number, ret);
	return 0;
}

struct count {
	const void *owner;
	unsigned long blocks;
};

static int count_block(struct memory_block *mem, void *arg)
{
	struct count *count = arg;

	count->blocks += mem->dev.fwnode == count->owner;
	return 0;
}

/* How many blocks of the range belong to `owner` (NULL: to no slot). */
static unsigned long count_blocks(const struct slot *slot, const void *owner)
{
	struct count count = { .owner = owner };

	walk_memory_blocks(slot->start, slot->size, &count, count_block);
	return count.blocks;
}

/* ---- plug ---- */

/* Memory that the machine had before the DIMM was announced is taken over as it is. */
static bool there_already(const struct slot *slot)
{
	return !((slot->start | slot->size) % memory_block_size_bytes()) && slot->nr_blocks &&
	       count_blocks(slot, NULL) == slot->nr_blocks;
}

static int enable(struct slot *slot)
{
	mhp_t flags = MHP_NID_IS_MGID;
	int ret;

	ret = memory_group_register_static(slot->nid, PFN_UP(slot->size));
	if (ret < 0)
		return reason_set(ret == -EINVAL ? MP_REASON_ARGUMENT : MP_REASON_NO_MEMORY, ret,
				  "group", "slot %d: no memory group on node %d (error %d)",
				  slot->number, slot->nid, ret);
	slot->group = ret;
	if (mhp_supports_memmap_on_memory(slot->size))
		flags |= MHP_MEMMAP_ON_MEMORY;
	ret = __add_memory(slot->group, slot->start, slot->size, flags);
	if (ret == -EEXIST && there_already(slot))
		ret = 0;
	if (ret) {
		memory_group_unregister(slot->group);
		slot->group = -1;
		return ret;
	}
	walk_memory_blocks(slot->start, slot->size, slot, bind_block);
	slot->enabled = true;
	return 0;
}

static struct slot *overlapping(u64 start, u64 size)
{
	int i;

	for (i = 0; i < MP_SLOTS; i++)
		if (slots.at[i] && slots.at[i]->start < start + size &&
		    start < slots.at[i]->start + slots.at[i]->size)
			return slots.at[i];
	return NULL;
}

static int check_plug(int number, u64 start, u64 size)
{
	struct slot *other;
	int ret = check_number(number);

	if (ret)
		return ret;
	if (!size || start + size < start)
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "size",
				  "slot %d: plug refused: 0x%llx+0x%llx is no range", number,
				  (unsigned long long)start, (unsigned long long)size);
	other = slots.at[number] ?: overlapping(start, size);
	if (other)
		return reason_set(MP_REASON_CONFLICT, -EEXIST, "slot",
				  "slot %d: plug refused: slot %d holds a DIMM at 0x%llx+0x%llx",
				  number, other->number, (unsigned long long)other->start,
				  (unsigned long long)other->size);
	return 0;
}

static struct slot *insert(int number, u64 start, u64 size, int nid)
{
	/* A range that the machine cannot address never gets blocks. */
	unsigned long nr = start + size <= machine_max_phys() ?
			   (unsigned long)(size / memory_block_size_bytes()) : 0;
	struct slot *slot = os_alloc(sizeof(*slot) + nr);

	if (!slot)
		return NULL;
	slot->number = number;
	slot->nid = nid == NUMA_NO_NODE ? first_online_node : nid;
	slot->start = start;
	slot->size = size;
	slot->group = -1;
	slot->nr_blocks = nr;
	if (slot_files_add(slot)) {
		os_free(slot);
		return NULL;
	}
	slots.at[number] = slot;
	return slot;
}

int mp_slot_plug(int number, uint64_t start, uint64_t size, int nid)
{
	struct slot *slot;
	int ret;

	if (!plug_allowed("mp_slot_plug", __builtin_return_address(0)))
		return -EDEADLK;
	reason_begin("plug", -1);
	lock_device_hotplug();
	ret = check_plug(number, start, size);
	if (ret)
		goto out;
	slot = insert(number, start, size, nid);
	if (!slot) {
		ret = reason_set(MP_REASON_NO_MEMORY, -ENOMEM, "heap",
				 "slot %d: plug refused: no memory for its record", number);
		goto out;
	}
	ret = enable(slot);
	if (ret)
		pr_err("slot %d: its memory cannot be added: error %d", number, ret);
	/* The firmware is told that the DIMM was seen, not whether it is of use. */
	report(number, MP_SLOT_SOURCE_INSERT, MP_SLOT_OK);
out:
	unlock_device_hotplug();
	reason_end();
	return ret;
}

/* ---- eject ---- */

static int try_offline(struct memory_block *mem, struct slot *slot)
{
	int ret = device_offline(&mem->dev);

	*put_offline(slot, mem) = !ret;
	return ret < 0 ? ret : 0;
}

/* First round: all are tried, whatever the others say. */
static int offline_first(struct memory_block *mem, void *arg)
{
	if (is_ours(arg, mem))
		try_offline(mem, arg);
	return 0;
}

/* Second round: those that refused; the first that does it again ends it. */
static int offline_again(struct memory_block *mem, void *arg)
{
	return is_ours(arg, mem) && !*put_offline(arg, mem) ? try_offline(mem, arg) : 0;
}

static int online_again(struct memory_block *mem, void *arg)
{
	int ret;

	if (!is_ours(arg, mem) || !*put_offline(arg, mem))
		return 0;
	ret = device_online(&mem->dev);
	if (ret < 0)
		pr_warn("%s: cannot be onlined again: error %d", dev_name(&mem->dev), ret);
	return 0;
}

static int remove_block(struct memory_block *mem, void *arg)
{
	return is_ours(arg, mem) ? plug_remove(PFN_PHYS(memory_block_pfn(mem)),
					       memory_block_size_bytes()) : 0;
}

/* In one piece, unless somebody took a part away behind the driver's back. */
static int remove_blocks(struct slot *slot)
{
	unsigned long nr = count_blocks(slot, slot);
	int ret;

	if (!nr)
		ret = 0;
	else if (nr == slot->nr_blocks)
		ret = plug_remove(slot->start, slot->size);
	else
		ret = walk_memory_blocks(slot->start, slot->size, slot, remove_block);
	if (ret && !contract_is_document())
		mp_fatal_at(__FILE__, __LINE__, "slot %d: offline, but not to be removed: error %d",
			    slot->number, ret);
	return ret;
}

static int empty(struct slot *slot)
{
	int ret;

	memset(slot->put_offline, 0, slot->nr_blocks);
	walk_memory_blocks(slot->start, slot->size, slot, offline_first);
	ret = walk_memory_blocks(slot->start, slot->size, slot, offline_again) ? -EBUSY : 0;
	if (!ret)
		ret = remove_blocks(slot);
	if (!ret)
		return 0;
	event_ignore_late_veto(true);
	walk_memory_blocks(slot->start, slot->size, slot, online_again);
	event_ignore_late_veto(false);
	return ret;
}

static void drop(struct slot *slot)
{
	slots.at[slot->number] = NULL;
	if (slot->group >= 0)
		memory_group_unregister(slot->group);
	slot_files_remove(slot);
	os_free(slot);
}

int slot_eject_locked(struct slot *slot, int source)
{
	int number = slot->number, ret;

	report(number, MP_SLOT_SOURCE_EJECT, MP_SLOT_EJECTING);
	ret = slot->enabled ? empty(slot) : 0;
	if (!ret)
		drop(slot);
	report(number, source, ret == -EBUSY ? MP_SLOT_BUSY : ret ? MP_SLOT_FAILED : MP_SLOT_OK);
	return ret;
}

int mp_slot_eject(int number)
{
	int ret;

	if (!plug_allowed("mp_slot_eject", __builtin_return_address(0)))
		return -EDEADLK;
	reason_begin("eject", -1);
	lock_device_hotplug();
	ret = check_number(number);
	if (!ret && !slots.at[number])
		ret = reason_set(MP_REASON_STATE, -ENOENT, "slot",
				 "slot %d: eject refused: there is no DIMM in it", number);
	if (!ret)
		ret = slot_eject_locked(slots.at[number], MP_SLOT_SOURCE_EJECT);
	unlock_device_hotplug();
	reason_end();
	return ret;
}

/* ---- looking ---- */

int mp_slot_get(int number, struct mp_slot_info *info)
{
	const struct slot *slot;
	int ret;

	if (!info)
		return -EINVAL;
	if (!plug_allowed("mp_slot_get", __builtin_return_address(0)))
		return -EDEADLK;
	lock_device_hotplug();
	ret = check_number(number);
	slot = ret ? NULL : slots.at[number];
	if (slot)
		*info = (struct mp_slot_info){
			.start = slot->start,
			.size = slot->size,
			.nid = slot->nid,
			.group = slot->group,
			.enabled = slot->enabled,
		};
	else if (!ret)
		ret = -ENOENT;
	unlock_device_hotplug();
	return ret;
}

int mp_slot_on_status(void (*fn)(int slot, int source, int status, void *arg), void *arg)
{
	if (!plug_allowed("mp_slot_on_status", __builtin_return_address(0)))
		return -EDEADLK;
	lock_device_hotplug();
	slots.status = fn;
	slots.status_arg = arg;
	unlock_device_hotplug();
	return 0;
}

/* ---- boot and shutdown ---- */

int slots_register(void)
{
	return slot_files_register();
}

void slots_exit(void)
{
	int i;

	for (i = 0; i < MP_SLOTS; i++) {
		if (!slots.at[i])
			continue;
		slot_files_remove(slots.at[i]);
		os_free(slots.at[i]);
		slots.at[i] = NULL;
	}
}

void slots_forget(void)
{
	memset(&slots, 0, sizeof(slots));
}
