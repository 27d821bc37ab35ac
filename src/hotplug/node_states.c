// SPDX-License-Identifier: MIT
/*
 * N_MEMORY and N_NORMAL_MEMORY: when a transaction will change them
 * (EVENT-20..25) and the change itself (NODE-2, 3). Written under
 * mem_hotplug_lock.
 */
#include "hotplug/hotplug.h"

void nodes_check_online(unsigned long nr_pages, struct zone *zone, struct memory_notify *arg)
{
	int nid = zone_to_nid(zone);

	(void)nr_pages;
	arg->status_change_nid = NUMA_NO_NODE;
	arg->status_change_nid_normal = NUMA_NO_NODE;
	if (!node_state(nid, N_MEMORY))
		arg->status_change_nid = nid;
	if (zone_idx(zone) <= ZONE_NORMAL && !node_state(nid, N_NORMAL_MEMORY))
		arg->status_change_nid_normal = nid;
}

void nodes_check_offline(unsigned long nr_pages, struct zone *zone, struct memory_notify *arg)
{
	struct pglist_data *pgdat = zone->zone_pgdat;
	unsigned long kernel = 0;
	int i;

	arg->status_change_nid = NUMA_NO_NODE;
	arg->status_change_nid_normal = NUMA_NO_NODE;
	for (i = 0; i <= ZONE_NORMAL; i++)
		kernel += pgdat->node_zones[i].present_pages;
	if (zone_idx(zone) <= ZONE_NORMAL && nr_pages >= kernel)
		arg->status_change_nid_normal = zone_to_nid(zone);
	if (nr_pages >= kernel + pgdat->node_zones[ZONE_MOVABLE].present_pages)
		arg->status_change_nid = zone_to_nid(zone);
}

/* The payload decides, not a second look: a callback may have changed it (NOTIFY-40). */
void node_states_set(int nid, struct memory_notify *arg)
{
	if (arg->status_change_nid_normal >= 0)
		node_set_state(nid, N_NORMAL_MEMORY);
	if (arg->status_change_nid >= 0)
		node_set_state(nid, N_MEMORY);
}

void node_states_clear(int nid, struct memory_notify *arg)
{
	(void)nid;
	if (arg->status_change_nid_normal >= 0 && arg->status_change_nid_normal < MAX_NUMNODES)
		node_clear_state(arg->status_change_nid_normal, N_NORMAL_MEMORY);
	if (arg->status_change_nid >= 0 && arg->status_change_nid < MAX_NUMNODES)
		node_clear_state(arg->status_change_nid, N_MEMORY);
}
