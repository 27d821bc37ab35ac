/* SPDX-License-Identifier: MIT */
/*
 * The mounts of `memplug ns`: the machine's files over the host's. They belong
 * to the process's own mount namespace, so nobody has to undo them. Where the
 * host has no such file, its folder is first replaced by a copy made of bind
 * mounts, in which there is room.
 */
#include "ns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const laid_over[] = {
	"/sys/devices/system/memory", "/sys/devices/system/node", "/sys/devices/system/cpu",
	"/sys/bus/memory", "/sys/bus/node", "/sys/bus/cpu", "/sys/module/memory_hotplug",
	"/sys/firmware/memmap", "/sys/kernel/debug", "/proc/meminfo", "/proc/zoneinfo",
	"/proc/buddyinfo", "/proc/pagetypeinfo", "/proc/iomem", "/proc/vmstat",
	/* Firmware slots; what else the host's firmware names is hidden. */
	"/sys/devices/LNXSYSTM:00", "/sys/bus/acpi",
};

static int bind_over(const char *from, const char *to, unsigned long more)
{
	return mount(from, to, NULL, MS_BIND | more, NULL) ? ns_fail("%s over %s", from, to) : 0;
}

static int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return ns_fail("%s", path);
	close(fd);
	return 0;
}

/* One entry of a folder again, in its copy. */
static int copy_entry(const char *from, const char *to)
{
	char target[512];
	struct stat st;
	ssize_t n;

	if (lstat(from, &st))
		return 0;
	if (S_ISLNK(st.st_mode)) {
		n = readlink(from, target, sizeof(target) - 1);
		if (n <= 0)
			return 0;
		target[n] = '\0';
		return symlink(target, to) ? ns_fail("%s", to) : 0;
	}
	if (S_ISDIR(st.st_mode) ? mkdir(to, 0755) && ns_fail("%s", to) : make_file(to))
		return -1;
	return bind_over(from, to, MS_REC);
}

/* Replaces a folder that takes no new names by a tmpfs with the same contents. */
static int make_room(const struct ns *ns, const char *path)
{
	char from[PATH_MAX + 256], to[PATH_MAX + 256];
	const char *old = ns_path(ns, "old");
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	if (bind_over(path, old, MS_REC))
		return -1;
	dir = opendir(old);
	if (!dir || mount("memplug", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"))
		ret = ns_fail("room in %s", path);
	while (!ret && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(from, sizeof(from), "%s/%s", old, entry->d_name);
		snprintf(to, sizeof(to), "%s/%s", path, entry->d_name);
		ret = copy_entry(from, to);
	}
	if (dir)
		closedir(dir);
	umount2(old, MNT_DETACH);
	return ret;
}

/* `path` below /sys, made if the host has none. */
static int ensure_directory(const struct ns *ns, const char *path)
{
	char parent[PATH_MAX];

	if (!access(path, F_OK))
		return 0;
	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = '\0';
	if (!*parent)
		return ns_fail("%s", path);
	if (ensure_directory(ns, parent))
		return -1;
	if (!mkdir(path, 0755))
		return 0;
	if (make_room(ns, parent))
		return -1;
	return mkdir(path, 0755) ? ns_fail("%s", path) : 0;
}

static int lay(const struct ns *ns, const char *path)
{
	char from[PATH_MAX];

	snprintf(from, sizeof(from), "%s%s", ns_path(ns, "tree"), path);
	/* Without it the command would find the host's. */
	if (access(from, F_OK))
		return ns_fail("the machine's %s", path);
	if (!strncmp(path, "/sys/", 5)) {
		if (ensure_directory(ns, path))
			return -1;
	} else if (access(path, F_OK)) {
		complain("ns: this host has no %s; there is none here either", path);
		return 0;
	}
	return bind_over(from, path, 0);
}

/* Writes `text` into single quotes of a shell. */
static void quote(FILE *file, const char *text)
{
	fputc('\'', file);
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", file);
		fputc(*text, file);
	}
	fputc('\'', file);
}

/* bin/NAME: a script, since the program finds its library only from where it lies. */
static int make_standin(const struct ns *ns, const char *path, const char *name)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return ns_fail("%s", path);
	fputs("#!/bin/sh\nMEMPLUG_NS=", file);
	quote(file, ns->directory);
	fputs(" MEMPLUG_SOCKET=", file);
	quote(file, ns->socket);
	fputs(" exec ", file);
	quote(file, ns->program);
	fprintf(file, " --as %s \"$@\"\n", name);
	if (fchmod(fileno(file), 0755) | fclose(file))
		return ns_fail("%s", path);
	return 0;
}

/* Programs look for it in the mount table; where it cannot be mounted, our `mount` lists it. */
static int lay_debugfs(const struct ns *ns)
{
	static const char path[] = "/sys/kernel/debug";

	if (ensure_directory(ns, path))
		return -1;
	if (!mount("debugfs", path, "debugfs", 0, NULL))
		return 0;
	return make_standin(ns, ns_path(ns, "bin/mount"), "mount");
}

/* Where there is no modprobe, one by its path; without overlayfs, PATH has to do. */
static int add_modprobe(const struct ns *ns)
{
	char options[sizeof(ns->directory) + 40];

	if (mkdir(ns_path(ns, "sbin"), 0755))
		return ns_fail("%s", ns_path(ns, "sbin"));
	if (make_file(ns_path(ns, "sbin/modprobe")))
		return -1;
	snprintf(options, sizeof(options), "lowerdir=%s:/usr/sbin", ns_path(ns, "sbin"));
	if (mount("memplug", "/usr/sbin", "overlay", 0, options))
		return 0;
	return bind_over(ns_path(ns, "bin/modprobe"), "/usr/sbin/modprobe", 0);
}

/*
 * Our modprobe in PATH and in the place of the real one, which scripts call by
 * its path; the real one goes to real/. It may be a link to a program of many
 * names, so the link is what is covered.
 */
static int lay_modprobe(const struct ns *ns)
{
	static const char *const places[] = { "/usr/sbin/modprobe", "/sbin/modprobe" };
	const char *ours = ns_path(ns, "bin/modprobe"), *real = ns_path(ns, "real/modprobe");
	struct stat script, st;
	bool any = false;
	char link[40];
	size_t i;
	int fd, ret = make_standin(ns, ours, "modprobe");

	if (!ret && stat(ours, &script))
		ret = ns_fail("%s", ours);
	for (i = 0; !ret && i < sizeof(places) / sizeof(*places); i++) {
		fd = open(places[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		any = true;
		/* /sbin may be /usr/sbin. */
		if (!fstat(fd, &st) && (st.st_dev != script.st_dev || st.st_ino != script.st_ino)) {
			snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
			ret = make_file(real) ?: bind_over(places[i], real, 0) ?:
			      bind_over(ours, link, 0);
		}
		close(fd);
	}
	return ret || any ? ret : add_modprobe(ns);
}

int ns_mount_base(struct ns *ns)
{
	static const char *const folders[] = { "tree", "bin", "real", "old" };
	char link[40];
	size_t i;
	int fd;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return ns_fail("private mounts");
	/* Process numbers are other ones here. Refused where a container hides parts of /proc. */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return ns_fail("a /proc of its own");
	if (access("/sys/devices", F_OK) && mount("sysfs", "/sys", "sysfs", 0, NULL))
		return ns_fail("/sys");
	/* Through a descriptor, since its folder may be the one that is laid over. */
	fd = open(ns->machine, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return ns_fail("%s", ns->machine);
	if (mount("memplug", ns->directory, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"))
		return ns_fail("%s", ns->directory);
	for (i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (mkdir(ns_path(ns, folders[i]), 0755))
			return ns_fail("%s", ns_path(ns, folders[i]));
	if (make_file(ns->socket))
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (bind_over(link, ns->socket, 0))
		return -1;
	close(fd);
	return 0;
}

int ns_mount_tree(struct ns *ns)
{
	size_t i;

	if (lay_modprobe(ns) || lay_debugfs(ns))
		return -1;
	for (i = 0; i < sizeof(laid_over) / sizeof(*laid_over); i++)
		if (lay(ns, laid_over[i]))
			return -1;
	/* Not needed any more; when it stays nobody minds. */
	rmdir(ns_path(ns, "old"));
	return 0;
}
