// SPDX-License-Identifier: MIT
/*
 * Machine descriptions from text: one statement a line, each one call of
 * desc.c. Errors name the line and what was wrong with it.
 */
#include "os/os.h"
#include "plug/desc.h"
#include <stdlib.h>
#include <linux/kernel.h>

#define MAX_WORDS 12
#define MAX_FILE (1 << 20)

ssize_t desc_read_text(const char *path, char **text)
{
	size_t len = 0, room = 4096;
	char *buf = os_alloc(room + 1), *larger;
	ssize_t n;
	int fd;

	if (!buf)
		return -ENOMEM;
	fd = os_open_read(path);
	if (fd < 0) {
		os_free(buf);
		return fd;
	}
	while ((n = os_read_at(fd, buf + len, room - len, len)) > 0) {
		len += (size_t)n;
		if (len < room)
			continue;
		n = room >= MAX_FILE ? -EFBIG : 0;
		larger = n ? NULL : os_alloc(room * 2 + 1);
		if (!larger) {
			n = n ? n : -ENOMEM;
			break;
		}
		memcpy(larger, buf, len);
		os_free(buf);
		buf = larger;
		room *= 2;
	}
	os_close(fd);
	if (n < 0) {
		os_free(buf);
		return n;
	}
	buf[len] = '\0';
	*text = buf;
	return (ssize_t)len;
}

static int number(const char *word, int *value)
{
	char *end;
	long v = strtol(word, &end, 0);

	if (*word == '\0' || *end || v < 0 || v > 1 << 20)
		return -EINVAL;
	*value = (int)v;
	return 0;
}

/* "node N" behind a range or a CPU; absent: node 0. */
static int node_words(char **word, int count, int *nid)
{
	*nid = 0;
	if (count == 0)
		return 0;
	return count == 2 && !strcmp(word[0], "node") ? number(word[1], nid) : -EINVAL;
}

static int range_words(char **word, u64 *start, u64 *size);

/* "backing START SIZE KIND ..." or "backing node N KIND ...", then "path P", "offset O", "host_node H". */
static int backing_words(struct mp_desc *desc, char **word, int count)
{
	struct mp_backing backing = { .kind = word[2] };
	bool by_node = !strcmp(word[0], "node");
	u64 start, size;
	int i, nid;

	for (i = 3; i + 1 < count; i += 2) {
		if (!strcmp(word[i], "path"))
			backing.path = word[i + 1];
		else if (!strcmp(word[i], "offset") && !desc_parse_size(word[i + 1], &size))
			backing.offset = size;
		else if (!strcmp(word[i], "host_node") && !number(word[i + 1], &backing.host_node))
			backing.bind = true;
		else
			return -EINVAL;
	}
	if (i != count)
		return -EINVAL;
	if (by_node)
		return number(word[1], &nid) ?: mp_desc_back_node(desc, nid, &backing);
	return range_words(word, &start, &size) ?:
		mp_desc_back_range(desc, start, size, &backing);
}

static int range_words(char **word, u64 *start, u64 *size)
{
	return desc_parse_size(word[0], start) ?: desc_parse_size(word[1], size);
}

static int statement(struct mp_desc *desc, char **word, int count)
{
	int a, b, c;
	u64 start, size;
	bool movable;

	if (count == 3 && !strcmp(word[1], "="))
		return mp_desc_set(desc, word[0], word[2]);
	if (count == 2 && !strcmp(word[0], "node"))
		return number(word[1], &a) ?: mp_desc_add_node(desc, a);
	if (count >= 2 && !strcmp(word[0], "cpu")) {
		/* "cpu N [node N] [online|offline|absent]" */
		bool state = count == 5 || (count == 3 && strcmp(word[2], "node"));

		return number(word[1], &a) ?: node_words(word + 2, count - 2 - state, &b)
			?: desc_add_cpu(desc, a, b, state ? word[count - 1] : "online");
	}
	if (count == 4 && !strcmp(word[0], "distance"))
		return number(word[1], &a) ?: number(word[2], &b) ?: number(word[3], &c)
			?: mp_desc_set_distance(desc, a, b, c);
	if (count < 3)
		return -EINVAL;
	if (count >= 4 && !strcmp(word[0], "backing"))
		return backing_words(desc, word + 1, count - 1);
	if (!strcmp(word[0], "reserve") && count == 3)
		return range_words(word + 1, &start, &size) ?: mp_desc_reserve(desc, start, size);
	if (!strcmp(word[0], "offline"))
		return range_words(word + 1, &start, &size) ?: node_words(word + 3, count - 3, &a)
			?: mp_desc_add_offline(desc, start, size, a);
	if (!strcmp(word[0], "ram")) {
		movable = !strcmp(word[count - 1], "movable");
		return range_words(word + 1, &start, &size)
			?: node_words(word + 3, count - 3 - movable, &a)
			?: mp_desc_add_ram(desc, start, size, a, movable);
	}
	return -EINVAL;
}

/* Splits a line in place; "=" is a word of its own. -EINVAL: too many. */
static int split(char *line, char **word)
{
	static char equals[] = "=";
	int count = 0;

	for (;;) {
		line += strspn(line, " \t\r");
		if (!*line || *line == '#')
			return count;
		if (count == MAX_WORDS)
			return -EINVAL;
		if (*line == '=') {
			word[count++] = equals;
			line++;
			continue;
		}
		word[count++] = line;
		line += strcspn(line, " \t\r=#");
		if (*line == '=') {
			if (count == MAX_WORDS)
				return -EINVAL;
			*line++ = '\0';
			word[count++] = equals;
		} else if (*line == '#') {
			*line = '\0';
			return count;
		} else if (*line) {
			*line++ = '\0';
		}
	}
}

int mp_desc_parse(struct mp_desc *desc, const char *text, const char *name)
{
	char line[512], copy[512], before[sizeof(desc->error)], *word[MAX_WORDS];
	int nr = 0, count, ret;
	size_t len;

	if (!desc || !text)
		return -EINVAL;
	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		nr++;
		if (len >= sizeof(line))
			return desc_fail(desc, -EINVAL, "%s:%d: line too long", name, nr);
		memcpy(line, text, len);
		line[len] = '\0';
		memcpy(copy, line, len + 1);
		count = split(line, word);
		if (!count)
			continue;
		desc->error[0] = '\0';
		ret = count < 0 ? count : statement(desc, word, count);
		if (!ret)
			continue;
		memcpy(before, desc->error, sizeof(before));
		return desc_fail(desc, ret == -ENOMEM ? ret : -EINVAL, "%s:%d: \"%.60s\": %.100s",
				 name, nr, copy, before[0] ? before : "not understood");
	}
	return 0;
}

int mp_desc_read_file(struct mp_desc *desc, const char *path)
{
	ssize_t len;
	char *text;
	int ret;

	if (!desc || !path)
		return -EINVAL;
	len = desc_read_text(path, &text);
	if (len < 0)
		return desc_fail(desc, (int)len, "%s: cannot be read: %s", path,
				 strerror((int)-len));
	ret = strlen(text) == (size_t)len ? mp_desc_parse(desc, text, path)
					  : desc_fail(desc, -EINVAL, "%s: holds binary data", path);
	os_free(text);
	return ret;
}
