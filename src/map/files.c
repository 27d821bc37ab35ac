// SPDX-License-Identifier: MIT
/* The file /memplug/map: what holds memory still while it moves, what else was tried, and numbers. */
#include "map/map.h"
#include "backing/backing.h"
#include "device/text.h"
#include "os/os.h"
#include "plug/plug_files.h"

#include <inttypes.h>

static void show_probes(struct text *text, bool tried, bool ready)
{
	static const char *const names[NR_SOURCES] = { "userfaultfd(2)", "/dev/userfaultfd",
						       "MEMPLUG_USERFAULTFD" };
	unsigned int i;

	for (i = 0; i < NR_SOURCES; i++) {
		bool in_force = ready && i == mechanism.source;

		text_printf(text, "probe %s: %s\n", names[i],
			    in_force ? "in force" : !tried || (ready && i > mechanism.source) ?
				       "not needed" : strerror(-mechanism.error[i]));
	}
}

static void show_mechanism(struct text *text)
{
	struct backing_kinds kinds = backing_kinds();
	bool tried = kinds.files || !kinds.apart;
	/* Asking is free of consequences but two descriptors. */
	bool ready = tried && !mechanism_ready();

	text_printf(text, "mechanism %s\n", mp_map_mechanism());
	show_probes(text, tried, ready);
	if (ready) {
		text_printf(text, "costs writers of a granule wait while it is copied, readers never; see windows\n");
		text_printf(text, "checked %s\n", mechanism.pagemap >= 0 ?
			    "each window, by /proc/self/pagemap" : "no: without /proc");
	} else if (tried) {
		text_printf(text, "costs mp_map() is refused%s: nothing else here holds system calls too\n",
			    kinds.apart ? " but for anonymous memory" : "");
	}
	if (kinds.apart)
		text_printf(text, "anonymous memory costs nothing: it stays where it is and counts to another block\n");
}

static void show_huge_pages(struct text *text)
{
	char state[128] = { 0 };
	int fd = os_open_read("/sys/kernel/mm/transparent_hugepage/shmem_enabled");

	if (fd < 0)
		return;
	if (os_read_at(fd, state, sizeof(state) - 1, 0) > 0)
		text_printf(text, "host shmem_enabled: %s", state);
	os_close(fd);
}

static void show_numbers(struct text *text)
{
	struct mp_map_stats stats = { 0 };
	unsigned int i;

	if (mp_get_map_stats(&stats))
		return;
	text_printf(text,
		    "bytes %" PRIu64 "\nunits %" PRIu64 "\nhuge_units %" PRIu64 "\npinned %" PRIu64
		    "\nsnapshots %" PRIu64 "\nmoved %" PRIu64 "\nbytes_moved %" PRIu64 "\nfailed %" PRIu64
		    "\nfutexes_woken %" PRIu64 "\nmappings %" PRIu64 " of %" PRIu64 "\nwindow_ns_max %" PRIu64
		    "\nwindows",
		    stats.bytes, stats.units, stats.huge_units, stats.pinned, stats.snapshots,
		    stats.moved, stats.bytes_moved, stats.failed, stats.futexes_woken, stats.mappings,
		    stats.mappings_limit, stats.window_ns_max);
	for (i = 0; i < MP_MAP_WINDOW_BUCKETS - 1; i++)
		text_printf(text, " %uus:%" PRIu64, 4u << i, stats.windows[i]);
	text_printf(text, " longer:%" PRIu64 "\n", stats.windows[i]);
}

ssize_t map_show(char **buf)
{
	struct text text = { 0 };

	show_mechanism(&text);
	show_huge_pages(&text);
	show_numbers(&text);
	return text_take(&text, buf);
}
