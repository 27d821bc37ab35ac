// SPDX-License-Identifier: MIT
/* Numbers about mappings and their windows: atomics, and what map_state.lock guards. */
#include "map/map.h"
#include "os/os.h"
#include "plug/plug.h"

#include <stdlib.h>

#define FIRST_BUCKET_NS 4096u
#define DEFAULT_LIMIT 65530u

u64 mappings_allowed(void)
{
	char text[32] = { 0 };
	int fd = os_open_read("/proc/sys/vm/max_map_count");
	u64 limit = 0;

	if (fd >= 0) {
		if (os_read_at(fd, text, sizeof(text) - 1, 0) > 0)
			limit = strtoull(text, NULL, 10);
		os_close(fd);
	}
	return limit ? limit : DEFAULT_LIMIT;
}

void count_window(u64 ns)
{
	u64 max = __atomic_load_n(&map_state.window_max_ns, __ATOMIC_RELAXED);
	unsigned int i = 0;

	while (i < MP_MAP_WINDOW_BUCKETS - 1 && ns > (u64)FIRST_BUCKET_NS << i)
		i++;
	__atomic_fetch_add(&map_state.windows[i], 1, __ATOMIC_RELAXED);
	while (ns > max && !__atomic_compare_exchange_n(&map_state.window_max_ns, &max, ns, true,
							__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

int mp_get_map_stats(struct mp_map_stats *stats)
{
	unsigned int i;

	if (!stats)
		return -EINVAL;
	if (!machine_booted)
		return -ENXIO;
	mutex_lock(&map_state.lock);
	*stats = (struct mp_map_stats){
		.bytes = map_state.units * GRANULE + map_state.huge_units * HUGE_BYTES,
		.units = map_state.units,
		.huge_units = map_state.huge_units,
		.pinned = map_state.pinned,
		.moved = map_state.moved,
		.bytes_moved = map_state.bytes_moved,
		.failed = map_state.failed,
		.snapshots = map_state.snapshots,
		.mappings = map_state.mappings,
		.mappings_limit = map_state.mappings_limit,
	};
	mutex_unlock(&map_state.lock);
	stats->futexes_woken = __atomic_load_n(&map_state.futexes_woken, __ATOMIC_RELAXED);
	stats->window_ns_max = __atomic_load_n(&map_state.window_max_ns, __ATOMIC_RELAXED);
	for (i = 0; i < MP_MAP_WINDOW_BUCKETS; i++)
		stats->windows[i] = __atomic_load_n(&map_state.windows[i], __ATOMIC_RELAXED);
	return 0;
}
