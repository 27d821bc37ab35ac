/* SPDX-License-Identifier: MIT */
/* examples/modules/vetoguard.c runs here unmodified: the block it works in stays. */
#define KBUILD_MODNAME "vetoguard"
#include "../../examples/modules/vetoguard.c"

#include "../document/document.h"

/* All boot memory is in one zone, so that its blocks can leave. */
static const char one_zone[] = "overcommit = yes\nnode 0\ncpu 0 node 0\nram 4G 384M node 0\n";

TEST(module_vetoguard,
     "the guard's own block cannot be taken offline, any other can; the reason names it")
{
	struct mp_reason reason;
	long block, other;
	char path[128];

	machine_boot_text(one_zone);
	block = guard.first / BLOCK_PAGES;
	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%ld/state", block);
	CHECK_EQ(mp_write_string(path, "offline"), -EPERM);
	CHECK_STR(read_file(path), "online");
	CHECK_EQ(mp_last_reason(&reason), 0);
	CHECK_EQ(reason.kind, MP_REASON_VETO);
	CHECK_EQ(reason.block, block);
	CHECK(strstr(reason.actor, "vetoguard"));
	other = block + 1;
	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%ld/state", other);
	CHECK_EQ(mp_write_string(path, "offline"), 0);
	CHECK_EQ(mp_write_string(path, "online"), 0);
	CHECK_EQ(mp_module_unload("vetoguard"), 0);
	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%ld/state", block);
	CHECK_EQ(mp_write_string(path, "offline"), 0);
	machine_check();
}
