/* SPDX-License-Identifier: MIT */
/*
 * Nothing is lost when the nth system call or the nth allocation fails, for
 * every n, in boot, add, online, offline and remove, with CPUs that come and go
 * and DIMMs in firmware slots. After each failure the
 * machine's checker passes, and machine, descriptors and mappings are as they
 * were before the call. A loop ends with the run in which nothing failed; for
 * system calls its length is compared with what strace saw of that run.
 */
#include "mptest.h"
#include "wrap.h"
#include "map/map.h"
#include "map/step.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/cpu.h>
#include <linux/memory_hotplug.h>
#include <linux/err.h>
#include <linux/memory.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <memplug/device_memory.h>
#include <memplug/memplug.h>
#include <memplug/ring.h>

/* A sanitizer maps memory and makes calls of its own; the plain build compares those. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define BLOCK (128UL << 20)
#define HOT (4UL << 30)
#define STATE "/sys/devices/system/memory/memory32/state"
#define MARK_BEGIN (-12345)
#define MARK_END (-54321)

/* ---- what must not change ---- */

static int count_dir(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int count_maps(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	int c, lines = 0;

	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines;
}

static char *shown; /* text of the machine as its tree shows it */
static size_t shown_len;

static void show(const char *text)
{
	size_t n = strlen(text);

	if (shown_len + n + 1 > 1 << 20)
		return;
	memcpy(shown + shown_len, text, n + 1);
	shown_len += n;
}

/* Of zoneinfo what a transaction changes; how many pages lie in which list is nobody's promise. */
static void show_zones(char *text)
{
	static const char *const keep[] = { "Node", "spanned", "present", "managed", "start_pfn" };
	char *line;
	size_t i;

	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		for (i = 0; i < sizeof(keep) / sizeof(*keep); i++)
			if (strstr(line, keep[i])) {
				show(line);
				show("\n");
			}
}

static int show_entry(const struct mp_entry *entry, void *arg)
{
	(void)arg;
	show(entry->name);
	show("\n");
	return 0;
}

static char *snapshot(void)
{
	static const char *const files[] = {
		"/proc/iomem", "/proc/zoneinfo", "/sys/devices/system/node/has_memory",
		"/sys/devices/system/node/online", STATE, "/sys/devices/system/node/has_cpu",
		"/sys/devices/system/cpu/online", "/sys/devices/system/cpu/present",
	};
	static char text[1 << 16];
	size_t i;

	shown = malloc(1 << 20);
	shown_len = 0;
	shown[0] = '\0';
	if (!mp_booted())
		return shown;
	for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
		text[0] = '\0';
		mp_read(files[i], text, sizeof(text) - 1);
		if (strstr(files[i], "zoneinfo"))
			show_zones(text);
		else
			show(text);
	}
	mp_list("/sys/devices/system/memory", show_entry, NULL);
	mp_list("/sys/devices/system/node", show_entry, NULL);
	mp_list("/sys/devices/system/node/node1", show_entry, NULL);
	mp_list("/sys/devices/system/cpu", show_entry, NULL);
	mp_list("/sys/bus/acpi/devices", show_entry, NULL);
	return shown;
}

/* ---- the operations ---- */

static bool once_only; /* under strace, outside the test framework */

static void must_work(int ret)
{
	if (once_only && ret)
		_exit(3);
	if (!once_only)
		CHECK_EQ(ret, 0);
}

static struct mp_desc *desc;

static void describe(void)
{
	desc = mp_desc_new();
	mp_desc_parse(desc, "node 0\nnode 1\ncpu 0 node 0\ncpu 1 node 1 absent\nram 0x100000 383M node 0\n", "fault");
	mp_desc_set(desc, "overcommit", "yes");
	mp_desc_set(desc, "max_phys", "64G");
}

/* ---- what lives in the block: movable pages whose contents must come through ---- */

#define OBJECTS 5
static struct page *object[OBJECTS];

static bool object_isolate(struct page *page, isolate_mode_t mode)
{
	return mode >= 0 && page->private < OBJECTS;
}

static int object_migrate(struct page *dst, struct page *src, enum migrate_mode mode)
{
	if (mode == MIGRATE_SYNC_NO_COPY)
		return -EINVAL;
	memcpy(page_address(dst), page_address(src), 4096);
	get_page(dst);
	dst->private = src->private;
	__SetPageMovable(dst, page_movable_ops(src));
	object[src->private] = dst;
	__ClearPageMovable(src);
	put_page(src);
	return 0;
}

static void object_putback(struct page *page)
{
	(void)page;
}

static const struct movable_operations object_ops = {
	.isolate_page = object_isolate,
	.migrate_page = object_migrate,
	.putback_page = object_putback,
};

static void objects_drop(void)
{
	int i;

	for (i = 0; i < OBJECTS; i++) {
		if (!object[i])
			continue;
		lock_page(object[i]);
		__ClearPageMovable(object[i]);
		unlock_page(object[i]);
		put_page(object[i]);
		object[i] = NULL;
	}
}

static void objects_place(void)
{
	int i;

	objects_drop();
	for (i = 0; i < OBJECTS; i++) {
		object[i] = alloc_pages_node(1, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE, 0);
		must_work(object[i] ? 0 : -ENOMEM);
		memset(page_address(object[i]), 'a' + i, 4096);
		object[i]->private = (unsigned long)i;
		lock_page(object[i]);
		__SetPageMovable(object[i], &object_ops);
		unlock_page(object[i]);
	}
}

static void objects_check(void)
{
	char expected[4096];
	int i;

	for (i = 0; i < OBJECTS; i++) {
		memset(expected, 'a' + i, sizeof(expected));
		if (memcmp(page_address(object[i]), expected, sizeof(expected)))
			FAIL("page %d (0x%lx) lost its contents", i, page_to_pfn(object[i]));
	}
}

static int op_boot(void) { return mp_boot(desc); }

/* This process's own: others may run the same test. */
static const char *own_path(const char *what)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/memplug-fault-%s-%d", what, (int)getpid());
	return path;
}

/* The same machine, with a file behind its hot memory. */
static int with_file(void)
{
	struct mp_backing file = { .kind = "file", .path = own_path("file") };
	int ret = mp_desc_back_range(desc, HOT, 2 * BLOCK, &file);

	unlink(file.path);
	return ret == -EEXIST ? 0 : ret; /* it was said in an earlier round */
}
static int op_file_boot(void)
{
	int ret = mp_boot(desc);

	/* The next one makes it again, as the first one does. */
	if (ret)
		unlink(own_path("file"));
	return ret;
}
static int op_add(void) { return add_memory(1, HOT, 2 * BLOCK, MHP_NONE); }
static int op_online(void) { return mp_write_string(STATE, "online_movable"); }
static int op_offline(void) { return mp_write_string(STATE, "offline"); }
static int op_remove(void) { return remove_memory(HOT, 2 * BLOCK); }
static int op_cpu_plug(void) { return mp_cpu_plug(1); }
static int op_cpu_eject(void) { return mp_cpu_eject(1); }
static int op_cpu_up(void) { return add_cpu(1); }
static int op_cpu_down(void) { return remove_cpu(1); }
/* A page that lives in the block moves; a free one fails. */
static unsigned long failing;
static int op_soft_offline(void)
{
	failing = page_to_pfn(object[2]);
	return soft_offline_page(failing, 0);
}
static int op_memory_failure(void)
{
	failing = (HOT >> PAGE_SHIFT) + 20000;
	return memory_failure(failing, MF_SW_SIMULATED);
}
static int op_unpoison(void) { return unpoison_memory(failing); }
static int group;
static int op_group(void)
{
	group = memory_group_register_static(1, 4 * BLOCK >> PAGE_SHIFT);
	return group < 0 ? group : 0;
}
static int op_slot_eject(void) { return mp_slot_eject(0); }

/* A DIMM whose memory cannot be added stays in its slot: it is taken out again. */
static int op_slot_plug(void)
{
	struct mp_slot_info info;
	int ret = mp_slot_plug(0, HOT, 2 * BLOCK, 1);

	if (ret && !mp_slot_get(0, &info))
		must_work(op_slot_eject());
	return ret;
}

static void undo_cpu_plug(void) { must_work(op_cpu_eject()); }
static void undo_cpu_eject(void) { must_work(op_cpu_plug() ?: op_cpu_up()); }
/* The node goes with the CPU, so that bringing it up makes it again. */
static void undo_cpu_up(void) { must_work(op_cpu_eject() ?: op_cpu_plug()); }
static void undo_cpu_down(void) { must_work(op_cpu_up()); }
static void undo_slot_plug(void) { must_work(op_slot_eject()); }
static void undo_slot_eject(void) { must_work(op_slot_plug() ?: op_online()); }
static void undo_failing(void) { must_work(op_unpoison()); }
static void undo_unpoison(void) { must_work(op_memory_failure()); }
static void undo_group(void) { must_work(memory_group_unregister(group)); }
static void undo_boot(void) { must_work(mp_shutdown()); }
static void undo_file_boot(void)
{
	must_work(mp_shutdown());
	unlink(own_path("file"));
}
static void undo_add(void) { must_work(op_remove()); }
static void undo_online(void) { must_work(op_offline()); }
static void undo_offline(void) { must_work(op_online()); }
static void undo_remove(void) { must_work(op_add()); }

/* Where the bytes go makes no difference; nothing is left to take away. */
static int op_ring_save(void) { return mp_ring_save("/dev/null"); }
static void undo_nothing(void) {}

/* Device memory: a file and, behind it, plain memory. */
static struct {
	struct dev_pagemap pgmap;
	struct range second;
} device = {
	.pgmap = { .type = MEMORY_DEVICE_GENERIC, .nr_range = 2,
		   .range = { 2 * HOT, 2 * HOT + 0x1fffff } },
	.second = { 2 * HOT + 0x200000, 2 * HOT + 0x3fffff },
};
static int device_file = -1;

static int op_device_map(void)
{
	void *address;
	int ret = mp_device_file(2 * HOT, 0x200000, device_file, 0);
	if (ret)
		return ret;
	address = memremap_pages(&device.pgmap, 1);
	ret = IS_ERR(address) ? (int)PTR_ERR(address) : 0;
	if (!ret)
		return 0;
	must_work(device.pgmap.nr_range == 2 ? 0 : -1);
	must_work(pfn_valid(2 * HOT >> PAGE_SHIFT));
	must_work(mp_device_file_remove(2 * HOT));
	return ret;
}
static int make_device_file(void)
{
	device_file = memfd_create("device", 0);
	return ftruncate(device_file, 0x200000);
}
static int op_device_unmap(void)
{
	memunmap_pages(&device.pgmap);
	return mp_device_file_remove(2 * HOT);
}
static void undo_device_map(void) { must_work(op_device_unmap()); }
static void undo_device_unmap(void) { must_work(op_device_map()); }

/* ---- memory that the program has mapped, at a place of its own ---- */

#define MAPPED ((2UL << 20) + 3 * MP_MAP_GRANULE)
#define GUARDED (1UL << 20)
static char *mapped_room, *mapped;

static int with_anonymous(void)
{
	return mp_desc_set(desc, "backing", "anonymous");
}
/* Blocks that come later are bound to a node of the host: what is mapped must go there. */
static int with_bound(void)
{
	struct mp_backing bound = { .kind = "anonymous", .bind = true, .host_node = 0 };
	int ret = mp_desc_back_range(desc, HOT + BLOCK, BLOCK, &bound);

	return with_anonymous() ?: ret == -EEXIST ? 0 : ret;
}

/* As on a host where a huge page takes long in one window. */
static int in_pieces(void)
{
	step_way_took(STEP_WHOLE, 1000000000);
	return 0;
}

#define STATE_NEXT "/sys/devices/system/memory/memory33/state"
static int op_online_next(void) { return mp_write_string(STATE_NEXT, "online_movable"); }
static int op_map(void)
{
	void *at;

	if (!mapped_room) {
		char *room = mmap(NULL, 8 << 20, PROT_NONE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		mapped_room = (char *)(((uintptr_t)room + (2 << 20) - 1) & ~((2UL << 20) - 1));
	}
	at = mapped_room;
	return mp_map(&at, MAPPED, 1, MP_MAP_FIXED | MP_MAP_THISNODE);
}
static void undo_map(void)
{
	must_work(mp_unmap(mapped_room, MAPPED));
	mmap(mapped_room, MAPPED, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}
static int op_unmap(void)
{
	/* The middle of a unit of 2 MiB. */
	return mp_unmap(mapped_room + MP_MAP_GRANULE, MP_MAP_GRANULE);
}
static void undo_unmap(void)
{
	void *at = mapped_room + MP_MAP_GRANULE;

	must_work(mp_map(&at, MP_MAP_GRANULE, 1, MP_MAP_FIXED));
	memset(at, 'm', MP_MAP_GRANULE);
}
static void mapped_drop(void)
{
	if (mapped)
		undo_map();
	mapped = NULL;
}
static void mapped_place(void)
{
	char state[32] = "";
	bool next = mp_read(STATE_NEXT, state, sizeof(state) - 1) > 0 && !strcmp(state, "online\n");

	mapped_drop();
	/* All of it in the block that is about to leave. */
	if (next)
		must_work(mp_write_string(STATE_NEXT, "offline"));
	must_work(op_map());
	if (next)
		must_work(op_online_next());
	mapped = mapped_room;
	memset(mapped, 'm', MAPPED);
	/* A move has several windows then. */
	must_work(mp_map_protect(mapped + GUARDED, 4096, PROT_READ));
	must_work(mp_map_advise(mapped + GUARDED, 8192, MADV_DONTDUMP));
}
static bool may_write(char *at)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	bool may = syscall(SYS_read, zero, at, 1) == 1;

	close(zero);
	return may;
}
/* What the program sees is the page that the machine says it is. */
static void mapped_check_page(char *at)
{
	char *page = (char *)__va(PFN_PHYS(entry_pfn(table_get(at)))) + 4096;

	if (table_get(at) & MAP_APART)
		return;
	at += 4096; /* not the one that is protected */
	*at = 'n';
	if (*(volatile char *)page != 'n')
		FAIL("mapped at %p is not its page", at);
	*at = 'm';
}

static void mapped_check(void)
{
	size_t i;

	for (i = 0; i < MAPPED; i += MP_MAP_GRANULE)
		mapped_check_page(mapped + i);

	for (i = 0; i < MAPPED; i++)
		if (mapped[i] != 'm')
			FAIL("mapped byte %zu is %d", i, mapped[i]);
	if (may_write(mapped + GUARDED))
		FAIL("a protected page is not: %p", mapped + GUARDED);
}

struct operation {
	const char *name;
	int (*before[6])(void); /* what makes the machine it starts from */
	int (*run)(void);
	void (*undo)(void);
	bool populated; /* the block holds pages meanwhile */
};

static const struct operation operations[] = {
	{ "boot", { NULL }, op_boot, undo_boot, false },
	{ "add", { op_boot }, op_add, undo_add, false },
	{ "online", { op_boot, op_add }, op_online, undo_online, false },
	{ "offline", { op_boot, op_add, op_online }, op_offline, undo_offline, true },
	{ "remove", { op_boot, op_add }, op_remove, undo_remove, false },
	{ "cpu_plug", { op_boot }, op_cpu_plug, undo_cpu_plug, false },
	{ "cpu_up", { op_boot, op_cpu_plug }, op_cpu_up, undo_cpu_up, false },
	{ "cpu_down", { op_boot, op_cpu_plug, op_cpu_up }, op_cpu_down, undo_cpu_down, false },
	{ "cpu_eject", { op_boot, op_cpu_plug, op_cpu_up }, op_cpu_eject, undo_cpu_eject, false },
	{ "slot_plug", { op_boot }, op_slot_plug, undo_slot_plug, false },
	{ "slot_eject", { op_boot, op_slot_plug, op_online }, op_slot_eject, undo_slot_eject, false },
	{ "soft_offline", { op_boot, op_add, op_online }, op_soft_offline, undo_failing, true },
	{ "memory_failure", { op_boot, op_add, op_online }, op_memory_failure, undo_failing, false },
	{ "unpoison", { op_boot, op_add, op_online, op_memory_failure }, op_unpoison, undo_unpoison, false },
	{ "group", { op_boot }, op_group, undo_group, false },
	{ "file_boot", { with_file }, op_file_boot, undo_file_boot, false },
	{ "file_add", { with_file, op_boot }, op_add, undo_add, false },
	{ "file_online", { with_file, op_boot, op_add }, op_online, undo_online, false },
	{ "file_offline", { with_file, op_boot, op_add, op_online }, op_offline, undo_offline, true },
	{ "device_map", { op_boot, make_device_file }, op_device_map, undo_device_map, false },
	{ "device_unmap", { op_boot, make_device_file, op_device_map }, op_device_unmap, undo_device_unmap, false },
	{ "ring_save", { op_boot }, op_ring_save, undo_nothing, false },
	{ "map", { op_boot, op_add, op_online }, op_map, undo_map, false },
	{ "unmap", { op_boot, op_add, op_online }, op_unmap, undo_unmap, false },
	{ "evacuate", { op_boot, op_add, op_online, op_online_next }, op_offline, undo_offline, false },
	{ "map_anonymous", { with_anonymous, op_boot, op_add, op_online }, op_map, undo_map, false },
	{ "unmap_anonymous", { with_anonymous, op_boot, op_add, op_online }, op_unmap, undo_unmap, false },
	{ "recount", { with_anonymous, op_boot, op_add, op_online, op_online_next }, op_offline, undo_offline, false },
	{ "recount_bound", { with_bound, op_boot, op_add, op_online, op_online_next }, op_offline, undo_offline, false },
	{ "evacuate_pieces", { in_pieces, op_boot, op_add, op_online, op_online_next }, op_offline, undo_offline, false },
};

/* The program has mapped memory of the block. */
static bool maps_memory(const struct operation *op)
{
	return op->run == op_unmap || op->before[3] == op_online_next || op->before[4] == op_online_next;
}

static void prepare(const struct operation *op)
{
	int i;

	/* No system call of the heap in between: grow it once and keep it. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	mallopt(M_TOP_PAD, 64 << 20);
	free(malloc(32 << 20));
	describe();
	for (i = 0; op->before[i]; i++)
		must_work(op->before[i]());
	/* Twice there and back: everything that is made once in a process is there. */
	for (i = 0; i < 2; i++) {
		if (op->populated)
			objects_place();
		if (maps_memory(op))
			mapped_place();
		must_work(op->run());
		op->undo();
	}
	if (op->populated)
		objects_place();
	if (maps_memory(op))
		mapped_place();
}

static void quiet(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static long loop(const struct operation *op, enum fault_kind kind)
{
	bool hit = true;
	long n, seen = 0, refused = 0, survived = 0;

	mp_set_log_hook(quiet, NULL);
	prepare(op);
	for (n = 1; hit; n++) {
		char *before, *after;
		const char *what;
		int fds, maps, ret;

		/* How many mappings a range takes depends on where its pages are: counted without it. */
		mapped_drop();
		before = snapshot();
		fds = count_dir("/proc/self/fd");
		maps = count_maps();
		if (maps_memory(op))
			mapped_place();

		fault_arm(kind, n);
		ret = op->run();
		seen = fault_disarm(&hit, &what);
		if (op->populated)
			objects_check();
		if (maps_memory(op) && (ret || op->run != op_unmap))
			mapped_check();
		if (!hit) {
			CHECK_EQ(ret, 0);
			op->undo();
			free(before);
			unlink(own_path("file"));
			break;
		}
		if (mp_check(NULL, NULL))
			FAIL("%s: %s number %ld failed, and the machine is not sound", op->name, what, n);
		if (!ret) {
			survived++;
			op->undo();
		} else {
			refused++;
		}
		/* Pages that have moved away stay there (OFFLINE-14); put back for the comparison. */
		if (op->populated)
			objects_place();
		if (maps_memory(op))
			mapped_check();
		mapped_drop();
		after = snapshot();
		if (strcmp(before, after))
			FAIL("%s: %s number %ld failed (result %d), and the machine differs:\n%s---\n%s",
			     op->name, what, n, ret, before, after);
		if (count_dir("/proc/self/fd") != fds)
			FAIL("%s: %s number %ld failed, descriptors %d -> %d", op->name, what, n, fds,
			     count_dir("/proc/self/fd"));
		if (!SANITIZED && count_maps() != maps)
			FAIL("%s: %s number %ld failed, mappings %d -> %d", op->name, what, n, maps,
			     count_maps());
		free(before);
		free(after);
	}
	printf("# %s: N = %ld %s, %ld refused, %ld survived\n", op->name, seen,
	       kind == FAULT_SYSCALL ? "system calls" : "allocations", refused, survived);
	fflush(stdout);
	/* An evacuation looks for sleepers as often as time allows. */
	if (op->before[3] != op_online_next && op->before[4] != op_online_next)
		CHECK_EQ(seen, n - 1);
	return seen;
}

/* ---- against strace ---- */

/* One run without a failure, between two calls that only we make. */
__attribute__((constructor)) static void once(void)
{
	const char *name = getenv("FAULT_ONCE");
	size_t i;
	long seen;
	FILE *f;

	for (i = 0; name && i < sizeof(operations) / sizeof(*operations); i++) {
		if (strcmp(operations[i].name, name))
			continue;
		once_only = true;
		mp_set_log_hook(quiet, NULL);
		prepare(&operations[i]);
		f = fopen(getenv("FAULT_COUNT_FILE"), "w");
		fault_arm(FAULT_SYSCALL, 0);
		close(MARK_BEGIN);
		must_work(operations[i].run());
		close(MARK_END);
		seen = fault_disarm(NULL, NULL);
		fprintf(f, "%ld\n", seen);
		fclose(f);
		_exit(0);
	}
}

static long strace_count(const char *trace)
{
	FILE *f = fopen(trace, "r");
	char line[4096];
	bool inside = false;
	long n = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "close(-12345)"))
			inside = true;
		else if (strstr(line, "close(-54321)"))
			inside = false;
		else if (inside && !strstr(line, "+++") && !strstr(line, "---"))
			n++;
	}
	fclose(f);
	return n;
}

static void compare_with_strace(const struct operation *op, long looped)
{
	char trace[] = "/tmp/memplug-fault-XXXXXX", count[64], self[256];
	long counted = -1, traced;
	int status, fd = mkstemp(trace);
	ssize_t n;
	FILE *f;
	pid_t pid;

	CHECK(fd >= 0);
	close(fd);
	if (SANITIZED) {
		unlink(trace);
		return;
	}
	snprintf(count, sizeof(count), "%s.count", trace);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	CHECK(n > 0);
	self[n] = '\0';
	pid = fork();
	if (pid == 0) {
		setenv("FAULT_COUNT_FILE", count, 1);
		setenv("FAULT_ONCE", op->name, 1);
		dup2(open("/dev/null", O_WRONLY), 1);
		/* Of the thread that counts: what others do, begin to run say, is in nobody's count. */
		execlp("strace", "strace", "-o", trace, self, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	f = fopen(count, "r");
	if (!f) {
		unlink(trace);
		SKIP("strace is not installed or may not trace here");
	}
	CHECK_EQ(fscanf(f, "%ld", &counted), 1);
	fclose(f);
	traced = strace_count(trace);
	unlink(trace);
	unlink(count);
	printf("# %s: strace saw %ld system calls\n", op->name, traced);
	fflush(stdout);
	CHECK_EQ(counted, traced);
	CHECK_EQ(looped, traced);
}

#define OPERATION(number, name) \
	TEST(none_nth_call_##name, #name " loses nothing when its nth system call fails") \
	{ \
		compare_with_strace(&operations[number], loop(&operations[number], FAULT_SYSCALL)); \
	} \
	TEST(none_nth_alloc_##name, #name " loses nothing when its nth allocation fails") \
	{ \
		loop(&operations[number], FAULT_ALLOC); \
	}

OPERATION(0, boot)
OPERATION(1, add)
OPERATION(2, online)
OPERATION(3, offline)
OPERATION(4, remove)
OPERATION(5, cpu_plug)
OPERATION(6, cpu_up)
OPERATION(7, cpu_down)
OPERATION(8, cpu_eject)
OPERATION(9, slot_plug)
OPERATION(10, slot_eject)
OPERATION(11, soft_offline)
OPERATION(12, memory_failure)
OPERATION(13, unpoison)
OPERATION(14, group)
OPERATION(15, file_boot)
OPERATION(16, file_add)
OPERATION(17, file_online)
OPERATION(18, file_offline)
OPERATION(19, device_map)
OPERATION(20, device_unmap)
OPERATION(21, ring_save)
OPERATION(22, map)
OPERATION(25, map_anonymous)
OPERATION(26, unmap_anonymous)
OPERATION(23, unmap)

TEST(none_nth_call_evacuate, "moving mapped memory loses nothing when its nth system call fails")
{
	loop(&operations[24], FAULT_SYSCALL);
}

TEST(none_nth_call_evacuate_pieces, "moving it in pieces loses nothing when its nth system call fails")
{
	loop(&operations[29], FAULT_SYSCALL);
}

/* Neighbours go together, and which are neighbours differs from run to run: not compared with strace. */
TEST(none_nth_call_recount, "counting anonymous memory elsewhere loses nothing when its nth system call fails")
{
	loop(&operations[27], FAULT_SYSCALL);
}

TEST(none_nth_call_recount_bound, "the same, to a block that is bound to a node of the host")
{
	loop(&operations[28], FAULT_SYSCALL);
}

TEST(GROUP_4, "a group for which there is no memory: ENOMEM, and its id is free")
{
	bool hit;
	const char *what;

	mp_set_log_hook(quiet, NULL);
	describe();
	must_work(op_boot());
	fault_arm(FAULT_ALLOC, 1);
	CHECK_EQ(memory_group_register_static(1, 4 * BLOCK >> PAGE_SHIFT), -ENOMEM);
	fault_disarm(&hit, &what);
	CHECK(hit);
	CHECK_EQ(memory_group_register_dynamic(1, BLOCK >> PAGE_SHIFT), 0);
}
