/* SPDX-License-Identifier: MIT */
/* examples/modules/nodecache.c runs here unmodified: registered at boot, it follows the nodes. */
#define KBUILD_MODNAME "nodecache"
#include "../../examples/modules/nodecache.c"

#include "../document/document.h"

TEST(module_nodecache, "a structure is created and discarded as its node gains and loses memory")
{
	struct listener veto = {0};

	machine_boot(NULL);
	CHECK(nodecache.node[0]);
	CHECK(!nodecache.node[NODE]);
	add_blocks(NODE, FIRST, 2);
	CHECK_EQ(set_state(FIRST, "online_movable"), 0);
	CHECK(nodecache.node[NODE]);
	CHECK_EQ(nodecache.node[NODE]->nid, NODE);
	CHECK_EQ(set_state(SECOND, "online_movable"), 0);
	CHECK_EQ(set_state(FIRST, "offline"), 0);
	CHECK(nodecache.node[NODE]);
	listen_as(&veto, "V", -1);
	for (int i = 0; i < 2; i++) {
		answer_only(&veto, i ? MEM_OFFLINE : MEM_GOING_OFFLINE, NOTIFY_BAD);
		CHECK_EQ(set_state(SECOND, "offline"), -EPERM);
		CHECK(nodecache.node[NODE]);
	}
	answer_only(&veto, 0, 0);
	CHECK_EQ(set_state(SECOND, "offline"), 0);
	CHECK(!nodecache.node[NODE]);
	for (int i = 0; i < 2; i++) {
		answer_only(&veto, i ? MEM_ONLINE : MEM_GOING_ONLINE, NOTIFY_BAD);
		CHECK_EQ(set_state(SECOND, "online_movable"), -EPERM);
		CHECK(!nodecache.node[NODE]);
	}
	CHECK_EQ(mp_module_unload("nodecache"), 0);
	CHECK(!nodecache.node[0]);
	machine_check();
}
