/* SPDX-License-Identifier: MIT */
/* The options of `memplug boot` that describe the machine, as a description of mp_boot(3). */
#include "describe.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The options of mp_desc_set(); getopt's value is FIRST_OPTION plus the index. */
#define FIRST_OPTION 1000
static const char *const option_names[] = {
	"contract", "block", "max_phys", "backing", "commit", "overcommit", "memhp_default_state",
	"online_policy", "auto_movable_ratio", "auto_movable_numa_aware", "memmap_on_memory",
	"movable_node", "probe",
};
#define NR_OPTIONS (sizeof(option_names) / sizeof(*option_names))

/* A machine said by size. */
struct shape {
	bool said;
	uint64_t memory, plug, block;
	int nodes, cpus;
};

static int fail(const struct mp_desc *desc, const char *what, int error)
{
	const char *text = *mp_desc_error(desc) ? mp_desc_error(desc) : strerror(-error);

	if (strncmp(text, what, strlen(what)))
		complain("%s: %s", what, text);
	else
		complain("%s", text);
	return EXIT_USAGE;
}

static int parse_count(const char *text, int most)
{
	char *end;
	long value = strtol(text, &end, 10);

	return end == text || *end || value < 1 || value > most ? -1 : (int)value;
}

static int add_nodes(struct mp_desc *desc, const struct shape *shape)
{
	int i, ret = 0;

	for (i = 0; i < shape->nodes && !ret; i++)
		ret = mp_desc_add_node(desc, i);
	for (i = 0; i < shape->cpus && !ret; i++)
		ret = mp_desc_add_cpu(desc, i, i % shape->nodes);
	return ret;
}

/* Memory in equal parts, one for each node, from 0; what can come, likewise, from 4 GiB on. */
static int add_memory(struct mp_desc *desc, const struct shape *shape)
{
	uint64_t part = shape->memory / (uint64_t)shape->nodes, plug = shape->plug / (uint64_t)shape->nodes;
	uint64_t start = shape->memory > 4ULL << 30 ? shape->memory : 4ULL << 30;
	int i, ret = 0;

	start = (start + shape->block - 1) / shape->block * shape->block;
	for (i = 0; i < shape->nodes && !ret; i++)
		ret = mp_desc_add_ram(desc, part * (uint64_t)i, part, i, false);
	for (i = 0; i < shape->nodes && plug && !ret; i++)
		ret = mp_desc_add_offline(desc, start + plug * (uint64_t)i, plug, i);
	return ret;
}

static int add_shape(struct mp_desc *desc, struct shape *shape)
{
	uint64_t unit = shape->block * (uint64_t)shape->nodes;
	char a[SIZE_TEXT], b[SIZE_TEXT];
	int ret;

	if (shape->memory % unit || shape->plug % unit) {
		complain("%s of memory and %s to plug on %d nodes are not whole blocks; use multiples of %s",
			 size_text(shape->memory, a), size_text(shape->plug, b), shape->nodes,
			 size_text(unit, (char[SIZE_TEXT]){ 0 }));
		return EXIT_USAGE;
	}
	ret = add_nodes(desc, shape) ?: add_memory(desc, shape);
	return ret < 0 ? fail(desc, "machine", ret) : EXIT_DONE;
}

/* Something to look at: boot memory on node 0, as much again to come on node 1. */
static int add_default(struct mp_desc *desc)
{
	int ret = mp_desc_parse(desc, "node 0\nnode 1\ncpu 0 node 0\nram 0 1G node 0\n"
				"offline 4G 1G node 1\n", "default machine");

	return ret < 0 ? fail(desc, "default machine", ret) : EXIT_DONE;
}

static int set_option(struct mp_desc *desc, struct shape *shape, const char *name, const char *value)
{
	int ret = mp_desc_set(desc, name, value);

	if (!strcmp(name, "block") && !ret && strcmp(value, "auto"))
		parse_size(value, &shape->block);
	return ret;
}

static bool shape_option(struct shape *shape, int c, const char *value)
{
	shape->said = true;
	if (c == 'M')
		return parse_size(value, &shape->memory);
	if (c == 'P')
		return !strcmp(value, "0") ? (shape->plug = 0, true) : parse_size(value, &shape->plug);
	if (c == 'N')
		return (shape->nodes = parse_count(value, 1024)) > 0;
	return (shape->cpus = parse_count(value, 4096)) > 0;
}

static const struct option *long_options(void)
{
	static struct option longs[NR_OPTIONS * 2 + 9] = {
		{ "config", required_argument, NULL, 'c' }, { "from", required_argument, NULL, 'f' },
		{ "set", required_argument, NULL, 's' }, { "mount", required_argument, NULL, 'm' },
		{ "memory", required_argument, NULL, 'M' }, { "plug", required_argument, NULL, 'P' },
		{ "nodes", required_argument, NULL, 'N' }, { "cpus", required_argument, NULL, 'C' },
	};
	static char dashed[NR_OPTIONS][32];
	struct option *at = longs + 8;
	size_t i, k;

	for (i = 0; i < NR_OPTIONS; i++) {
		snprintf(dashed[i], sizeof(dashed[i]), "%s", option_names[i]);
		for (k = 0; dashed[i][k]; k++)
			dashed[i][k] = dashed[i][k] == '_' ? '-' : dashed[i][k];
		*at++ = (struct option){ dashed[i], required_argument, NULL, FIRST_OPTION + (int)i };
		/* As the description spells it, too. */
		if (strcmp(dashed[i], option_names[i]))
			*at++ = (struct option){ option_names[i], required_argument, NULL,
						 FIRST_OPTION + (int)i };
	}
	return longs;
}

static int one_option(struct mp_desc *desc, struct shape *shape, int c, bool *described)
{
	switch (c) {
	case 'c':
		*described = true;
		return mp_desc_read_file(desc, optarg);
	case 'f':
		*described = true;
		return mp_desc_read_sysfs(desc, optarg);
	case 's':
		*described |= !strchr(optarg, '=');
		return mp_desc_parse(desc, optarg, "--set");
	default:
		return set_option(desc, shape, option_names[c - FIRST_OPTION], optarg);
	}
}

int describe(struct mp_desc *desc, int argc, char **argv, const char **mount)
{
	struct shape shape = { .memory = 1ULL << 30, .block = 128ULL << 20, .nodes = 1, .cpus = 1 };
	const struct option *longs = long_options();
	bool described = false;
	int c, ret;

	optind = 1;
	while ((c = getopt_long(argc, argv, "c:f:s:m:", longs, NULL)) != -1) {
		if (c == '?')
			return complain("%s: not understood, or without its value; `memplug boot --help`",
					argv[optind - 1]), EXIT_USAGE;
		if (c == 'm') {
			*mount = optarg;
		} else if (strchr("MPNC", c) && c < FIRST_OPTION) {
			if (!shape_option(&shape, c, optarg)) {
				complain("%s: not understood: sizes are like 4G, numbers like 2; `memplug boot --help`",
					 argv[optind - 1]);
				return EXIT_USAGE;
			}
		} else {
			ret = one_option(desc, &shape, c, &described);
			if (ret < 0)
				return fail(desc, optarg, ret);
		}
	}
	if (optind < argc) {
		complain("%s: not understood; `memplug boot --help`", argv[optind]);
		return EXIT_USAGE;
	}
	if (described && shape.said) {
		complain("the machine's memory is said twice: by --config, --from or --set, and by --memory, --plug, --nodes or --cpus");
		return EXIT_USAGE;
	}
	if (shape.said)
		return add_shape(desc, &shape);
	return described ? EXIT_DONE : add_default(desc);
}
