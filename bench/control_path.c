/* SPDX-License-Identifier: MIT */
/*
 * What it costs to reach a machine from outside: an attribute through the mount against one of the
 * kernel's sysfs and against FUSE itself, and a request on the socket against a bare round trip; lsmem of
 * 2 TiB on a fresh mount and on a warm one against lsmem on a copy in tmpfs, lsmem and `memplug ls` of 16 TiB.
 * control_path [PAIRS] [realtime]: with the latter, what else runs on the machine takes no CPU between.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <memplug/serve.h>
#include "bare_fuse.h"

/* As many pairs of runs as the argument says; the 95 % interval of the median of 21 is 6th to 16th. */
#define PAIRS 21
#define LOW (pairs * 5 / PAIRS)
#define HIGH (pairs - 1 - LOW)

#define STATE "/sys/devices/system/memory/memory0/state"

static int pairs = PAIRS;
static char where[64], tool[512];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts both; one line. A target of 0 is none. */
static void report(const char *what, double *ours, const char *peer, double *theirs, double unit, const char *name,
		   double target)
{
	double ratio[PAIRS], median;
	int i;

	for (i = 0; i < pairs; i++)
		ratio[i] = ours[i] / theirs[i];
	qsort(ratio, (size_t)pairs, sizeof(*ratio), by_value);
	qsort(ours, (size_t)pairs, sizeof(*ours), by_value);
	qsort(theirs, (size_t)pairs, sizeof(*theirs), by_value);
	median = ratio[pairs / 2];
	printf("%s: %.1f %s, %s %.1f %s, %.2f times (%.2f to %.2f)", what, ours[pairs / 2] * unit, name, peer,
	       theirs[pairs / 2] * unit, name, median, ratio[LOW], ratio[HIGH]);
	/* Met: the interval reaches it, and the median is within 3 % of it. */
	if (target > 0)
		printf("; target %.1f: %s", target, ratio[LOW] <= target && median <= target * 1.03 ? "met" : "not met");
	printf("\n");
	fflush(stdout);
}

static void one_cpu(bool yes)
{
	static cpu_set_t all;
	cpu_set_t one;

	if (!CPU_COUNT(&all))
		sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), yes ? &one : &all);
}

/* A child whose first line says that it is ready. */
static pid_t start(char *const argv[])
{
	int out[2];
	char byte;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(out[1], 1);
		execv(tool, argv);
		_exit(127);
	}
	close(out[1]);
	if (read(out[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(out[0]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

static char *path_of(const char *name)
{
	static char paths[8][600];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", where, name);
	return path;
}

/* RAM from 0 on; mounted or not. */
static pid_t boot(const char *ram, bool mounted)
{
	char set[64];
	char *argv[] = { (char *)"memplug", (char *)"--socket", path_of("socket"), (char *)"boot",
			 (char *)"--set", (char *)"node 0", (char *)"--set", set,
			 mounted ? (char *)"--mount" : NULL, path_of("mnt"), NULL };

	snprintf(set, sizeof(set), "ram 0 %s node 0", ram);
	return start(argv);
}

/* 131 072 blocks, most of them offline. */
static pid_t boot_16t(void)
{
	char *argv[] = { (char *)"memplug", (char *)"--socket", path_of("socket"), (char *)"boot", (char *)"--memory",
			 (char *)"4G", (char *)"--plug", (char *)"16380G", (char *)"--max-phys", (char *)"16384G", NULL };

	return start(argv);
}

static pid_t start_mount(void)
{
	char *argv[] = { (char *)"memplug", (char *)"mount", path_of("socket"), path_of("mnt"), NULL };

	return start(argv);
}

/* ---- one attribute ---- */

static double read_file(const char *path, int times)
{
	double begin = now();
	char buffer[4096];
	int i, fd;

	for (i = 0; i < times; i++) {
		fd = open(path, O_RDONLY);
		if (fd < 0 || read(fd, buffer, sizeof(buffer)) <= 0) {
			perror(path);
			exit(1);
		}
		close(fd);
	}
	return (now() - begin) / times;
}

/* A file that is kept open and read from the beginning. */
static double read_kept(const char *path, int times)
{
	int fd = open(path, O_RDONLY), i;
	double begin = now();
	char buffer[4096];

	for (i = 0; i < times; i++) {
		if (pread(fd, buffer, sizeof(buffer), 0) <= 0) {
			perror(path);
			exit(1);
		}
	}
	begin = now() - begin;
	close(fd);
	return begin / times;
}

static void compare(const char *what, double (*measure)(const char *path, int times), const char *peer,
		    const char *peer_path, double target)
{
	double ours[PAIRS], theirs[PAIRS];
	int i;

	measure(path_of("mnt" STATE), 100);
	measure(peer_path, 100);
	for (i = 0; i < pairs; i++) {
		if (i % 2)
			theirs[i] = measure(peer_path, 1000);
		ours[i] = measure(path_of("mnt" STATE), 1000);
		if (i % 2 == 0)
			theirs[i] = measure(peer_path, 1000);
	}
	report(what, ours, peer, theirs, 1e6, "us", target);
}

#define SYSFS "/sys/devices/system/cpu/online"

/* On one CPU the targets count; else it is said. */
static void attributes(bool pinned)
{
	const char *where_run = pinned ? "one CPU" : "any CPU";
	char what[100];
	pid_t bare;

	snprintf(what, sizeof(what), "open, read and close an attribute, %s", where_run);
	compare(what, read_file, "the kernel's sysfs", SYSFS, pinned ? 4 : 0);
	snprintf(what, sizeof(what), "read one that is kept open, %s", where_run);
	compare(what, read_kept, "the kernel's sysfs", SYSFS, 0);
	bare = bare_fuse_start(path_of("bare"));
	if (bare < 0)
		return;
	snprintf(what, sizeof(what), "open, read and close an attribute, %s", where_run);
	compare(what, read_file, "a FUSE server with nothing to do", path_of("bare/file"), 0);
	bare_fuse_stop(bare, path_of("bare"));
}

/* ---- a round trip ---- */

static double ask(int fd, const void *request, size_t size, int times)
{
	static char answer[MP_PACKET_MAX];
	double begin = now();
	int i;

	for (i = 0; i < times; i++) {
		if (send(fd, request, size, 0) < 0 || recv(fd, answer, sizeof(answer), 0) <= 0) {
			perror("socket");
			exit(1);
		}
	}
	return (now() - begin) / times;
}

/* A server that waits in poll, as any does, and sends back as many bytes as an answer has. */
static void echo(int fd)
{
	char packet[512];
	ssize_t n;

	while ((n = recv(fd, packet, sizeof(packet), 0)) > 0)
		if (send(fd, packet, sizeof(struct mp_packet) + 7, 0) < 0)
			break;
	_exit(0);
}

static void round_trip(void)
{
	struct { struct mp_packet head; char path[sizeof(STATE)]; } request = {
		{ .op = MP_PACKET_READ }, STATE
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	double ours[PAIRS], theirs[PAIRS];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), bare[2], i;
	char hello[256];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path_of("socket"));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    recv(fd, hello, sizeof(hello), 0) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, bare)) {
		perror("socket");
		exit(1);
	}
	if (!fork()) {
		close(bare[0]);
		echo(bare[1]);
	}
	close(bare[1]);
	for (i = 0; i < pairs; i++) {
		ours[i] = ask(fd, &request, sizeof(request), 2000);
		theirs[i] = ask(bare[0], &request, sizeof(request), 2000);
	}
	report("a read on the socket, one CPU", ours, "a bare round trip", theirs, 1e6, "us", 1.2);
	close(bare[0]);
	close(fd);
	wait(NULL);
}

/* ---- lsmem ---- */

static double lsmem(const char *root)
{
	char command[700];
	double begin = now();

	snprintf(command, sizeof(command), "lsmem --sysroot %s >/dev/null", root);
	if (system(command)) {
		fprintf(stderr, "%s failed\n", command);
		exit(1);
	}
	return now() - begin;
}

/* Of a tree in tmpfs what lsmem reads of it. */
static void copy_tree(int blocks, const char *state)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "rm -rf %s/copy; m=%s/copy/sys/devices/system/memory; mkdir -p $m && cd $m && echo 8000000 >block_size_bytes && "
		 "seq -f 'memory%%.0f' 0 %d | xargs mkdir && for b in memory*; do echo %s >$b/state; echo 1 >$b/removable; "
		 "echo Normal >$b/valid_zones; echo 0 >$b/phys_device; done; for b in memory*; do echo ../../node/node0 $b/node0; "
		 "done | xargs -n 2 ln -s", where, where, blocks - 1, state);
	if (system(command))
		exit(1);
}

/* Mounted anew each time, then again on what is known by then. */
static void lsmem_2t(bool pinned)
{
	double cold[PAIRS], warm[PAIRS], copy[PAIRS], again[PAIRS];
	pid_t mount;
	int i;

	for (i = 0; i < pairs; i++) {
		mount = start_mount();
		if (mount < 0)
			exit(1);
		cold[i] = lsmem(path_of("mnt"));
		copy[i] = lsmem(path_of("copy"));
		warm[i] = lsmem(path_of("mnt"));
		again[i] = lsmem(path_of("copy"));
		stop(mount);
	}
	report(pinned ? "lsmem of 2 TiB, mounted just now, one CPU" : "lsmem of 2 TiB, mounted just now, any CPU", cold,
	       "a copy in tmpfs", copy, 1e3, "ms", 15);
	report(pinned ? "lsmem of 2 TiB again, one CPU" : "lsmem of 2 TiB again, any CPU", warm, "a copy in tmpfs", again,
	       1e3, "ms", 4);
}

static void machine_2t(void)
{
	pid_t machine = boot("2T", false);

	if (machine < 0)
		exit(1);
	copy_tree(16384, "online");
	one_cpu(true);
	lsmem_2t(true);
	one_cpu(false);
	lsmem_2t(false);
	stop(machine);
}

static void machine_16t(void)
{
	double ls[PAIRS], copy, cold;
	char command[700];
	pid_t machine = boot_16t(), mount;
	int i;

	if (machine < 0)
		exit(1);
	snprintf(command, sizeof(command), "%s --socket %s ls >/dev/null", tool, path_of("socket"));
	for (i = 0; i < pairs; i++) {
		ls[i] = now();
		if (system(command))
			exit(1);
		ls[i] = now() - ls[i];
	}
	qsort(ls, (size_t)pairs, sizeof(*ls), by_value);
	printf("memplug ls of 16 TiB: %.3f s (%.3f to %.3f); target 0.3: %s\n", ls[pairs / 2], ls[LOW], ls[HIGH],
	       ls[LOW] <= 0.3 && ls[pairs / 2] <= 0.309 ? "met" : "not met");
	fflush(stdout);
	mount = system("lsmem --version >/dev/null 2>&1") ? -1 : start_mount();
	if (mount < 0) {
		stop(machine);
		return;
	}
	copy_tree(131072, "offline");
	cold = lsmem(path_of("mnt"));
	copy = lsmem(path_of("copy"));
	printf("lsmem of 16 TiB, mounted just now, once: %.1f s, a copy in tmpfs %.1f s, %.1f times\n", cold, copy,
	       cold / copy);
	fflush(stdout);
	stop(mount);
	stop(machine);
}

/* Nobody else's work comes between; children inherit it. */
static void be_realtime(void)
{
	struct sched_param param = { .sched_priority = 5 };

	if (sched_setscheduler(0, SCHED_FIFO, &param))
		perror("realtime");
	printf("all as real-time processes\n");
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", tool, sizeof(tool) - 32);
	char command[128];
	pid_t machine;
	int i;

	if (access("/dev/fuse", W_OK) || geteuid() || n < 0) {
		printf("control_path: not measured, it needs /dev/fuse and root\n");
		return 0;
	}
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "realtime"))
			be_realtime();
		else if (atoi(argv[i]) > 0 && atoi(argv[i]) < PAIRS)
			pairs = atoi(argv[i]);
	}
	tool[n] = '\0';
	strcpy(strrchr(tool, '/') + 1, "../tools/memplug");
	strcpy(where, "/dev/shm/memplug-bench-XXXXXX");
	if (!mkdtemp(where) || mkdir(path_of("mnt"), 0700) || mkdir(path_of("bare"), 0700))
		return 1;
	printf("%d pairs\n", pairs);
	one_cpu(true);
	machine = boot("4G", true);
	if (machine > 0) {
		attributes(true);
		round_trip();
		stop(machine);
	}
	one_cpu(false);
	machine = boot("4G", true);
	if (machine > 0) {
		attributes(false);
		stop(machine);
		if (system("lsmem --version >/dev/null 2>&1"))
			printf("lsmem: not measured, it is not installed\n");
		else
			machine_2t();
		machine_16t();
	}
	snprintf(command, sizeof(command), "rm -rf --one-file-system %s", where);
	return machine < 0 || system(command);
}
