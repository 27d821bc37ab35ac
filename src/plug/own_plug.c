// SPDX-License-Identifier: MIT
/*
 * /memplug/add and /memplug/remove: memory comes and goes through the tree.
 * A write is one whole request; reading tells why the last one was refused.
 * kept.lock guards that text; the work is done under device_hotplug_lock.
 */
#include <stdlib.h>
#include <string.h>
#include <linux/kernel.h>
#include <linux/memory.h>
#include "block/block.h"
#include "device/bus.h"
#include "device/text.h"
#include "plug/plug.h"
#include "plug/plug_files.h"
#include "report/report.h"

#define MAX_WORDS 4
#define MAX_TEXT 120 /* of a request that can make sense */
#define ADD 0
#define REMOVE 1

static struct {
	struct mutex lock;
	char text[2][768];
} kept = { .lock = __MUTEX_INITIALIZER(kept) };

struct request {
	u64 start, size;
	int nid;
	int online_type; /* of add; MMOP_OFFLINE: leave it offline */
	bool offline;	 /* of remove: put it offline before */
};

static int refuse_text(const char *what)
{
	return reason_set(MP_REASON_ARGUMENT, -EINVAL, "text", "%s", what);
}

/* In place. The number of words, or -EINVAL: too long or too many. */
static int split(char *copy, const char *buf, size_t count, char **word)
{
	char *rest = copy, *next;
	int n = 0;

	if (count >= MAX_TEXT || strlen(buf) != count)
		return -EINVAL;
	memcpy(copy, buf, count + 1);
	while ((next = strtok_r(rest, " \t\n", &rest))) {
		if (n == MAX_WORDS)
			return -EINVAL;
		word[n++] = next;
	}
	return n;
}

static int parse_range(char **word, struct request *request)
{
	u64 block = memory_block_size_bytes();

	if (desc_parse_size(word[0], &request->start) || desc_parse_size(word[1], &request->size))
		return refuse_text("START and SIZE are numbers like 0x100000000, 4G or 128M");
	/* Not left to the calls below: by Linux's contract remove_memory() is fatal then (REMOVE-1). */
	if (!request->size || request->start % block || request->size % block ||
	    request->start + request->size < request->start)
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "alignment",
				  "0x%llx+0x%llx is not whole blocks of 0x%llx bytes",
				  (unsigned long long)request->start,
				  (unsigned long long)request->size, (unsigned long long)block);
	return 0;
}

static int parse_add(const char *buf, size_t count, struct request *request)
{
	static const char usage[] = "write START SIZE NODE [online|online_kernel|online_movable]";
	char copy[MAX_TEXT], *word[MAX_WORDS], *end;
	int n = split(copy, buf, count, word), ret;
	unsigned long nid;

	if (n < 3)
		return refuse_text(usage);
	ret = parse_range(word, request);
	if (ret)
		return ret;
	nid = strtoul(word[2], &end, 10);
	if (*end || end == word[2] || *word[2] == '-' || nid >= MAX_NUMNODES ||
	    !node_possible((int)nid))
		return reason_set(MP_REASON_ARGUMENT, -EINVAL, "node",
				  "node %s is not possible; /sys/devices/system/node/possible has those that are",
				  word[2]);
	request->nid = (int)nid;
	request->online_type = n < 4 ? MMOP_OFFLINE : !strcmp(word[3], "movable") ?
			       MMOP_ONLINE_MOVABLE : mhp_online_type_from_str(word[3]);
	return request->online_type < 0 ? refuse_text(usage) : 0;
}

static int parse_remove(const char *buf, size_t count, struct request *request)
{
	static const char usage[] = "write START SIZE [offline]";
	char copy[MAX_TEXT], *word[MAX_WORDS];
	int n = split(copy, buf, count, word);

	if (n < 2 || n > 3 || (n == 3 && strcmp(word[2], "offline")))
		return refuse_text(usage);
	request->offline = n == 3;
	return parse_range(word, request);
}

/* ---- the work, device_hotplug_lock held ---- */

static int online_block(struct memory_block *mem, void *arg)
{
	const struct request *request = arg;
	int ret;

	mem->online_type = request->online_type;
	ret = device_online(&mem->dev);
	if (ret)
		mem->online_type = MMOP_OFFLINE;
	/* 1: auto_online_blocks was there first. */
	return ret < 0 ? ret : 0;
}

static int do_add(struct request *request)
{
	int ret = __add_memory(request->nid, request->start, request->size, MHP_NONE);

	if (ret || request->online_type == MMOP_OFFLINE)
		return ret;
	return walk_memory_blocks(request->start, request->size, request, online_block);
}

static int count_block(struct memory_block *mem, void *arg)
{
	u64 *next = arg;

	if (memory_block_id(mem) != *next)
		return 1;
	++*next;
	return 0;
}

/* Linux removes what is there of a range; here a range with a gap is taken for a mistake. */
static int do_remove(struct request *request)
{
	u64 block = memory_block_size_bytes(), next = request->start / block;

	walk_memory_blocks(request->start, request->size, &next, count_block);
	if (next != (request->start + request->size) / block)
		return reason_set(MP_REASON_ARGUMENT, -ENOENT, "memory block",
				  "remove of 0x%llx+0x%llx refused: memory%llu is not there",
				  (unsigned long long)request->start,
				  (unsigned long long)request->size, (unsigned long long)next);
	return request->offline ? plug_offline_and_remove(request->start, request->size) :
				  plug_remove(request->start, request->size);
}

/* ---- the files ---- */

static void keep(long which, const char *request, int error)
{
	struct mp_reason reason;
	char *text = kept.text[which];

	mutex_lock(&kept.lock);
	text[0] = '\0';
	if (error && !mp_last_reason(&reason))
		snprintf(text, sizeof(kept.text[0]),
			 "request: %.*s\nerror: %d\nkind: %s\nactor: %s\nblock: %ld\ntext: %s\n",
			 (int)min(strcspn(request, "\n"), (size_t)MAX_TEXT), request, error,
			 mp_reason_kind_name(reason.kind), reason.actor, reason.block, reason.text);
	mutex_unlock(&kept.lock);
}

static int carry_out(const struct tree_attr *attr, struct request *request)
{
	int ret = lock_device_hotplug_sysfs();

	if (ret)
		return ret;
	ret = attr->data == ADD ? do_add(request) : do_remove(request);
	unlock_device_hotplug();
	/* A deadline is memplug's own; a program behind the tree knows EINTR (DESIGN D14). */
	return ret == -ETIMEDOUT ? -EINTR : ret;
}

static ssize_t request_store(void *owner, const struct tree_attr *attr, const char *buf, size_t count)
{
	struct request request = { 0 };
	int ret;

	(void)owner;
	reason_begin(attr->name, -1);
	/* Nonsense is refused at once, whatever runs. */
	ret = attr->data == ADD ? parse_add(buf, count, &request) : parse_remove(buf, count, &request);
	if (!ret)
		ret = carry_out(attr, &request);
	reason_end();
	if (ret == -ERESTARTNOINTR)
		return ret;
	keep(attr->data, buf, ret);
	return ret ? ret : (ssize_t)count;
}

static ssize_t request_show(void *owner, const struct tree_attr *attr, char *buf)
{
	int len;

	(void)owner;
	mutex_lock(&kept.lock);
	len = page_printf(buf, 0, "%s", kept.text[attr->data]);
	mutex_unlock(&kept.lock);
	return len;
}

const struct tree_attr own_add_attr = { .name = "add", .mode = 0644, .data = ADD,
					.show = request_show, .store = request_store };
const struct tree_attr own_remove_attr = { .name = "remove", .mode = 0644, .data = REMOVE,
					   .show = request_show, .store = request_store };

void own_plug_forget(void)
{
	mutex_init(&kept.lock);
	memset(kept.text, 0, sizeof(kept.text));
}
