/* SPDX-License-Identifier: MIT */
/*
 * What it costs to reach a machine from outside: an attribute through the mount against one of the
 * kernel's sysfs, and a request on the socket against a bare round trip, everything on one CPU; lsmem
 * of 2 TiB on a fresh mount and on a warm one against lsmem on a copy in tmpfs.
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

/* Sorts both; one line. */
static void report(const char *what, double *ours, double *theirs, double unit, const char *name)
{
	double ratio[PAIRS];
	int i;

	for (i = 0; i < pairs; i++)
		ratio[i] = ours[i] / theirs[i];
	qsort(ratio, (size_t)pairs, sizeof(*ratio), by_value);
	qsort(ours, (size_t)pairs, sizeof(*ours), by_value);
	qsort(theirs, (size_t)pairs, sizeof(*theirs), by_value);
	printf("%-44s %9.1f %s  peer %9.1f %s  %6.2f times (%.2f to %.2f)\n", what,
	       ours[pairs / 2] * unit, name, theirs[pairs / 2] * unit, name, ratio[pairs / 2],
	       ratio[LOW], ratio[HIGH]);
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
	static char paths[4][600];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", where, name);
	return path;
}

static pid_t boot(const char *ram, bool mounted)
{
	char set[64];
	char *argv[] = { (char *)"memplug", (char *)"--socket", path_of("socket"), (char *)"boot",
			 (char *)"--set", (char *)"node 0", (char *)"--set", set,
			 mounted ? (char *)"--mount" : NULL, path_of("mnt"), NULL };

	snprintf(set, sizeof(set), "ram 0 %s node 0", ram);
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

static void attribute(const char *what)
{
	double ours[PAIRS], theirs[PAIRS];
	int i;

	for (i = 0; i < pairs; i++) {
		ours[i] = read_file(path_of("mnt" STATE), 1000);
		theirs[i] = read_file("/sys/devices/system/cpu/online", 1000);
	}
	report(what, ours, theirs, 1e6, "us");
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
	report("a read on the socket, one CPU", ours, theirs, 1e6, "us");
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

static void whole_machine(void)
{
	double cold[PAIRS], warm[PAIRS], copy[PAIRS], again[PAIRS];
	char *argv[] = { (char *)"memplug", (char *)"mount", path_of("socket"), path_of("mnt"), NULL };
	pid_t machine = boot("2T", false), mount;
	char command[2048];
	int i;

	mount = start(argv);
	if (machine < 0 || mount < 0)
		exit(1);
	snprintf(command, sizeof(command),
		 "m=sys/devices/system/memory; cd %s/mnt && mkdir -p ../copy/$m && cp $m/block_size_bytes ../copy/$m && "
		 "for b in $m/memory[0-9]*; do mkdir ../copy/$b; echo online >../copy/$b/state; echo 1 >../copy/$b/removable; "
		 "echo Normal >../copy/$b/valid_zones; echo 0 >../copy/$b/phys_device; ln -s ../../node/node0 ../copy/$b/node0; done",
		 where);
	if (system(command))
		exit(1);
	for (i = 0; i < pairs; i++) {
		stop(mount);
		mount = start(argv);
		cold[i] = lsmem(path_of("mnt"));
		copy[i] = lsmem(path_of("copy"));
		warm[i] = lsmem(path_of("mnt"));
		again[i] = lsmem(path_of("copy"));
	}
	report("lsmem of 16 384 blocks, mounted just now", cold, copy, 1e3, "ms");
	report("lsmem of 16 384 blocks, again", warm, again, 1e3, "ms");
	stop(mount);
	stop(machine);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", tool, sizeof(tool) - 32);
	char command[128];
	pid_t machine;

	if (access("/dev/fuse", W_OK) || geteuid() || n < 0) {
		printf("control_path: not measured, it needs /dev/fuse and root\n");
		return 0;
	}
	if (argc > 1 && atoi(argv[1]) > 0 && atoi(argv[1]) < PAIRS)
		pairs = atoi(argv[1]);
	tool[n] = '\0';
	strcpy(strrchr(tool, '/') + 1, "../tools/memplug");
	strcpy(where, "/dev/shm/memplug-bench-XXXXXX");
	if (!mkdtemp(where) || mkdir(path_of("mnt"), 0700))
		return 1;
	one_cpu(true);
	machine = boot("4G", true);
	if (machine > 0) {
		attribute("an attribute through the mount, one CPU");
		round_trip();
		stop(machine);
	}
	one_cpu(false);
	machine = boot("4G", true);
	if (machine > 0) {
		attribute("the same, any CPU");
		stop(machine);
		if (!system("lsmem --version >/dev/null 2>&1"))
			whole_machine();
	}
	snprintf(command, sizeof(command), "rm -rf --one-file-system %s", where);
	return machine < 0 || system(command);
}
