/* SPDX-License-Identifier: MIT */
/*
 * The machine that nonsense is written to: blocks online with pages that move, online with one that
 * cannot, offline, in a slot; CPUs, one of them offline; the injector loaded. Its whole tree is a text that
 * must not change when a write fails. One thread; the state is of the machine that is up.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <memplug/slot.h>

#include "page/page.h"
#include "plug/desc.h"

#define BLOCK (128UL << 20)
#define HOT (4UL << 30)
#define STATE(n) "/sys/devices/system/memory/memory" #n "/state"
#define MAX_FILES 4096
#define MAX_TEXT (8U << 20)
/* Failures in a row before the trees are compared. */
#define BATCH 64

/* A text of the machine is made after each success; after every eighth where that takes ten times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPARE 8
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SPARE 8
#endif
#endif
#ifndef SPARE
#define SPARE 1
#endif

struct text {
	char at[MAX_TEXT];
	size_t used;
};

static struct {
	struct text before, after;
	bool fresh;	      /* `before` is the machine's text, but for failed writes since */
	unsigned int failed, taken;
	char last[BATCH][160]; /* what failed since */
	char *file[MAX_FILES];
	size_t nr_files;
	struct page *stuck;
} m;

void fuzz_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("fuzz: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

const char *fuzz_escape(const void *data, size_t size)
{
	static char text[256];
	const unsigned char *byte = data;
	size_t i, used = 0;

	for (i = 0; i < size && used < 200; i++)
		if (byte[i] >= ' ' && byte[i] < 0x7f && byte[i] != '\\' && byte[i] != '"')
			text[used++] = (char)byte[i];
		else
			used += (size_t)snprintf(text + used, 5, "\\x%02x", byte[i]);
	snprintf(text + used, sizeof(text) - used, "%s", i < size ? "..." : "");
	return text;
}

static void ignore(int level, const char *text, void *arg)
{
	if (getenv("MPTEST_LOG"))
		fprintf(stderr, "log %d: %s\n", level, text);
}

static void on_complaint(const char *text, void *arg)
{
	if (!arg)
		fuzz_fail("the library complains: %s", text);
}

void fuzz_hooks(bool fatal)
{
	static int yes;

	mp_set_log_hook(ignore, NULL);
	mp_set_warn_hook(on_complaint, NULL);
	mp_set_fatal_hook(on_complaint, fatal ? &yes : NULL);
}

/* ---- up and down ---- */

static void expect(int ret, const char *what)
{
	struct mp_reason reason;

	if (ret)
		fuzz_fail("%s: error %d: %s", what, ret, mp_last_reason(&reason) ? "" : reason.text);
}

void machine_up(bool linux_contract)
{
	struct mp_desc *desc = mp_desc_new();

	expect(mp_desc_parse(desc, "max_phys = 64G\novercommit = yes\nprobe = Y\nnode 0\nnode 1\n"
				   "cpu 0 node 0\ncpu 1 node 1 offline\nram 0 256M node 0\n", "fuzz"),
	       "description");
	expect(mp_desc_set(desc, "contract", linux_contract ? "linux-6.1" : "document"), "contract");
	expect(mp_boot(desc), "boot");
	mp_desc_free(desc);
	expect(mp_inject_load(0), "injector");
	expect(add_memory(1, HOT, 3 * BLOCK, MHP_NONE), "add");
	expect(mp_slot_plug(1, HOT + 3 * BLOCK, BLOCK, 1), "slot");
	expect(mp_write_string(STATE(32), "online_kernel"), "online 32");
	expect(mp_write_string(STATE(33), "online_movable"), "online 33");
	m.stuck = alloc_pages_node(1, GFP_KERNEL | __GFP_THISNODE, 0);
	if (!m.stuck)
		fuzz_fail("no page");
	/* Whatever cannot end ends soon. */
	mp_set_deadline(2);
	m.fresh = false;
	m.failed = 0;
}

void machine_down(void)
{
	__free_page(m.stuck);
	expect(mp_shutdown(), "shutdown");
}

/* ---- the tree as text ---- */

/* Files that tell what happened, so that a write that fails may change them, with the reason. */
static const struct {
	const char *path;
	bool linux_only;
} telling[] = {
	{ "/memplug/reasons", false },	  /* the refusal */
	{ "/memplug/statistics", false }, /* counts failures */
	{ "/memplug/add", false },	  /* reads as its last refusal */
	{ "/memplug/remove", false },	  /* the same */
	{ "/memplug/callbacks", false },  /* counts and times calls */
	{ "/memplug/events", false },	  /* what happened */
	{ "/proc/pagetypeinfo", true },	  /* an offline that fails leaves its pageblocks movable (ISOL-6) */
};

static bool tells(const char *path)
{
	size_t i;

	for (i = 0; i < sizeof(telling) / sizeof(*telling); i++)
		if (!strcmp(path, telling[i].path))
			return !telling[i].linux_only || !strcmp(mp_contract(), "linux-6.1");
	return false;
}

static void add(struct text *text, const char *data, size_t size)
{
	if (size >= MAX_TEXT - text->used)
		fuzz_fail("the tree has more than %u bytes", MAX_TEXT);
	memcpy(text->at + text->used, data, size);
	text->used += size;
	text->at[text->used] = '\0';
}

struct walk {
	const char *dir;
	struct text *text;
	bool files; /* note those that can be written instead */
};

static void walk(struct text *text, bool files, const char *dir);

static int walk_entry(const struct mp_entry *entry, void *arg)
{
	static char data[1 << 20];
	struct walk *w = arg;
	char path[512], line[768];
	ssize_t size;

	snprintf(path, sizeof(path), "%s/%s", w->dir, entry->name);
	if (entry->type == MP_ENTRY_DIR) {
		walk(w->text, w->files, path);
	} else if (w->files) {
		if (entry->type != MP_ENTRY_FILE || !(entry->mode & 0222))
			return 0;
		if (m.nr_files == MAX_FILES)
			fuzz_fail("more than %d files", MAX_FILES);
		m.file[m.nr_files++] = strdup(path);
	} else {
		size = snprintf(line, sizeof(line), "%s %o %s\n", path, entry->mode, entry->target);
		add(w->text, line, (size_t)size);
		if (entry->type == MP_ENTRY_FILE && entry->mode & 0444 && !tells(path)) {
			size = mp_read(path, data, sizeof(data));
			if (size >= 0)
				add(w->text, data, (size_t)size);
			else
				add(w->text, "error\n", 6);
		}
	}
	return 0;
}

static void walk(struct text *text, bool files, const char *dir)
{
	struct walk w = { dir, text, files };
	int ret = mp_list(*dir ? dir : "/", walk_entry, &w);

	if (ret)
		fuzz_fail("list of \"%s\": error %d", dir, ret);
}

size_t machine_files(void)
{
	while (m.nr_files)
		free(m.file[--m.nr_files]);
	walk(NULL, true, "");
	return m.nr_files;
}

const char *machine_file(size_t index)
{
	return m.file[index];
}

static void snapshot(struct text *text)
{
	/* Free pages that a CPU keeps at hand are handed back by an offline, also by one that fails. */
	drain_pages_range(0, ~0UL);
	text->used = 0;
	walk(text, false, "");
}

static void say(const char *text, void *arg)
{
	fprintf(stderr, "fuzz: mp_check: %s\n", text);
}

static void show_line(const char *name, const char *line)
{
	fprintf(stderr, "%s: ", name);
	fwrite(line, 1, strcspn(line, "\n"), stderr);
	fputc('\n', stderr);
}

/* The lines at which two texts differ first. */
static void show_difference(void)
{
	const char *a = m.before.at, *b = m.after.at, *line = a;
	size_t i;

	for (; *a && *a == *b; a++, b++)
		if (*a == '\n')
			line = a + 1;
	b -= a - line;
	show_line("before", line);
	show_line("after", b);
	while (line > m.before.at && strncmp(line, "/", 1))
		line--;
	show_line("file", line);
	for (i = 0; i < m.failed; i++)
		fprintf(stderr, "failed write: %s\n", m.last[i]);
}

void machine_compare(void)
{
	if (mp_check(say, NULL))
		fuzz_fail("the machine contradicts itself");
	if (!m.fresh || !m.failed)
		return;
	snapshot(&m.after);
	if (m.after.used != m.before.used || memcmp(m.after.at, m.before.at, m.after.used)) {
		show_difference();
		fuzz_fail("the machine changed though the write failed");
	}
	m.failed = 0;
}

/* Only this one fails and leaves something: what its owner cannot give up is poisoned all the same (POISON-8). */
static bool leaves_a_mark(const char *path, long ret)
{
	return ret == -EBUSY && !strcmp(path, "/sys/devices/system/memory/hard_offline_page");
}

long machine_write(const char *path, const uint8_t *data, size_t size)
{
	long ret;

	if (!m.fresh && m.taken % SPARE == 0) {
		snapshot(&m.before);
		m.fresh = true;
		m.failed = 0;
	}
	ret = mp_write(path, (const char *)data, size);
	if (ret >= 0) {
		if (ret > (long)size)
			fuzz_fail("%s took %ld of %zu bytes", path, ret, size);
		if (ret)
			m.fresh = false;
		m.taken += ret > 0;
		return ret;
	}
	if (leaves_a_mark(path, ret))
		m.fresh = false;
	if (!m.fresh)
		return ret;
	snprintf(m.last[m.failed], sizeof(*m.last), "%s: error %ld: \"%s\"", path, ret,
		 fuzz_escape(data, size));
	if (++m.failed == BATCH)
		machine_compare();
	return ret;
}

/* ---- descriptions ---- */

void machine_try(const struct mp_desc *desc)
{
	uint64_t block = desc->block_size ? desc->block_size : BLOCK, bytes = 0, blocks = 0;
	int i;

	/* A file that a backing names would be written to; populating takes the host's memory. */
	for (i = 0; i < desc->nr_backings; i++)
		if (desc->backings[i].path[0])
			return;
	if (desc->populate)
		return;
	for (i = 0; i < desc->ram.count; i++)
		bytes += desc->ram.at[i].size, blocks += desc->ram.at[i].size / block + 2;
	for (i = 0; i < desc->offline.count; i++)
		blocks += desc->offline.at[i].size / block + 1;
	if (bytes > 1UL << 30 || blocks > 512)
		return;
	if (mp_boot(desc))
		return;
	if (mp_check(say, NULL))
		fuzz_fail("the machine contradicts itself");
	expect(mp_shutdown(), "shutdown");
}
