/* SPDX-License-Identifier: MIT */
/* Which kind of memory backs which range: what a description asked for, found again by place and node. */
#ifndef MEMPLUG_BACKING_RULE_H
#define MEMPLUG_BACKING_RULE_H

#include "backing/backing.h"
#include "backing/kind.h"

struct rule {
	struct backing_rule want;
	const struct backing_kind *kind;
	int fd; /* of a file or a device by path, else -1 */
};

/* Opens what the rules need. 0 or -errno with a reason; nothing stays open then. */
int rules_init(const struct backing_config *config);
void rules_exit(void);
/* For a block at `start` that comes on node `nid`. */
const struct rule *rule_find(u64 start, int nid);
/* Where the rule's place ends, seen from `start`: the next range of another one, or ~0. */
u64 rule_limit(const struct rule *rule, u64 start);
/* Each extent is one block: a kind that is counted by file, or nodes that differ. */
bool rule_single_blocks(const struct rule *rule);
/* -ENOMEM and the like with a reason that says what is exhausted and what to do. */
int rule_explain(const struct rule *rule, u64 block, u64 size, int error);

#endif
