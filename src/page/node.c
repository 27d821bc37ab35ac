// SPDX-License-Identifier: MIT
/*
 * Node data and the order in which nodes help each other out (ZONE-10). Data
 * of all possible nodes lives as long as the machine. Fallback orders are
 * rewritten in place under mem_hotplug_lock (write) while allocators read
 * them: an order read half-way is harmless, and whoever fails with it looks
 * at the generation and tries again.
 */
#include "page/internal.h"
#include "os/os.h"

nodemask_t node_states[NR_NODE_STATES];
int nr_node_ids;

static const char *const zone_names[MAX_NR_ZONES] = { "DMA", "DMA32", "Normal", "Movable", "Device" };

pg_data_t *mp_node_data(int nid)
{
	return node_data(nid);
}

int node_distance(int from, int to)
{
	if (!node_data(from) || !node_data(to))
		return 255;
	return page_layer.distance[from * page_layer.nr_nodes + to];
}

/* ---- life ---- */

static void zone_init(pg_data_t *pgdat, int i)
{
	struct zone *zone = &pgdat->node_zones[i];

	zone->index = i;
	zone->node = pgdat->node_id;
	zone->id = (u32)(pgdat->node_id * MAX_NR_ZONES + i);
	zone->zone_pgdat = pgdat;
	zone->name = zone_names[i];
	zone->pageset_batch = 1;
	mp_mutex_init(&zone->lock, "zone");
}

static int distances_init(const struct page_config *config)
{
	int n = config->nr_node_ids, i;

	page_layer.distance = os_alloc((size_t)n * (size_t)n * sizeof(int));
	if (!page_layer.distance)
		return -ENOMEM;
	for (i = 0; i < n * n; i++)
		page_layer.distance[i] = config->distance ? config->distance[i] :
					 i / n == i % n	  ? 10 :
							    20;
	return 0;
}

static bool possible(int nid)
{
	return nodes_empty(node_states[N_POSSIBLE]) || node_possible(nid);
}

int nodes_init(const struct page_config *config)
{
	int n = config->nr_node_ids, nid, i, count = 0;
	pg_data_t *data;
	short *fallback;

	for (nid = 0; nid < n; nid++)
		count += possible(nid);
	page_layer.nodes = os_alloc((size_t)n * sizeof(*page_layer.nodes));
	/* One piece: node data, 64-byte aligned, then the fallback orders. */
	page_layer.nodes_memory = os_alloc((size_t)count * (sizeof(*data) + (size_t)n * sizeof(short)) +
					   64);
	if (!page_layer.nodes || !page_layer.nodes_memory || distances_init(config))
		return -ENOMEM;
	data = (void *)ALIGN((unsigned long)page_layer.nodes_memory, 64UL);
	fallback = (short *)(data + count);
	for (nid = 0; nid < n; nid++) {
		if (!possible(nid))
			continue;
		data->node_id = nid;
		data->fallback = fallback;
		data->fallback[0] = (short)nid;
		data->nr_fallback = 1;
		for (i = 0; i < MAX_NR_ZONES; i++)
			zone_init(data, i);
		page_layer.nodes[nid] = data++;
		fallback += n;
	}
	page_layer.nr_nodes = n;
	nr_node_ids = n;
	return 0;
}

void nodes_exit(void)
{
	os_free(page_layer.nodes);
	os_free(page_layer.nodes_memory);
	os_free(page_layer.distance);
	page_layer.nodes = NULL;
	page_layer.nr_nodes = 0;
	nr_node_ids = 0;
}

void node_data_reset(int nid)
{
	pg_data_t *pgdat = node_data(nid);
	int i;

	if (!pgdat || pgdat->node_present_pages)
		return;
	/* What an earlier life of the node left. Spans of device memory stay (ZONE-8). */
	for (i = 0; i < MAX_NR_ZONES; i++) {
		WRITE_ONCE(pgdat->node_zones[i].pgalloc, 0);
		WRITE_ONCE(pgdat->node_zones[i].pgfree, 0);
	}
	build_all_zonelists();
}

void node_set_nr_cpus(int nid, int nr)
{
	pg_data_t *pgdat = node_data(nid);
	int i;

	if (!pgdat)
		return;
	pgdat->nr_cpus = nr;
	for (i = 0; i < MAX_NR_ZONES; i++)
		zone_list_sizes(&pgdat->node_zones[i]);
}

/* ---- fallback order ---- */

struct chooser {
	int from;
	u64 taken[MAX_NUMNODES / 64];
	const int *load;
};

/*
 * The nearest node that is not taken yet; among equally near ones the next by
 * number, one without CPUs, the one that fewer others lean on.
 */
static int next_best(const struct chooser *c)
{
	long best_key = 0;
	int best = NUMA_NO_NODE, nid;

	for_each_node_state(nid, N_MEMORY) {
		long key;

		if (!node_data(nid) || c->taken[nid / 64] & BIT(nid % 64))
			continue;
		key = node_distance(c->from, nid) + (nid < c->from) + node_state(nid, N_CPU);
		key = key * MAX_NUMNODES + c->load[nid];
		if (best == NUMA_NO_NODE || key < best_key) {
			best_key = key;
			best = nid;
		}
	}
	return best;
}

static void build_fallback(pg_data_t *pgdat, int *load)
{
	struct chooser c = { .from = pgdat->node_id, .load = load };
	int n = 0, nid = pgdat->node_id, before = nid;

	while (nid != NUMA_NO_NODE) {
		c.taken[nid / 64] |= BIT(nid % 64);
		WRITE_ONCE(pgdat->fallback[n], (short)nid);
		n++;
		nid = next_best(&c);
		/* The first of each group of equally near nodes carries the weight of it. */
		if (nid != NUMA_NO_NODE &&
		    node_distance(c.from, nid) != node_distance(c.from, before))
			load[nid]++;
		before = nid;
	}
	WRITE_ONCE(pgdat->nr_fallback, n);
}

/* Where the fast path of allocation looks first. */
static bool build_slots(pg_data_t *pgdat)
{
	bool any = false;
	unsigned int request;

	for (request = 0; request < 16; request++) {
		int i = page_layer.gfp_zone[request];

		while (i >= 0 && !populated_zone(&pgdat->node_zones[i]))
			i--;
		any |= i >= 0;
		WRITE_ONCE(pgdat->gfp_slot[request],
			   (u16)(i >= 0 ? pgdat->node_zones[i].id + 1 : 0));
	}
	return any;
}

void build_all_zonelists(void)
{
	static int load[MAX_NUMNODES]; /* mem_hotplug_lock */
	int nid, i, first = NUMA_NO_NODE;

	memset(load, 0, sizeof(load));
	for (nid = 0; nid < page_layer.nr_nodes; nid++) {
		pg_data_t *pgdat = page_layer.nodes[nid];

		if (!pgdat)
			continue;
		build_fallback(pgdat, load);
		if (build_slots(pgdat) && first == NUMA_NO_NODE)
			first = nid;
	}
	WRITE_ONCE(page_layer.default_nid, first);
	for (i = 0; i < 16; i++)
		WRITE_ONCE(page_layer.gfp_slot[i],
			   first == NUMA_NO_NODE ? 0 : page_layer.nodes[first]->gfp_slot[i]);
	/* Pairs with the acquire of an allocation that failed. */
	__atomic_fetch_add(&page_layer.zonelist_generation, 1, __ATOMIC_RELEASE);
	mobility_update();
}
