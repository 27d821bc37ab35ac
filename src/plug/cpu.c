// SPDX-License-Identifier: MIT
/*
 * CPU hotplug as programs and firmware ask for it: add_cpu(), remove_cpu(),
 * and processors that are plugged in and taken out (CPU-2, CPU-4). All of it
 * under device_hotplug_lock; the work is the cpu bus's (block/cpu.c).
 */
#include <memplug/slot.h>
#include "block/block.h"
#include "block/cpu.h"
#include "device/bus.h"
#include "hotplug/hotplug.h"
#include "plug/plug.h"
#include "report/report.h"

static int need_cpu(unsigned int cpu, const char *what, bool present)
{
	int ret = plug_need_machine();

	if (ret)
		return ret;
	if (!cpu_possible(cpu))
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "cpu",
				  "cpu%u: %s refused: the machine has no such CPU", cpu, what);
	if (present && !cpu_present(cpu))
		return reason_set(MP_REASON_STATE, -EINVAL, "cpu",
				  "cpu%u: %s refused: it is not present; mp_cpu_plug() it first",
				  cpu, what);
	return 0;
}

static int set_online(unsigned int cpu, bool online)
{
	const char *what = online ? "online" : "offline";
	struct device *dev;
	int ret;

	reason_begin(online ? "cpu online" : "cpu offline", -1);
	lock_device_hotplug();
	ret = need_cpu(cpu, what, true);
	if (!ret) {
		dev = get_cpu_device(cpu);
		ret = online ? device_online(dev) : device_offline(dev);
	}
	unlock_device_hotplug();
	reason_end();
	return ret;
}

int add_cpu(unsigned int cpu)
{
	if (!plug_allowed("add_cpu", __builtin_return_address(0)))
		return -EDEADLK;
	return set_online(cpu, true);
}

int remove_cpu(unsigned int cpu)
{
	if (!plug_allowed("remove_cpu", __builtin_return_address(0)))
		return -EDEADLK;
	return set_online(cpu, false);
}

/* ---- the firmware's processors ---- */

int mp_cpu_plug(int cpu)
{
	int ret;

	if (!plug_allowed("mp_cpu_plug", __builtin_return_address(0)))
		return -EDEADLK;
	reason_begin("cpu plug", -1);
	lock_device_hotplug();
	ret = need_cpu((unsigned int)cpu, "plug", false);
	if (!ret && cpu_present((unsigned int)cpu))
		ret = reason_set(MP_REASON_CONFLICT, -EEXIST, "cpu",
				 "cpu%d: plug refused: it is present already", cpu);
	if (!ret) {
		ret = cpu_register(cpu);
		if (ret)
			reason_set(MP_REASON_NO_MEMORY, ret, "cpu",
				   "cpu%d: plug refused: its device cannot be made (error %d)",
				   cpu, ret);
	}
	unlock_device_hotplug();
	reason_end();
	return ret;
}

int mp_cpu_eject(int cpu)
{
	int ret, nid;

	if (!plug_allowed("mp_cpu_eject", __builtin_return_address(0)))
		return -EDEADLK;
	reason_begin("cpu eject", -1);
	lock_device_hotplug();
	ret = need_cpu((unsigned int)cpu, "eject", true);
	if (!ret)
		ret = device_offline(get_cpu_device((unsigned int)cpu));
	if (ret >= 0) {
		nid = cpu_to_node(cpu);
		cpu_unregister(cpu);
		/* It was perhaps what kept the node (CPU-5). */
		mem_hotplug_begin();
		try_offline_node(nid);
		mem_hotplug_done();
		ret = 0;
	}
	unlock_device_hotplug();
	reason_end();
	return ret;
}

int mp_cpu_move(int cpu, int nid)
{
	int ret;

	if (!plug_allowed("mp_cpu_move", __builtin_return_address(0)))
		return -EDEADLK;
	reason_begin("cpu move", -1);
	lock_device_hotplug();
	ret = need_cpu((unsigned int)cpu, "move", false);
	if (!ret && !node_possible(nid))
		ret = reason_set(MP_REASON_ARGUMENT, -EINVAL, "node",
				 "cpu%d: move refused: node %d is not possible", cpu, nid);
	if (!ret && cpu_online((unsigned int)cpu))
		ret = reason_set(MP_REASON_STATE, -EBUSY, "cpu",
				 "cpu%d: move refused: it is online; remove_cpu() it first", cpu);
	if (!ret)
		cpu_move(cpu, nid);
	unlock_device_hotplug();
	reason_end();
	return ret;
}
