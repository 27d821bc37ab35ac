/* SPDX-License-Identifier: MIT */
/*
 * Which programs take a preload library: dynamically linked ones of this
 * machine's kind, with no rights of their own. A script is what its interpreter is.
 */
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_INTERPRETERS 5 /* the kernel stops there, too */

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_segment;
#define ELF_CLASS ELFCLASS64
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_segment;
#define ELF_CLASS ELFCLASS32
#endif
#if defined(__x86_64__)
#define ELF_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define ELF_MACHINE EM_AARCH64
#elif defined(__riscv)
#define ELF_MACHINE EM_RISCV
#else
#define ELF_MACHINE EM_NONE
#endif

static bool is_executable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* As execvp() looks for it. 0, -ENOENT, or -EACCES. */
static int find(const char *name, char *path, size_t size)
{
	const char *at = getenv("PATH"), *end;
	int error = -ENOENT;

	if (strchr(name, '/')) {
		if (snprintf(path, size, "%s", name) >= (int)size || access(path, F_OK))
			return -ENOENT;
		return is_executable(path) ? 0 : -EACCES;
	}
	if (!at)
		at = "/bin:/usr/bin";
	for (; at; at = *end ? end + 1 : NULL) {
		end = strchrnul(at, ':');
		if (snprintf(path, size, "%.*s%s%s", (int)(end - at), at, end > at ? "/" : "",
			     name) >= (int)size)
			continue;
		if (is_executable(path))
			return 0;
		if (!access(path, F_OK))
			error = -EACCES;
	}
	return *name ? error : -ENOENT;
}

/* "#!/usr/bin/env python3": the kernel runs env, and env the rest; env(1) itself is as good as any. */
static bool script_interpreter(const char *head, char *path, size_t size)
{
	size_t length;

	if (strncmp(head, "#!", 2))
		return false;
	head += 2 + strspn(head + 2, " \t");
	length = strcspn(head, " \t\n");
	return snprintf(path, size, "%.*s", (int)length, head) < (int)size && length;
}

static bool has_rights(const char *path, const struct stat *st)
{
	if (st->st_mode & S_ISUID && st->st_uid != geteuid())
		return true;
	if (st->st_mode & S_ISGID && st->st_mode & S_IXGRP && st->st_gid != getegid())
		return true;
	return geteuid() && getxattr(path, "security.capability", NULL, 0) > 0;
}

/* Does it name a dynamic linker? -ENOEXEC: it is not for this machine. */
static int is_dynamic(int fd)
{
	elf_header header;
	elf_segment segment;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_ident[EI_CLASS] != ELF_CLASS ||
	    header.e_machine != ELF_MACHINE || header.e_phentsize != sizeof(segment))
		return -ENOEXEC;
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		if (pread(fd, &segment, sizeof(segment),
			  (off_t)(header.e_phoff + i * sizeof(segment))) != sizeof(segment))
			return -ENOEXEC;
		if (segment.p_type == PT_INTERP)
			return 1;
	}
	return 0;
}

static int check_file(const char *path, char *interpreter, size_t interpreter_size, char *why, size_t size)
{
	struct stat st;
	char head[256] = "";
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC), dynamic;

	*interpreter = '\0';
	if (fd < 0 || fstat(fd, &st)) {
		int error = -errno;

		/* It may be run without being read: then nobody can tell. */
		if (fd >= 0)
			close(fd);
		snprintf(why, size, "%s: cannot be looked at: %s", path, strerror(-error));
		return -EACCES;
	}
	n = pread(fd, head, sizeof(head) - 1, 0);
	if (n > 2 && script_interpreter(head, interpreter, interpreter_size)) {
		close(fd);
		return 0;
	}
	dynamic = is_dynamic(fd);
	close(fd);
	if (dynamic < 0) {
		snprintf(why, size, "%s: not a program of this machine", path);
		return dynamic;
	}
	if (!dynamic) {
		snprintf(why, size, "%s: refused: statically linked, its malloc() cannot be replaced; "
			 "link it dynamically, or with libmemplug", path);
		return -EINVAL;
	}
	if (has_rights(path, &st)) {
		snprintf(why, size, "%s: refused: it is set-user-id or has capabilities, and the system "
			 "preloads nothing into such; run it as the user that it becomes", path);
		return -EPERM;
	}
	return 0;
}

int program_check(const char *name, char *why, size_t size)
{
	char path[4096], interpreter[256];
	int error = find(name, path, sizeof(path)), depth;

	if (error) {
		snprintf(why, size, "%s: %s", name, error == -ENOENT ? "not found" : "not executable");
		return error;
	}
	for (depth = 0; depth < MAX_INTERPRETERS; depth++) {
		error = check_file(path, interpreter, sizeof(interpreter), why, size);
		if (error || !*interpreter)
			return error;
		snprintf(path, sizeof(path), "%s", interpreter);
		if (!is_executable(path)) {
			snprintf(why, size, "%s: its interpreter %s is not there", name, interpreter);
			return -ENOEXEC;
		}
	}
	snprintf(why, size, "%s: too many interpreters", name);
	return -ENOEXEC;
}
