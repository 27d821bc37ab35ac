// SPDX-License-Identifier: MIT
/*
 * Machine descriptions from a sysfs tree, this host's own or a saved copy:
 * blocks, their nodes, states and zones; nodes, distances, CPUs. Zone spans of
 * proc/zoneinfo, where it is there, trim the blocks at their edges.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/mmzone.h>
#include "os/os.h"
#include "plug/desc.h"

#define MAX_SPANS 64
#define PATH_SIZE 512

struct mirror {
	struct mp_desc *desc;
	const char *dir;
	u64 block_size;
	int node; /* the one being read */
	struct { u64 start, end; } span[MAX_SPANS];
	int nr_spans;
	struct mirrored { u64 id; int nid; } *block;
	int nr_blocks, room;
};

__attribute__((__format__(__printf__, 3, 4)))
static ssize_t read_at(struct mirror *m, char **text, const char *fmt, ...)
{
	char path[PATH_SIZE];
	va_list ap;
	int n;

	n = snprintf(path, sizeof(path), "%s/", strcmp(m->dir, "/") ? m->dir : "");
	va_start(ap, fmt);
	n += vsnprintf(path + n, n < PATH_SIZE ? PATH_SIZE - (size_t)n : 0, fmt, ap);
	va_end(ap);
	if (n >= PATH_SIZE)
		return -ENAMETOOLONG;
	return desc_read_text(path, text);
}

static int list_dir(struct mirror *m, const char *relative,
		    int (*fn)(struct mirror *m, const char *name))
{
	char path[PATH_SIZE], buf[4096];
	ssize_t n, at;
	int fd, ret = 0;

	if (snprintf(path, sizeof(path), "%s/%s", strcmp(m->dir, "/") ? m->dir : "", relative) >=
	    PATH_SIZE)
		return -ENAMETOOLONG;
	fd = os_open_read(path);
	if (fd < 0)
		return fd;
	while (!ret && (n = os_read_dir(fd, buf, sizeof(buf))) != 0) {
		if (n < 0)
			ret = (int)n;
		/* struct linux_dirent64: 8 ino, 8 off, 2 length, 1 type, name */
		for (at = 0; !ret && at < n;) {
			unsigned short len;

			memcpy(&len, buf + at + 16, sizeof(len));
			ret = fn(m, buf + at + 19);
			at += len;
		}
	}
	os_close(fd);
	return ret;
}

/* "memory12" -> 12; false for anything else. */
static bool numbered(const char *name, const char *prefix, u64 *number)
{
	size_t len = strlen(prefix);
	char *end;

	if (strncmp(name, prefix, len) || name[len] < '0' || name[len] > '9')
		return false;
	*number = strtoull(name + len, &end, 10);
	return *end == '\0';
}

static int note_block(struct mirror *m, const char *name)
{
	struct mirrored *larger;
	u64 id;
	int room;

	if (!numbered(name, "memory", &id))
		return 0;
	if (m->nr_blocks == m->room) {
		room = m->room ? m->room * 2 : 64;
		larger = os_alloc((size_t)room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		if (m->block)
			memcpy(larger, m->block, (size_t)m->nr_blocks * sizeof(*larger));
		os_free(m->block);
		m->block = larger;
		m->room = room;
	}
	m->block[m->nr_blocks++] = (struct mirrored){ id, 0 };
	return 0;
}

static int note_node_of_block(struct mirror *m, const char *name)
{
	u64 id;
	int i;

	if (!numbered(name, "memory", &id))
		return 0;
	for (i = 0; i < m->nr_blocks; i++)
		if (m->block[i].id == id)
			m->block[i].nid = m->node;
	return 0;
}

static int add_cpu(int cpu, void *arg)
{
	struct mirror *m = arg;
	int ret = mp_desc_add_cpu(m->desc, cpu, m->node);

	return ret == -EEXIST ? 0 : ret;
}

static int add_offline_cpu(struct mirror *m, const char *name)
{
	u64 cpu;
	int ret;

	if (!numbered(name, "cpu", &cpu) || cpu >= NR_CPUS)
		return 0;
	/* CPU 0 is always online, whatever a list says. */
	ret = desc_add_cpu(m->desc, (int)cpu, m->node, cpu ? "offline" : "online");
	return ret == -EEXIST ? 0 : ret;
}

struct distances {
	struct mirror *m;
	const char *next; /* what is left of the text */
};

static int add_distance(int to, void *arg)
{
	struct distances *d = arg;
	char *end;
	long distance = strtol(d->next, &end, 10);

	if (end == d->next)
		return 1; /* no more of them, however long the list is */
	d->next = end;
	return mp_desc_set_distance(d->m->desc, d->m->node, to, (int)distance);
}

static int read_node(int nid, void *arg)
{
	struct mirror *m = arg;
	char path[64], *text, *online;
	struct distances d = { m, NULL };
	int ret;

	m->node = nid;
	ret = mp_desc_add_node(m->desc, nid);
	if (ret)
		return ret == -EEXIST ? 0 : ret;
	snprintf(path, sizeof(path), "sys/devices/system/node/node%d", nid);
	ret = list_dir(m, path, note_node_of_block);
	if (ret == -ENOENT)
		return 0;
	if (ret)
		return ret;
	if (read_at(m, &text, "%s/cpulist", path) >= 0) {
		ret = desc_parse_list(text, add_cpu, m);
		os_free(text);
	}
	/* What is linked but not in the list is present and offline. */
	if (!ret)
		ret = list_dir(m, path, add_offline_cpu);
	/* One number for each online node, in their order. */
	if (!ret && read_at(m, &text, "%s/distance", path) >= 0) {
		d.next = text;
		if (read_at(m, &online, "sys/devices/system/node/online") >= 0) {
			ret = min(desc_parse_list(online, add_distance, &d), 0);
			os_free(online);
		}
		os_free(text);
	}
	return ret;
}

static int read_nodes(struct mirror *m)
{
	char *text;
	int ret;

	if (read_at(m, &text, "sys/devices/system/node/possible") < 0)
		return read_node(0, m);
	ret = desc_parse_list(text, read_node, m);
	os_free(text);
	return ret;
}

/* Spans of all zones that have pages: RAM is what lies in one of them. */
static void read_spans(struct mirror *m)
{
	unsigned long spanned = 0, present = 0, value;
	char *text, *line;

	if (read_at(m, &text, "proc/zoneinfo") < 0)
		return;
	for (line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, " spanned %lu", &value) == 1) {
			spanned = value;
		} else if (sscanf(line, " present %lu", &value) == 1) {
			present = value;
		} else if (sscanf(line, " start_pfn: %lu", &value) == 1 && spanned && present &&
			   m->nr_spans < MAX_SPANS) {
			m->span[m->nr_spans].start = PFN_PHYS(value);
			m->span[m->nr_spans++].end = PFN_PHYS(value + spanned);
			present = 0;
			spanned = 0;
		}
	}
	os_free(text);
}

/* What of [start, end) some zone spans; the whole where no spans are known. */
static void trim(struct mirror *m, u64 *start, u64 *end)
{
	u64 low = ~0ULL, high = 0;
	int i;

	for (i = 0; i < m->nr_spans; i++) {
		u64 from = max(m->span[i].start, *start), to = min(m->span[i].end, *end);

		if (from >= to)
			continue;
		low = min(low, from);
		high = max(high, to);
	}
	if (high) {
		*start = low;
		*end = high;
	}
}

static int add_block(struct mirror *m, const struct mirrored *block)
{
	u64 start = block->id * m->block_size, end = start + m->block_size;
	char *state, *zones = NULL;
	bool online, movable;
	ssize_t len;
	int ret;

	/* Not only the product: the next block's start, too. */
	if (block->id >= ~0ULL / m->block_size)
		return desc_fail(m->desc, -EINVAL, "%s: memory%llu lies behind the end of the address space",
				 m->dir, (unsigned long long)block->id);
	len = read_at(m, &state, "sys/devices/system/memory/memory%llu/state",
		      (unsigned long long)block->id);
	if (len < 0)
		return (int)len;
	online = !strncmp(state, "online", 6);
	os_free(state);
	if (!online)
		return mp_desc_add_offline(m->desc, start, m->block_size, block->nid);
	len = read_at(m, &zones, "sys/devices/system/memory/memory%llu/valid_zones",
		      (unsigned long long)block->id);
	movable = len > 0 && !strncmp(zones, "Movable", 7);
	if (len >= 0)
		os_free(zones);
	trim(m, &start, &end);
	ret = mp_desc_add_ram(m->desc, start, end - start, block->nid, movable);
	return ret;
}

static int read_blocks(struct mirror *m)
{
	int i, ret = 0;

	for (i = 0; i < m->nr_blocks && !ret; i++)
		ret = add_block(m, &m->block[i]);
	return ret;
}

static int mirror(struct mirror *m)
{
	char *text, *end, word[32];
	ssize_t len;
	int ret;

	len = read_at(m, &text, "sys/devices/system/memory/block_size_bytes");
	if (len < 0)
		return (int)len;
	m->block_size = strtoull(text, &end, 16);
	os_free(text);
	snprintf(word, sizeof(word), "0x%llx", (unsigned long long)m->block_size);
	ret = mp_desc_set(m->desc, "block", word) ?: mp_desc_set(m->desc, "overcommit", "yes");
	if (ret)
		return ret;
	read_spans(m);
	ret = list_dir(m, "sys/devices/system/memory", note_block);
	if (!ret && !m->nr_blocks)
		ret = -ENOENT;
	return ret ?: read_nodes(m) ?: read_blocks(m);
}

int mp_desc_read_sysfs(struct mp_desc *desc, const char *dir)
{
	struct mirror m = { .desc = desc, .dir = dir };
	int ret;

	if (!desc || !dir)
		return -EINVAL;
	desc->error[0] = '\0';
	ret = mirror(&m);
	os_free(m.block);
	if (ret && !desc->error[0])
		desc_fail(desc, ret, "%s: no machine can be read from sys/devices/system/memory: %s",
			  dir, strerror(-ret));
	return ret;
}
