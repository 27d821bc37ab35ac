/* SPDX-License-Identifier: MIT */
/*
 * Sets of CPUs and the masks of the machine. All are empty without a machine
 * and change only at boot, under cpu_hotplug_lock (online) or
 * device_hotplug_lock (present); reading takes no lock.
 */
#ifndef MEMPLUG_LINUX_CPUMASK_H
#define MEMPLUG_LINUX_CPUMASK_H

#include <linux/kernel.h>

#define NR_CPUS 1024

typedef struct cpumask {
	unsigned long bits[NR_CPUS / BITS_PER_LONG];
} cpumask_t;

/* Described; there; brought up. Each is part of the one before. */
extern struct cpumask __cpu_possible_mask MP_SYM(cpu_possible_mask);
extern struct cpumask __cpu_present_mask MP_SYM(cpu_present_mask);
extern struct cpumask __cpu_online_mask MP_SYM(cpu_online_mask);
#define cpu_possible_mask ((const struct cpumask *)&__cpu_possible_mask)
#define cpu_present_mask ((const struct cpumask *)&__cpu_present_mask)
#define cpu_online_mask ((const struct cpumask *)&__cpu_online_mask)
extern unsigned int nr_cpu_ids MP_SYM(nr_cpu_ids); /* highest possible CPU + 1, at least 1 */

static inline bool cpumask_test_cpu(unsigned int cpu, const struct cpumask *mask)
{
	return cpu < NR_CPUS &&
	       (READ_ONCE(mask->bits[cpu / BITS_PER_LONG]) >> (cpu % BITS_PER_LONG)) & 1;
}

static inline void cpumask_set_cpu(unsigned int cpu, struct cpumask *mask)
{
	__atomic_fetch_or(&mask->bits[cpu / BITS_PER_LONG], BIT(cpu % BITS_PER_LONG),
			  __ATOMIC_RELAXED);
}

static inline void cpumask_clear_cpu(unsigned int cpu, struct cpumask *mask)
{
	__atomic_fetch_and(&mask->bits[cpu / BITS_PER_LONG], ~BIT(cpu % BITS_PER_LONG),
			   __ATOMIC_RELAXED);
}

/* The first CPU behind `after` (-1: the very first), or NR_CPUS. */
static inline unsigned int cpumask_next(int after, const struct cpumask *mask)
{
	unsigned int cpu = (unsigned int)(after + 1);

	while (cpu < NR_CPUS) {
		unsigned long word = READ_ONCE(mask->bits[cpu / BITS_PER_LONG]) >>
				     (cpu % BITS_PER_LONG);

		if (word)
			return cpu + (unsigned int)__builtin_ctzl(word);
		cpu = (cpu / BITS_PER_LONG + 1) * BITS_PER_LONG;
	}
	return NR_CPUS;
}

static inline unsigned int cpumask_weight(const struct cpumask *mask)
{
	unsigned int i, n = 0;

	for (i = 0; i < NR_CPUS / BITS_PER_LONG; i++)
		n += (unsigned int)__builtin_popcountl(READ_ONCE(mask->bits[i]));
	return n;
}

#define for_each_cpu(cpu, mask)                                                                    \
	for ((cpu) = cpumask_next(-1, mask); (unsigned int)(cpu) < NR_CPUS;                        \
	     (cpu) = cpumask_next((int)(cpu), mask))
#define for_each_possible_cpu(cpu) for_each_cpu(cpu, cpu_possible_mask)
#define for_each_present_cpu(cpu) for_each_cpu(cpu, cpu_present_mask)
#define for_each_online_cpu(cpu) for_each_cpu(cpu, cpu_online_mask)

#define cpu_possible(cpu) cpumask_test_cpu(cpu, cpu_possible_mask)
#define cpu_present(cpu) cpumask_test_cpu(cpu, cpu_present_mask)
#define cpu_online(cpu) cpumask_test_cpu(cpu, cpu_online_mask)
#define num_possible_cpus() cpumask_weight(cpu_possible_mask)
#define num_present_cpus() cpumask_weight(cpu_present_mask)
#define num_online_cpus() cpumask_weight(cpu_online_mask)

#endif
