/* SPDX-License-Identifier: MIT */
/*
 * The command under other names, inside `memplug ns`: modprobe, which loads and
 * unloads the machine's error injector for what scripts ask of the kernel's two
 * modules; mount, which lists a debugfs where none can be mounted. Everything
 * else goes to the real programs.
 */
#include "ns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The program `name` that is not the stand-in. */
static int exec_real(const char *name, char **argv)
{
	const char *path = getenv("PATH"), *directory = getenv("MEMPLUG_NS") ?: "";
	char folders[4096], file[4400], *folder, *save;
	struct stat ours = { 0 }, st;
	/* In a namespace within one the real program is the outer one's stand-in: that is the end. */
	bool again = getenv("MEMPLUG_STANDIN") != NULL;

	setenv("MEMPLUG_STANDIN", name, 1);
	snprintf(file, sizeof(file), "%.1000s/bin/%s", directory, name);
	stat(file, &ours);
	snprintf(folders, sizeof(folders), "%.2000s:/usr/sbin:/usr/bin:/sbin:/bin:%.1000s/real",
		 path ? path : "", directory);
	folder = again ? NULL : strtok_r(folders, ":", &save);
	for (; folder; folder = strtok_r(NULL, ":", &save)) {
		snprintf(file, sizeof(file), "%s/%s", folder, name);
		if (!stat(file, &st) && (st.st_dev != ours.st_dev || st.st_ino != ours.st_ino))
			execv(file, argv);
	}
	complain("%s: this host has none", name);
	return EXIT_NOT_FOUND;
}

/* A module's name is the same with either mark. */
static bool is_module(const char *word, const char *name)
{
	while (*word && *name && (*word == '_' ? '-' : *word) == *name)
		word++, name++;
	return !*word && !*name;
}

static int change_injector(const char *text, bool quiet, int tolerated)
{
	const struct options options = { 0 };
	char request[64];
	int64_t ret;

	client_connect(&options);
	snprintf(request, sizeof(request), "%s", text);
	ret = client_write("/memplug/inject", request, 0, NULL);
	if (ret >= 0 || ret == tolerated)
		return EXIT_DONE;
	if (!quiet)
		complain("modprobe: %s: %s", request, strerror((int)-ret));
	return EXIT_NOTHING;
}

static int modprobe(int argc, char **argv)
{
	bool quiet = false, removing = false, injector = false, base = false;
	char load[64] = "load";
	int i;

	for (i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "--remove") || !strcmp(word, "--quiet")) {
			removing |= word[2] == 'r';
			quiet |= word[2] == 'q';
		} else if (word[0] == '-' && word[1] != '-' && !word[1 + strspn(word + 1, "rqv")]) {
			removing |= strchr(word, 'r') != NULL;
			quiet |= strchr(word, 'q') != NULL;
		} else if (is_module(word, "memory-notifier-error-inject")) {
			injector = true;
		} else if (is_module(word, "notifier-error-inject")) {
			base = true;
		} else if (injector && !strncmp(word, "priority=", 9)) {
			snprintf(load, sizeof(load), "load %s", word);
		} else {
			return exec_real(argv[0], argv);
		}
	}
	if (!injector)
		return base ? EXIT_DONE : exec_real(argv[0], argv);
	/* modprobe is content when it finds things as they shall be. */
	return removing ? change_injector("unload", quiet, -ENOENT) :
			  change_injector(load, quiet, -EEXIST);
}

/* Whether `list`, as behind -t, names debugfs. */
static bool names_debugfs(const char *list)
{
	const char *at = strstr(list, "debugfs");

	return at && (at == list || at[-1] == ',') && (!at[7] || at[7] == ',');
}

static int mount_list(int argc, char **argv)
{
	bool lists = argc == 1 || (argc == 2 && !strcmp(argv[1], "-l")) ||
		     (argc == 3 && !strcmp(argv[1], "-t"));
	pid_t pid = lists ? fork() : 0;
	int status = 0;

	if (!pid)
		return exec_real(argv[0], argv);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return EXIT_NOTHING;
	if (argc < 3 || names_debugfs(argv[2]))
		puts("debugfs on /sys/kernel/debug type debugfs (rw,relatime)");
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NOTHING;
}

int ns_standin(int argc, char **argv)
{
	return !strcmp(argv[0], "mount") ? mount_list(argc, argv) : modprobe(argc, argv);
}
