/* SPDX-License-Identifier: MIT */
/* `memplug show`: files and directories of the tree. `memplug stats`: the statistics. */
#include "memplug.h"
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- show ---- */

static void show_entry(const struct mp_packet_entry *entry, const char *name, const char *target,
		       bool json, bool more)
{
	static const char *const types[] = { "file", "directory", "link" };

	if (json) {
		printf("%s{\"name\": ", more ? ", " : "");
		json_string(name);
		printf(", \"type\": \"%s\", \"mode\": %u, \"target\": ", types[entry->type % 3], entry->mode);
		json_string_or_null(*target ? target : NULL);
		printf("}");
	} else {
		printf("%04o  %s%s%s%s\n", entry->mode, name, entry->type == MP_ENTRY_DIR ? "/" : "",
		       *target ? " -> " : "", target);
	}
}

static int show_directory(const char *path, bool json)
{
	int64_t shown = 0, n;
	bool goes_on = true;

	if (json) {
		printf("{\"path\": ");
		json_string(path);
		printf(", \"entries\": [");
	}
	while (goes_on) {
		const char *at, *end;

		n = client_call(MP_PACKET_LIST, shown, path, NULL, 0);
		goes_on = n > 0 && client_more;
		end = client_data + client_size;
		for (at = client_data; n > 0 && at + sizeof(struct mp_packet_entry) < end;) {
			struct mp_packet_entry entry;
			const char *name = at + sizeof(entry), *target = name + strlen(name) + 1;

			memcpy(&entry, at, sizeof(entry));
			show_entry(&entry, name, target, json, shown);
			at = target + strlen(target) + 1;
			shown++;
		}
	}
	if (json)
		printf("]}\n");
	return 0;
}

static int show_path(const char *path, bool json)
{
	char *text = client_read(path);

	if (!text && errno == EISDIR)
		return show_directory(path, json);
	if (!text) {
		complain("%s: %s", path, errno == ENOENT ?
			 "there is no such file; `memplug show /` lists those that are" :
			 errno == EACCES ? "it can be written only" : strerror(errno));
		return -1;
	}
	if (json) {
		printf("{\"path\": ");
		json_string(path);
		printf(", \"text\": ");
		json_string(text);
		printf("}\n");
	} else {
		fputs(text, stdout);
	}
	free(text);
	return 0;
}

static int show(struct options *options, int argc, char **argv)
{
	int i, failed = 0;

	if (argc < 2) {
		complain("show needs the path of a file, like /proc/meminfo; `memplug show --help`");
		return EXIT_USAGE;
	}
	client_connect(options);
	for (i = 1; i < argc; i++)
		failed += show_path(argv[i], options->json) < 0;
	return !failed ? EXIT_DONE : failed == argc - 1 ? EXIT_NOTHING : EXIT_SOME;
}

const struct verb verb_show = {
	"show", "PATH...", "files of the machine's tree",
	"Prints files as the machine shows them, and lists directories.\n\n"
	"  memplug show /sys/devices/system/memory/memory32/state\n"
	"  memplug show /proc/zoneinfo\n"
	"  memplug show /memplug                      the files of its own: reasons, events, callbacks, ...\n\n"
	"Exit code: 0 all, 64 some, 1 none.\n",
	show,
};

/* ---- stats ---- */

static char *next_word(char **at)
{
	char *word = *at;

	*at += strcspn(*at, " \n");
	if (**at)
		*(*at)++ = '\0';
	return word;
}

/* "EVENT calls N refusals N total_ns N max_ns N last_ns N answer 0xN NAME" */
static void stat_callback(char *line, bool json, bool more)
{
	char *event, *value[6], *name;
	int i;

	event = next_word(&line);
	for (i = 0; i < 6; i++) {
		next_word(&line);
		value[i] = next_word(&line);
	}
	name = line;
	if (json) {
		printf("%s\n    {\"name\": ", more ? "," : "");
		json_string(name);
		printf(", \"event\": \"%s\", \"calls\": %s, \"refusals\": %s, \"total_ns\": %s, \"max_ns\": %s, \"last_ns\": %s, \"answer\": %ld}",
		       event, value[0], value[1], value[2], value[3], value[4],
		       strtol(value[5], NULL, 16));
		return;
	}
	if (!more)
		printf("\n%-18s %8s %8s %12s %12s  %s\n", "EVENT", "CALLS", "REFUSED", "MEAN us", "MAX us",
		       "CALLBACK");
	printf("%-18s %8s %8s %12.1f %12.1f  %s\n", event, value[0], value[1],
	       strtod(value[2], NULL) / 1e3 / (strtod(value[0], NULL) ?: 1), strtod(value[3], NULL) / 1e3,
	       name);
}

static void stat_callbacks(bool json)
{
	char *text = client_read("/memplug/callbacks"), *line, *next;
	bool more = false;

	for (line = text; line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (strncmp(line, "timing ", 7))
			continue;
		stat_callback(line + 7, json, more);
		more = true;
	}
	free(text);
}

/* How mapped memory moves: the first line of its file. */
static void stat_mechanism(bool json)
{
	char *text = client_read("/memplug/map"), *name = text;

	if (text) {
		next_word(&name);
		name[strcspn(name, "\n")] = '\0';
	}
	if (json) {
		printf(",\n  \"map_mechanism\": ");
		if (text)
			json_string(name);
		else
			printf("null");
	} else if (text) {
		printf("%-22s %s\n", "map_mechanism", name);
	}
	free(text);
}

static int stats(struct options *options, int argc, char **argv)
{
	char *text, *at;
	bool more = false;

	if (argc > 1) {
		complain("stats takes no argument: \"%s\"; `memplug stats --help`", argv[1]);
		return EXIT_USAGE;
	}
	client_connect(options);
	text = client_read("/memplug/statistics");
	if (!text) {
		complain("the machine cannot be read: %s", strerror(errno));
		return EXIT_NOTHING;
	}
	for (at = text; *at;) {
		char *name = next_word(&at), *value = next_word(&at);

		if (options->json)
			printf("%s\n  \"%s\": %s", more ? "," : "{", name, value);
		else
			printf("%-22s %s\n", name, value);
		more = true;
	}
	free(text);
	stat_mechanism(options->json);
	if (options->json)
		printf(",\n  \"callbacks\": [");
	stat_callbacks(options->json);
	if (options->json)
		printf("\n  ]\n}\n");
	return EXIT_DONE;
}

const struct verb verb_stats = {
	"stats", "", "what the machine has done so far",
	"Counts operations and pages since boot, and how long each callback took, by event.\n",
	stats,
};
