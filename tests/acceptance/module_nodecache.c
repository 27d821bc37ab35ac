/* SPDX-License-Identifier: MIT */
/* examples/modules/nodecache.c runs here unmodified: registered at boot, it follows the nodes. */
#define KBUILD_MODNAME "nodecache"
#include "../../examples/modules/nodecache.c"

#include "../document/machine.h"

TEST(module_nodecache, "a structure is created and discarded as its node gains and loses memory")
{
	struct listener veto = { .answer = NOTIFY_BAD };

	machine_boot(NULL);
	CHECK(nodecache.node[0]);
	CHECK(!nodecache.node[NODE]);
	hot_add(NODE, 0, 2);
	CHECK_EQ(set_state(0, "online_movable"), 0);
	CHECK(nodecache.node[NODE]);
	CHECK_EQ(nodecache.node[NODE]->nid, NODE);
	CHECK_EQ(set_state(1, "online_movable"), 0);
	CHECK_EQ(set_state(0, "offline"), 0);
	CHECK(nodecache.node[NODE]);
	listen_as(&veto, "V", -1);
	for (int i = 0; i < 2; i++) {
		veto.answer_to = i ? MEM_OFFLINE : MEM_GOING_OFFLINE;
		CHECK_EQ(set_state(1, "offline"), -EPERM);
		CHECK(nodecache.node[NODE]);
	}
	veto.answer_to = 0;
	CHECK_EQ(set_state(1, "offline"), 0);
	CHECK(!nodecache.node[NODE]);
	for (int i = 0; i < 2; i++) {
		veto.answer_to = i ? MEM_ONLINE : MEM_GOING_ONLINE;
		CHECK_EQ(set_state(1, "online_movable"), -EPERM);
		CHECK(!nodecache.node[NODE]);
	}
	CHECK_EQ(mp_module_unload("nodecache"), 0);
	CHECK(!nodecache.node[0]);
	machine_check();
}
