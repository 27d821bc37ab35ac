// SPDX-License-Identifier: MIT
/*
 * The table of backing rules. It is made when the machine boots and read-only
 * until it is shut down; the files of its rules are open as long.
 */
#include "backing/rule.h"
#include "report/report.h"
#include "os/os.h"

#include <linux/kernel.h>
#include <linux/nodemask.h>
#include <stdlib.h>

static struct {
	struct rule *rule; /* the first one is for what no other one is for */
	int nr;
	bool by_node;
} rules;

void rules_exit(void)
{
	int i;

	for (i = 0; i < rules.nr; i++)
		if (rules.rule[i].fd >= 0)
			os_close(rules.rule[i].fd);
	os_free(rules.rule);
	rules.rule = NULL;
	rules.nr = 0;
	rules.by_node = false;
}

static int open_rule(struct rule *rule, u64 block_size)
{
	const struct backing_rule *want = &rule->want;
	int error;

	rule->kind = backing_kind_find(want->kind);
	if (!rule->kind)
		return -EINVAL;
	if ((want->start | want->end) % block_size || block_size % rule->kind->granule)
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, want->kind,
				  "boot refused: backing %s at 0x%llx: it and its range need whole blocks, of whole pages of %llu KiB (block = %llu MiB)",
				  want->kind, (unsigned long long)want->start,
				  (unsigned long long)(rule->kind->granule >> 10),
				  (unsigned long long)(block_size >> 20));
	if (!rule->kind->open_path)
		return 0;
	error = rule->kind->open_path(want, &rule->fd);
	if (error)
		return reason_set(MP_REASON_SYSTEM, error, want->path,
				  "boot refused: backing %s %s for 0x%llx-0x%llx: %s; name another one or make it so",
				  want->kind, want->path, (unsigned long long)want->start,
				  (unsigned long long)want->end - 1,
				  error == -ENOTBLK ? "not a file of that kind" :
				  error == -EFBIG ? "too small, or its alignment is larger than a block" :
				  error == -EOPNOTSUPP ? "its file system cannot punch holes, so no memory could be given back" :
				  strerror(-error));
	return 0;
}

int rules_init(const struct backing_config *config)
{
	int i, error = 0;

	rules.rule = os_alloc((size_t)(config->nr_rules + 1) * sizeof(*rules.rule));
	if (!rules.rule)
		return -ENOMEM;
	for (i = 0; i <= config->nr_rules && !error; i++) {
		struct rule *rule = &rules.rule[i];

		rule->want = i ? config->rules[i - 1] :
			     (struct backing_rule){ .nid = NUMA_NO_NODE, .host_node = -1 };
		if (!i)
			snprintf(rule->want.kind, sizeof(rule->want.kind), "%s", config->kind);
		rule->fd = -1;
		rules.nr++;
		rules.by_node |= rule->want.nid != NUMA_NO_NODE;
		error = open_rule(rule, config->block_size);
	}
	if (error)
		rules_exit();
	return error;
}

const struct rule *rule_find(u64 start, int nid)
{
	const struct rule *found = &rules.rule[0];
	int i;

	for (i = 1; i < rules.nr; i++) {
		const struct backing_rule *want = &rules.rule[i].want;

		if (want->end > start && want->start <= start)
			return &rules.rule[i];
		if (!want->end && want->nid == nid)
			found = &rules.rule[i];
	}
	return found;
}

u64 rule_limit(const struct rule *rule, u64 start)
{
	u64 limit = rule->want.end ? rule->want.end : ~0ULL;
	int i;

	for (i = 1; i < rules.nr; i++)
		if (rules.rule[i].want.end && rules.rule[i].want.start > start)
			limit = min(limit, rules.rule[i].want.start);
	return limit;
}

bool rule_single_blocks(const struct rule *rule)
{
	return rules.by_node || rule->kind->single_blocks;
}

/* A number that the host shows in a file; -1: it does not. */
static long shown(const char *path)
{
	char text[32] = "";
	int fd = os_open_read(path);

	if (fd < 0)
		return -1;
	if (os_read_at(fd, text, sizeof(text) - 1, 0) <= 0)
		text[0] = '\0';
	os_close(fd);
	return text[0] ? strtol(text, NULL, 10) : -1;
}

static void pool_text(u64 page, char *text, size_t size)
{
	char path[96];
	long free;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%llukB/free_hugepages",
		 (unsigned long long)(page >> 10));
	free = shown(path);
	snprintf(text, size,
		 "the host's pool of %llu MiB pages has %ld free; raise nr_hugepages or nr_overcommit_hugepages in /sys/kernel/mm/hugepages/hugepages-%llukB",
		 (unsigned long long)(page >> 20), free, (unsigned long long)(page >> 10));
}

int rule_explain(const struct rule *rule, u64 block, u64 size, int error)
{
	bool full = error == -ENOSPC || error == -ENOMEM;
	char text[192];

	if (full && rule->kind->granule > 4096)
		pool_text(rule->kind->granule, text, sizeof(text));
	else if (full && rule->want.path[0])
		snprintf(text, sizeof(text), "no room in the file system of %.80s; make room there",
			 rule->want.path);
	else
		snprintf(text, sizeof(text), "the host cannot make it resident (error %d); free memory there or use commit=lazy",
			 -error);
	return reason_set(MP_REASON_NO_MEMORY, full ? -ENOMEM : error, "host",
			  "memory%llu: no %llu MiB of %s: %s", (unsigned long long)block,
			  (unsigned long long)(size >> 20), rule->want.kind, text);
}
