/* SPDX-License-Identifier: MIT */
/*
 * Where the sockets of this user's machines are, and what a killed program leaves there. Its name may be in use
 * again at any moment, so the directory is locked while it is looked at; who makes a socket does so too
 * (src/serve/serve.c).
 */
#include "memplug.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCK_TRIES 20
#define LOCK_PAUSE_US 10000

const char *socket_directory(bool make)
{
	static char path[80];
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct stat st;

	if (geteuid() == 0)
		snprintf(path, sizeof(path), "/run/memplug");
	else if (runtime && strlen(runtime) < 64)
		snprintf(path, sizeof(path), "%s/memplug", runtime);
	else
		snprintf(path, sizeof(path), "/tmp/memplug-%u", geteuid());
	if (make && mkdir(path, 0700) && errno != EEXIST) {
		complain("%s: cannot be made: %s; use --socket PATH", path, strerror(errno));
		return NULL;
	}
	/* In /tmp somebody else may have been there first. */
	if (!lstat(path, &st) && (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())) {
		complain("%s: is not a directory of yours; use --socket PATH", path);
		return NULL;
	}
	return path;
}

/* Nobody listens there: connecting is refused. Whatever else happens leaves it alone. */
static bool is_dead(const char *directory, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name), fd;
	bool refused;

	if (n >= (int)sizeof(address.sun_path))
		return false;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* Who makes a socket has it for a moment; after a few of those the next command will tidy. */
static bool lock(int directory)
{
	for (int try = 0; flock(directory, LOCK_EX | LOCK_NB); try++) {
		if (try == LOCK_TRIES)
			return false;
		usleep(LOCK_PAUSE_US);
	}
	return true;
}

void sockets_tidy(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	struct stat st;

	if (dir && !lock(dirfd(dir))) {
		closedir(dir);
		return;
	}
	while (dir && (entry = readdir(dir))) {
		if (!fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode) &&
		    is_dead(directory, entry->d_name))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
}
