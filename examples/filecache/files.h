/* SPDX-License-Identifier: MIT */
/* Which of the host's files the main job reads, page by page. */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>
#include <stdint.h>

struct files {
	char **names;
	size_t nr_files;
	uint64_t *pages; /* keys for files_fill() */
	size_t nr_pages;
};

/* Finds readable files of /usr, no more than `most_pages` pages of them. 0, -ENOMEM, -ENOENT. */
int files_find(struct files *files, size_t most_pages);
/* Reads one page of the files found last, zeroes behind its file's end. 0 or -errno. */
int files_fill(uint64_t key, void *buf);
void files_forget(struct files *files);

#endif
