/* SPDX-License-Identifier: MIT */
/*
 * Names of code addresses. dladdr() knows exported functions only, so what it
 * does not know is looked up in the object's own symbol table, read from its
 * file once and kept. The cache is guarded by the report lock. Every failure
 * (no memory, no file, stripped) falls back to "object+0xoff".
 */
#include "report/lock.h"
#include "report/report.h"
#include "os/os.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <linux/kernel.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_OBJECTS 64
#define MAX_TABLE (256UL << 20)
#define PATH_SIZE 256

struct object {
	uintptr_t base;
	char path[PATH_SIZE];
	ElfW(Sym) *symbols; /* its functions by address; NULL: it has no table */
	size_t nr_symbols;
	char *strings;
	size_t strings_size;
};

static struct {
	struct object *objects[MAX_OBJECTS];
	unsigned int nr_objects;
} cache;

struct search {
	uintptr_t addr;
	uintptr_t base;
	char path[PATH_SIZE];
	bool found;
};

static int match_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *search = arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD || search->addr < start ||
		    search->addr - start >= segment->p_memsz)
			continue;
		search->base = info->dlpi_addr;
		snprintf(search->path, sizeof(search->path), "%s",
			 info->dlpi_name && info->dlpi_name[0] ? info->dlpi_name :
								 "/proc/self/exe");
		search->found = true;
		return 1;
	}
	return 0;
}

/* `size` bytes at `offset` into fresh memory, or NULL. */
static void *read_part(int fd, u64 offset, size_t size)
{
	char *part = size && size <= MAX_TABLE ? os_alloc(size) : NULL;
	size_t have = 0;

	while (part && have < size) {
		ssize_t n = os_read_at(fd, part + have, size - have, offset + have);

		if (n <= 0) {
			os_free(part);
			return NULL;
		}
		have += (size_t)n;
	}
	return part;
}

static int by_address(const void *a, const void *b)
{
	ElfW(Addr) x = ((const ElfW(Sym) *)a)->st_value, y = ((const ElfW(Sym) *)b)->st_value;

	return x < y ? -1 : x > y;
}

/* Keeps functions only, sorted. */
static void index_symbols(struct object *object)
{
	size_t kept = 0;

	for (size_t i = 0; object->symbols && i < object->nr_symbols; i++) {
		const ElfW(Sym) *symbol = &object->symbols[i];

		if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
		    symbol->st_name < object->strings_size)
			object->symbols[kept++] = *symbol;
	}
	object->nr_symbols = kept;
	if (kept)
		qsort(object->symbols, kept, sizeof(*object->symbols), by_address);
}

static void read_tables(struct object *object, int fd)
{
	ElfW(Ehdr) header;
	ElfW(Shdr) *sections;

	if (os_read_at(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_shentsize != sizeof(*sections))
		return;
	sections = read_part(fd, header.e_shoff, header.e_shnum * sizeof(*sections));
	for (unsigned int i = 0; sections && i < header.e_shnum; i++) {
		const ElfW(Shdr) *table = &sections[i];

		if (table->sh_type != SHT_SYMTAB || table->sh_link >= header.e_shnum)
			continue;
		object->symbols = read_part(fd, table->sh_offset, table->sh_size);
		object->nr_symbols = table->sh_size / sizeof(ElfW(Sym));
		object->strings_size = sections[table->sh_link].sh_size;
		object->strings = read_part(fd, sections[table->sh_link].sh_offset,
					    object->strings_size);
		if (!object->strings || object->strings[object->strings_size - 1]) {
			os_free(object->symbols);
			object->symbols = NULL;
		}
		index_symbols(object);
		break;
	}
	os_free(sections);
}

/* The cached object, read at first. NULL without memory or with too many. Report lock held. */
static const struct object *load_object(const struct search *search)
{
	struct object *object;
	int fd;

	for (unsigned int i = 0; i < cache.nr_objects; i++) {
		object = cache.objects[i];
		if (object->base == search->base && strcmp(object->path, search->path) == 0)
			return object;
	}
	if (cache.nr_objects == MAX_OBJECTS)
		return NULL;
	object = os_alloc(sizeof(*object));
	if (!object)
		return NULL;
	object->base = search->base;
	memcpy(object->path, search->path, sizeof(object->path));
	fd = os_open_read(search->path);
	if (fd >= 0) {
		read_tables(object, fd);
		os_close(fd);
	}
	cache.objects[cache.nr_objects++] = object;
	return object;
}

/* The function that covers `value`, or NULL. */
static const ElfW(Sym) *find_symbol(const struct object *object, ElfW(Addr) value)
{
	const ElfW(Sym) *symbol;
	size_t low = 0, high = object->symbols ? object->nr_symbols : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (object->symbols[middle].st_value <= value)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	symbol = &object->symbols[low - 1];
	return value == symbol->st_value || value - symbol->st_value < symbol->st_size ? symbol : NULL;
}

static int format_name(char *buf, size_t size, const char *name, uintptr_t offset)
{
	return offset ? snprintf(buf, size, "%s+0x%lx", name, (unsigned long)offset) :
			snprintf(buf, size, "%s", name);
}

int mp_symbol_name(const void *addr, char *buf, size_t size)
{
	struct search search = { .addr = (uintptr_t)addr };
	const ElfW(Sym) *symbol = NULL;
	const struct object *object;
	const char *file;
	Dl_info info;
	int n = -1;

	if (!addr)
		return snprintf(buf, size, "(none)");
	if (dladdr(addr, &info) && info.dli_sname)
		return format_name(buf, size, info.dli_sname,
				   search.addr - (uintptr_t)info.dli_saddr);
	dl_iterate_phdr(match_object, &search);
	if (!search.found)
		return snprintf(buf, size, "0x%lx", (unsigned long)search.addr);
	report_lock();
	object = load_object(&search);
	if (object)
		symbol = find_symbol(object, search.addr - search.base);
	if (symbol)
		n = format_name(buf, size, object->strings + symbol->st_name,
				search.addr - search.base - symbol->st_value);
	report_unlock();
	if (n >= 0)
		return n;
	file = strrchr(search.path, '/');
	return format_name(buf, size, file ? file + 1 : search.path, search.addr - search.base);
}

const char *site_name(const void *site, char *buf, size_t size)
{
	/* A call may be the last instruction of its function. */
	mp_symbol_name(site ? (const char *)site - 1 : NULL, buf, size);
	return buf;
}
