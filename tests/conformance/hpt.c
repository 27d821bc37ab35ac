// SPDX-License-Identifier: MIT
/*
 * The programs of the scenario's shell that are not busybox: `hpt`, the oracle's
 * own helper, but for what needs a kernel of its own; and under their names
 * insmod, rmmod, modprobe, dmesg. Those go to the machine's control socket.
 */
#include <unistd.h>

#include <poll.h>

/* A signal comes this much later than it was sent to a Linux that had a machine to itself; so `init`, hptrace.c. */
#define SLOWER 3

int hpt_main(int argc, char **argv);
static ssize_t checked_write(int fd, const void *buf, size_t count);

static int patient_poll(struct pollfd *fds, nfds_t nr, int ms)
{
	return poll(fds, nr, ms > 0 && ms < 2000 ? ms * SLOWER : ms);
}

#undef _GNU_SOURCE
#define main hpt_main
#define write checked_write
#define poll patient_poll
#include "../oracle/guest/hpt.c"
#undef poll
#undef write
#undef main

#define CONTROL "/run/control.sock"

static int connect_control(int argc, char **argv)
{
	char line[4096] = "";
	size_t length = 0;
	int fd = sock_un(CONTROL, 0), i;

	for (i = 0; i < argc && length < sizeof(line); i++)
		length += snprintf(line + length, sizeof(line) - length, "%s%c", argv[i],
				   i + 1 < argc ? ' ' : '\n');
	if (fd < 0 || length >= sizeof(line) || write(fd, line, length) != (ssize_t)length) {
		fprintf(stderr, "%s: no answer from the machine\n", argv[0]);
		exit(1);
	}
	return fd;
}

/* A mount passes no errno above 511 on and says ERANGE; the machine knows what it was. */
static ssize_t checked_write(int fd, const void *buf, size_t count)
{
	static char command[] = "refusal";
	char link[64], path[256] = "", *argv[] = {command, path};
	ssize_t written = write(fd, buf, count);
	int error = 0;
	FILE *answer;

	if (written >= 0 || errno != ERANGE)
		return written;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0)
		return written;
	answer = fdopen(connect_control(2, argv), "r");
	errno = answer && fscanf(answer, "%d", &error) == 1 && error < -511 ? -error : ERANGE;
	return written;
}

/* Standard input goes to the machine until it ends; that is told, too. */
static void *send_input(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[4096];
	ssize_t got;

	while ((got = read(0, buf, sizeof(buf))) > 0)
		if (write(fd, buf, got) != got)
			break;
	shutdown(fd, SHUT_WR);
	return NULL;
}

/* Prints the answer; its last line is the exit code. */
static int control(int argc, char **argv)
{
	int fd = connect_control(argc, argv), code = 1;
	FILE *answer = fdopen(fd, "r");
	char *line = NULL;
	pthread_t thread;
	size_t size = 0;

	if (!strcmp(argv[0], "mem"))
		pthread_create(&thread, NULL, send_input, (void *)(intptr_t)fd);
	while (getline(&line, &size, answer) > 0) {
		if (sscanf(line, "exit %d", &code) == 1)
			break;
		fputs(line, stdout);
		fflush(stdout);
	}
	return code;
}

int main(int argc, char **argv)
{
	char *base = strrchr(argv[0], '/');

	argv[0] = base ? base + 1 : argv[0];
	if (strcmp(argv[0], "hpt"))
		return control(argc, argv);
	if (argc > 1 && (!strcmp(argv[1], "mem") || !strcmp(argv[1], "uevd") || !strcmp(argv[1], "ue")))
		return control(argc - 1, argv + 1);
	return hpt_main(argc, argv);
}
