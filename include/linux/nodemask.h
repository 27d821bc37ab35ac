/* SPDX-License-Identifier: MIT */
/* Sets of NUMA nodes and the masks of the machine (NODE-1). */
#ifndef MEMPLUG_LINUX_NODEMASK_H
#define MEMPLUG_LINUX_NODEMASK_H

#include <linux/kernel.h>

#define NODES_SHIFT 10
#define MAX_NUMNODES (1 << NODES_SHIFT)
#define NUMA_NO_NODE (-1)

typedef struct {
	unsigned long bits[MAX_NUMNODES / BITS_PER_LONG];
} nodemask_t;

enum node_states {
	N_POSSIBLE,
	N_ONLINE,
	N_NORMAL_MEMORY,
	N_HIGH_MEMORY = N_NORMAL_MEMORY,
	N_MEMORY,
	N_CPU,
	N_GENERIC_INITIATOR,
	NR_NODE_STATES
};

/* Written under mem_hotplug_lock; read without a lock. */
extern nodemask_t node_states[NR_NODE_STATES] MP_SYM(node_states);
extern int nr_node_ids MP_SYM(nr_node_ids); /* highest possible node + 1; 0 without a machine */

static inline int mp_node_isset(int nid, const nodemask_t *mask)
{
	if (nid < 0 || nid >= MAX_NUMNODES)
		return 0;
	return (READ_ONCE(mask->bits[nid / BITS_PER_LONG]) >> (nid % BITS_PER_LONG)) & 1;
}
#define node_isset(nid, mask) mp_node_isset(nid, &(mask))

static inline void mp_node_set(int nid, nodemask_t *mask)
{
	__atomic_fetch_or(&mask->bits[nid / BITS_PER_LONG], BIT(nid % BITS_PER_LONG),
			  __ATOMIC_RELAXED);
}
#define node_set(nid, mask) mp_node_set(nid, &(mask))

static inline void mp_node_clear(int nid, nodemask_t *mask)
{
	__atomic_fetch_and(&mask->bits[nid / BITS_PER_LONG], ~BIT(nid % BITS_PER_LONG),
			   __ATOMIC_RELAXED);
}
#define node_clear(nid, mask) mp_node_clear(nid, &(mask))

/* The first node >= `from` of the mask, or MAX_NUMNODES. */
static inline int mp_next_node(int from, const nodemask_t *mask)
{
	int nid;

	for (nid = from; nid < MAX_NUMNODES; nid++) {
		unsigned long word = READ_ONCE(mask->bits[nid / BITS_PER_LONG]) >>
				     (nid % BITS_PER_LONG);

		if (word)
			return nid + __builtin_ctzl(word);
		nid |= BITS_PER_LONG - 1;
	}
	return MAX_NUMNODES;
}

static inline int mp_nodes_weight(const nodemask_t *mask)
{
	int i, n = 0;

	for (i = 0; i < MAX_NUMNODES / BITS_PER_LONG; i++)
		n += __builtin_popcountl(mask->bits[i]);
	return n;
}
#define nodes_weight(mask) mp_nodes_weight(&(mask))
#define nodes_clear(mask) memset(&(mask), 0, sizeof(mask))
#define nodes_empty(mask) (nodes_weight(mask) == 0)

#define for_each_node_mask(nid, mask)                                                              \
	for ((nid) = mp_next_node(0, &(mask)); (nid) < MAX_NUMNODES;                               \
	     (nid) = mp_next_node((nid) + 1, &(mask)))
#define for_each_node_state(nid, state) for_each_node_mask(nid, node_states[state])
#define for_each_online_node(nid) for_each_node_state(nid, N_ONLINE)
#define for_each_node(nid) for_each_node_state(nid, N_POSSIBLE)

static inline int node_state(int nid, enum node_states state)
{
	return mp_node_isset(nid, &node_states[state]);
}
static inline void node_set_state(int nid, enum node_states state)
{
	mp_node_set(nid, &node_states[state]);
}
static inline void node_clear_state(int nid, enum node_states state)
{
	mp_node_clear(nid, &node_states[state]);
}
#define num_node_state(state) mp_nodes_weight(&node_states[state])
#define node_online(nid) node_state(nid, N_ONLINE)
#define node_possible(nid) node_state(nid, N_POSSIBLE)
#define first_online_node mp_next_node(0, &node_states[N_ONLINE])

#endif
